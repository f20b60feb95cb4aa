//! Values of a metric: `name:value|type|@rate|#tags|Ttimestamp`, the value perhaps a list, `1:2:3`.
//!
//! | type | becomes |
//! |---|---|
//! | `c` | `count`, each value multiplied by 1 ÷ rate |
//! | `g` | `gauge` |
//! | `h`, `ms` | `histogram`, each value weighing 1 ÷ rate |
//! | `d` | `distribution`, the same |
//! | `s` | `set` of one element: all that stands there, colons included |
//!
//! A `T` field is for what is aggregated already: such values are points of their own. Only counts and gauges can be.

use super::{MessageError, Parser, fields};
use crate::limits::{NAME_BYTES_MAX, SCRATCH_BYTES_KEPT};
use crate::metric::{Elements, Number, Sample, Value};

/// Values of a metric that share everything else.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its type.
    pub kind: Kind,
    /// Canonical tags.
    pub tags: &'a str,
    /// 1 ÷ sample rate: of how many values each one is the only one that was sent. At least 1.
    pub weight: f64,
    /// Unix seconds, above 0, of values that are not to be aggregated.
    pub timestamp_s: Option<i64>,
    values: Values<'a>,
}

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `c`
    Count,
    /// `g`
    Gauge,
    /// `h`, `ms`
    Histogram,
    /// `d`
    Distribution,
    /// `s`
    Set,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Values<'a> {
    Numbers(&'a [Number]),
    Set(Elements<'a>),
}

impl Kind {
    fn from_word(word: &str) -> Option<Kind> {
        Some(match word {
            "c" => Kind::Count,
            "g" => Kind::Gauge,
            "ms" | "h" => Kind::Histogram,
            "d" => Kind::Distribution,
            "s" => Kind::Set,
            _ => return None,
        })
    }

    /// The type of a sample, as the wrappers know it.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Count => "count",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Distribution => "distribution",
            Kind::Set => "set",
        }
    }
}

impl<'a> Metric<'a> {
    /// The samples, stamped `now_s` unless they bring a timestamp. Counts are multiplied already; what weighs more
    /// than one sample, see [`Metric::weight`], is a histogram or distribution.
    pub fn samples(&self, now_s: f64) -> impl Iterator<Item = Sample<'a>> {
        let Metric { name, kind, tags, weight, timestamp_s, values } = *self;
        let timestamp = timestamp_s.map_or(now_s, |timestamp_s| timestamp_s as f64);
        let sample = move |value| Sample { name, kind: kind.as_str(), tags, value, timestamp };
        let (numbers, set) = match values {
            Values::Numbers(numbers) => (numbers, None),
            Values::Set(elements) => (&[][..], Some(Value::Set(elements))),
        };
        let scale = if kind == Kind::Count { weight } else { 1.0 };
        let numbers = numbers.iter().map(move |number| Value::Number(scaled(*number, scale)));
        numbers.chain(set).map(sample)
    }
}

/// Integers stay integers where they can.
fn scaled(number: Number, weight: f64) -> Number {
    if weight == 1.0 {
        return number;
    }
    const EXACT_BELOW: f64 = 9_007_199_254_740_992.0;
    if let Number::Int(n) = number
        && weight.fract() == 0.0
        && weight < EXACT_BELOW
        && let Some(product) = n.checked_mul(weight as i128)
    {
        return Number::Int(product);
    }
    Number::Float(number.as_f64() * weight)
}

impl Parser {
    pub(super) fn metric<'a>(&'a mut self, text: &'a str) -> Result<Metric<'a>, MessageError> {
        let (name, rest) = text.split_once(':').ok_or(MessageError::Malformed)?;
        let mut fields = fields(rest);
        let (Some(raw_values), Some(kind)) = (fields.next(), fields.next()) else {
            return Err(MessageError::Malformed);
        };
        if name.is_empty() || name.contains('|') || raw_values.is_empty() {
            return Err(MessageError::Malformed);
        }
        if name.len() > NAME_BYTES_MAX {
            return Err(MessageError::TooLarge);
        }
        let kind = Kind::from_word(kind).ok_or(MessageError::UnknownType)?;
        let (mut weight, mut timestamp_s, mut tags) = (1.0, None, "");
        for field in fields {
            if let Some(raw) = field.strip_prefix('#') {
                tags = raw;
            } else if let Some(raw) = field.strip_prefix('@') {
                weight = weight_of(raw)?;
            } else if let Some(raw) = field.strip_prefix('T') {
                timestamp_s = Some(timestamp(raw)?);
            }
        }
        if timestamp_s.is_some() && !matches!(kind, Kind::Count | Kind::Gauge) {
            return Err(MessageError::Timestamped);
        }
        self.tags.read(tags)?;
        self.read_values(kind, raw_values, weight)?;
        let values = match kind {
            Kind::Set => Values::Set(Elements::new(&self.set, &self.set_ends)),
            _ => Values::Numbers(&self.values),
        };
        Ok(Metric { name, kind, tags: &self.tags.canonical, weight, timestamp_s, values })
    }

    fn read_values(&mut self, kind: Kind, raw: &str, weight: f64) -> Result<(), MessageError> {
        if kind == Kind::Set {
            self.set.clear();
            self.set.shrink_to(SCRATCH_BYTES_KEPT);
            // As text stands in the sets of records: `"1"` is not 1.
            self.set.push(b's');
            self.set.extend_from_slice(raw.as_bytes());
            self.set_ends = [u32::try_from(self.set.len()).map_err(|_| MessageError::TooLarge)?];
            return Ok(());
        }
        self.values.clear();
        self.values.shrink_to(SCRATCH_BYTES_KEPT / size_of::<Number>());
        for value in raw.split(':').filter(|value| !value.is_empty()) {
            let number = number(value)?;
            if kind == Kind::Count && !scaled(number, weight).is_finite() {
                return Err(MessageError::NotFinite);
            }
            self.values.push(number);
        }
        if self.values.is_empty() { Err(MessageError::BadValue) } else { Ok(()) }
    }
}

/// Decimal, with sign, fraction and exponent perhaps. What is an integer stays one.
fn number(text: &str) -> Result<Number, MessageError> {
    /// 64 bits hold them all.
    const DIGITS_MAX: usize = 18;
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.len() <= DIGITS_MAX && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let magnitude = digits.bytes().fold(0i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        return Ok(Number::Int(i128::from(if text.starts_with('-') { -magnitude } else { magnitude })));
    }
    if let Ok(integer) = text.parse::<i128>() {
        return Ok(Number::Int(integer));
    }
    let float = text.parse::<f64>().map_err(|_| MessageError::BadValue)?;
    Number::from_f64(float).ok_or(MessageError::NotFinite)
}

fn weight_of(rate: &str) -> Result<f64, MessageError> {
    let rate = rate.parse::<f64>().map_err(|_| MessageError::BadRate)?;
    let weight = 1.0 / rate;
    if rate > 0.0 && rate <= 1.0 && weight.is_finite() { Ok(weight) } else { Err(MessageError::BadRate) }
}

fn timestamp(text: &str) -> Result<i64, MessageError> {
    text.parse::<i64>().ok().filter(|seconds| *seconds > 0).ok_or(MessageError::BadTimestamp)
}
