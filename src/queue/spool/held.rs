//! The records of one queue that are in memory: those that stand on no disk, and those that were read from it to be
//! released.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use super::payload::frame_bytes;
use crate::limits::spool::RECORD_OVERHEAD_BYTES;

/// The order of release: by second, then as they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Rank {
    score: u64,
    pub arrival: u64,
}

/// Where a record stands on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub segment: u32,
    pub offset: u32,
}

/// Where else a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Saved {
    /// Nowhere.
    No,
    /// It is being written.
    Writing,
    /// On the disk.
    At(Place),
}

/// A record.
#[derive(Debug)]
pub(super) struct Held {
    key_and_value: Box<[u8]>,
    key_bytes: u32,
    pub saved: Saved,
}

impl Held {
    pub fn key(&self) -> &[u8] {
        self.key_and_value.get(..self.key_bytes as usize).unwrap_or_default()
    }

    pub fn value(&self) -> &[u8] {
        self.key_and_value.get(self.key_bytes as usize..).unwrap_or_default()
    }

    /// The bytes of key and value, and how many of them are the key's.
    pub fn parts(&self) -> (usize, &[u8]) {
        (self.key_bytes as usize, &self.key_and_value)
    }

    /// What it takes in memory, about.
    pub fn weight(&self) -> usize {
        weight(self.key_and_value.len())
    }

    /// Bytes of its frame on the disk.
    pub fn frame_bytes(&self) -> u32 {
        u32::try_from(frame_bytes(self.key_and_value.len())).unwrap_or(u32::MAX)
    }
}

/// What a record takes in memory, about.
pub(super) fn weight(key_and_value_bytes: usize) -> usize {
    key_and_value_bytes + RECORD_OVERHEAD_BYTES
}

impl Rank {
    pub fn new(score_s: f64, arrival: u64) -> Rank {
        let bits = score_s.to_bits();
        let score = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
        Rank { score, arrival }
    }

    pub fn score_s(self) -> f64 {
        let bits = if self.score >> 63 == 1 { self.score & !(1 << 63) } else { !self.score };
        f64::from_bits(bits)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Memory {
    ranked: BTreeMap<Rank, Held>,
    /// By the hash of the key. Of two keys of one hash the first one cannot be found any more until the next start,
    /// which is then sent twice.
    by_key: HashMap<u64, Rank, BuildHasherDefault<DefaultHasher>>,
    bytes: usize,
    unsaved: usize,
    unsaved_bytes: usize,
}

impl Memory {
    /// What all of it takes, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Records that stand on no disk.
    pub fn unsaved(&self) -> usize {
        self.unsaved
    }

    /// What those take, about.
    pub fn unsaved_bytes(&self) -> usize {
        self.unsaved_bytes
    }

    fn hash(&self, key: &[u8]) -> u64 {
        self.by_key.hasher().hash_one(key)
    }

    pub fn find(&self, key: &[u8]) -> Option<(Rank, &Held)> {
        let rank = *self.by_key.get(&self.hash(key))?;
        let held = self.ranked.get(&rank)?;
        (held.key() == key).then_some((rank, held))
    }

    pub fn get(&self, rank: Rank) -> Option<&Held> {
        self.ranked.get(&rank)
    }

    pub fn insert(&mut self, rank: Rank, key: &[u8], value: &[u8], saved: Saved) {
        let key_bytes = u32::try_from(key.len()).unwrap_or(u32::MAX);
        let held = Held { key_and_value: [key, value].concat().into(), key_bytes, saved };
        self.by_key.insert(self.hash(key), rank);
        self.count(&held);
        self.bytes += held.weight();
        self.ranked.insert(rank, held);
    }

    pub fn remove(&mut self, rank: Rank) -> Option<Held> {
        let held = self.ranked.remove(&rank)?;
        self.by_key.remove(&self.hash(held.key()));
        self.discount(&held);
        self.bytes -= held.weight();
        Some(held)
    }

    /// Notes where a record is now.
    pub fn set_saved(&mut self, rank: Rank, saved: Saved) {
        let Some(mut held) = self.ranked.remove(&rank) else { return };
        self.discount(&held);
        held.saved = saved;
        self.count(&held);
        self.ranked.insert(rank, held);
    }

    fn count(&mut self, held: &Held) {
        if !matches!(held.saved, Saved::At(_)) {
            self.unsaved += 1;
            self.unsaved_bytes += held.weight();
        }
    }

    fn discount(&mut self, held: &Held) {
        if !matches!(held.saved, Saved::At(_)) {
            self.unsaved -= 1;
            self.unsaved_bytes -= held.weight();
        }
    }

    /// All, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (Rank, &Held)> {
        self.ranked.iter().map(|(rank, held)| (*rank, held))
    }

    /// The ranks of the records that a file has too.
    pub fn of_segment(&self, segment: u32) -> Vec<Rank> {
        let is_there =
            |(_, held): &(Rank, &Held)| matches!(held.saved, Saved::At(place) if place.segment == segment);
        self.iter().filter(is_there).map(|(rank, _)| rank).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_in_the_order_of_their_seconds_then_as_they_came() {
        let mut memory = Memory::default();
        let scores = [5.0, -1.0, f64::INFINITY, 0.0, -0.5, f64::NEG_INFINITY, 5.0, 1e300];
        for (arrival, score_s) in scores.into_iter().enumerate() {
            let rank = Rank::new(score_s, arrival as u64);
            assert_eq!(rank.score_s(), score_s);
            memory.insert(rank, arrival.to_string().as_bytes(), b"v", Saved::No);
        }
        let order: Vec<_> = memory.iter().map(|(_, held)| held.key().to_vec()).collect();
        assert_eq!(order.concat(), b"51430672");
    }

    #[test]
    fn what_it_takes_is_counted_to_the_last_byte() {
        let mut memory = Memory::default();
        let ranks: Vec<_> = (0..4).map(|at| Rank::new(f64::from(at), 0)).collect();
        for rank in &ranks {
            memory.insert(*rank, rank.score_s().to_string().as_bytes(), b"value", Saved::No);
        }
        assert_eq!((memory.bytes(), memory.unsaved()), (4 * weight(6), 4));
        memory.set_saved(ranks[0], Saved::At(Place { segment: 1, offset: 0 }));
        memory.set_saved(ranks[1], Saved::Writing);
        assert_eq!((memory.unsaved(), memory.unsaved_bytes()), (3, 3 * weight(6)));
        assert_eq!(memory.of_segment(1), [ranks[0]]);
        ranks.iter().for_each(|rank| drop(memory.remove(*rank)));
        assert_eq!((memory.bytes(), memory.unsaved(), memory.unsaved_bytes()), (0, 0, 0));
        assert!(memory.find(b"0").is_none());
    }
}
