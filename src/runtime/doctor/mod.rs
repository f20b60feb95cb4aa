//! The command `doctor`: tries each link of the chain with the agent's own connections, one after the other, and tells
//! of each as soon as it is known. What is said stands in [`crate::doctor`].
//!
//! Nothing is left behind: no key of Redis is written, no directory made, nothing sent but a question.

mod intake;
mod local;
mod network;
mod output;
mod redis;

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use super::setup::{self, Parts, Queues};
use super::{child, clock};
use crate::config::Config;
use crate::doctor::{self, Finding, Trouble, Verdict};
use crate::limits::doctor::CHECK_S;
use output::Output;

/// Everything is asked with one token: whatever is ready, what is under way is looked at.
const TOKEN: Token = Token(0);

/// What is under way.
struct Doctor {
    poll: Poll,
    events: Events,
    output: Output,
    /// What no line may show, should somebody else repeat it.
    secrets: Vec<String>,
    /// As whom the agent logs in to Redis.
    user: String,
    /// Whether an agent is at work, as far as is known.
    agent_runs: bool,
}

/// Tries everything and tells of it on standard output; whether nothing is broken. `config` is a configuration, with
/// or without a key, or its mistakes.
///
/// # Errors
/// The kernel refuses a poll.
#[inline(never)]
pub fn run(
    config: &Result<Config, String>,
    env_file: Option<&Path>,
    as_json: bool,
    seed: u64,
) -> io::Result<bool> {
    let mut doctor = Doctor {
        poll: Poll::new()?,
        events: Events::with_capacity(16),
        output: Output::new(as_json),
        secrets: Vec::new(),
        user: String::new(),
        agent_runs: false,
    };
    doctor.output.begin("configuration", "");
    let detail = match env_file {
        Some(path) => format!("the environment and {}", path.display()),
        None => "the environment".to_owned(),
    };
    let parts = match config {
        Ok(config) => {
            setup::parts(config, seed).map(|parts| (config, parts)).map_err(|error| error.to_string())
        }
        Err(mistakes) => Err(mistakes.clone()),
    };
    match parts {
        Ok((config, parts)) => {
            let advice = config.warnings.join("\n");
            let verdict = if advice.is_empty() { Verdict::Good } else { Verdict::Warning };
            doctor.output.end(Finding { verdict, detail, advice });
            doctor.all(config, &parts, seed);
        }
        Err(advice) => {
            doctor.output.end(Finding { verdict: Verdict::Bad, detail, advice });
            doctor.output.skip("everything else", "", "configuration");
        }
    }
    child::reap();
    let is_well = doctor.output.finish();
    // The process ends: nothing has to be given back.
    std::mem::forget(doctor);
    Ok(is_well)
}

/// What whoever is asked may repeat: as it stands in the configuration, and as it travels.
#[inline(never)]
fn secrets(config: &Config) -> Vec<String> {
    let mut secrets = vec![config.api_key.expose().to_owned()];
    if let Some(password) = &config.redis.password {
        secrets.push(password.expose().to_owned());
    }
    if let Some(credentials) = config.proxy.as_ref().and_then(|proxy| proxy.credentials.as_ref()) {
        let credentials = credentials.expose();
        secrets.push(super::proxy::base64(credentials.as_bytes()));
        secrets.push(credentials.to_owned());
        let (_, password) = credentials.split_once(':').unwrap_or_default();
        secrets.push(password.to_owned());
    }
    secrets
}

impl Doctor {
    #[inline(never)]
    fn all(&mut self, config: &Config, parts: &Parts, seed: u64) {
        self.secrets = secrets(config);
        let user = config.redis.username.as_deref();
        self.user.push_str(user.unwrap_or("default"));
        // The others of the streams share the intake of metrics.
        let (metrics, logs) = (&parts.intakes.metrics, &parts.intakes.logs);
        let (to_metrics, to_logs) = (&metrics.endpoint, &logs.endpoint);
        let is_same =
            to_metrics.address == to_logs.address && to_metrics.tls.is_some() == to_logs.tls.is_some();
        let redis = match &parts.queues {
            Queues::Redis(link) => Some(link.endpoint()),
            Queues::Embedded(_) => None,
        };
        let mut names = Vec::new();
        let metrics_known = self.name("metrics", to_metrics, &mut names);
        let logs_known = is_same || self.name("logs", to_logs, &mut names);
        let redis_known = redis.is_some_and(|redis| self.name("redis", redis, &mut names));

        let is_open = self.reach("metrics", to_metrics, metrics_known);
        if !is_same {
            self.reach("logs", to_logs, logs_known);
        }
        self.key(metrics, !config.api_key.expose().is_empty(), is_open);

        let mut reader = match setup::plugin_reader(config, seed) {
            Ok(reader) => reader,
            Err(error) => {
                let found = Finding::bad(self.foreign(&error), Trouble::PluginOther);
                return self.output.tell("plugins", None, found);
            }
        };
        match &parts.queues {
            Queues::Redis(link) => {
                let is_open = self.reach("redis", link.endpoint(), redis_known);
                self.redis(config, &mut reader, is_open);
            }
            Queues::Embedded(place) => self.spool(place),
        }
        self.plugins(config, &mut reader);
        self.sockets(&parts.datagrams);
        self.open_files();
    }

    /// Waits until something is ready or due. Where the kernel refuses to wait no time passes, and in the end it is
    /// the limit that ends a check.
    #[inline(never)]
    fn wait(&mut self, due: Option<Instant>, limit: Instant) -> Instant {
        let next = due.map_or(limit, |due| due.min(limit));
        let wait = next.saturating_duration_since(clock::now().mono);
        let _ = self.poll.poll(&mut self.events, Some(wait));
        clock::now().mono
    }

    /// Somebody else's words.
    #[inline(never)]
    fn foreign(&self, text: &dyn Display) -> String {
        doctor::foreign(&text.to_string(), &self.secrets)
    }
}

/// When a check that begins now has failed.
#[inline(never)]
fn limit(now: Instant) -> Instant {
    now + Duration::from_secs(CHECK_S)
}
