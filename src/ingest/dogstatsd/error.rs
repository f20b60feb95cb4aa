//! Why a message of a datagram is none.

use std::fmt;

/// Why a message cannot be read. It costs only itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageError {
    /// The end of a datagram that was longer than what is received of one.
    Cut,
    /// The bytes are not UTF-8.
    NotUtf8,
    /// No name, value or type where one has to be.
    Malformed,
    /// A type of metric that there is not.
    UnknownType,
    /// A value that is no number.
    BadValue,
    /// NaN or infinite.
    NotFinite,
    /// A rate that is no number above 0 and at most 1.
    BadRate,
    /// A timestamp that is no whole number of seconds since 1970.
    BadTimestamp,
    /// A timestamp on what has to be aggregated: only counts and gauges can have one.
    Timestamped,
    /// An event whose lengths do not fit it.
    BadEvent,
    /// A service check without name or status.
    BadCheck,
    /// A longer name, or more or longer tags, than is taken.
    TooLarge,
}

impl MessageError {
    /// The word that counts it.
    pub fn reason(self) -> &'static str {
        match self {
            MessageError::Cut => "cut",
            MessageError::NotUtf8 => "not_utf8",
            MessageError::Malformed => "malformed",
            MessageError::UnknownType => "unknown_type",
            MessageError::BadValue => "bad_value",
            MessageError::NotFinite => "not_finite",
            MessageError::BadRate => "bad_rate",
            MessageError::BadTimestamp => "bad_timestamp",
            MessageError::Timestamped => "timestamped",
            MessageError::BadEvent => "bad_event",
            MessageError::BadCheck => "bad_check",
            MessageError::TooLarge => "too_large",
        }
    }
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MessageError::Cut => "the datagram is too long",
            MessageError::NotUtf8 => "not UTF-8",
            MessageError::Malformed => "no name:value|type",
            MessageError::UnknownType => "an unknown type of metric",
            MessageError::BadValue => "a value that is no number",
            MessageError::NotFinite => "a value that is not finite",
            MessageError::BadRate => "a sample rate that is not above 0 and at most 1",
            MessageError::BadTimestamp => "a timestamp that is no number of seconds",
            MessageError::Timestamped => "a timestamp on something else than a count or gauge",
            MessageError::BadEvent => "an event whose lengths do not fit it",
            MessageError::BadCheck => "a service check without name or status",
            MessageError::TooLarge => "a name or tags that are too long",
        })
    }
}

impl std::error::Error for MessageError {}
