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
        match self.line(topic, &text, now) {
            Some(line) => log::warn!("{line}"),
            None => log::debug!("{topic}: {text}"),
        }
    }

    /// What is to be shown, unless it was not long ago.
    fn line(&mut self, topic: &'static str, text: &str, now: Instant) -> Option<String> {
        let topics = &mut self.shown;
        let place = topics.iter().position(|(name, _)| *name == topic).unwrap_or_else(|| {
            topics.push((topic, Vec::new()));
            topics.len() - 1
        });
        let (_, shown) = &mut topics[place];
        let known = shown.iter().position(|known| known.text == *text);
        let mut times = 0;
        if let Some(known) = known {
            let warning = &mut shown[known];
            if now.saturating_duration_since(warning.at) < Duration::from_secs(WARN_EVERY_S) {
                warning.times += 1;
                return None;
            }
            times = shown.remove(known).times;
        }
        if shown.len() == WARNINGS_PER_TOPIC_MAX {
            shown.remove(0);
        }
        shown.push(Shown { at: now, text: text.to_owned(), times: 0 });
        let again =
            if times == 0 { String::new() } else { format!(" ({times} more times since the last warning)") };
        Some(format!("{topic}: {text}{again}"))
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
            let line = warnings.line("topic", text, start + Duration::from_secs(second));
            assert_eq!(line, (second < 2).then(|| format!("topic: {text}")));
        }
        assert_eq!(last_shown(&warnings), [("slow", 4), ("late", 4)]);
        let again = warnings.line("topic", "slow", start + Duration::from_secs(WARN_EVERY_S));
        assert_eq!(again.as_deref(), Some("topic: slow (4 more times since the last warning)"));
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
