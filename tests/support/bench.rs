//! A Redis and an intake for one test, what is put into the one, and what is looked for in the other.

use super::agent::{self, Agent, Env};
use super::behaviour::Behaviour;
use super::intake::{Intake, Request};
use super::queues::{RAW, Sizes, WRAPPED, raw_record, wrapped_record};
use super::redis::{Client, RedisServer};
use super::store::Store;
use super::{SOON, json, unix_now, wait_until};

use std::time::Duration;

/// A Redis and an intake for one test.
pub struct Bench {
    pub redis: RedisServer,
    pub intake: Intake,
}

impl Bench {
    /// None where there is no Redis.
    pub fn new(script: impl FnMut(&Request) -> Behaviour + Send + 'static) -> Option<Bench> {
        Some(Bench { redis: RedisServer::start()?, intake: Intake::start(script) })
    }

    pub fn env(&self) -> Env {
        agent::env(&self.redis.url(), &self.intake)
    }

    pub fn env_with(&self, changes: &[(&str, &str)]) -> Env {
        agent::with(self.env(), changes)
    }

    /// Leaves `series` in the wrapped queue, named `left.0`, `left.1` and so on, of the last minute.
    pub fn leave_series(&self, series: usize) -> Vec<String> {
        let base = (unix_now() - 60) as f64;
        let names: Vec<String> = (0..series).map(|i| format!("left.{i}")).collect();
        let records: Vec<(f64, String)> = names
            .iter()
            .map(|name| (base, wrapped_record(name, "count", base, 1.0, &["from:python"])))
            .collect();
        self.redis.client().fill(WRAPPED, "left", &records);
        names
    }

    /// Waits until every queue is empty.
    pub fn drained(&self, limit: Duration) -> bool {
        let mut client = self.redis.client();
        wait_until(limit, || client.sizes() == Sizes::EMPTY)
    }

    /// What the intake holds; fails unless it is the same whether or not lost answers meant 'stored'.
    pub fn store(&self) -> Store {
        Store::of_both(&self.intake.requests())
    }
}

/// Fills the raw queue at once with `samples` counts of one, spread over some contexts and closed buckets. Two calls
/// share no context: at the server, a second point of the same second would rightly replace the first.
pub fn push_ones(client: &mut Client, prefix: &str, samples: usize) {
    const CONTEXTS: usize = 50;
    const SECONDS: usize = 20;
    let base = unix_now() as f64 - 120.0;
    let records: Vec<(f64, String)> = (0..samples)
        .map(|i| {
            let second = i / CONTEXTS % SECONDS;
            let timestamp = base + second as f64 + (i % 7) as f64 / 8.0;
            let context = format!("{prefix}-{}", i % CONTEXTS);
            (timestamp, raw_record("load", "count", "1", timestamp, &[("context", context.as_str())]))
        })
        .collect();
    client.fill(RAW, prefix, &records);
}

/// Pushes one gauge of a closed bucket.
pub fn push_gauge(client: &mut Client, metric: &str, value: f64) {
    let timestamp = unix_now() as f64 - 30.0;
    let record = raw_record(metric, "gauge", &value.to_string(), timestamp, &[]);
    client.push(RAW, metric, Some(timestamp), Some(record.as_bytes()));
}

/// Waits until a metric has arrived in a request that was accepted.
pub fn arrives(intake: &Intake, metric: &str, limit: Duration) -> bool {
    let quoted = format!("\"metric\":{}", json::quote(metric));
    intake.wait_for(limit, |requests| {
        requests
            .iter()
            .any(|request| request.acknowledged && request.text.replace("\": ", "\":").contains(&quoted))
    })
}

/// Starts the agent and waits until its loop has aggregated something; what it aggregated is called `ready`.
pub fn run_until_ready(bench: &Bench, arguments: &[&str], env: &Env) -> Agent {
    let agent = Agent::spawn(arguments, env);
    let mut client = bench.redis.client();
    push_gauge(&mut client, "ready", 1.0);
    assert!(
        wait_until(SOON, || client.sizes().raw == 0 && client.sizes().claimed == 0),
        "nothing was aggregated"
    );
    agent
}

/// Lines of the log that are warnings or errors.
pub fn complaints(stderr: &str) -> Vec<&str> {
    stderr.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect()
}
