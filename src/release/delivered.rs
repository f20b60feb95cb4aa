//! Which seconds of which series the intake has already.
//!
//! At Datadog the last point of a series and second wins. A record that comes late can become a count on a
//! second that was delivered before; sent as it is, it would wipe out the earlier one. It is moved to the
//! next second that is free, so that sums stay exact. Gauges are left alone: there the later one is right.
//!
//! The latest deliveries are remembered in Redis too: the transaction that acknowledges records also appends their
//! points there, so that a restart, another agent, or a Redis that has lost its last second all know the same.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};
use std::num::NonZeroU32;

use crate::limits::{DELIVERED_POINTS_MAX, SECONDS_MOVED_MAX};
use crate::metric::SeriesKind;

/// Points as [`Delivered::point`] tells them.
pub type Points = HashSet<u64, BuildHasherDefault<IsHash>>;

/// The latest delivered points of counts and rates, as hashes of series and second, in batches of what was
/// acknowledged together. Two of one hash cost a point a needless move.
#[derive(Debug, Default)]
pub struct Delivered {
    points: Points,
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

    /// What stands for a series, told by its name and tags and all else that makes it one. The same on every board:
    /// what one agent remembers, another one reads.
    pub fn series(identity: &[u8], kind: SeriesKind, interval_s: Option<NonZeroU32>) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write(identity);
        hasher.write(kind.as_str().as_bytes());
        hasher.write(&interval_s.map_or(0, NonZeroU32::get).to_le_bytes());
        hasher.finish()
    }

    /// What stands for a series' point on a second: a different one for each second.
    pub fn point(series: u64, second: i64) -> u64 {
        /// Odd, so that no two products are equal; the golden ratio spreads neighbours.
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        series.wrapping_add((second as u64).wrapping_mul(SPREAD))
    }

    /// Whether a second of a series was delivered.
    pub fn has(&self, series: u64, second: i64) -> bool {
        self.points.contains(&Delivered::point(series, second))
    }

    /// The first second from `second` on that was not delivered and is not among those taken, and what stands for its point. A
    /// series so crowded that there is none in reach stays where it is.
    pub fn free_second(&self, series: u64, second: i64, taken: &Points) -> (i64, u64) {
        let mut reach = second..=second.saturating_add(SECONDS_MOVED_MAX);
        let is_taken = |at: i64| taken.contains(&Delivered::point(series, at));
        let free = reach.find(|at| !self.has(series, *at) && (*at == second || !is_taken(*at)));
        let free = free.unwrap_or(second);
        (free, Delivered::point(series, free))
    }
}

/// Points are hashes already.
#[derive(Debug, Default)]
pub struct IsHash(u64);

impl Hasher for IsHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, _: &[u8]) {
        debug_assert!(false, "a point is one number");
    }
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

    const A: u64 = 0x1234_5678_9abc_def0;
    const B: u64 = 0x0fed_cba9_8765_4321;

    #[test]
    fn a_point_moves_to_the_next_free_second() {
        let mut delivered = Delivered::default();
        let nothing_taken = &Points::default();
        let (second, point) = delivered.free_second(A, 100, nothing_taken);
        assert_eq!(second, 100);
        delivered.remember(vec![point]);
        assert_eq!(delivered.free_second(A, 100, nothing_taken).0, 101);
        assert_eq!(delivered.free_second(A, 100, &Points::from_iter([Delivered::point(A, 101)])).0, 102);
        assert_eq!(delivered.free_second(B, 100, nothing_taken).0, 100, "another series");
    }

    #[test]
    fn what_makes_a_series_tells_it_from_others() {
        let series = |name: &str, kind| Delivered::series(name.as_bytes(), kind, NonZeroU32::new(10));
        let kinds = [SeriesKind::Count, SeriesKind::Rate];
        let all = ["a", "b"].map(|name| kinds.map(|kind| series(name, kind)));
        let different: HashSet<u64> = all.iter().flatten().copied().collect();
        assert_eq!(different.len(), 4);
        assert_ne!(series("a", kinds[0]), Delivered::series(b"a", kinds[0], None));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_is_forgotten() {
        let mut delivered = Delivered::default();
        for second in 0..DELIVERED_POINTS_MAX as i64 + 1 {
            let (_, point) = delivered.free_second(A, second * 10, &Points::default());
            delivered.remember(vec![point]);
        }
        assert_eq!(delivered.points.len(), DELIVERED_POINTS_MAX);
        assert_eq!(delivered.free_second(A, 0, &Points::default()).0, 0, "forgotten");
        assert_eq!(delivered.free_second(A, 10, &Points::default()).0, 11);
    }

    #[test]
    fn a_crowded_series_stays_where_it_is() {
        let delivered = Delivered::default();
        let mut all = Delivered::default();
        for second in 0..=SECONDS_MOVED_MAX {
            all.remember(vec![delivered.free_second(A, second, &Points::default()).1]);
        }
        assert_eq!(all.free_second(A, 0, &Points::default()).0, 0);
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
