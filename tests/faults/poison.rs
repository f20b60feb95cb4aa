//! Hostile records in every queue: each costs itself, is counted by its reason, and its neighbours arrive exactly.

mod large;
mod wrong_types;

use crate::support::agent::{self, Agent, Env};
use crate::support::behaviour::{Behaviour, status, when_body_has};
use crate::support::bench::Bench;
use crate::support::figures::figure;
use crate::support::intake::{Intake, Request};
use crate::support::queues::{LOGS, RAW, WRAPPED};
use crate::support::redis::{Client, RedisServer};
use crate::support::store::Store;
use crate::support::{PATIENT, json, processes, unix_now, wait_until};

use std::collections::BTreeMap;
use std::sync::Arc;

/// What the agent may take at its most in a debug build, all of the corpus in the queue.
const PEAK_BYTES_MAX: u64 = 64 << 20;

/// Every JSON type, and what Python writes beside them.
const VALUES: [&str; 15] = [
    "null",
    "true",
    "false",
    "0",
    "-1.5",
    "\"text\"",
    "\"\"",
    "[]",
    "[1, \"a\", null]",
    "{}",
    "{\"a\": 1}",
    "NaN",
    "-Infinity",
    "1e400",
    "\"\\ud800\\u0000\"",
];
/// What no record of any queue can be.
const NO_OBJECTS: [&[u8]; 14] = [
    b"",
    b" ",
    b"null",
    b"true",
    b"0",
    b"NaN",
    b"\"text\"",
    b"[]",
    b"[{}]",
    b"{",
    b"{]",
    b"{}{}",
    b"\0",
    b"{\"metric\"}",
];

/// A Redis, an intake of metrics and one of logs.
struct Board {
    bench: Bench,
    logs: Intake,
}

impl Board {
    fn new(script: impl FnMut(&Request) -> Behaviour + Send + 'static) -> Option<Board> {
        let bench = Bench { redis: RedisServer::start()?, intake: Intake::start(script) };
        Some(Board { bench, logs: Intake::start(|_| status(200)) })
    }

    fn env(&self) -> Env {
        agent::with(
            self.bench.env(),
            &[("DATADOG_LOGS_URL", &self.logs.logs_url()), ("SEND_SELF_METRICS", "true")],
        )
    }

    fn client(&self) -> Client {
        self.bench.redis.client()
    }

    /// Waits until these counts of dropped records have arrived, and fails unless they are all and exact.
    fn assert_dropped(&self, expected: &BTreeMap<&str, usize>, agent: &Agent) {
        let expected: BTreeMap<String, usize> =
            expected.iter().map(|(reason, count)| (format!("reason:{reason}"), *count)).collect();
        let total = |counts: &BTreeMap<String, usize>| counts.values().sum::<usize>();
        let arrived = |requests: &[Arc<Request>]| total(&dropped(requests)) >= total(&expected);
        let all = self.bench.intake.wait_for(PATIENT, arrived);
        let found = dropped(&self.bench.intake.requests());
        assert!(all && found == expected, "dropped {found:?}\nexpected {expected:?}\n{}", agent.stderr());
    }

    /// The texts of the logs that arrived.
    fn log_texts(&self) -> String {
        self.logs.requests().iter().map(|request| request.text.clone()).collect()
    }
}

/// How many records were dropped, by the tag that tells why.
fn dropped(requests: &[Arc<Request>]) -> BTreeMap<String, usize> {
    let store = Store::acknowledged(&requests.iter().filter(|r| r.acknowledged).cloned().collect::<Vec<_>>());
    let counts = store.series("chouette.dropped").into_iter();
    counts.map(|(key, held)| (key.tags.concat(), held.points.values().sum::<f64>() as usize)).collect()
}

/// A record of the corpus and why it is dropped; an empty reason where it is not.
struct Hostile {
    raw: Vec<u8>,
    reason: &'static str,
}

fn hostile(raw: impl Into<Vec<u8>>, reason: &'static str) -> Hostile {
    Hostile { raw: raw.into(), reason }
}

/// The corpus, each record between two good ones; gives back how many good ones there are.
fn push_between(
    client: &mut Client,
    queue: &str,
    corpus: &[Hostile],
    good: impl Fn(usize, f64) -> String,
) -> usize {
    let base = unix_now() as f64 - 60.0;
    let score = |i: usize| base + (2 * i) as f64 / 64.0;
    for (i, record) in corpus.iter().enumerate() {
        client.push(queue, &format!("good-{i}"), Some(score(i)), Some(good(i, score(i)).as_bytes()));
        let between = score(i) + 1.0 / 64.0;
        client.push(queue, &format!("hostile-{i}"), Some(between), Some(&record.raw));
    }
    let last = corpus.len();
    client.push(queue, "good-last", Some(score(last)), Some(good(last, score(last)).as_bytes()));
    assert!(score(last) < unix_now() as f64 - 20.0, "the corpus lies in the past");
    last + 1
}

