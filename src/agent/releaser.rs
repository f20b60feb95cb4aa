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

mod answer;
mod dry_run;
mod history;

use std::collections::VecDeque;
use std::time::Instant;

use history::History;

use super::line::{Hold, Owner};
use super::loading::{Loading, Next};
use super::removal::{Removal, Why, one_by_one};
use super::{Action, Cx, Stream};
use crate::limits::{CHUNK_KEYS, RELEASE_BACKOFF_S};
use crate::protocol::redis::{Replies, Request, Value};
use crate::queue::{self, Entry, QueueError};
use crate::release::{Backoff, KeyList, Payload, PayloadWriter};

pub(super) struct Releaser {
    stream: Stream,
    /// In a dry run, which shows batches and keeps them: what it has that is in no queue.
    unstored: Option<VecDeque<Entry>>,
    run: u32,
    state: State,
    backoff: Backoff,
    retry_at: Option<Instant>,
    /// Parts of a refused batch that are still to be sent, first one last.
    parts: Vec<KeyList>,
    /// Whether the queue holds more than the batch under way.
    more: bool,
    /// Whether something of the run was refused and kept all the same.
    keeps_some: bool,
    /// Whether everything found was delivered, when a run has ended.
    last_run_delivered: bool,
    history: History,
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
        /// Whether it is acknowledged if the intake takes it, or sent again.
        acknowledges: bool,
    },
}

/// What follows a removal.
enum Then {
    Expire,
    Write(Box<PayloadWriter>),
    NextPart,
}

