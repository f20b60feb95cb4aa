//! Keys of records in the wrapped queues: unique across restarts and agents, and short, since each stands
//! twice in Redis.
//!
//! The key of a record that tells of drops says what the record says, `4f2d…-1c:500:expired`. Where such a record grows
//! too old unsent, what it counts is told anew, and no value has to be read for that.

use std::borrow::Cow;

use crate::limits::SCRATCH_BYTES_KEPT;
use crate::metric::{Number, Series};
use crate::queue::{Entry, Records};
use crate::release::Random;
use crate::telemetry::{Counters, DROPPED};

/// The longest reason that a key tells.
const REASON_BYTES_MAX: usize = 32;

/// Makes keys of a random prefix and a counter.
pub(super) struct Ids {
    /// `4f2d…-`.
    prefix: String,
    counter: u64,
    // What was made last.
    key: String,
    timestamp: Vec<u8>,
    json: Vec<u8>,
}

impl Ids {
    pub fn new(random: &mut Random) -> Ids {
        let prefix = format!("{:016x}-", random.next_u64());
        Ids { prefix, counter: 0, key: String::new(), timestamp: Vec::new(), json: Vec::new() }
    }

    /// The series as records with keys of their own.
    pub fn entries(&mut self, series: &[Series]) -> Vec<Entry> {
        series.iter().map(|series| self.entry(series)).collect()
    }

    /// The series as a record with a key of its own.
    pub fn entry(&mut self, series: &Series) -> Entry {
        self.make(series);
        Entry { key: self.key.clone(), score_s: series.point.timestamp, json: self.json.clone() }
    }

    /// Appends the series as a record with a key of its own.
    pub fn write(&mut self, series: &Series, records: &mut Records) {
        self.make(series);
        records.push_scored(self.key.as_bytes(), &self.timestamp, &self.json);
    }

    /// Another record with a key of its own.
    pub fn record(&mut self, json: Vec<u8>, score_s: f64) -> Entry {
        self.next_key();
        Entry { key: self.key.clone(), score_s, json }
    }

    fn next_key(&mut self) {
        self.counter += 1;
        self.key.clear();
        self.key.push_str(&self.prefix);
        push_hex(self.counter, &mut self.key);
    }

    fn make(&mut self, series: &Series) {
        self.next_key();
        if let Some((reason, count)) = told(series) {
            self.key.push_str(&format!(":{count}:{reason}"));
        }
        self.json.clear();
        self.json.shrink_to(SCRATCH_BYTES_KEPT);
        self.timestamp.clear();
        Number::Float(series.point.timestamp).write_json(&mut self.timestamp);
        series.write_json_at(&self.timestamp, &mut self.json);
    }
}

fn push_hex(number: u64, out: &mut String) {
    let digits = (u64::BITS - number.leading_zeros()).div_ceil(4).max(1);
    for place in (0..digits).rev() {
        let digit = number >> (4 * place) & 0xf;
        out.extend(char::from_digit(digit as u32, 16));
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

/// Counts records that are dropped for a reason. What tells of drops has not been told yet: it is told with these.
pub(super) fn count_dropped<'a>(
    keys: impl Iterator<Item = &'a [u8]>,
    reason: &'static str,
    counters: &mut Counters,
) {
    for key in keys {
        let (reason, count) = told_by(key).unwrap_or((Cow::Borrowed(reason), 1));
        let total = counters.entry(reason);
        *total = total.saturating_add(count);
    }
}

/// What the record of a key tells of drops.
fn told_by(key: &[u8]) -> Option<(Cow<'static, str>, u64)> {
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
    use crate::telemetry::dropped_series;

    #[test]
    fn a_key_tells_what_its_record_tells_of_drops() {
        let mut ids = Ids::new(&mut Random::new(1));
        let counters: Counters = [("expired".into(), 500), ("not_json".into(), 3)].into_iter().collect();
        let entries = ids.entries(&dropped_series(&counters, 10, 1_700_000_000.0));
        let told: Counters = entries.iter().filter_map(|entry| told_by(entry.key.as_bytes())).collect();
        assert_eq!(told, counters);
    }

    #[test]
    fn counters_are_written_in_hexadecimal() {
        for number in [0, 1, 9, 10, 15, 16, 255, 256, 0xdead_beef, u64::MAX] {
            let mut text = String::new();
            push_hex(number, &mut text);
            assert_eq!(text, format!("{number:x}"));
        }
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
