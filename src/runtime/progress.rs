//! Whether the pipeline advances as far as the loop can see: the flush timer keeps firing, and Redis, where it is
//! connected, keeps replying. Where it does not, a new start may help: the watchdog of a service manager
//! ([`super::notify`]) and the probe of a container ([`super::status`]) ask for this.
//!
//! Neither an intake nor a Redis that is away counts: a new start would help neither.

use std::time::{Duration, Instant};

use crate::limits::{WATCHDOG_GRACE_S, WATCHDOG_INTERVALS};

/// What was seen last.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    interval: Duration,
    flushed: Instant,
    redis_up: bool,
    replied: Instant,
}

impl Progress {
    /// Nothing was seen yet, and nothing is missed.
    pub fn new(now: Instant) -> Progress {
        Progress { interval: Duration::ZERO, flushed: now, redis_up: false, replied: now }
    }

    /// The loop runs, with this much time between two flushes.
    pub fn runs(&mut self, interval: Duration, now: Instant) {
        self.interval = interval;
        self.flushed = now;
    }

    /// The flush timer fired.
    pub fn flushed(&mut self, now: Instant) {
        self.flushed = now;
    }

    /// Redis replied, or the connection to it came or went.
    pub fn redis(&mut self, up: bool, now: Instant) {
        self.redis_up = up;
        self.replied = now;
    }

    /// How long something may stay away that comes with each interval.
    pub fn patience(&self) -> Duration {
        self.interval * WATCHDOG_INTERVALS + Duration::from_secs(WATCHDOG_GRACE_S)
    }

    /// Whether it advances.
    pub fn advances(&self, now: Instant) -> bool {
        let patience = self.patience();
        let recent = |at: Instant| now.saturating_duration_since(at) <= patience;
        recent(self.flushed) && (!self.redis_up || recent(self.replied))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pipeline_must_advance_but_redis_may_be_away() {
        let start = Instant::now();
        let interval = Duration::from_secs(10);
        let patience = interval * WATCHDOG_INTERVALS + Duration::from_secs(WATCHDOG_GRACE_S);
        let late = start + patience + Duration::from_millis(1);
        let all_well = Progress { interval, flushed: late, redis_up: true, replied: late };
        assert!(all_well.advances(late));
        assert!(Progress { replied: start, redis_up: false, ..all_well }.advances(late), "an outage");
        assert!(!Progress { replied: start, ..all_well }.advances(late), "no replies");
        assert!(!Progress { flushed: start, ..all_well }.advances(late), "no flush");
        assert!(
            !Progress { flushed: start, redis_up: false, ..all_well }.advances(late),
            "nor without Redis"
        );
        assert!(Progress { flushed: start, replied: start, ..all_well }.advances(start + patience));
    }
}
