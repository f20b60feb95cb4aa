//! From the raw queue to the wrapped one: claim, read in chunks, merge, commit bucket by bucket.
//!
//! ```text
//! survey ─► watch ─► claim ─► read ⇄ commit … ─► last commit removes the claim
//!    └── a claim is left from before ──┘
//! ```
//!
//! Claim and commits are carried out only while this agent holds the lease.
//! Any refusal or a lost connection gives the run up. What was claimed stays in Redis and is finished by
//! the next run, so each record is stored exactly once: with its bucket's commit, or put back.
//!
//! A dry run claims nothing. It looks at what is claimed and at what is raw, and keeps what a commit would store.

use super::Cx;
use super::lease;
use super::line::{Hold, Owner};
use super::reading::{self, Reading};
use crate::ingest::record::RecordParser;
use crate::protocol::redis::{Replies, Request, Value};
use crate::queue::{self, CLAIMED_METRICS, Entry, Queue, QueueError, RAW_METRICS};

#[derive(Default)]
pub(super) struct Flusher {
    run: u32,
    state: State,
    failed: bool,
    parser: RecordParser,
    /// What a dry run would store.
    shown: Vec<Entry>,
}

#[derive(Default)]
enum State {
    #[default]
    Idle,
    Surveying,
    Watching,
    Claiming,
    Reading(Box<Reading>),
    Looking(Queue, Box<Reading>),
}

impl Flusher {
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Whether the last run was given up.
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// Begins a run, unless one is under way, Redis is away or another agent is at it.
    pub fn start(&mut self, cx: &mut Cx<'_>) {
        if self.is_idle() && cx.line.is_up() && cx.holding.is_looking() {
            self.failed = false;
            self.look_at(CLAIMED_METRICS, cx);
        } else if self.is_idle() && cx.line.is_up() && cx.holding.is_held(cx.now.mono) {
            self.run = self.run.wrapping_add(1);
            self.state = State::Surveying;
            self.failed = false;
            self.submit(queue::survey(lease::lasts(cx.settings)), Hold::Free, cx);
        }
    }

    /// The connection is gone: gives the run up.
    pub fn lost(&mut self) {
        self.run = self.run.wrapping_add(1);
        self.state = State::Idle;
    }

    pub fn replied(&mut self, run: u32, replies: Replies, cx: &mut Cx<'_>) {
        if run != self.run {
            return;
        }
        let result = match &mut self.state {
            State::Idle => Ok(()),
            State::Surveying => self.surveyed(&replies, cx),
            State::Watching => self.watched(&replies, cx),
            State::Claiming => self.claimed(&replies, cx),
            State::Reading(_) => self.read_or_committed(replies, cx),
            State::Looking(_, reading) => reading.replied(replies, cx).map(|_| self.go_on(cx)),
        };
        if let Err(error) = result {
            self.give_up(&error, cx);
        }
    }

    /// Whether [`Flusher::work`] has something to do.
    pub fn has_work(&self) -> bool {
        matches!(&self.state, State::Reading(reading) | State::Looking(_, reading) if reading.has_work())
    }

    /// Aggregates up to one chunk of records, to the end of a bucket at most.
    pub fn work(&mut self, cx: &mut Cx<'_>) {
        match &mut self.state {
            State::Reading(reading) if cx.stopping && reading.is_between_buckets() => self.lost(),
            State::Reading(reading) => {
                reading.work(&mut self.parser, cx);
                self.go_on(cx);
            }
            State::Looking(..) => self.look(cx),
            _ => {}
        }
    }

    fn look_at(&mut self, queue: Queue, cx: &mut Cx<'_>) {
        let (reading, request) = Reading::look_at(queue, cx);
        self.state = State::Looking(queue, Box::new(reading));
        self.submit(request, Hold::Free, cx);
    }

