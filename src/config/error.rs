//! What is wrong with a configuration, ready to be printed.

use std::fmt;

use crate::protocol::url::UrlError;

/// All mistakes of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    /// In the order of the table; never empty.
    pub mistakes: Vec<Mistake>,
    /// What may explain them: one line each.
    pub warnings: Vec<String>,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The variable.
    pub variable: &'static str,
    /// Its value as far as it may be shown; none where it is missing.
    pub value: Option<String>,
    /// What is wrong, and what is accepted.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value}: {}", self.variable, self.problem),
            None => write!(f, "{}: {}", self.variable, self.problem),
        }
    }
}

/// One line for each mistake and each warning.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mistakes.len() {
            1 => write!(f, "1 mistake in the configuration:")?,
            n => write!(f, "{n} mistakes in the configuration:")?,
        }
        for mistake in &self.mistakes {
            write!(f, "\n  {mistake}")?;
        }
        for warning in &self.warnings {
            write!(f, "\n  note: {warning}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Why a text is not the value it should be. Never holds a secret.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueError {
    /// No whole number, or outside its range.
    Number,
    /// None of the words there are.
    UnknownWord(String),
    /// Begins like a JSON list and is none, or its entries are of the wrong type.
    NoList,
    /// Too many entries.
    ListTooLong {
        /// How many.
        entries: usize,
        /// The most.
        entries_max: usize,
    },
    /// An entry that is no number between 0 and 1.
    NoShare(String),
    /// More characters than there may be.
    TooLong {
        /// Counted.
        chars: usize,
        /// Allowed.
        chars_max: usize,
    },
    /// A character that the value cannot have.
    Character(char),
    /// No address of an intake.
    Url(UrlError),
    /// A part that is wrong, of something with a secret in it; the part itself is not repeated.
    Part(&'static str),
    /// Not UTF-8.
    NotUtf8,
    /// A path that does not begin with a slash.
    NotAbsolute,
    /// No address in digits.
    NoIpAddress,
    /// A file that cannot be read: the system's words.
    Unreadable(String),
    /// A file with more bytes than there may be.
    FileTooLarge {
        /// Allowed.
        bytes_max: usize,
    },
    /// What a file holds is no value of the variable it is for.
    Content {
        /// The variable.
        variable: &'static str,
        /// Why.
        error: Box<ValueError>,
    },
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueError::Number => f.write_str("no whole number within bounds"),
            ValueError::UnknownWord(word) => write!(f, "{word:?} is not known"),
            ValueError::NoList => f.write_str("no JSON list of that kind"),
            ValueError::ListTooLong { entries, entries_max } => {
                write!(f, "{entries} entries, more than {entries_max}")
            }
            ValueError::NoShare(entry) => write!(f, "{entry:?} is no number from 0 to 1"),
            ValueError::TooLong { chars, chars_max } => {
                write!(f, "{chars} characters, more than {chars_max}")
            }
            ValueError::Character(c) => write!(f, "the character {c:?} cannot stand there"),
            ValueError::Url(error) => write!(f, "{error}"),
            ValueError::Part(part) => write!(f, "{part}"),
            ValueError::NotUtf8 => f.write_str("not UTF-8"),
            ValueError::NotAbsolute => f.write_str("does not begin with a slash"),
            ValueError::NoIpAddress => f.write_str("no IP address"),
            ValueError::Unreadable(what) => write!(f, "the file cannot be read: {what}"),
            ValueError::FileTooLarge { bytes_max } => write!(f, "the file has more than {bytes_max} bytes"),
            ValueError::Content { variable, error } => write!(f, "the file holds no {variable}: {error}"),
        }
    }
}

impl std::error::Error for ValueError {}
