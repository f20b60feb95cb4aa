//! When the pipeline counts as one that does not advance; minutes take no time here.

use super::*;
use chouette_iot::agent::{Event, Mode};
use chouette_iot::limits::status::{DOCUMENT_BYTES_MAX, FAILING_INTERVALS, FAILING_S_MIN, REASONS_MAX};
use std::time::Duration;
use support::core::{Core, START_S, settings};
use support::queues::{RAW, WRAPPED, raw_record, wrapped_record};
use support::redis::RedisServer;

const PATIENCE: Duration = Duration::from_secs(150);
const MOMENT: Duration = Duration::from_secs(10);

fn core(release_interval_s: u32) -> Core {
    let settings = chouette_iot::agent::Settings { release_interval_s, ..settings() };
    Core::start(settings, Vec::new(), Mode::Forever, START_S)
}

fn reason(core: &Core) -> Option<String> {
    let document = core.status(true, PATIENCE);
    let reason = text(&document, &["reason"]).map(str::to_owned);
    assert_eq!(flag(&document, &["advances"]), reason.is_none());
    assert!(flag(&document, &["alive"]), "only the runtime knows");
    reason
}

fn leave_series(redis: &RedisServer) {
    let record = wrapped_record("left", "gauge", START_S, 1.0, &[]);
    redis.client().push(WRAPPED, "left", Some(START_S), Some(record.as_bytes()));
}

#[test]
fn redis_may_be_away_for_a_while() {
    let Some(redis) = RedisServer::start() else { return };
    let mut core = core(10);
    core.connect(&redis);
    core.pass(PATIENCE * 3);
    assert_eq!(reason(&core), None);
    core.tell(Event::RedisDown("it is gone".to_owned()));
    core.pass(PATIENCE);
    core.tell(Event::RedisDown("refused".to_owned()));
    assert_eq!(reason(&core), None);
    core.pass(MOMENT);
    assert_eq!(reason(&core).as_deref(), Some("redis is away for 2 min: refused"));
    core.connect(&redis);
    assert_eq!(reason(&core), None);
}

#[test]
fn a_redis_that_was_never_there_is_away_too() {
    let mut core = core(10);
    core.pass(PATIENCE + MOMENT);
    assert!(reason(&core).is_some_and(|reason| reason.contains("not connected yet")));
}

#[test]
fn flushes_have_to_end_well() {
    let Some(redis) = RedisServer::start() else { return };
    let mut core = core(10);
    core.connect(&redis);
    core.pass(MOMENT);
    let mut client = redis.client();
    client.run::<()>(&["SET", &format!("{RAW}.keys"), "of another type"]);
    core.pass(PATIENCE - MOMENT);
    assert_eq!(reason(&core), None);
    core.pass(MOMENT * 3);
    let found = reason(&core).unwrap();
    assert!(found.starts_with("no flush for") && found.contains("WRONGTYPE"), "{found}");
    client.run::<()>(&["DEL", &format!("{RAW}.keys")]);
    let record = raw_record("app", "gauge", "1", START_S, &[]);
    client.push(RAW, "one", Some(START_S), Some(record.as_bytes()));
    core.pass(MOMENT * 2);
    assert_eq!(reason(&core), None);
}

#[test]
fn deliveries_may_fail_for_a_while_and_longer_where_they_are_rare() {
    let Some(redis) = RedisServer::start() else { return };
    for (release_interval_s, limit_s) in [(10, FAILING_S_MIN), (3_600, 3_600 * u64::from(FAILING_INTERVALS))]
    {
        let mut core = core(release_interval_s);
        core.connect(&redis);
        leave_series(&redis);
        let mut failing_since = None;
        while failing_since.is_none_or(|since| core.now.mono - since <= Duration::from_secs(limit_s)) {
            assert_eq!(reason(&core), None, "after {:?}", failing_since.map(|since| core.now.mono - since));
            core.pass(MOMENT);
            while !core.posts.is_empty() {
                core.answer(Ok(503));
                failing_since.get_or_insert(core.now.mono);
            }
        }
        let found = reason(&core).unwrap();
        assert!(found.starts_with("metrics are not delivered for") && found.contains("503"), "{found}");
        while core.posts.is_empty() {
            core.pass(MOMENT);
        }
        core.answer(Ok(202));
        assert_eq!(reason(&core), None);
        // The lease of this one is over for the next one.
        core.pass(Duration::ZERO);
        redis.client().run::<()>(&["FLUSHALL"]);
    }
}

#[test]
fn who_stands_by_is_well_however_long_and_has_time_once_it_takes_over() {
    let Some(redis) = RedisServer::start() else { return };
    redis.client().run::<()>(&["SET", chouette_iot::queue::LEASE, "another"]);
    let mut core = core(10);
    core.connect(&redis);
    core.pass(PATIENCE * 10);
    assert_eq!(reason(&core), None);
    redis.client().run::<()>(&["DEL", chouette_iot::queue::LEASE]);
    redis.client().run::<()>(&["SET", &format!("{RAW}.keys"), "of another type"]);
    core.pass(PATIENCE / 2);
    assert_eq!(reason(&core), None);
    core.pass(PATIENCE);
    assert!(reason(&core).is_some());
}

/// Whoever writes to Redis can have the agent count what it likes, but not as much as it likes.
#[test]
fn a_document_is_bounded_whatever_redis_holds() {
    let Some(redis) = RedisServer::start() else { return };
    let reasons = REASONS_MAX + 10;
    let letters = |number: usize| -> String {
        [number / 26, number % 26].map(|letter| char::from(b'a' + letter as u8)).iter().collect()
    };
    let mut client = redis.client();
    for number in 0..reasons {
        let key = format!("x:1:{}_{}", "long".repeat(7), letters(number));
        client.push(WRAPPED, &key, Some(1.0), Some(b"{}"));
    }
    let mut core = core(10);
    core.connect(&redis);
    core.pass(MOMENT * 3);
    let document = core.status(true, PATIENCE);
    let Value::Object(dropped) = at(&document, &["dropped"]) else { panic!("no object") };
    let counted: f64 = dropped.values().filter_map(|count| json::number(Some(count))).sum();
    assert_eq!((dropped.len(), counted), (REASONS_MAX + 1, reasons as f64));
    assert!(dropped.contains_key("other"));
    assert!(miniserde::json::to_string(&document).len() < DOCUMENT_BYTES_MAX);
}

#[test]
fn a_loop_that_does_not_turn_is_told_of_first() {
    let core = core(10);
    let document = core.status(false, PATIENCE);
    assert!(!flag(&document, &["alive"]) && !flag(&document, &["advances"]));
}
