//! The wrapped queues by what they hold.

use super::{Queue, WRAPPED_CHECKS, WRAPPED_DISTRIBUTIONS, WRAPPED_EVENTS, WRAPPED_LOGS, WRAPPED_METRICS};

/// What is released to an intake of its own. The order is that of the numbers on the disk of a
/// [`spool`](super::spool).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Stream {
    /// Series, from the queue that the agent fills.
    Metrics,
    /// Log records, from the queue that applications fill.
    Logs,
    /// Distributions of DogStatsD.
    Distributions,
    /// Events of DogStatsD.
    Events,
    /// Service checks of DogStatsD.
    Checks,
}

impl Stream {
    /// Every stream.
    pub const ALL: [Stream; 5] =
        [Stream::Metrics, Stream::Logs, Stream::Distributions, Stream::Events, Stream::Checks];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Stream::Metrics => "metrics",
            Stream::Logs => "logs",
            Stream::Distributions => "distributions",
            Stream::Events => "events",
            Stream::Checks => "checks",
        }
    }

    /// The keys of its queue.
    pub fn queue(self) -> Queue {
        match self {
            Stream::Metrics => WRAPPED_METRICS,
            Stream::Logs => WRAPPED_LOGS,
            Stream::Distributions => WRAPPED_DISTRIBUTIONS,
            Stream::Events => WRAPPED_EVENTS,
            Stream::Checks => WRAPPED_CHECKS,
        }
    }

    /// The one whose queue has this key, of its keys or of its values.
    pub fn of_key(key: &[u8]) -> Option<Stream> {
        let has_key = |stream: &Stream| {
            let Queue { keys, values } = stream.queue();
            keys.as_bytes() == key || values.as_bytes() == key
        };
        Stream::ALL.into_iter().find(has_key)
    }
}
