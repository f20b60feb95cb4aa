//! What goes into an exchange and what comes out of it.

use std::fmt;

/// The methods in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Ask for something; no body is sent.
    Get,
    /// Hand something over.
    Post,
}

/// A request. Its `Debug` shows neither header values, nor credentials of the authority, nor a query.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Host and port as the `Host` header names them, the port only where it is not the scheme's own. Credentials
    /// in front (`user:password@`) become an `Authorization` header.
    pub authority: String,
    /// Path and query, with the slash in front.
    pub path: String,
    /// Headers beside `Host`, `User-Agent` and `Content-Length`, which are written anyway.
    pub headers: Vec<(&'static str, String)>,
    /// The body of a `POST`.
    pub body: Vec<u8>,
}

impl Request {
    /// A `GET` without further headers.
    pub fn get(authority: &str, path: &str) -> Request {
        Request {
            method: Method::Get,
            authority: authority.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A `POST` without further headers.
    pub fn post(authority: &str, path: &str, body: Vec<u8>) -> Request {
        Request { method: Method::Post, body, ..Request::get(authority, path) }
    }

    /// The same request with one more header.
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Request {
        self.headers.push((name, value.into()));
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.authority.rsplit('@').next().unwrap_or_default();
        let path = self.path.split('?').next().unwrap_or_default();
        let header_names: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("host", &host)
            .field("path", &path)
            .field("header_names", &header_names)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// A complete answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status, 101 or 200 to 999.
    pub status: u16,
    /// When to come back, where the answer says so.
    pub retry_after: Option<RetryAfter>,
    /// Unix seconds of the peer's clock.
    pub date: Option<u64>,
    /// Where a redirect points; it is not followed.
    pub location: Option<String>,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// Whether the connection can carry another exchange.
    pub keep_alive: bool,
}

/// The value of a `Retry-After` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// Seconds from now.
    Seconds(u64),
    /// Unix seconds by the peer's clock.
    Date(u64),
}

impl RetryAfter {
    /// Reads the header's value; `None` where it is neither a number of seconds nor a date.
    pub fn parse(text: &str) -> Option<RetryAfter> {
        let text = text.trim();
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().ok().map(RetryAfter::Seconds);
        }
        super::parse_date(text).map(RetryAfter::Date)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_keeps_secrets() {
        let request =
            Request::post("user:hunter2@example.com:8428", "/write?token=hunter2", b"hunter2".to_vec())
                .with_header("DD-API-KEY", "hunter2");
        let text = format!("{request:?}");
        assert!(!text.contains("hunter2"), "{text}");
        assert!(
            text.contains("example.com:8428") && text.contains("DD-API-KEY") && text.contains("/write"),
            "{text}"
        );
    }

    #[test]
    fn retry_after() {
        assert_eq!(RetryAfter::parse(" 120 "), Some(RetryAfter::Seconds(120)));
        assert_eq!(RetryAfter::parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(RetryAfter::Date(784_111_777)));
        for text in ["", "-1", "+1", "1.5", "soon", "99999999999999999999999"] {
            assert_eq!(RetryAfter::parse(text), None, "{text}");
        }
    }
}
