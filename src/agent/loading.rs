//! Reads wrapped records into a batch, chunk by chunk: from the front of the queue, or named ones when a
//! refused batch is split.

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use super::Cx;
use crate::limits::CHUNK_KEYS;
use crate::protocol::redis::{Request, Value};
use crate::queue::{self, QueueError, Scored, WRAPPED_METRICS};
use crate::release::{Batch, KeyList};
use crate::telemetry::Counters;

pub(super) struct Loading {
    source: Source,
    awaiting: Vec<Scored>,
    /// Hashes of the keys that were taken. A record that is stored while the queue is read moves those behind
    /// it to other ranks, so that one may be read twice. Two keys of one hash cost the second one a batch.
    taken: HashSet<u64>,
    hasher: BuildHasherDefault<DefaultHasher>,
    pub batch: Batch,
    /// Records that cannot be sent, and why.
    pub unusable: KeyList,
    pub reasons: Counters,
    /// Whether the queue holds more than the batch.
    pub more: bool,
}

enum Source {
    /// The next rank to ask for.
    Queue { rank: usize },
    /// The named records and how many of them were asked for.
    Named { keys: KeyList, asked: usize },
}

/// What to do after a reply.
pub(super) enum Next {
    Ask(Request),
    /// The batch is complete.
    Loaded,
}

impl Loading {
    /// The oldest records of the queue.
    pub fn from_queue(points_max: usize) -> Loading {
        Loading::new(Source::Queue { rank: 0 }, points_max)
    }

    /// These records.
    pub fn named(keys: KeyList) -> Loading {
        Loading::new(Source::Named { keys, asked: 0 }, usize::MAX / 4)
    }

    fn new(source: Source, points_max: usize) -> Loading {
        Loading {
            source,
            awaiting: Vec::new(),
            taken: HashSet::new(),
            hasher: BuildHasherDefault::new(),
            batch: Batch::new(points_max),
            unusable: KeyList::default(),
            reasons: Counters::new(),
            more: false,
        }
    }

    /// The first request; `None` when there is nothing to ask for.
    pub fn first_request(&mut self) -> Option<Request> {
        let mut request = Request::new();
        match &mut self.source {
            Source::Queue { rank } => {
                queue::key_chunk(&mut request, WRAPPED_METRICS, *rank, CHUNK_KEYS)
            }
            Source::Named { .. } => return self.named_chunk(),
        }
        Some(request)
    }

    /// Takes replies: keys, or values (with the keys after them).
    pub fn received(
        &mut self,
        mut replies: Vec<Value>,
        cx: &mut Cx<'_>,
    ) -> Result<Next, QueueError> {
        const WHAT: QueueError = QueueError::Unexpected("a chunk of the wrapped queue");
        let keys_after = match self.source {
            Source::Queue { .. } => queue::scored_members(&replies.pop().ok_or(WHAT)?)?,
            Source::Named { .. } => Vec::new(),
        };
        if !self.awaiting.is_empty() {
            let keys = std::mem::take(&mut self.awaiting);
            let values = queue::values_of(replies.pop().ok_or(WHAT)?, keys.len())?;
            self.more = !self.take(keys, values, cx) || !keys_after.is_empty();
        }
        let request = match &mut self.source {
            Source::Named { .. } => self.named_chunk(),
            Source::Queue { rank } => {
                let open = keys_after
                    .first()
                    .is_some_and(|first| !self.batch.is_closed_to(first.score_s));
                open.then(|| {
                    *rank += keys_after.len();
                    let mut request = Request::new();
                    queue::value_chunk(&mut request, WRAPPED_METRICS, Scored::members(&keys_after));
                    queue::key_chunk(&mut request, WRAPPED_METRICS, *rank, CHUNK_KEYS);
                    self.awaiting = keys_after;
                    request
                })
            }
        };
        Ok(request.map_or(Next::Loaded, Next::Ask))
    }

    fn named_chunk(&mut self) -> Option<Request> {
        let Source::Named { keys, asked } = &mut self.source else {
            return None;
        };
        let chunk: Vec<Scored> = keys
            .keys(*asked..keys.len().min(*asked + CHUNK_KEYS))
            .map(|key| Scored {
                member: key.to_vec(),
                score_s: 0.0,
            })
            .collect();
        *asked += chunk.len();
        if chunk.is_empty() {
            return None;
        }
        let mut request = Request::new();
        queue::value_chunk(&mut request, WRAPPED_METRICS, Scored::members(&chunk));
        self.awaiting = chunk;
        Some(request)
    }

    /// Adds records to the batch; false when it closed before all were added.
    fn take(&mut self, keys: Vec<Scored>, values: Vec<Option<Vec<u8>>>, cx: &mut Cx<'_>) -> bool {
        for (scored, value) in keys.into_iter().zip(values) {
            if self.batch.is_closed_to(scored.score_s) {
                return false;
            }
            if !self.taken.insert(self.hasher.hash_one(&scored.member)) {
                continue;
            }
            let reason = match value {
                None => "key_without_value",
                Some(raw) => match self.batch.add(&scored.member, scored.score_s, &raw) {
                    Ok(()) => continue,
                    Err(error) => {
                        cx.warnings.warn("unusable series", &error, cx.now.mono);
                        error.reason()
                    }
                },
            };
            self.unusable.push(&scored.member);
            self.unusable.end_group();
            *self.reasons.entry(reason).or_default() += 1;
        }
        true
    }
}
