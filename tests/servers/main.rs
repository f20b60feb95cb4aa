//! The plugins that ask somebody, through the real binary: a scripted kubelet, a scripted container engine on a
//! unix socket, Dramatiq's keys in a real Redis, and all of them when they fall silent.
#![allow(clippy::unwrap_used)]

mod cases;
mod docker;
mod dramatiq;
mod hanging;
mod kubelet;
mod reading;
mod script;
#[path = "../support/mod.rs"]
mod support;

use support::agent::{self, Env};
use support::intake::{Intake, Request};
use support::redis::RedisServer;
use support::store::Store;

use std::sync::Arc;

/// A Redis and an intake for one test.
struct Bench {
    redis: RedisServer,
    intake: Intake,
}

impl Bench {
    /// None where there is no Redis to be had.
    fn new() -> Option<Bench> {
        Some(Bench { redis: RedisServer::start()?, intake: Intake::accepting() })
    }

    /// The environment of an agent that tells of failures, with these plugins and variables.
    fn env(&self, plugins: &str, more: &[(&str, &str)]) -> Env {
        let own = [("COLLECTOR_PLUGINS", plugins), ("SEND_SELF_METRICS", "true"), ("HOST", "board-1")];
        agent::with(agent::with(agent::env(&self.redis.url(), &self.intake), &own), more)
    }

    fn store(&self) -> Store {
        Store::acknowledged(&self.intake.requests())
    }
}

/// Whether something of this metric has arrived.
fn has_arrived(requests: &[Arc<Request>], metric: &str) -> bool {
    !Store::acknowledged(requests).series(metric).is_empty()
}

/// How many readings of a plugin failed, as far as the agent has told.
fn failures(requests: &[Arc<Request>], plugin: &str) -> f64 {
    let tag = format!("plugin:{plugin}");
    let store = Store::acknowledged(requests);
    let series = store.series("chouette.collector.failed").into_iter();
    let own = series.filter(|(key, _)| key.tags.contains(&tag));
    own.flat_map(|(_, held)| held.points.values()).sum()
}
