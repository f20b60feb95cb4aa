//! One transaction: the series of a bucket are stored and its records leave the claim, or neither happens.
//!
//! It is carried out only while this agent holds the lease. It is written piece by piece, each after the replies to the one before, so that a bucket of many
//! thousand series needs no buffer of that size.

use super::line::Hold;
use super::{Cx, lease};
use crate::aggregate::Wrapper;
use crate::aggregate::bucket::Contexts;
use crate::limits::{STORE_BYTES_MAX, STORE_SERIES_MAX};
use crate::protocol::redis::{Request, Value};
use crate::queue::{self, Entry, QueueError, Records, WRAPPED_METRICS};
use crate::telemetry::Counters;

pub(super) struct Commit {
    contexts: Contexts,
    returning: Records,
    /// What is told of the records that are dropped.
    told: Vec<Entry>,
    /// What is not, and is counted once the commit was carried out.
    pub untold: Counters,
    last: bool,
    step: Step,
    /// Records it removes from the claim, and those among them that go back to the raw queue.
    pub records: u64,
    pub returned: u64,
    /// Series stored.
    pub series: u64,
    /// Series left out because a sum overflowed.
    pub not_finite: u64,
}

#[derive(PartialEq)]
enum Step {
    New,
    /// It is being asked whose the lease is.
    Guarding,
    /// It is ours.
    Guarded,
    /// Inside the transaction; a piece is under way or not.
    Open {
        sent: bool,
    },
    Executing,
}

impl Commit {
    /// `last` removes the whole claim with it.
    pub fn new(
        contexts: Contexts,
        returning: Records,
        (told, untold): (Vec<Entry>, Counters),
        records: u64,
        last: bool,
    ) -> Commit {
        let returned = returning.len() as u64;
        Commit {
            contexts,
            returning,
            told,
            untold,
            last,
            step: Step::New,
            records,
            returned,
            series: 0,
            not_finite: 0,
        }
    }

    /// Whether the line is held: by the transaction (true) or by the watch before it.
    pub fn holds_line(&self) -> Option<bool> {
        match self.step {
            Step::New | Step::Executing => None,
            Step::Guarding | Step::Guarded => Some(false),
            Step::Open { .. } => Some(true),
        }
    }

    pub fn wants_to_send(&self) -> bool {
        matches!(self.step, Step::New | Step::Guarded | Step::Open { sent: false })
    }

    /// The next piece. The last one ends the transaction.
    pub fn next_request(
        &mut self,
        wrapper: &dyn Wrapper,
        interval_s: u32,
        cx: &mut Cx<'_>,
    ) -> (Request, Hold) {
        if self.step == Step::New {
            self.step = Step::Guarding;
            return (queue::guard(lease::lasts(cx.settings)), Hold::Keep);
        }
        let mut request = Request::new();
        if self.step == Step::Guarded {
            request.begin();
            queue::return_to_raw(&mut request, &std::mem::take(&mut self.returning));
        }
        let mut records = Records::default();
        let told = std::mem::take(&mut self.told);
        while records.len() < STORE_SERIES_MAX && records.bytes() < STORE_BYTES_MAX {
            let mut store = |series| cx.ids.write(&series, &mut records);
            let Some(not_finite) = self.contexts.wrap_next(wrapper, interval_s, &mut store) else { break };
            self.not_finite += not_finite;
        }
        self.series += records.len() as u64;
        records.extend(&told);
        queue::store(&mut request, WRAPPED_METRICS, &records);
        if !self.contexts.is_empty() {
            self.step = Step::Open { sent: true };
            return (request, Hold::Keep);
        }
        if self.last {
            queue::finish_claim(&mut request);
        } else {
            queue::remove_first(&mut request, self.records);
        }
        request.commit();
        self.step = Step::Executing;
        (request, Hold::Free)
    }

    /// Takes the replies to the last piece; true when the transaction was carried out.
    pub fn confirm(&mut self, replies: &[Value], name: &str) -> Result<bool, QueueError> {
        match &mut self.step {
            Step::Guarding => {
                queue::guarded(replies, name, false)?;
                self.step = Step::Guarded;
                Ok(false)
            }
            Step::Executing => queue::transaction(replies).map(|_| true),
            Step::Open { sent } => {
                *sent = false;
                queue::queued(replies).map(|()| false)
            }
            Step::New | Step::Guarded => Err(QueueError::Unexpected("a commit")),
        }
    }
}
