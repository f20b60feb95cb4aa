//! What can be wrong with a file of `/proc`, and the one way to take a number from it.

use crate::limits::VALUE_CHARS_MAX;
use std::fmt;
use std::str::FromStr;

/// A file that is not what the kernel writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormatError {
    /// A line or column is not there.
    Missing(&'static str),
    /// A column that should be a number.
    BadNumber {
        /// The column.
        what: &'static str,
        /// What stands in it.
        value: String,
    },
    /// Two values that cannot both be true.
    Contradiction(&'static str),
    /// More entries than are read.
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many were read.
        max: usize,
    },
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FormatError::Missing(what) => write!(f, "{what} is missing"),
            FormatError::BadNumber { what, value } => write!(f, "{what} is no number: {value:?}"),
            FormatError::Contradiction(what) => f.write_str(what),
            FormatError::TooMany { what, max } => write!(f, "only the first {max} {what} are read"),
        }
    }
}

impl std::error::Error for FormatError {}

impl FormatError {
    /// A value that is no number, cut to a size that can be shown.
    pub fn bad_number(what: &'static str, value: &str) -> FormatError {
        FormatError::BadNumber { what, value: value.chars().take(VALUE_CHARS_MAX).collect() }
    }
}

/// The next word as a number.
pub fn number<T: FromStr>(what: &'static str, word: Option<&str>) -> Result<T, FormatError> {
    let word = word.ok_or(FormatError::Missing(what))?;
    word.parse().map_err(|_| FormatError::bad_number(what, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_value_is_cut_to_what_can_be_shown() {
        let word = "ü".repeat(VALUE_CHARS_MAX + 1);
        let error = number::<u64>("a column", Some(&word)).unwrap_err();
        let shown = "ü".repeat(VALUE_CHARS_MAX);
        assert_eq!(error.to_string(), format!("a column is no number: {shown:?}"));
        assert_eq!(number::<u64>("a column", None), Err(FormatError::Missing("a column")));
    }
}
