//! When the periodic timers fire: aligned to the wall clock, armed on the monotonic one.

use std::time::Duration;

use super::{Action, Now, Settings, Timer};
use crate::limits::{CLOCK_STEP_S, FIRST_RELEASE_S, FLUSH_DELAY_S};
use crate::release::Random;

pub(super) struct Schedule {
    /// Where in its interval this agent releases, 0 to 1: a fleet does not release on the same second.
    release_phase: f64,
    last: Option<Now>,
}

impl Schedule {
    pub fn new(random: &mut Random) -> Schedule {
        Schedule { release_phase: random.unit(), last: None }
    }

    /// Whether the wall clock was set, or the board suspended, since the last call.
    pub fn clock_stepped(&mut self, now: Now) -> bool {
        let Some(last) = self.last.replace(now) else {
            return false;
        };
        let expected_s = last.wall_s + now.mono.saturating_duration_since(last.mono).as_secs_f64();
        let step_s = now.wall_s - expected_s;
        if step_s.abs() < CLOCK_STEP_S {
            return false;
        }
        log::info!("the clock stepped by {step_s:.1} s");
        true
    }

    /// Arms all periodic timers for their next turn.
    pub fn arm_all(&self, settings: &Settings, now: Now, actions: &mut Vec<Action>) {
        for timer in [Timer::Capture, Timer::Flush, Timer::Release] {
            self.arm(timer, settings, now, actions);
        }
    }

    /// Arms a periodic timer for its next turn; others are left alone.
    pub fn arm(&self, timer: Timer, settings: &Settings, now: Now, actions: &mut Vec<Action>) {
        let delay_s = f64::from(FLUSH_DELAY_S);
        let (interval_s, offset_s) = match timer {
            // With the flush, so that one waking serves both.
            Timer::Capture => (settings.capture_interval_s, delay_s),
            Timer::Flush => (settings.aggregate_interval_s, delay_s),
            Timer::Release => {
                (settings.release_interval_s, self.release_phase * f64::from(settings.release_interval_s))
            }
            Timer::Retry
            | Timer::RetryLogs
            | Timer::RetryDistributions
            | Timer::RetryEvents
            | Timer::RetryChecks
            | Timer::Lease
            | Timer::Stop => return,
        };
        let wait_s = until_next(now.wall_s, f64::from(interval_s), offset_s);
        actions.push(Action::Arm(timer, now.mono + Duration::from_secs_f64(wait_s)));
    }

    /// Arms the release soon after the start: what was left behind has waited long enough, and a person
    /// wants to see something.
    pub fn arm_first_release(
        &self,
        settings: &Settings,
        random: &mut Random,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let longest_s = FIRST_RELEASE_S.1.min(f64::from(settings.release_interval_s));
        let wait_s =
            FIRST_RELEASE_S.0.min(longest_s) + random.unit() * (longest_s - FIRST_RELEASE_S.0).max(0.0);
        actions.push(Action::Arm(Timer::Release, now.mono + Duration::from_secs_f64(wait_s)));
    }
}

/// Seconds until the next time that is `offset_s` into an interval. A timer that fired a moment early does
/// not fire again for the same turn.
fn until_next(wall_s: f64, interval_s: f64, offset_s: f64) -> f64 {
    const EARLY_S: f64 = 0.05;
    let into_s = (wall_s - offset_s).rem_euclid(interval_s);
    let wait_s = interval_s - into_s;
    if wait_s < EARLY_S { wait_s + interval_s } else { wait_s.min(interval_s) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn turns_are_aligned_to_the_wall_clock() {
        for (wall, interval, offset, wait) in [
            (100.0, 10.0, 1.0, 1.0),
            (101.0, 10.0, 1.0, 10.0),
            (100.99, 10.0, 1.0, 10.01),
            (105.5, 10.0, 1.0, 5.5),
            (0.0, 60.0, 59.0, 59.0),
            (-3.0, 10.0, 1.0, 4.0),
        ] {
            let got = until_next(wall, interval, offset);
            assert!((got - wait).abs() < 1e-9, "{wall} % {interval} + {offset}: {got}");
        }
    }

    #[test]
    fn a_step_of_the_clock_is_noticed_once() {
        let (mut schedule, start) = (Schedule::new(&mut Random::new(1)), Instant::now());
        let at = |mono_s: u64, wall_s: f64| Now { mono: start + Duration::from_secs(mono_s), wall_s };
        assert!(!schedule.clock_stepped(at(0, 50.0)));
        assert!(!schedule.clock_stepped(at(10, 60.2)), "drift is no step");
        assert!(schedule.clock_stepped(at(20, 1_700_000_000.0)));
        assert!(!schedule.clock_stepped(at(30, 1_700_000_010.0)));
        assert!(schedule.clock_stepped(at(40, 1_699_990_000.0)), "backwards too");
    }
}
