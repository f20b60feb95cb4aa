//! Records leave a wrapped queue, chunk by chunk, each chunk in a transaction of its own that also stores what
//! has to be known of it: what was dropped, or which points the intake has.
//!
//! It is carried out only while this agent holds the lease: what is dropped is counted once, and a point is never
//! remembered behind the back of an agent that has taken over. That one sends again what was not acknowledged, on the
//! same seconds.

use super::line::Hold;
use super::{Cx, ids, lease};
use crate::limits::{ACKNOWLEDGE_KEYS_MAX, REQUEST_KEY_BYTES_MAX};
use crate::protocol::redis::{Request, Value};
use crate::queue::{self, Queue, QueueError, Trace};
use crate::release::{KeyList, delivered};
use crate::telemetry::Counters;

/// Why records are removed.
pub(super) enum Why {
    /// The intake has them; these points, each with the position of its series' first key, are remembered.
    Delivered(Vec<(usize, u64)>),
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
    step: Step,
    /// Redis has no memory for a trace: what was dropped is counted in memory, what was delivered is not remembered.
    without_trace: bool,
    /// What the chunk under way drops and does not tell.
    untold: Counters,
    /// All that it drops.
    dropping: Counters,
}

#[derive(Clone, Copy, PartialEq)]
enum Step {
    Idle,
    /// It is being asked whose the lease is.
    Guarding,
    /// It is ours.
    Guarded,
    /// A chunk of so many keys waits for its replies.
    Removing(usize),
}

impl Removal {
    pub fn new(queue: Queue, keys: KeyList, why: Why) -> Removal {
        let (untold, dropping) = (Counters::new(), Counters::new());
        Removal { queue, keys, why, done: 0, step: Step::Idle, without_trace: false, untold, dropping }
    }

    /// The next request; `None` when all are gone.
    pub fn next_request(&mut self, cx: &mut Cx<'_>) -> Option<(Request, Hold)> {
        if self.done >= self.keys.len() {
            return None;
        }
        if self.step == Step::Idle {
            self.step = Step::Guarding;
            return Some((queue::guard(lease::lasts(cx.settings)), Hold::Keep));
        }
        let chunk = self.keys.whole_groups(self.done, ACKNOWLEDGE_KEYS_MAX, REQUEST_KEY_BYTES_MAX);
        self.step = Step::Removing(chunk.len());
        let trace = self.trace(chunk.end, cx);
        let keys = self.keys.keys(chunk);
        let request = if self.without_trace {
            queue::acknowledge_without_memory(self.queue, keys)
        } else {
            queue::acknowledge(self.queue, keys, &trace)
        };
        Some((request, Hold::Free))
    }

    /// The request under way will not be answered; it is sent again when asked for.
    pub fn interrupted(&mut self) {
        self.step = Step::Idle;
    }

    /// Whether a request waits for its replies.
    pub fn is_under_way(&self) -> bool {
        matches!(self.step, Step::Guarding | Step::Removing(_))
    }

    /// Whether the line is held by a watch.
    pub fn holds_line(&self) -> bool {
        matches!(self.step, Step::Guarding | Step::Guarded)
    }

    pub fn is_delivered(&self) -> bool {
        matches!(self.why, Why::Delivered(_))
    }

    /// Whether Redis is told which points were delivered.
    pub fn remembers(&self) -> bool {
        matches!(&self.why, Why::Delivered(points) if !points.is_empty())
    }

    pub fn is_expired(&self) -> bool {
        matches!(self.why, Why::Dropped("expired"))
    }

    /// Takes the replies to a request.
    pub fn confirm(&mut self, replies: &[Value], cx: &mut Cx<'_>) -> Result<(), QueueError> {
        match self.step {
            Step::Guarding => {
                queue::guarded(replies, cx.holding.name(), cx.holding.is_impossible())?;
                self.step = Step::Guarded;
            }
            Step::Removing(keys) => {
                let carried_out = if self.without_trace {
                    queue::queued(replies)
                } else {
                    queue::transaction(replies).map(|_| ())
                };
                match carried_out {
                    Err(error) if error.is_out_of_memory() && !self.without_trace => {
                        self.without_trace = true;
                        self.step = Step::Idle;
                        return Ok(());
                    }
                    result => result?,
                };
                self.removed(keys, cx);
                self.step = Step::Idle;
            }
            Step::Idle | Step::Guarded => return Err(QueueError::Unexpected("a removal")),
        }
        Ok(())
    }

    fn removed(&mut self, keys: usize, cx: &mut Cx<'_>) {
        let end = self.done + keys;
        cx.telemetry.told(&std::mem::take(&mut self.dropping), &std::mem::take(&mut self.untold));
        if let (Why::Delivered(points), false) = (&self.why, self.without_trace) {
            cx.delivered.borrow_mut().remember(points_between(points, self.done, end));
        }
        self.done = end;
    }

    fn trace(&mut self, end: usize, cx: &mut Cx<'_>) -> Trace {
        let dropped = self.dropped(end);
        self.dropping = dropped.clone();
        if self.without_trace {
            self.untold = dropped;
            return Trace::default();
        }
        let (told, untold) = cx.told_of(dropped);
        self.untold = untold;
        let delivered = match &self.why {
            Why::Delivered(points) => points_between(points, self.done, end),
            Why::Dropped(_) | Why::Unusable(_) => Vec::new(),
        };
        let kept = cx.delivered.borrow().batches_kept_with(delivered.len());
        Trace { told, delivered: (!delivered.is_empty()).then(|| (delivered::pack(&delivered), kept)) }
    }

    /// What a chunk that ends there drops.
    fn dropped(&self, end: usize) -> Counters {
        match &self.why {
            Why::Dropped(reason) => {
                let mut dropped = Counters::new();
                ids::count_dropped(self.keys.keys(self.done..end), reason, &mut dropped);
                dropped
            }
            // The reasons are told with the first chunk.
            Why::Unusable(reasons) if self.done == 0 => reasons.clone(),
            Why::Unusable(_) | Why::Delivered(_) => Counters::new(),
        }
    }
}

/// Keys that need not leave together.
pub(super) fn one_by_one<'a>(keys: impl Iterator<Item = &'a [u8]>) -> KeyList {
    let mut list = KeyList::default();
    for key in keys {
        list.push(key);
        list.end_group();
    }
    list
}

/// The points of the series whose keys stand at these positions.
fn points_between(points: &[(usize, u64)], first: usize, end: usize) -> Vec<u64> {
    let between = points.partition_point(|(at, _)| *at < first)..points.partition_point(|(at, _)| *at < end);
    points.get(between).unwrap_or_default().iter().map(|(_, point)| *point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_remembered_with_the_keys_of_their_series() {
        let points = [(0, 10), (0, 11), (3, 12), (7, 13)];
        assert_eq!(points_between(&points, 0, 3), [10, 11]);
        assert_eq!(points_between(&points, 3, 8), [12, 13]);
        assert!(points_between(&points, 8, 20).is_empty());
    }
}
