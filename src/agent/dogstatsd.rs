//! DogStatsD: samples go straight into the buckets of their interval, without a queue between.
//!
//! ```text
//! datagram ─► messages ─► open bucket ─► flush: closed ─► series, slice by slice ─► Outbox
//!                └ timestamped: a point of its own; event, service check ─────────────┘
//! ```
//!
//! A flush closes the buckets that are over, and those of an earlier configuration, clock or run are closed at once. A
//! bucket that has reached its bound is closed early: sums stay exact, a gauge or histogram gets more than one point.
//! Contexts are made into series as fast as Redis takes them; while it is away they all are, and the [`Outbox`] keeps
//! the latest.
//!
//! While the clock is not believable, samples are stamped with the monotonic one, in buckets of their own, and moved
//! to where they belong once it is.
//!
//! An agent that stands by receives what its own sockets bring, as the holder of the lease does: nobody else has it.
//! Its series wait in its outbox, within the bounds of that, until it is the holder: to store them next to the holder
//! it would have to know whether a transaction of an earlier connection was carried out, and the lease is what tells.

mod offenders;
mod records;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use super::outbox::Outbox;
use super::{Cx, reading};
use crate::aggregate::wrapper::distribution::Distributions;
use crate::aggregate::{Accumulator, Bucket, Contexts, Wrapper, bucket_end_s, bucket_of};
use crate::ingest::dogstatsd::{Kind, Message, MessageError, Metric, Parser, messages};
use crate::limits::dogstatsd::{
    CONTEXTS_PER_SLICE, POINTS_WAITING_MAX, RECORDS_UNSTAMPED_MAX, SERIES_WAITING, SHOWN_BYTES_MAX,
    UNSTAMPED_INTERVALS_MAX,
};
use crate::metric::{Point, Sample, Series, SeriesKind, Tags, Value};
use offenders::Offenders;
use records::{Record, push_distribution};

/// See the module.
#[derive(Default)]
pub(super) struct Dogstatsd {
    parser: Parser,
    /// Where the monotonic clock begins.
    origin: Option<Instant>,
    open: Vec<Open>,
    closed: VecDeque<Closed>,
    /// Events and checks that wait for a believable clock.
    unstamped: VecDeque<Record>,
    /// Samples of contexts beyond the bound.
    beyond: Offenders,
    /// A bad message since the last flush, and why it is one.
    bad: Option<(MessageError, String)>,
}

/// Which interval a bucket is of.
#[derive(Clone, Copy, PartialEq)]
enum Slot {
    /// By the wall clock.
    Stamped(i64),
    /// By the monotonic clock.
    Unstamped(i64),
}

/// A bucket that takes samples.
struct Open {
    slot: Slot,
    interval_s: u32,
    wrapper: Rc<dyn Wrapper>,
    metrics: Bucket,
    distributions: Bucket,
}

/// A bucket on its way to the outbox.
struct Closed {
    interval_s: u32,
    wrapper: Rc<dyn Wrapper>,
    metrics: Contexts,
    distributions: Contexts,
    /// What is added to its timestamps.
    shift_s: f64,
}

impl Dogstatsd {
    /// Takes what a datagram says. Where it was cut, its last message is lost.
    pub fn receive(&mut self, datagram: &[u8], is_cut: bool, outbox: &mut Outbox, cx: &mut Cx<'_>) {
        let (slot, now_s) = self.time(cx);
        let at = self.open.iter().position(|open| open.slot == slot);
        let at = at.unwrap_or_else(|| {
            self.open.push(Open::new(slot, cx));
            self.open.len() - 1
        });
        let Some(open) = self.open.get_mut(at) else { return };
        let mut received = 0;
        for message in messages(datagram, is_cut) {
            received += 1;
            let parsed = message.and_then(|message| self.parser.parse(message));
            let taken = match &parsed {
                Ok(Message::Metric(metric)) if metric.timestamp_s.is_some() => {
                    push_points(metric, open.interval_s, outbox, cx);
                    Ok(())
                }
                Ok(Message::Metric(metric)) => open.take(metric, now_s, &mut self.beyond, cx),
                Ok(Message::Event(event)) => {
                    self.unstamped.push_back(Record::of_event(event, cx.now.mono));
                    Ok(())
                }
                Ok(Message::Check(check)) => {
                    self.unstamped.push_back(Record::of_check(check, cx.now.mono));
                    Ok(())
                }
                Err(error) => Err(*error),
            };
            if let Err(error) = taken {
                cx.telemetry.dogstatsd_bad(error.reason());
                self.bad.get_or_insert_with(|| (error, shown(message.unwrap_or(datagram))));
            }
        }
        cx.telemetry.dogstatsd_received(received);
        if open.metrics.is_full() || open.distributions.is_full() {
            let open = self.open.swap_remove(at);
            self.close_one(open, cx);
        }
        self.stamp(outbox, cx);
    }

