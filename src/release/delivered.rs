//! Which seconds of which series the intake has already.
//!
//! At Datadog the last point of a series and second wins. A record that comes late can become a count on a
//! second that was delivered before; sent as it is, it would wipe out the earlier one. It is moved to the
//! next second that is free, so that sums stay exact. Gauges are left alone: there the later one is right.
//!
//! The latest deliveries are remembered in Redis too: the transaction that acknowledges records also appends their
//! points there, so that a restart, another agent, or a Redis that has lost its last second all know the same.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};

use crate::limits::{DELIVERED_POINTS_MAX, SECONDS_MOVED_MAX};

/// The latest delivered points of counts and rates, as hashes of series and second, in batches of what was
/// acknowledged together. Two of one hash cost a point a needless move.
#[derive(Debug, Default)]
pub struct Delivered {
    points: HashSet<u64, BuildHasherDefault<DefaultHasher>>,
    batches: VecDeque<Vec<u64>>,
}

impl Delivered {
    /// Remembers points that were acknowledged together; the oldest batches are forgotten.
    pub fn remember(&mut self, batch: Vec<u64>) {
        if batch.is_empty() {
            return;
        }
        let kept = self.batches_kept_with(batch.len());
        while self.batches.len() + 1 > kept
            && let Some(oldest) = self.batches.pop_front()
        {
            oldest.iter().for_each(|point| {
                self.points.remove(point);
            });
        }
        self.points.extend(&batch);
        self.batches.push_back(batch);
    }

    /// Goes on with what Redis remembers: batches as [`pack`] makes them, oldest first.
    pub fn replace(&mut self, batches: &[Vec<u8>]) {
        *self = Delivered::default();
        batches.iter().for_each(|batch| self.remember(unpack(batch)));
    }

    /// How many batches are kept when one of so many points is added, that one included.
    pub fn batches_kept_with(&self, points: usize) -> usize {
        let mut room = DELIVERED_POINTS_MAX.saturating_sub(points);
        let fits = |batch: &&Vec<u64>| {
            let fits = batch.len() <= room;
            room = room.saturating_sub(batch.len());
            fits
        };
        1 + self.batches.iter().rev().take_while(fits).count()
    }

    /// The first second from `second` on that was not delivered and is not `taken`, and the hash of its
    /// point. A series so crowded that there is none in reach stays where it is.
    pub fn free_second(&self, series: &impl Hash, second: i64, taken: impl Fn(i64) -> bool) -> (i64, u64) {
        let reach = second..=second.saturating_add(SECONDS_MOVED_MAX);
        let free = reach
            .map(|at| (at, hash_of(series, at)))
            .find(|(at, hash)| !self.points.contains(hash) && (*at == second || !taken(*at)));
        free.unwrap_or_else(|| (second, hash_of(series, second)))
    }
}

fn hash_of(series: &impl Hash, second: i64) -> u64 {
    BuildHasherDefault::<DefaultHasher>::new().hash_one((series, second))
}

/// A batch as Redis keeps it: eight bytes a point.
pub fn pack(batch: &[u64]) -> Vec<u8> {
    batch.iter().flat_map(|point| point.to_le_bytes()).collect()
}

/// What is no whole point is left out.
fn unpack(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(8).filter_map(|point| point.try_into().ok().map(u64::from_le_bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_moves_to_the_next_free_second() {
        let mut delivered = Delivered::default();
        let nothing_taken = |_| false;
        let (second, point) = delivered.free_second(&"a", 100, nothing_taken);
        assert_eq!(second, 100);
        delivered.remember(vec![point]);
        assert_eq!(delivered.free_second(&"a", 100, nothing_taken).0, 101);
        assert_eq!(delivered.free_second(&"a", 100, |at| at == 101).0, 102);
        assert_eq!(delivered.free_second(&"b", 100, nothing_taken).0, 100, "another series");
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_is_forgotten() {
        let mut delivered = Delivered::default();
        for second in 0..DELIVERED_POINTS_MAX as i64 + 1 {
            let (_, point) = delivered.free_second(&"a", second * 10, |_| false);
            delivered.remember(vec![point]);
        }
        assert_eq!(delivered.points.len(), DELIVERED_POINTS_MAX);
        assert_eq!(delivered.free_second(&"a", 0, |_| false).0, 0, "forgotten");
        assert_eq!(delivered.free_second(&"a", 10, |_| false).0, 11);
    }

    #[test]
    fn a_crowded_series_stays_where_it_is() {
        let delivered = Delivered::default();
        let mut all = Delivered::default();
        for second in 0..=SECONDS_MOVED_MAX {
            all.remember(vec![delivered.free_second(&"a", second, |_| false).1]);
        }
        assert_eq!(all.free_second(&"a", 0, |_| false).0, 0);
    }

    #[test]
    fn what_redis_keeps_is_the_same_memory() {
        let (mut memory, mut kept) = (Delivered::default(), VecDeque::new());
        for batch in 0..40u64 {
            let points: Vec<u64> = (0..batch * 17 % 400).map(|i| batch << 32 | i).collect();
            if points.is_empty() {
                continue;
            }
            let last = memory.batches_kept_with(points.len());
            kept.push_back(pack(&points));
            while kept.len() > last {
                kept.pop_front();
            }
            memory.remember(points);
            assert_eq!(memory.batches.len(), last);
        }
        let mut loaded = Delivered::default();
        loaded.replace(kept.make_contiguous());
        assert_eq!((loaded.batches, loaded.points), (memory.batches, memory.points));
        let mut damaged = Delivered::default();
        damaged.replace(&[b"123".to_vec(), vec![1; 17]]);
        assert_eq!(damaged.points.len(), 1, "two points of the same bytes, and a byte too many");
    }

    #[test]
    fn a_batch_that_is_larger_than_the_memory_is_kept_alone() {
        let mut memory = Delivered::default();
        memory.remember(vec![1]);
        let large: Vec<u64> = (0..DELIVERED_POINTS_MAX as u64 + 5).collect();
        assert_eq!(memory.batches_kept_with(large.len()), 1);
        memory.remember(large);
        assert_eq!(memory.batches.len(), 1);
    }
}
