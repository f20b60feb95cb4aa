//! The streams of release, and everything that sets them apart: all else is one state machine.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Settings, Timer};
use crate::limits::{CHECK_TTL_S, CHUNK_KEYS, LOG_RECORD_BYTES_MAX, RECORD_BYTES_MAX};
pub use crate::queue::Stream;
use crate::release::{
    Batch, Common, Delivered, ForwardedBatch, LogBatch, Payload, RecordError, SeriesBatch, forwarded,
};
use crate::telemetry::{DROPPED, Telemetry};

/// Something that each stream has one of.
#[derive(Debug)]
pub struct PerStream<T> {
    /// Of metrics.
    pub metrics: T,
    /// Of logs.
    pub logs: T,
    /// Of distributions.
    pub distributions: T,
    /// Of events.
    pub events: T,
    /// Of service checks.
    pub checks: T,
}

impl<T> PerStream<T> {
    /// What `make` makes of each stream.
    pub fn each(mut make: impl FnMut(Stream) -> T) -> PerStream<T> {
        PerStream {
            metrics: make(Stream::Metrics),
            logs: make(Stream::Logs),
            distributions: make(Stream::Distributions),
            events: make(Stream::Events),
            checks: make(Stream::Checks),
        }
    }

    /// The same of each one.
    pub fn map<U>(self, mut change: impl FnMut(Stream, T) -> U) -> PerStream<U> {
        PerStream {
            metrics: change(Stream::Metrics, self.metrics),
            logs: change(Stream::Logs, self.logs),
            distributions: change(Stream::Distributions, self.distributions),
            events: change(Stream::Events, self.events),
            checks: change(Stream::Checks, self.checks),
        }
    }

    /// The one of a stream.
    pub fn of(&mut self, stream: Stream) -> &mut T {
        match stream {
            Stream::Metrics => &mut self.metrics,
            Stream::Logs => &mut self.logs,
            Stream::Distributions => &mut self.distributions,
            Stream::Events => &mut self.events,
            Stream::Checks => &mut self.checks,
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        [&self.metrics, &self.logs, &self.distributions, &self.events, &self.checks].into_iter()
    }

    /// All of them, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let PerStream { metrics, logs, distributions, events, checks } = self;
        [metrics, logs, distributions, events, checks].into_iter()
    }
}

impl Stream {
    /// Whether there can be anything. What DogStatsD has left behind is released once it is switched on again.
    pub(super) fn is_used(self, settings: &Settings) -> bool {
        matches!(self, Stream::Metrics | Stream::Logs) || settings.dogstatsd_contexts_max.is_some()
    }

