//! The collector question by question, and replies of every shape.

use super::*;
use crate::collect::fake::{FakeBoard, Random};

/// What a call led to: commands as text, gauges as lines, the error.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    commands: Vec<String>,
    lines: Vec<String>,
    error: String,
}

fn outcome(call: impl FnOnce(&mut Reading<'_>) -> Result<(), CollectError>) -> Outcome {
    let board = FakeBoard::default();
    let mut reading = Reading::new(&board);
    let error = call(&mut reading).err().map(|e| e.to_string()).unwrap_or_default();
    let mut commands = Vec::new();
    for (_, question) in &reading.questions {
        let Question::Redis(request) = question else {
            panic!("{question:?}");
        };
        let text = String::from_utf8_lossy(request.bytes());
        let mut words = text.split("\r\n").filter(|word| !word.starts_with('$'));
        while let Some(count) = words.next().and_then(|head| head.strip_prefix('*')) {
            let count = count.parse().unwrap();
            commands.push(words.by_ref().take(count).collect::<Vec<_>>().join(" "));
        }
        assert_eq!(request.replies(), commands.len());
    }
    let line = |g: &Gauge| format!("{} {} {}", g.name, g.tags.as_str(), g.value.python_str());
    Outcome { commands, lines: reading.gauges.iter().map(line).collect(), error }
}

fn begin(dramatiq: &mut Dramatiq) -> Outcome {
    outcome(|reading| dramatiq.begin(reading))
}

fn reply(dramatiq: &mut Dramatiq, ticket: u32, replies: Vec<Value>) -> Outcome {
    outcome(|reading| dramatiq.reply(ticket, Reply::Redis(Ok(replies)), reading))
}

fn text(text: impl AsRef<[u8]>) -> Value {
    Value::BulkString(text.as_ref().to_vec())
}

fn step(cursor: &str, keys: &[&str]) -> Vec<Value> {
    vec![Value::Array(vec![text(cursor), Value::Array(keys.iter().map(text).collect())])]
}

/// An error as the codec hands it over.
fn refusal(line: &str) -> Value {
    let mut codec = crate::protocol::redis::Codec::default();
    codec.sent(crate::protocol::redis::Request::new().push(&crate::protocol::redis::cmd("SCAN")));
    let mut complete = Vec::new();
    codec.receive(format!("-{line}\r\n").as_bytes(), &mut complete).unwrap();
    complete.remove(0).into_values().remove(0)
}

#[test]
fn step_by_step_and_then_all_sizes_at_once() {
    let mut dramatiq = Dramatiq::default();
    for _ in 0..2 {
        let scan = |cursor| format!("SCAN {cursor} MATCH dramatiq:*.msgs COUNT 200");
        assert_eq!(begin(&mut dramatiq).commands, [scan("0")]);
        let keys = ["dramatiq:b.msgs", "dramatiq:a:x.msgs"];
        assert_eq!(reply(&mut dramatiq, SCAN_TICKET, step("17", &keys)).commands, [scan("17")]);
        assert_eq!(reply(&mut dramatiq, SCAN_TICKET, step("9", &[])).commands, [scan("9")]);
        let last = reply(&mut dramatiq, SCAN_TICKET, step("0", &["dramatiq:b.msgs", "dramatiq:b.DQ.msgs"]));
        let sizes = ["HLEN dramatiq:a:x.msgs", "HLEN dramatiq:b.msgs", "HLEN dramatiq:b.DQ.msgs"];
        let mut sorted = sizes.to_vec();
        sorted.sort_by_key(|command| command.strip_suffix(".msgs"));
        assert_eq!(last.commands, sorted);
        let replies = vec![Value::Int(4), Value::Int(0), Value::Int(2)];
        let expected = [
            "Chouette.dramatiq.queue_size [\"queue:a:x\"] 4",
            "Chouette.dramatiq.queue_size [\"queue:b\"] 0",
            "Chouette.dramatiq.queue_size [\"queue:b.DQ\"] 2",
        ];
        let found = reply(&mut dramatiq, SIZES_TICKET, replies);
        assert_eq!((found.lines, found.error), (expected.map(str::to_owned).to_vec(), String::new()));
    }
}

#[test]
fn without_queues_there_is_nothing_to_ask() {
    let mut dramatiq = Dramatiq::default();
    begin(&mut dramatiq);
    assert_eq!(reply(&mut dramatiq, SCAN_TICKET, step("0", &[])), Outcome::default());
}

#[test]
fn what_is_no_queue_costs_only_itself() {
    let long = format!("dramatiq:{}.msgs", "x".repeat(NAME_BYTES_MAX + 1));
    let mut dramatiq = Dramatiq::default();
    begin(&mut dramatiq);
    let mut first = step("0", &["dramatiq:.msgs", "dramatiq:msgs", "else:a.msgs", &long, "dramatiq:ü.msgs"]);
    if let [Value::Array(step)] = &mut first[..]
        && let Value::Array(keys) = &mut step[1]
    {
        keys.extend([text(b"dramatiq:\xff.msgs"), Value::Int(7), Value::Nil, text("dramatiq:hash.msgs")]);
        keys.push(text("dramatiq:denied.msgs"));
    }
    let found = reply(&mut dramatiq, SCAN_TICKET, first);
    let expected = ["HLEN dramatiq:denied.msgs", "HLEN dramatiq:hash.msgs", "HLEN dramatiq:ü.msgs"];
    assert_eq!((found.commands, found.error), (expected.map(str::to_owned).to_vec(), String::new()));
    let wrong_type = refusal("WRONGTYPE Operation against a key holding the wrong kind of value");
    let replies = vec![refusal("NOPERM no permission"), Value::Int(1), wrong_type];
    let found = reply(&mut dramatiq, SIZES_TICKET, replies);
    assert_eq!(found.lines, ["Chouette.dramatiq.queue_size [\"queue:hash\"] 1"]);
    assert!(found.error.contains("HLEN: ") && found.error.contains("no permission"), "{}", found.error);
}

#[test]
fn a_reading_has_bounds() {
    let keys: Vec<String> = (0..QUEUES_MAX + 5).map(|n| format!("dramatiq:q{n}.msgs")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut dramatiq = Dramatiq::default();
    begin(&mut dramatiq);
    let found = reply(&mut dramatiq, SCAN_TICKET, step("5", &keys));
    assert_eq!(found.commands.len(), QUEUES_MAX);
    assert!(found.commands.iter().all(|command| command.starts_with("HLEN ")));
    assert_eq!(found.error, format!("SCAN: only {QUEUES_MAX} queues are read"));

    begin(&mut dramatiq);
    let mut steps = 1;
    let found = loop {
        let found = reply(&mut dramatiq, SCAN_TICKET, step("5", &["dramatiq:a.msgs"]));
        match found.commands[0].starts_with("SCAN") {
            true => steps += 1,
            false => break found,
        }
    };
    assert_eq!((steps, found.commands), (SCAN_STEPS_MAX, vec!["HLEN dramatiq:a.msgs".to_owned()]));
    let expected = format!("SCAN: not at the end after {SCAN_STEPS_MAX} steps: too many keys");
    assert_eq!(found.error, expected);
}

#[test]
fn without_redis_the_reading_ends() {
    let mut dramatiq = Dramatiq::default();
    for ticket in [SCAN_TICKET, SIZES_TICKET] {
        begin(&mut dramatiq);
        let lost = Reply::Redis(Err("no connection to redis".to_owned()));
        let found = outcome(|reading| dramatiq.reply(ticket, lost, reading));
        let error = "redis: no connection to redis".to_owned();
        assert_eq!(found, Outcome { error, ..Outcome::default() });
    }
    for (replies, problem) in [
        (vec![refusal("NOPERM this user may not")], "this user may not"),
        (vec![Value::Int(0)], "not a cursor and a list"),
        (vec![Value::Array(vec![text("0")])], "not a cursor and a list"),
        (vec![], "not a cursor and a list"),
    ] {
        begin(&mut dramatiq);
        let found = reply(&mut dramatiq, SCAN_TICKET, replies);
        assert!(found.error.starts_with("SCAN: ") && found.error.contains(problem), "{}", found.error);
        assert!(found.commands.is_empty());
    }
}

#[test]
fn replies_of_any_shape_never_panic() {
    const REPLIES: u64 = 20_000;
    fn value(random: &mut Random, depth: usize) -> Value {
        match random.below(if depth == 0 { 5 } else { 8 }) {
            0 => Value::Nil,
            1 => Value::Int(random.below(1000) as i64 - 500),
            2 => Value::Okay,
            3 => text(random.mutate("dramatiq:default.msgs")),
            4 => text(["0", "17", ""][random.below(3)]),
            _ => Value::Array((0..random.below(4)).map(|_| value(random, depth - 1)).collect()),
        }
    }
    for seed in 1..=REPLIES {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut dramatiq = Dramatiq::default();
        begin(&mut dramatiq);
        for _ in 0..4 {
            let replies = (0..random.below(3)).map(|_| value(&mut random, 2)).collect();
            let ticket = [SCAN_TICKET, SCAN_TICKET, SIZES_TICKET][random.below(3)];
            reply(&mut dramatiq, ticket, replies);
        }
    }
}
