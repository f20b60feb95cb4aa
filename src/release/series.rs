//! Wrapped metrics merged into the series of one request to `/v1/series`.
//!
//! `{"series":[{"metric":"a.b","type":"count","interval":10,"host":"pi","tags":["k:v"],"points":[[1600000000,1]]}]}`.
//! Series are in order, so that neighbours repeat each other. Format:
//! <https://docs.datadoghq.com/api/latest/metrics/#submit-metrics>, version 1.
//!
//! Several points of one series become one series object, see `merging.rs`. Nothing is held for each record or series
//! on its own: names, values, points and keys stand in one buffer each.

use std::cell::RefCell;
use std::rc::Rc;

use super::batch::{Batch, Common, Fit, RecordError};
use super::delivered::Delivered;
use super::keys::KeyList;
use super::merging::{self, Merged, NONE, Point};
use super::payload::{Payload, PayloadWriter, Source};
use super::record::{Parts, Rest};
use super::words::{self, Index};
use crate::limits::{BATCH_BYTES_MAX, PAYLOAD_BYTES_PER_SLICE, SCRATCH_BYTES_KEPT};
use crate::metric::json::{self, Reader};
use crate::metric::number::write_integer;
use crate::metric::tags::TagsBuilder;
use crate::metric::{SeriesKind, Tags};

/// Records from which on a batch is likely to become large.
const SMALL_KEYS: usize = 500;

/// Bytes of each buffer that are made room for then.
const LARGE_BYTES: usize = 64 << 10;

/// What makes points one series at Datadog, and where its points are.
#[derive(Debug, Clone, Copy)]
struct Head {
    /// Where its identity stands: name and tags.
    start: u32,
    end: u32,
    rest: Rest,
    first_point: u32,
    last_point: u32,
}

/// Series under way to one payload.
#[derive(Debug)]
pub struct SeriesBatch {
    common: Common,
    value_digits: Option<u8>,
    delivered: Rc<RefCell<Delivered>>,
    parts: Parts,
    heads: Vec<Head>,
    index: Index,
    /// The records' keys in the order of arrival.
    keys: KeyList,
    bytes: usize,
}

impl SeriesBatch {
    /// No series yet.
    pub fn new(common: Common, delivered: Rc<RefCell<Delivered>>) -> SeriesBatch {
        SeriesBatch {
            common,
            value_digits: None,
            delivered,
            parts: Parts::default(),
            heads: Vec::new(),
            index: Index::default(),
            keys: KeyList::default(),
            bytes: 0,
        }
    }

    /// The same, with so many significant digits of a fraction at most.
    pub fn with_value_digits(self, value_digits: Option<u8>) -> SeriesBatch {
        SeriesBatch { value_digits, ..self }
    }

    /// Room for a large batch: growing from nothing would copy each buffer many times.
    fn reserve(&mut self) {
        self.parts.identity.reserve(LARGE_BYTES);
        self.parts.values.reserve(LARGE_BYTES);
        self.parts.points.reserve(LARGE_BYTES / size_of::<Point>());
        self.heads.reserve(LARGE_BYTES / size_of::<Head>());
        self.keys.reserve(LARGE_BYTES / 32, LARGE_BYTES);
    }

    /// The position of the series whose identity stands at the end, from `start` on.
    fn series_of(&mut self, start: usize, rest: Rest) -> usize {
        let Parts { identity, .. } = &mut self.parts;
        let heads = &self.heads;
        let new = identity.get(start..).unwrap_or_default();
        let hash = words::hash(new, rest.salt());
        let is_same = |at: usize| {
            heads
                .get(at)
                .is_some_and(|head| head.rest == rest && words::are_equal(head.identity(identity), new))
        };
        match self.index.find(hash, is_same) {
            Some(known) => {
                identity.truncate(start);
                known
            }
            None => {
                let (start, end) = (start as u32, identity.len() as u32);
                self.index.add(hash, self.heads.len());
                self.heads.push(Head { start, end, rest, first_point: NONE, last_point: NONE });
                self.heads.len() - 1
            }
        }
    }

    /// Joins the points from `first` on to a series.
    fn join_points(&mut self, first: usize, series: usize) {
        let record = self.keys.len() as u32;
        let Some(head) = self.heads.get_mut(series) else { return };
        for at in first..self.parts.points.len() {
            if let Some(point) = self.parts.points.get_mut(at) {
                point.record = record;
            }
            match self.parts.points.get_mut(head.last_point as usize) {
                Some(last) => last.next = at as u32,
                None => head.first_point = at as u32,
            }
            head.last_point = at as u32;
        }
    }
}

impl Batch for SeriesBatch {
    fn add(&mut self, key: &[u8], raw: &[u8]) -> Result<Fit, RecordError> {
        if self.bytes >= BATCH_BYTES_MAX {
            return Ok(Fit::NoRoom);
        }
        let (identity, points) = (self.parts.identity.len(), self.parts.points.len());
        let rest = self.parts.read(raw)?;
        let series = self.series_of(identity, rest);
        self.join_points(points, series);
        self.keys.push(key);
        if self.keys.len() == SMALL_KEYS {
            self.reserve();
        }
        self.bytes += raw.len();
        Ok(Fit::Taken)
    }

    fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    fn into_writer(self: Box<Self>) -> PayloadWriter {
        let SeriesBatch { common, value_digits, delivered, parts, heads, keys, .. } = *self;
        // Besides names, tags and values there is what stands around them.
        let text_bytes =
            parts.identity.len() + heads.len() * 50 + parts.values.len() + parts.points.len() * 14;
        let mut host = Vec::new();
        if let Some(name) = &common.host {
            host.extend_from_slice(b",\"host\":");
            json::write_string(name, &mut host);
        }
        let source = Series {
            more_tags: common.tags,
            host,
            value_digits,
            delivered,
            parts,
            heads,
            keys: Some(keys),
            ..Series::default()
        };
        PayloadWriter::new(Box::new(source), Payload::default(), text_bytes)
    }
}

