//! From a wrapped queue to Datadog: expire, load, write, send, then acknowledge or keep. Metrics and logs each
//! have a releaser of their own; what sets them apart is in [`Stream`].
//!
//! ```text
//! size ─► expire ─► load ─► write ─► send ─► 2xx: acknowledge ─► more? load again
//!                                             400, 413: split, send the halves; a culprit that is alone is dropped
//!                                             else: keep, wait, begin again
//! ```
//!
//! Nothing of a batch but its compressed body and its keys is held while it is sent. Whatever goes wrong,
//! the queue still has what was not acknowledged.

use std::time::{Duration, Instant};

use super::line::{Hold, Owner};
use super::loading::{Loading, Next};
use super::removal::{Removal, Why};
use super::{Action, Answer, Cx, Stream};
use crate::limits::{CHUNK_KEYS, RELEASE_BACKOFF_S, RETRY_AFTER_MAX_S};
use crate::protocol::redis::{Request, Value};
use crate::queue::{self, QueueError, Scored};
use crate::release::{Backoff, KeyList, Outcome, Payload, PayloadWriter, outcome};

pub(super) struct Releaser {
    stream: Stream,
    run: u32,
    state: State,
    backoff: Backoff,
    retry_at: Option<Instant>,
    /// Parts of a refused batch that are still to be sent, first one last.
    parts: Vec<KeyList>,
    /// Whether the queue holds more than the batch under way.
    more: bool,
    /// Whether everything found was delivered, when a run has ended.
    last_run_delivered: bool,
}

enum State {
    Idle,
    /// Awaiting the size of the queue.
    Sizing,
    /// Awaiting expired keys.
    Expiring,
    Removing(Removal, Then),
    Loading(Loading),
    Writing(Box<PayloadWriter>),
    Sending {
        payload: Payload,
        since: Instant,
    },
}

/// What follows a removal.
enum Then {
    Expire,
    Write(Box<PayloadWriter>),
    NextPart,
}

impl Releaser {
    pub fn new(stream: Stream) -> Releaser {
        Releaser {
            stream,
            run: 0,
            state: State::Idle,
            backoff: Backoff::new(RELEASE_BACKOFF_S),
            retry_at: None,
            parts: Vec::new(),
            more: false,
            last_run_delivered: true,
        }
    }

    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Whether the last run ended with everything it found delivered.
    pub fn delivered(&self) -> bool {
        self.last_run_delivered
    }

    /// Begins a run, unless one is under way, a wait has not passed or Redis is away. An acknowledgement
    /// that Redis refused is tried again.
    pub fn start(&mut self, cx: &mut Cx<'_>) {
        if !cx.line.is_up() || self.retry_at.is_some_and(|at| at > cx.now.mono) {
            return;
        }
        match &self.state {
            State::Idle => {
                self.retry_at = None;
                self.last_run_delivered = false;
                self.run = self.run.wrapping_add(1);
                self.state = State::Sizing;
                self.submit(queue::queue_size(self.stream.queue()), cx);
            }
            State::Removing(removal, _) if !removal.is_under_way() => self.remove_next(cx),
            _ => {}
        }
    }

    /// Begins a run whatever the wait.
    pub fn start_now(&mut self, cx: &mut Cx<'_>) {
        self.retry_at = None;
        self.start(cx);
    }

    /// The connection to Redis is gone, or it refused something. A request to the intake goes on; what it
    /// delivers is acknowledged later, so that it is not sent again.
    pub fn lost(&mut self) {
        self.run = self.run.wrapping_add(1);
        match &mut self.state {
            State::Sending { .. } => {}
            State::Removing(removal, _) if matches!(removal.why(), Why::Delivered) => removal.interrupted(),
            _ => {
                self.parts.clear();
                self.finish(false);
            }
        }
    }

    /// The connection to Redis is there: acknowledges what was delivered meanwhile.
    pub fn connected(&mut self, cx: &mut Cx<'_>) {
        self.remove_next(cx);
    }

    /// Gives up what has not been sent; an answer that is awaited may still come.
    pub fn stop(&mut self) {
        if matches!(self.state, State::Sizing | State::Expiring | State::Loading(_) | State::Writing(_)) {
            self.run = self.run.wrapping_add(1);
            self.finish(false);
        }
    }

    /// Whether an answer of the intake is awaited.
    pub fn is_sending(&self) -> bool {
        matches!(self.state, State::Sending { .. })
    }

