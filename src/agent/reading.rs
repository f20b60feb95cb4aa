//! A claim being read: chunk by chunk, bucket by bucket.
//!
//! A bucket ends where the next record belongs to another one; then a [`Commit`] stores it, and reading waits for that.

use std::rc::Rc;
use std::time::Instant;

use super::Cx;
use super::commit::Commit;
use super::fetching::{Fetching, Record};
use super::line::Hold;
use crate::aggregate::{Bucket, SampleError, Wrapper, bucket_of};
use crate::ingest::record::RecordParser;
use crate::limits::{CHUNK_KEYS, FLUSH_DELAY_S, STAMP_OFF_S_MAX, STORE_BYTES_MAX};
use crate::protocol::redis::{Found, Replies, Request};
use crate::queue::{CLAIMED_METRICS, Entry, Queue, QueueError, Records};
use crate::telemetry::Counters;

/// Bytes of a key that a log line shows.
const KEY_BYTES_SHOWN: usize = 64;

/// See the module.
pub(super) struct Reading {
    interval_s: u32,
    /// The wrapper the run began with: accumulators of one are nothing to another.
    wrapper: Rc<dyn Wrapper>,
    /// Records from here on belong to buckets that are still open.
    open_from_s: f64,
    started: Instant,
    /// Values the claim holds, for a claim of this run; of an older one some are committed already.
    claimed_values: Option<u64>,
    values_found: u64,
    fetching: Fetching,
    bucket: Bucket,
    bucket_index: Option<i64>,
    /// Records taken from `ready` since the last commit.
    taken: u64,
    returning: Records,
    drops: Counters,
    /// What the commit under way drops.
    dropping: Counters,
    commit: Option<Commit>,
    /// What would be stored, where nothing may be.
    shown: Option<Vec<Entry>>,
    totals: Totals,
}

#[derive(Default)]
struct Totals {
    records: u64,
    buckets: u64,
    series: u64,
    returned: u64,
    dropped: u64,
}

/// The beginning of the oldest bucket that is still open.
pub(super) fn open_from_s(cx: &Cx<'_>) -> f64 {
    /// A timer may fire a little early.
    const TOLERANCE_S: f64 = 0.25;
    let interval = f64::from(cx.settings.aggregate_interval_s);
    let closed_until = cx.now.wall_s - f64::from(FLUSH_DELAY_S) + TOLERANCE_S;
    (closed_until / interval).floor() * interval
}

impl Reading {
    /// Begins to read a claim; a fresh one was made by this run. Gives the first request too.
    pub fn begin(fresh: bool, cx: &Cx<'_>) -> (Reading, Request) {
        Reading::of(CLAIMED_METRICS, fresh, None, cx)
    }

    /// Begins to look at a queue, which stays as it is; see [`Reading::take_shown`].
    pub fn look_at(queue: Queue, cx: &Cx<'_>) -> (Reading, Request) {
        Reading::of(queue, true, Some(Vec::new()), cx)
    }

    fn of(queue: Queue, fresh: bool, shown: Option<Vec<Entry>>, cx: &Cx<'_>) -> (Reading, Request) {
        let (fetching, request) = Fetching::begin(queue);
        let reading = Reading {
            interval_s: cx.settings.aggregate_interval_s,
            wrapper: Rc::clone(&cx.settings.wrapper),
            open_from_s: open_from_s(cx),
            started: cx.now.mono,
            claimed_values: fresh.then_some(0),
            values_found: 0,
            fetching,
            bucket: Bucket::default(),
            bucket_index: None,
            taken: 0,
            returning: Records::default(),
            drops: Counters::new(),
            dropping: Counters::new(),
            commit: None,
            shown,
            totals: Totals::default(),
        };
        (reading, request)
    }

    /// Whether [`Reading::work`] has something to do.
    pub fn has_work(&self) -> bool {
        self.commit.is_none() && (self.fetching.is_ready() || self.fetching.is_finished())
    }

    /// Nothing was taken that is not committed.
    pub fn is_between_buckets(&self) -> bool {
        self.taken == 0 && self.commit.is_none()
    }

