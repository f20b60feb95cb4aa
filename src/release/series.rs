//! Wrapped metrics merged into the series of one request to `/v1/series`.
//!
//! `{"series":[{"metric":"a.b","type":"count","interval":10,"host":"pi","tags":["k:v"],"points":[[1600000000,1]]}]}`.
//! Series are in order, so that neighbours repeat each other. Format:
//! <https://docs.datadoghq.com/api/latest/metrics/#submit-metrics>, version 1.
//!
//! Several points of one series become one series object. Two points of one series on the same second
//! would overwrite each other at Datadog (the last one wins), so they are merged: counts and rates add up,
//! of gauges the later one stays.

use std::cell::RefCell;
use std::collections::btree_map::{BTreeMap, Entry, IntoIter};
use std::rc::Rc;

use super::batch::{Batch, Common, Fit, RecordError};
use super::delivered::Delivered;
use super::keys::KeyList;
use super::payload::{Payload, PayloadWriter, Source};
use super::record::{SeriesKey, WrappedRecord};
use crate::limits::{BATCH_BYTES_MAX, PAYLOAD_SERIES_PER_SLICE};
use crate::metric::{Number, SeriesKind, json};

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

/// Series under way to one payload.
#[derive(Debug)]
pub struct SeriesBatch {
    common: Common,
    delivered: Rc<RefCell<Delivered>>,
    series: BTreeMap<SeriesKey, Merged>,
    bytes: usize,
}

impl SeriesBatch {
    /// No series yet.
    pub fn new(common: Common, delivered: Rc<RefCell<Delivered>>) -> SeriesBatch {
        SeriesBatch { common, delivered, series: BTreeMap::new(), bytes: 0 }
    }
}

impl Batch for SeriesBatch {
    fn add(&mut self, key: &[u8], raw: &[u8]) -> Result<Fit, RecordError> {
        if self.bytes >= BATCH_BYTES_MAX {
            return Ok(Fit::NoRoom);
        }
        let WrappedRecord { key: series_key, points } = WrappedRecord::parse(raw)?;
        let kind = series_key.kind;
        let merged = self.series.entry(series_key).or_default();
        for (timestamp_s, value) in &points {
            merge(&mut merged.points, kind, *timestamp_s, *value);
        }
        merged.keys.push(key.into());
        self.bytes += raw.len();
        Ok(Fit::Taken)
    }

    fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    fn into_writer(self: Box<Self>) -> PayloadWriter {
        let SeriesBatch { common, delivered, series, .. } = *self;
        let source = Series { series: series.into_iter(), common, delivered };
        PayloadWriter::new(Box::new(source), Payload::default())
    }
}

/// The series in order; the keys of each are one group of the payload's.
struct Series {
    series: IntoIter<SeriesKey, Merged>,
    common: Common,
    delivered: Rc<RefCell<Delivered>>,
}

impl Source for Series {
    fn write(&mut self, text: &mut Vec<u8>, payload: &mut Payload) -> bool {
        for _ in 0..PAYLOAD_SERIES_PER_SLICE {
            let Some((key, mut merged)) = self.series.next() else {
                text.extend_from_slice(if payload.items == 0 { b"{\"series\":[]}" } else { b"]}" });
                return false;
            };
            text.extend_from_slice(if payload.items == 0 { b"{\"series\":[" } else { b"," });
            if payload.items == 0 {
                payload.first = key.name.clone();
            }
            payload.items += 1;
            merged.avoid(&self.delivered.borrow(), &key, payload);
            let points = merged.points.len();
            merged.points.retain(|_, point| point.value.is_finite());
            payload.points += merged.points.len();
            payload.leave_out("not_finite", points - merged.points.len());
            write_series(&key, &merged, &self.common, text);
            merged.move_keys(&mut payload.keys);
        }
        true
    }
}

impl Merged {
    /// Moves counts and rates off the seconds that were delivered before.
    fn avoid(&mut self, delivered: &Delivered, key: &SeriesKey, payload: &mut Payload) {
        if key.kind == SeriesKind::Gauge {
            return;
        }
        let seconds: Vec<i64> = self.points.keys().copied().collect();
        for second in seconds {
            let taken = |at| self.points.contains_key(&at);
            let (free, point) = delivered.free_second(key, second, taken);
            payload.delivers.push((payload.keys.len(), point));
            if free != second
                && let Some(moved) = self.points.remove(&second)
            {
                self.points.insert(free, moved);
            }
        }
    }

    /// Moves the keys of the series' records to `list`, as a group.
    fn move_keys(&mut self, list: &mut KeyList) {
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

fn write_series(key: &SeriesKey, merged: &Merged, common: &Common, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"metric\":");
    json::write_string(&key.name, out);
    out.extend_from_slice(b",\"type\":\"");
    out.extend_from_slice(key.kind.as_str().as_bytes());
    out.push(b'"');
    if let (Some(interval_s), SeriesKind::Count | SeriesKind::Rate) = (key.interval_s, key.kind) {
        out.extend_from_slice(b",\"interval\":");
        Number::Int(i128::from(interval_s)).write_json(out);
    }
    if let Some(host) = &common.host {
        out.extend_from_slice(b",\"host\":");
        json::write_string(host, out);
    }
    let tags = key.tags.with(&common.tags);
    if tags.as_str() != "[]" {
        out.extend_from_slice(b",\"tags\":");
        out.extend_from_slice(tags.as_str().as_bytes());
    }
    out.extend_from_slice(b",\"points\":[");
    for (i, (second, point)) in merged.points.iter().enumerate() {
        out.extend_from_slice(if i == 0 { b"[" } else { b",[" });
        Number::Int(i128::from(*second)).write_json(out);
        out.push(b',');
        point.value.write_json(out);
        out.push(b']');
    }
    out.extend_from_slice(b"]}");
}
