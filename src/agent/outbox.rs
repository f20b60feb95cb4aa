//! The agent's own series on their way into the wrapped queue: readings and self-metrics.
//!
//! They wait in memory, bounded, while Redis is away. Each keeps its key until it is known to be stored, so
//! storing it again after a lost reply changes nothing.

use std::collections::VecDeque;
use std::time::Instant;

use super::line::{Hold, Owner};
use super::{Cx, Now, lease};
use crate::collect::Gauge;
use crate::limits::{OUTBOX_SERIES_MAX, STORE_SERIES_MAX, UNSTAMPED_MAX};
use crate::metric::Series;
use crate::protocol::redis::{Request, Value};
use crate::queue::{self, Entry, QueueError, WRAPPED_METRICS};

#[derive(Default)]
pub(super) struct Outbox {
    run: u32,
    entries: VecDeque<Entry>,
    step: Step,
    refused: bool,
    /// Readings taken while the clock was not believable.
    unstamped: VecDeque<(Instant, Gauge)>,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Step {
    #[default]
    Idle,
    /// It is being asked whose the lease is.
    Guarding,
    /// So many of the first entries are in the request under way.
    Storing(usize),
}

impl Outbox {
    /// Takes series to be stored at the next opportunity.
    pub fn push(&mut self, series: &[Series], cx: &mut Cx<'_>) {
        self.entries.extend(cx.ids.entries(series));
        // What is under way stays: it may be stored already.
        let stays = if let Step::Storing(entries) = self.step { entries } else { 0 };
        while self.entries.len() > OUTBOX_SERIES_MAX && self.entries.len() > stays {
            self.entries.remove(stays);
            cx.telemetry.dropped("outbox_full", 1);
        }
    }

    /// Takes the readings of a collector, stamped now; without a believable clock they wait for one.
    pub fn push_readings(&mut self, readings: Vec<Gauge>, cx: &mut Cx<'_>) {
        self.unstamped.extend(readings.into_iter().map(|gauge| (cx.now.mono, gauge)));
        self.stamp(cx);
        while self.unstamped.len() > UNSTAMPED_MAX {
            self.unstamped.pop_front();
            cx.telemetry.dropped("clock", 1);
        }
    }

    /// Stores what waits, one transaction at a time, while this agent holds the lease: what an earlier connection
    /// sent cannot come after it then.
    pub fn store(&mut self, cx: &mut Cx<'_>) {
        self.stamp(cx);
        let may_store = cx.line.is_up() && cx.holding.is_held(cx.now.mono);
        if self.step == Step::Idle && !self.entries.is_empty() && may_store {
            self.step = Step::Guarding;
            self.submit(queue::guard(lease::lasts(cx.settings)), Hold::Keep, cx);
        }
    }

    pub fn replied(&mut self, run: u32, replies: &[Value], cx: &mut Cx<'_>) {
        if run != self.run {
            return;
        }
        let step = std::mem::take(&mut self.step);
        let result = match step {
            Step::Idle => Ok(()),
            Step::Guarding => {
                queue::guarded(replies, cx.holding.name(), false).map(|()| self.store_first(cx))
            }
            Step::Storing(stored) => queue::transaction(replies).map(|_| self.stored(stored, cx)),
        };
        if let Err(error) = result {
            if step == Step::Guarding {
                self.submit(queue::discard(false), Hold::Free, cx);
            }
            if error == QueueError::LeaseLost {
                cx.holding.doubt();
            }
            self.refused = true;
            cx.warnings.warn("storing readings", &error, cx.now.mono);
        }
    }

    fn store_first(&mut self, cx: &mut Cx<'_>) {
        let storing = self.entries.len().min(STORE_SERIES_MAX);
        self.step = Step::Storing(storing);
        let entries = self.entries.make_contiguous();
        let request = queue::store_entries(WRAPPED_METRICS, &entries[..storing]);
        self.submit(request, Hold::Free, cx);
    }

    fn stored(&mut self, stored: usize, cx: &mut Cx<'_>) {
        self.refused = false;
        self.entries.drain(..stored.min(self.entries.len()));
        cx.warnings.recovered("storing readings");
        self.store(cx);
    }

    fn submit(&self, request: Request, hold: Hold, cx: &mut Cx<'_>) {
        cx.line.submit(Owner::Outbox(self.run), request, hold, cx.actions);
    }

    /// The connection is gone; whether the request under way was carried out is unknown, so it is repeated.
    pub fn lost(&mut self) {
        self.run = self.run.wrapping_add(1);
        self.step = Step::Idle;
    }

    /// Whether nothing waits, or Redis refused it and the next turn will try again.
    pub fn is_settled(&self) -> bool {
        self.step == Step::Idle && (self.entries.is_empty() || self.refused)
    }

    /// How many series wait.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether Redis is at it.
    pub fn is_storing(&self) -> bool {
        self.step != Step::Idle
    }

    /// Whether anything waits to be stored.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What waits.
    #[cfg(test)]
    pub fn waiting(&self) -> &VecDeque<Entry> {
        &self.entries
    }

    fn stamp(&mut self, cx: &mut Cx<'_>) {
        if !cx.is_clock_believable() {
            return;
        }
        let Now { mono, wall_s } = cx.now;
        let waiting = std::mem::take(&mut self.unstamped);
        let series: Vec<Series> = waiting
            .into_iter()
            .map(|(at, gauge)| {
                let age_s = mono.saturating_duration_since(at).as_secs_f64();
                Series::gauge(gauge.name, gauge.tags, gauge.value, wall_s - age_s)
            })
            .collect();
        if !series.is_empty() {
            self.push(&series, cx);
        }
    }
}
