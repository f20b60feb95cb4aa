//! Why a raw record is not a sample.

use std::fmt;

use crate::metric::json::{JsonError, Kind};

/// Why a record cannot be read. It costs only itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordError {
    /// The bytes are not UTF-8.
    NotUtf8 {
        /// Where the first wrong byte stands.
        at: usize,
    },
    /// The text is not JSON.
    NotJson {
        /// The byte where that shows.
        at: usize,
    },
    /// JSON, but no object.
    NotAnObject,
    /// A field that every record has is absent.
    MissingField {
        /// Its name.
        field: &'static str,
    },
    /// A field holds a value that it cannot have.
    WrongType {
        /// Its path.
        field: &'static str,
        /// What stands there.
        found: Kind,
        /// What could.
        expected: &'static str,
    },
    /// NaN, infinite, or beyond the range of doubles.
    NotFinite {
        /// The path of the field.
        field: &'static str,
    },
    /// Beyond one of the bounds of this module.
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The bound.
        max: usize,
    },
}

impl RecordError {
    /// A word for the `reason:` tag of the counter of dropped records.
    pub fn reason(&self) -> &'static str {
        match self {
            RecordError::NotUtf8 { .. } => "not_utf8",
            RecordError::NotJson { .. } => "not_json",
            RecordError::MissingField { .. } => "missing_field",
            RecordError::NotAnObject | RecordError::WrongType { .. } => "wrong_type",
            RecordError::NotFinite { .. } => "not_finite",
            RecordError::TooLarge { .. } => "too_large",
        }
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordError::NotUtf8 { at } => write!(f, "not UTF-8 at byte {at}"),
            RecordError::NotJson { at } => write!(f, "not JSON at byte {at}"),
            RecordError::NotAnObject => f.write_str("the record is not an object"),
            RecordError::MissingField { field } => write!(f, "{field} is missing"),
            RecordError::WrongType { field, found, expected } => {
                write!(f, "{field} is {found}, expected {expected}")
            }
            RecordError::NotFinite { field } => write!(f, "{field} is not a finite number"),
            RecordError::TooLarge { what, max } => write!(f, "more than {max} {what}"),
        }
    }
}

impl std::error::Error for RecordError {}

impl From<JsonError> for RecordError {
    fn from(error: JsonError) -> RecordError {
        match error {
            JsonError::NotUtf8 { at } => RecordError::NotUtf8 { at },
            JsonError::Syntax { at } | JsonError::WrongKind { at, .. } | JsonError::NotFinite { at } => {
                RecordError::NotJson { at }
            }
        }
    }
}
