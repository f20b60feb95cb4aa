//! One raw metric of an application's making.

use crate::metric::Sample;

/// Why a record cannot be read. It costs only itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordError {
    /// Not JSON.
    NotJson,
}

/// Parses raw records; keeps its scratch space from one to the next.
#[derive(Debug, Default)]
pub struct RecordParser {}

impl RecordParser {
    /// Reads one record. `score` is its score in the queue (Unix seconds), used where the record's own timestamp is 0 or null.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn parse<'a>(&'a mut self, raw: &'a [u8], score: f64) -> Result<Sample<'a>, RecordError> {
        let _ = (raw, score);
        Err(RecordError::NotJson)
    }
}
