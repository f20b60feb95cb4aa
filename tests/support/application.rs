//! An application that goes on writing numbered counts, whatever happens to Redis.
//!
//! The value of a record is its number, so that a sum that is off tells which record it was. In the transaction of
//! each record Redis adds its value to a sum of its own ([`remembered`]): what a crash of Redis takes away, it takes
//! from both.

use super::queues::{LOGS, RAW, log_record, raw_record};
use super::redis::Client;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chouette_iot::release::Random;

/// The metric of all counts.
pub const COUNTS: &str = "app.events";
/// The tag that sets contexts apart.
pub const CONTEXT: &str = "context";
/// The hash of sums that Redis keeps, and that of late records alone.
const REMEMBERED: &str = "test:written";
const REMEMBERED_LATE: &str = "test:late";
/// The set of logs that Redis keeps.
const REMEMBERED_LOGS: &str = "test:logs";

/// Before another try to reach Redis.
const RECONNECT_AFTER: Duration = Duration::from_millis(20);

/// By context.
pub type Sums = BTreeMap<String, u64>;

/// How an application writes.
#[derive(Debug, Clone)]
pub struct Habits {
    pub contexts: u64,
    /// Between two records.
    pub every: Duration,
    /// Of how many records one comes late, on average; none for 0.
    pub late_one_in: u64,
    /// By how many seconds at least and at most.
    pub late_s: (f64, f64),
    /// Of how many records one is followed by a log; none for 0.
    pub log_one_in: u64,
}

impl Default for Habits {
    fn default() -> Habits {
        Habits {
            contexts: 6,
            every: Duration::from_millis(15),
            late_one_in: 20,
            late_s: (3.0, 30.0),
            log_one_in: 0,
        }
    }
}

/// What was written.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// Records that Redis said yes to, and their sums.
    pub records: u64,
    pub sums: Sums,
    /// Late ones among them.
    pub late: u64,
    /// How many replies were lost: those records may be there or not.
    pub unknown: u64,
    /// The sums of late records, with those whose replies were lost.
    pub late_sums: Sums,
    /// Logs that Redis said yes to, by their messages.
    pub logs: Vec<String>,
}

/// The application; it ends on drop.
pub struct Application {
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<Written>>,
}

impl Application {
    /// Begins to write to the Redis that listens on `socket`.
    pub fn start(socket: &Path, habits: Habits, seed: u64) -> Application {
        let stopped = Arc::new(AtomicBool::new(false));
        let mut writer = Writer {
            socket: socket.to_owned(),
            client: None,
            habits,
            random: Random::new(seed),
            number: 0,
            written: Written::default(),
        };
        let told = Arc::clone(&stopped);
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::SeqCst) {
                writer.turn();
            }
            writer.written
        });
        Application { stopped, thread: Some(thread) }
    }

    /// Ends it and gives what it wrote.
    pub fn stop(&mut self) -> Written {
        self.stopped.store(true, Ordering::SeqCst);
        self.thread.take().expect("it runs").join().unwrap()
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
    }
}

/// The sums that Redis remembers.
pub fn remembered(client: &mut Client) -> Sums {
    client.run(&["HGETALL", REMEMBERED])
}

/// Those of late records alone.
pub fn remembered_late(client: &mut Client) -> Sums {
    client.run(&["HGETALL", REMEMBERED_LATE])
}

/// The logs that Redis remembers, by their messages.
pub fn remembered_logs(client: &mut Client) -> Vec<String> {
    client.run(&["SMEMBERS", REMEMBERED_LOGS])
}

struct Writer {
    socket: PathBuf,
    client: Option<Client>,
    habits: Habits,
    random: Random,
    number: u64,
    written: Written,
}

impl Writer {
    fn turn(&mut self) {
        let Some(mut client) = self.client.take().or_else(|| Client::open(&self.socket).ok()) else {
            return std::thread::sleep(RECONNECT_AFTER);
        };
        // A connection that failed once is not used again: what it was asked last may come or not.
        if self.write_count(&mut client) && self.write_log(&mut client) {
            self.client = Some(client);
            std::thread::sleep(self.habits.every);
        } else {
            std::thread::sleep(RECONNECT_AFTER);
        }
    }

    fn write_count(&mut self, client: &mut Client) -> bool {
        self.number += 1;
        let number = self.number;
        let number_text = number.to_string();
        let context = format!("c{}", self.random.below(self.habits.contexts));
        let late = self.one_in(self.habits.late_one_in);
        let (shortest_s, longest_s) = self.habits.late_s;
        let delay_s = shortest_s + self.random.unit() * (longest_s - shortest_s);
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        let timestamp_s = if late { now_s - delay_s } else { now_s };
        let json = raw_record(COUNTS, "count", &number_text, timestamp_s, &[(CONTEXT, &context)]);
        let key = format!("count-{number}");
        let acknowledged = client.transaction(&[
            &["ZADD", &format!("{RAW}.keys"), &timestamp_s.to_string(), &key],
            &["HSET", &format!("{RAW}.values"), &key, &json],
            &["HINCRBY", REMEMBERED, &context, &number_text],
            &["HINCRBY", REMEMBERED_LATE, &context, if late { &number_text } else { "0" }],
        ]);
        let written = &mut self.written;
        if late {
            *written.late_sums.entry(context.clone()).or_default() += number;
        }
        if acknowledged {
            written.records += 1;
            written.late += u64::from(late);
            *written.sums.entry(context).or_default() += number;
        } else {
            written.unknown += 1;
        }
        acknowledged
    }

    fn write_log(&mut self, client: &mut Client) -> bool {
        if !self.one_in(self.habits.log_one_in) {
            return true;
        }
        let message = format!("log-{}", self.number);
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        let json = log_record(&format!("\"{message}\""), &[], "");
        let acknowledged = client.transaction(&[
            &["ZADD", &format!("{LOGS}.keys"), &now_s.to_string(), &message],
            &["HSET", &format!("{LOGS}.values"), &message, &json],
            &["SADD", REMEMBERED_LOGS, &message],
        ]);
        if acknowledged {
            self.written.logs.push(message);
        }
        acknowledged
    }

    fn one_in(&mut self, n: u64) -> bool {
        n > 0 && self.random.below(n) == 0
    }
}
