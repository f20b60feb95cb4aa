//! A claim being read: chunk by chunk, bucket by bucket.
//!
//! One chunk is fetched while the one before is aggregated. A bucket ends where the next record belongs to
//! another one; then a [`Commit`] stores it, and reading waits for that.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use super::Cx;
use super::commit::Commit;
use super::line::Hold;
use crate::aggregate::{Bucket, Wrapper, bucket_of};
use crate::ingest::record::RecordParser;
use crate::limits::{
    CHUNK_KEYS, FIRST_CHUNK_KEYS, FLUSH_DELAY_S, RECORD_BYTES_MAX, STAMP_OFF_S_MAX, STORE_BYTES_MAX,
};
use crate::protocol::redis::{Request, Value};
use crate::queue::{self, CLAIMED_METRICS, Found, QueueError, Returned, Scored};
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
    /// How many keys were asked for, and how many of them transactions have removed.
    asked: u64,
    removed: u64,
    awaiting: Awaiting,
    /// Keys whose values were not asked for yet.
    next_keys: Vec<Scored>,
    /// How many values are asked for at once; few where they are long.
    chunk_keys: usize,
    ready: VecDeque<(Scored, Found)>,
    at_end: bool,
    bucket: Bucket,
    bucket_index: Option<i64>,
    /// Records taken from `ready` since the last commit.
    taken: u64,
    returning: Vec<Returned>,
    returning_bytes: usize,
    drops: Counters,
    commit: Option<Commit>,
    totals: Totals,
}

