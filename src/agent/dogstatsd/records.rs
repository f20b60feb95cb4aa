//! Events, service checks and distributions as the records of their queues, which are the objects of Datadog's API
//! without what every record gets when it is sent; see [`crate::release::forwarded`].

use std::time::Instant;

use super::Outbox;
use crate::agent::{Cx, Stream};
use crate::ingest::dogstatsd::{Check, Event};
use crate::limits::dogstatsd::{VALUES_PER_RECORD, WEIGHT_MAX};
use crate::metric::{Context, Number, json};

/// An event or check that is not stamped yet.
pub(super) struct Record {
    stream: Stream,
    /// What stands before the timestamp.
    json: Vec<u8>,
    /// Its own one: Unix seconds.
    timestamp_s: Option<i64>,
    received: Instant,
}

impl Record {
    pub fn of_event(event: &Event<'_>, received: Instant) -> Record {
        let mut json = Vec::with_capacity(256 + event.title.len() + event.text.len() + event.tags.len());
        text("{\"title\":", &Event::with_line_breaks(event.title), &mut json);
        text(",\"text\":", &Event::with_line_breaks(event.text), &mut json);
        text(",\"priority\":", event.priority.as_str(), &mut json);
        text(",\"alert_type\":", event.alert_type.as_str(), &mut json);
        let more = [
            (",\"host\":", event.host),
            (",\"aggregation_key\":", event.aggregation_key),
            (",\"source_type_name\":", event.source_type),
        ];
        for (name, value) in more {
            value.into_iter().for_each(|value| text(name, value, &mut json));
        }
        json.extend_from_slice(b",\"tags\":");
        json.extend_from_slice(event.tags.as_bytes());
        json.extend_from_slice(b",\"date_happened\":");
        Record { stream: Stream::Events, json, timestamp_s: event.timestamp_s, received }
    }

    pub fn of_check(check: &Check<'_>, received: Instant) -> Record {
        let mut json = Vec::with_capacity(256 + check.name.len() + check.tags.len());
        text("{\"check\":", check.name, &mut json);
        json.extend_from_slice(b",\"status\":");
        Number::Int(i128::from(check.status.number())).write_json(&mut json);
        for (name, value) in [(",\"host_name\":", check.host), (",\"message\":", check.message)] {
            value.into_iter().for_each(|value| text(name, value, &mut json));
        }
        json.extend_from_slice(b",\"tags\":");
        json.extend_from_slice(check.tags.as_bytes());
        json.extend_from_slice(b",\"timestamp\":");
        Record { stream: Stream::Checks, json, timestamp_s: check.timestamp_s, received }
    }

    /// Gives it to the outbox, stamped.
    pub fn push(self, outbox: &mut Outbox, cx: &mut Cx<'_>) {
        let Record { stream, mut json, timestamp_s, received } = self;
        let age_s = cx.now.mono.saturating_duration_since(received).as_secs_f64();
        let received_s = cx.now.wall_s - age_s;
        let timestamp_s = timestamp_s.unwrap_or(received_s as i64);
        Number::Int(i128::from(timestamp_s)).write_json(&mut json);
        json.push(b'}');
        // What is said to happen later is no younger for that.
        outbox.push_record(stream, json, received_s.min(timestamp_s as f64), cx);
    }
}

/// Gives the values of a distribution to the outbox, each as often as it weighs, in records of bounded size.
pub(super) fn push_distribution(
    context: &Context,
    values: &[(f64, u32)],
    timestamp_s: f64,
    outbox: &mut Outbox,
    cx: &mut Cx<'_>,
) {
    let left_out = values.iter().map(|(_, weight)| u64::from(weight.saturating_sub(WEIGHT_MAX))).sum();
    cx.telemetry.dropped("dogstatsd_weight", left_out);
    let mut all = values
        .iter()
        .flat_map(|(value, weight)| std::iter::repeat_n(*value, (*weight).min(WEIGHT_MAX) as usize))
        .peekable();
    while all.peek().is_some() {
        let mut json = Vec::with_capacity(256);
        text("{\"metric\":", &context.name, &mut json);
        json.extend_from_slice(b",\"type\":\"distribution\",\"tags\":");
        json.extend_from_slice(context.tags.as_str().as_bytes());
        json.extend_from_slice(b",\"points\":[[");
        Number::Int(timestamp_s.floor() as i128).write_json(&mut json);
        for (at, value) in all.by_ref().take(VALUES_PER_RECORD).enumerate() {
            json.extend_from_slice(if at == 0 { b",[" } else { b"," });
            Number::Float(value).write_json(&mut json);
        }
        json.extend_from_slice(b"]]]}");
        outbox.push_record(Stream::Distributions, json, timestamp_s, cx);
    }
}

fn text(name: &str, value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    json::write_string(value, out);
}