    /// Closes the buckets that are over, and says what went wrong meanwhile.
    pub fn close(&mut self, outbox: &mut Outbox, cx: &mut Cx<'_>) {
        self.stamp(outbox, cx);
        let open_from_s = reading::open_from_s(cx);
        let is_believable = cx.is_clock_believable();
        let is_over = |open: &Open| match open.slot {
            Slot::Stamped(index) => bucket_end_s(index, open.interval_s) <= open_from_s,
            Slot::Unstamped(_) => is_believable,
        };
        let (over, open) = std::mem::take(&mut self.open).into_iter().partition(is_over);
        self.open = open;
        Vec::into_iter(over).for_each(|open| self.close_one(open, cx));
        self.bound_unstamped(cx);
        if let Some((error, message)) = self.bad.take() {
            let text = format_args!("bad messages are dropped, such as {message:?}: {error}");
            cx.warnings.warn("dogstatsd", &text, cx.now.mono);
        }
        if let Some(contexts_max) = cx.settings.dogstatsd_contexts_max
            && let Some(text) = self.beyond.report(contexts_max, cx.now.mono)
        {
            log::warn!("dogstatsd: {text}");
        }
    }

    /// Closes all buckets: the clock, the configuration or the run ends here.
    pub fn close_all(&mut self, cx: &mut Cx<'_>) {
        let is_believable = cx.is_clock_believable();
        let can_close = |open: &Open| is_believable || matches!(open.slot, Slot::Stamped(_));
        let (closing, open) = std::mem::take(&mut self.open).into_iter().partition(can_close);
        self.open = open;
        Vec::into_iter(closing).for_each(|open| self.close_one(open, cx));
    }

    /// Contexts of the buckets that take samples.
    pub fn contexts(&self) -> usize {
        self.open.iter().map(Open::contexts).sum()
    }

    /// Whether [`Dogstatsd::work`] has something to do: series are wanted, or are not stored at present anyway.
    pub fn has_work(&self, outbox: &Outbox) -> bool {
        !self.closed.is_empty() && (outbox.len() < SERIES_WAITING || !outbox.is_storing())
    }

    /// Whether nothing is on its way to the outbox.
    pub fn is_drained(&self) -> bool {
        self.closed.is_empty()
    }

    /// Makes series of some contexts of closed buckets.
    pub fn work(&mut self, outbox: &mut Outbox, cx: &mut Cx<'_>) {
        for _ in 0..CONTEXTS_PER_SLICE {
            let Some(closed) = self.closed.front_mut() else { break };
            if !closed.push_next(outbox, cx) {
                self.closed.pop_front();
            }
        }
        outbox.store(cx);
    }

    /// The interval and timestamp of what comes now.
    fn time(&mut self, cx: &Cx<'_>) -> (Slot, f64) {
        let interval_s = cx.settings.aggregate_interval_s;
        if cx.is_clock_believable() {
            return (Slot::Stamped(bucket_of(cx.now.wall_s, interval_s)), cx.now.wall_s);
        }
        let mono_s = self.mono_s(cx.now.mono);
        (Slot::Unstamped(bucket_of(mono_s, interval_s)), mono_s)
    }

    /// Gives events and checks to the outbox, once it is known what time it is.
    fn stamp(&mut self, outbox: &mut Outbox, cx: &mut Cx<'_>) {
        if cx.is_clock_believable() {
            self.unstamped.drain(..).for_each(|record| record.push(outbox, cx));
        }
        while self.unstamped.len() > RECORDS_UNSTAMPED_MAX {
            self.unstamped.pop_front();
            cx.telemetry.dropped("clock", 1);
        }
    }

    fn mono_s(&mut self, mono: Instant) -> f64 {
        let origin = *self.origin.get_or_insert(mono);
        mono.saturating_duration_since(origin).as_secs_f64()
    }

