//! What the agent counts about itself, and the names under which it sends it.
//!
//! Counters are taken once per interval and travel like any other series. What a transaction in Redis drops
//! is not counted here but stored by that very transaction, see [`dropped_series`].

use std::borrow::Cow;

use crate::limits::QUEUE_SIZES_MAX;
use crate::limits::status::REASONS_MAX;
use crate::metric::{Number, Point, Series, SeriesKind, SortedMap, Tags};
use crate::status::Document;

/// Size of the wrapped queue before a release; gauge.
pub const QUEUED_METRICS: &str = "chouette.queued.metrics";
/// Points delivered; count.
pub const DISPATCHED_METRICS_NUMBER: &str = "chouette.dispatched.metrics.number";
/// Compressed bytes of delivered payloads; count.
pub const DISPATCHED_METRICS_BYTES: &str = "chouette.dispatched.metrics.bytes";
/// Log entries delivered; count.
pub const DISPATCHED_LOGS_NUMBER: &str = "chouette.dispatched.logs.number";
/// Compressed bytes of delivered payloads of logs; count.
pub const DISPATCHED_LOGS_BYTES: &str = "chouette.dispatched.logs.bytes";
/// What a rule dropped, with the tag `reason:`; count.
pub const DROPPED: &str = "chouette.dropped";
/// Messages of DogStatsD that came, bad ones included; count.
pub const DOGSTATSD_RECEIVED: &str = "chouette.dogstatsd.received";
/// Those among them that could not be read, with the tag `reason:`; count.
pub const DOGSTATSD_BAD: &str = "chouette.dogstatsd.bad";
/// Datagrams of DogStatsD that the kernel had no room for; count.
pub const DOGSTATSD_KERNEL_DROPS: &str = "chouette.dogstatsd.kernel_drops";
/// Bytes that the embedded queue wrote to the disk, in whole pages: their sum over a day is what the card wears by; count.
pub const SPOOL_WRITTEN_BYTES: &str = "chouette.spool.written.bytes";
/// Records that the embedded queue has on the disk; gauge.
pub const SPOOL_RECORDS: &str = "chouette.spool.records";
/// Failed readings, with the tag `plugin:`; count.
pub const COLLECTOR_FAILED: &str = "chouette.collector.failed";

/// Counters since they were last taken.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Telemetry {
    dropped: Counters,
    collector_failed: Counters,
    dogstatsd_received: u64,
    dogstatsd_bad: Counters,
    dogstatsd_kernel_drops: u64,
    dispatched_metrics: Dispatched,
    dispatched_logs: Dispatched,
    spool_written_bytes: u64,
    /// Where it has changed.
    spool_records: Option<u64>,
    /// Unix seconds and size.
    queued_metrics: Vec<(f64, u64)>,
    /// What was taken already, or told by others.
    before: Before,
}

/// What was counted before, for who asks.
#[derive(Debug, Default, Clone, PartialEq)]
struct Before {
    dropped: Counters,
    dogstatsd_received: u64,
    dogstatsd_bad: Counters,
    dogstatsd_kernel_drops: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Dispatched {
    items: u64,
    compressed_bytes: u64,
}

/// Counts by reason or plugin.
pub type Counters = SortedMap<Cow<'static, str>, u64>;

impl Telemetry {
    /// Counts what a rule dropped.
    pub fn dropped(&mut self, reason: &'static str, count: u64) {
        if count > 0 {
            *self.dropped.entry(Cow::Borrowed(reason)) += count;
        }
    }

    /// Counts what rules dropped.
    pub fn dropped_all(&mut self, counts: &Counters) {
        for (reason, count) in counts.iter() {
            *self.dropped.entry(reason.clone()) += count;
        }
    }

    /// Counts what a transaction has dropped and told of itself, but for what it did not tell.
    pub fn told(&mut self, dropped: &Counters, untold: &Counters) {
        if untold.is_empty() {
            add(&mut self.before.dropped, dropped);
        }
        self.dropped_all(untold);
    }

    /// Counts a failed reading.
    pub fn collector_failed(&mut self, plugin: &'static str) {
        *self.collector_failed.entry(Cow::Borrowed(plugin)) += 1;
    }

    /// Counts messages of DogStatsD.
    pub fn dogstatsd_received(&mut self, messages: u64) {
        self.dogstatsd_received += messages;
    }

    /// Counts a message of DogStatsD that could not be read.
    pub fn dogstatsd_bad(&mut self, reason: &'static str) {
        *self.dogstatsd_bad.entry(Cow::Borrowed(reason)) += 1;
    }

    /// Counts datagrams of DogStatsD that the kernel had no room for.
    pub fn dogstatsd_kernel_drops(&mut self, datagrams: u64) {
        self.dogstatsd_kernel_drops += datagrams;
    }

