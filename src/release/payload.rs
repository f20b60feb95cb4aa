//! The body of a request to `/v1/series`, streamed through the compressor.
//!
//! `{"series":[{"metric":"a.b","type":"count","interval":10,"host":"pi","tags":["k:v"],"points":[[1600000000,1]]}]}`,
//! compressed with zlib (`Content-Encoding: deflate`). Series are in order, so that neighbours repeat each
//! other. Format: <https://docs.datadoghq.com/api/latest/metrics/#submit-metrics>, version 1.

use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, compress_to_output, create_comp_flags_from_zip_params,
};

use super::batch::{Batch, Merged, SeriesKey};
use super::keys::KeyList;
use crate::metric::{Number, SeriesKind, json};

/// Best compression that miniz offers without its slowest searches: a byte on the link costs more than
/// the cycles.
const LEVEL: i32 = 9;

/// A positive number asks miniz for the zlib header.
const ZLIB: i32 = 15;

/// A finished body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payload {
    /// zlib.
    pub body: Vec<u8>,
    /// Bytes before compression.
    pub raw_bytes: usize,
    /// Bytes of `body`, known when it is finished.
    pub compressed_bytes: usize,
    /// Points in the body.
    pub points: usize,
    /// Points left out because the sum of a second overflowed.
    pub not_finite: usize,
    /// How many series.
    pub series: usize,
    /// Name of the first series, to tell which one was refused when it is alone.
    pub first_name: String,
    /// The records it was made of.
    pub keys: KeyList,
}

/// What every series carries besides its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Common {
    /// Host name.
    pub host: Option<String>,
    /// `key:value` strings added to each series' tags.
    pub tags: Vec<String>,
}

/// Writes a batch piece by piece.
pub struct PayloadWriter {
    series: Box<dyn Iterator<Item = (SeriesKey, Merged)>>,
    common: Common,
    compressor: Box<CompressorOxide>,
    text: Vec<u8>,
    payload: Payload,
}

impl PayloadWriter {
    /// Begins a body.
    pub fn new(batch: Batch, common: Common) -> PayloadWriter {
        let flags = create_comp_flags_from_zip_params(LEVEL, ZLIB, 0);
        PayloadWriter {
            series: Box::new(batch.into_series()),
            common,
            compressor: Box::new(CompressorOxide::new(flags)),
            text: b"{\"series\":[".to_vec(),
            payload: Payload::default(),
        }
    }

    /// Writes up to `series_max` more series; gives the payload when it is finished, `None` while there is
    /// more to do.
    pub fn write(&mut self, series_max: usize) -> Option<Payload> {
        for _ in 0..series_max {
            let Some((key, mut merged)) = self.series.next() else {
                self.text.extend_from_slice(b"]}");
                self.compress(TDEFLFlush::Finish);
                return Some(std::mem::take(&mut self.payload));
            };
            if self.payload.series > 0 {
                self.text.push(b',');
            }
            if self.payload.series == 0 {
                self.payload.first_name = key.name.clone();
            }
            self.payload.series += 1;
            let points = merged.points.len();
            merged.points.retain(|_, point| point.value.is_finite());
            self.payload.points += merged.points.len();
            self.payload.not_finite += points - merged.points.len();
            write_series(&key, &merged, &self.common, &mut self.text);
            merged.move_keys(&mut self.payload.keys);
        }
        self.compress(TDEFLFlush::None);
        None
    }

    fn compress(&mut self, flush: TDEFLFlush) {
        let body = &mut self.payload.body;
        self.payload.raw_bytes += self.text.len();
        // The callback never refuses, and the flags are valid: all input is consumed.
        compress_to_output(&mut self.compressor, &self.text, flush, |bytes| {
            body.extend_from_slice(bytes);
            true
        });
        self.text.clear();
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
