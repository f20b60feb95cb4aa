//! The agent's own series on their way into the wrapped queue: readings and self-metrics.
//!
//! They wait in memory, bounded, while Redis is away. Each keeps its key until it is known to be stored, so
//! storing it again after a lost reply changes nothing.

use std::collections::VecDeque;
use std::time::Instant;

use super::line::{Hold, Owner};
use super::{Cx, Now};
use crate::collect::Gauge;
use crate::limits::{OUTBOX_SERIES_MAX, STORE_SERIES_MAX, UNSTAMPED_MAX};
use crate::metric::Series;
use crate::protocol::redis::Value;
use crate::queue::{self, Entry, WRAPPED_METRICS};

#[derive(Default)]
pub(super) struct Outbox {
    run: u32,
    entries: VecDeque<Entry>,
    /// How many of the first entries are in the request under way.
    storing: usize,
    refused: bool,
    /// Readings taken while the clock was not believable.
    unstamped: VecDeque<(Instant, Gauge)>,
}

impl Outbox {
    /// Takes series to be stored at the next opportunity.
    pub fn push(&mut self, series: &[Series], cx: &mut Cx<'_>) {
        self.entries.extend(cx.ids.entries(series));
        // What is under way stays: it may be stored already.
        while self.entries.len() > OUTBOX_SERIES_MAX && self.entries.len() > self.storing {
            self.entries.remove(self.storing);
            cx.telemetry.dropped("outbox_full", 1);
        }
    }

    /// Takes the readings of a collector, stamped now; without a believable clock they wait for one.
    pub fn push_readings(&mut self, readings: Vec<Gauge>, cx: &mut Cx<'_>) {
        self.unstamped.extend(readings.into_iter().map(|gauge| (cx.now.mono, gauge)));
        while self.unstamped.len() > UNSTAMPED_MAX {
            self.unstamped.pop_front();
            cx.telemetry.dropped("clock", 1);
        }
        self.stamp(cx);
    }

    /// Stores what waits, one transaction at a time.
    pub fn store(&mut self, cx: &mut Cx<'_>) {
        self.stamp(cx);
        if self.storing > 0 || self.entries.is_empty() || !cx.line.is_up() {
            return;
        }
        self.storing = self.entries.len().min(STORE_SERIES_MAX);
        let entries = self.entries.make_contiguous();
        let request = queue::store_entries(WRAPPED_METRICS, &entries[..self.storing]);
        cx.line.submit(Owner::Outbox(self.run), request, Hold::Free, cx.actions);
    }

    pub fn replied(&mut self, run: u32, replies: &[Value], cx: &mut Cx<'_>) {
        if run != self.run {
            return;
        }
        let stored = std::mem::take(&mut self.storing);
        match queue::transaction(replies) {
            Ok(_) => {
                self.refused = false;
                self.entries.drain(..stored.min(self.entries.len()));
                cx.warnings.recovered("storing readings");
                self.store(cx);
            }
            Err(error) => {
                self.refused = true;
                cx.warnings.warn("storing readings", &error, cx.now.mono);
            }
        }
    }

    /// The connection is gone; whether the request under way was carried out is unknown, so it is repeated.
    pub fn lost(&mut self) {
        self.run = self.run.wrapping_add(1);
        self.storing = 0;
    }

    /// Whether nothing waits, or Redis refused it and the next turn will try again.
    pub fn is_settled(&self) -> bool {
        self.storing == 0 && (self.entries.is_empty() || self.refused)
    }

    /// Whether anything waits to be stored.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
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
