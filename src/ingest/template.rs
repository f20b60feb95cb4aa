//! Records that an application wrote before, but for value and timestamp.
//!
//! The text around those two is the same every time, so what it says is remembered: a record that equals it byte for
//! byte is of the same context, and only the two values are left to be read. It makes no difference to what is read:
//! one valid JSON value in the place of another leaves the rest of a document what it was.

use crate::limits::{TEMPLATE_BYTES_MAX, TEMPLATES_BYTES_MAX, TEMPLATES_MAX};
use crate::metric::Number;
use crate::metric::json::{Reader, Token};
use crate::metric::number::short_json;
use std::ops::Range;

/// What is remembered. A record has one or two places where its template may stand, and the last one learned stays.
#[derive(Debug, Default)]
pub(super) struct Templates {
    slots: Vec<Option<Box<Template>>>,
    bytes: usize,
    hits: u64,
    learned: u64,
}

/// What the text around value and timestamp says.
#[derive(Debug)]
pub(super) struct Template {
    /// What stands before the first of the two, between them, and behind the second.
    text: Box<[u8]>,
    before: usize,
    between: usize,
    value_is_first: bool,
    /// Name, type and canonical tags in one piece.
    context: Box<str>,
    kind_at: usize,
    tags_at: usize,
}

/// A template and the two values.
pub(super) struct Match<'a> {
    /// For [`Templates::get`].
    pub slot: usize,
    pub value: Known<'a>,
    pub timestamp: Known<'a>,
}

/// One of the two values.
#[derive(Debug)]
pub(super) enum Known<'a> {
    /// A number, as nearly all are.
    Number(Number),
    /// Anything else, and numbers of many digits.
    Other(Token<'a>),
}

impl Template {
    pub fn name(&self) -> &str {
        self.context.get(..self.kind_at).unwrap_or_default()
    }

    pub fn kind(&self) -> &str {
        self.context.get(self.kind_at..self.tags_at).unwrap_or_default()
    }

    pub fn tags(&self) -> &str {
        self.context.get(self.tags_at..).unwrap_or_default()
    }

    fn bytes(&self) -> usize {
        self.text.len() + self.context.len() + size_of::<Template>()
    }

    /// The two values, if the text around them is this.
    fn values<'a>(&self, raw: &'a [u8]) -> Option<(Known<'a>, Known<'a>)> {
        let (before, rest) = self.text.split_at_checked(self.before)?;
        let (between, after) = rest.split_at_checked(self.between)?;
        let raw = strip_prefix(raw, before)?;
        let (first, raw) = value_at_start(raw)?;
        let (second, raw) = value_at_start(strip_prefix(raw, between)?)?;
        if raw.len() != after.len() || strip_prefix(raw, after).is_none() {
            return None;
        }
        Some(if self.value_is_first { (first, second) } else { (second, first) })
    }
}

impl Templates {
    /// Finds the template of a record.
    pub fn find<'a>(&mut self, raw: &'a [u8]) -> Option<Match<'a>> {
        if self.slots.is_empty() {
            return None;
        }
        let (with_end, without) = places(raw);
        let found = [with_end, without].into_iter().find_map(|slot| {
            let (value, timestamp) = self.get(slot)?.values(raw)?;
            Some(Match { slot, value, timestamp })
        });
        self.hits += u64::from(found.is_some());
        found
    }

    /// The template of a match.
    pub fn get(&self, slot: usize) -> Option<&Template> {
        self.slots.get(slot)?.as_deref()
    }

    /// Remembers what the text around two values says.
    pub fn learn(
        &mut self,
        raw: &[u8],
        value: Range<usize>,
        timestamp: Range<usize>,
        context: (&str, &str, &str),
    ) {
        /// Records that may be learned before the first is met again.
        const TRIALS: u64 = 4 * TEMPLATES_MAX as u64;
        /// Learning costs about as much as four records that were met again save.
        const WORTH: u64 = 4;
        if self.learned >= TRIALS + self.hits * WORTH || raw.len() > TEMPLATE_BYTES_MAX {
            return;
        }
        let Some(template) = Template::of(raw, value, timestamp, context) else { return };
        let (with_end, without) = places(raw);
        let behind = template.text.len() - template.before - template.between;
        let slot = if behind >= END_BYTES { with_end } else { without };
        if self.bytes + template.bytes() > TEMPLATES_BYTES_MAX {
            self.slots.clear();
            self.bytes = 0;
        }
        self.learned += 1;
        self.bytes += template.bytes();
        self.slots.resize_with(TEMPLATES_MAX, || None);
        if let Some(place) = self.slots.get_mut(slot) {
            let forgotten = place.replace(Box::new(template));
            self.bytes -= forgotten.map_or(0, |old| old.bytes());
        }
    }
}

