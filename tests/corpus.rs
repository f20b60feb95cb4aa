//! Every case of the corpus through a real Redis and the real binary: what an application left in the raw queue,
//! and the series that must stand in the wrapped queue afterwards.
#![allow(clippy::unwrap_used)]

mod support;

use support::agent::{self, Agent, Env};
use support::behaviour::status;
use support::intake::Intake;
use support::json::{self, Value};
use support::queues::{CLAIMED, RAW, WRAPPED};
use support::redis::{Client, RedisServer};
use support::{SOON, corpus_cases};

#[test]
fn every_case_ends_up_as_expected_in_the_wrapped_queue() {
    let cases = corpus_cases("metrics", "");
    assert!(cases.len() >= 34, "fixtures are missing: only {} cases", cases.len());
    let Some(redis) = RedisServer::start() else {
        return;
    };
    // Refuses everything, so that what was aggregated stays where it can be looked at.
    let intake = Intake::start(|_| status(500));
    let failures: Vec<String> =
        cases.iter().filter_map(|(name, case)| run_case(name, case, &redis, &intake).err()).collect();
    assert!(
        failures.is_empty(),
        "{} of {} cases failed\n\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n\n")
    );
}

fn run_case(name: &str, case: &Value, redis: &RedisServer, intake: &Intake) -> Result<(), String> {
    let mut client = redis.client();
    client.run::<()>(&["FLUSHALL"]);
    for record in json::items(json::get(case, "raw")) {
        push(&mut client, record);
    }
    let mut agent = Agent::run_once(&environment(case, redis, intake));
    let code = agent.wait(SOON);

    let mut wrong = Vec::new();
    for queue in [RAW, CLAIMED] {
        for part in ["keys", "values"] {
            let left: usize = client.run(&["EXISTS", &format!("{queue}.{part}")]);
            if left != 0 {
                wrong.push(format!("{queue}.{part} is still there"));
            }
        }
    }
    let records = client.records(WRAPPED);
    // Undelivered series are what `--once` reports with its exit code.
    let expected_code = if records.is_empty() { 0 } else { 1 };
    if code != Some(expected_code) {
        wrong.push(format!("exit code {code:?} instead of {expected_code}"));
    }
    let found = records.iter().map(|record| json::parse(record)).collect::<Result<Vec<Value>, String>>()?;
    wrong.extend(compare(
        &found,
        json::items(json::get(case, "expected")),
        json::items(json::get(case, "optional")),
    ));
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("case {name}:\n  {}\n  the agent said:\n{}", wrong.join("\n  "), agent.stderr()))
}

fn environment(case: &Value, redis: &RedisServer, intake: &Intake) -> Env {
    let mut env = agent::with(
        agent::env(&redis.url(), intake),
        // The records are of 2020. The interval is the default's, unless the case says otherwise.
        &[("METRIC_TTL", "1000000000"), ("AGGREGATE_INTERVAL", "10")],
    );
    if let Some(Value::Object(settings)) = json::get(case, "env") {
        for (name, value) in settings {
            env = agent::with(env, &[(name, json::text(Some(value)).unwrap())]);
        }
    }
    env
}

fn push(client: &mut Client, record: &Value) {
    let key = json::text(json::get(record, "key")).unwrap();
    let score = json::number(json::get(record, "score"));
    let encoded = json::text(json::get(record, "value_b64")).map(decode_base64);
    let value =
        encoded.or_else(|| json::text(json::get(record, "value")).map(|text| text.as_bytes().to_vec()));
    client.push(RAW, key, score, value.as_deref());
}

/// What is missing, what is there without being expected.
fn compare(found: &[Value], expected: &[Value], optional: &[Value]) -> Vec<String> {
    let mut rest: Vec<&Value> = found.iter().collect();
    let mut take = |wanted: &Value| match rest.iter().position(|value| same(value, wanted)) {
        Some(place) => {
            rest.swap_remove(place);
            true
        }
        None => false,
    };
    let missing: Vec<&Value> = expected.iter().filter(|wanted| !take(wanted)).collect();
    for allowed in optional {
        take(allowed);
    }
    let line = |what: &str, value: &Value| format!("{what} {}", miniserde::json::to_string(value));
    let mut lines: Vec<String> = missing.iter().map(|value| line("missing:  ", value)).collect();
    lines.extend(rest.iter().map(|value| line("unexpected:", value)));
    lines
}

/// Whether two series are the same: numbers within the tolerance, tags in any order.
fn same(a: &Value, b: &Value) -> bool {
    let text = |value, name| json::text(json::get(value, name)).map(str::to_owned);
    let numbers = |value: &Value| -> Vec<Option<f64>> {
        let points = json::items(json::get(value, "points")).iter();
        let mut all: Vec<Option<f64>> =
            points.flat_map(|point| json::items(Some(point))).map(|n| json::number(Some(n))).collect();
        all.push(json::number(json::get(value, "interval")));
        all
    };
    let (left, right) = (numbers(a), numbers(b));
    text(a, "metric") == text(b, "metric")
        && text(a, "type") == text(b, "type")
        && json::sorted_texts(json::get(a, "tags")) == json::sorted_texts(json::get(b, "tags"))
        && json::items(json::get(a, "points")).len() == json::items(json::get(b, "points")).len()
        && left.len() == right.len()
        && left.iter().zip(&right).all(|pair| match pair {
            (Some(left), Some(right)) => json::close(*left, *right),
            (None, None) => true,
            _ => false,
        })
}

/// The standard alphabet, with or without padding.
fn decode_base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut bit_count) = (Vec::new(), 0u32, 0);
    for symbol in text.bytes().filter(|byte| *byte != b'=') {
        let digit = ALPHABET.iter().position(|known| *known == symbol).expect("a symbol of base 64");
        bits = bits << 6 | u32::try_from(digit).unwrap();
        bit_count += 6;
        if bit_count >= 8 {
            bit_count -= 8;
            bytes.push(u8::try_from(bits >> bit_count & 0xff).unwrap());
        }
    }
    bytes
}

#[test]
fn the_comparison_tells_series_apart() {
    let parse = |text: &str| json::parse(text).unwrap();
    let one = "{\"metric\":\"a\",\"tags\":[\"x:1\",\"y:2\"],\"points\":[[1.5,3]],\"type\":\"count\",\"interval\":10}";
    let same_one = "{\"interval\":10.0,\"metric\":\"a\",\"tags\":[\"y:2\",\"x:1\"],\"points\":[[1.5,3.0000000001]],\"type\":\"count\"}";
    assert_eq!(compare(&[parse(one)], &[parse(same_one)], &[]), Vec::<String>::new());
    for (from, to) in [
        ("1.5", "1.6"),
        ("3]", "4]"),
        (",3]]", "]]"),
        ("count", "rate"),
        ("x:1", "x:2"),
        (":10", ":9"),
        ("\"a\"", "\"b\""),
    ] {
        assert_eq!(compare(&[parse(&one.replace(from, to))], &[parse(one)], &[]).len(), 2, "{from} → {to}");
    }
    assert_eq!(compare(&[parse(one), parse(one)], &[parse(one)], &[]).len(), 1, "a series too many");
    assert_eq!(compare(&[parse(one)], &[], &[parse(one)]), Vec::<String>::new());
    assert_eq!(compare(&[], &[], &[parse(one)]), Vec::<String>::new());
}

#[test]
fn base64_is_decoded() {
    assert_eq!(decode_base64("AP+Aew=="), [0, 0xff, 0x80, b'{']);
}