    /// The variable that says where it goes.
    pub(super) fn address_variable(self) -> &'static str {
        if self == Stream::Logs { "DATADOG_LOGS_URL" } else { "DATADOG_URL" }
    }

    /// What log lines and warnings are about.
    pub(super) fn topic(self) -> &'static str {
        match self {
            Stream::Metrics => "release",
            Stream::Logs => "log release",
            Stream::Distributions => "distribution release",
            Stream::Events => "event release",
            Stream::Checks => "check release",
        }
    }

    /// What warnings about a single record are about.
    pub(super) fn record_topic(self) -> &'static str {
        match self {
            Stream::Metrics => "unusable series",
            Stream::Logs => "unusable log",
            Stream::Distributions => "unusable distribution",
            Stream::Events => "unusable event",
            Stream::Checks => "unusable check",
        }
    }

    /// Fires when the wait after a failure is over.
    pub fn retry(self) -> Timer {
        match self {
            Stream::Metrics => Timer::Retry,
            Stream::Logs => Timer::RetryLogs,
            Stream::Distributions => Timer::RetryDistributions,
            Stream::Events => Timer::RetryEvents,
            Stream::Checks => Timer::RetryChecks,
        }
    }

    /// Seconds after which a record is dropped unsent.
    pub(super) fn ttl_s(self, settings: &Settings) -> u32 {
        match self {
            Stream::Metrics | Stream::Distributions => settings.metric_ttl_s,
            // The intake takes events of the last 18 hours, as it does logs.
            Stream::Logs | Stream::Events => settings.log_ttl_s,
            Stream::Checks => settings.metric_ttl_s.min(CHECK_TTL_S),
        }
    }

    /// A record that is older, in Unix seconds, is dropped unsent.
    pub(super) fn cutoff_s(self, now_s: f64, settings: &Settings) -> f64 {
        now_s - f64::from(self.ttl_s(settings))
    }

    /// Most records in one request.
    pub(super) fn records_max(self, settings: &Settings) -> usize {
        match self {
            Stream::Metrics => settings.metrics_bulk_size,
            Stream::Logs => settings.logs_bulk_size,
            Stream::Distributions | Stream::Checks => CHUNK_KEYS,
            Stream::Events => 1,
        }
    }

    /// Bytes of the longest record that is read.
    pub(super) fn record_bytes_max(self) -> usize {
        match self {
            Stream::Metrics | Stream::Distributions | Stream::Events | Stream::Checks => RECORD_BYTES_MAX,
            Stream::Logs => LOG_RECORD_BYTES_MAX,
        }
    }

    /// The reason that counts a longer one.
    pub(super) fn too_large(self) -> &'static str {
        match self {
            Stream::Metrics | Stream::Distributions | Stream::Events | Stream::Checks => "too_large",
            Stream::Logs => RecordError::LogTooLarge.reason(),
        }
    }

    /// A batch without records.
    pub(super) fn batch(self, settings: &Settings, delivered: &Rc<RefCell<Delivered>>) -> Box<dyn Batch> {
        let common = Common { host: settings.host.clone(), tags: settings.global_tags.clone() };
        match self {
            Stream::Metrics => {
                let batch = SeriesBatch::new(common, Rc::clone(delivered));
                Box::new(batch.with_value_digits(settings.value_digits))
            }
            Stream::Logs => Box::new(LogBatch::new(&common)),
            Stream::Distributions => Box::new(ForwardedBatch::new(&forwarded::DISTRIBUTIONS, common)),
            Stream::Events => Box::new(ForwardedBatch::new(&forwarded::EVENTS, common)),
            Stream::Checks => Box::new(ForwardedBatch::new(&forwarded::CHECKS, common)),
        }
    }

    /// Notes the size of the queue before a release.
    pub(super) fn note_queued(self, size: u64, telemetry: &mut Telemetry, wall_s: f64) {
        if self == Stream::Metrics {
            telemetry.queued(size, wall_s);
        }
    }

    /// Counts a delivered payload.
    pub(super) fn note_dispatched(self, payload: &Payload, telemetry: &mut Telemetry) {
        let compressed_bytes = payload.compressed_bytes as u64;
        match self {
            Stream::Metrics => telemetry.dispatched_metrics(payload.points as u64, compressed_bytes),
            Stream::Logs => telemetry.dispatched_logs(payload.items as u64, compressed_bytes),
            Stream::Distributions | Stream::Events | Stream::Checks => {}
        }
        telemetry.dropped_all(&payload.left_out);
    }

    /// What a payload holds, for a log line.
    pub(super) fn contents(self, payload: &Payload) -> String {
        match self {
            Stream::Metrics => format!("{} points of {} series", payload.points, payload.items),
            _ => format!("{} {}", payload.items, self.name()),
        }
    }

    /// The one thing a payload holds, for a log line.
    pub(super) fn culprit(self, payload: &Payload) -> String {
        match self {
            Stream::Metrics => format!("a series of {:?}", payload.first),
            Stream::Logs => format!("a log that begins with {:?}", payload.first),
            Stream::Distributions => format!("a distribution that begins with {:?}", payload.first),
            Stream::Events => format!("an event that begins with {:?}", payload.first),
            Stream::Checks => format!("a service check that begins with {:?}", payload.first),
        }
    }

    /// Whether the one thing a payload holds is the agent's own word of what was dropped.
    pub(super) fn tells_of_drops(self, payload: &Payload) -> bool {
        self == Stream::Metrics && payload.first == DROPPED
    }

    /// What warnings about records that are too old are about.
    pub(super) fn expiry_topic(self) -> &'static str {
        match self {
            Stream::Metrics => "series older than METRIC_TTL",
            Stream::Logs => "logs older than LOG_TTL",
            Stream::Distributions => "distributions older than METRIC_TTL",
            Stream::Events => "events older than LOG_TTL",
            Stream::Checks => "service checks that are too old",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::{Action, Event, Now, simulation};
    use super::*;
    use crate::protocol::redis::{Replies, Value};
    use crate::queue::{WRAPPED_LOGS, WRAPPED_METRICS};

    /// The commands of each request, and whether there was anything but requests and the timer of the release.
    fn requests(actions: &[Action]) -> (Vec<String>, bool) {
        let text = |action: &Action| match action {
            Action::Redis(request) => Some(String::from_utf8_lossy(request.bytes()).replace("\r\n", " ")),
            _ => None,
        };
        let is_quiet = |action: &Action| matches!(action, Action::Redis(_) | Action::Arm(Timer::Release, _));
        (actions.iter().filter_map(text).collect(), actions.iter().all(is_quiet))
    }

    #[test]
    fn each_stream_keeps_its_records_as_long_as_the_intake_takes_them() {
        let settings = Settings { metric_ttl_s: 14_400, log_ttl_s: 64_800, ..simulation::settings() };
        let kept = Stream::ALL.map(|stream| stream.ttl_s(&settings));
        assert_eq!(kept, [14_400, 64_800, 14_400, 64_800, CHECK_TTL_S]);
        let short = Settings { metric_ttl_s: 60, ..settings };
        assert_eq!(Stream::Checks.ttl_s(&short), 60);
    }

    #[test]
    fn a_turn_without_records_costs_a_command_each_in_one_waking() {
        let now = Now { mono: Instant::now(), wall_s: 1_700_000_000.0 };
        let (mut agent, mut actions) = (simulation::agent(1), Vec::new());
        agent.handle(Event::Started, now, &mut actions);
        agent.handle(Event::RedisUp, now, &mut actions);
        let list = || Value::Array(Vec::new());
        let name = Value::BulkString(b"agent-1".to_vec());
        agent.handle(
            Event::Replies(vec![Value::Okay, list(), list(), name, Value::Int(3_000)].into()),
            now,
            &mut actions,
        );
        actions.clear();
        agent.handle(Event::Timer(Timer::Release), now, &mut actions);
        let (sent, is_quiet) = requests(&actions);
        let zcard = |key: &str| format!("*2 $5 ZCARD ${} {key} ", key.len());
        assert_eq!(sent, [zcard(WRAPPED_METRICS.keys), zcard(WRAPPED_LOGS.keys)]);
        assert!(is_quiet);

        // The reply to the survey that the lease began with comes first.
        actions.clear();
        agent.handle(Event::Replies(Replies::default()), now, &mut actions);
        for _ in 0..2 {
            agent.handle(Event::Replies(vec![Value::Int(0)].into()), now, &mut actions);
        }
        assert!(actions.is_empty() && !agent.has_work(), "{actions:?}");
    }
}
