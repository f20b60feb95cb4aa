//! What is known of a file of the spool while its records are not in memory.

use std::ops::Range;

use super::QUEUES;
use super::payload::Contents;

/// The records of one queue in a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// Those that were not removed.
    pub live: u64,
    /// Unix seconds; none of them is older.
    pub oldest_s: f64,
    /// Whether they are all in memory.
    pub is_loaded: bool,
}

impl Default for Extent {
    fn default() -> Extent {
        Extent { live: 0, oldest_s: f64::INFINITY, is_loaded: false }
    }
}

impl Extent {
    pub fn add(&mut self, score_s: f64) {
        self.live += 1;
        self.oldest_s = self.oldest_s.min(score_s);
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Segment {
    /// Bytes of it that are on the disk.
    pub bytes: u64,
    pub extents: [Extent; QUEUES],
    pub gone: Gone,
    /// The first file that its removals are about; its own number if there is none.
    pub removes_from: u32,
    /// It could not be read, which may pass.
    pub is_unreadable: bool,
}

impl Segment {
    pub fn new(number: u32, bytes: u64) -> Segment {
        Segment {
            bytes,
            extents: Default::default(),
            gone: Gone::default(),
            removes_from: number,
            is_unreadable: false,
        }
    }

    pub fn live(&self) -> u64 {
        self.extents.iter().map(|extent| extent.live).sum()
    }

    /// Counts what it holds anew. What was in memory of it counts as not loaded.
    pub fn index(&mut self, contents: &Contents<'_>) {
        self.extents = Default::default();
        self.is_unreadable = false;
        for record in &contents.records {
            if let Some(extent) = self.extents.get_mut(usize::from(record.queue))
                && !self.gone.contains(record.offset)
            {
                extent.add(record.score_s);
            }
        }
    }
}

/// Offsets of removed records, as ranges without gaps between what was removed in a row.
#[derive(Debug, Default)]
pub(super) struct Gone {
    /// In order, apart from each other.
    ranges: Vec<Range<u32>>,
}

impl Gone {
    pub fn ranges(&self) -> &[Range<u32>] {
        &self.ranges
    }

    pub fn contains(&self, offset: u32) -> bool {
        let at = self.ranges.partition_point(|range| range.end <= offset);
        self.ranges.get(at).is_some_and(|range| range.contains(&offset))
    }

    pub fn add(&mut self, mut added: Range<u32>) {
        if added.is_empty() {
            return;
        }
        let first = self.ranges.partition_point(|range| range.end < added.start);
        let end = self.ranges.partition_point(|range| range.start <= added.end).max(first);
        for range in self.ranges.get(first..end).unwrap_or_default() {
            added = added.start.min(range.start)..added.end.max(range.end);
        }
        self.ranges.splice(first..end, [added]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_grow_together() {
        let mut gone = Gone::default();
        let mut plain = [false; 64];
        let mut state = 1_u32;
        for _ in 0..400 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (start, length) = (state >> 26, state >> 13 & 3);
            let end = (start + length).min(64);
            gone.add(start..end);
            (start..end).for_each(|at| plain[at as usize] = true);
            (0..64).for_each(|at| assert_eq!(gone.contains(at), plain[at as usize], "{gone:?}"));
            let apart = gone.ranges.windows(2).all(|pair| pair[0].end < pair[1].start);
            assert!(apart && gone.ranges.iter().all(|range| !range.is_empty()), "{gone:?}");
        }
        assert!(!gone.contains(1_000));
    }
}