    /// The claim was removed by the last commit.
    pub fn is_over(&self) -> bool {
        self.fetching.is_finished() && self.is_between_buckets()
    }

    /// How much a look at a queue has led to.
    pub fn shown(&self) -> usize {
        self.shown.as_ref().map_or(0, Vec::len)
    }

    /// What it has led to.
    pub fn take_shown(&mut self) -> Vec<Entry> {
        self.shown.take().unwrap_or_default()
    }

    /// Whether the line is held: by a transaction (true) or a watch.
    pub fn holds_line(&self) -> Option<bool> {
        self.commit.as_ref().and_then(Commit::holds_line)
    }

    /// Aggregates up to one chunk of records, to the end of a bucket at most.
    pub fn work(&mut self, parser: &mut RecordParser, cx: &mut Cx<'_>) {
        if self.commit.is_some() {
            return;
        }
        let mut budget = CHUNK_KEYS;
        while let Some(mut chunk) = self.fetching.take_chunk() {
            while let Some(record) = chunk.front()
                && budget > 0
                && !self.must_commit_before(Some(record.score_s))
            {
                self.take(record, parser, cx);
                chunk.pass();
                budget -= 1;
            }
            let is_left = chunk.front().is_some();
            self.fetching.give_back(chunk);
            if is_left {
                break;
            }
        }
        if self.must_commit_before(self.fetching.next_score_s()) || self.fetching.is_finished() {
            self.begin_commit(cx);
        }
    }

    /// Takes replies; true when they carried out a commit. They come in order: those of a commit only after
    /// those of the read that was sent before it.
    pub fn replied(&mut self, replies: Replies, cx: &mut Cx<'_>) -> Result<bool, QueueError> {
        if self.fetching.is_waiting() {
            let size = self.fetching.received(replies)?;
            self.claimed_values = self.claimed_values.map(|known| size.unwrap_or(known));
            return Ok(false);
        }
        let Some(commit) = &mut self.commit else { return Ok(false) };
        let committed = commit.confirm(&replies, cx.holding.name())?;
        if committed {
            self.committed(cx);
        }
        Ok(committed)
    }

    /// What can be sent: the next piece of a commit, else the request for the next chunk.
    pub fn next_request(&mut self, cx: &mut Cx<'_>) -> Option<(Request, Hold)> {
        let Some(commit) = &mut self.commit else {
            return self.fetching.next_request().map(|request| (request, Hold::Free));
        };
        if !commit.wants_to_send() || self.fetching.is_waiting() {
            return None;
        }
        let (request, hold) = commit.next_request(&*self.wrapper, self.interval_s, cx);
        if hold == Hold::Free {
            self.fetching.removed += commit.records;
        }
        Some((request, hold))
    }

    /// Whether the bucket has to be stored before a record of that score, if there is one.
    fn must_commit_before(&self, score_s: Option<f64>) -> bool {
        let full = self.bucket.is_full()
            || self.returning.len() >= CHUNK_KEYS
            || self.returning.bytes() >= STORE_BYTES_MAX;
        let next_bucket = score_s.and_then(|score_s| self.closed_bucket(score_s));
        full || matches!((self.bucket_index, next_bucket), (Some(now), Some(next)) if now != next)
    }

    /// The bucket of a record, if it is over.
    #[inline(always)]
    fn closed_bucket(&self, score_s: f64) -> Option<i64> {
        (score_s < self.open_from_s && score_s.is_finite()).then(|| bucket_of(score_s, self.interval_s))
    }

