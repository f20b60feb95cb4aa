//! One wrapped metric, as it stands in the wrapped queue:
//! `{"metric": "a.b", "tags": ["k:v"], "points": [[1600000000.5, 1]], "type": "count", "interval": 10}`.
//!
//! Nearly all records look exactly like that, with white space as Python writes it or without, and are read in one
//! pass that builds nothing. Whatever is written otherwise is read by the rules of JSON: [`read_series`].

use std::num::NonZeroU32;

use super::batch::RecordError;
use super::merging::Point;
use super::words::is_ascii;
use crate::metric::json::{self, JsonError, Reader, plain_len};
use crate::metric::number::EXACT_POWERS_OF_TEN;
use crate::metric::{Number, Series, SeriesKind, Tags};

/// Where the parts of a record go: what it says is appended.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// The name as in JSON, its closing quote, and the canonical tags: `a.b"["k:v"]`.
    pub identity: Vec<u8>,
    /// Values, one after the other, as they are sent.
    pub values: Vec<u8>,
    /// Points, at least one.
    pub points: Vec<Point>,
}

/// What a record says besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rest {
    /// Bytes of the name within the identity, its quote included.
    pub name_bytes: u32,
    /// Count, gauge or rate.
    pub kind: SeriesKind,
    /// Seconds a point covers.
    pub interval_s: Option<NonZeroU32>,
}

impl Rest {
    /// What tells series of one name and the same tags apart, for a hash.
    pub fn salt(self) -> u64 {
        (self.kind as u64) << 32 | u64::from(self.interval_s.map_or(0, NonZeroU32::get))
    }
}

impl From<JsonError> for RecordError {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::NotFinite { .. } => RecordError::NotFinite,
            _ => RecordError::MalformedSeries,
        }
    }
}

impl Parts {
    /// Reads one record. Where it cannot be read, what was there before is all that is there.
    pub fn read(&mut self, raw: &[u8]) -> Result<Rest, RecordError> {
        let before = (self.identity.len(), self.values.len(), self.points.len());
        if let Some(rest) = self.read_usual(raw) {
            return Ok(rest);
        }
        self.truncate(before);
        let text = std::str::from_utf8(raw).map_err(|_| RecordError::MalformedSeries)?;
        let rest = read_any(text, self);
        if rest.is_err() {
            self.truncate(before);
        }
        rest
    }

    fn truncate(&mut self, (identity, values, points): (usize, usize, usize)) {
        self.identity.truncate(identity);
        self.values.truncate(values);
        self.points.truncate(points);
    }

    /// `None` where a record has another form; then some of it may have been appended.
    fn read_usual(&mut self, raw: &[u8]) -> Option<Rest> {
        const METRIC: Word = Word::new(b"{\"metric");
        const TAGS: Word = Word::new(b"\"tags\":");
        const POINTS: Word = Word::new(b"\"points\"");
        const TYPE: Word = Word::new(b"\"type\":");
        const INTERVAL: Word = Word::new(b"\"interva");
        if !is_ascii(raw) && std::str::from_utf8(raw).is_err() {
            return None;
        }
        let mut cursor = Cursor { rest: raw };
        cursor.word(METRIC)?;
        cursor.byte(b'"')?;
        cursor.byte(b':')?;
        // Its closing quote, too.
        let name = cursor.text()?.split_first()?.1;
        self.identity.extend_from_slice(name);
        cursor.next()?;
        cursor.word(TAGS)?;
        self.read_usual_tags(&mut cursor)?;
        cursor.next()?;
        cursor.word(POINTS)?;
        cursor.byte(b':')?;
        cursor.blank();
        cursor.byte(b'[')?;
        loop {
            cursor.byte(b'[')?;
            let timestamp_s = cursor.number()?.as_f64()?;
            cursor.byte(b',')?;
            cursor.blank();
            let value = cursor.number()?.shortest()?;
            self.push_value(timestamp_s, |values| values.extend_from_slice(value))?;
            cursor.byte(b']')?;
            if cursor.byte(b']').is_some() {
                break;
            }
            cursor.next()?;
        }
        cursor.next()?;
        cursor.word(TYPE)?;
        let kind = match cursor.text()? {
            b"\"gauge\"" => SeriesKind::Gauge,
            b"\"count\"" => SeriesKind::Count,
            b"\"rate\"" => SeriesKind::Rate,
            _ => return None,
        };
        let mut interval_s = None;
        if cursor.byte(b'}').is_none() {
            cursor.next()?;
            cursor.word(INTERVAL)?;
            cursor.byte(b'l')?;
            cursor.byte(b'"')?;
            cursor.byte(b':')?;
            interval_s = whole_seconds(cursor.number()?.as_f64()?);
            cursor.byte(b'}')?;
        }
        cursor.rest.is_empty().then_some(Rest { name_bytes: name.len() as u32, kind, interval_s })
    }

