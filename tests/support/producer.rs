//! An application that writes numbered counts at a steady rate, and knows what must arrive.

use super::queues::{RAW, raw_record};
use super::redis::RedisServer;
use super::store::Store;
use super::unix_now;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// The metric it writes.
pub const METRIC: &str = "produced.count";

/// Sums by context and second.
pub type Sums = BTreeMap<(String, u64), u64>;

/// Writes until it is told to stop.
pub struct Producer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Sums>,
}

impl Producer {
    /// So many contexts, each with so many records a second. What belongs to a second is written at once, in the
    /// second before: it is there when its bucket ends, however slow the machine.
    pub fn start(redis: &RedisServer, contexts: usize, records: usize) -> Producer {
        let mut client = redis.client();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut sums, mut number, mut second) = (Sums::new(), 0, 0);
            while !stopped.load(Ordering::SeqCst) {
                if second == unix_now() + 1 {
                    std::thread::sleep(Duration::from_millis(20));
                    continue;
                }
                second = unix_now() + 1;
                let mut batch = Vec::new();
                for i in 0..contexts * records {
                    number += 1;
                    let context = format!("c{}", i % contexts);
                    let timestamp = second as f64 + (i / contexts) as f64 / records as f64;
                    let tags = [("context", context.as_str())];
                    batch.push((
                        timestamp,
                        raw_record(METRIC, "count", &number.to_string(), timestamp, &tags),
                    ));
                    *sums.entry((format!("context:{context}"), second)).or_default() += number;
                }
                client.fill(RAW, &format!("produced-{second}"), &batch);
            }
            sums
        });
        Producer { stop, thread }
    }

    /// Ends, and tells what was written.
    pub fn finish(self) -> Sums {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

/// What an intake holds of it.
pub fn arrived(store: &Store) -> Sums {
    let points = |(key, held): (&super::store::SeriesKey, &super::store::Held)| {
        let context = key.tags.concat();
        let sum = |(second, value): (&u64, &f64)| ((context.clone(), *second), *value as u64);
        held.points.iter().map(sum).collect::<Vec<_>>()
    };
    store.series(METRIC).into_iter().flat_map(points).collect()
}