impl Head {
    fn identity(self, identities: &[u8]) -> &[u8] {
        identities.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// The series in order; the keys of each are one group of the payload's.
#[derive(Default)]
struct Series {
    /// Tags that every series has besides its own.
    more_tags: Vec<String>,
    /// The member that tells the host, if there is one.
    host: Vec<u8>,
    value_digits: Option<u8>,
    delivered: Rc<RefCell<Delivered>>,
    parts: Parts,
    heads: Vec<Head>,
    /// The records' keys, until all is in order.
    keys: Option<KeyList>,
    /// The positions of the heads.
    order: Vec<u32>,
    /// How many were written, and the keys of their records.
    next: usize,
    keys_before: usize,
    /// The points of the series being written.
    merged: Vec<Merged>,
    tags: TagsBuilder,
}

impl Source for Series {
    fn write(&mut self, text: &mut Vec<u8>, payload: &mut Payload) -> bool {
        if let Some(keys) = self.keys.take() {
            payload.keys = self.arrange(keys);
            return true;
        }
        while text.len() < PAYLOAD_BYTES_PER_SLICE {
            let head = self.order.get(self.next).and_then(|at| self.heads.get(*at as usize)).copied();
            let Some(head) = head else {
                text.extend_from_slice(if payload.items == 0 { b"{\"series\":[]}" } else { b"]}" });
                return false;
            };
            text.extend_from_slice(if payload.items == 0 { b"{\"series\":[" } else { b"," });
            self.write_series(head, text, payload);
            payload.items += 1;
            self.next += 1;
        }
        true
    }
}

impl Series {
    /// Puts the series in order, and the keys with them: a slice of work of its own.
    fn arrange(&mut self, keys: KeyList) -> KeyList {
        let Series { heads, parts, order, .. } = self;
        *order = words::order(heads.len(), |at| {
            heads.get(at).map(|head| head.identity(&parts.identity)).unwrap_or_default()
        });
        let first_points = order.iter().filter_map(|at| Some(heads.get(*at as usize)?.first_point));
        keys.arranged(first_points.map(|first| merging::records(&parts.points, first)))
    }

    fn write_series(&mut self, head: Head, text: &mut Vec<u8>, payload: &mut Payload) {
        let Series { parts, merged, .. } = self;
        let (name, tags) = head
            .identity(&parts.identity)
            .split_at_checked(head.rest.name_bytes as usize)
            .unwrap_or_default();
        if payload.items == 0 {
            payload.first = unescaped(name);
        }
        text.extend_from_slice(b"{\"metric\":\"");
        text.extend_from_slice(name);
        text.extend_from_slice(match head.rest.kind {
            SeriesKind::Count => b",\"type\":\"count\"",
            SeriesKind::Gauge => b",\"type\":\"gauge\"",
            SeriesKind::Rate => b",\"type\":\"rate\"",
        });
        if let (Some(interval_s), SeriesKind::Count | SeriesKind::Rate) =
            (head.rest.interval_s, head.rest.kind)
        {
            text.extend_from_slice(b",\"interval\":");
            write_integer(interval_s.get().into(), text);
        }
        text.extend_from_slice(&self.host);
        if let Some(tags) = all_tags(tags, &self.more_tags, &mut self.tags) {
            text.extend_from_slice(b",\"tags\":");
            text.extend_from_slice(tags);
        }
        text.extend_from_slice(b",\"points\":[");

        merged.clear();
        merged.extend(merging::chain(&parts.points, head.first_point).map(|point| Merged::new(*point)));
        merging::merge(merged, head.rest.kind, &parts.values);
        if head.rest.kind != SeriesKind::Gauge {
            let series =
                Delivered::series(head.identity(&parts.identity), head.rest.kind, head.rest.interval_s);
            let delivers = |point| payload.delivers.push((self.keys_before, point));
            merging::avoid(merged, &self.delivered.borrow(), series, delivers);
        }
        self.keys_before += merging::records(&parts.points, head.first_point).count();
        let points = merged.len();
        merged.retain(Merged::is_finite);
        payload.points += merged.len();
        payload.leave_out("not_finite", points - merged.len());
        for (i, point) in merged.iter().enumerate() {
            text.extend_from_slice(if i == 0 { b"[" } else { b",[" });
            write_integer(point.second.into(), text);
            text.push(b',');
            point.write_value(&parts.values, self.value_digits, text);
            text.push(b']');
        }
        text.extend_from_slice(b"]}");
    }
}

/// The canonical text of `own` tags and `more`; nothing where there are none.
fn all_tags<'a>(own: &'a [u8], more: &[String], builder: &'a mut TagsBuilder) -> Option<&'a [u8]> {
    if more.is_empty() {
        return (own != b"[]").then_some(own);
    }
    builder.clear(SCRATCH_BYTES_KEPT);
    let own = Tags::from_canonical(std::str::from_utf8(own).unwrap_or("[]"));
    own.iter().for_each(|tag| builder.push(&tag));
    more.iter().for_each(|tag| builder.push(tag));
    Some(builder.canonical().as_bytes())
}

/// A name as it stands in an identity, without its escapes.
fn unescaped(name: &[u8]) -> String {
    let json = [b"\"", name].concat();
    let text = Reader::from_bytes(&json).and_then(|mut reader| reader.text().map(|text| text.into_owned()));
    text.unwrap_or_default()
}

#[cfg(test)]
mod tests;