    /// Tags that are in order already.
    fn read_usual_tags(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        cursor.blank();
        cursor.byte(b'[')?;
        self.identity.push(b'[');
        let mut last: &[u8] = b"";
        while cursor.byte(b']').is_none() {
            if !last.is_empty() {
                cursor.byte(b',')?;
                self.identity.push(b',');
            }
            let tag = cursor.text()?;
            self.identity.extend_from_slice(tag);
            let tag = unquoted(tag);
            if tag <= last {
                return None;
            }
            last = tag;
        }
        self.identity.push(b']');
        Some(())
    }

    /// Appends a point whose value is written by `write`; it has no more than 255 bytes.
    fn push_value(&mut self, timestamp_s: f64, write: impl FnOnce(&mut Vec<u8>)) -> Option<()> {
        let start = self.values.len();
        write(&mut self.values);
        let len = u8::try_from(self.values.len() - start).ok()?;
        self.points.push(Point::new(timestamp_s, u32::try_from(start).ok()?, len));
        Some(())
    }
}

/// Walks over a record of the usual form.
struct Cursor<'a> {
    rest: &'a [u8],
}

/// Up to eight bytes that are compared at once: a call of musl's `memcmp` costs more than all else in a token.
#[derive(Clone, Copy)]
struct Word {
    bytes: u64,
    mask: u64,
    len: usize,
}

impl Word {
    const fn new(text: &[u8]) -> Word {
        let (mut bytes, mut rest) = (0, text);
        while let Some((byte, others)) = rest.split_last() {
            bytes = bytes << 8 | *byte as u64;
            rest = others;
        }
        Word { bytes, mask: u64::MAX >> (64 - 8 * text.len()), len: text.len() }
    }
}

fn unquoted(text: &[u8]) -> &[u8] {
    match text {
        [b'"', inner @ .., b'"'] => inner,
        _ => text,
    }
}

// Called for every token; a binary optimised for size would not inline them.
impl<'a> Cursor<'a> {
    /// A record goes on for eight bytes wherever a word stands.
    #[inline(always)]
    fn word(&mut self, word: Word) -> Option<()> {
        let eight = u64::from_le_bytes(*self.rest.first_chunk()?);
        if (eight ^ word.bytes) & word.mask != 0 {
            return None;
        }
        self.rest = self.rest.get(word.len..)?;
        Some(())
    }

    #[inline(always)]
    fn byte(&mut self, byte: u8) -> Option<()> {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                Some(())
            }
            _ => None,
        }
    }

    /// The comma before what comes next.
    #[inline(always)]
    fn next(&mut self) -> Option<()> {
        self.byte(b',')?;
        self.blank();
        Some(())
    }

    /// The one blank that Python writes behind commas and colons.
    #[inline(always)]
    fn blank(&mut self) {
        let _ = self.byte(b' ');
    }

    /// A string without escapes, in its quotes.
    #[inline(always)]
    fn text(&mut self) -> Option<&'a [u8]> {
        self.blank();
        let [b'"', inner @ ..] = self.rest else { return None };
        let (text, rest) = self.rest.split_at_checked(plain_len(inner) + 2)?;
        self.rest = rest;
        (text.last() == Some(&b'"')).then_some(text)
    }

    /// A number without an exponent.
    fn number(&mut self) -> Option<Plain<'a>> {
        self.blank();
        let (mut digits, mut point, mut len) = (0u64, None, 0);
        let unsigned = match self.rest {
            [b'-', unsigned @ ..] => unsigned,
            rest => rest,
        };
        for byte in unsigned {
            match byte {
                b'0'..=b'9' => digits = digits.wrapping_mul(10).wrapping_add(u64::from(byte - b'0')),
                b'.' if point.is_none() => point = Some(len),
                b'.' | b'e' | b'E' => return None,
                _ => break,
            }
            len += 1;
        }
        let whole = point.unwrap_or(len);
        let starts_with_zero = unsigned.first() == Some(&b'0');
        if whole == 0 || (whole > 1 && starts_with_zero) || point == Some(len - 1) || len > DIGITS_MAX {
            return None;
        }
        let (token, rest) = self.rest.split_at_checked(len + self.rest.len() - unsigned.len())?;
        self.rest = rest;
        let decimals = point.map_or(0, |point| len - point - 1);
        Some(Plain { token, digits, decimals })
    }
}

/// Digits and point of a number whose digits fit 64 bits. A double is hardly ever written longer.
const DIGITS_MAX: usize = 19;

