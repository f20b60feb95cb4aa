//! The keys of the records a payload was made of, held compactly while it is under way.

use std::ops::Range;

/// Record keys in groups: one group a series. A range of groups can be sent and acknowledged on its own,
/// so that points of one series and second are never split between two requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyList {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    /// Which key stands at each position; that of the same number where it is empty.
    order: Vec<u32>,
    /// For each group, the number of keys up to its end.
    groups: Vec<u32>,
}

impl KeyList {
    /// Appends a key to the group that is open.
    pub fn push(&mut self, key: &[u8]) {
        debug_assert!(self.order.is_empty(), "what is arranged is complete");
        self.bytes.extend_from_slice(key);
        self.ends.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
    }

    /// Closes the group; an empty one is not kept.
    pub fn end_group(&mut self) {
        self.end_group_at(self.len());
    }

    fn end_group_at(&mut self, keys: usize) {
        if self.groups.last().copied().unwrap_or_default() < keys as u32 {
            self.groups.push(keys as u32);
        }
    }

    /// Makes room for so many keys of so many bytes.
    pub fn reserve(&mut self, keys: usize, bytes: usize) {
        self.bytes.reserve(bytes);
        self.ends.reserve(keys);
    }

    /// The same keys in another order, in groups: each a list of positions. The keys themselves are not copied.
    pub fn arranged<G: Iterator<Item = usize>>(self, groups: impl Iterator<Item = G>) -> KeyList {
        let mut list = KeyList { order: Vec::with_capacity(self.len()), groups: Vec::new(), ..self };
        for group in groups {
            list.order.extend(group.map(|at| at as u32));
            list.end_group_at(list.order.len());
        }
        list
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all keys.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All keys, or those of a range of positions.
    pub fn keys(&self, range: Range<usize>) -> impl Iterator<Item = &[u8]> {
        range.map_while(|at| self.key(at))
    }

    fn key(&self, at: usize) -> Option<&[u8]> {
        let at = if self.order.is_empty() { at } else { *self.order.get(at)? as usize };
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end as usize);
        self.bytes.get(start..*self.ends.get(at)? as usize)
    }

    /// The longest run of whole groups from position `from` on with at most `keys_max` keys and `bytes_max` bytes of
    /// them; at least one group, or a part of one that has more bytes.
    pub fn whole_groups(&self, from: usize, keys_max: usize, bytes_max: usize) -> Range<usize> {
        let first = self.groups.partition_point(|end| *end as usize <= from);
        let (mut end, mut bytes) = (from, 0);
        for group_end in self.groups.iter().skip(first).map(|end| *end as usize) {
            let before = bytes;
            bytes += self.keys(end..group_end).map(<[u8]>::len).sum::<usize>();
            let too_long = bytes > bytes_max;
            if end > from && (group_end - from > keys_max || too_long) {
                break;
            }
            if too_long {
                let mut bytes = before;
                let fits = |key: &&[u8]| {
                    bytes += key.len();
                    bytes <= bytes_max
                };
                return from..from + self.keys(from..group_end).take_while(fits).count().max(1);
            }
            end = group_end;
        }
        from..end
    }

    /// Two lists of half the keys each, cut at the edge of a group where there are several; `None` for a
    /// single key.
    pub fn split(&self) -> Option<(KeyList, KeyList)> {
        let (low, high) = self.halves(0..self.len())?;
        Some((self.part(low), self.part(high)))
    }

    /// The keys of a range of positions, in their groups.
    pub fn part(&self, range: Range<usize>) -> KeyList {
        let mut part = KeyList::default();
        for (i, key) in range.clone().zip(self.keys(range)) {
            part.push(key);
            if self.groups.binary_search(&(i as u32 + 1)).is_ok() {
                part.end_group();
            }
        }
        part.end_group();
        part
    }

