//! The records of a queue, as a rule of a claim, on their way here: keys are listed, values asked for, and what has come waits to be taken.
//!
//! One chunk is fetched while the one before is aggregated.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::limits::{CHUNK_KEYS, FIRST_CHUNK_KEYS, RECORD_BYTES_MAX};
use crate::protocol::redis::{Found, Replies, Request, Strings};
use crate::queue::{self, Listed, Queue, QueueError};

/// See the module.
pub(super) struct Fetching {
    queue: Queue,
    /// How many keys were listed, and how many of them transactions have removed.
    listed: u64,
    pub removed: u64,
    awaiting: Awaiting,
    /// Keys whose values have not come yet: of the first list, those from a position on.
    next_keys: VecDeque<Rc<Listed>>,
    next_key: usize,
    /// How many values are asked for at once; few where they are long.
    chunk_keys: usize,
    /// What has come, and how many records that is.
    chunks: VecDeque<Chunk>,
    ready: usize,
    at_end: bool,
}

#[derive(PartialEq)]
enum Awaiting {
    Nothing,
    /// The first keys, with the number of values before them.
    Keys,
    /// So many values; and the keys after them, where those are asked for.
    Chunk {
        keys: usize,
        lists: bool,
    },
}

/// Records that came together.
pub(super) struct Chunk {
    keys: Rc<Listed>,
    /// Where in `keys` the first value's key stands.
    first_key: usize,
    values: Strings,
    /// How many values came, and how many of them were taken.
    came: usize,
    taken: usize,
}

/// A record as it lies in the claim.
#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    /// `None` where it is longer than any that is read.
    pub key: Option<&'a [u8]>,
    /// Unix seconds.
    pub score_s: f64,
    pub value: Found<'a>,
}

impl Chunk {
    /// The next record, which stays until [`Chunk::pass`].
    #[inline(always)]
    pub fn front(&self) -> Option<Record<'_>> {
        if self.taken >= self.came {
            return None;
        }
        let at = self.first_key + self.taken;
        Some(Record {
            key: self.keys.key(at),
            score_s: self.keys.score_s(at)?,
            value: self.values.get(self.taken)?,
        })
    }

    /// Goes on to the record after it.
    #[inline(always)]
    pub fn pass(&mut self) {
        self.taken += 1;
    }
}

impl Fetching {
    /// Begins; gives the first request too. Its first reply is the number of values, see [`Fetching::received`].
    pub fn begin(queue: Queue) -> (Fetching, Request) {
        let mut fetching = Fetching {
            queue,
            listed: 0,
            removed: 0,
            awaiting: Awaiting::Keys,
            next_keys: VecDeque::new(),
            next_key: 0,
            chunk_keys: FIRST_CHUNK_KEYS,
            chunks: VecDeque::new(),
            ready: 0,
            at_end: false,
        };
        let mut request = queue::values_size(queue);
        fetching.ask_for_keys(&mut request);
        (fetching, request)
    }

    /// Whether records wait to be taken.
    pub fn is_ready(&self) -> bool {
        self.ready > 0
    }

    /// Whether a reply is due.
    pub fn is_waiting(&self) -> bool {
        self.awaiting != Awaiting::Nothing
    }

    /// All records of the claim were taken.
    pub fn is_finished(&self) -> bool {
        self.at_end && self.next_keys.is_empty() && self.ready == 0 && !self.is_waiting()
    }

    /// The next record's score, if it has come.
    pub fn next_score_s(&self) -> Option<f64> {
        self.chunks.front()?.front().map(|record| record.score_s)
    }

    /// What has come first; [`Fetching::give_back`] must follow.
    pub fn take_chunk(&mut self) -> Option<Chunk> {
        let chunk = self.chunks.pop_front()?;
        self.ready -= chunk.came - chunk.taken;
        Some(chunk)
    }

    /// What is left of it.
    pub fn give_back(&mut self, chunk: Chunk) {
        if chunk.taken < chunk.came {
            self.ready += chunk.came - chunk.taken;
            self.chunks.push_front(chunk);
        }
    }

    fn ask_for_keys(&mut self, request: &mut Request) {
        let rank = (self.listed - self.removed) as usize;
        queue::key_chunk(request, self.queue, rank, CHUNK_KEYS);
    }

    /// The request for the next chunk, when it is time for one.
    pub fn next_request(&mut self) -> Option<Request> {
        let wanted = !self.is_waiting() && self.ready <= self.chunk_keys;
        let listed = self.next_keys.front().filter(|_| wanted)?;
        let keys = queue::fitting(names(listed, self.next_key), self.chunk_keys);
        let mut request = Request::new();
        let asked = names(listed, self.next_key).take(keys);
        queue::value_chunk(&mut request, self.queue, asked, RECORD_BYTES_MAX);
        let lists = self.next_keys.len() == 1 && self.next_key + keys == listed.len();
        if lists {
            self.ask_for_keys(&mut request);
        }
        self.awaiting = Awaiting::Chunk { keys, lists };
        Some(request)
    }

    /// Takes the replies to the last request. Those to the first tell how many values there are.
    pub fn received(&mut self, replies: Replies) -> Result<Option<u64>, QueueError> {
        // One request asks for both.
        let keys = self.queue.keys;
        self.take(replies).map_err(|error| error.about(&format!("{keys} or .values")))
    }

    fn take(&mut self, mut replies: Replies) -> Result<Option<u64>, QueueError> {
        const WHAT: QueueError = QueueError::Unexpected("a chunk");
        let mut size = None;
        let lists = match std::mem::replace(&mut self.awaiting, Awaiting::Nothing) {
            Awaiting::Nothing => return Err(WHAT),
            Awaiting::Keys => {
                size = Some(queue::size_of(replies.first().ok_or(WHAT)?)?);
                true
            }
            Awaiting::Chunk { keys, lists } => {
                let (values, came) = queue::values_of(&mut replies, keys)?;
                self.chunk_keys = queue::next_chunk_keys(keys, came);
                self.values_came(values, came);
                lists
            }
        };
        if lists {
            let listed = queue::listed(&mut replies)?;
            self.at_end = listed.is_empty();
            self.listed += listed.len() as u64;
            if !listed.is_empty() {
                self.next_keys.push_back(Rc::new(listed));
            }
        }
        Ok(size)
    }

    fn values_came(&mut self, values: Strings, came: usize) {
        let Some(listed) = self.next_keys.front() else { return };
        let (keys, first_key) = (Rc::clone(listed), self.next_key);
        self.next_key += came;
        if self.next_key == keys.len() {
            self.next_keys.pop_front();
            self.next_key = 0;
        }
        if came > 0 {
            self.ready += came;
            self.chunks.push_back(Chunk { keys, first_key, values, came, taken: 0 });
        }
    }
}

/// The keys as `HMGET` is asked for them: one that is too long stands for itself as an empty one.
fn names(listed: &Listed, first: usize) -> impl Iterator<Item = &[u8]> {
    (first..listed.len()).map(|at| listed.key(at).unwrap_or_default())
}