fn reasons(corpus: &[Hostile]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for record in corpus.iter().filter(|record| !record.reason.is_empty()) {
        *counts.entry(record.reason).or_default() += 1;
    }
    counts
}

/// A record of which one field is replaced by `value`.
fn with_field(fields: &[(&str, &str)], name: &str, value: &str) -> String {
    let member = |(known, old): &(&str, &str)| {
        let value = if *known == name { value } else { old };
        format!("{}: {value}", json::quote(known))
    };
    format!("{{{}}}", fields.iter().map(member).collect::<Vec<_>>().join(", "))
}

fn without_field(fields: &[(&str, &str)], name: &str) -> String {
    let rest: Vec<(&str, &str)> = fields.iter().filter(|(known, _)| *known != name).copied().collect();
    with_field(&rest, "", "")
}

/// `depth` lists, one within the other.
fn deep(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

fn raw_corpus(at: &str) -> Vec<Hostile> {
    let fields =
        [("metric", "\"odd\""), ("type", "\"count\""), ("value", "1"), ("timestamp", at), ("tags", "{}")];
    let is_infinite = |value: &str| matches!(value, "NaN" | "-Infinity" | "1e400");
    let is_text = |value: &str| value.starts_with('"');
    let is_number = |value: &str| matches!(value, "true" | "false" | "0" | "-1.5");
    let mut corpus = Vec::new();
    for value in VALUES {
        let mut add = |field, reason| corpus.push(hostile(with_field(&fields, field, value), reason));
        add(
            "metric",
            match value {
                // Datadog refuses a name that is empty; what else it thinks of names is left to it.
                "\"\"" => "rejected",
                value if is_text(value) => "",
                _ => "wrong_type",
            },
        );
        add("type", if is_text(value) { "unknown_type" } else { "wrong_type" });
        add(
            "value",
            match value {
                value if is_number(value) => "",
                value if is_infinite(value) => "not_finite",
                _ => "wrong_type",
            },
        );
        // Each a metric of its own: what is merged with a point of 1970 is as old as that.
        let name = format!("\"odd.{}\"", corpus.len());
        let dated = [("metric", name.as_str()), fields[1], fields[2], fields[3], fields[4]];
        let reason = match value {
            "null" | "false" | "0" => "",
            "true" | "-1.5" => "expired",
            value if is_infinite(value) => "not_finite",
            _ => "wrong_type",
        };
        corpus.push(hostile(with_field(&dated, "timestamp", value), reason));
        corpus.push(hostile(with_field(&fields, "tags", value), ""));
        let list = with_field(
            &[fields[0], ("type", "\"set\""), ("value", "[]"), fields[3]],
            "value",
            &format!("[{value}]"),
        );
        corpus.push(hostile(
            list,
            match value {
                value if is_infinite(value) => "not_finite",
                value if value.starts_with(['[', '{']) => "wrong_type",
                _ => "",
            },
        ));
    }
    for field in ["metric", "type", "value", "timestamp"] {
        corpus.push(hostile(without_field(&fields, field), "missing_field"));
    }
    corpus.push(hostile(without_field(&fields, "tags"), ""));
    corpus.push(hostile("{}", "missing_field"));
    corpus.extend(NO_OBJECTS.iter().map(|raw| hostile(*raw, no_object_reason(raw))));
    let digits = with_field(&fields, "value", &format!("1{}", "0".repeat(400)));
    let set = |elements: usize| with_field(&fields, "value", &format!("[1{}]", ",1".repeat(elements - 1)));
    let set = |elements| set(elements).replace("\"count\"", "\"set\"");
    corpus.extend([
        hostile(digits, "not_finite"),
        hostile("[".repeat(1_000_000), "not_json"),
        hostile(with_field(&fields, "value", &deep(1_000_000)), "too_large"),
        hostile(with_field(&fields, "value", &deep(500_000)), "wrong_type"),
        hostile(with_field(&fields, "tags", &format!("{{\"a\": {}}}", deep(500_000))), "too_large"),
        hostile(set(1_000_000), "too_large"),
        hostile(set(500_000), ""),
        hostile(b"{\"metric\": \"\xff\xfe\"}", "not_utf8"),
        hostile(with_field(&fields, "metric", "\"odd").into_bytes(), "not_json"),
    ]);
    corpus
}

fn no_object_reason(raw: &[u8]) -> &'static str {
    match raw {
        b"null" | b"true" | b"0" | b"NaN" | b"\"text\"" | b"[]" | b"[{}]" => "wrong_type",
        _ => "not_json",
    }
}