    /// Counts a delivered payload of series.
    pub fn dispatched_metrics(&mut self, points: u64, compressed_bytes: u64) {
        self.dispatched_metrics.add(points, compressed_bytes);
    }

    /// Counts a delivered payload of logs.
    pub fn dispatched_logs(&mut self, entries: u64, compressed_bytes: u64) {
        self.dispatched_logs.add(entries, compressed_bytes);
    }

    /// Counts what was written to the disk, and notes how many records are there.
    pub fn spool(&mut self, written_bytes: u64, records: u64) {
        self.spool_written_bytes += written_bytes;
        self.spool_records = Some(records);
    }

    /// Notes the size of the queue of metrics before a release.
    pub fn queued(&mut self, records: u64, timestamp_s: f64) {
        // A second has room for one point at the intake.
        let new = self.queued_metrics.last().is_none_or(|(at_s, _)| at_s.floor() != timestamp_s.floor());
        if new && self.queued_metrics.len() < QUEUE_SIZES_MAX {
            self.queued_metrics.push((timestamp_s, records));
        }
    }

    /// Takes what was counted as series stamped `timestamp_s`, and starts anew.
    pub fn take(&mut self, interval_s: u32, timestamp_s: f64) -> Vec<Series> {
        let mut taken = std::mem::take(self);
        std::mem::swap(&mut self.before, &mut taken.before);
        self.before.add(&taken);
        let mut out = dropped_series(&taken.dropped, interval_s, timestamp_s);
        let mut count = |name: &str, tag: Option<String>, value: u64| {
            if value > 0 {
                out.push(counted(name, tag, value, interval_s, timestamp_s));
            }
        };
        for (plugin, value) in taken.collector_failed {
            count(COLLECTOR_FAILED, Some(format!("plugin:{plugin}")), value);
        }
        count(DOGSTATSD_RECEIVED, None, taken.dogstatsd_received);
        for (reason, value) in taken.dogstatsd_bad {
            count(DOGSTATSD_BAD, Some(format!("reason:{reason}")), value);
        }
        count(DOGSTATSD_KERNEL_DROPS, None, taken.dogstatsd_kernel_drops);
        count(DISPATCHED_METRICS_NUMBER, None, taken.dispatched_metrics.items);
        count(DISPATCHED_METRICS_BYTES, None, taken.dispatched_metrics.compressed_bytes);
        count(DISPATCHED_LOGS_NUMBER, None, taken.dispatched_logs.items);
        count(DISPATCHED_LOGS_BYTES, None, taken.dispatched_logs.compressed_bytes);
        count(SPOOL_WRITTEN_BYTES, None, taken.spool_written_bytes);
        let mut gauge = |name: &str, value: u64, at_s: f64| {
            out.push(Series::gauge(name, Tags::none(), Number::Int(i128::from(value)), at_s));
        };
        taken.spool_records.into_iter().for_each(|records| gauge(SPOOL_RECORDS, records, timestamp_s));
        for (at_s, size) in taken.queued_metrics {
            gauge(QUEUED_METRICS, size, at_s);
        }
        out
    }
}

impl Telemetry {
    /// How much was dropped since the start.
    pub fn dropped_total(&self) -> u64 {
        let sum = |counters: &Counters| counters.iter().fold(0, |sum, (_, count)| sum + count);
        sum(&self.before.dropped) + sum(&self.dropped)
    }

    /// Writes what was dropped since the start, by reason.
    pub fn tell_drops(&self, document: &mut Document) {
        tell_counters("dropped", &self.before.dropped, &self.dropped, document);
    }

