//! What the reader needs beneath its grammar: finding the end of a string fast, and knowing where it is.

use super::needs_escape;

/// How many bytes at the beginning of `rest` stand for themselves in a string, eight looked at together.
///
/// The lowest byte of `found` that is marked is right; those above it may be marked by a borrow.
pub(crate) fn plain_len(rest: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    let mut len = 0;
    while let Some(eight) = rest.get(len..).and_then(<[u8]>::first_chunk::<8>) {
        let bytes = u64::from_le_bytes(*eight);
        let quote = bytes ^ (ONES * b'"' as u64);
        let backslash = bytes ^ (ONES * b'\\' as u64);
        let found = (bytes.wrapping_sub(ONES * 0x20) & !bytes)
            | (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash);
        let marks = found & (ONES * 0x80);
        if marks != 0 {
            return len + (marks.trailing_zeros() / 8) as usize;
        }
        len += 8;
    }
    let tail = rest.get(len..).unwrap_or_default();
    len + tail.iter().take_while(|b| !needs_escape(**b)).count()
}

/// Which of the containers around the reader are objects: a stack of bits.
#[derive(Default)]
pub(super) struct Nesting {
    depth: usize,
    top: u64,
    below: Vec<u64>,
}

impl Nesting {
    pub(super) fn push(&mut self, is_object: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.below.push(self.top);
        }
        self.top = self.top << 1 | u64::from(is_object);
        self.depth += 1;
    }

    pub(super) fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.top >>= 1;
        if self.depth.is_multiple_of(64) {
            self.top = self.below.pop().unwrap_or_default();
        }
    }

    pub(super) fn innermost_is_object(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.top & 1 == 1)
    }
}
