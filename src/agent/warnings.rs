//! Warnings that do not repeat themselves: the first is shown, the same one again only after a while, and
//! recovery is one line.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::{Duration, Instant};

use crate::limits::WARN_EVERY_S;

#[derive(Default)]
pub(super) struct Warnings {
    shown: BTreeMap<&'static str, Shown>,
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
        if let Some(shown) = self.shown.get_mut(topic)
            && shown.text == text
            && now.saturating_duration_since(shown.at) < Duration::from_secs(WARN_EVERY_S)
        {
            shown.times += 1;
            log::debug!("{topic}: {text}");
            return;
        }
        let before = self.shown.get(topic).filter(|shown| shown.text == text).map_or(0, |shown| shown.times);
        match before {
            0 => log::warn!("{topic}: {text}"),
            _ => log::warn!("{topic}: {text} ({before} more times since the last warning)"),
        }
        self.shown.insert(topic, Shown { at: now, text, times: 0 });
    }

    /// The topic is well again: says so if it was not.
    pub fn recovered(&mut self, topic: &'static str) {
        if self.shown.remove(topic).is_some() {
            log::info!("{topic}: works again");
        }
    }
}
