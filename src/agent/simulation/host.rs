//! An agent in the simulated world: its settings, its timers, and what it waits for.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::agent::{Agent, Answer, Mode, PerStream, Settings, Timer};
use crate::aggregate::{HistogramOptions, WRAPPERS};
use crate::collect::{DiskSpace, HostFiles};
use crate::release::Random;

/// An agent and what the world does for it.
pub(super) struct Host {
    pub agent: Agent,
    pub timers: BTreeMap<Timer, Instant>,
    pub connected: bool,
    /// What becomes of the request under way: the intake stores it, or not, when it comes; the answer takes its time.
    pub posted: PerStream<Option<Result<Answer, String>>>,
    /// Suspended: nothing reaches it, but what it has sent is carried out.
    pub sleeps: bool,
}

impl Host {
    pub fn new(random: &mut Random) -> Host {
        Host {
            agent: agent(random.next_u64()),
            timers: BTreeMap::new(),
            connected: false,
            posted: PerStream::each(|_| None),
            sleeps: false,
        }
    }
}

struct NoFiles;

impl HostFiles for NoFiles {
    fn read(&self, _: &str) -> std::io::Result<String> {
        Err(std::io::ErrorKind::NotFound.into())
    }
    fn list(&self, _: &str) -> std::io::Result<Vec<String>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
    fn disk_space(&self, _: &str) -> std::io::Result<DiskSpace> {
        Err(std::io::ErrorKind::NotFound.into())
    }
    fn is_foreign(&self) -> bool {
        false
    }
    fn own_file(&self, _: &str) -> std::io::Result<String> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

pub fn settings() -> Settings {
    Settings {
        aggregate_interval_s: 10,
        capture_interval_s: 30,
        release_interval_s: 20,
        metric_ttl_s: 1_000_000,
        metrics_bulk_size: 7,
        log_ttl_s: 1_000_000,
        logs_bulk_size: 5,
        wrapper: (WRAPPERS[0].build)(&HistogramOptions::default()).into(),
        global_tags: Vec::new(),
        value_digits: None,
        dogstatsd_contexts_max: None,
        host: None,
        send_self_metrics: true,
        clock_believable_from_s: 0.0,
    }
}

pub fn agent(seed: u64) -> Agent {
    agent_in(Mode::Forever, seed)
}

pub fn agent_in(mode: Mode, seed: u64) -> Agent {
    Agent::new(format!("agent-{seed:x}"), settings(), Vec::new(), Box::new(NoFiles), mode, seed)
}
