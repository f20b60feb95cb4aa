//! Which seconds of which series the intake has already.
//!
//! At Datadog the last point of a series and second wins. A record that comes late can become a count on a
//! second that was delivered before; sent as it is, it would wipe out the earlier one. It is moved to the
//! next second that is free, so that sums stay exact. Gauges are left alone: there the later one is right.
//!
//! Only the latest deliveries are remembered, and a restart forgets them: what is delivered again after one
//! stands on the same seconds as before and overwrites itself.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};

use crate::limits::{DELIVERED_POINTS_MAX, SECONDS_MOVED_MAX};

/// The latest delivered points of counts and rates, as hashes of series and second. Two of one hash cost a
/// point a needless move.
#[derive(Debug, Default)]
pub struct Delivered {
    points: HashSet<u64, BuildHasherDefault<DefaultHasher>>,
    order: VecDeque<u64>,
}

impl Delivered {
    /// Remembers points that an intake accepted; the oldest are forgotten.
    pub fn accepted(&mut self, points: &[u64]) {
        for point in points {
            if self.points.insert(*point) {
                self.order.push_back(*point);
            }
        }
        while self.order.len() > DELIVERED_POINTS_MAX {
            self.order.pop_front().map(|oldest| self.points.remove(&oldest));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_moves_to_the_next_free_second() {
        let mut delivered = Delivered::default();
        let nothing_taken = |_| false;
        let (second, point) = delivered.free_second(&"a", 100, nothing_taken);
        assert_eq!(second, 100);
        delivered.accepted(&[point]);
        assert_eq!(delivered.free_second(&"a", 100, nothing_taken).0, 101);
        assert_eq!(delivered.free_second(&"a", 100, |at| at == 101).0, 102);
        assert_eq!(delivered.free_second(&"b", 100, nothing_taken).0, 100, "another series");
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_is_forgotten() {
        let mut delivered = Delivered::default();
        for second in 0..DELIVERED_POINTS_MAX as i64 + 1 {
            let (_, point) = delivered.free_second(&"a", second * 10, |_| false);
            delivered.accepted(&[point]);
        }
        assert_eq!(delivered.order.len(), DELIVERED_POINTS_MAX);
        assert_eq!(delivered.free_second(&"a", 0, |_| false).0, 0, "forgotten");
        assert_eq!(delivered.free_second(&"a", 10, |_| false).0, 11);
    }

    #[test]
    fn a_crowded_series_stays_where_it_is() {
        let delivered = Delivered::default();
        let mut all = Delivered::default();
        for second in 0..=SECONDS_MOVED_MAX {
            all.accepted(&[delivered.free_second(&"a", second, |_| false).1]);
        }
        assert_eq!(all.free_second(&"a", 0, |_| false).0, 0);
    }
}
