//! What the two kinds of batches have in common: records go in one by one, a body comes out.

use std::fmt;

use super::payload::PayloadWriter;

/// Records under way to one request.
pub trait Batch {
    /// Takes one record, unless there is no room for it: then it and all after it wait for the next batch.
    ///
    /// # Errors
    /// The record cannot be sent. The batch is as it was.
    fn add(&mut self, key: &[u8], raw: &[u8]) -> Result<Fit, RecordError>;

    /// Whether nothing was taken.
    fn is_empty(&self) -> bool;

    /// The body, still to be written.
    fn into_writer(self: Box<Self>) -> PayloadWriter;
}

/// Whether a record found room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It is in the batch.
    Taken,
    /// The batch is full.
    NoRoom,
}

/// What every series or log carries besides its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Common {
    /// Host name.
    pub host: Option<String>,
    /// `key:value` strings added to the tags.
    pub tags: Vec<String>,
}

/// Why a record cannot be sent. It costs only itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordError {
    /// Not a JSON object with the fields of a wrapped metric.
    MalformedSeries,
    /// A timestamp or value that is not a finite number: Datadog would refuse the whole request.
    NotFinite,
    /// A log that is no JSON object.
    MalformedLog,
    /// A distribution, event or service check that is no JSON object.
    MalformedRecord,
    /// A log that no shortening of its longest fields makes short enough.
    LogTooLarge,
}

impl RecordError {
    /// The word that counts it.
    pub fn reason(self) -> &'static str {
        match self {
            RecordError::MalformedSeries => "malformed_series",
            RecordError::NotFinite => "not_finite",
            RecordError::MalformedLog => "malformed_log",
            RecordError::MalformedRecord => "malformed_record",
            RecordError::LogTooLarge => "log_too_large",
        }
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RecordError::MalformedSeries => "not a wrapped metric",
            RecordError::NotFinite => "a point that is not a finite number",
            RecordError::MalformedLog => "a log that is no JSON object",
            RecordError::MalformedRecord => "no JSON object",
            RecordError::LogTooLarge => "a log that is too large",
        })
    }
}

impl std::error::Error for RecordError {}
