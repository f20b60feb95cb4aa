//! Records leave the wrapped queue, chunk by chunk, each chunk in a transaction of its own.

use crate::limits::ACKNOWLEDGE_KEYS_MAX;
use crate::protocol::redis::{Request, Value};
use crate::queue::{self, QueueError, WRAPPED_METRICS};
use crate::release::KeyList;

/// Keys on their way out.
pub(super) struct Removal {
    keys: KeyList,
    done: usize,
    sent: usize,
}

impl Removal {
    pub fn new(keys: KeyList) -> Removal {
        Removal { keys, done: 0, sent: 0 }
    }

    /// The next chunk, whole groups of keys; `None` when all are gone.
    pub fn next_request(&mut self) -> Option<Request> {
        let chunk = self.keys.whole_groups(self.done, ACKNOWLEDGE_KEYS_MAX);
        self.sent = chunk.len();
        (!chunk.is_empty()).then(|| queue::acknowledge(WRAPPED_METRICS, self.keys.keys(chunk)))
    }

    /// Takes the replies to a chunk: how many records it removed.
    pub fn confirm(&mut self, replies: &[Value]) -> Result<u64, QueueError> {
        queue::transaction(replies)?;
        self.done += self.sent;
        Ok(std::mem::take(&mut self.sent) as u64)
    }
}
