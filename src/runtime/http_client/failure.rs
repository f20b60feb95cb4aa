//! Why an exchange has no answer, in the words of whoever has to act on it.

use std::fmt;

use crate::protocol::http::HttpError;
use crate::runtime::connection::{ConnectionError, Phase};
use crate::runtime::resolver::ResolveError;

/// Why an exchange has no answer. The text names no secret.
#[derive(Debug)]
pub enum Failure {
    /// The request cannot be written; trying again will not help.
    Request(HttpError),
    /// The name has no address.
    Resolve(ResolveError),
    /// No connection to any address.
    Connect(ConnectionError),
    /// The proxy does not let us through.
    Proxy(ConnectionError),
    /// The handshake failed, or what came later was not TLS.
    Tls(ConnectionError),
    /// Something took too long.
    TimedOut {
        /// What was waited for.
        waiting_for: &'static str,
        /// The limit.
        limit_s: u64,
    },
    /// The connection ended or broke before the answer was complete.
    Closed(String),
    /// What came is not HTTP/1.1.
    Protocol(HttpError),
    /// The answer exceeds its limits.
    TooLarge(HttpError),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Request(error) | Failure::Protocol(error) | Failure::TooLarge(error) => {
                write!(f, "{error}")
            }
            Failure::Resolve(error) => write!(f, "{error}"),
            Failure::Connect(error) | Failure::Proxy(error) | Failure::Tls(error) => {
                write!(f, "{error}")
            }
            Failure::TimedOut { waiting_for, limit_s } => {
                write!(f, "{waiting_for} took longer than {limit_s} s")
            }
            Failure::Closed(what) => write!(f, "{what}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<ConnectionError> for Failure {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::Resolve(error) => Failure::Resolve(error),
            ConnectionError::Proxy { .. } | ConnectionError::TimedOut { phase: Phase::Proxy(_), .. } => {
                Failure::Proxy(error)
            }
            ConnectionError::Tls(_) | ConnectionError::Name(_) => Failure::Tls(error),
            ConnectionError::TimedOut { phase: Phase::Tls, .. } => Failure::Tls(error),
            ConnectionError::Connect { .. } | ConnectionError::TimedOut { .. } => Failure::Connect(error),
            ConnectionError::Closed | ConnectionError::Io(_) | ConnectionError::QueueFull => {
                Failure::Closed(error.to_string())
            }
        }
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Request(_) => Failure::Request(error),
            HttpError::Protocol(_) => Failure::Protocol(error),
            HttpError::HeadTooLarge | HttpError::TooLarge { .. } => Failure::TooLarge(error),
            HttpError::Closed { .. } => Failure::Closed(error.to_string()),
        }
    }
}
