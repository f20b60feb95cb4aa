//! From the raw queue to the wrapped one: claim, read in chunks, merge, commit bucket by bucket.
//!
//! ```text
//! survey ─► watch ─► claim ─► read ⇄ commit … ─► last commit removes the claim
//!    └── a claim is left from before ──┘
//! ```
//!
//! Any refusal or a lost connection gives the run up. What was claimed stays in Redis and is finished by
//! the next run, so each record is stored exactly once: with its bucket's commit, or put back.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use super::Cx;
use super::commit::Commit;
use super::line::{Hold, Owner};
use crate::aggregate::{Bucket, Wrapper, bucket_of};
use crate::ingest::record::RecordParser;
use crate::limits::{CHUNK_KEYS, FLUSH_DELAY_S};
use crate::protocol::redis::{Request, Value};
use crate::queue::{self, QueueError, Scored};
use crate::telemetry::Counters;

#[derive(Default)]
pub(super) struct Flusher {
    run: u32,
    state: State,
    failed: bool,
    parser: RecordParser,
}

#[derive(Default)]
enum State {
    #[default]
    Idle,
    Surveying,
    Watching,
    Claiming,
    Reading(Box<Reading>),
}

/// A claim being read.
struct Reading {
    interval_s: u32,
    /// The wrapper the run began with: accumulators of one are nothing to another.
    wrapper: Rc<dyn Wrapper>,
    /// Records from here on belong to buckets that are still open.
    open_from_s: f64,
    started: Instant,
    /// Values the claim holds, for a claim of this run; of an older one some are committed already.
    claimed_values: Option<u64>,
    values_found: u64,
    /// How many keys were asked for, and how many of them transactions have removed.
    asked: u64,
    removed: u64,
    awaiting: Awaiting,
    /// Keys whose values were not asked for yet.
    next_keys: Vec<Scored>,
    ready: VecDeque<(Scored, Option<Vec<u8>>)>,
    at_end: bool,
    bucket: Bucket,
    bucket_index: Option<i64>,
    /// Records taken from `ready` since the last commit.
    taken: u64,
    returning: Vec<(Scored, Vec<u8>)>,
    drops: Counters,
    commit: Option<Commit>,
    totals: Totals,
}

#[derive(PartialEq)]
enum Awaiting {
    Nothing,
    /// The first keys, with the number of values before them.
    Keys,
    /// The values of these keys, and the keys after them.
    Chunk(Vec<Scored>),
}

#[derive(Default)]
struct Totals {
    records: u64,
    buckets: u64,
    series: u64,
    returned: u64,
    dropped: u64,
}

impl Flusher {
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Whether the last run was given up.
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// Begins a run, unless one is under way or Redis is away.
    pub fn start(&mut self, cx: &mut Cx<'_>) {
        if self.is_idle() && cx.line.is_up() {
            self.run = self.run.wrapping_add(1);
            self.state = State::Surveying;
            self.failed = false;
            self.submit(queue::survey(), Hold::Free, cx);
        }
    }

    /// The connection is gone: gives the run up.
    pub fn lost(&mut self) {
        self.run = self.run.wrapping_add(1);
        self.state = State::Idle;
    }

    pub fn replied(&mut self, run: u32, replies: Vec<Value>, cx: &mut Cx<'_>) {
        if run != self.run {
            return;
        }
        let result = match &mut self.state {
            State::Idle => Ok(()),
            State::Surveying => self.surveyed(&replies, cx),
            State::Watching => self.watched(&replies, cx),
            State::Claiming => self.claimed(&replies, cx),
            State::Reading(_) => self.read_or_committed(replies, cx),
        };
        if let Err(error) = result {
            self.give_up(&error, cx);
        }
    }

    /// Whether [`Flusher::work`] has something to do.
    pub fn has_work(&self) -> bool {
        match &self.state {
            State::Reading(r) => r.commit.is_none() && (!r.ready.is_empty() || r.is_finished()),
            _ => false,
        }
    }

    /// Aggregates up to one chunk of records, to the end of a bucket at most.
    pub fn work(&mut self, cx: &mut Cx<'_>) {
        let State::Reading(reading) = &mut self.state else {
            return;
        };
        if reading.commit.is_some() {
            return;
        }
        if cx.stopping && reading.taken == 0 {
            self.lost();
            return;
        }
        for _ in 0..CHUNK_KEYS {
            if reading.must_commit_before_next() {
                break;
            }
            let Some((scored, value)) = reading.ready.pop_front() else {
                break;
            };
            reading.take(scored, value, &mut self.parser, cx);
        }
        if reading.must_commit_before_next() || reading.is_finished() {
            reading.begin_commit(cx);
        }
        self.go_on(cx);
    }

    fn surveyed(&mut self, replies: &[Value], cx: &mut Cx<'_>) -> Result<(), QueueError> {
        let survey = queue::survey_of(replies)?;
        cx.warnings.recovered("aggregation");
        if cx.stopping {
            self.state = State::Idle;
        } else if survey.claimed != (0, 0) {
            log::info!("aggregation: finishing a claim of {} records that was left", survey.claimed.0);
            self.begin_reading(false, cx);
        } else if survey.oldest_raw_s.is_some_and(|oldest| oldest < open_from_s(cx)) {
            self.state = State::Watching;
            self.submit(queue::watch_claim(), Hold::Keep, cx);
        } else {
            self.state = State::Idle;
        }
        Ok(())
    }

