//! What passes between the embedded queue and who uses it.

use std::time::Duration;

use crate::limits::spool::SEGMENT_BYTES;
#[cfg(doc)]
use crate::protocol::redis::Found;
use crate::protocol::redis::Strings;
use crate::queue::{Entry, Listed, Stream, Trace};

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
    Size(Stream),
    /// The oldest keys.
    Keys {
        /// Of which queue.
        queue: Stream,
        /// From which one on. At 0 a new list begins; what the last one named may be forgotten.
        rank: usize,
        /// How many.
        count: usize,
        /// Only those that are older than this (Unix seconds).
        before_s: Option<f64>,
    },
    /// The values of keys that were listed, so many bytes of them; the first one is given even where it has more.
    Values(Stream, Vec<Vec<u8>>, usize),
    /// Store records. A key that is in memory already changes nothing.
    Store(Stream, Vec<Entry>),
    /// Remove records that were listed, and store what that leaves behind, in one step.
    Remove(Stream, Vec<Vec<u8>>, Trace),
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
    pub queue: Stream,
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
