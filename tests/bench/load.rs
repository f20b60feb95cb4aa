//! What is put into Redis: records as the Python client writes them, made from a fixed seed.
//!
//! A set of records is written once, into database 1, and copied from there for each measurement.

use crate::support::redis::{Client, RedisServer};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

/// Records of one bucket, contexts, types.
pub const BUCKET_RECORDS: usize = 2_000;
const CONTEXTS: usize = 200;
/// How long a bucket is here, so that a flush is never far.
pub const BUCKET_S: usize = 2;

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const STORE_DB: &str = "1";
const BYTES_AT_ONCE: usize = 1 << 20;

/// How the contexts follow each other in a bucket.
#[derive(Clone, Copy, PartialEq)]
pub enum Order {
    Random,
    Adjacent,
}

/// A small generator of numbers that look random.
pub struct Random(u64);

impl Random {
    pub fn new() -> Random {
        Random(SEED)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }
}

/// Writes `records` records of the last minutes into the store as the queue `name`.
pub fn raw(redis: &RedisServer, name: &str, records: usize, order: Order) {
    raw_by(redis, name, records, order, BUCKET_S);
}

/// The same with buckets of another length.
pub fn raw_by(redis: &RedisServer, name: &str, records: usize, order: Order, bucket_s: usize) {
    let buckets = records.div_ceil(BUCKET_RECORDS);
    let now_s = crate::support::unix_now() as usize;
    let from_s = (now_s / bucket_s - buckets - 5) * bucket_s;
    let mut random = Random::new();
    let mut filler = Filler::new(redis, name);
    let mut slots: Vec<usize> = (0..BUCKET_RECORDS).collect();
    for i in 0..records {
        let (bucket, slot) = (i / BUCKET_RECORDS, i % BUCKET_RECORDS);
        if slot == 0 && order == Order::Random {
            for last in (1..slots.len()).rev() {
                slots.swap(last, random.below(last + 1));
            }
        }
        let context = slots[slot] / (BUCKET_RECORDS / CONTEXTS);
        let step = slot as f64 * bucket_s as f64 / BUCKET_RECORDS as f64;
        let at_s = (from_s + bucket * bucket_s) as f64 + step;
        filler.add(&key(&mut random), &format!("{at_s:.4}"), &record(context, at_s, &mut random));
    }
    filler.finish();
}

fn record(context: usize, at_s: f64, random: &mut Random) -> String {
    let (kind, value) = match context % 5 {
        0 => ("count", random.below(20).to_string()),
        1 => ("gauge", format!("{}.{:02}", random.below(90), random.below(100))),
        2 => ("rate", random.below(1_000).to_string()),
        3 => ("set", format!("[\"user-{}\", {}]", random.below(50), random.below(9))),
        _ => ("histogram", format!("0.{:06}", random.below(1_000_000))),
    };
    format!(
        "{{\"metric\": \"app.module.metric{context}\", \"type\": \"{kind}\", \"value\": {value}, \"timestamp\": {at_s:.4}, \
         \"tags\": {{\"room\": \"room-{}\", \"unit\": \"u{}\"}}}}",
        context % 8,
        context % 25
    )
}

/// Writes `values` as samples of one histogram into the store, all of one bucket.
pub fn histogram(redis: &RedisServer, name: &str, values: &[String]) {
    let at_s = (crate::support::unix_now() as usize / BUCKET_S - 5) * BUCKET_S;
    let mut random = Random::new();
    let mut filler = Filler::new(redis, name);
    for value in values {
        let record = format!(
            "{{\"metric\": \"app.one\", \"type\": \"histogram\", \"value\": {value}, \"timestamp\": {at_s}.5, \"tags\": {{}}}}"
        );
        filler.add(&key(&mut random), &format!("{at_s}.5"), &record);
    }
    filler.finish();
}

/// Writes wrapped records into the store: `points` points of each of `series` series.
pub fn wrapped(redis: &RedisServer, name: &str, series: usize, points: usize) {
    let from_s = crate::support::unix_now() as usize - 900;
    let mut random = Random::new();
    let mut filler = Filler::new(redis, name);
    for point in 0..points {
        for one in 0..series {
            let at_s = from_s + point * 10;
            let value = random.below(10_000) as f64 / 100.0;
            let record = format!(
                "{{\"metric\": \"app.module.metric{one}\", \"tags\": [\"room:room-{}\", \"unit:u{}\"], \
                 \"points\": [[{at_s}, {value}]], \"type\": \"gauge\"}}",
                one % 8,
                one % 25
            );
            filler.add(&key(&mut random), &at_s.to_string(), &record);
        }
    }
    filler.finish();
}

