//! Warnings that do not repeat themselves: the first is shown, the same one again only after a while, and
//! recovery is one line.

use std::fmt::Display;
use std::time::{Duration, Instant};

use crate::limits::{WARN_EVERY_S, WARNINGS_PER_TOPIC_MAX};

#[derive(Default)]
pub(super) struct Warnings {
    /// By topic, of which there are a few, the latest texts; the one shown last stands last.
    shown: Vec<(&'static str, Vec<Shown>)>,
}

struct Shown {
    at: Instant,
    text: String,
    times: u64,
}

impl Warnings {
    /// Warns about a topic; a repetition of the same text goes to DEBUG until its time has come again.
    pub fn warn(&mut self, topic: &'static str, text: &dyn Display, now: Instant) {
        let text = text.to_string();
        let topics = &mut self.shown;
        let place = topics.iter().position(|(name, _)| *name == topic).unwrap_or_else(|| {
            topics.push((topic, Vec::new()));
            topics.len() - 1
        });
        let (_, shown) = &mut topics[place];
        let known = shown.iter().position(|known| known.text == text);
        let mut times = 0;
        if let Some(known) = known {
            let warning = &mut shown[known];
            if now.saturating_duration_since(warning.at) < Duration::from_secs(WARN_EVERY_S) {
                warning.times += 1;
                log::debug!("{topic}: {text}");
                return;
            }
            times = shown.remove(known).times;
        }
        match times {
            0 => log::warn!("{topic}: {text}"),
            _ => log::warn!("{topic}: {text} ({times} more times since the last warning)"),
        }
        if shown.len() == WARNINGS_PER_TOPIC_MAX {
            shown.remove(0);
        }
        shown.push(Shown { at: now, text, times: 0 });
    }

    /// The topic is well again: says so if it was not.
    pub fn recovered(&mut self, topic: &'static str) {
        let ill = self.shown.len();
        self.shown.retain(|(name, _)| *name != topic);
        if self.shown.len() < ill {
            log::info!("{topic}: works again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last_shown(warnings: &Warnings) -> Vec<(&str, u64)> {
        warnings.shown[0].1.iter().map(|shown| (shown.text.as_str(), shown.times)).collect()
    }

    #[test]
    fn texts_that_take_turns_are_each_shown_once() {
        let (mut warnings, start) = (Warnings::default(), Instant::now());
        for second in 0..10 {
            let text = if second % 2 == 0 { "slow" } else { "late" };
            warnings.warn("topic", &text, start + Duration::from_secs(second));
        }
        assert_eq!(last_shown(&warnings), [("slow", 4), ("late", 4)]);
        warnings.warn("topic", &"slow", start + Duration::from_secs(WARN_EVERY_S));
        assert_eq!(last_shown(&warnings), [("late", 4), ("slow", 0)], "shown again, with its count");
        warnings.recovered("topic");
        assert!(warnings.shown.is_empty());
    }

    #[test]
    fn memory_is_bounded_whatever_the_texts() {
        let mut warnings = Warnings::default();
        for n in 0..100 {
            warnings.warn("topic", &n, Instant::now());
        }
        assert_eq!(warnings.shown[0].1.len(), WARNINGS_PER_TOPIC_MAX);
    }
}
