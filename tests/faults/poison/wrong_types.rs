//! A key of ours that holds something else: the log says so and names it, the other queues go on, and so does this one
//! once the key is put right.

use super::Board;
use crate::support::agent::{self, Agent};
use crate::support::behaviour::status;
use crate::support::bench::arrives;
use crate::support::queues::{CLAIMED, LOGS, RAW, WRAPPED, raw_record, wrapped_record};
use crate::support::redis::Client;
use std::time::Duration;

use crate::support::{PATIENT, SOON, unix_now, wait_until};

/// Each stage looks at its queue every second.
const MEETING_LIMIT: Duration = Duration::from_secs(5);
const KEYS: [&str; 8] = [
    "chouette:metrics:raw.keys",
    "chouette:metrics:raw.values",
    "chouette:metrics:claimed.keys",
    "chouette:metrics:claimed.values",
    "chouette:metrics:wrapped.keys",
    "chouette:metrics:wrapped.values",
    "chouette:logs:wrapped.keys",
    "chouette:logs:wrapped.values",
];

/// Writes one record of each kind, passing over what cannot be written.
fn push_all(client: &mut Client, name: &str) {
    let at = unix_now() as f64 - 60.0;
    let raw = raw_record(&format!("raw.{name}"), "count", "1", at, &[]);
    let wrapped = wrapped_record(&format!("wrapped.{name}"), "count", at, 1.0, &[]);
    let log = format!("{{\"message\": \"log {name}.\"}}");
    for (queue, record) in [(RAW, raw), (WRAPPED, wrapped), (LOGS, log)] {
        let types = [format!("{queue}.keys"), format!("{queue}.values")]
            .map(|key| client.run::<String>(&["TYPE", &key]));
        if !types.contains(&"string".to_owned()) {
            client.push(queue, name, Some(at), Some(record.as_bytes()));
        }
    }
}

/// Puts a text where `key` belongs while the agent runs. Meanwhile what is named in `rest` has to arrive.
fn goes_on_without(key: &str, rest: &[&str]) {
    let Some(board) = Board::new(|_| status(202)) else {
        return;
    };
    let mut client = board.client();
    push_all(&mut client, "early");
    // Whatever was there goes; the other half of the pair stays.
    client.run::<()>(&["SET", key, "not ours"]);
    // A record that is dropped: counting it must not depend on the queue that is broken.
    if !key.starts_with(LOGS) {
        client.push(LOGS, "bad", Some(unix_now() as f64 - 60.0), Some(b"no JSON"));
    }
    let mut agent = Agent::run(&agent::with(board.env(), &[("COLLECTOR_PLUGINS", "host")]));
    let arrived = |name: &str| {
        rest.iter().all(|kind| match *kind {
            "log" => wait_until(SOON, || board.log_texts().contains(&format!("\"log {name}.\""))),
            kind => arrives(&board.bench.intake, &format!("{kind}.{name}"), SOON),
        })
    };
    assert!(arrived("early"), "{key} stops {rest:?}:\n{}", agent.stderr());
    push_all(&mut client, "late");
    assert!(arrived("late"), "{key} stops {rest:?} after a while:\n{}", agent.stderr());
    assert!(agent.is_running());
    let said = agent.stderr();
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("WRONGTYPE")).collect();
    assert!(!lines.is_empty(), "nothing is said of {key}:\n{said}");
    assert!(lines.len() <= 8, "{} lines about one wrong key:\n{said}", lines.len());

    client.run::<()>(&["DEL", key]);
    push_all(&mut client, "mended");
    for kind in ["raw", "wrapped"] {
        let name = format!("{kind}.mended");
        assert!(arrives(&board.bench.intake, &name, PATIENT), "{key}, {name}:\n{}", agent.stderr());
    }
    assert!(wait_until(PATIENT, || board.log_texts().contains("log mended.")), "{key}:\n{}", agent.stderr());
    for name in ["early", "late", "mended"] {
        assert!(board.log_texts().matches(&format!("\"log {name}.\"")).count() <= 1, "a log came twice");
    }
}

#[test]
fn raw_keys() {
    goes_on_without(&format!("{RAW}.keys"), &["wrapped", "log"]);
}

#[test]
fn raw_values() {
    goes_on_without(&format!("{RAW}.values"), &["wrapped", "log"]);
}

#[test]
fn claimed_keys() {
    goes_on_without(&format!("{CLAIMED}.keys"), &["wrapped", "log"]);
}

#[test]
fn claimed_values() {
    goes_on_without(&format!("{CLAIMED}.values"), &["wrapped", "log"]);
}

#[test]
fn wrapped_keys() {
    goes_on_without(&format!("{WRAPPED}.keys"), &["log"]);
}

#[test]
fn wrapped_values() {
    goes_on_without(&format!("{WRAPPED}.values"), &["log"]);
}

#[test]
fn log_keys() {
    goes_on_without(&format!("{LOGS}.keys"), &["raw", "wrapped"]);
}

#[test]
fn log_values() {
    goes_on_without(&format!("{LOGS}.values"), &["raw", "wrapped"]);
}

#[test]
fn the_log_names_the_key() {
    let Some(board) = Board::new(|_| status(202)) else {
        return;
    };
    let agent = Agent::run(&board.env());
    let mut client = board.client();
    let mut unnamed = Vec::new();
    for key in KEYS {
        push_all(&mut client, "one");
        let lines = || agent.stderr().lines().filter(|line| line.contains("WRONGTYPE")).count();
        let before = lines();
        client.run::<()>(&["SET", key, "not ours"]);
        // A claim that is being made takes along what stands there, and finds it under its new name.
        let claimed = key.replace(":raw.", ":claimed.");
        let is_named = |line: &str| [key, &claimed[..]].into_iter().any(|name| line.contains(name));
        let named = || agent.stderr().lines().any(|line| line.contains("WRONGTYPE") && is_named(line));
        // Long enough for every stage to have met it.
        if !wait_until(MEETING_LIMIT, named) {
            unnamed.push((key, lines() - before));
        }
        client.run::<()>(&["DEL", key, &claimed]);
    }
    assert!(unnamed.is_empty(), "not named, and how many lines there were: {unnamed:?}\n{}", agent.stderr());
}
