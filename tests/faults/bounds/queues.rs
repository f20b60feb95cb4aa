//! Queues, batches and commands of the agent, filled beyond their bounds.

use crate::support::core::{Command, Core, Many, START_S, settings};
use crate::support::figures::figure;
use crate::support::json;
use crate::support::queues::{LOGS, RAW, WRAPPED, raw_record, wrapped_record};
use crate::support::redis::{Client, RedisServer};

use chouette_iot::agent::{Event, Mode, Settings, Stream};
use chouette_iot::limits::{
    ACKNOWLEDGE_KEYS_MAX, BATCH_BYTES_MAX, CHUNK_KEYS, LOG_RECORD_BYTES_MAX, OUTBOX_SERIES_MAX,
    PAYLOAD_BYTES_PER_SLICE, REPLY_BYTES_MAX, STAMP_OFF_S_MAX, STORE_BYTES_MAX, STORE_SERIES_MAX,
    TAGS_BYTES_MAX, UNSTAMPED_MAX,
};
use std::time::Duration;

const TURN: Duration = Duration::from_secs(10);

/// How many records of the wrapped queue are of this metric, and with this text in them.
fn wrapped(client: &mut Client, metric: &str, text: &str) -> Vec<String> {
    let named = format!("\"metric\":{}", json::quote(metric));
    client.records(WRAPPED).into_iter().filter(|r| r.contains(&named) && r.contains(text)).collect()
}

/// What the counter of dropped records says in the wrapped queue.
fn dropped(client: &mut Client, reason: &str) -> usize {
    let records = wrapped(client, "chouette.dropped", &format!("reason:{reason}"));
    records.iter().filter_map(|record| value_of_point(record)).sum()
}

/// The value of a record's only point.
fn value_of_point(record: &str) -> Option<usize> {
    let points = record.split("\"points\":[[").nth(1)?.split("]]").next()?;
    points.split(',').nth(1)?.trim().parse::<f64>().ok().map(|value| value as usize)
}

#[test]
fn readings_wait_for_redis_in_bounded_number() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let per_turn = 700;
    let mut core = Core::start(settings(), vec![Box::new(Many(per_turn))], Mode::Forever, START_S);
    // The start has read once.
    let mut taken = per_turn;
    while taken <= OUTBOX_SERIES_MAX + per_turn {
        core.pass(TURN);
        taken += per_turn;
    }
    core.connect(&redis);
    core.pass(Duration::from_millis(10));
    let mut client = redis.client();
    let stored = wrapped(&mut client, "many", "").len();
    assert!(stored <= OUTBOX_SERIES_MAX && stored > OUTBOX_SERIES_MAX - per_turn, "{stored}");
    core.pass(TURN);
    let (mine, told) = (taken - stored, dropped(&mut client, "outbox_full"));
    // The agent's own counters take places, too, and are dropped like any other.
    assert!(told >= mine && told <= mine + 10, "{told} told, {mine} missing");
}

#[test]
fn readings_wait_for_a_clock_in_bounded_number() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let per_turn = 300;
    let settings = Settings { clock_believable_from_s: START_S, ..settings() };
    let mut core = Core::start(settings, vec![Box::new(Many(per_turn))], Mode::Forever, 100.0);
    core.connect(&redis);
    let mut taken = per_turn;
    while taken <= UNSTAMPED_MAX + per_turn {
        core.pass(TURN);
        taken += per_turn;
    }
    let mut client = redis.client();
    assert_eq!(client.size(WRAPPED), 0, "nothing is stamped with a clock of 1970");
    core.now.wall_s = START_S + 5.0;
    core.tell(Event::Stop);
    assert_eq!(wrapped(&mut client, "many", "").len(), UNSTAMPED_MAX);
    assert_eq!(dropped(&mut client, "clock"), taken - UNSTAMPED_MAX);
}

/// The largest number of arguments and of bytes in the reply, over all commands of a name.
fn largest(commands: &[Command], name: &str) -> (usize, usize) {
    let named = || commands.iter().filter(|command| command.name == name);
    (named().map(|c| c.arguments).max().unwrap_or(0), named().map(|c| c.reply_bytes).max().unwrap_or(0))
}

