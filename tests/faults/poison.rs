//! Hostile records in every queue: each costs itself, is counted by its reason, and its neighbours arrive exactly.

mod corpus;
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
use corpus::{Hostile, log_corpus, raw_corpus, reasons, wrapped_corpus};

use std::collections::BTreeMap;
use std::sync::Arc;

/// What the agent may take at its most in a debug build, all of the corpus in the queue.
const PEAK_BYTES_MAX: u64 = 64 << 20;

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

    /// Fails unless the good records have arrived, each of value 1 and each once.
    fn assert_arrived(&self, good: usize) {
        let sum = Store::acknowledged(&self.bench.intake.requests()).sum("good");
        assert!(json::close(sum, good as f64), "{sum} of {good}");
    }

    /// The texts of the logs that arrived.
    fn log_texts(&self) -> String {
        self.logs.requests().iter().map(|request| request.text.clone()).collect()
    }
}

/// How many records were dropped, by the tag that tells why.
fn dropped(requests: &[Arc<Request>]) -> BTreeMap<String, usize> {
    let store = Store::acknowledged(requests);
    let counts = store.series("chouette.dropped").into_iter();
    counts.map(|(key, held)| (key.tags.concat(), held.points.values().sum::<f64>() as usize)).collect()
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
    board.assert_arrived(good_count);
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
    board.assert_arrived(good_count);
    finish(&mut agent, "wrapped metrics", corpus.len() + 1, good_count);
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
