//! Keys of records in the wrapped queues: unique across restarts and agents, and short, since each stands
//! twice in Redis.
//!
//! The key of a record that tells of drops says what the record says, `4f2d…-1c:500:expired`. Where such a record grows
//! too old unsent, what it counts is told anew, and no value has to be read for that.

use std::borrow::Cow;

use crate::metric::{Number, Series};
use crate::queue::Entry;
use crate::release::Random;
use crate::telemetry::DROPPED;

/// The longest reason that a key tells.
const REASON_BYTES_MAX: usize = 32;

/// Makes keys of a random prefix and a counter.
pub(super) struct Ids {
    prefix: u64,
    counter: u64,
}

impl Ids {
    pub fn new(random: &mut Random) -> Ids {
        Ids { prefix: random.next_u64(), counter: 0 }
    }

    /// The series as records with keys of their own.
    pub fn entries(&mut self, series: &[Series]) -> Vec<Entry> {
        series.iter().map(|series| self.entry(series)).collect()
    }

    /// The series as a record with a key of its own.
    pub fn entry(&mut self, series: &Series) -> Entry {
        let mut json = Vec::with_capacity(128);
        series.write_json(&mut json);
        Entry { key: self.key_of(series), score_s: series.point.timestamp, json }
    }

    /// Another record with a key of its own.
    pub fn record(&mut self, json: Vec<u8>, score_s: f64) -> Entry {
        self.counter += 1;
        Entry { key: format!("{:016x}-{:x}", self.prefix, self.counter), score_s, json }
    }

    fn key_of(&mut self, series: &Series) -> String {
        self.counter += 1;
        let (prefix, counter) = (self.prefix, self.counter);
        match told(series) {
            Some((reason, count)) => format!("{prefix:016x}-{counter:x}:{count}:{reason}"),
            None => format!("{prefix:016x}-{counter:x}"),
        }
    }
}

/// What a series tells of drops.
fn told(series: &Series) -> Option<(&str, u64)> {
    let Number::Int(count) = series.point.value else {
        return None;
    };
    let reason = series.tags.as_str().strip_prefix("[\"reason:")?.strip_suffix("\"]")?;
    let count = u64::try_from(count).ok()?;
    (series.name == DROPPED && is_reason(reason)).then_some((reason, count))
}

/// What the record of a key tells of drops.
pub(super) fn told_by(key: &[u8]) -> Option<(Cow<'static, str>, u64)> {
    let mut parts = std::str::from_utf8(key).ok()?.splitn(3, ':');
    let (_, count, reason) = (parts.next()?, parts.next()?, parts.next()?);
    let count = count.parse().ok()?;
    is_reason(reason).then(|| (Cow::Owned(reason.to_owned()), count))
}

fn is_reason(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    (1..=REASON_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{Counters, dropped_series};

    #[test]
    fn a_key_tells_what_its_record_tells_of_drops() {
        let mut ids = Ids::new(&mut Random::new(1));
        let counters = Counters::from([("expired".into(), 500), ("not_json".into(), 3)]);
        let entries = ids.entries(&dropped_series(&counters, 10, 1_700_000_000.0));
        let told: Counters = entries.iter().filter_map(|entry| told_by(entry.key.as_bytes())).collect();
        assert_eq!(told, counters);
    }

    #[test]
    fn other_keys_tell_nothing() {
        let long = format!("a:1:{}", "r".repeat(REASON_BYTES_MAX + 1));
        let odd = ["", "0123-4", "a:b:c", "a:-1:expired", "a:1:", "a:1:two words", "a:1:x:y", &long];
        for key in odd.map(str::as_bytes).into_iter().chain([&b"\xff:1:expired"[..]]) {
            assert_eq!(told_by(key), None, "{:?}", String::from_utf8_lossy(key));
        }
    }
}