impl Template {
    fn of(
        raw: &[u8],
        value: Range<usize>,
        timestamp: Range<usize>,
        (name, kind, tags): (&str, &str, &str),
    ) -> Option<Template> {
        let value_is_first = value.start < timestamp.start;
        let (first, second) = if value_is_first { (value, timestamp) } else { (timestamp, value) };
        let parts = [raw.get(..first.start)?, raw.get(first.end..second.start)?, raw.get(second.end..)?];
        Some(Template {
            text: parts.concat().into(),
            before: first.start,
            between: second.start - first.end,
            value_is_first,
            context: [name, kind, tags].concat().into(),
            kind_at: name.len(),
            tags_at: name.len() + kind.len(),
        })
    }
}

/// Bytes at the end of a record that tell templates with the same name apart: its tags, as a rule.
const END_BYTES: usize = 24;

/// Where the template of a record stands: told by how the record begins and ends, or only by how it begins, if value or
/// timestamp stand at its end.
#[inline(always)]
fn places(raw: &[u8]) -> (usize, usize) {
    let begin = hash(0, beginning(raw));
    let end = raw.len().checked_sub(END_BYTES).and_then(|start| raw.get(start..)).unwrap_or_default();
    let place = |hash: u64| (hash >> 32) as usize % TEMPLATES_MAX;
    (place(hash(begin, end)), place(begin))
}

/// As far as the fourth quote: a name and the word that says it is one.
fn beginning(raw: &[u8]) -> &[u8] {
    const BYTES_MAX: usize = 128;
    let head = raw.get(..BYTES_MAX).unwrap_or(raw);
    let fourth = head.iter().enumerate().filter(|(_, byte)| **byte == b'"').nth(3);
    fourth.and_then(|(at, _)| head.get(..at)).unwrap_or(head)
}

/// Spreads; whoever makes two records fall on the same place makes only himself slower.
#[inline(always)]
fn hash(seed: u64, bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut hash = seed ^ bytes.len() as u64;
    for word in words {
        hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(FACTOR).rotate_left(29);
    }
    for byte in rest {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(FACTOR);
    }
    hash.wrapping_mul(FACTOR)
}

/// What follows `prefix`. The libc of the static binary compares byte by byte, this eight at once.
#[inline(always)]
fn strip_prefix<'a>(bytes: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = bytes.split_at_checked(prefix.len())?;
    let ((a, a_rest), (b, b_rest)) = (start.as_chunks::<8>(), prefix.as_chunks::<8>());
    let is_same = |a: &[u8; 8], b: &[u8; 8]| u64::from_le_bytes(*a) == u64::from_le_bytes(*b);
    let are_same = a.iter().zip(b).all(|(a, b)| is_same(a, b)) && a_rest.iter().eq(b_rest);
    are_same.then_some(rest)
}

