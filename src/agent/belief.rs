//! Whether the wall clock can be believed. A board without a battery clock boots in the past and jumps when the time
//! is known; until then nothing is stamped with it.

use std::time::{Duration, Instant};

use super::{Now, Settings};
use crate::limits::{CLOCK_BEHIND_S, CLOCK_BEHIND_S_MAX, CLOCK_DOUBTED_S, ONCE_REDIS_S};

/// What speaks against the clock.
#[derive(Default)]
pub(super) struct Belief {
    /// The time of something that has happened already, and until when it counts. As long as Redis has not been asked,
    /// that may be any time.
    past: Option<(f64, Instant)>,
    asked: bool,
}

impl Belief {
    /// Nobody has been asked yet. What is read meanwhile is stamped a moment later.
    pub fn started(&mut self, now: Now) {
        self.past = Some((f64::INFINITY, now.mono + Duration::from_secs(ONCE_REDIS_S)));
    }

    /// Redis holds series up to this time: a clock that is behind it has gone back since. Only the first word counts,
    /// since later ones are of this agent's own making; and what is far ahead was itself stamped by a wrong clock.
    pub fn told_of(&mut self, newest_s: Option<f64>, now: Now) {
        if std::mem::replace(&mut self.asked, true) {
            return;
        }
        self.past = None;
        let Some(newest_s) = newest_s else { return };
        let behind_s = newest_s - now.wall_s;
        if (CLOCK_BEHIND_S..CLOCK_BEHIND_S_MAX).contains(&behind_s) {
            log::warn!(
                "the clock is {behind_s:.0} s behind what redis holds: readings wait until it has been set"
            );
            self.past = Some((newest_s, now.mono + Duration::from_secs(CLOCK_DOUBTED_S)));
        }
    }

    /// Somebody has set the clock.
    pub fn clock_set(&mut self) {
        self.past = None;
    }

    /// Whether something may be stamped with this time.
    pub fn is_believable(&self, now: Now, settings: &Settings) -> bool {
        let is_behind = |(past_s, until): (f64, Instant)| now.wall_s < past_s && now.mono < until;
        now.wall_s >= settings.clock_believable_from_s && !self.past.is_some_and(is_behind)
    }
}

#[cfg(test)]
mod tests {
    use super::super::simulation;
    use super::*;

    #[test]
    fn a_clock_behind_what_has_happened_is_doubted_for_a_while() {
        let settings = simulation::settings();
        let start = Instant::now();
        let at = |mono_s: u64, wall_s: f64| Now { mono: start + Duration::from_secs(mono_s), wall_s };
        let mut belief = Belief::default();
        assert!(belief.is_believable(at(0, 1000.0), &settings));
        belief.told_of(Some(1600.0), at(0, 1000.0));
        assert!(!belief.is_believable(at(1, 1001.0), &settings));
        assert!(belief.is_believable(at(500, 1600.0), &settings), "it has passed what had happened");
        assert!(!belief.is_believable(at(501, 1500.0), &settings));
        assert!(belief.is_believable(at(CLOCK_DOUBTED_S, 1500.0), &settings), "nobody sets it");
        belief.clock_set();
        assert!(belief.is_believable(at(2, 1002.0), &settings));
    }

    #[test]
    fn nothing_is_believed_before_redis_was_asked_but_not_for_long() {
        let settings = simulation::settings();
        let start = Instant::now();
        let at = |mono_s: u64| Now { mono: start + Duration::from_secs(mono_s), wall_s: 1000.0 };
        let mut belief = Belief::default();
        belief.started(at(0));
        assert!(!belief.is_believable(at(1), &settings));
        assert!(belief.is_believable(at(ONCE_REDIS_S), &settings), "redis does not answer");
        belief.told_of(None, at(1));
        assert!(belief.is_believable(at(1), &settings), "it holds nothing");
    }

    #[test]
    fn what_is_a_little_or_absurdly_ahead_says_nothing() {
        let settings = simulation::settings();
        let now = Now { mono: Instant::now(), wall_s: 1000.0 };
        for newest_s in [900.0, 999.0 + CLOCK_BEHIND_S, 1000.0 + CLOCK_BEHIND_S_MAX, f64::INFINITY, f64::NAN]
        {
            let mut belief = Belief::default();
            belief.told_of(Some(newest_s), now);
            assert!(belief.is_believable(now, &settings), "{newest_s}");
        }
        let mut belief = Belief::default();
        belief.told_of(Some(900.0), now);
        belief.told_of(Some(1600.0), now);
        assert!(belief.is_believable(now, &settings), "only the first word counts");
    }
}
