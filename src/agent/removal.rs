//! Records leave a wrapped queue, chunk by chunk, each chunk in a transaction of its own that also stores
//! what is told of those it drops.

use super::Cx;
use crate::limits::ACKNOWLEDGE_KEYS_MAX;
use crate::protocol::redis::{Request, Value};
use crate::queue::{self, Queue, QueueError};
use crate::release::KeyList;
use crate::telemetry::Counters;

/// Why records are removed.
pub(super) enum Why {
    Delivered,
    /// A rule dropped them, all for this reason.
    Dropped(&'static str),
    /// They cannot be sent, for these reasons.
    Unusable(Counters),
}

/// Keys on their way out.
pub(super) struct Removal {
    queue: Queue,
    keys: KeyList,
    why: Why,
    done: usize,
    sent: usize,
}

impl Removal {
    pub fn new(queue: Queue, keys: KeyList, why: Why) -> Removal {
        Removal { queue, keys, why, done: 0, sent: 0 }
    }

    /// The next chunk, whole groups of keys; `None` when all are gone.
    pub fn next_request(&mut self, cx: &mut Cx<'_>) -> Option<Request> {
        let chunk = self.keys.whole_groups(self.done, ACKNOWLEDGE_KEYS_MAX);
        self.sent = chunk.len();
        if chunk.is_empty() {
            return None;
        }
        let dropped = match &self.why {
            Why::Dropped(reason) => Counters::from([(*reason, chunk.len() as u64)]),
            // The reasons are told with the first chunk.
            Why::Unusable(reasons) if self.done == 0 => reasons.clone(),
            Why::Unusable(_) | Why::Delivered => Counters::new(),
        };
        Some(queue::acknowledge(self.queue, self.keys.keys(chunk), &cx.told_of(&dropped)))
    }

    /// The chunk under way will not be confirmed; it is sent again when asked for.
    pub fn interrupted(&mut self) {
        self.sent = 0;
    }

    /// Whether a chunk waits for its replies.
    pub fn is_under_way(&self) -> bool {
        self.sent > 0
    }

    pub fn why(&self) -> &Why {
        &self.why
    }

    /// Takes the replies to a chunk.
    pub fn confirm(&mut self, replies: &[Value]) -> Result<(), QueueError> {
        queue::transaction(replies)?;
        self.done += std::mem::take(&mut self.sent);
        Ok(())
    }
}
