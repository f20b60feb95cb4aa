//! Points and bytes of a day: the bodies of some releases to come are written as the agent writes them, and measured.
//!
//! A body holds what its release interval brings: of each series a point for each turn of its pace, with the values
//! that were seen, or ones between and about them, and just as long. Where intervals do not divide each other, as many
//! releases are written as it takes until they all meet again.

use crate::agent::Settings;
use crate::limits::estimate::{RECORDS_MAX, RELEASES_MAX};
use crate::metric::Number;
use crate::release::{Batch as _, Common, Fit, Payload, Random, SeriesBatch};

use super::{Flow, Plan};

/// Bytes around a body that one segment of TCP holds: head, answer, TLS records and acknowledgements, with the
/// headers of TCP and IPv4, over a connection that is there already. Measured: 824 B for a body of 324 B, see
/// `tests/bench/README.md`.
pub const AROUND_BYTES: f64 = 500.0;

/// What opening another connection and closing it costs, where the intake takes up the session of the last one.
/// Measured: TLS 1.3 between this program and rustls; the certificates of a first connection come on top.
pub const NEW_CONNECTION_BYTES: f64 = 1_400.0;

/// What each further segment costs besides what it holds: its own headers, and an acknowledgement.
const SEGMENT_AROUND_BYTES: f64 = 104.0;

/// What a segment holds, and what of the first one head and TLS take.
const SEGMENT_BYTES: f64 = 1_448.0;
const HEAD_BYTES: f64 = 250.0;

const DAY_S: f64 = 86_400.0;

/// What a day brings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Day {
    /// Points in bodies.
    pub points: f64,
    /// Requests of metrics.
    pub requests: f64,
    /// Bytes of bodies, compressed.
    pub body_bytes: f64,
    /// Bytes on the wire in both directions, with TLS, TCP and IP.
    pub wire_bytes: f64,
}

/// Of what a day is reckoned.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// What is sent.
    pub plan: &'a Plan,
    /// How, but for what stands here.
    pub settings: &'a Settings,
    /// Seconds between releases.
    pub release_s: u32,
    /// As in the settings.
    pub value_digits: Option<u8>,
    /// The source that is left out, if any.
    pub without: &'a str,
    /// When the day begins, Unix seconds.
    pub from_s: u64,
}

impl<'a> Case<'a> {
    /// What is, with nothing left out.
    pub fn new(plan: &'a Plan, settings: &'a Settings, from_s: u64) -> Case<'a> {
        let Settings { release_interval_s, value_digits, .. } = *settings;
        Case { plan, settings, release_s: release_interval_s.max(1), value_digits, without: "", from_s }
    }

    /// The day.
    pub fn day(&self) -> Day {
        let release_s = u64::from(self.release_s);
        let mut paced = Vec::new();
        for flow in &self.plan.flows {
            if let Some(every_s) = flow.pace.every_s(self.settings, self.release_s)
                && flow.source != self.without
            {
                paced.push((flow, every_s));
            }
        }
        let mut releases = 1;
        while releases < RELEASES_MAX
            && !paced.iter().all(|(_, every_s)| (releases * release_s).is_multiple_of(*every_s))
        {
            releases += 1;
        }
        // Of more than can be written, every so-many-th series stands for all.
        let points: u64 = paced.iter().map(|(_, every_s)| releases * release_s / every_s).sum();
        let stride = (points as usize).div_ceil(RECORDS_MAX).max(1);
        let bulk = self.settings.metrics_bulk_size.max(1) as f64;
        let mut sum = Day::default();
        for release in 0..releases {
            let (points, body_bytes) = self.bodies(&paced, stride, release * release_s);
            let requests = (points / bulk).ceil();
            let segments = ((body_bytes + HEAD_BYTES * requests) / SEGMENT_BYTES).ceil();
            sum.points += points;
            sum.requests += requests;
            sum.body_bytes += body_bytes;
            sum.wire_bytes +=
                body_bytes + AROUND_BYTES * requests + SEGMENT_AROUND_BYTES * (segments - requests).max(0.0);
        }
        let days = (releases * release_s) as f64 / DAY_S;
        for part in [&mut sum.points, &mut sum.requests, &mut sum.body_bytes, &mut sum.wire_bytes] {
            *part /= days;
        }
        sum
    }

    /// Points and bytes of the bodies that a release brings which follows `start_s` seconds after the first.
    fn bodies(&self, paced: &[(&Flow, u64)], stride: usize, start_s: u64) -> (f64, f64) {
        let release_s = u64::from(self.release_s);
        let base_s = self.from_s - self.from_s % release_s;
        let (mut points, mut bytes, mut record) = (0, 0, Vec::new());
        let mut batch = self.batch();
        for (at, (flow, every_s)) in paced.iter().enumerate().step_by(stride) {
            let mut series = flow.series.clone();
            let mut random = Random::new(at as u64 + 1);
            let mut due_s = start_s.next_multiple_of(*every_s);
            let mut turn = 0;
            while due_s < start_s + release_s {
                series.point.timestamp = (base_s + due_s) as f64;
                series.point.value = value(flow, turn, random.unit());
                record.clear();
                series.write_json(&mut record);
                if batch.add(b"", &record) == Ok(Fit::NoRoom) {
                    let full = written(std::mem::replace(&mut batch, self.batch()));
                    (points, bytes) = (points + full.points, bytes + full.compressed_bytes);
                    let _ = batch.add(b"", &record);
                }
                due_s += every_s;
                turn += 1;
            }
        }
        if !batch.is_empty() {
            let last = written(batch);
            (points, bytes) = (points + last.points, bytes + last.compressed_bytes);
        }
        ((points * stride) as f64, (bytes * stride) as f64)
    }

    fn batch(&self) -> SeriesBatch {
        let Settings { host, global_tags, .. } = self.settings;
        let common = Common { host: host.clone(), tags: global_tags.clone() };
        SeriesBatch::new(common, Default::default()).with_value_digits(self.value_digits)
    }
}

fn written(batch: SeriesBatch) -> Payload {
    let mut writer = Box::new(batch).into_writer();
    loop {
        if let Some(payload) = writer.write() {
            return payload;
        }
    }
}

/// The value of a turn: those that were seen, then others about them with as many decimals. What did not change stays.
fn value(flow: &Flow, turn: usize, unit: f64) -> Number {
    let (first, latest) = (flow.series.point.value, flow.latest);
    match turn {
        0 => return first,
        1 => return latest,
        _ if first == latest => return latest,
        _ => {}
    }
    let (a, b) = (first.as_f64(), latest.as_f64());
    let (low, high) = (a.min(b), a.max(b));
    let around = low + (high - low) * (2.0 * unit - 0.5);
    let around = if low >= 0.0 { around.max(0.0) } else { around };
    let scale = 10_f64.powi(decimals(first).max(decimals(latest)));
    Number::from_f64((around * scale).round() / scale).unwrap_or(latest)
}

/// Digits behind the point, as far as a double has them.
fn decimals(number: Number) -> i32 {
    const DECIMALS_MAX: usize = 15;
    let mut text = Vec::new();
    number.write_json(&mut text);
    let behind = text.iter().position(|byte| *byte == b'.').map_or(0, |at| text.len() - at - 1);
    behind.min(DECIMALS_MAX) as i32
}
