//! What became of the last releases of a stream, for who asks.

use std::time::Instant;

use super::Releaser;
use crate::agent::cx::Cx;
use crate::agent::{Answer, Stream};
use crate::release::{Outcome, Payload, outcome};
use crate::status::{Document, one_line};

/// See the module.
#[derive(Default)]
pub(super) struct History {
    /// The size of the queue, when it was last looked at.
    queued: Option<u64>,
    /// The last payload that was answered, or was not.
    last: Option<Attempt>,
    /// When the intake last took one.
    delivered: Option<Instant>,
    /// Since when no run ends well, and why the last one did not.
    failing: Option<(Instant, String)>,
}

struct Attempt {
    at: Instant,
    items: usize,
    compressed_bytes: usize,
    answer: String,
}

impl History {
    /// The queue has this size.
    pub fn sized(&mut self, stream: Stream, size: u64, cx: &mut Cx<'_>) {
        self.queued = Some(size);
        if stream == Stream::Metrics {
            cx.past.queued(size, cx.now.mono);
        }
    }

    /// A run ended, and found nothing that it could not deliver.
    pub fn well(&mut self) {
        self.failing = None;
    }

    /// A run did not end well.
    pub fn failed(&mut self, problem: &str, now: Instant) {
        let (_, known) = self.failing.get_or_insert_with(|| (now, String::new()));
        *known = one_line(problem);
    }

    /// What came of a payload.
    pub fn answered(
        &mut self,
        stream: Stream,
        payload: &Payload,
        answer: &Result<Answer, String>,
        cx: &mut Cx<'_>,
    ) {
        let (now, compressed_bytes) = (cx.now.mono, payload.compressed_bytes);
        let items = if stream == Stream::Metrics { payload.points } else { payload.items };
        let text = match answer {
            Ok(answer) => answer.status.to_string(),
            Err(reason) => one_line(reason),
        };
        match answer.as_ref().map(|answer| outcome(answer.status)) {
            Ok(Outcome::Accepted) => {
                self.delivered = Some(now);
                self.failing = None;
                let left = self.queued.unwrap_or_default().saturating_sub(payload.keys.len() as u64);
                self.sized(stream, left, cx);
                cx.past.delivered(items, compressed_bytes, cx.now);
            }
            // What cannot be taken is found and dropped: the queue goes on.
            Ok(Outcome::Split) => {}
            Ok(Outcome::KeyRefused) => {
                self.failed(&format!("the API key was refused (status {text}): check API_KEY"), now);
            }
            Ok(Outcome::Retry) => self.failed(&format!("the intake answered {text}"), now),
            Err(_) => self.failed(&text, now),
        }
        self.last = Some(Attempt { at: now, items, compressed_bytes, answer: text });
    }
}

impl Releaser {
    /// Since when no run ends well, and why.
    pub fn failing(&self) -> Option<(Instant, &str)> {
        self.history.failing.as_ref().map(|(since, problem)| (*since, problem.as_str()))
    }

    /// Writes how it goes.
    pub fn tell(&self, now: Instant, document: &mut Document) {
        let History { queued, last, delivered, failing } = &self.history;
        document.begin(self.stream.name());
        document.number("queued", *queued);
        document.begin("last");
        if let Some(Attempt { at, items, compressed_bytes, answer }) = last {
            document.ago("ago_s", Some(*at), now);
            document.number("items", *items as u64);
            document.number("bytes", *compressed_bytes as u64);
            document.text("answer", Some(answer));
        }
        document.end();
        document.ago("delivered_ago_s", *delivered, now);
        document.ago("failing_s", failing.as_ref().map(|(since, _)| *since), now);
        document.text("problem", failing.as_ref().map(|(_, problem)| problem.as_str()));
        let wait = self.retry_at.map(|at| at.saturating_duration_since(now));
        document.seconds("retry_in_s", wait.filter(|wait| !wait.is_zero()));
        document.end();
    }
}
