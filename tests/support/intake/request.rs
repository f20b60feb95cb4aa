//! What arrives at an intake.

use std::time::Instant;

use super::super::json::{self, Value};

/// One request and what became of it.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Counted from 0 over all connections.
    pub number: usize,
    /// Counted from 0.
    pub connection: usize,
    /// Whether the TLS session of an earlier connection was taken up.
    pub resumed: bool,
    pub at: Option<Instant>,
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Head and body on the wire, without TLS.
    pub wire_bytes: usize,
    /// The body as sent.
    pub body_bytes: usize,
    /// The body, inflated.
    pub text: String,
    pub json: Option<Value>,
    /// The server may have kept it: it said so, or its answer never arrived.
    pub stored: bool,
    /// The server said that it kept it.
    pub acknowledged: bool,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The elements of `series`.
    pub fn series(&self) -> &[Value] {
        json::items(self.json.as_ref().and_then(|json| json::get(json, "series")))
    }
}
