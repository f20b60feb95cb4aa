//! What the agent has in memory on its way into the wrapped queues: readings, self-metrics, and what became of
//! DogStatsD's messages.
//!
//! They wait in memory, bounded, while Redis is away. Each keeps its key until it is known to be stored, so
//! storing it again after a lost reply changes nothing.

use std::collections::VecDeque;
use std::time::Instant;

use super::line::{Hold, Owner};
use super::{Cx, Now, PerStream, Stream, lease};
use crate::aggregate::SampleError;
use crate::collect::Gauge;
use crate::limits::{OUTBOX_BYTES_MAX, OUTBOX_SERIES_MAX, STORE_BYTES_MAX, STORE_SERIES_MAX, UNSTAMPED_MAX};
use crate::metric::Series;
use crate::protocol::redis::{Request, Value};
use crate::queue::{self, Entry, QueueError, Records};

pub(super) struct Outbox {
    run: u32,
    waiting: PerStream<Waiting>,
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
    /// The first entries of each stream are in the request under way.
    Storing,
}

/// What waits of a stream.
#[derive(Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// How many of the first ones are in the request under way.
    storing: usize,
}

impl Default for Outbox {
    fn default() -> Outbox {
        Outbox {
            run: 0,
            waiting: PerStream::each(|_| Waiting::default()),
            step: Step::Idle,
            refused: false,
            unstamped: VecDeque::new(),
        }
    }
}

impl Waiting {
    fn push(&mut self, entry: Entry) {
        self.bytes += entry.json.len();
        self.entries.push_back(entry);
    }

    /// Drops the oldest ones beyond a bound; what is under way stays, it may be stored already. How many.
    fn bound(&mut self, entries_max: usize, bytes_max: usize) -> u64 {
        let mut dropped = 0;
        while (self.entries.len() > entries_max || self.bytes > bytes_max)
            && let Some(entry) = self.entries.remove(self.storing)
        {
            self.bytes -= entry.json.len();
            dropped += 1;
        }
        dropped
    }

    /// The first ones, as many as a request has room for.
    fn begin(&mut self, entries_left: &mut usize, bytes_left: &mut usize) -> &[Entry] {
        self.storing = 0;
        for entry in &self.entries {
            if *entries_left == 0 || *bytes_left == 0 {
                break;
            }
            *entries_left -= 1;
            *bytes_left = bytes_left.saturating_sub(entry.json.len());
            self.storing += 1;
        }
        self.entries.make_contiguous().get(..self.storing).unwrap_or_default()
    }

    fn stored(&mut self) {
        for entry in self.entries.drain(..self.storing.min(self.entries.len())) {
            self.bytes -= entry.json.len();
        }
        self.storing = 0;
    }
}

impl Outbox {
    /// Takes series to be stored at the next opportunity.
    pub fn push(&mut self, series: &[Series], cx: &mut Cx<'_>) {
        let waiting = &mut self.waiting.metrics;
        cx.ids.entries(series).into_iter().for_each(|entry| waiting.push(entry));
        cx.telemetry.dropped("outbox_full", waiting.bound(OUTBOX_SERIES_MAX, usize::MAX));
    }

    /// Takes a series whose point is of another time than now: it grows old from now on.
    pub fn push_point(&mut self, series: &Series, cx: &mut Cx<'_>) {
        let mut entry = cx.ids.entry(series);
        if cx.is_clock_believable() {
            entry.score_s = cx.now.wall_s;
        }
        let waiting = &mut self.waiting.metrics;
        waiting.push(entry);
        cx.telemetry.dropped("outbox_full", waiting.bound(OUTBOX_SERIES_MAX, usize::MAX));
    }

    /// Takes a record of another stream.
    pub fn push_record(&mut self, stream: Stream, json: Vec<u8>, timestamp_s: f64, cx: &mut Cx<'_>) {
        let waiting = self.waiting.of(stream);
        waiting.push(cx.ids.record(json, timestamp_s));
        cx.telemetry.dropped("outbox_full", waiting.bound(OUTBOX_SERIES_MAX, OUTBOX_BYTES_MAX));
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

    /// Gives away what waits of a stream: a dry run stores nothing.
    pub fn take(&mut self, stream: Stream) -> VecDeque<Entry> {
        std::mem::take(self.waiting.of(stream)).entries
    }

    /// Stores what waits, one transaction at a time, while this agent holds the lease: what an earlier connection
    /// sent cannot come after it then.
    pub fn store(&mut self, cx: &mut Cx<'_>) {
        self.stamp(cx);
        let may_store = cx.line.is_up() && cx.holding.is_held(cx.now.mono);
        if self.step == Step::Idle && !self.is_empty() && may_store {
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
            Step::Storing => queue::transaction(replies).map(|_| self.stored(cx)),
        };
        if let Err(error) = result {
            if step == Step::Guarding {
                self.submit(queue::discard(false), Hold::Free, cx);
            }
            if error == QueueError::LeaseLost {
                cx.holding.doubt();
            }
            self.refused = true;
            self.waiting.iter_mut().for_each(|waiting| waiting.storing = 0);
            cx.warnings.warn("storing readings", &error, cx.now.mono);
        }
    }

    fn store_first(&mut self, cx: &mut Cx<'_>) {
        let (mut entries_left, mut bytes_left) = (STORE_SERIES_MAX, STORE_BYTES_MAX);
        let mut request = Request::new();
        request.begin();
        for stream in Stream::ALL {
            let mut records = Records::default();
            records.extend(self.waiting.of(stream).begin(&mut entries_left, &mut bytes_left));
            queue::store(&mut request, stream.queue(), &records);
        }
        request.commit();
        self.step = Step::Storing;
        self.submit(request, Hold::Free, cx);
    }

    fn stored(&mut self, cx: &mut Cx<'_>) {
        self.refused = false;
        self.waiting.iter_mut().for_each(Waiting::stored);
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
        self.waiting.iter_mut().for_each(|waiting| waiting.storing = 0);
    }

    /// Whether nothing waits, or Redis refused it and the next turn will try again.
    pub fn is_settled(&self) -> bool {
        self.step == Step::Idle && (self.is_empty() || self.refused)
    }

    /// How much waits.
    pub fn len(&self) -> usize {
        self.waiting.iter().map(|waiting| waiting.entries.len()).sum()
    }

    /// Whether Redis is at it.
    pub fn is_storing(&self) -> bool {
        self.step != Step::Idle
    }

    /// Whether anything waits to be stored.
    pub fn is_empty(&self) -> bool {
        self.waiting.iter().all(|waiting| waiting.entries.is_empty())
    }

    /// What waits.
    #[cfg(test)]
    pub fn waiting(&mut self, stream: Stream) -> &VecDeque<Entry> {
        &self.waiting.of(stream).entries
    }

    fn stamp(&mut self, cx: &mut Cx<'_>) {
        if !cx.is_clock_believable() {
            return;
        }
        let Now { mono, wall_s } = cx.now;
        let waiting = std::mem::take(&mut self.unstamped);
        let readings = waiting.len();
        let series: Vec<Series> = waiting
            .into_iter()
            .map(|(at, gauge)| {
                let age_s = mono.saturating_duration_since(at).as_secs_f64();
                Series::gauge(gauge.name, gauge.tags, gauge.value, wall_s - age_s)
            })
            .filter_map(|reading| match cx.settings.wrapper.rules() {
                Some(rules) => rules.reading(reading),
                None => Some(reading),
            })
            .collect();
        cx.telemetry.dropped(SampleError::Ruled.reason(), (readings - series.len()) as u64);
        if !series.is_empty() {
            self.push(&series, cx);
        }
    }
}
