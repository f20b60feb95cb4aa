//! Reads wrapped records into a batch: first the keys of the oldest ones, then their values, chunk by chunk
//! (of a number of records, or of bytes where records may be long);
//! or the values of named ones, when a refused batch is split.

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::ops::Range;

use super::{Cx, Stream};
use crate::limits::{CHUNK_KEYS, LOG_CHUNK_BYTES_MAX, LOG_RECORD_BYTES_MAX};
use crate::protocol::redis::{Request, Value};
use crate::queue::{self, QueueError, Scored};
use crate::release::{Batch, Fit, KeyList, RecordError};
use crate::telemetry::Counters;

pub(super) struct Loading {
    stream: Stream,
    phase: Phase,
    pub batch: Box<dyn Batch>,
    /// Records that cannot be sent, and why.
    pub unusable: KeyList,
    pub reasons: Counters,
    /// Whether the queue holds more than the batch.
    pub more: bool,
}

enum Phase {
    Keys(Listing),
    /// Where records may be of any length: how long the values of these keys are.
    Lengths(KeyList),
    Values(Values),
}

/// Values that are read in chunks.
struct Values {
    keys: KeyList,
    /// The lengths of all values, where they were asked for.
    lengths: Option<Vec<u64>>,
    asked: usize,
    awaited: usize,
}

/// The oldest keys of the queue.
struct Listing {
    keys_max: usize,
    rank: usize,
    keys: KeyList,
    /// Hashes of `keys`. A record that is stored meanwhile moves those behind it to other ranks, so that one
    /// may be listed twice. Two keys of one hash cost the second one a batch.
    listed: HashSet<u64>,
    hasher: BuildHasherDefault<DefaultHasher>,
    /// The second of the last key, and how many keys there were before it.
    second: f64,
    before_second: usize,
}

/// What to do after a reply.
pub(super) enum Next {
    Ask(Request),
    /// The batch is complete.
    Loaded,
}

impl Loading {
    /// The oldest records of the queue, at most as many as one request may have. A batch ends with a second
    /// where it can: of a series that has more points on that second, the next batch would overwrite what this
    /// one sends.
    pub fn from_queue(stream: Stream, cx: &Cx<'_>) -> Loading {
        let listing = Listing {
            keys_max: stream.records_max(cx.settings),
            rank: 0,
            keys: KeyList::default(),
            listed: HashSet::new(),
            hasher: BuildHasherDefault::new(),
            second: f64::NEG_INFINITY,
            before_second: 0,
        };
        Loading::new(stream, Phase::Keys(listing), cx)
    }

    /// These records.
    pub fn named(stream: Stream, keys: KeyList, cx: &Cx<'_>) -> Loading {
        Loading::new(stream, Phase::of(stream, keys), cx)
    }

    fn new(stream: Stream, phase: Phase, cx: &Cx<'_>) -> Loading {
        Loading {
            stream,
            phase,
            batch: stream.batch(cx.settings, cx.delivered),
            unusable: KeyList::default(),
            reasons: Counters::new(),
            more: false,
        }
    }

    /// The next request; `None` when there is nothing more to ask for.
    pub fn next_request(&mut self) -> Option<Request> {
        let queue = self.stream.queue();
        let mut request = Request::new();
        match &mut self.phase {
            Phase::Keys(listing) => queue::key_chunk(&mut request, queue, listing.rank, CHUNK_KEYS),
            Phase::Lengths(keys) if keys.is_empty() => return None,
            Phase::Lengths(keys) => request = queue::value_lengths(queue, keys.keys(0..keys.len())),
            Phase::Values(values) => {
                let chunk = values.next_chunk();
                if chunk.is_empty() {
                    return None;
                }
                queue::value_chunk(&mut request, queue, values.keys.keys(chunk));
            }
        }
        Some(request)
    }

