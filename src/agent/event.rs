//! What passes between the agent and the runtime: events in, actions out, and the settings.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::stream::Stream;
use crate::aggregate::Wrapper;
use crate::collect::{Collector, HostFiles, Question, Reply};
use crate::protocol::redis::{Replies, Request};
use crate::queue::embedded::Report;

/// The time of an event, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Now {
    /// For deadlines.
    pub mono: Instant,
    /// For data: Unix seconds.
    pub wall_s: f64,
}

/// What the runtime reports.
pub enum Event {
    /// Once, before any other.
    Started,
    /// A connection to Redis is ready for requests.
    RedisUp,
    /// The connection failed or could not be made; requests under way are lost.
    RedisDown(String),
    /// The replies to the oldest request under way.
    Replies(Replies),
    /// What the embedded queue has to tell.
    Spool(Report),
    /// An intake answered the last [`Action::Post`] of its stream, or why it did not.
    Answered(Stream, Result<Answer, String>),
    /// The last [`Action::Show`] of a stream was carried out. Where it could not be, that is told as an
    /// [`Event::Answered`].
    Shown(Stream),
    /// The reply to an [`Action::Ask`].
    Replied {
        /// Which collector asked.
        collector: usize,
        /// The ticket of its question.
        ticket: u32,
        /// The reply.
        reply: Reply,
    },
    /// A timer that was armed.
    Timer(Timer),
    /// Release without waiting for the interval or a back-off.
    ReleaseNow,
    /// Another configuration. What the old collectors asked is not to be answered any more.
    Reload(Settings, Vec<Box<dyn Collector>>, Box<dyn HostFiles>),
    /// Finish what is in flight, then exit.
    Stop,
}

/// What the runtime is to do.
#[derive(Debug)]
pub enum Action {
    /// Send a request to Redis.
    Redis(Request),
    /// Ask the world a collector's question: no [`Question::Redis`].
    Ask {
        /// Its place in the list of collectors.
        collector: usize,
        /// Comes back with the reply.
        ticket: u32,
        /// What to ask.
        question: Question,
    },
    /// Send a payload (zlib, or plain where the stream's form is) to the intake of its stream.
    Post(Stream, Vec<u8>),
    /// Print a body instead of sending it.
    Show {
        /// Whose it is.
        stream: Stream,
        /// The body before compression: JSON.
        text: Vec<u8>,
        /// As many bytes would be sent.
        compressed_bytes: usize,
    },
    /// Fire a timer at a time; it replaces the same timer armed before.
    Arm(Timer, Instant),
    /// Forget a timer.
    Disarm(Timer),
    /// End the program with a status.
    Exit(u8),
}

/// The timers of the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// Read the collectors.
    Capture,
    /// Aggregate what is over.
    Flush,
    /// Release.
    Release,
    /// The wait after a failed release of metrics is over.
    Retry,
    /// The wait after a failed release of logs is over.
    RetryLogs,
    /// The same, of distributions.
    RetryDistributions,
    /// The same, of events.
    RetryEvents,
    /// The same, of service checks.
    RetryChecks,
    /// Ask for the lease again.
    Lease,
    /// What is in flight has had its time.
    Stop,
}

/// An answer of the intake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// How long the intake asks to wait.
    pub retry_after: Option<Duration>,
    /// The beginning of the body, for the log.
    pub excerpt: String,
}

impl Answer {
    pub(super) fn excerpt_text(&self) -> String {
        let printable: String = self.excerpt.chars().filter(|c| !c.is_control()).take(200).collect();
        if printable.is_empty() { printable } else { format!(": {printable}") }
    }
}

/// What of the configuration the agent needs.
pub struct Settings {
    /// Seconds per bucket.
    pub aggregate_interval_s: u32,
    /// Seconds between readings of the collectors.
    pub capture_interval_s: u32,
    /// Seconds between releases.
    pub release_interval_s: u32,
    /// Seconds after which a series is dropped unsent.
    pub metric_ttl_s: u32,
    /// Most points in one request.
    pub metrics_bulk_size: usize,
    /// Seconds after which a log is dropped unsent.
    pub log_ttl_s: u32,
    /// Most entries in one request.
    pub logs_bulk_size: usize,
    /// Turns samples into series.
    pub wrapper: Rc<dyn Wrapper>,
    /// Added to every series and log.
    pub global_tags: Vec<String>,
    /// Significant digits of a fraction that is released; all where there is none.
    pub value_digits: Option<u8>,
    /// Most contexts that DogStatsD has in one interval; none where it is not received.
    pub dogstatsd_contexts_max: Option<usize>,
    /// Host name on every series and log.
    pub host: Option<String>,
    /// Whether the agent's own counters are sent.
    pub send_self_metrics: bool,
    /// A wall clock behind this (Unix seconds) stamps no reading.
    pub clock_believable_from_s: f64,
}

/// How long the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Until it is told to stop.
    Forever,
    /// One capture, aggregation and release.
    Once,
    /// The same, but what would be released is shown and kept: there is no [`Action::Post`].
    DryRun,
}