    fn close_one(&mut self, mut open: Open, cx: &Cx<'_>) {
        let shift_s = match open.slot {
            Slot::Stamped(_) => 0.0,
            Slot::Unstamped(_) => cx.now.wall_s - self.mono_s(cx.now.mono),
        };
        self.closed.push_back(Closed {
            interval_s: open.interval_s,
            wrapper: open.wrapper,
            metrics: open.metrics.take_contexts(),
            distributions: open.distributions.take_contexts(),
            shift_s,
        });
    }

    fn bound_unstamped(&mut self, cx: &mut Cx<'_>) {
        let is_unstamped = |open: &&Open| matches!(open.slot, Slot::Unstamped(_));
        while self.open.iter().filter(is_unstamped).count() > UNSTAMPED_INTERVALS_MAX {
            let Some(oldest) = self.open.iter().position(|open| is_unstamped(&open)) else { break };
            let dropped = self.open.remove(oldest);
            cx.telemetry.dropped("clock", dropped.contexts() as u64);
        }
    }
}

impl Open {
    fn new(slot: Slot, cx: &Cx<'_>) -> Open {
        Open {
            slot,
            interval_s: cx.settings.aggregate_interval_s,
            wrapper: Rc::clone(&cx.settings.wrapper),
            metrics: Bucket::default(),
            distributions: Bucket::default(),
        }
    }

    fn contexts(&self) -> usize {
        self.metrics.len() + self.distributions.len()
    }

    fn take(
        &mut self,
        metric: &Metric<'_>,
        now_s: f64,
        beyond: &mut Offenders,
        cx: &mut Cx<'_>,
    ) -> Result<(), MessageError> {
        let is_full = cx.settings.dogstatsd_contexts_max.is_none_or(|most| self.contexts() >= most);
        let distributions = Distributions::under(self.wrapper.rules());
        let (bucket, wrapper): (_, &dyn Wrapper) = match metric.kind {
            Kind::Distribution => (&mut self.distributions, &distributions),
            _ => (&mut self.metrics, &*self.wrapper),
        };
        for sample in metric.samples(now_s) {
            if is_full && !bucket.has(&sample, wrapper) {
                beyond.note(sample.name);
                cx.telemetry.dropped("dogstatsd_contexts", 1);
            } else if let Err(error) = bucket.add_in_order(&sample, metric.weight, wrapper) {
                cx.telemetry.dropped(error.reason(), 1);
            }
        }
        Ok(())
    }
}

impl Closed {
    /// Gives the next context to the outbox; false when there was none.
    fn push_next(&mut self, outbox: &mut Outbox, cx: &mut Cx<'_>) -> bool {
        let (mut all, shift_s) = (Vec::new(), self.shift_s);
        let wrapped = self.metrics.wrap_next(&*self.wrapper, self.interval_s, &mut |mut series| {
            series.point.timestamp += shift_s;
            all.push(series);
        });
        if let Some(not_finite) = wrapped {
            cx.telemetry.dropped("not_finite", not_finite);
            outbox.push(&all, cx);
            return true;
        }
        match self.distributions.take_next() {
            Some((context, Accumulator::Weighted { values, first_s, .. })) => {
                push_distribution(&context, values.values(), first_s + shift_s, outbox, cx);
                true
            }
            other => other.is_some(),
        }
    }
}

/// What is aggregated already goes by.
fn push_points(metric: &Metric<'_>, interval_s: u32, outbox: &mut Outbox, cx: &mut Cx<'_>) {
    let is_count = metric.kind == Kind::Count;
    for sample in metric.samples(0.0) {
        if outbox.len() >= POINTS_WAITING_MAX {
            cx.telemetry.dropped("outbox_full", 1);
        } else if let Some(series) = point(&sample, is_count.then_some(interval_s)) {
            outbox.push_point(&series, cx);
        }
    }
}

fn point(sample: &Sample<'_>, interval_s: Option<u32>) -> Option<Series> {
    let Value::Number(value) = sample.value else { return None };
    Some(Series {
        name: sample.name.to_owned(),
        kind: if interval_s.is_some() { SeriesKind::Count } else { SeriesKind::Gauge },
        tags: Tags::from_canonical(sample.tags),
        interval_s,
        point: Point { timestamp: sample.timestamp, value },
    })
}

/// The beginning of a message, for a log line.
fn shown(message: &[u8]) -> String {
    let start = message.get(..message.len().min(SHOWN_BYTES_MAX)).unwrap_or_default();
    String::from_utf8_lossy(start).into_owned()
}
