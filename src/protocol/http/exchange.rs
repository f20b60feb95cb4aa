//! The exchange: decides when it is worth parsing again, and turns what `ureq` found into our own words.

use std::fmt;
use std::sync::Arc;

use ureq::http::{HeaderMap, HeaderName, StatusCode, Version, header};

use super::memory::{Decoded, decode, encode};
use super::{HEAD_BYTES_MAX, Request, Response, RetryAfter, parse_date};

/// One request and its answer.
///
/// An answer is parsed from its first byte each time, but only when it can have become complete or has doubled:
/// the cost stays linear however small the pieces are that it arrives in.
pub struct Exchange {
    output: Vec<u8>,
    received: Arc<Vec<u8>>,
    body_bytes_max: usize,
    wanted: Wanted,
    /// Parse again at this length in any case, so that garbage is noticed.
    parse_at_bytes: usize,
}

/// What must have arrived before parsing makes sense.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    /// An empty line: the end of a head, or of a chunked body.
    EmptyLine,
    /// This many bytes in all.
    Bytes(usize),
    /// The end of the connection.
    Eof,
}

/// Where an exchange stands.
#[derive(Debug, PartialEq, Eq)]
pub enum Need {
    /// The answer is not complete.
    More,
    /// The answer is complete. The exchange is over.
    Done(Response),
    /// There will be no answer. The exchange is over.
    Failed(HttpError),
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpError {
    /// The request cannot be written; the text names no value.
    Request(String),
    /// What came is not HTTP/1.1.
    Protocol(String),
    /// The head of the answer is larger than [`HEAD_BYTES_MAX`].
    HeadTooLarge,
    /// The body of the answer is larger than this bound.
    TooLarge {
        /// The bound.
        body_bytes_max: usize,
    },
    /// The connection ended before the answer did.
    Closed {
        /// Bytes of the answer that had come.
        received_bytes: usize,
    },
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HttpError::Request(what) => write!(f, "request cannot be written: {what}"),
            HttpError::Protocol(what) => write!(f, "answer is not HTTP/1.1: {what}"),
            HttpError::HeadTooLarge => write!(f, "head of the answer is larger than {HEAD_BYTES_MAX} bytes"),
            HttpError::TooLarge { body_bytes_max } => {
                write!(f, "body of the answer is larger than {body_bytes_max} bytes")
            }
            HttpError::Closed { received_bytes: 0 } => {
                write!(f, "connection closed before the answer")
            }
            HttpError::Closed { received_bytes } => {
                write!(f, "connection closed after {received_bytes} bytes of the answer")
            }
        }
    }
}

impl std::error::Error for HttpError {}

impl Exchange {
    /// Writes `request`; an answer whose body exceeds `body_bytes_max` will be refused.
    pub fn new(request: Request, body_bytes_max: usize) -> Result<Exchange, HttpError> {
        let output = encode(request).map_err(|error| HttpError::Request(error.to_string()))?;
        Ok(Exchange {
            output,
            received: Arc::default(),
            body_bytes_max,
            wanted: Wanted::EmptyLine,
            parse_at_bytes: 0,
        })
    }

    /// Head and body of the request, in one piece.
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// Bytes of the answer so far.
    pub fn received_bytes(&self) -> usize {
        self.received.len()
    }

    /// Takes the next bytes of the answer.
    pub fn input(&mut self, bytes: &[u8]) -> Need {
        if bytes.is_empty() {
            return Need::More;
        }
        // An empty line may have begun before these bytes.
        let scan_from = self.received.len().saturating_sub(3);
        Arc::make_mut(&mut self.received).extend_from_slice(bytes);
        if self.received.len() > self.received_bytes_max() {
            return Need::Failed(HttpError::TooLarge { body_bytes_max: self.body_bytes_max });
        }
        let complete = match self.wanted {
            Wanted::EmptyLine => self.received.get(scan_from..).is_some_and(has_empty_line),
            Wanted::Bytes(total) => self.received.len() >= total,
            Wanted::Eof => false,
        };
        if complete || self.received.len() >= self.parse_at_bytes { self.parse(false) } else { Need::More }
    }

    /// The connection has ended.
    pub fn eof(&mut self) -> Need {
        match self.parse(true) {
            Need::More => Need::Failed(HttpError::Closed { received_bytes: self.received.len() }),
            over => over,
        }
    }

    /// Framing of chunks may take as much as the body itself, in front of it stands the head.
    fn received_bytes_max(&self) -> usize {
        HEAD_BYTES_MAX.saturating_add(self.body_bytes_max.saturating_mul(2)).saturating_add(1024)
    }

    /// At twice the length; before that as soon as the body can be too large, rather than when twice as much has
    /// been kept for nothing.
    fn next_parse_bytes(&self) -> usize {
        let received = self.received.len();
        let full = HEAD_BYTES_MAX.saturating_add(self.body_bytes_max);
        let twice = received.saturating_mul(2).max(1);
        if received < full { twice.min(full) } else { twice }
    }

    fn parse(&mut self, eof: bool) -> Need {
        self.parse_at_bytes = self.next_parse_bytes();
        match decode(&self.received, eof, self.body_bytes_max) {
            Ok(Decoded::Complete { head, body, consumed_bytes }) => {
                let reusable = !eof && consumed_bytes == self.received.len();
                let keep_alive = reusable && allows_reuse(head.version, head.status, &head.headers);
                Need::Done(response(head.status, &head.headers, body, keep_alive))
            }
            Ok(Decoded::PartOfHead) => Need::More,
            Ok(Decoded::PartOfBody { head_bytes, body_bytes, chunked }) => {
                self.wanted = match body_bytes {
                    Some(bytes) => {
                        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
                        Wanted::Bytes(head_bytes.saturating_add(bytes))
                    }
                    None if chunked => Wanted::EmptyLine,
                    None => Wanted::Eof,
                };
                Need::More
            }
            Err(error) => Need::Failed(self.failure(error)),
        }
    }

    fn failure(&self, error: ureq::Error) -> HttpError {
        match error {
            ureq::Error::BodyExceedsLimit(_) => HttpError::TooLarge { body_bytes_max: self.body_bytes_max },
            ureq::Error::LargeResponseHeader(..) => HttpError::HeadTooLarge,
            ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                HttpError::Closed { received_bytes: self.received.len() }
            }
            other => HttpError::Protocol(other.to_string()),
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("output_bytes", &self.output.len())
            .field("received_bytes", &self.received.len())
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}

/// A bare line feed ends a line too: the parser takes it in a head.
fn has_empty_line(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| pair == b"\n\n") || bytes.windows(3).any(|three| three == b"\n\r\n")
}

fn response(status: StatusCode, headers: &HeaderMap, body: Vec<u8>, keep_alive: bool) -> Response {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    Response {
        status: status.as_u16(),
        retry_after: text(header::RETRY_AFTER).and_then(RetryAfter::parse),
        date: text(header::DATE).and_then(parse_date),
        location: text(header::LOCATION).map(str::to_owned),
        body,
        keep_alive,
    }
}

/// Whether the head leaves the connection open. The framing need not be looked at: a body that only the end of the
/// connection ends is never complete before it.
fn allows_reuse(version: Version, status: StatusCode, headers: &HeaderMap) -> bool {
    let closes = headers.get_all(header::CONNECTION).iter().any(|value| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .any(|word| word.trim_ascii().eq_ignore_ascii_case(b"close"))
    });
    version == Version::HTTP_11 && status != StatusCode::SWITCHING_PROTOCOLS && !closes
}
