//! Wrapped records merged into the series of one request.
//!
//! Several points of one series become one series object. Two points of one series on the same second
//! would overwrite each other at Datadog (the last one wins), so they are merged: counts and rates add up,
//! of gauges the later one stays.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::keys::KeyList;
pub use super::record::RecordError;
use super::record::WrappedRecord;
use crate::limits::BATCH_BYTES_MAX;
use crate::metric::{Number, SeriesKind, Tags};

/// What makes points one series at Datadog, in the order the payload has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesKey {
    /// Metric name, unescaped.
    pub name: String,
    /// Canonical tags, without the global ones.
    pub tags: Tags,
    /// Count, gauge or rate.
    pub kind: SeriesKind,
    /// Seconds a point covers.
    pub interval_s: Option<u32>,
}

/// The merged points of a series and the keys of the records they came from.
#[derive(Debug, Default)]
pub struct Merged {
    /// By second, ascending.
    pub points: BTreeMap<i64, MergedPoint>,
    keys: Vec<Box<[u8]>>,
}

/// A point on its second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MergedPoint {
    timestamp_s: f64,
    /// The value that is sent.
    pub value: Number,
}

/// Records under way to one payload.
#[derive(Debug, Default)]
pub struct Batch {
    series: BTreeMap<SeriesKey, Merged>,
    bytes: usize,
}

impl Batch {
    /// Whether what is left must wait for the next batch.
    pub fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES_MAX
    }

    /// Merges one record.
    ///
    /// # Errors
    /// The record cannot be read, or holds no point that can be sent. The batch is as it was.
    pub fn add(&mut self, key: &[u8], raw: &[u8]) -> Result<(), RecordError> {
        let WrappedRecord { key: series_key, points } = WrappedRecord::parse(raw)?;
        let kind = series_key.kind;
        let merged = self.series.entry(series_key).or_default();
        for (timestamp_s, value) in &points {
            merge(&mut merged.points, kind, *timestamp_s, *value);
        }
        merged.keys.push(key.into());
        self.bytes += raw.len();
        Ok(())
    }

    /// Whether nothing was merged.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// The series in order, with the keys of each as one group of `keys`.
    pub(super) fn into_series(self) -> impl Iterator<Item = (SeriesKey, Merged)> {
        self.series.into_iter()
    }
}

impl Merged {
    /// Moves the keys of the series' records to `list`, as a group.
    pub(super) fn move_keys(&mut self, list: &mut KeyList) {
        for key in self.keys.drain(..) {
            list.push(&key);
        }
        list.end_group();
    }
}

fn merge(points: &mut BTreeMap<i64, MergedPoint>, kind: SeriesKind, timestamp_s: f64, value: Number) {
    let new = MergedPoint { timestamp_s, value };
    match points.entry(timestamp_s.floor() as i64) {
        Entry::Vacant(free) => {
            free.insert(new);
        }
        Entry::Occupied(mut taken) => match kind {
            SeriesKind::Gauge if timestamp_s < taken.get().timestamp_s => {}
            SeriesKind::Gauge => *taken.get_mut() = new,
            SeriesKind::Count | SeriesKind::Rate => taken.get_mut().value = taken.get().value + value,
        },
    }
}
