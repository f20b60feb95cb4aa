//! Wrapped metrics, logs and records that are forwarded, a line each, on their way into a request.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use chouette_iot::limits::LOG_ENTRY_BYTES_MAX;
use chouette_iot::metric::Tags;
use chouette_iot::metric::json::Reader;
use chouette_iot::release::forwarded::{CHECKS, DISTRIBUTIONS, EVENTS, ForwardedBatch};
use chouette_iot::release::{Batch, Common, Delivered, Fit, LogBatch, Payload, SeriesBatch};
use miniserde::json;
use miniz_oxide::inflate::decompress_to_vec_zlib;

use super::{assert_printable, elements, member, number, parsed};

const RECORDS_MAX: usize = 64;
const HOST: &str = "shed";
const TAG: &str = "fleet:pi";

fn common() -> Common {
    Common { host: Some(HOST.to_owned()), tags: vec![TAG.to_owned()] }
}

/// Adds each line; gives the finished payload and its text.
fn fill<B: Batch + 'static>(batch: Box<B>, data: &[u8]) -> (Payload, Vec<u8>) {
    let payload = filled(batch, data);
    let text = decompress_to_vec_zlib(&payload.body).expect("zlib");
    assert_eq!(text.len(), payload.raw_bytes);
    (payload, text)
}

/// Adds each line; gives the finished payload.
fn filled<B: Batch + 'static>(mut batch: Box<B>, data: &[u8]) -> Payload {
    let mut taken = Vec::new();
    for (number, raw) in data.split(|byte| *byte == b'\n').enumerate().take(RECORDS_MAX) {
        let key = format!("key-{number}");
        let was_empty = batch.is_empty();
        match batch.add(key.as_bytes(), raw) {
            Ok(Fit::Taken) => taken.push(key),
            Ok(Fit::NoRoom) => break,
            Err(error) => {
                assert_eq!(batch.is_empty(), was_empty, "a refused record left something behind");
                assert_printable(&error, 100);
            }
        }
    }
    assert_eq!(batch.is_empty(), taken.is_empty());
    let mut writer = batch.into_writer();
    let payload = std::iter::from_fn(|| Some(writer.write())).flatten().next().unwrap();
    let mut keys: Vec<_> =
        payload.keys.keys(0..payload.keys.len()).map(|k| String::from_utf8_lossy(k).into_owned()).collect();
    keys.sort_unstable();
    taken.sort_unstable();
    assert_eq!(keys, taken, "what is acknowledged is what was taken");
    payload
}

/// What [`super::TARGETS`] calls `wrapped`.
pub fn wrapped(data: &[u8]) {
    let delivered = Rc::new(RefCell::new(Delivered::default()));
    let batch = || Box::new(SeriesBatch::new(common(), Rc::clone(&delivered)));
    let (payload, text) = fill(batch(), data);
    let first = check_metrics(&payload, &text);
    if payload.delivers.is_empty() {
        return;
    }
    // Counts that were delivered and come again must not stand on the same seconds.
    let points = payload.delivers.iter().map(|(_, point)| *point).collect();
    delivered.borrow_mut().remember(points);
    let (payload, text) = fill(batch(), data);
    let second = check_metrics(&payload, &text);
    let again = first.intersection(&second).next();
    assert_eq!(again, None, "delivered on the same second twice");
}

/// Gives the series and second of each point of a count or rate.
fn check_metrics(payload: &Payload, text: &[u8]) -> BTreeSet<(String, i64)> {
    let body = parsed(text);
    let all = elements(member(&body, "series"));
    assert_eq!(all.len(), payload.items);
    let (mut points, mut seconds) = (0, BTreeSet::new());
    for series in all {
        let Some(json::Value::String(kind)) = member(series, "type") else { panic!("{series:?}") };
        assert!(matches!(kind.as_str(), "count" | "gauge" | "rate"), "{kind}");
        assert!(matches!(member(series, "host"), Some(json::Value::String(host)) if host == HOST));
        let tags = elements(member(series, "tags"));
        assert!(tags.iter().any(|tag| matches!(tag, json::Value::String(tag) if tag == TAG)));
        let identity = [member(series, "metric"), member(series, "tags"), member(series, "interval")];
        let identity = format!("{kind} {identity:?}");
        let mut before = f64::NEG_INFINITY;
        for point in elements(member(series, "points")) {
            let [second, value] = elements(Some(point)) else { panic!("no point: {point:?}") };
            let (second, _) = (number(second), number(value));
            assert!(second.fract() == 0.0 && second >= before, "{second} after {before}");
            before = second;
            points += 1;
            // Beyond these, seconds have nowhere to move to, or are rounded on their way here.
            if kind != "gauge" && second.abs() < 9e15 {
                seconds.insert((identity.clone(), second as i64));
            }
        }
    }
    assert_eq!(points, payload.points);
    seconds
}

