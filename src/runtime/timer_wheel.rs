//! Timers: insert, cancel, next deadline, and what is due, first in, first out within a tick.
//!
//! Nothing ticks: the loop sleeps until [`TimerWheel::next_deadline`]. Slots would pay with thousands of
//! timers; an agent has a dozen, so a sorted list holds them.

use std::time::{Duration, Instant};

/// Deadlines closer together than this fire in the order in which they were inserted.
pub const TICK: Duration = Duration::from_millis(1);

const _: () = assert!(TICK.as_nanos() == 1_000_000);

/// Timers by name; each name stands at most once.
pub struct TimerWheel<T> {
    origin: Instant,
    /// The tick after which each is due, the next one last; of one tick, the one inserted first stands last.
    timers: Vec<(u64, T)>,
}

impl<T: Eq + Copy> TimerWheel<T> {
    /// No timers. Deadlines before `origin` are due at once.
    pub fn new(origin: Instant) -> Self {
        TimerWheel { origin, timers: Vec::new() }
    }

    /// Arms a timer; it replaces the one of the same name.
    pub fn insert(&mut self, timer: T, at: Instant) {
        self.cancel(timer);
        let tick = self.tick_after(at);
        let later = self.timers.partition_point(|(other, _)| *other > tick);
        self.timers.insert(later, (tick, timer));
    }

    /// Forgets a timer.
    pub fn cancel(&mut self, timer: T) {
        self.timers.retain(|(_, name)| *name != timer);
    }

    /// When the next timer is due. It may have passed.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.last().map(|(tick, _)| self.time_of(*tick))
    }

    /// Takes the next timer that is due, and how late it is. One that is armed again while others are taken
    /// comes after all that were due before it.
    pub fn pop_due(&mut self, now: Instant) -> Option<(T, Duration)> {
        let passed = now.saturating_duration_since(self.origin).as_millis() as u64;
        let (tick, timer) = self.timers.pop_if(|(tick, _)| *tick <= passed)?;
        Some((timer, now.saturating_duration_since(self.time_of(tick))))
    }

    fn time_of(&self, tick: u64) -> Instant {
        // A tick is a millisecond; a deadline beyond what a clock can say is as good as never.
        let since = Duration::from_millis(tick);
        self.origin.checked_add(since).unwrap_or(self.origin + Duration::from_secs(u64::from(u32::MAX)))
    }

    /// Rounded up: a timer never fires early.
    fn tick_after(&self, at: Instant) -> u64 {
        let nanos = at.saturating_duration_since(self.origin).as_nanos();
        u64::try_from(nanos.div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(wheel: &mut TimerWheel<u32>, now: Instant) -> Vec<u32> {
        std::iter::from_fn(|| wheel.pop_due(now).map(|(timer, _)| timer)).collect()
    }

    #[test]
    fn first_in_first_out_within_a_tick() {
        let origin = Instant::now();
        let mut wheel = TimerWheel::new(origin);
        for (timer, micros) in [(3, 900), (1, 200), (2, 999), (9, 1001), (4, 0)] {
            wheel.insert(timer, origin + Duration::from_micros(micros));
        }
        assert_eq!(wheel.next_deadline(), Some(origin));
        assert_eq!(drain(&mut wheel, origin), [4]);
        assert_eq!(drain(&mut wheel, origin + Duration::from_micros(999)), [], "never early");
        assert_eq!(drain(&mut wheel, origin + TICK), [3, 1, 2]);
        assert_eq!(drain(&mut wheel, origin + TICK * 2), [9]);
        assert_eq!(wheel.next_deadline(), None);
    }

    #[test]
    fn a_name_stands_once_and_can_be_cancelled() {
        let origin = Instant::now();
        let mut wheel = TimerWheel::new(origin);
        wheel.insert(1, origin + TICK);
        wheel.insert(1, origin + TICK * 5);
        wheel.insert(2, origin + TICK * 2);
        wheel.cancel(2);
        wheel.cancel(7);
        assert_eq!(drain(&mut wheel, origin + TICK * 4), []);
        assert_eq!(drain(&mut wheel, origin + TICK * 5), [1]);
    }

    #[test]
    fn months_of_running_change_nothing() {
        let origin = Instant::now();
        let mut wheel = TimerWheel::new(origin);
        let at = origin + Duration::from_secs(200 * 86_400);
        wheel.insert(1, at);
        assert_eq!(wheel.next_deadline(), Some(at));
        assert_eq!(wheel.pop_due(at - TICK), None);
        assert_eq!(wheel.pop_due(at), Some((1, Duration::ZERO)));
    }

    #[test]
    fn lateness_is_told() {
        let origin = Instant::now();
        let mut wheel = TimerWheel::new(origin);
        wheel.insert(1, origin + TICK * 3);
        assert_eq!(wheel.pop_due(origin + TICK * 10), Some((1, TICK * 7)));
    }

    #[test]
    fn after_a_stall_each_timer_fires_once_in_order() {
        let origin = Instant::now();
        let mut wheel = TimerWheel::new(origin);
        for timer in 0..5 {
            wheel.insert(timer, origin + Duration::from_secs(u64::from(5 - timer)));
        }
        assert_eq!(drain(&mut wheel, origin + Duration::from_secs(4 * 3600)), [4, 3, 2, 1, 0]);
    }
}
