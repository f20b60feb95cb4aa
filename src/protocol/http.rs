//! One HTTP/1.1 exchange as a pure state machine: a request becomes bytes to send, the bytes that come back
//! become an answer. It knows no socket and no clock.
//!
//! ```text
//! POST /api/v1/series HTTP/1.1          HTTP/1.1 202 Accepted
//! content-length: 15                    date: Sun, 06 Nov 1994 08:49:37 GMT
//! user-agent: chouette-iot/0.1.0        content-length: 15
//! host: api.datadoghq.com
//! dd-api-key: …                         {"status":"ok"}
//!
//! {"series":[…]}
//! ```
//!
//! Of an answer, the status, `Retry-After`, `Date`, `Location` and the body are read, and whether the connection
//! can carry another exchange. The format is [RFC 9112](https://www.rfc-editor.org/rfc/rfc9112); `ureq` writes and
//! parses it. Not done here: redirects, cookies, content codings, `Expect: 100-continue`, pipelining.

use crate::limits::HEAD_BYTES_MAX;

mod date;
mod exchange;
mod memory;
mod message;
#[cfg(test)]
mod tests;

pub use date::{days_since_epoch, parse_date};
pub use exchange::{Exchange, HttpError, Need};
pub use message::{Method, Request, Response, RetryAfter};
