//! Logs from Redis to their intake with the real binary: what arrives, what is dropped and counted, and that
//! metrics and logs do not wait for each other.
#![allow(clippy::unwrap_used)]

mod records;
mod streams;
#[path = "../support/mod.rs"]
mod support;

use support::agent::{self, Env};
use support::behaviour::Behaviour;
use support::intake::{Intake, Request};
use support::json::{self, Value};
use support::queues::{LOGS, WRAPPED, log_record, wrapped_record};
use support::redis::RedisServer;
use support::store::Store;
use support::{PATIENT, unix_now, wait_until};

use std::sync::Arc;
use std::time::Duration;

/// A Redis and an intake for each stream.
struct Bench {
    redis: RedisServer,
    metrics: Intake,
    logs: Intake,
}

impl Bench {
    /// None where there is no Redis.
    fn new(script: impl FnMut(&Request) -> Behaviour + Send + 'static) -> Option<Bench> {
        Some(Bench {
            redis: RedisServer::start()?,
            metrics: Intake::accepting(),
            logs: Intake::start(script),
        })
    }

    fn env(&self, changes: &[(&str, &str)]) -> Env {
        let logs_url = self.logs.logs_url();
        let env = agent::with(
            agent::env(&self.redis.url(), &self.metrics),
            &[("DATADOG_LOGS_URL", &logs_url), ("SEND_SELF_METRICS", "true")],
        );
        agent::with(env, changes)
    }

    /// Queues logs of the last minute, each a hundredth of a second after the one before.
    fn leave(&self, records: Vec<String>) {
        let base = unix_now() as f64 - 60.0;
        let scored: Vec<_> =
            records.into_iter().enumerate().map(|(i, record)| (base + i as f64 / 100.0, record)).collect();
        self.redis.client().fill(LOGS, "log", &scored);
    }

    fn leave_numbered(&self, count: usize) {
        self.leave((0..count).map(|i| log_record(&format!("{{\"n\": {i}}}"), &["a:b"], "")).collect());
    }

    /// Leaves a metric of the last minute in its queue.
    fn leave_metric(&self, name: &str) {
        let at = unix_now() as f64 - 60.0;
        let record = wrapped_record(name, "gauge", at, 1.0, &[]);
        self.redis.client().push(WRAPPED, name, Some(at), Some(record.as_bytes()));
    }

    fn waiting(&self) -> usize {
        self.redis.client().size(LOGS)
    }

    fn drained(&self, limit: Duration) -> bool {
        let mut client = self.redis.client();
        wait_until(limit, || client.size(LOGS) == 0)
    }

    fn metric_arrives(&self, name: &str) -> bool {
        self.metrics.wait_for(PATIENT, |requests| !Store::acknowledged(requests).series(name).is_empty())
    }

    /// Waits until so many are counted as dropped for a reason.
    fn counts_dropped(&self, reason: &str, count: f64) -> bool {
        let tag = format!("reason:{reason}");
        let dropped = |requests: &[Arc<Request>]| {
            let store = Store::acknowledged(requests);
            let of_reason =
                store.series("chouette.dropped").into_iter().filter(|(key, _)| key.tags == [&*tag]);
            of_reason.flat_map(|(_, held)| held.points.values().copied()).sum::<f64>()
        };
        let counted = self.metrics.wait_for(PATIENT, |requests| json::close(dropped(requests), count));
        if !counted {
            eprintln!("{reason}: {} dropped, not {count}", dropped(&self.metrics.requests()));
        }
        counted
    }

    /// The entries of accepted requests, in order.
    fn accepted(&self) -> Vec<Value> {
        let requests = self.logs.requests();
        let accepted = requests.iter().filter(|request| request.acknowledged);
        accepted.flat_map(|request| json::items(request.json.as_ref()).to_vec()).collect()
    }

    /// The numbers of accepted logs.
    fn numbers(&self) -> Vec<u64> {
        let number = |entry: &Value| json::integer(json::get(json::get(entry, "message")?, "n"));
        self.accepted().iter().filter_map(number).collect()
    }
}
