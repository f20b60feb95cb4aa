//! The command `doctor`: tries each link of the chain with the agent's own connections, one after the other, and tells
//! of each as soon as it is known. What is said stands in [`crate::doctor`].
//!
//! Nothing is left behind: no key of Redis is written, no directory made, nothing sent but a question.

mod intake;
mod local;
mod network;
mod output;
mod redis;

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use super::setup::{self, Parts, Queues};
use super::{child, clock};
use crate::config::Config;
use crate::doctor::{self, Finding, Verdict};
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
    /// Whether an agent is at work, as far as is known.
    agent_runs: bool,
}

/// Tries everything and tells of it on standard output; whether nothing is broken. `config` is a configuration, with
/// or without a key, or its mistakes.
///
/// # Errors
/// The kernel refuses a poll.
pub fn run(
    config: Result<Config, String>,
    env_file: Option<&Path>,
    as_json: bool,
    seed: u64,
) -> io::Result<bool> {
    let mut doctor = Doctor {
        poll: Poll::new()?,
        events: Events::with_capacity(16),
        output: Output::new(as_json),
        secrets: Vec::new(),
        agent_runs: false,
    };
    doctor.output.begin("configuration");
    let source = match env_file {
        Some(path) => format!("the environment and {}", path.display()),
        None => "the environment".to_owned(),
    };
    match config.and_then(|config| Ok((setup::parts(&config, seed).map_err(|e| e.to_string())?, config))) {
        Ok((parts, config)) => {
            let advice = config.warnings.join("\n");
            let verdict = if advice.is_empty() { Verdict::Good } else { Verdict::Warning };
            doctor.output.end(Finding { verdict, detail: source, advice });
            doctor.secrets = secrets(&config);
            doctor.all(&config, parts, seed)?;
        }
        Err(mistakes) => {
            let found = Finding { verdict: Verdict::Bad, detail: source, advice: mistakes };
            doctor.output.end(found);
            doctor.output.skip("everything else", "configuration");
        }
    }
    child::reap();
    Ok(doctor.output.finish())
}

/// What whoever is asked may repeat: as it stands in the configuration, and as it travels.
fn secrets(config: &Config) -> Vec<String> {
    let mut secrets = vec![config.api_key.expose().to_owned()];
    secrets.extend(config.redis.password.iter().map(|password| password.expose().to_owned()));
    if let Some(credentials) = config.proxy.as_ref().and_then(|proxy| proxy.credentials.as_ref()) {
        let credentials = credentials.expose();
        secrets.push(super::proxy::base64(credentials.as_bytes()));
        secrets.push(credentials.to_owned());
        secrets.extend(credentials.split_once(':').map(|(_, password)| password.to_owned()));
    }
    secrets
}

impl Doctor {
    fn all(&mut self, config: &Config, parts: Parts, seed: u64) -> io::Result<()> {
        let Parts { queues, intakes, datagrams, .. } = parts;
        // The others of the streams share the intake of metrics.
        let mut intakes = intakes.iter();
        let (Some(metrics), Some(logs)) = (intakes.next(), intakes.next()) else { return Ok(()) };
        let (to_metrics, to_logs) = (&metrics.endpoint, &logs.endpoint);
        let is_same =
            to_metrics.address == to_logs.address && to_metrics.tls.is_some() == to_logs.tls.is_some();
        let redis = match &queues {
            Queues::Redis(link) => Some(link.endpoint()),
            Queues::Embedded(_) => None,
        };
        let mut names = Vec::new();
        let metrics_known = self.name("metrics", to_metrics, &mut names)?;
        let logs_known = is_same || self.name("logs", to_logs, &mut names)?;
        let redis_known = redis.map(|redis| self.name("redis", redis, &mut names)).transpose()?;

        let is_open = self.reach("metrics", to_metrics, metrics_known)?;
        if !is_same {
            self.reach("logs", to_logs, logs_known)?;
        }
        self.key(metrics, !config.api_key.expose().is_empty(), is_open)?;

        let mut reader = match setup::plugin_reader(config, seed) {
            Ok(reader) => reader,
            Err(error) => return Err(io::Error::other(error.to_string())),
        };
        match &queues {
            Queues::Redis(link) => {
                let is_open = self.reach("redis", link.endpoint(), redis_known.unwrap_or_default())?;
                self.redis(config, &mut reader, is_open)?;
            }
            Queues::Embedded(place) => self.spool(place),
        }
        self.plugins(config, &mut reader)?;
        self.sockets(&datagrams);
        self.open_files();
        Ok(())
    }

    /// Waits until something is ready or due.
    fn wait(&mut self, due: Option<Instant>, limit: Instant) -> io::Result<Instant> {
        let next = due.map_or(limit, |due| due.min(limit));
        let wait = next.saturating_duration_since(clock::now().mono);
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => result?,
        }
        Ok(clock::now().mono)
    }

    /// Somebody else's words.
    fn foreign(&self, text: impl ToString) -> String {
        doctor::foreign(&text.to_string(), &self.secrets)
    }
}

/// When a check that begins now has failed.
fn limit(now: Instant) -> Instant {
    now + Duration::from_secs(CHECK_S)
}