/// What [`super::TARGETS`] calls `log`.
pub fn log(data: &[u8]) {
    let (payload, text) = fill(Box::new(LogBatch::new(&common())), data);
    let entries = entries(&text);
    assert_eq!(entries.len(), payload.items);
    for entry in entries {
        assert!(entry.len() <= LOG_ENTRY_BYTES_MAX);
        check_entry(entry);
    }
    // Without tags and host of ours, an entry goes out as it came.
    let plain = Common::default();
    let (_, once) = fill(Box::new(LogBatch::new(&plain)), data);
    let lines = self::entries(&once).join("\n");
    if !lines.contains("\r") && self::entries(&once).len() == lines.lines().count() {
        let (_, twice) = fill(Box::new(LogBatch::new(&plain)), lines.as_bytes());
        assert_eq!(
            String::from_utf8_lossy(&twice),
            String::from_utf8_lossy(&once),
            "changed when sent again"
        );
    }
}

/// What [`super::TARGETS`] calls `forwarded`.
pub fn forwarded(data: &[u8]) {
    let batch = |form| Box::new(ForwardedBatch::new(form, common()));
    let plain = |form| {
        let payload = filled(batch(form), data);
        let text = payload.body.clone();
        (payload, text)
    };
    let (distributions, events, checks) = (fill(batch(&DISTRIBUTIONS), data), plain(&EVENTS), plain(&CHECKS));
    assert!(events.0.items <= 1, "one event to a request");
    for ((payload, text), before, after, host) in [
        (distributions, "{\"series\":[", "]}", "host"),
        (events, "", "", "host"),
        (checks, "[", "]", "host_name"),
    ] {
        assert_eq!(text.len(), payload.raw_bytes);
        if payload.items == 0 {
            continue;
        }
        let text = std::str::from_utf8(&text).expect("UTF-8");
        let records = text.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).expect("its form");
        let list = format!("[{records}]");
        let mut reader = Reader::new(&list);
        let mut count = 0;
        reader.enter_list().expect("a list");
        while reader.next_element().expect("JSON") {
            count += 1;
            check_record(reader.raw().expect("JSON"), host);
        }
        reader.end().expect("JSON");
        assert_eq!(count, payload.items);
    }
}

fn check_record(record: &str, host: &str) {
    let mut reader = Reader::new(record);
    reader.enter_object().expect("an object");
    let (mut tags, mut hosts) = (Vec::new(), 0);
    while let Some(key) = reader.next_key().expect("JSON") {
        hosts += usize::from(key == host);
        match &*key {
            "tags" => tags.push(reader.raw().expect("JSON")),
            _ => reader.skip().expect("JSON"),
        }
    }
    assert!(hosts > 0, "a record without a host");
    let [tags] = tags[..] else { panic!("tags more than once: {tags:?}") };
    let strings: Vec<_> = Tags::from_canonical(tags).iter().map(String::from).collect();
    assert_eq!(Tags::from_strings(&strings).as_str(), tags, "tags that are not canonical");
    assert!(strings.iter().any(|tag| tag == TAG), "{tags}");
}

/// The entries of a body, which is a list and strict JSON.
fn entries(text: &[u8]) -> Vec<&str> {
    let mut reader = Reader::from_bytes(text).expect("UTF-8");
    let mut entries = Vec::new();
    reader.enter_list().expect("a list");
    while reader.next_element().expect("JSON") {
        entries.push(reader.raw().expect("JSON"));
    }
    reader.end().expect("JSON");
    assert!(entries.iter().all(|entry| !has_python_literals(entry)), "no server reads NaN");
    entries
}

/// Whether `NaN` or `Infinity` stands outside of strings.
fn has_python_literals(json: &str) -> bool {
    let (mut in_string, mut escaped) = (false, false);
    json.bytes().any(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ => {}
        }
        !in_string && matches!(byte, b'N' | b'I')
    })
}

fn check_entry(entry: &str) {
    let mut reader = Reader::new(entry);
    reader.enter_object().expect("an object");
    let (mut tags, mut hosts) = (Vec::new(), 0);
    while let Some(key) = reader.next_key().expect("JSON") {
        match &*key {
            "ddtags" => tags.push(reader.text().expect("tags are text").into_owned()),
            "host" | "hostname" => {
                hosts += 1;
                reader.skip().expect("JSON");
            }
            _ => reader.skip().expect("JSON"),
        }
    }
    assert!(hosts > 0, "an entry without a host");
    assert!(matches!(&tags[..], [tags] if tags.ends_with(TAG) || tags.len() >= 900), "{tags:?}");
}