    fn take(&mut self, record: Record<'_>, parser: &mut RecordParser, cx: &mut Cx<'_>) {
        let Record { key, score_s, value } = record;
        self.taken += 1;
        // The value of a key that is too long to be named is taken to be there.
        self.values_found += u64::from(value != Found::Nothing || key.is_none());
        let (key, value) = match (key, value) {
            (Some(key), Found::Value(value)) => (key, value),
            (Some(_), Found::Nothing | Found::Later) => return self.drop_record("key_without_value"),
            (Some(_), Found::TooLong) | (None, _) => return self.drop_record("too_large"),
        };
        if !score_s.is_finite() {
            return self.drop_record("not_finite");
        }
        let Some(index) = self.closed_bucket(score_s) else {
            self.returning.push(key, score_s, value);
            return;
        };
        self.bucket_index = Some(index);
        let mut sample = match parser.parse(value, score_s) {
            Ok(sample) => sample,
            Err(error) => return self.unreadable(key, &error, error.reason(), cx),
        };
        // The oldest sample stamps the whole context: one of 1970 would take its neighbours along.
        if (sample.timestamp - score_s).abs() > STAMP_OFF_S_MAX {
            sample.timestamp = score_s;
        }
        match self.bucket.add(&sample, &*self.wrapper) {
            Ok(()) => {}
            Err(wanted @ SampleError::Ruled) => self.drop_record(wanted.reason()),
            Err(error) => self.unreadable(key, &error, error.reason(), cx),
        }
    }

    fn unreadable(
        &mut self,
        key: &[u8],
        error: &dyn std::error::Error,
        reason: &'static str,
        cx: &mut Cx<'_>,
    ) {
        log::debug!("record {}: {error}", shown_key(key));
        cx.warnings.warn(
            "unusable records",
            &format_args!("such as {error}; they are dropped, each told of with LOG_LEVEL=DEBUG"),
            cx.now.mono,
        );
        self.drop_record(reason);
    }

    fn drop_record(&mut self, reason: &'static str) {
        *self.drops.entry(reason.into()) += 1;
    }

    fn begin_commit(&mut self, cx: &mut Cx<'_>) {
        let last = self.fetching.is_finished();
        if let (true, Some(claimed)) = (last, self.claimed_values)
            && claimed > self.values_found
        {
            *self.drops.entry("value_without_key".into()) = claimed - self.values_found;
        }
        let drops = std::mem::take(&mut self.drops);
        self.dropping = drops.clone();
        self.totals.dropped += drops.iter().map(|(_, count)| count).sum::<u64>();
        self.totals.buckets += u64::from(self.bucket_index.take().is_some());
        if self.shown.is_some() {
            return self.show(drops, cx);
        }
        self.commit = Some(Commit::new(
            self.bucket.take_contexts(),
            std::mem::take(&mut self.returning),
            cx.told_of(drops),
            std::mem::take(&mut self.taken),
            last,
        ));
    }

    /// What a commit would store. What it would put back stays where it is.
    fn show(&mut self, drops: Counters, cx: &mut Cx<'_>) {
        self.returning = Records::default();
        self.totals.records += std::mem::take(&mut self.taken);
        let mut contexts = self.bucket.take_contexts();
        let mut shown = self.shown.take().unwrap_or_default();
        let told = shown.len();
        let mut show = |series| shown.push(cx.ids.entry(&series));
        while contexts.wrap_next(&*self.wrapper, self.interval_s, &mut show).is_some() {}
        self.totals.series += (shown.len() - told) as u64;
        shown.extend(cx.told_of(drops).0);
        self.shown = Some(shown);
    }

    fn committed(&mut self, cx: &mut Cx<'_>) {
        let Some(commit) = self.commit.take() else {
            return;
        };
        cx.past.flush_may_wait(cx.now.mono);
        self.totals.records += commit.records - commit.returned;
        self.totals.returned += commit.returned;
        self.totals.series += commit.series;
        cx.telemetry.dropped("not_finite", commit.not_finite);
        cx.telemetry.told(&self.dropping, &commit.untold);
    }

    /// One line about what was done, if anything was.
    pub fn report(&self, cx: &mut Cx<'_>) {
        let Totals { records, buckets, series, returned, dropped } = self.totals;
        cx.past.flushed(records, series, cx.now.mono);
        let took = cx.now.mono.saturating_duration_since(self.started);
        if records > 0 {
            log::info!(
                "aggregated {records} records of {buckets} intervals into {series} series in {took:.1?}, {dropped} dropped"
            );
        }
        log::debug!("{returned} records of an interval that is not over were put back");
    }
}

/// A key as a log line may show it.
fn shown_key(key: &[u8]) -> String {
    key.iter().take(KEY_BYTES_SHOWN).flat_map(|byte| byte.escape_ascii()).map(char::from).collect()
}