/// A value, if one can be told without reading on, and what follows it.
#[inline(always)]
fn value_at_start(raw: &[u8]) -> Option<(Known<'_>, &[u8])> {
    if let Some((number, length)) = short_json(raw) {
        return Some((Known::Number(number), raw.get(length..)?));
    }
    let ends = |byte: &u8| matches!(byte, b',' | b'}' | b' ' | b'\n' | b'\r' | b'\t');
    let len = match raw.first()? {
        b'[' => raw.iter().position(|byte| *byte == b']')? + 1,
        _ => raw.iter().position(ends)?,
    };
    let (value, rest) = raw.split_at_checked(len)?;
    let mut reader = Reader::from_bytes(value).ok()?;
    let token = reader.value().ok()?;
    reader.end().ok()?;
    Some((Known::Other(token), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, value: &str, timestamp: &str, tag: &str) -> String {
        format!(
            r#"{{"metric": "{name}", "type": "count", "value": {value}, "timestamp": {timestamp}, "tags": {{"tag": "{tag}"}}}}"#
        )
    }

    fn learn(templates: &mut Templates, raw: &str) {
        let span = |field: &str| {
            let start = raw.find(field).unwrap() + field.len();
            start..start + raw[start..].find(',').unwrap()
        };
        templates.learn(raw.as_bytes(), span("\"value\": "), span("\"timestamp\": "), ("n", "count", "[]"));
    }

    fn found(templates: &mut Templates, raw: &str) -> Option<String> {
        let found = templates.find(raw.as_bytes())?;
        Some(format!("{:?} {:?}", found.value, found.timestamp))
    }

    #[test]
    fn only_value_and_timestamp_may_differ() {
        let mut templates = Templates::default();
        learn(&mut templates, &record("a", "1", "2.5", "x"));
        for (value, timestamp) in [("1", "2.5"), ("-17.25e3", "3"), ("true", "null"), ("[1, \"é\"]", "0")] {
            assert!(
                found(&mut templates, &record("a", value, timestamp, "x")).is_some(),
                "{value} {timestamp}"
            );
        }
        for other in [
            record("b", "1", "2.5", "x"),
            record("a", "1", "2.5", "y"),
            record("a", "01", "2.5", "x"),
            record("a", "1 2", "2.5", "x"),
            record("a", "", "2.5", "x"),
            record("a", "[1", "2.5", "x"),
            record("a", "[\"]\"]", "2.5", "x"),
            record("a", "1", "2.5", "x") + " ",
            record("a", "1", "2.5", "x").replace("count", "gauge"),
            record("a", "1", "2.5", "x").replace(", \"tags", ",\"tags"),
        ] {
            assert_eq!(found(&mut templates, &other), None, "{other}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut templates = Templates::default();
        learn(&mut templates, &record(&"a".repeat(TEMPLATE_BYTES_MAX), "1", "2.5", "x"));
        assert!(templates.slots.is_empty(), "too long");
        for i in 0..10 * TEMPLATES_MAX {
            learn(
                &mut templates,
                &record("a", "1", "2.5", &format!("{i}{}", "x".repeat(TEMPLATE_BYTES_MAX / 2))),
            );
            assert!(templates.bytes <= TEMPLATES_BYTES_MAX && templates.slots.len() <= TEMPLATES_MAX);
        }
        let kept: usize = templates.slots.iter().flatten().map(|template| template.bytes()).sum();
        assert_eq!(kept, templates.bytes);
        let learned = templates.learned;
        learn(&mut templates, &record("b", "1", "2.5", "x"));
        assert_eq!(templates.learned, learned, "nothing was met again, so nothing is worth learning");
    }

    #[test]
    fn records_that_end_with_a_value_are_known_by_their_beginning() {
        let raw = |timestamp: u32| {
            format!(r#"{{"metric":"a","type":"count","tags":{{}},"value":1,"timestamp":{timestamp}}}"#)
        };
        let mut templates = Templates::default();
        let text = raw(1_600_000_000);
        let (value, timestamp) = (text.find(":1,").unwrap() + 1, text.find("16").unwrap());
        templates.learn(text.as_bytes(), value..value + 1, timestamp..timestamp + 10, ("a", "count", "[]"));
        assert!(found(&mut templates, &raw(1_700_000_000)).is_some());
        let other = raw(5);
        let other = templates.find(other.as_bytes()).expect("a match");
        let template = templates.get(other.slot).expect("a template");
        assert_eq!((template.name(), template.kind(), template.tags()), ("a", "count", "[]"));
    }
}
