//! What passes between the embedded queue and who uses it.

use std::time::Duration;

use crate::limits::spool::SEGMENT_BYTES;
#[cfg(doc)]
use crate::protocol::redis::Found;
use crate::protocol::redis::Strings;
use crate::queue::{
    Entry, Listed, Queue, Trace, WRAPPED_CHECKS, WRAPPED_DISTRIBUTIONS, WRAPPED_EVENTS, WRAPPED_LOGS,
    WRAPPED_METRICS,
};

/// The queues. Their order is that of their numbers on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum QueueName {
    /// Series.
    Metrics,
    /// Log records.
    Logs,
    /// Distributions, to be summarised by the server.
    Distributions,
    /// Events.
    Events,
    /// Service checks.
    Checks,
}

impl QueueName {
    /// All of them.
    pub const ALL: [QueueName; 5] =
        [QueueName::Metrics, QueueName::Logs, QueueName::Distributions, QueueName::Events, QueueName::Checks];

    /// The word for what it holds.
    pub fn word(self) -> &'static str {
        match self {
            QueueName::Metrics => "metrics",
            QueueName::Logs => "logs",
            QueueName::Distributions => "distributions",
            QueueName::Events => "events",
            QueueName::Checks => "checks",
        }
    }

    /// The names it has in Redis.
    pub fn queue(self) -> Queue {
        match self {
            QueueName::Metrics => WRAPPED_METRICS,
            QueueName::Logs => WRAPPED_LOGS,
            QueueName::Distributions => WRAPPED_DISTRIBUTIONS,
            QueueName::Events => WRAPPED_EVENTS,
            QueueName::Checks => WRAPPED_CHECKS,
        }
    }

    /// The one with this key in Redis, of its keys or of its values.
    pub fn of_key(key: &[u8]) -> Option<QueueName> {
        let has_key = |name: &QueueName| {
            let Queue { keys, values } = name.queue();
            keys.as_bytes() == key || values.as_bytes() == key
        };
        QueueName::ALL.into_iter().find(has_key)
    }
}

/// Bounds and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of memory, about (`SPOOL_MEMORY_MAX`).
    pub memory_bytes_max: usize,
    /// Bytes of files (`SPOOL_DISK_MAX`).
    pub disk_bytes_max: u64,
    /// How long releases fail before it goes to the disk, and how often while they do (`SPOOL_AFTER`).
    pub after: Duration,
}

impl Settings {
    /// Bytes after which a file is complete: read, it has to fit into memory beside others, and it is what is dropped
    /// of a full disk.
    pub fn segment_bytes(&self) -> usize {
        let of_disk = usize::try_from(self.disk_bytes_max / 4).unwrap_or(SEGMENT_BYTES);
        SEGMENT_BYTES.min(self.memory_bytes_max / 16).min(of_disk)
    }
}

/// A question.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// The number of records.
    Size(QueueName),
    /// The oldest keys.
    Keys {
        /// Of which queue.
        queue: QueueName,
        /// From which one on. At 0 a new list begins; what the last one named may be forgotten.
        rank: usize,
        /// How many.
        count: usize,
        /// Only those that are older than this (Unix seconds).
        before_s: Option<f64>,
    },
    /// The values of keys that were listed, so many bytes of them; the first one is given even where it has more.
    Values(QueueName, Vec<Vec<u8>>, usize),
    /// Store records. A key that is in memory already changes nothing.
    Store(QueueName, Vec<Entry>),
    /// Remove records that were listed, and store what that leaves behind, in one step.
    Remove(QueueName, Vec<Vec<u8>>, Trace),
    /// Which points the intake has: packed batches, oldest first.
    Delivered,
    /// Write everything to the disk: the program ends.
    Save,
}

/// Whether a list of keys goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// That is all.
    Nothing,
    /// Ask for the next rank.
    Next,
    /// There are more, and room to list them when these were removed.
    Later,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// To [`Ask::Size`].
    Size(u64),
    /// To [`Ask::Keys`].
    Keys(Listed, Rest),
    /// To [`Ask::Values`], in their order; [`Found::Later`] where there was no room for all.
    Values(Strings),
    /// To [`Ask::Store`].
    Stored,
    /// To [`Ask::Remove`]: whether it outlives the process. Where it does not because the disk failed, it is written
    /// when the disk works again.
    Removed {
        /// Whether it is on the disk, as far as the records were.
        is_durable: bool,
    },
    /// To [`Ask::Delivered`].
    Delivered(Vec<Vec<u8>>),
    /// To [`Ask::Save`]: whether all of it is on the disk.
    Saved(bool),
}

/// Records that were dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// Of which queue.
    pub queue: QueueName,
    /// Why.
    pub reason: &'static str,
    /// Their keys: the key of a record that tells of drops says what it tells.
    pub keys: Vec<Vec<u8>>,
    /// How many more whose keys could not be read.
    pub unnamed: u64,
}

/// What the queue holds and has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Records that are in memory alone.
    pub memory_records: u64,
    /// Bytes of memory, about.
    pub memory_bytes: u64,
    /// Records on the disk.
    pub disk_records: u64,
    /// Bytes of files.
    pub disk_bytes: u64,
    /// Bytes written to the disk, in whole pages, since the start.
    pub written_bytes: u64,
    /// Frames found damaged: a record each, as a rule.
    pub damaged: u64,
    /// Files that end with a write that was cut off.
    pub torn: u64,
    /// Operations that failed.
    pub failures: u64,
}