/// As long as a UUID, and as unordered.
fn key(random: &mut Random) -> String {
    let (high, low) = (random.below(1 << 31), random.below(1 << 31));
    format!("{high:08x}-{:04x}-4000-8000-{:04x}{low:08x}", low & 0xffff, high & 0xffff)
}

/// Puts a copy of a queue of the store into the place of another queue, whole from one moment to the next.
pub fn stage(redis: &RedisServer, name: &str, queue: &str) {
    let mut store = redis.client_of_db(1);
    for part in ["keys", "values"] {
        let (from, to) = (format!("{name}.{part}"), format!("staged.{part}"));
        assert_eq!(store.run::<i64>(&["COPY", &from, &to, "DB", "0", "REPLACE"]), 1, "no queue {name}");
    }
    let mut client = redis.client();
    client.run::<()>(&["MULTI"]);
    for part in ["keys", "values"] {
        client.run::<()>(&["RENAME", &format!("staged.{part}"), &format!("{queue}.{part}")]);
    }
    client.run::<()>(&["EXEC"]);
}

/// Removes a queue.
pub fn remove(client: &mut Client, queue: &str) {
    client.run::<()>(&["UNLINK", &format!("{queue}.keys"), &format!("{queue}.values")]);
}

/// CPU time of Redis, all its threads, in milliseconds; after what it frees in the background is free.
pub fn redis_cpu_ms(client: &mut Client) -> f64 {
    let field = |text: &str, name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|value| value.trim().parse().ok()).unwrap_or_default()
    };
    crate::support::wait_until(crate::support::SOON, || {
        let text: String = client.run(&["INFO", "memory"]);
        field(&text, "lazyfree_pending_objects") == 0.0
    });
    let text: String = client.run(&["INFO", "cpu"]);
    (field(&text, "used_cpu_user") + field(&text, "used_cpu_sys")) * 1e3
}

/// Writes many records without waiting for replies.
struct Filler {
    socket: UnixStream,
    bytes: Vec<u8>,
    keys: String,
    values: String,
}

impl Filler {
    fn new(redis: &RedisServer, name: &str) -> Filler {
        let mut filler = Filler {
            socket: UnixStream::connect(redis.socket()).unwrap(),
            bytes: Vec::new(),
            keys: format!("{name}.keys"),
            values: format!("{name}.values"),
        };
        filler.command(&["SELECT", STORE_DB]);
        filler.command(&["CLIENT", "REPLY", "OFF"]);
        filler
    }

    fn command(&mut self, arguments: &[&str]) {
        let _ = write!(self.bytes, "*{}\r\n", arguments.len());
        for argument in arguments {
            let _ = write!(self.bytes, "${}\r\n{argument}\r\n", argument.len());
        }
    }

    fn add(&mut self, key: &str, score: &str, value: &str) {
        let (keys, values) = (std::mem::take(&mut self.keys), std::mem::take(&mut self.values));
        self.command(&["ZADD", &keys, score, key]);
        self.command(&["HSET", &values, key, value]);
        (self.keys, self.values) = (keys, values);
        if self.bytes.len() >= BYTES_AT_ONCE {
            self.socket.write_all(&self.bytes).unwrap();
            self.bytes.clear();
        }
    }

    /// Waits until all is stored.
    fn finish(mut self) {
        self.command(&["CLIENT", "REPLY", "ON"]);
        self.command(&["PING"]);
        self.socket.write_all(&self.bytes).unwrap();
        let mut replies = Vec::new();
        let mut chunk = [0; 64];
        while !replies.ends_with(b"+PONG\r\n") {
            let count = self.socket.read(&mut chunk).unwrap();
            assert!(count > 0, "redis went away");
            replies.extend_from_slice(&chunk[..count]);
        }
        assert!(!replies.contains(&b'-'), "{}", String::from_utf8_lossy(&replies));
    }
}