/// A number in plain digits.
struct Plain<'a> {
    token: &'a [u8],
    /// Its digits without point and sign.
    digits: u64,
    decimals: usize,
}

impl<'a> Plain<'a> {
    /// The nearest double. Where digits and power of ten are both exact as doubles, their quotient is rounded once.
    #[inline(always)]
    fn as_f64(&self) -> Option<f64> {
        let is_negative = self.token.first() == Some(&b'-');
        match EXACT_POWERS_OF_TEN.get(self.decimals) {
            Some(power) if self.digits < 1 << 53 && !is_negative => Some(self.digits as f64 / power),
            _ => std::str::from_utf8(self.token).ok()?.parse().ok(),
        }
    }

    /// The shortest text of the same number, if that is a part of the token.
    #[inline(always)]
    fn shortest(&self) -> Option<&'a [u8]> {
        let mut text = self.token;
        if self.decimals > 0 {
            while let [shorter @ .., b'0'] = text {
                text = shorter;
            }
            if let [whole @ .., b'.'] = text {
                text = whole;
            }
        }
        match text {
            // Zero has no sign, and what begins with zeros may be shorter with an exponent.
            [b'-', b'0'] | [b'0', b'.', b'0', ..] | [b'-', b'0', b'.', b'0', ..] => None,
            _ => Some(text),
        }
    }
}

fn read_any(text: &str, parts: &mut Parts) -> Result<Rest, RecordError> {
    let (Series { name, tags, kind, interval_s, .. }, points) = read_series(text)?;
    let start = parts.identity.len();
    json::write_string(&name, &mut parts.identity);
    // Only the closing quote is wanted.
    parts.identity.remove(start);
    let name_bytes = (parts.identity.len() - start) as u32;
    parts.identity.extend_from_slice(tags.as_str().as_bytes());
    for (timestamp_s, value) in points {
        parts.push_value(timestamp_s, |out| value.write_json(out)).ok_or(RecordError::MalformedSeries)?;
    }
    Ok(Rest { name_bytes, kind, interval_s: interval_s.and_then(NonZeroU32::new) })
}

/// A record with its first point, and all points (seconds, value), at least one. Fields a record has not to have are
/// passed over; of a field that stands twice the last one counts. Errors: [`RecordError`].
pub fn read_series(text: &str) -> Result<(Series, Vec<(f64, Number)>), RecordError> {
    let (mut name, mut tags, mut kind, mut interval_s) = (None, Tags::none(), None, None);
    let mut points = Vec::new();
    let mut reader = Reader::new(text);
    reader.enter_object()?;
    while let Some(field) = reader.next_key()? {
        match &*field {
            "metric" => name = Some(reader.text()?),
            "type" => kind = reader.text_or_skip()?.map(|word| SeriesKind::from_word(&word)),
            "interval" => {
                interval_s = reader.number_or_skip()?.and_then(|number| whole_seconds(number.as_f64()))
            }
            "tags" => tags = read_tags(&mut reader)?,
            "points" => points = read_points(&mut reader)?,
            _ => reader.skip()?,
        }
    }
    reader.end()?;
    let (Some(name), Some(&(timestamp, value))) = (name, points.first()) else {
        return Err(RecordError::MalformedSeries);
    };
    let mut series = Series::gauge(&name, tags, value, timestamp);
    series.kind = kind.unwrap_or(SeriesKind::Gauge);
    series.interval_s = interval_s.map(NonZeroU32::get);
    Ok((series, points))
}

fn whole_seconds(seconds: f64) -> Option<NonZeroU32> {
    // Below one and what is no number become zero.
    (seconds <= f64::from(u32::MAX)).then(|| NonZeroU32::new(seconds as u32)).flatten()
}

/// A list of strings; what is no string in it is left out, and what is no list counts as no tags.
fn read_tags(reader: &mut Reader<'_>) -> Result<Tags, RecordError> {
    let mut tags = Vec::new();
    if reader.enter_list_or_skip()? {
        while reader.next_element()? {
            tags.extend(reader.text_or_skip()?);
        }
    }
    Ok(Tags::from_strings(&tags))
}

/// `[[seconds, value], …]`
fn read_points(reader: &mut Reader<'_>) -> Result<Vec<(f64, Number)>, RecordError> {
    let mut points = Vec::new();
    reader.enter_list()?;
    while reader.next_element()? {
        reader.enter_list()?;
        let mut number = || match reader.next_element()? {
            true => Ok(reader.number()?),
            false => Err(RecordError::MalformedSeries),
        };
        points.push((number()?.as_f64(), number()?));
        if reader.next_element()? {
            return Err(RecordError::MalformedSeries);
        }
    }
    Ok(points)
}

#[cfg(test)]
mod tests;
