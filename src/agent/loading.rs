//! Reads wrapped records into a batch: first the keys of the oldest ones, then their values, chunk by chunk;
//! or the values of named ones, when a refused batch is split.

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use super::Cx;
use crate::limits::CHUNK_KEYS;
use crate::protocol::redis::{Request, Value};
use crate::queue::{self, QueueError, Scored, WRAPPED_METRICS};
use crate::release::{Batch, KeyList};
use crate::telemetry::Counters;

pub(super) struct Loading {
    phase: Phase,
    pub batch: Batch,
    /// Records that cannot be sent, and why.
    pub unusable: KeyList,
    pub reasons: Counters,
    /// Whether the queue holds more than the batch.
    pub more: bool,
}

enum Phase {
    Keys(Listing),
    Values { keys: KeyList, asked: usize, awaited: usize },
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
    /// The oldest records of the queue, at most so many. A batch ends with a second where it can: of a series
    /// that has more points on that second, the next batch would overwrite what this one sends.
    pub fn from_queue(records_max: usize) -> Loading {
        Loading::new(Phase::Keys(Listing {
            keys_max: records_max,
            rank: 0,
            keys: KeyList::default(),
            listed: HashSet::new(),
            hasher: BuildHasherDefault::new(),
            second: f64::NEG_INFINITY,
            before_second: 0,
        }))
    }

    /// These records.
    pub fn named(keys: KeyList) -> Loading {
        Loading::new(Phase::Values { keys, asked: 0, awaited: 0 })
    }

    fn new(phase: Phase) -> Loading {
        Loading {
            phase,
            batch: Batch::default(),
            unusable: KeyList::default(),
            reasons: Counters::new(),
            more: false,
        }
    }

    /// The next request; `None` when there is nothing more to ask for.
    pub fn next_request(&mut self) -> Option<Request> {
        let mut request = Request::new();
        match &mut self.phase {
            Phase::Keys(listing) => {
                queue::key_chunk(&mut request, WRAPPED_METRICS, listing.rank, CHUNK_KEYS);
            }
            Phase::Values { keys, asked, awaited } => {
                let end = keys.len().min(*asked + CHUNK_KEYS);
                *awaited = end - *asked;
                if *awaited == 0 || self.batch.is_full() {
                    self.more |= *awaited > 0;
                    return None;
                }
                queue::value_chunk(&mut request, WRAPPED_METRICS, keys.keys(*asked..end));
                *asked = end;
            }
        }
        Some(request)
    }

    /// Takes the reply to the last request.
    pub fn received(&mut self, replies: Vec<Value>, cx: &mut Cx<'_>) -> Result<Next, QueueError> {
        const WHAT: QueueError = QueueError::Unexpected("a chunk of the wrapped queue");
        let reply = replies.into_iter().next().ok_or(WHAT)?;
        match &mut self.phase {
            Phase::Keys(listing) => {
                if listing.take(&queue::scored_members(&reply)?) {
                    let (keys, more) = listing.finish();
                    self.more = more;
                    self.phase = Phase::Values { keys, asked: 0, awaited: 0 };
                }
            }
            Phase::Values { keys, asked, awaited } => {
                let values = queue::values_of(reply, *awaited)?;
                for (key, value) in keys.keys(*asked - *awaited..*asked).zip(values) {
                    let Err(reason) = add(&mut self.batch, key, value, cx) else {
                        continue;
                    };
                    self.unusable.push(key);
                    self.unusable.end_group();
                    *self.reasons.entry(reason).or_default() += 1;
                }
            }
        }
        Ok(self.next_request().map_or(Next::Loaded, Next::Ask))
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

fn add(batch: &mut Batch, key: &[u8], value: Option<Vec<u8>>, cx: &mut Cx<'_>) -> Result<(), &'static str> {
    let raw = value.ok_or("key_without_value")?;
    batch.add(key, &raw).map_err(|error| {
        cx.warnings.warn("unusable series", &error, cx.now.mono);
        error.reason()
    })
}
