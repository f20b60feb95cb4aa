//! Many strings in one piece of memory.

use super::spare;

/// Strings in their order, with what is missing between them. A list of 500 takes two allocations, not 500.
///
/// ```
/// use chouette_iot::protocol::redis::{Found, Strings};
///
/// let mut strings = Strings::default();
/// strings.push(b"one");
/// strings.push_missing(Found::Nothing);
/// assert_eq!(strings.get(0), Some(Found::Value(b"one")));
/// assert_eq!(strings.get(1), Some(Found::Nothing));
/// assert_eq!(strings.get(2), None);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Strings {
    bytes: Vec<u8>,
    items: Vec<Item>,
}

/// An element of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'a> {
    /// The string.
    Value(&'a [u8]),
    /// There is none.
    Nothing,
    /// It is longer than any that is read.
    TooLong,
    /// It found no room and has to be asked for again.
    Later,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Item {
    /// Where its bytes end; those of the next one begin there.
    end: u32,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Value,
    Nothing,
    TooLong,
    Later,
}

impl Drop for Strings {
    fn drop(&mut self) {
        spare::give(std::mem::take(&mut self.bytes));
    }
}

impl Strings {
    /// Room for so many.
    pub fn with_capacity(strings: usize) -> Strings {
        Strings { bytes: spare::take(), items: Vec::with_capacity(strings) }
    }

    /// Appends a string.
    #[inline(always)]
    pub fn push(&mut self, string: &[u8]) {
        self.extend_last(string);
        self.end_last();
    }

    /// Appends what is no string; a [`Found::Value`] is one.
    pub fn push_missing(&mut self, missing: Found<'_>) {
        let kind = match missing {
            Found::Value(string) => return self.push(string),
            Found::Nothing => Kind::Nothing,
            Found::TooLong => Kind::TooLong,
            Found::Later => Kind::Later,
        };
        self.items.push(Item { end: self.end(), kind });
    }

    /// Appends to the string that [`Strings::end_last`] ends.
    pub(super) fn extend_last(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
    }

    pub(super) fn end_last(&mut self) {
        self.items.push(Item { end: self.end(), kind: Kind::Value });
    }

    /// How many elements, missing ones included.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The element at a position.
    #[inline(always)]
    pub fn get(&self, at: usize) -> Option<Found<'_>> {
        let item = self.items.get(at)?;
        Some(match item.kind {
            Kind::Value => {
                let start = at.checked_sub(1).and_then(|before| self.items.get(before)).map_or(0, |i| i.end);
                Found::Value(self.bytes.get(start as usize..item.end as usize).unwrap_or_default())
            }
            Kind::Nothing => Found::Nothing,
            Kind::TooLong => Found::TooLong,
            Kind::Later => Found::Later,
        })
    }

    /// The elements in their order.
    pub fn iter(&self) -> impl Iterator<Item = Found<'_>> {
        (0..self.len()).map_while(|at| self.get(at))
    }

    /// A reply is bounded far below 4 GiB.
    fn end(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_in_its_order() {
        let all = [
            Found::Later,
            Found::Value(b"a"),
            Found::Nothing,
            Found::Value(b""),
            Found::TooLong,
            Found::Value(b"bc"),
        ];
        let mut strings = Strings::with_capacity(2);
        all.iter().for_each(|found| strings.push_missing(*found));
        assert_eq!(strings.iter().collect::<Vec<_>>(), all);
        assert_eq!((strings.len(), strings.get(6)), (6, None));
    }
}