    fn watched(&mut self, replies: &[Value], cx: &mut Cx<'_>) -> Result<(), QueueError> {
        if queue::exists(replies)? > 0 {
            return Err(QueueError::Touched);
        }
        self.state = State::Claiming;
        self.submit(queue::claim(), Hold::Free, cx);
        Ok(())
    }

    fn claimed(&mut self, replies: &[Value], cx: &mut Cx<'_>) -> Result<(), QueueError> {
        match queue::claimed_now(replies)? {
            (false, false) => self.state = State::Idle,
            _ => self.begin_reading(true, cx),
        }
        Ok(())
    }

    fn begin_reading(&mut self, fresh: bool, cx: &mut Cx<'_>) {
        let mut reading = Box::new(Reading::new(fresh, cx));
        let request = reading.first_keys();
        self.state = State::Reading(reading);
        self.submit(request, Hold::Free, cx);
    }

    fn read_or_committed(&mut self, replies: Vec<Value>, cx: &mut Cx<'_>) -> Result<(), QueueError> {
        let State::Reading(reading) = &mut self.state else {
            return Ok(());
        };
        // Replies come in order: those of a commit only after those of the read sent before it.
        if reading.awaiting != Awaiting::Nothing {
            reading.received(replies)?;
        } else if let Some(commit) = &mut reading.commit
            && commit.confirm(&replies)?
        {
            reading.committed(cx);
            if reading.at_end_of_claim() || cx.stopping {
                reading.report(cx);
                self.state = State::Idle;
                return Ok(());
            }
        }
        self.go_on(cx);
        Ok(())
    }

    /// Sends what can be sent: the next piece of a commit, else the request for the next chunk.
    fn go_on(&mut self, cx: &mut Cx<'_>) {
        let State::Reading(reading) = &mut self.state else {
            return;
        };
        let next = match &mut reading.commit {
            Some(commit) if commit.wants_to_send() && reading.awaiting == Awaiting::Nothing => {
                let (request, hold) = commit.next_request(&*reading.wrapper, reading.interval_s, cx.ids);
                if hold == Hold::Free {
                    reading.removed += commit.records;
                }
                Some((request, hold))
            }
            Some(_) => None,
            None => reading.next_chunk().map(|request| (request, Hold::Free)),
        };
        if let Some((request, hold)) = next {
            self.submit(request, hold, cx);
        }
    }

    fn give_up(&mut self, error: &QueueError, cx: &mut Cx<'_>) {
        let open = match &self.state {
            State::Watching => Some(false),
            State::Reading(r) if r.commit.as_ref().is_some_and(Commit::is_open) => Some(true),
            _ => None,
        };
        if let Some(in_transaction) = open {
            self.submit(queue::discard(in_transaction), Hold::Free, cx);
        }
        self.lost();
        self.failed = true;
        cx.warnings.warn("aggregation", error, cx.now.mono);
    }

    fn submit(&self, request: Request, hold: Hold, cx: &mut Cx<'_>) {
        cx.line.submit(Owner::Flush(self.run), request, hold, cx.actions);
    }
}

/// The beginning of the oldest bucket that is still open.
fn open_from_s(cx: &Cx<'_>) -> f64 {
    /// A timer may fire a little early.
    const TOLERANCE_S: f64 = 0.25;
    let interval = f64::from(cx.settings.aggregate_interval_s);
    let closed_until = cx.now.wall_s - f64::from(FLUSH_DELAY_S) + TOLERANCE_S;
    (closed_until / interval).floor() * interval
}

impl Reading {
    fn new(fresh: bool, cx: &Cx<'_>) -> Reading {
        Reading {
            interval_s: cx.settings.aggregate_interval_s,
            wrapper: Rc::clone(&cx.settings.wrapper),
            open_from_s: open_from_s(cx),
            started: cx.now.mono,
            claimed_values: fresh.then_some(0),
            values_found: 0,
            asked: 0,
            removed: 0,
            awaiting: Awaiting::Nothing,
            next_keys: Vec::new(),
            ready: VecDeque::new(),
            at_end: false,
            bucket: Bucket::default(),
            bucket_index: None,
            taken: 0,
            returning: Vec::new(),
            drops: Counters::new(),
            commit: None,
            totals: Totals::default(),
        }
    }

    fn first_keys(&mut self) -> Request {
        self.awaiting = Awaiting::Keys;
        let mut request = queue::claimed_size();
        self.ask_for_keys(&mut request);
        request
    }

    fn ask_for_keys(&mut self, request: &mut Request) {
        queue::read_keys(request, self.asked - self.removed, CHUNK_KEYS);
        self.asked += CHUNK_KEYS as u64;
    }

