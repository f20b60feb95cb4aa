//! Reads wrapped records into a batch: first the keys of the oldest ones, then their values, chunk by chunk
//! or the values of named ones, when a refused batch is split.

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::RandomState;

use super::{Cx, Stream};
use crate::limits::{BATCH_KEY_BYTES_MAX, CHUNK_KEYS, FIRST_CHUNK_KEYS};
use crate::protocol::redis::{Found, Replies, Request};
use crate::queue::{self, Entry, Listed, QueueError};
use crate::release::{Batch, Fit, KeyList};
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
    /// Records that were read.
    taken: usize,
}

enum Phase {
    Keys(Listing),
    Values(Values),
}

/// Values that are read in chunks.
struct Values {
    keys: KeyList,
    /// How many were read.
    done: usize,
    /// How many are asked for at once; few where they are long.
    chunk_keys: usize,
}

/// The oldest keys of the queue.
struct Listing {
    keys_max: usize,
    /// Unix seconds; what is older is passed over.
    oldest_s: f64,
    rank: usize,
    keys: KeyList,
    /// Hashes of `keys`. A record that is stored meanwhile moves those behind it to other ranks, so that one
    /// may be listed twice. Two keys of one hash cost the second one a batch.
    listed: HashSet<u64, RandomState>,
    /// The second of the last key, and how many keys there were before it.
    second: f64,
    before_second: usize,
    /// The queue has more, and no room to list it before these are gone.
    more_later: bool,
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
        let listing = Listing::new(stream.records_max(cx.settings));
        Loading::new(stream, Phase::Keys(listing), cx)
    }

    /// Leaves out the records of the queue that are older, in Unix seconds.
    pub fn pass_over_before(&mut self, oldest_s: f64) {
        if let Phase::Keys(listing) = &mut self.phase {
            listing.oldest_s = oldest_s;
        }
    }

    /// These records.
    pub fn named(stream: Stream, keys: KeyList, cx: &Cx<'_>) -> Loading {
        Loading::new(stream, Phase::Values(Values::of(keys)), cx)
    }

    fn new(stream: Stream, phase: Phase, cx: &Cx<'_>) -> Loading {
        Loading {
            stream,
            phase,
            batch: stream.batch(cx.settings, cx.delivered),
            unusable: KeyList::default(),
            reasons: Counters::new(),
            more: false,
            taken: 0,
        }
    }

    /// The next request; `None` when there is nothing more to ask for.
    pub fn next_request(&mut self) -> Option<Request> {
        let queue = self.stream.queue();
        let mut request = Request::new();
        match &mut self.phase {
            Phase::Keys(listing) => queue::key_chunk(&mut request, queue, listing.rank, CHUNK_KEYS),
            Phase::Values(values) => {
                let chunk = values.chunk();
                if chunk.is_empty() {
                    return None;
                }
                queue::value_chunk(
                    &mut request,
                    queue,
                    values.keys.keys(chunk),
                    self.stream.record_bytes_max(),
                );
            }
        }
        Some(request)
    }

    /// Takes the reply to the last request.
    pub fn received(&mut self, mut replies: Replies, cx: &mut Cx<'_>) -> Result<Next, QueueError> {
        match &mut self.phase {
            Phase::Keys(listing) => {
                if listing.take(&queue::listed(&mut replies)?) {
                    let (keys, more) = listing.finish();
                    self.more = more;
                    self.phase = Phase::Values(Values::of(keys));
                }
            }
            Phase::Values(values) => {
                let chunk = values.chunk();
                let (found, came) = queue::values_of(&mut replies, chunk.len())
                    .map_err(|error| error.about(self.stream.queue().values))?;
                values.received(came);
                let keys = std::mem::take(&mut values.keys);
                for (key, value) in keys.keys(chunk).zip(found.iter().take(came)) {
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

    /// Adds a record that is in no queue, if there is room.
    pub fn add_unstored(&mut self, entry: &Entry, cx: &mut Cx<'_>) {
        let has_room = self.taken < self.stream.records_max(cx.settings);
        self.more = !has_room || self.add(entry.key.as_bytes(), Found::Value(&entry.json), cx) == Fit::NoRoom;
    }

    fn add(&mut self, key: &[u8], found: Found<'_>, cx: &mut Cx<'_>) -> Fit {
        let raw = match found {
            Found::Value(raw) => raw,
            Found::Nothing | Found::Later => return self.give_up(key, "key_without_value"),
            Found::TooLong => return self.give_up(key, self.stream.too_large()),
        };
        self.taken += 1;
        self.batch.add(key, raw).unwrap_or_else(|error| {
            cx.warnings.warn(self.stream.record_topic(), &error, cx.now.mono);
            self.give_up(key, error.reason())
        })
    }

    fn give_up(&mut self, key: &[u8], reason: &'static str) -> Fit {
        self.unusable.push(key);
        self.unusable.end_group();
        *self.reasons.entry(reason.into()) += 1;
        Fit::Taken
    }
}

impl Values {
    fn of(keys: KeyList) -> Values {
        Values { keys, done: 0, chunk_keys: FIRST_CHUNK_KEYS }
    }

    /// The positions to be read next.
    fn chunk(&self) -> Range<usize> {
        let left = self.keys.keys(self.done..self.keys.len());
        self.done..self.done + queue::fitting(left, self.chunk_keys)
    }

    /// So many values of the chunk have come.
    fn received(&mut self, values: usize) {
        let asked = self.chunk().len();
        self.done += values;
        self.chunk_keys = queue::next_chunk_keys(asked, values);
    }
}

impl Listing {
    fn new(keys_max: usize) -> Listing {
        Listing {
            keys_max,
            oldest_s: f64::NEG_INFINITY,
            rank: 0,
            keys: KeyList::default(),
            listed: HashSet::default(),
            second: f64::NEG_INFINITY,
            before_second: 0,
            more_later: false,
        }
    }

    /// Takes a chunk of keys; true when there are enough, or no more.
    fn take(&mut self, chunk: &Listed) -> bool {
        for at in 0..chunk.len() {
            // One that is too long to be named cannot be taken away either.
            let (Some(key), Some(score_s)) = (chunk.key(at), chunk.score_s(at)) else { continue };
            if score_s < self.oldest_s || !self.listed.insert(self.listed.hasher().hash_one(key)) {
                continue;
            }
            let second = score_s.floor();
            if second != self.second {
                (self.second, self.before_second) = (second, self.keys.len());
            }
            self.keys.push(key);
            // One more than the most tells where the last second ends.
            if self.keys.len() > self.keys_max || self.keys.bytes() > BATCH_KEY_BYTES_MAX {
                return true;
            }
        }
        self.rank += chunk.len();
        self.more_later = chunk.is_cut && chunk.is_empty();
        chunk.len() < CHUNK_KEYS && !chunk.is_cut || self.more_later
    }

    /// The keys of a batch, and whether there are more.
    fn finish(&mut self) -> (KeyList, bool) {
        let keys = std::mem::take(&mut self.keys);
        if keys.len() <= self.keys_max && keys.bytes() <= BATCH_KEY_BYTES_MAX && !self.more_later {
            return (keys, false);
        }
        let keys_max = self.keys_max.min(keys.len());
        let whole_seconds = if self.before_second > 0 { self.before_second } else { keys_max };
        (keys.part(0..whole_seconds), true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(keys: &[Option<usize>]) -> Listed {
        let mut listed = Listed::default();
        for (i, bytes) in keys.iter().enumerate() {
            let key = bytes.map(|bytes| [i.to_string().into_bytes(), vec![b'-'; bytes]].concat());
            listed.push(key.as_deref(), i as f64);
        }
        listed
    }

    #[test]
    fn keys_of_any_length_make_batches_of_bounded_size() {
        let mut listing = Listing::new(100);
        assert!(listing.take(&listed(&[Some(BATCH_KEY_BYTES_MAX / 4); 9])), "enough");
        let (keys, more) = listing.finish();
        assert_eq!((keys.len(), more), (3, true), "the last second is left out");
    }

    #[test]
    fn what_cannot_be_listed_yet_is_left_for_the_next_batch() {
        let mut listing = Listing::new(100);
        let mut cut = listed(&[Some(1); 3]);
        cut.is_cut = true;
        assert!(!listing.take(&cut), "more may follow");
        let mut nothing = Listed::default();
        nothing.is_cut = true;
        assert!(listing.take(&nothing), "not before these are gone");
        let (keys, more) = listing.finish();
        assert_eq!((keys.len(), more), (2, true), "whole seconds");
    }

    #[test]
    fn a_key_that_cannot_be_read_is_passed_over() {
        let mut listing = Listing::new(100);
        assert!(listing.take(&listed(&[None, Some(1), None, Some(1)])), "no more");
        assert_eq!(listing.rank, 4);
        assert_eq!(listing.finish().0.len(), 2);
    }
}
