//! Keys of records in the wrapped queues: unique across restarts and agents, and short, since each stands
//! twice in Redis.

use crate::metric::Series;
use crate::queue::Entry;
use crate::release::Random;

/// Makes keys of a random prefix and a counter.
pub(super) struct Ids {
    prefix: u64,
    counter: u64,
}

impl Ids {
    pub fn new(random: &mut Random) -> Ids {
        Ids { prefix: random.next_u64(), counter: 0 }
    }

    /// The series as records with keys of their own.
    pub fn entries(&mut self, series: &[Series]) -> Vec<Entry> {
        series.iter().map(|series| self.entry(series)).collect()
    }

    /// The series as a record with a key of its own.
    pub fn entry(&mut self, series: &Series) -> Entry {
        let mut json = Vec::with_capacity(128);
        series.write_json(&mut json);
        Entry { key: self.next(), score_s: series.point.timestamp, json }
    }

    fn next(&mut self) -> String {
        self.counter += 1;
        format!("{:016x}-{:x}", self.prefix, self.counter)
    }
}