#[test]
fn raw_metrics() {
    let script = when_body_has("\"metric\":\"\"", status(400));
    let Some(board) = Board::new(script) else {
        return;
    };
    let mut client = board.client();
    let at = (unix_now() - 60).to_string();
    let corpus = raw_corpus(&at);
    let good = |_, score: f64| {
        format!("{{\"metric\": \"good\", \"type\": \"count\", \"value\": 1, \"timestamp\": {score}}}")
    };
    let mut good_count = push_between(&mut client, RAW, &corpus, good);
    let mut expected = reasons(&corpus);
    let score = unix_now() as f64 - 10.0;
    client.push(RAW, "key without value", Some(score), None);
    client.push(RAW, "value without key", None, Some(good(0, score).as_bytes()));
    client.push(RAW, "never", Some(f64::INFINITY), Some(good(0, score).as_bytes()));
    client.push(RAW, "ever", Some(f64::NEG_INFINITY), Some(good(0, score).as_bytes()));
    for (reason, count) in [("key_without_value", 1), ("value_without_key", 1), ("not_finite", 2)] {
        *expected.entry(reason).or_default() += count;
    }
    let long = "k".repeat(1_000_000);
    for key in ["", "a\nb", "a\r\n$5\r\nERROR", "a\0b", "\u{1b}[2J", "ключ", &long] {
        client.push(RAW, key, Some(score), Some(good(0, score).as_bytes()));
        good_count += 1;
    }

    let mut agent = Agent::run(&board.env());
    board.assert_dropped(&expected, &agent);
    assert!(board.bench.drained(PATIENT), "{:?}", client.sizes());
    let store = Store::acknowledged(
        &board.bench.intake.requests().iter().filter(|r| r.acknowledged).cloned().collect::<Vec<_>>(),
    );
    assert!(json::close(store.sum("good"), good_count as f64), "{} of {good_count}", store.sum("good"));
    finish(&mut agent, "raw metrics", corpus.len() + 4, good_count);
}

/// The agent lives, has not panicked and holds little; tells the figures.
fn finish(agent: &mut Agent, what: &str, hostile: usize, good: usize) {
    assert!(agent.is_running(), "{}", agent.stderr());
    assert!(!agent.stderr().contains("panicked"), "{}", agent.stderr());
    let peak = processes::peak_bytes(agent.pid());
    assert!(peak <= PEAK_BYTES_MAX, "{} KiB", peak >> 10);
    figure(
        "poison",
        &format!("{what}: hostile among good ones, peak memory"),
        &format!("{hostile} among {good}, {:.1} MB (bound {} MB)", peak as f64 / 1e6, PEAK_BYTES_MAX >> 20),
    );
}

fn wrapped_corpus(points: &str) -> Vec<Hostile> {
    let fields = [
        ("metric", "\"odd\""),
        ("type", "\"gauge\""),
        ("points", points),
        ("interval", "10"),
        ("tags", "[]"),
    ];
    let mut corpus = Vec::new();
    for value in VALUES {
        let is_infinite = matches!(value, "NaN" | "-Infinity" | "1e400");
        let mut add = |field, reason| corpus.push(hostile(with_field(&fields, field, value), reason));
        add(
            "metric",
            match value {
                "\"\"" => "rejected",
                value if value.starts_with('"') => "",
                _ => "malformed_series",
            },
        );
        for field in ["type", "interval", "tags"] {
            add(field, "");
        }
        add("points", "malformed_series");
        let at = points.trim_matches(['[', ']']).split(',').next().unwrap();
        let number = !is_infinite && matches!(value, "0" | "-1.5");
        let reason = match value {
            _ if is_infinite => "not_finite",
            _ if number => "",
            _ => "malformed_series",
        };
        corpus.push(hostile(with_field(&fields, "points", &format!("[[{at}, {value}]]")), reason));
    }
    for field in ["metric", "points"] {
        corpus.push(hostile(without_field(&fields, field), "malformed_series"));
    }
    corpus.extend(NO_OBJECTS.iter().map(|raw| hostile(*raw, "malformed_series")));
    corpus.extend([
        hostile("{}", "malformed_series"),
        hostile("[".repeat(1_000_000), "malformed_series"),
        hostile(with_field(&fields, "points", &deep(1_000_000)), "malformed_series"),
        hostile(with_field(&fields, "extra", "1").into_bytes(), ""),
        hostile(b"{\"metric\": \"\xff\xfe\"}", "malformed_series"),
        hostile(with_field(&fields, "metric", "\"odd"), "malformed_series"),
    ]);
    corpus
}