    /// Takes the reply to the last request.
    pub fn received(&mut self, replies: Vec<Value>, cx: &mut Cx<'_>) -> Result<Next, QueueError> {
        const WHAT: QueueError = QueueError::Unexpected("a chunk of a wrapped queue");
        if let Phase::Lengths(keys) = &mut self.phase {
            if replies.len() != keys.len() {
                return Err(WHAT);
            }
            let lengths = replies.iter().map(queue::size_of).collect::<Result<Vec<_>, _>>()?;
            let keys = std::mem::take(keys);
            self.choose(&keys, &lengths);
            return Ok(self.next_request().map_or(Next::Loaded, Next::Ask));
        }
        let reply = replies.into_iter().next().ok_or(WHAT)?;
        match &mut self.phase {
            Phase::Lengths(_) => {}
            Phase::Keys(listing) => {
                if listing.take(&queue::scored_members(&reply)?) {
                    let (keys, more) = listing.finish();
                    self.more = more;
                    self.phase = Phase::of(self.stream, keys);
                }
            }
            Phase::Values(values) => {
                let found = queue::values_of(reply, values.awaited)?;
                let keys = std::mem::take(&mut values.keys);
                let (first, last) = (values.asked - values.awaited, values.asked);
                for (key, value) in keys.keys(first..last).zip(found) {
                    if self.add(key, value, cx) == Fit::NoRoom {
                        self.more = true;
                        return Ok(Next::Loaded);
                    }
                }
                if let Phase::Values(values) = &mut self.phase {
                    values.keys = keys;
                }
            }
        }
        Ok(self.next_request().map_or(Next::Loaded, Next::Ask))
    }

    /// Goes on with the records that are short enough to be read.
    fn choose(&mut self, keys: &KeyList, lengths: &[u64]) {
        let (mut kept, mut kept_lengths) = (KeyList::default(), Vec::new());
        for (key, length) in keys.keys(0..keys.len()).zip(lengths) {
            if *length > LOG_RECORD_BYTES_MAX as u64 {
                self.give_up(key, RecordError::LogTooLarge.reason());
                continue;
            }
            kept.push(key);
            kept.end_group();
            kept_lengths.push(*length);
        }
        self.phase = Phase::Values(Values { keys: kept, lengths: Some(kept_lengths), asked: 0, awaited: 0 });
    }

    fn add(&mut self, key: &[u8], value: Option<Vec<u8>>, cx: &mut Cx<'_>) -> Fit {
        let Some(raw) = value else {
            self.give_up(key, "key_without_value");
            return Fit::Taken;
        };
        self.batch.add(key, &raw).unwrap_or_else(|error| {
            cx.warnings.warn(self.stream.record_topic(), &error, cx.now.mono);
            self.give_up(key, error.reason());
            Fit::Taken
        })
    }

    fn give_up(&mut self, key: &[u8], reason: &'static str) {
        self.unusable.push(key);
        self.unusable.end_group();
        *self.reasons.entry(reason).or_default() += 1;
    }
}

impl Phase {
    /// How the values of keys are read.
    fn of(stream: Stream, keys: KeyList) -> Phase {
        if stream.has_long_records() {
            Phase::Lengths(keys)
        } else {
            Phase::Values(Values { keys, lengths: None, asked: 0, awaited: 0 })
        }
    }
}

impl Values {
    /// The positions to ask for next: a number of keys, or as many as have a number of bytes, at least one.
    fn next_chunk(&mut self) -> Range<usize> {
        let mut end = self.keys.len().min(self.asked + CHUNK_KEYS);
        if let Some(lengths) = &self.lengths {
            let mut bytes = 0;
            let ahead = lengths.get(self.asked..end).unwrap_or_default();
            let is_room = |length: &&u64| {
                bytes += **length;
                bytes <= LOG_CHUNK_BYTES_MAX as u64
            };
            end = end.min(self.asked + ahead.iter().take_while(is_room).count().max(1));
        }
        let chunk = self.asked..end;
        (self.asked, self.awaited) = (end, chunk.len());
        chunk
    }
}

impl Listing {
    /// Takes a chunk of keys; true when there are enough, or no more.
    fn take(&mut self, chunk: &[Scored]) -> bool {
        for scored in chunk {
            if !self.listed.insert(self.hasher.hash_one(&scored.member)) {
                continue;
            }
            let second = scored.score_s.floor();
            if second != self.second {
                (self.second, self.before_second) = (second, self.keys.len());
            }
            self.keys.push(&scored.member);
            // One more than the most tells where the last second ends.
            if self.keys.len() > self.keys_max {
                return true;
            }
        }
        self.rank += chunk.len();
        chunk.len() < CHUNK_KEYS
    }

    /// The keys of a batch, and whether there are more.
    fn finish(&mut self) -> (KeyList, bool) {
        let keys = std::mem::take(&mut self.keys);
        if keys.len() <= self.keys_max {
            return (keys, false);
        }
        let whole_seconds = if self.before_second > 0 { self.before_second } else { self.keys_max };
        (keys.part(0..whole_seconds), true)
    }
}