    pub fn replied(&mut self, run: u32, replies: Vec<Value>, cx: &mut Cx<'_>) {
        if run != self.run {
            return;
        }
        let result = match &mut self.state {
            State::Sizing => self.found_size(&replies, cx),
            State::Expiring => self.found_expired(&replies, cx),
            State::Removing(..) => self.removed(&replies, cx),
            State::Loading(_) => self.loaded(replies, cx),
            State::Idle | State::Writing(_) | State::Sending { .. } => Ok(()),
        };
        if let Err(error) = result {
            cx.warnings.warn(self.stream.topic(), &error, cx.now.mono);
            self.lost();
        }
    }

    /// Whether [`Releaser::work`] has something to do.
    pub fn has_work(&self) -> bool {
        matches!(self.state, State::Writing(_))
    }

    /// Writes one slice of a body.
    pub fn work(&mut self, cx: &mut Cx<'_>) {
        let State::Writing(writer) = &mut self.state else {
            return;
        };
        if let Some(mut payload) = writer.write() {
            let body = std::mem::take(&mut payload.body);
            payload.compressed_bytes = body.len();
            cx.actions.push(Action::Post(self.stream, body));
            self.state = State::Sending { payload, since: cx.now.mono };
        }
    }

    /// The intake answered, or did not.
    pub fn answered(&mut self, answer: Result<Answer, String>, cx: &mut Cx<'_>) {
        let State::Sending { payload, since } = std::mem::replace(&mut self.state, State::Idle) else {
            return;
        };
        let took = cx.now.mono.saturating_duration_since(since);
        let answer = match answer {
            Ok(answer) => answer,
            Err(reason) => return self.keep(&payload, &reason, None, cx),
        };
        match outcome(answer.status) {
            Outcome::Accepted => self.accepted(payload, took, cx),
            Outcome::Split => self.split(payload, &answer, cx),
            Outcome::KeyRefused => {
                let text = format!("the API key was refused (status {}): check API_KEY", answer.status);
                self.keep(&payload, &text, answer.retry_after, cx);
            }
            Outcome::Retry => {
                let text = format!("the intake answered {}{}", answer.status, answer.excerpt_text());
                self.keep(&payload, &text, answer.retry_after, cx);
            }
        }
    }

    fn found_size(&mut self, replies: &[Value], cx: &mut Cx<'_>) -> Result<(), QueueError> {
        let [size] = replies else {
            return Err(QueueError::Unexpected("the size of a queue"));
        };
        let size = queue::size_of(size)?;
        self.stream.note_queued(size, cx.telemetry, cx.now.wall_s);
        if size > 0 {
            self.expire(cx);
        } else {
            self.finish(true);
        }
        Ok(())
    }

    fn expire(&mut self, cx: &mut Cx<'_>) {
        let cutoff_s = cx.now.wall_s - f64::from(self.stream.ttl_s(cx.settings));
        self.state = State::Expiring;
        self.submit(queue::expired_keys(self.stream.queue(), cutoff_s, CHUNK_KEYS), cx);
    }

    fn found_expired(&mut self, replies: &[Value], cx: &mut Cx<'_>) -> Result<(), QueueError> {
        let [expired] = replies else {
            return Err(QueueError::Unexpected("the expired keys"));
        };
        let expired = queue::scored_members(expired)?;
        if expired.is_empty() {
            self.load(Loading::from_queue(self.stream, cx), cx);
        } else {
            let keys = one_by_one(Scored::members(&expired));
            self.remove(keys, Why::Dropped("expired"), Then::Expire, cx);
        }
        Ok(())
    }

    fn load(&mut self, mut loading: Loading, cx: &mut Cx<'_>) {
        let request = loading.next_request();
        self.state = State::Loading(loading);
        match request {
            Some(request) => self.submit(request, cx),
            None => self.next_part(cx),
        }
    }

    fn loaded(&mut self, replies: Vec<Value>, cx: &mut Cx<'_>) -> Result<(), QueueError> {
        let State::Loading(loading) = &mut self.state else {
            return Ok(());
        };
        if let Next::Ask(request) = loading.received(replies, cx)? {
            self.submit(request, cx);
            return Ok(());
        }
        let loading = std::mem::replace(&mut self.state, State::Idle);
        let State::Loading(Loading { batch, unusable, reasons, more, .. }) = loading else {
            return Ok(());
        };
        // While a refused batch is being split, `more` is what the whole batch left behind.
        self.more |= more;
        let empty = batch.is_empty();
        let writer = Box::new(batch.into_writer());
        if !unusable.is_empty() {
            let then = if empty { Then::NextPart } else { Then::Write(writer) };
            self.remove(unusable, Why::Unusable(reasons), then, cx);
        } else if empty {
            self.next_part(cx);
        } else {
            self.state = State::Writing(writer);
        }
        Ok(())
    }