#[test]
fn no_command_and_no_batch_is_larger_than_its_bound() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let mut client = redis.client();
    let at = |i: usize| START_S - 100.0 + (i % 80) as f64;
    // One bucket in the end: raw records of many contexts, a few with long tags.
    let tag = "t".repeat(TAGS_BYTES_MAX - 100);
    let raw: Vec<(f64, String)> = (0..3 * CHUNK_KEYS + 1)
        .map(|i| {
            let tags = [("long", if i % 10 == 0 { tag.as_str() } else { "short" })];
            (START_S - 20.0, raw_record(&format!("raw.{i}"), "count", "1", START_S - 20.0, &tags))
        })
        .collect();
    let raw_bytes: usize = raw.iter().map(|(_, record)| record.len()).sum();
    assert!(raw_bytes > STORE_BYTES_MAX);
    client.fill(RAW, "raw", &raw);
    let filler = "f".repeat(1_000);
    let left: Vec<(f64, String)> = (0..3 * BATCH_BYTES_MAX / 1_000)
        .map(|i| (at(i), wrapped_record(&format!("left.{i}"), "count", at(i), 1.0, &[&filler])))
        .collect();
    assert!(left.len() > ACKNOWLEDGE_KEYS_MAX);
    client.fill(WRAPPED, "left", &left);
    let text = "l".repeat(REPLY_BYTES_MAX / 50);
    let logs: Vec<(f64, String)> =
        (0..200).map(|i| (at(i), format!("{{\"message\": \"{i} {text}\"}}"))).collect();
    client.fill(LOGS, "log", &logs);

    let mut core = Core::start(settings(), Vec::new(), Mode::Forever, START_S);
    core.connect(&redis);
    core.pass(TURN);
    let (mut sent, mut log_bytes, mut raw_sent, mut largest_body) = (0, 0, 0, 0);
    for _ in 0..100 {
        if core.posts.is_empty() {
            core.pass(TURN);
            continue;
        }
        let (stream, body) = core.answer(Ok(202));
        if stream == Stream::Logs {
            assert!(body.len() > PAYLOAD_BYTES_PER_SLICE, "written in several slices");
            log_bytes += body.matches("{\"message\"").count();
        } else {
            largest_body = largest_body.max(body.len());
            sent += body.matches("\"metric\":\"left.").count();
            raw_sent += body.matches("\"metric\":\"raw.").count();
        }
    }
    assert_eq!((sent, raw_sent, log_bytes), (left.len(), raw.len(), logs.len()), "all of it, each once");
    assert!(largest_body <= BATCH_BYTES_MAX + 64 * 1024 + TAGS_BYTES_MAX, "{largest_body}");

    let commands = &core.commands;
    assert_eq!(largest(commands, "ZREM").0, ACKNOWLEDGE_KEYS_MAX + 2);
    assert!((STORE_SERIES_MAX..=2 * (STORE_SERIES_MAX + 6) + 2).contains(&largest(commands, "HSET").0));
    assert_eq!(largest(commands, "HMGET").0, CHUNK_KEYS + 2);
    let (_, chunk_bytes) = largest(commands, "HMGET");
    assert!(chunk_bytes > REPLY_BYTES_MAX / 2, "{chunk_bytes}");
    assert!(
        core.request_bytes_max <= STORE_BYTES_MAX + 64 * 1024 + TAGS_BYTES_MAX,
        "{}",
        core.request_bytes_max
    );
    figure(
        "bounds",
        "largest request to Redis, body to the intake",
        &format!(
            "{:.2} MB (bound {:.2} MB and a series), {:.2} MB (bound {:.2} MB and a series)",
            core.request_bytes_max as f64 / 1e6,
            STORE_BYTES_MAX as f64 / 1e6,
            largest_body as f64 / 1e6,
            BATCH_BYTES_MAX as f64 / 1e6
        ),
    );
}

#[test]
fn a_log_is_read_up_to_its_bound() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let mut client = redis.client();
    let log = |bytes: usize| format!("{{\"message\":\"{}\"}}", "x".repeat(bytes - 14));
    let record = log(LOG_RECORD_BYTES_MAX);
    assert_eq!(record.len(), LOG_RECORD_BYTES_MAX);
    client.push(LOGS, "longest", Some(START_S - 5.0), Some(record.as_bytes()));
    client.push(LOGS, "too long", Some(START_S - 5.0), Some(log(LOG_RECORD_BYTES_MAX + 1).as_bytes()));
    let mut core = Core::start(settings(), Vec::new(), Mode::Forever, START_S);
    core.connect(&redis);
    core.pass(TURN);
    let (_, body) = core.answer(Ok(202));
    assert_eq!(body.matches("chouette_truncated").count(), 1);
    assert_eq!(dropped(&mut client, "log_too_large"), 1);
    assert_eq!(client.size(LOGS), 0);
}

#[test]
fn a_stamp_far_from_its_score_is_taken_for_wrong_and_harms_no_neighbour() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let mut client = redis.client();
    let score = START_S - 20.0;
    for (key, stamp) in [("old", 1.0), ("far", score + STAMP_OFF_S_MAX + 60.0), ("near", score - 7.0)] {
        let record = raw_record("mixed", "count", "1", stamp, &[]);
        client.push(RAW, key, Some(score), Some(record.as_bytes()));
    }
    let mut core = Core::start(settings(), Vec::new(), Mode::Forever, START_S);
    core.connect(&redis);
    core.pass(TURN);
    let (_, body) = core.answer(Ok(202));
    assert!(body.contains(&format!("[{},3]", score - 7.0)), "{body}");
}