    /// Writes what DogStatsD has received since the start.
    #[inline(never)]
    pub fn tell_dogstatsd(&self, document: &mut Document) {
        let before = &self.before;
        document.number("received", before.dogstatsd_received + self.dogstatsd_received);
        tell_counters("bad", &before.dogstatsd_bad, &self.dogstatsd_bad, document);
        document.number("kernel_drops", before.dogstatsd_kernel_drops + self.dogstatsd_kernel_drops);
    }
}

impl Before {
    fn add(&mut self, taken: &Telemetry) {
        add(&mut self.dropped, &taken.dropped);
        add(&mut self.dogstatsd_bad, &taken.dogstatsd_bad);
        self.dogstatsd_received += taken.dogstatsd_received;
        self.dogstatsd_kernel_drops += taken.dogstatsd_kernel_drops;
    }
}

/// Adds counts. Reasons may come out of Redis: those that are too many are one.
#[inline(never)]
fn add(total: &mut Counters, counts: &Counters) {
    for (reason, count) in counts.iter() {
        let is_known = total.len() < REASONS_MAX || total.get(&**reason).is_some();
        let reason = if is_known { reason.clone() } else { Cow::Borrowed("other") };
        let sum = total.entry(reason);
        *sum = sum.saturating_add(*count);
    }
}

#[inline(never)]
fn tell_counters(key: &str, before: &Counters, since: &Counters, document: &mut Document) {
    let mut total = before.clone();
    add(&mut total, since);
    document.begin(key);
    total.iter().for_each(|(reason, count)| document.number(reason, *count));
    document.end();
}

impl Dispatched {
    fn add(&mut self, items: u64, compressed_bytes: u64) {
        self.items += items;
        self.compressed_bytes += compressed_bytes;
    }
}

/// What was dropped, as series: to be stored in the transaction that drops it, so that it is counted
/// exactly when it happened.
pub fn dropped_series(dropped: &Counters, interval_s: u32, timestamp_s: f64) -> Vec<Series> {
    let tag = |reason: &str| Some(format!("reason:{reason}"));
    let series = |(reason, value): &(Cow<'_, str>, u64)| {
        counted(DROPPED, tag(reason), *value, interval_s, timestamp_s)
    };
    dropped.iter().map(series).collect()
}

fn counted(name: &str, tag: Option<String>, value: u64, interval_s: u32, timestamp_s: f64) -> Series {
    Series {
        name: name.to_owned(),
        kind: SeriesKind::Count,
        tags: Tags::from_strings(tag.as_slice()),
        interval_s: Some(interval_s),
        point: Point { timestamp: timestamp_s, value: Number::Int(i128::from(value)) },
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
        telemetry.dogstatsd_received(9);
        telemetry.dogstatsd_bad("cut");
        telemetry.dogstatsd_kernel_drops(4);
        telemetry.dispatched_metrics(10, 800);
        telemetry.dispatched_logs(3, 90);
        telemetry.queued(0, 6.0);
        let names: Vec<_> =
            telemetry.take(10, 7.0).iter().map(|s| format!("{}{}", s.name, s.tags.as_str())).collect();
        assert_eq!(
            names,
            [
                "chouette.dropped[\"reason:not_json\"]",
                "chouette.dogstatsd.received[]",
                "chouette.dogstatsd.bad[\"reason:cut\"]",
                "chouette.dogstatsd.kernel_drops[]",
                "chouette.dispatched.metrics.number[]",
                "chouette.dispatched.metrics.bytes[]",
                "chouette.dispatched.logs.number[]",
                "chouette.dispatched.logs.bytes[]",
                "chouette.queued.metrics[]"
            ]
        );
        assert_eq!(telemetry, Telemetry { before: telemetry.before.clone(), ..Telemetry::default() });
        assert!(telemetry.take(10, 8.0).is_empty());
    }

    #[test]
    fn sizes_of_the_queue_wait_in_bounded_number() {
        let mut telemetry = Telemetry::default();
        for second in 0..QUEUE_SIZES_MAX + 10 {
            telemetry.queued(7, second as f64);
            telemetry.queued(8, second as f64 + 0.5);
        }
        let kept = telemetry.take(10, 1_000.0);
        assert_eq!(
            kept.len(),
            QUEUE_SIZES_MAX,
            "the later ones are left out, and so is the second of a second"
        );
        assert!(kept.iter().all(|series| series.point.value == Number::Int(7)));
    }

    fn told(telemetry: &Telemetry) -> String {
        let mut document = Document::default();
        telemetry.tell_drops(&mut document);
        telemetry.tell_dogstatsd(&mut document);
        document.finish()
    }

    #[test]
    fn what_was_taken_still_counts_since_the_start() {
        let counters = |reason: &'static str, count| [(Cow::Borrowed(reason), count)].into_iter().collect();
        let mut telemetry = Telemetry::default();
        for _ in 0..2 {
            telemetry.dropped("not_json", 2);
            telemetry.dogstatsd_received(9);
            telemetry.dogstatsd_bad("cut");
            telemetry.dogstatsd_kernel_drops(4);
            telemetry.take(10, 7.0);
        }
        telemetry.dropped("not_json", 1);
        // In the transaction that drops it, or here.
        telemetry.told(&counters("expired", 500), &Counters::new());
        telemetry.told(&counters("clock", 1), &counters("clock", 1));
        assert_eq!(telemetry.dropped_total(), 506);
        assert_eq!(
            told(&telemetry),
            r#"{"dropped":{"clock":1,"expired":500,"not_json":5},"received":18,"bad":{"cut":2},"kernel_drops":8}"#
        );
        let dropped = telemetry.take(10, 8.0);
        assert_eq!(dropped.len(), 2, "what was told elsewhere is not told again");
    }

    #[test]
    fn reasons_that_are_too_many_are_one() {
        let mut telemetry = Telemetry::default();
        for number in 0..REASONS_MAX + 10 {
            let reason = Cow::Owned(format!("r{number}"));
            telemetry.told(&[(reason, 1)].into_iter().collect(), &Counters::new());
        }
        assert_eq!(telemetry.before.dropped.len(), REASONS_MAX + 1);
        assert_eq!(telemetry.before.dropped.get("other"), Some(&10));
    }
}