    /// One chunk is fetched while the one before is aggregated.
    fn next_chunk(&mut self) -> Option<Request> {
        let wanted = self.awaiting == Awaiting::Nothing && self.ready.len() <= CHUNK_KEYS;
        if !wanted || self.next_keys.is_empty() {
            return None;
        }
        let keys = std::mem::take(&mut self.next_keys);
        let mut request = Request::new();
        queue::read_chunk(&mut request, &keys);
        self.ask_for_keys(&mut request);
        self.awaiting = Awaiting::Chunk(keys);
        Some(request)
    }

    fn received(&mut self, mut replies: Vec<Value>) -> Result<(), QueueError> {
        const WHAT: QueueError = QueueError::Unexpected("a chunk");
        let keys_after = queue::scored_members(&replies.pop().ok_or(WHAT)?)?;
        let first = replies.pop().ok_or(WHAT)?;
        match std::mem::replace(&mut self.awaiting, Awaiting::Nothing) {
            Awaiting::Nothing => return Err(WHAT),
            Awaiting::Keys => {
                let size = queue::size_of(&first)?;
                self.claimed_values = self.claimed_values.map(|_| size);
            }
            Awaiting::Chunk(keys) => {
                let values = queue::values_of(first, keys.len())?;
                self.ready.extend(keys.into_iter().zip(values));
            }
        }
        self.at_end = keys_after.is_empty();
        self.next_keys = keys_after;
        Ok(())
    }

    /// All records of the claim were taken.
    fn is_finished(&self) -> bool {
        self.at_end && self.ready.is_empty() && self.awaiting == Awaiting::Nothing
    }

    /// The claim was removed by the last commit.
    fn at_end_of_claim(&self) -> bool {
        self.is_finished() && self.taken == 0 && self.commit.is_none()
    }

    fn must_commit_before_next(&self) -> bool {
        let full = self.bucket.is_full() || self.returning.len() >= CHUNK_KEYS;
        let next_bucket = self.ready.front().and_then(|(scored, _)| self.closed_bucket(scored));
        full || matches!((self.bucket_index, next_bucket), (Some(now), Some(next)) if now != next)
    }

    /// The bucket of a record, if it is over.
    fn closed_bucket(&self, scored: &Scored) -> Option<i64> {
        (scored.score_s < self.open_from_s && scored.score_s.is_finite())
            .then(|| bucket_of(scored.score_s, self.interval_s))
    }

    fn take(&mut self, scored: Scored, value: Option<Vec<u8>>, parser: &mut RecordParser, cx: &mut Cx<'_>) {
        self.taken += 1;
        self.values_found += u64::from(value.is_some());
        let Some(value) = value else {
            return self.drop_record("key_without_value");
        };
        if !scored.score_s.is_finite() {
            return self.drop_record("not_finite");
        }
        let Some(index) = self.closed_bucket(&scored) else {
            self.returning.push((scored, value));
            return;
        };
        self.bucket_index = Some(index);
        let sample = match parser.parse(&value, scored.score_s) {
            Ok(sample) => sample,
            Err(error) => return self.unreadable(&scored, &error, error.reason(), cx),
        };
        if let Err(error) = self.bucket.add(&sample, &*self.wrapper) {
            self.unreadable(&scored, &error, error.reason(), cx);
        }
    }

    fn unreadable(
        &mut self,
        scored: &Scored,
        error: &dyn std::error::Error,
        reason: &'static str,
        cx: &mut Cx<'_>,
    ) {
        log::debug!("record {}: {error}", String::from_utf8_lossy(&scored.member));
        cx.warnings.warn("unusable records", &format_args!("such as {error}; they are dropped"), cx.now.mono);
        self.drop_record(reason);
    }

    fn drop_record(&mut self, reason: &'static str) {
        *self.drops.entry(reason).or_default() += 1;
    }

    fn begin_commit(&mut self, cx: &mut Cx<'_>) {
        let last = self.is_finished();
        if let (true, Some(claimed)) = (last, self.claimed_values)
            && claimed > self.values_found
        {
            self.drops.insert("value_without_key", claimed - self.values_found);
        }
        let drops = std::mem::take(&mut self.drops);
        self.totals.dropped += drops.values().sum::<u64>();
        self.commit = Some(Commit::new(
            std::mem::take(&mut self.bucket).into_contexts(),
            std::mem::take(&mut self.returning),
            cx.told_of(&drops),
            std::mem::take(&mut self.taken),
            last,
        ));
        self.totals.buckets += u64::from(self.bucket_index.take().is_some());
    }

    fn committed(&mut self, cx: &mut Cx<'_>) {
        let Some(commit) = self.commit.take() else {
            return;
        };
        self.totals.records += commit.records - commit.returned;
        self.totals.returned += commit.returned;
        self.totals.series += commit.series;
        cx.telemetry.dropped("not_finite", commit.not_finite);
    }

    fn report(&self, cx: &Cx<'_>) {
        let Totals { records, buckets, series, returned, dropped } = self.totals;
        let took = cx.now.mono.saturating_duration_since(self.started);
        if records > 0 {
            log::info!(
                "aggregated {records} records of {buckets} intervals into {series} series in {took:.1?}, {dropped} dropped"
            );
        }
        log::debug!("{returned} records of an interval that is not over were put back");
    }
}