#[derive(PartialEq)]
enum Awaiting {
    Nothing,
    /// The first keys, with the number of values before them.
    Keys,
    /// The values of these keys; and the keys after them, where those are asked for.
    Chunk {
        keys: Vec<Scored>,
        lists: bool,
    },
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
            awaiting: Awaiting::Keys,
            next_keys: Vec::new(),
            chunk_keys: FIRST_CHUNK_KEYS,
            ready: VecDeque::new(),
            at_end: false,
            bucket: Bucket::default(),
            bucket_index: None,
            taken: 0,
            returning: Vec::new(),
            returning_bytes: 0,
            drops: Counters::new(),
            commit: None,
            totals: Totals::default(),
        }
    }

    /// Begins to read a claim; a fresh one was made by this run. Gives the first request too.
    pub fn begin(fresh: bool, cx: &Cx<'_>) -> (Reading, Request) {
        let mut reading = Reading::new(fresh, cx);
        let mut request = queue::claimed_size();
        reading.ask_for_keys(&mut request);
        (reading, request)
    }

    /// Whether [`Reading::work`] has something to do.
    pub fn has_work(&self) -> bool {
        self.commit.is_none() && (!self.ready.is_empty() || self.is_finished())
    }

    /// Nothing was taken that is not committed.
    pub fn is_between_buckets(&self) -> bool {
        self.taken == 0 && self.commit.is_none()
    }

    /// The claim was removed by the last commit.
    pub fn is_over(&self) -> bool {
        self.is_finished() && self.is_between_buckets()
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
        for _ in 0..CHUNK_KEYS {
            if self.must_commit_before_next() {
                break;
            }
            let Some((scored, value)) = self.ready.pop_front() else { break };
            self.take(scored, value, parser, cx);
        }
        if self.must_commit_before_next() || self.is_finished() {
            self.begin_commit(cx);
        }
    }

    /// Takes replies; true when they carried out a commit. They come in order: those of a commit only after
    /// those of the read that was sent before it.
    pub fn replied(&mut self, replies: Vec<Value>, cx: &mut Cx<'_>) -> Result<bool, QueueError> {
        if self.awaiting != Awaiting::Nothing {
            return self.received(replies).map(|()| false);
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
            return self.next_chunk().map(|request| (request, Hold::Free));
        };
        if !commit.wants_to_send() || self.awaiting != Awaiting::Nothing {
            return None;
        }
        let (request, hold) = commit.next_request(&*self.wrapper, self.interval_s, cx);
        if hold == Hold::Free {
            self.removed += commit.records;
        }
        Some((request, hold))
    }

    fn ask_for_keys(&mut self, request: &mut Request) {
        let rank = (self.asked - self.removed) as usize;
        queue::key_chunk(request, CLAIMED_METRICS, rank, CHUNK_KEYS);
    }

    /// One chunk is fetched while the one before is aggregated.
    fn next_chunk(&mut self) -> Option<Request> {
        let wanted = self.awaiting == Awaiting::Nothing && self.ready.len() <= self.chunk_keys;
        if !wanted || self.next_keys.is_empty() {
            return None;
        }
        let chunk = queue::fitting(names(&self.next_keys), self.chunk_keys);
        let later = self.next_keys.split_off(chunk);
        let keys = std::mem::replace(&mut self.next_keys, later);
        let mut request = Request::new();
        queue::value_chunk(&mut request, CLAIMED_METRICS, names(&keys), RECORD_BYTES_MAX);
        let lists = self.next_keys.is_empty();
        if lists {
            self.ask_for_keys(&mut request);
        }
        self.awaiting = Awaiting::Chunk { keys, lists };
        Some(request)
    }

    fn received(&mut self, replies: Vec<Value>) -> Result<(), QueueError> {
        const WHAT: QueueError = QueueError::Unexpected("a chunk");
        let mut replies = replies.into_iter();
        let first = replies.next().ok_or(WHAT)?;
        let lists = match std::mem::replace(&mut self.awaiting, Awaiting::Nothing) {
            Awaiting::Nothing => return Err(WHAT),
            Awaiting::Keys => {
                let size = queue::size_of(&first)?;
                self.claimed_values = self.claimed_values.map(|_| size);
                true
            }
            Awaiting::Chunk { mut keys, lists } => {
                let values = queue::values_of(first, keys.len())?;
                self.chunk_keys = queue::next_chunk_keys(keys.len(), values.len());
                let missing = keys.split_off(values.len());
                self.ready.extend(keys.into_iter().zip(values));
                self.next_keys.splice(..0, missing);
                lists
            }
        };
        if lists {
            let listed = queue::scored_members(&replies.next().ok_or(WHAT)?)?;
            self.at_end = listed.members.is_empty();
            self.asked += listed.members.len() as u64;
            self.next_keys.extend(listed.members);
        }
        Ok(())
    }

    /// All records of the claim were taken.
    fn is_finished(&self) -> bool {
        self.at_end
            && self.next_keys.is_empty()
            && self.ready.is_empty()
            && self.awaiting == Awaiting::Nothing
    }

    fn must_commit_before_next(&self) -> bool {
        let full = self.bucket.is_full()
            || self.returning.len() >= CHUNK_KEYS
            || self.returning_bytes >= STORE_BYTES_MAX;
        let next_bucket = self.ready.front().and_then(|(scored, _)| self.closed_bucket(scored));
        full || matches!((self.bucket_index, next_bucket), (Some(now), Some(next)) if now != next)
    }

    /// The bucket of a record, if it is over.
    fn closed_bucket(&self, scored: &Scored) -> Option<i64> {
        (scored.score_s < self.open_from_s && scored.score_s.is_finite())
            .then(|| bucket_of(scored.score_s, self.interval_s))
    }

    fn take(&mut self, scored: Scored, found: Found, parser: &mut RecordParser, cx: &mut Cx<'_>) {
        self.taken += 1;
        // The value of a key that is too long to be named is taken to be there.
        self.values_found += u64::from(found != Found::Nothing || scored.member.is_none());
        let (key, value) = match (&scored.member, found) {
            (Some(key), Found::Value(value)) => (key, value),
            (Some(_), Found::Nothing) => return self.drop_record("key_without_value"),
            (Some(_), Found::TooLong) | (None, _) => return self.drop_record("too_large"),
        };
        if !scored.score_s.is_finite() {
            return self.drop_record("not_finite");
        }
        let Some(index) = self.closed_bucket(&scored) else {
            self.returning_bytes += key.len() + value.len();
            self.returning.push(Returned { key: key.clone(), score_s: scored.score_s, value });
            return;
        };
        self.bucket_index = Some(index);
        let mut sample = match parser.parse(&value, scored.score_s) {
            Ok(sample) => sample,
            Err(error) => return self.unreadable(&scored, &error, error.reason(), cx),
        };
        // The oldest sample stamps the whole context: one of 1970 would take its neighbours along.
        if (sample.timestamp - scored.score_s).abs() > STAMP_OFF_S_MAX {
            sample.timestamp = scored.score_s;
        }
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
        log::debug!("record {}: {error}", shown_key(scored));
        cx.warnings.warn("unusable records", &format_args!("such as {error}; they are dropped"), cx.now.mono);
        self.drop_record(reason);
    }

    fn drop_record(&mut self, reason: &'static str) {
        *self.drops.entry(reason.into()).or_default() += 1;
    }

    fn begin_commit(&mut self, cx: &mut Cx<'_>) {
        let last = self.is_finished();
        if let (true, Some(claimed)) = (last, self.claimed_values)
            && claimed > self.values_found
        {
            self.drops.insert("value_without_key".into(), claimed - self.values_found);
        }
        let drops = std::mem::take(&mut self.drops);
        self.returning_bytes = 0;
        self.totals.dropped += drops.values().sum::<u64>();
        self.commit = Some(Commit::new(
            std::mem::take(&mut self.bucket).into_contexts(),
            std::mem::take(&mut self.returning),
            cx.told_of(drops),
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
        cx.telemetry.dropped_all(&commit.untold);
    }

    /// One line about what was done, if anything was.
    pub fn report(&self, cx: &Cx<'_>) {
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

/// A key as a log line may show it.
fn shown_key(scored: &Scored) -> String {
    let key = scored.member.as_deref().unwrap_or_default();
    key.iter().take(KEY_BYTES_SHOWN).flat_map(|byte| byte.escape_ascii()).map(char::from).collect()
}

/// The keys as `HMGET` is asked for them: one that is too long stands for itself as an empty one.
fn names(keys: &[Scored]) -> impl Iterator<Item = &[u8]> {
    keys.iter().map(|scored| scored.member.as_deref().unwrap_or_default())
}
