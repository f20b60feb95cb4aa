//! One wrapped metric, as it stands in the wrapped queue:
//! `{"metric": "a.b", "tags": ["k:v"], "points": [[1600000000.5, 1]], "type": "count", "interval": 10}`.

use std::fmt;

use super::batch::SeriesKey;
use crate::metric::Number;

/// A record that was read.
#[derive(Debug, PartialEq)]
pub(super) struct WrappedRecord {
    /// The series its points belong to.
    pub key: SeriesKey,
    /// Unix seconds and value, finite; at least one.
    pub points: Vec<(f64, Number)>,
}

/// Why a wrapped record cannot be sent. It costs only itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordError {
    /// Not a JSON object with the fields of a wrapped metric.
    Malformed,
    /// A timestamp or value that is not a finite number: Datadog would refuse the whole request.
    NotFinite,
}

impl RecordError {
    /// The word that counts it.
    pub fn reason(self) -> &'static str {
        match self {
            RecordError::Malformed => "malformed_series",
            RecordError::NotFinite => "not_finite",
        }
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RecordError::Malformed => "not a wrapped metric",
            RecordError::NotFinite => "a point that is not a finite number",
        })
    }
}

impl std::error::Error for RecordError {}

impl WrappedRecord {
    /// Reads one record.
    pub fn parse(raw: &[u8]) -> Result<WrappedRecord, RecordError> {
        let _ = raw;
        Err(RecordError::Malformed)
    }
}