    fn halves(&self, range: Range<usize>) -> Option<(Range<usize>, Range<usize>)> {
        if range.len() < 2 {
            return None;
        }
        let middle = range.start + range.len() / 2;
        let next = self.groups.partition_point(|end| (*end as usize) < middle);
        let edges = [next.checked_sub(1), Some(next)];
        let edge = edges
            .into_iter()
            .filter_map(|i| self.groups.get(i?).map(|end| *end as usize))
            .filter(|edge| *edge > range.start && *edge < range.end)
            .min_by_key(|edge| edge.abs_diff(middle));
        let cut = edge.unwrap_or(middle);
        Some((range.start..cut, cut..range.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(groups: &[usize]) -> KeyList {
        let mut list = KeyList::default();
        for (g, keys) in groups.iter().enumerate() {
            for k in 0..*keys {
                list.push(format!("{g}.{k}").as_bytes());
            }
            list.end_group();
        }
        list
    }

    #[test]
    fn keys_come_back_as_they_went_in() {
        let list = list(&[2, 0, 1]);
        let keys: Vec<_> =
            list.keys(0..list.len()).map(|k| String::from_utf8_lossy(k).into_owned()).collect();
        assert_eq!(keys, ["0.0", "0.1", "2.0"]);
        assert_eq!(list.keys(2..9).count(), 1, "beyond the end there is nothing");
    }

    #[test]
    fn arranged_keys_stand_in_their_new_groups() {
        let list =
            list(&[1, 1, 1, 1]).arranged([vec![3, 1], vec![], vec![0, 2]].into_iter().map(Vec::into_iter));
        let keys = |range| list.keys(range).map(String::from_utf8_lossy).collect::<Vec<_>>();
        assert_eq!(keys(0..9), ["3.0", "1.0", "0.0", "2.0"]);
        assert_eq!(list.whole_groups(0, 1, 1000), 0..2);
        assert_eq!(list.whole_groups(2, 1, 3), 2..3, "in parts where it has more bytes");
        let (first, second) = list.split().unwrap();
        assert_eq!(first.keys(0..9).collect::<Vec<_>>(), [b"3.0", b"1.0"]);
        assert_eq!(second.keys(0..9).collect::<Vec<_>>(), [b"0.0", b"2.0"]);
    }

    #[test]
    fn acknowledging_takes_whole_groups() {
        let list = list(&[3, 3, 5, 1]);
        assert_eq!(list.whole_groups(0, 6, 1000), 0..6);
        assert_eq!(list.whole_groups(0, 5, 1000), 0..3);
        assert_eq!(list.whole_groups(6, 2, 1000), 6..11, "a group larger than the bound goes alone");
        assert_eq!(list.whole_groups(11, 100, 1000), 11..12);
        assert_eq!(list.whole_groups(12, 100, 1000), 12..12);
        assert_eq!(list.whole_groups(0, 100, 14), 0..3, "three bytes a key");
        assert_eq!(list.whole_groups(6, 100, 7), 6..8, "a group with more bytes goes in parts");
        assert_eq!(list.whole_groups(6, 100, 1), 6..7, "and a key alone at the least");
    }

    #[test]
    fn halving_ends_at_single_keys_and_visits_each_once() {
        for groups in [&[1, 1, 1, 1, 1][..], &[7], &[1, 6, 1], &[100, 1, 50]] {
            let list = list(groups);
            let mut single = Vec::new();
            let mut open = Vec::new();
            open.push(0..list.len());
            while let Some(range) = open.pop() {
                match list.halves(range.clone()) {
                    Some((a, b)) => {
                        assert!(!a.is_empty() && !b.is_empty());
                        open.extend([b, a]);
                    }
                    None => single.push(range.start),
                }
            }
            assert_eq!(single, (0..list.len()).collect::<Vec<_>>());
        }
        let list = list(&[2, 2]);
        assert_eq!(list.halves(0..4), Some((0..2, 2..4)), "groups stay whole while there are several");
    }
}
