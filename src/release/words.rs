//! Short byte strings compared, hashed and put in order eight bytes at a time.
//!
//! A release does that with tens of thousands of names and tags that begin alike, where a comparison byte by byte,
//! which is what musl's `memcmp` does, is a good part of its cost.

/// The eight bytes at a position, or what is left of them, filled up with zeros.
#[inline(always)]
fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let rest = bytes.get(at..)?;
    if let Some(eight) = rest.first_chunk() {
        return Some(u64::from_be_bytes(*eight));
    }
    if rest.is_empty() {
        return None;
    }
    let filled = match bytes.last_chunk() {
        Some(eight) => u64::from_be_bytes(*eight),
        None => rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    Some(filled << (64 - 8 * rest.len()))
}

/// Whether all are ASCII.
pub(super) fn is_ascii(bytes: &[u8]) -> bool {
    const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
    let (words, rest) = bytes.as_chunks::<8>();
    let words = words.iter().fold(0, |all, word| all | u64::from_le_bytes(*word));
    words & HIGH_BITS == 0 && rest.iter().all(u8::is_ascii)
}

/// Whether both are the same.
pub(super) fn are_equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && (0..a.len()).step_by(8).all(|at| word(a, at) == word(b, at))
}

/// A hash for the tables of one batch: nothing that is kept may rely on it.
pub(super) fn hash(bytes: &[u8], seed: u64) -> u32 {
    /// Odd, its bits as good as random: digits of the golden ratio.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = seed ^ SPREAD;
    let mut at = 0;
    while let Some(word) = word(bytes, at) {
        // Both halves of the product, so that each bit of the word reaches each bit of the hash.
        let product = u128::from(hash ^ word) * u128::from(SPREAD);
        hash = product as u64 ^ (product >> 64) as u64;
        at += 8;
    }
    (hash ^ hash >> 32) as u32
}

/// The positions of `count` strings in the order of the strings; equal ones in the order of their positions.
pub(super) fn order<'a>(count: usize, string: impl Fn(usize) -> &'a [u8]) -> Vec<u32> {
    // What all begin with tells nothing; of most, the eight bytes behind that tell everything.
    let first = if count > 0 { string(0) } else { b"" };
    let common = (1..count).fold(first.len(), |common, at| {
        let same = first.iter().zip(string(at)).take(common).take_while(|(a, b)| a == b);
        same.count()
    });
    let mut order: Vec<(u64, u32)> =
        (0..count).map(|at| (word(string(at), common).unwrap_or_default(), at as u32)).collect();
    // The standard library optimised for size has heap sort as the unstable one, which takes four times as long.
    order.sort_by(|a, b| {
        a.0.cmp(&b.0).then_with(|| compare(string(a.1 as usize), string(b.1 as usize), common + 8))
    });
    order.into_iter().map(|(_, at)| at).collect()
}

/// Compares what stands from `at` on.
fn compare(a: &[u8], b: &[u8], mut at: usize) -> std::cmp::Ordering {
    loop {
        match (word(a, at), word(b, at)) {
            (None, None) => return a.len().cmp(&b.len()),
            (a, b) if a != b => return a.cmp(&b),
            _ => at += 8,
        }
    }
}

/// A table that finds positions by their hash.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Hash and position; a power of two of them, a quarter of them free at least.
    slots: Vec<(u32, u32)>,
    used: usize,
}

/// What stands in a free slot instead of a position.
const FREE: u32 = u32::MAX;

impl Index {
    /// The position with this hash that `is_same` accepts.
    pub fn find(&self, hash: u32, is_same: impl Fn(usize) -> bool) -> Option<usize> {
        let mut at = hash as usize;
        while let Some((known, position)) = self.slots.get(at & self.mask())
            && *position != FREE
        {
            if *known == hash && is_same(*position as usize) {
                return Some(*position as usize);
            }
            at = at.wrapping_add(1);
        }
        None
    }

    /// Adds a position.
    pub fn add(&mut self, hash: u32, position: usize) {
        self.used += 1;
        if self.used * 4 > self.slots.len() * 3 {
            let slots = vec![(0, FREE); (self.slots.len() * 4).max(64)];
            let old = std::mem::replace(&mut self.slots, slots);
            old.into_iter().filter(|(_, position)| *position != FREE).for_each(|slot| self.put(slot));
        }
        self.put((hash, position as u32));
    }

    fn put(&mut self, (hash, position): (u32, u32)) {
        let (mut at, mask) = (hash as usize, self.mask());
        while let Some(slot) = self.slots.get_mut(at & mask) {
            if slot.1 == FREE {
                *slot = (hash, position);
                return;
            }
            at = at.wrapping_add(1);
        }
    }

    fn mask(&self) -> usize {
        self.slots.len().wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::backoff::Random;

    /// Few letters, so that many are alike.
    fn strings(common: &str, count: usize) -> Vec<Vec<u8>> {
        let mut random = Random::new(5);
        let mut string = || {
            let letters = (0..random.below(20)).map(|_| b'a' + random.below(2) as u8).collect::<Vec<_>>();
            [common.as_bytes(), &letters].concat()
        };
        (0..count).map(|_| string()).collect()
    }

    #[test]
    fn order_is_that_of_the_bytes() {
        for common in ["", "x", "app.module.metric"] {
            let strings = strings(common, 500);
            let mut expected: Vec<u32> = (0..strings.len() as u32).collect();
            expected.sort_by_key(|at| &strings[*at as usize]);
            assert_eq!(order(strings.len(), |at| &strings[at]), expected);
        }
        assert!(order(0, |_| b"").is_empty());
    }

    #[test]
    fn one_byte_that_is_not_ascii_is_found_wherever_it_stands() {
        for len in 0..40 {
            let mut bytes = vec![b'a'; len];
            assert!(is_ascii(&bytes));
            for at in 0..len {
                bytes[at] = 0x80;
                assert!(!is_ascii(&bytes), "{at} of {len}");
                bytes[at] = 0x7f;
            }
        }
    }

    #[test]
    fn equal_strings_are_equal_and_have_one_hash() {
        let strings = strings("", 200);
        let mut hashes = std::collections::HashSet::new();
        for a in &strings {
            for b in &strings {
                assert_eq!(are_equal(a, b), a == b);
            }
            hashes.insert(hash(a, 0));
            assert_ne!(hash(a, 0), hash(a, 1));
        }
        let different: std::collections::HashSet<_> = strings.iter().collect();
        assert_eq!(hashes.len(), different.len(), "no two of these few have one hash");
    }

    #[test]
    fn an_index_finds_what_was_added_even_under_one_hash() {
        let mut index = Index::default();
        assert_eq!(index.find(7, |_| true), None);
        for at in 0..1_000usize {
            let hash = (at % 10) as u32;
            assert_eq!(index.find(hash, |known| known == at), None);
            index.add(hash, at);
        }
        for at in 0..1_000usize {
            assert_eq!(index.find((at % 10) as u32, |known| known == at), Some(at));
        }
        assert_eq!(index.find(11, |_| true), None);
    }
}
