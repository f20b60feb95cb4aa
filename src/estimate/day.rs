//! Points and bytes of a day: the bodies of some releases to come are written as the agent writes them, and measured.
//!
//! A body holds what its release interval brings: of each series a point for each turn of its pace, with the values
//! that were seen, or ones between and about them, and just as long. Where intervals do not divide each other, as many
//! releases are written as it takes until they all meet again.

use crate::agent::Settings;
use crate::limits::estimate::{RECORDS_MAX, RELEASES_MAX};
use crate::metric::Number;
use crate::release::{Batch as _, Common, Fit, Payload, Random, SeriesBatch};

use super::Flow;

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
#[derive(Debug, Clone, Copy, Default, PartialEq)]
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

/// A day of these flows. `from_s`, Unix seconds, is when it begins.
pub fn a_day(flows: &[&Flow], settings: &Settings, from_s: u64) -> Day {
    let release_s = u64::from(settings.release_interval_s.max(1));
    let paced: Vec<_> = flows.iter().filter_map(|flow| Some((*flow, flow.pace.every_s(settings)?))).collect();
    let meets =
        |releases: &u64| paced.iter().all(|(_, every_s)| (releases * release_s).is_multiple_of(*every_s));
    let releases = (1..RELEASES_MAX).find(meets).unwrap_or(RELEASES_MAX);
    // Of more than can be written, every so-many-th series stands for all.
    let points = |(_, every_s): &(&Flow, u64)| (releases * release_s / every_s) as usize;
    let stride = paced.iter().map(points).sum::<usize>().div_ceil(RECORDS_MAX).max(1);
    let mut sum = Day::default();
    for release in 0..releases {
        let window = (release * release_s, (release + 1) * release_s);
        let payloads = bodies(paced.iter().step_by(stride), settings, from_s - from_s % release_s, window);
        let written = |count: fn(&Payload) -> usize| payloads.iter().map(count).sum::<usize>() * stride;
        let (points, body_bytes) =
            (written(|body| body.points), written(|body| body.compressed_bytes) as f64);
        let requests = points.div_ceil(settings.metrics_bulk_size.max(1)) as f64;
        let segments = ((body_bytes + HEAD_BYTES * requests) / SEGMENT_BYTES).ceil();
        sum.points += points as f64;
        sum.requests += requests;
        sum.body_bytes += body_bytes;
        sum.wire_bytes +=
            body_bytes + AROUND_BYTES * requests + SEGMENT_AROUND_BYTES * (segments - requests).max(0.0);
    }
    let days = (releases * release_s) as f64 / DAY_S;
    let Day { points, requests, body_bytes, wire_bytes } = sum;
    Day {
        points: points / days,
        requests: requests / days,
        body_bytes: body_bytes / days,
        wire_bytes: wire_bytes / days,
    }
}

/// The bodies of what the seconds from `start` on, before `end`, bring.
fn bodies<'a>(
    flows: impl Iterator<Item = &'a (&'a Flow, u64)>,
    settings: &Settings,
    base_s: u64,
    (start_s, end_s): (u64, u64),
) -> Vec<Payload> {
    let new_batch = || {
        let common = Common { host: settings.host.clone(), tags: settings.global_tags.clone() };
        SeriesBatch::new(common, Default::default()).with_value_digits(settings.value_digits)
    };
    let (mut batch, mut done, mut record) = (new_batch(), Vec::new(), Vec::new());
    for (at, (flow, every_s)) in flows.enumerate() {
        let mut series = flow.series.clone();
        let mut random = Random::new(at as u64 + 1);
        for (turn, due_s) in
            (start_s.next_multiple_of(*every_s)..end_s).step_by(*every_s as usize).enumerate()
        {
            series.point.timestamp = (base_s + due_s) as f64;
            series.point.value = value(flow, turn, random.unit());
            record.clear();
            series.write_json(&mut record);
            if batch.add(b"", &record) == Ok(Fit::NoRoom) {
                done.push(written(std::mem::replace(&mut batch, new_batch())));
                let _ = batch.add(b"", &record);
            }
        }
    }
    if !batch.is_empty() {
        done.push(written(batch));
    }
    done
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
    let (low, high) = (first.as_f64().min(latest.as_f64()), first.as_f64().max(latest.as_f64()));
    let around = low + (high - low) * (2.0 * unit - 0.5);
    let around = if low >= 0.0 { around.max(0.0) } else { around };
    match decimals(first).max(decimals(latest)) {
        0 => Number::Int(around as i128),
        decimals => {
            let scale = 10_f64.powi(decimals);
            Number::from_f64((around * scale).round() / scale).unwrap_or(latest)
        }
    }
}

/// Digits behind the point, as far as a double has them.
fn decimals(number: Number) -> i32 {
    const DECIMALS_MAX: usize = 15;
    let mut text = Vec::new();
    number.write_json(&mut text);
    let behind = text.iter().position(|byte| *byte == b'.').map_or(0, |at| text.len() - at - 1);
    behind.min(DECIMALS_MAX) as i32
}