impl Releaser {
    pub fn new(stream: Stream, is_dry_run: bool) -> Releaser {
        Releaser {
            stream,
            unstored: is_dry_run.then(VecDeque::new),
            run: 0,
            state: State::Idle,
            backoff: Backoff::new(RELEASE_BACKOFF_S),
            retry_at: None,
            parts: Vec::new(),
            more: false,
            keeps_some: false,
            last_run_delivered: true,
            history: History::default(),
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
        if !self.stream.is_used(cx.settings) {
            self.last_run_delivered = true;
            return;
        }
        if !cx.line.is_up() || self.retry_at.is_some_and(|at| at > cx.now.mono) {
            return;
        }
        match &self.state {
            State::Idle if !cx.holding.may_release(cx.now.mono) => {
                log::debug!("{}: not without the lease", self.stream.topic());
                self.last_run_delivered = false;
            }
            State::Idle => {
                self.retry_at = None;
                self.last_run_delivered = false;
                self.run = self.run.wrapping_add(1);
                self.state = State::Sizing;
                self.ask(queue::queue_size(self.stream.queue()), cx);
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

    /// The connection to Redis is gone, and its last second with it, perhaps: what is being delivered may be back in
    /// the raw queue. If its points were remembered now, it would count again, on other seconds. So it is not
    /// acknowledged but sent again, which overwrites the same points. Where there are none to be remembered, as of
    /// logs, nothing is sent again.
    pub fn disconnected(&mut self) {
        match &mut self.state {
            State::Sending { payload, acknowledges, .. } => *acknowledges &= payload.delivers.is_empty(),
            State::Removing(removal, _) if removal.remembers() => self.give_up(),
            _ => {}
        }
        self.lost();
    }

    /// What Redis was asked will not be answered. A request to the intake goes on; what it delivers is
    /// acknowledged later, so that it is not sent again.
    fn lost(&mut self) {
        self.run = self.run.wrapping_add(1);
        match &mut self.state {
            State::Sending { .. } => {}
            State::Removing(removal, _) if removal.is_delivered() => removal.interrupted(),
            _ => {
                self.parts.clear();
                self.finish(false);
            }
        }
    }

    /// The lease is this agent's anew: another one may have changed whatever was read before.
    pub fn new_term(&mut self, cx: &mut Cx<'_>) {
        match &self.state {
            State::Idle => {}
            // What the intake takes is acknowledged if it is still there.
            State::Sending { .. } => self.parts.clear(),
            State::Removing(removal, _) if removal.is_delivered() => self.parts.clear(),
            _ => {
                self.free_line(cx);
                self.give_up();
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
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        self.run = self.run.wrapping_add(1);
        self.parts.clear();
        self.finish(false);
    }

    fn free_line(&self, cx: &mut Cx<'_>) {
        if matches!(&self.state, State::Removing(removal, _) if removal.holds_line()) {
            self.ask(queue::discard(false), cx);
        }
    }

    /// Whether an answer of the intake is awaited.
    pub fn is_sending(&self) -> bool {
        matches!(self.state, State::Sending { .. })
    }

    pub fn replied(&mut self, run: u32, replies: Replies, cx: &mut Cx<'_>) {
        if run != self.run {
            return;
        }
        let result = match &mut self.state {
            State::Sizing => self.found_size(&replies, cx),
            State::Expiring => self.found_expired(replies, cx),
            State::Removing(..) => self.removed(&replies, cx),
            State::Loading(_) => self.loaded(replies, cx),
            State::Idle | State::Writing(_) | State::Sending { .. } => Ok(()),
        };
        if let Err(error) = result {
            self.free_line(cx);
            cx.warnings.warn(self.stream.topic(), &error, cx.now.mono);
            if error == QueueError::LeaseLost {
                cx.holding.doubt();
                self.give_up();
            } else {
                self.history.failed(&error.to_string(), cx.now.mono);
                self.lost();
            }
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
            if self.unstored.is_some() {
                return self.show(payload, cx);
            }
            if !cx.holding.may_release(cx.now.mono) {
                // Another agent may be sending the same.
                return self.give_up();
            }
            let body = std::mem::take(&mut payload.body);
            cx.actions.push(Action::Post(self.stream, body));
            self.state = State::Sending { payload, since: cx.now.mono, acknowledges: true };
        }
    }

    fn found_size(&mut self, replies: &[Value], cx: &mut Cx<'_>) -> Result<(), QueueError> {
        let [size] = replies else {
            return Err(QueueError::Unexpected("the size of a queue"));
        };
        let size = queue::size_of(size).map_err(|error| error.about(self.stream.queue().keys))?;
        self.history.sized(self.stream, size, cx);
        if cx.is_clock_believable() {
            self.stream.note_queued(size, cx.telemetry, cx.now.wall_s);
        }
        if size > 0 || self.has_unstored() {
            self.expire(cx);
        } else {
            self.finish(true);
        }
        Ok(())
    }

    fn expire(&mut self, cx: &mut Cx<'_>) {
        self.state = State::Expiring;
        let cutoff_s = self.stream.cutoff_s(cx.now.wall_s, cx.settings);
        self.ask(queue::expired_keys(self.stream.queue(), cutoff_s, CHUNK_KEYS), cx);
    }

    fn found_expired(&mut self, mut replies: Replies, cx: &mut Cx<'_>) -> Result<(), QueueError> {
        let expired = queue::listed(&mut replies)?;
        let none = expired.keys().next().is_none();
        if self.unstored.is_some() {
            self.load_fresh(none, cx);
        } else if none {
            self.load(Loading::from_queue(self.stream, cx), cx);
        } else {
            let keys = one_by_one(expired.keys());
            self.remove(keys, Why::Dropped("expired"), Then::Expire, cx);
        }
        Ok(())
    }

    fn load(&mut self, mut loading: Loading, cx: &mut Cx<'_>) {
        let request = loading.next_request();
        self.state = State::Loading(loading);
        match request {
            Some(request) => self.ask(request, cx),
            None => self.next_part(cx),
        }
    }

    fn loaded(&mut self, replies: Replies, cx: &mut Cx<'_>) -> Result<(), QueueError> {
        let State::Loading(loading) = &mut self.state else {
            return Ok(());
        };
        if let Next::Ask(request) = loading.received(replies, cx)? {
            self.ask(request, cx);
            return Ok(());
        }
        let loading = std::mem::replace(&mut self.state, State::Idle);
        let State::Loading(mut loading) = loading else {
            return Ok(());
        };
        self.load_unstored(&mut loading, cx);
        let Loading { batch, unusable, reasons, more, .. } = loading;
        // While a refused batch is being split, `more` is what the whole batch left behind.
        self.more |= more;
        let empty = batch.is_empty();
        let writer = Box::new(batch.into_writer());
        if self.unstored.is_some() {
            self.write_text(writer, empty);
        } else if !unusable.is_empty() {
            let then = if empty { Then::NextPart } else { Then::Write(writer) };
            self.remove(unusable, Why::Unusable(reasons), then, cx);
        } else if empty {
            self.next_part(cx);
        } else {
            self.state = State::Writing(writer);
        }
        Ok(())
    }

    fn remove(&mut self, keys: KeyList, why: Why, then: Then, cx: &mut Cx<'_>) {
        self.state = State::Removing(Removal::new(self.stream.queue(), keys, why), then);
        self.remove_next(cx);
    }

    fn removed(&mut self, replies: &[Value], cx: &mut Cx<'_>) -> Result<(), QueueError> {
        if let State::Removing(removal, _) = &mut self.state {
            removal.confirm(replies, cx)?;
            self.remove_next(cx);
        }
        Ok(())
    }

    fn remove_next(&mut self, cx: &mut Cx<'_>) {
        let State::Removing(removal, _) = &mut self.state else {
            return;
        };
        if let Some((request, hold)) = removal.next_request(cx) {
            self.submit(request, hold, cx);
            return;
        }
        let State::Removing(removal, then) = std::mem::replace(&mut self.state, State::Idle) else {
            return;
        };
        if removal.is_expired() {
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
        if cx.stopping || !cx.line.is_up() || !cx.holding.may_release(cx.now.mono) {
            self.finish(!self.more && self.parts.is_empty());
            self.parts.clear();
        } else if let Some(part) = self.parts.pop() {
            self.load(Loading::named(self.stream, part, cx), cx);
        } else if std::mem::take(&mut self.keeps_some) {
            let wait = self.backoff.failed(cx.random);
            self.try_again_in(wait, cx);
        } else if std::mem::take(&mut self.more) {
            // On a slow link, records grow too old while those before them are sent.
            self.expire(cx);
        } else {
            self.finish(true);
        }
    }

    fn finish(&mut self, delivered: bool) {
        self.state = State::Idle;
        self.more = false;
        self.keeps_some = false;
        self.last_run_delivered = delivered;
        if delivered {
            self.history.well();
        }
    }

    fn ask(&self, request: Request, cx: &mut Cx<'_>) {
        self.submit(request, Hold::Free, cx);
    }

    fn submit(&self, request: Request, hold: Hold, cx: &mut Cx<'_>) {
        cx.line.submit(Owner::Release(self.stream, self.run), request, hold, cx.actions);
    }
}
