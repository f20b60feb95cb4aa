//! What the agent counts about itself, and the names under which it sends it.
//!
//! Counters are taken once per interval and travel like any other series. They are added to when a fact is
//! certain: a record is counted as dropped when the transaction that removed it was carried out.

use std::collections::BTreeMap;

use crate::metric::{Number, Point, Series, SeriesKind, Tags};

/// Size of the wrapped queue before a release; gauge.
pub const QUEUED_METRICS: &str = "chouette.queued.metrics";
/// Series delivered; count.
pub const DISPATCHED_METRICS_NUMBER: &str = "chouette.dispatched.metrics.number";
/// Compressed bytes of delivered payloads; count.
pub const DISPATCHED_METRICS_BYTES: &str = "chouette.dispatched.metrics.bytes";
/// What a rule dropped, with the tag `reason:`; count.
pub const DROPPED: &str = "chouette.dropped";
/// Failed readings, with the tag `plugin:`; count.
pub const COLLECTOR_FAILED: &str = "chouette.collector.failed";

/// Counters since they were last taken.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Telemetry {
    dropped: Counters,
    collector_failed: Counters,
    dispatched_number: u64,
    dispatched_bytes: u64,
    queued_metrics: Option<u64>,
}

/// Counts by reason or plugin.
pub type Counters = BTreeMap<&'static str, u64>;

impl Telemetry {
    /// Counts what a rule dropped.
    pub fn dropped(&mut self, reason: &'static str, count: u64) {
        if count > 0 {
            *self.dropped.entry(reason).or_default() += count;
        }
    }

    /// Counts all of `counters` as dropped.
    pub fn dropped_all(&mut self, counters: &Counters) {
        for (reason, count) in counters {
            self.dropped(reason, *count);
        }
    }

    /// What was dropped for a reason since the counters were last taken.
    pub fn dropped_for(&self, reason: &str) -> u64 {
        self.dropped.get(reason).copied().unwrap_or_default()
    }

    /// Counts a failed reading.
    pub fn collector_failed(&mut self, plugin: &'static str) {
        *self.collector_failed.entry(plugin).or_default() += 1;
    }

    /// Counts a delivered payload.
    pub fn dispatched(&mut self, series: u64, compressed_bytes: u64) {
        self.dispatched_number += series;
        self.dispatched_bytes += compressed_bytes;
    }

    /// Notes the size of the queue before a release.
    pub fn queued(&mut self, records: u64) {
        self.queued_metrics = Some(records);
    }

    /// Takes what was counted as series stamped `timestamp_s`, and starts anew.
    pub fn take(&mut self, interval_s: u32, timestamp_s: f64) -> Vec<Series> {
        let taken = std::mem::take(self);
        let mut out = Vec::new();
        let mut count = |name: &str, tag: Option<String>, value: u64| {
            if value > 0 {
                out.push(Series {
                    name: name.to_owned(),
                    kind: SeriesKind::Count,
                    tags: Tags::from_strings(tag.as_slice()),
                    interval_s: Some(interval_s),
                    point: Point { timestamp: timestamp_s, value: Number::Int(i128::from(value)) },
                });
            }
        };
        for (reason, value) in taken.dropped {
            count(DROPPED, Some(format!("reason:{reason}")), value);
        }
        for (plugin, value) in taken.collector_failed {
            count(COLLECTOR_FAILED, Some(format!("plugin:{plugin}")), value);
        }
        count(DISPATCHED_METRICS_NUMBER, None, taken.dispatched_number);
        count(DISPATCHED_METRICS_BYTES, None, taken.dispatched_bytes);
        if let Some(size) = taken.queued_metrics {
            out.push(Series::gauge(QUEUED_METRICS, Tags::none(), Number::Int(i128::from(size)), timestamp_s));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_taken_once() {
        let mut telemetry = Telemetry::default();
        telemetry.dropped("not_json", 2);
        telemetry.dropped("not_json", 1);
        telemetry.dropped("expired", 0);
        telemetry.dispatched(10, 800);
        telemetry.queued(0);
        let names: Vec<_> = telemetry.take(10, 7.0).iter().map(|s| format!("{}{}", s.name, s.tags.as_str())).collect();
        assert_eq!(
            names,
            [
                "chouette.dropped[\"reason:not_json\"]",
                "chouette.dispatched.metrics.number[]",
                "chouette.dispatched.metrics.bytes[]",
                "chouette.queued.metrics[]"
            ]
        );
        assert_eq!(telemetry, Telemetry::default());
        assert!(telemetry.take(10, 8.0).is_empty());
    }
}
