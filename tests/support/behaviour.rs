//! What a scripted intake does with a request, and scripts made of it.

use super::intake::Request;
use std::fmt::Write as _;
use std::time::Duration;

/// An answer in full.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: &'static str,
}

impl Answer {
    /// The bytes on the wire.
    pub fn render(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Scripted\r\nContent-Type: application/json\r\n", self.status);
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        // These end with their head, whatever it says.
        if matches!(self.status, 100..200 | 204 | 304) {
            head.push_str("\r\n");
        } else {
            let _ = write!(head, "Content-Length: {}\r\n\r\n{}", self.body.len(), self.body);
        }
        head.into_bytes()
    }
}

/// Bytes that need not be HTTP: a head, the same piece a number of times, a tail.
#[derive(Debug, Clone, Default)]
pub struct Flow {
    pub head: Vec<u8>,
    /// The pause after each byte of the head; none: it is sent in one piece.
    pub byte_every: Option<Duration>,
    pub piece: Vec<u8>,
    pub times: usize,
    /// The pause after each piece.
    pub every: Duration,
    pub tail: Vec<u8>,
    /// Whether the connection ends with the last byte.
    pub closes: bool,
    /// Whether all this means that the request was accepted.
    pub accepts: bool,
}

impl Flow {
    /// Nothing but a head, on a connection that stays.
    pub fn of(head: impl Into<Vec<u8>>) -> Flow {
        Flow { head: head.into(), ..Flow::default() }
    }
}

/// What the intake does with a request.
#[derive(Debug, Clone)]
pub enum Behaviour {
    Answer(Answer),
    /// Answers in one piece and closes at once, without saying so in a header.
    AnswerThenClose(Answer),
    /// Sends this.
    Flow(Flow),
    /// Answers byte by byte.
    Trickle(Answer, Duration),
    /// Never answers, and keeps the connection.
    Hang,
    CloseBeforeHead,
    /// Sends the head of a 202 that promises a body, then closes.
    CloseAfterHead,
    /// Sends RST instead of an answer.
    Reset,
}

/// An answer with nothing but a status.
pub fn status(status: u16) -> Behaviour {
    Behaviour::Answer(answer(status))
}

pub fn answer(status: u16) -> Answer {
    Answer {
        status,
        headers: Vec::new(),
        body: if status < 300 { "{\"status\":\"ok\"}" } else { "{\"errors\":[\"scripted\"]}" },
    }
}

/// The first requests get `first`, one after the other; all later ones `then`.
pub fn in_turn(first: Vec<Behaviour>, then: Behaviour) -> impl FnMut(&Request) -> Behaviour + Send + 'static {
    let mut queue = first.into_iter();
    move |_| queue.next().unwrap_or_else(|| then.clone())
}

/// `bad` for every body that holds `text`, 202 for the others.
pub fn when_body_has(text: &str, bad: Behaviour) -> impl FnMut(&Request) -> Behaviour + Send + 'static {
    let text = text.to_owned();
    move |request| {
        if request.text.contains(&text) { bad.clone() } else { status(202) }
    }
}
