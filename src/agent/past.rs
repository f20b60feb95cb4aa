//! What has happened so far, for who asks ([`super::status`]): no decision of the agent's depends on it.

use std::time::Instant;

use super::Now;
use crate::status::{Document, Hour, one_line};

const DAY_S: f64 = 86_400.0;

/// See the module.
#[derive(Default)]
pub(super) struct Past {
    started: Option<Instant>,
    storage: Storage,
    flush: Flush,
    /// Raw records when the last run began.
    raw: Option<u64>,
    today: Today,
    hour: Hour,
    /// Drops that the hour has.
    dropped: u64,
}

/// The connection to Redis, or what stands in for it.
#[derive(Default)]
struct Storage {
    is_up: bool,
    /// When it came, or went.
    since: Option<Instant>,
    problem: Option<String>,
}

/// The aggregation of the raw queue.
#[derive(Default)]
struct Flush {
    /// When the last run ended well.
    ended: Option<Instant>,
    records: u64,
    series: u64,
    problem: Option<String>,
    /// Since when a run that ends well is waited for.
    awaited: Option<Instant>,
}

/// What the intakes have taken on a day, by UTC.
#[derive(Default)]
struct Today {
    day: f64,
    bytes: u64,
    requests: u64,
}

impl Past {
    /// The agent has started.
    pub fn started(&mut self, now: Instant) {
        self.started = Some(now);
        self.storage.since = Some(now);
        self.flush.awaited = Some(now);
    }

    /// The connection is there.
    pub fn connected(&mut self, now: Instant) {
        self.storage = Storage { is_up: true, since: Some(now), problem: None };
        self.flush.awaited = Some(now);
    }

    /// The connection is gone, or could still not be made.
    #[inline(never)]
    pub fn disconnected(&mut self, reason: &str, now: Instant) {
        if self.storage.is_up {
            self.storage.since = Some(now);
        }
        self.storage.is_up = false;
        self.storage.problem = Some(one_line(reason));
    }

    /// Nothing is amiss: another agent has the lease, or a long run goes on.
    pub fn flush_may_wait(&mut self, now: Instant) {
        self.flush.awaited = Some(now);
    }

    /// A run begins, with so many raw records.
    pub fn surveyed(&mut self, raw: u64) {
        self.raw = Some(raw);
    }

    /// A run ended well.
    #[inline(never)]
    pub fn flushed(&mut self, records: u64, series: u64, now: Instant) {
        self.flush = Flush { ended: Some(now), records, series, problem: None, awaited: Some(now) };
    }

    /// A run was given up.
    pub fn flush_failed(&mut self, problem: &str) {
        self.flush.problem = Some(one_line(problem));
    }

    /// An intake has taken a payload.
    #[inline(never)]
    pub fn delivered(&mut self, items: usize, bytes: usize, now: Now) {
        let day = (now.wall_s / DAY_S).floor();
        if self.today.day != day {
            self.today = Today { day, bytes: 0, requests: 0 };
        }
        self.today.bytes += bytes as u64;
        self.today.requests += 1;
        let minute = self.hour.minute(now.mono);
        minute.released = minute.released.saturating_add(u32::try_from(items).unwrap_or(u32::MAX));
        minute.bytes = minute.bytes.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// So many series wait for delivery.
    pub fn queued(&mut self, records: u64, now: Instant) {
        self.hour.minute(now).queued = Some(u32::try_from(records).unwrap_or(u32::MAX));
    }

    /// So much was dropped since the start.
    pub fn dropped(&mut self, total: u64, now: Instant) {
        let new = total.saturating_sub(std::mem::replace(&mut self.dropped, total));
        if new > 0 {
            let minute = self.hour.minute(now);
            minute.dropped = minute.dropped.saturating_add(u32::try_from(new).unwrap_or(u32::MAX));
        }
    }

    /// When the agent has started.
    pub fn start(&self) -> Option<Instant> {
        self.started
    }

    /// Since when the connection is missing, and why.
    pub fn away_since(&self) -> Option<(Instant, &str)> {
        let problem = self.storage.problem.as_deref().unwrap_or("not connected yet");
        self.storage.since.filter(|_| !self.storage.is_up).map(|since| (since, problem))
    }

    /// Since when a flush that ends well is waited for, and why the last one did not.
    pub fn flush_awaited(&self) -> Option<(Instant, Option<&str>)> {
        self.flush.awaited.map(|since| (since, self.flush.problem.as_deref()))
    }

    /// Writes the connection, with what waits in memory for it, and the flush.
    #[inline(never)]
    pub fn tell(&self, kind: &str, waiting: usize, now: Instant, document: &mut Document) {
        document.begin("storage");
        document.text("kind", Some(kind));
        document.flag("up", self.storage.is_up);
        document.ago("since_s", self.storage.since, now);
        document.text("problem", self.storage.problem.as_deref());
        document.number("waiting", waiting as u64);
        document.end();
        document.begin("flush");
        document.ago("ago_s", self.flush.ended, now);
        document.known("raw", self.raw);
        document.number("records", self.flush.records);
        document.number("series", self.flush.series);
        document.text("problem", self.flush.problem.as_deref());
        document.end();
    }

    /// Writes today and the last hour.
    #[inline(never)]
    pub fn tell_figures(&self, now: Now, document: &mut Document) {
        let is_today = self.today.day == (now.wall_s / DAY_S).floor();
        document.begin("today");
        document.number("bytes", if is_today { self.today.bytes } else { 0 });
        document.number("requests", if is_today { self.today.requests } else { 0 });
        document.end();
        self.hour.tell(now.mono, document);
    }
}