    fn accepted(&mut self, payload: Payload, took: Duration, cx: &mut Cx<'_>) {
        self.backoff.succeeded();
        cx.warnings.recovered(self.stream.topic());
        self.stream.note_dispatched(&payload, cx.telemetry);
        cx.delivered.borrow_mut().accepted(&payload.delivers);
        let contents = self.stream.contents(&payload);
        let (raw, compressed) = (payload.raw_bytes, payload.compressed_bytes);
        log::info!("released {contents} in {took:.1?}: {raw} bytes, {compressed} compressed");
        self.remove(payload.keys, Why::Delivered, Then::NextPart, cx);
    }

    fn split(&mut self, payload: Payload, answer: &Answer, cx: &mut Cx<'_>) {
        if let Some((first, second)) = payload.keys.split() {
            log::debug!("status {}: splitting {}", answer.status, self.stream.contents(&payload));
            self.parts.extend([second, first]);
            self.next_part(cx);
            return;
        }
        let (topic, culprit) = (self.stream.topic(), self.stream.culprit(&payload));
        let (status, text) = (answer.status, answer.excerpt_text());
        log::warn!("{topic}: dropped {culprit}, which the intake refuses with {status}{text}");
        self.remove(payload.keys, Why::Dropped("rejected"), Then::NextPart, cx);
    }

    fn keep(&mut self, payload: &Payload, reason: &str, retry_after: Option<Duration>, cx: &mut Cx<'_>) {
        let asked = retry_after.unwrap_or_default().min(Duration::from_secs_f64(RETRY_AFTER_MAX_S));
        let wait = self.backoff.failed(cx.random).max(asked);
        cx.warnings.warn(self.stream.topic(), &format_args!("{reason}; everything is kept"), cx.now.mono);
        let contents = self.stream.contents(payload);
        log::info!("{contents} wait, next attempt in {:.1} s", wait.as_secs_f64());
        self.parts.clear();
        self.finish(false);
        self.retry_at = Some(cx.now.mono + wait);
        cx.actions.push(Action::Arm(self.stream.retry(), cx.now.mono + wait));
    }

    fn remove(&mut self, keys: KeyList, why: Why, then: Then, cx: &mut Cx<'_>) {
        self.state = State::Removing(Removal::new(self.stream.queue(), keys, why), then);
        self.remove_next(cx);
    }

    fn removed(&mut self, replies: &[Value], cx: &mut Cx<'_>) -> Result<(), QueueError> {
        if let State::Removing(removal, _) = &mut self.state {
            removal.confirm(replies)?;
            self.remove_next(cx);
        }
        Ok(())
    }

    fn remove_next(&mut self, cx: &mut Cx<'_>) {
        let State::Removing(removal, _) = &mut self.state else {
            return;
        };
        if let Some(request) = removal.next_request(cx) {
            self.submit(request, cx);
            return;
        }
        let State::Removing(removal, then) = std::mem::replace(&mut self.state, State::Idle) else {
            return;
        };
        if matches!(removal.why(), Why::Dropped("expired")) {
            cx.warnings.warn(self.stream.expiry_topic(), &"dropped unsent", cx.now.mono);
        }
        match then {
            Then::Expire => self.expire(cx),
            Then::Write(writer) => self.state = State::Writing(writer),
            Then::NextPart => self.next_part(cx),
        }
    }

    /// The next part of a split batch, else the next batch of a backlog, else the end.
    fn next_part(&mut self, cx: &mut Cx<'_>) {
        // Without Redis (the intake may have answered meanwhile) what is left is found again by the next run.
        if cx.stopping || !cx.line.is_up() {
            self.finish(!self.more && self.parts.is_empty());
            self.parts.clear();
        } else if let Some(part) = self.parts.pop() {
            self.load(Loading::named(self.stream, part, cx), cx);
        } else if std::mem::take(&mut self.more) {
            self.load(Loading::from_queue(self.stream, cx), cx);
        } else {
            self.finish(true);
        }
    }

    fn finish(&mut self, delivered: bool) {
        self.state = State::Idle;
        self.more = false;
        self.last_run_delivered = delivered;
    }

    fn submit(&self, request: Request, cx: &mut Cx<'_>) {
        cx.line.submit(Owner::Release(self.stream, self.run), request, Hold::Free, cx.actions);
    }
}

fn one_by_one<'a>(keys: impl Iterator<Item = &'a [u8]>) -> KeyList {
    let mut list = KeyList::default();
    for key in keys {
        list.push(key);
        list.end_group();
    }
    list
}
