//! What became of the last releases of a stream, for who asks.

use std::time::Instant;

use super::Releaser;
use crate::agent::cx::Cx;
use crate::agent::{Answer, Settings, Stream};
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
        let since = self.failing.take().map_or(now, |(since, _)| since);
        self.failing = Some((since, one_line(problem)));
    }

    /// What came of a payload.
    #[inline(never)]
    pub fn answered(
        &mut self,
        stream: Stream,
        payload: &Payload,
        answer: &Result<Answer, String>,
        cx: &mut Cx<'_>,
    ) {
        let (now, compressed_bytes) = (cx.now.mono, payload.compressed_bytes);
        let items = if stream == Stream::Metrics { payload.points } else { payload.items };
        let (text, came) = match answer {
            Ok(answer) => (answer.status.to_string(), Some(outcome(answer.status))),
            Err(reason) => (one_line(reason), None),
        };
        match came {
            Some(Outcome::Accepted) => {
                self.delivered = Some(now);
                self.failing = None;
                let left = self.queued.unwrap_or_default().saturating_sub(payload.keys.len() as u64);
                self.sized(stream, left, cx);
                cx.past.delivered(items, compressed_bytes, cx.now);
            }
            // What cannot be taken is found and dropped: the queue goes on.
            Some(Outcome::Split) => {}
            Some(Outcome::KeyRefused) => {
                self.failed(&["the API key was refused (status ", &text, "): check API_KEY"].concat(), now);
            }
            Some(Outcome::Retry) => self.failed(&["the intake answered ", &text].concat(), now),
            None => self.failed(&text, now),
        }
        self.last = Some(Attempt { at: now, items, compressed_bytes, answer: text });
    }
}

impl Releaser {
    /// The stream, since when no run ends well, and why.
    pub fn failing(&self) -> Option<(Stream, Instant, &str)> {
        let (since, problem) = self.history.failing.as_ref()?;
        Some((self.stream, *since, problem))
    }

    /// Writes how it goes, if the stream is used.
    #[inline(never)]
    pub fn tell(&self, now: Instant, settings: &Settings, document: &mut Document) {
        if !self.stream.is_used(settings) {
            return;
        }
        let History { queued, last, delivered, failing } = &self.history;
        document.begin(self.stream.name());
        document.known("queued", *queued);
        document.begin("last");
        if let Some(Attempt { at, items, compressed_bytes, answer }) = last {
            document.ago("ago_s", Some(*at), now);
            document.number("items", *items as u64);
            document.number("bytes", *compressed_bytes as u64);
            document.text("answer", Some(answer));
        }
        document.end();
        document.ago("delivered_ago_s", *delivered, now);
        let (since, problem) = failing.as_ref().map(|(since, problem)| (*since, problem.as_str())).unzip();
        document.ago("failing_s", since, now);
        document.text("problem", problem);
        let wait_s = self.retry_at.map_or(0, |at| at.saturating_duration_since(now).as_secs());
        document.known("retry_in_s", (wait_s > 0).then_some(wait_s));
        document.end();
    }
}
