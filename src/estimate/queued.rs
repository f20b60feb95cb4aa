//! What applications have left in Redis, as far as it is looked at: raw records as the aggregator would merge them, and
//! wrapped ones.

use super::{APPLICATION, Pace, Plan};
use crate::agent::Settings;
use crate::aggregate::Bucket;
use crate::ingest::record::RecordParser;
use crate::protocol::redis::{Found, Strings};
use crate::release;

impl Plan {
    /// Takes raw records. What cannot be read, or what a rule drops, is passed over.
    #[inline(never)]
    pub fn add_raw(&mut self, records: &Strings, settings: &Settings) {
        let mut parser = RecordParser::default();
        let wrapper = &*settings.wrapper;
        // Two halves, so that values are seen to change.
        let mut first = 0;
        for last in [records.len().div_ceil(2), records.len()] {
            let mut bucket = Bucket::default();
            for (at, record) in records.iter().enumerate() {
                if let Found::Value(record) = record
                    && (first..last).contains(&at)
                    && let Ok(sample) = parser.parse(record, 1.0)
                {
                    let _ = bucket.add(&sample, wrapper);
                }
            }
            first = last;
            let mut contexts = bucket.take_contexts();
            let mut emit = |series| self.add(APPLICATION, series, Pace::Flush, None);
            while contexts.wrap_next(wrapper, settings.aggregate_interval_s, &mut emit).is_some() {}
        }
    }

    /// Takes wrapped records, but for series of another source that is known already.
    #[inline(never)]
    pub fn add_wrapped(&mut self, records: &Strings) {
        for record in records.iter() {
            if let Found::Value(record) = record
                && let Ok(text) = std::str::from_utf8(record)
                && let Ok((series, _)) = release::read_series(text)
            {
                let mut known = self.flows.iter().chain(&self.absent);
                if !known.any(|flow| flow.source != APPLICATION && flow.series.name == series.name) {
                    self.add(APPLICATION, series, Pace::Flush, None);
                }
            }
        }
    }
}
