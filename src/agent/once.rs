//! `run --once`: one capture, aggregation and release, then an exit status that says whether everything
//! was delivered. An agent that works on the same Redis keeps the lease, and this one gives up; a dry run needs none.

use std::time::Duration;

use super::releaser::Releaser;
use super::{Action, Agent, Now, Stream, Timer, lease};
use crate::limits::ONCE_REDIS_S;

/// Between two attempts to take the lease.
const LEASE_POLL_MS: u64 = 500;

#[derive(Default)]
pub(super) struct Once {
    phase: Phase,
    failed: bool,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Phase {
    #[default]
    Connect,
    /// Another agent has the lease; it may have died a moment ago.
    AwaitLease,
    Aggregate,
    Store,
    Release,
    Done,
}

impl Once {
    /// Redis must be there in time.
    pub fn begin(&self, now: Now, actions: &mut Vec<Action>) {
        actions.push(Action::Arm(Timer::Stop, now.mono + Duration::from_secs(ONCE_REDIS_S)));
    }
}

impl Agent {
    pub(super) fn advance_once(&mut self, once: &mut Once, now: Now, actions: &mut Vec<Action>) {
        if self.shared.stopping {
            return;
        }
        if !self.shared.line.is_up() {
            if once.phase != Phase::Connect && once.phase != Phase::Done {
                once.phase = Phase::Done;
                log::error!("redis was lost on the way");
                self.leaving = Some(1);
            }
            return;
        }
        if once.phase == Phase::Connect {
            let longest = lease::lasts(&self.shared.settings) + Duration::from_millis(LEASE_POLL_MS);
            actions.push(Action::Arm(Timer::Stop, now.mono + longest));
            actions.push(Action::Arm(Timer::Lease, now.mono + Duration::from_millis(LEASE_POLL_MS)));
            once.phase = Phase::AwaitLease;
        }
        if once.phase == Phase::AwaitLease && self.shared.holding.may_release(now.mono) {
            actions.push(Action::Disarm(Timer::Stop));
            once.phase = Phase::Aggregate;
        }
        if once.phase == Phase::Aggregate && self.flusher.is_idle() && self.collectors.is_idle() {
            once.failed |= self.flusher.failed();
            self.self_metrics(now, actions);
            self.outbox.store(&mut self.shared.cx(now, actions));
            once.phase = Phase::Store;
        }
        let may_store = self.shared.holding.is_held(now.mono);
        if once.phase == Phase::Store && (self.outbox.is_settled() || !may_store) {
            if self.shared.is_dry_run {
                self.show_what_waits();
            }
            once.failed |= !self.outbox.is_empty();
            self.release_now(now, actions);
            once.phase = Phase::Release;
        }
        if once.phase == Phase::Release && self.releasers.iter().all(Releaser::is_idle) {
            once.phase = Phase::Done;
            once.failed |= !self.releasers.iter().all(Releaser::delivered);
            if once.failed {
                log::error!("not everything was delivered; the rest is kept in the queue");
            }
            self.leaving = Some(u8::from(once.failed));
        }
    }

    /// What would have been stored by now goes straight to where it would be released.
    fn show_what_waits(&mut self) {
        let aggregated = self.flusher.take_shown();
        for stream in Stream::ALL {
            self.releasers.of(stream).add_unstored(self.outbox.take(stream));
        }
        self.releasers.metrics.add_unstored(aggregated);
    }

    /// Asks for the lease again, or renews it: no flush timer does so here.
    pub(super) fn poll_lease(&mut self, now: Now, actions: &mut Vec<Action>) {
        self.lease.ask(&mut self.shared.cx(now, actions));
        actions.push(Action::Arm(Timer::Lease, now.mono + Duration::from_millis(LEASE_POLL_MS)));
    }
}