    /// Goes on with what is raw after what is claimed, until a release has enough.
    fn look(&mut self, cx: &mut Cx<'_>) {
        let State::Looking(queue, reading) = &mut self.state else { return };
        reading.work(&mut self.parser, cx);
        if !reading.is_over() && reading.shown() < cx.settings.metrics_bulk_size {
            return self.go_on(cx);
        }
        reading.report(cx);
        self.shown.extend(reading.take_shown());
        let goes_on = *queue == CLAIMED_METRICS && self.shown.len() < cx.settings.metrics_bulk_size;
        self.lost();
        if goes_on && !cx.stopping {
            self.look_at(RAW_METRICS, cx);
        }
    }

    /// What a dry run would have stored.
    pub fn take_shown(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.shown)
    }

    fn surveyed(&mut self, replies: &[Value], cx: &mut Cx<'_>) -> Result<(), QueueError> {
        let survey = queue::survey_of(replies)?;
        cx.past.surveyed(survey.raw);
        if cx.stopping {
            self.state = State::Idle;
        } else if survey.claimed != (0, 0) {
            log::info!("aggregation: finishing a claim of {} records that was left", survey.claimed.0);
            self.begin_reading(false, cx);
        } else if survey.oldest_raw_s.is_some_and(|oldest| oldest < reading::open_from_s(cx)) {
            self.state = State::Watching;
            self.submit(queue::watch_claim(lease::lasts(cx.settings)), Hold::Keep, cx);
        } else {
            cx.warnings.recovered("aggregation");
            cx.past.flushed(0, 0, cx.now.mono);
            self.state = State::Idle;
        }
        Ok(())
    }

    fn watched(&mut self, replies: &[Value], cx: &mut Cx<'_>) -> Result<(), QueueError> {
        if queue::claims_there(replies, cx.holding.name())? > 0 {
            return Err(QueueError::Touched);
        }
        self.state = State::Claiming;
        self.submit(queue::claim(), Hold::Free, cx);
        Ok(())
    }

    fn claimed(&mut self, replies: &[Value], cx: &mut Cx<'_>) -> Result<(), QueueError> {
        match queue::claimed_now(replies)? {
            (false, false) => {
                cx.past.flushed(0, 0, cx.now.mono);
                self.state = State::Idle;
            }
            _ => self.begin_reading(true, cx),
        }
        Ok(())
    }

    fn begin_reading(&mut self, fresh: bool, cx: &mut Cx<'_>) {
        let (reading, request) = Reading::begin(fresh, cx);
        self.state = State::Reading(Box::new(reading));
        self.submit(request, Hold::Free, cx);
    }

    fn read_or_committed(&mut self, replies: Replies, cx: &mut Cx<'_>) -> Result<(), QueueError> {
        let State::Reading(reading) = &mut self.state else { return Ok(()) };
        let committed = reading.replied(replies, cx)?;
        if committed && (reading.is_over() || cx.stopping) {
            reading.report(cx);
            cx.warnings.recovered("aggregation");
            self.state = State::Idle;
        }
        self.go_on(cx);
        Ok(())
    }

    fn go_on(&mut self, cx: &mut Cx<'_>) {
        if let State::Reading(reading) | State::Looking(_, reading) = &mut self.state
            && let Some((request, hold)) = reading.next_request(cx)
        {
            self.submit(request, hold, cx);
        }
    }

    /// The lease is this agent's anew: another one may have finished what this one had read of a claim.
    pub fn new_term(&mut self, cx: &mut Cx<'_>) {
        self.free_line(cx);
        self.lost();
        self.start(cx);
    }

    fn free_line(&self, cx: &mut Cx<'_>) {
        let open = match &self.state {
            State::Watching => Some(false),
            State::Reading(reading) => reading.holds_line(),
            _ => None,
        };
        if let Some(in_transaction) = open {
            self.submit(queue::discard(in_transaction), Hold::Free, cx);
        }
    }

    fn give_up(&mut self, error: &QueueError, cx: &mut Cx<'_>) {
        self.free_line(cx);
        if *error == QueueError::LeaseLost {
            cx.holding.doubt();
        }
        self.lost();
        self.failed = true;
        cx.past.flush_failed(&error.to_string());
        cx.warnings.warn("aggregation", error, cx.now.mono);
    }

    fn submit(&self, request: Request, hold: Hold, cx: &mut Cx<'_>) {
        cx.line.submit(Owner::Flush(self.run), request, hold, cx.actions);
    }
}