#[test]
fn wrapped_metrics() {
    let script = when_body_has("\"metric\":\"\"", status(400));
    let Some(board) = Board::new(script) else {
        return;
    };
    let mut client = board.client();
    let corpus = wrapped_corpus(&format!("[[{}, 1]]", unix_now() - 60));
    let good = |_, score: f64| {
        format!("{{\"metric\": \"good\", \"type\": \"count\", \"interval\": 10, \"points\": [[{score}, 1]]}}")
    };
    let good_count = push_between(&mut client, WRAPPED, &corpus, good);
    let mut expected = reasons(&corpus);
    client.push(WRAPPED, "key\nwithout value", Some(unix_now() as f64 - 10.0), None);
    expected.insert("key_without_value", 1);
    let mut agent = Agent::run(&board.env());
    board.assert_dropped(&expected, &agent);
    assert!(board.bench.drained(PATIENT), "{:?}", client.sizes());
    let store = Store::acknowledged(
        &board.bench.intake.requests().iter().filter(|r| r.acknowledged).cloned().collect::<Vec<_>>(),
    );
    assert!(json::close(store.sum("good"), good_count as f64), "{} of {good_count}", store.sum("good"));
    finish(&mut agent, "wrapped metrics", corpus.len() + 1, good_count);
}

fn log_corpus() -> Vec<Hostile> {
    const FIELDS: [&str; 7] = ["date", "ddsource", "ddtags", "level", "message", "service", "extra"];
    let fields: Vec<(&str, &str)> = FIELDS.iter().map(|name| (*name, "\"odd\"")).collect();
    let mut corpus = Vec::new();
    for value in VALUES {
        for field in FIELDS {
            // An overflowing number is still JSON, and of `ddtags` only texts are taken.
            let counted = matches!(value, "NaN" | "-Infinity") && field != "ddtags";
            let reason = if counted { "log_not_finite" } else { "" };
            corpus.push(hostile(with_field(&fields, field, value), reason));
        }
    }
    corpus.extend(NO_OBJECTS.iter().map(|raw| hostile(*raw, "malformed_log")));
    let tags = format!("[\"a\"{}]", ",1".repeat(1_000_000));
    corpus.extend([
        hostile("{}", ""),
        hostile("[".repeat(1_000_000), "malformed_log"),
        hostile(with_field(&fields, "message", &deep(1_000_000)), "log_truncated"),
        hostile(with_field(&fields, "ddtags", &deep(1_000_000)), ""),
        hostile(with_field(&fields, "ddtags", &tags), "log_truncated"),
        hostile(b"{\"message\": \"\xff\xfe\"}", "malformed_log"),
        hostile(with_field(&fields, "message", "\"odd"), "malformed_log"),
    ]);
    corpus
}

#[test]
fn logs() {
    let Some(board) = Board::new(|_| status(202)) else {
        return;
    };
    let mut client = board.client();
    let corpus = log_corpus();
    let good = |i, _| format!("{{\"message\": \"good {i}.\"}}");
    let good_count = push_between(&mut client, LOGS, &corpus, good);
    let mut expected = reasons(&corpus);
    client.push(LOGS, "key\nwithout value", Some(unix_now() as f64 - 10.0), None);
    expected.insert("key_without_value", 1);
    let mut agent = Agent::run(&board.env());
    board.assert_dropped(&expected, &agent);
    assert!(wait_until(PATIENT, || client.size(LOGS) == 0));
    let texts = board.log_texts();
    let once = |i: usize| texts.matches(&format!("\"good {i}.\"")).count() == 1;
    assert!((0..good_count).all(once), "each good log arrives once");
    for request in board.logs.requests() {
        // What only the tests' parser does not know.
        let plain = request.text.replace("1e400", "1").replace("\\ud800", "");
        assert!(json::parse(&plain).is_ok(), "request {} is no JSON", request.number);
    }
    finish(&mut agent, "logs", corpus.len() + 1, good_count);
}
