//! A finite number as JSON and Python know it: an integer of any size we can hold, or a double.
//!
//! `1` is an integer, `1.0` and `1e0` are doubles; the difference matters to Python's `str()` and to sums,
//! which stay exact as long as only integers are added.

mod digits;

use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::Add;

pub(crate) use digits::write_integer;

/// Doubles below this hold every integer exactly, so that their digits can be written as an integer's.
const EXACT_INTEGERS_BELOW: f64 = 9_007_199_254_740_992.0;

/// A finite number. Sums of integers stay integers.
///
/// Whoever makes a `Float` answers for its being finite; [`Number::from_f64`] checks it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// An integer, exact.
    Int(i128),
    /// A finite double.
    Float(f64),
}

/// Integers add exactly (as doubles where 128 bits do not hold the sum), anything else as doubles. The sum
/// may be infinite: whoever sends it checks [`Number::is_finite`].
impl Add for Number {
    type Output = Number;

    fn add(self, other: Number) -> Number {
        if let (Number::Int(a), Number::Int(b)) = (self, other)
            && let Some(sum) = a.checked_add(b)
        {
            return Number::Int(sum);
        }
        Number::Float(self.as_f64() + other.as_f64())
    }
}

impl Number {
    /// Whether it can be sent: neither NaN nor infinite.
    pub fn is_finite(self) -> bool {
        match self {
            Number::Int(_) => true,
            Number::Float(f) => f.is_finite(),
        }
    }

    /// The number a double is, if it is one: neither NaN nor infinite.
    pub fn from_f64(value: f64) -> Option<Number> {
        value.is_finite().then_some(Number::Float(value))
    }

    /// Reads a JSON number token whose grammar is checked already. Integers beyond 128 bits become doubles.
    /// `None` where that is not finite: `1e999`, or Python's `NaN` and `Infinity`.
    pub fn from_json(token: &str) -> Option<Number> {
        if let Some(number) = from_short_json(token) {
            return Some(number);
        }
        if let Ok(integer) = token.parse::<i128>() {
            return Some(Number::Int(integer));
        }
        Number::from_f64(token.parse().ok()?)
    }

    /// The nearest double.
    pub fn as_f64(self) -> f64 {
        match self {
            Number::Int(n) => n as f64,
            Number::Float(f) => f,
        }
    }

    /// Appends the shortest JSON text that reads back as the same number.
    pub fn write_json(self, out: &mut Vec<u8>) {
        match self {
            Number::Int(n) => write_integer(n, out),
            Number::Float(f) if !f.is_finite() => {
                debug_assert!(false, "{f} is no JSON number");
                out.extend_from_slice(b"null");
            }
            Number::Float(f) if f.trunc() == f => {
                if f.abs() < EXACT_INTEGERS_BELOW {
                    write_integer((f as i64).into(), out);
                } else {
                    // The zeros that would fill up the digits are not the integer's own: 2^60 would
                    // read back as 1152921504606847000. Writing into a vector cannot fail.
                    let _ = write!(out, "{f:e}");
                }
            }
            Number::Float(f) => {
                if digits::write_few_decimals(f, out).is_none() {
                    digits::write_shorter(f, out);
                }
            }
        }
    }

    /// The nearest number with so many significant digits, at least one; an integer stays what it is.
    pub fn rounded(self, digits: u8) -> Number {
        match self {
            Number::Float(f) if f.is_finite() => {
                let decimals = usize::from(digits).saturating_sub(1);
                format!("{f:.decimals$e}").parse().map_or(self, Number::Float)
            }
            _ => self,
        }
    }

    /// Appends what Python's `str()` makes of the number: `1`, `1.0`, `1e+16`, `1.5e-07`.
    pub fn write_python(self, out: &mut String) {
        // Writing into a string cannot fail.
        let _ = match self {
            Number::Int(n) => write!(out, "{n}"),
            Number::Float(f) => {
                // Python leaves positional notation where the decimal exponent is below -4 or above 15.
                if f == 0.0 || (1e-4..1e16).contains(&f.abs()) {
                    write!(out, "{f:?}")
                } else {
                    write_python_exponent(f, out)
                }
            }
        };
    }

    /// What Python's `str()` makes of the number.
    pub fn python_str(self) -> String {
        let mut out = String::new();
        self.write_python(&mut out);
        out
    }
}

/// Powers of ten that a double holds exactly.
pub(crate) const EXACT_POWERS_OF_TEN: [f64; 19] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];

/// Nearly all numbers: at most 19 digits (what 64 bits hold), a point perhaps, no exponent. Where digits and
/// power of ten are both exact as doubles their quotient is rounded once, so it is the double nearest to the
/// decimal.
fn from_short_json(token: &str) -> Option<Number> {
    let unsigned = token.strip_prefix('-').unwrap_or(token);
    if unsigned.len() > 19 {
        return None;
    }
    let mut digits: u64 = 0;
    let mut point = None;
    for (i, byte) in unsigned.bytes().enumerate() {
        match byte {
            b'0'..=b'9' => digits = digits * 10 + u64::from(byte - b'0'),
            b'.' => point = Some(i),
            _ => return None,
        }
    }
    let is_negative = unsigned.len() < token.len();
    let Some(point) = point else {
        let magnitude = i128::from(digits);
        return Some(Number::Int(if is_negative { -magnitude } else { magnitude }));
    };
    let power = EXACT_POWERS_OF_TEN.get(unsigned.len() - point - 1)?;
    let magnitude = digits as f64;
    if magnitude >= EXACT_INTEGERS_BELOW {
        return None;
    }
    let value = magnitude / power;
    Some(Number::Float(if is_negative { -value } else { value }))
}

/// Both languages print the fewest digits that read back; Python signs the exponent and gives it two digits.
fn write_python_exponent(f: f64, out: &mut String) -> std::fmt::Result {
    let text = format!("{f:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    match exponent.strip_prefix('-') {
        Some(exponent) => write!(out, "{digits}e-{exponent:0>2}"),
        None => write!(out, "{digits}e+{exponent:0>2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(number: Number) -> String {
        let mut out = Vec::new();
        number.write_json(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn tokens_keep_integers_apart_from_doubles() {
        let int = |n| Some(Number::Int(n));
        let float = |f| Some(Number::Float(f));
        for (token, expected) in [
            ("0", int(0)),
            ("-0", int(0)),
            ("-17", int(-17)),
            ("9223372036854775808", int(1 << 63)),
            ("-170141183460469231731687303715884105728", int(i128::MIN)),
            ("170141183460469231731687303715884105728", float(2f64.powi(127))),
            ("1.0", float(1.0)),
            ("1600000000.5", float(1_600_000_000.5)),
            ("1.50e1", float(15.0)),
            ("1E3", float(1000.0)),
            ("-1.5e-7", float(-1.5e-7)),
            ("1e-999", float(0.0)),
            ("1e999", None),
            ("-1e999", None),
            ("NaN", None),
            ("Infinity", None),
            ("-Infinity", None),
        ] {
            assert_eq!(Number::from_json(token), expected, "{token}");
        }
        let huge = format!("1{}", "0".repeat(400));
        assert_eq!(Number::from_json(&huge), None);
    }

    #[test]
    fn json_is_the_shortest_text_of_the_same_number() {
        for (float, expected) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-3.0, "-3"),
            (0.1, "0.1"),
            (0.001, "1e-3"),
            (0.0015, "0.0015"),
            (1_600_000_000.5, "1600000000.5"),
            (9_007_199_254_740_991.0, "9007199254740991"),
            (9_007_199_254_740_994.0, "9.007199254740994e15"),
            (1e300, "1e300"),
            (-1e-300, "-1e-300"),
        ] {
            assert_eq!(json(Number::Float(float)), expected);
        }
        assert_eq!(json(Number::Int(i128::MIN)), i128::MIN.to_string());
        assert_eq!(json(Number::Int(-5)), "-5");
    }

    #[test]
    fn rounding_keeps_significant_digits_and_integers() {
        let rounded = |number: Number, digits| json(number.rounded(digits));
        assert_eq!(rounded(Number::Float(12.345_678_9), 6), "12.3457");
        assert_eq!(rounded(Number::Float(-0.000_123_456_789), 3), "-1.23e-4");
        assert_eq!(rounded(Number::Float(999_999.96), 6), "1000000");
        assert_eq!(rounded(Number::Float(0.1), 17), "0.1");
        assert_eq!(rounded(Number::Int(123_456_789), 2), "123456789");
    }

    #[test]
    fn any_double_reads_back_equal() {
        let seed: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut state = seed;
        for _ in 0..20_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let value = f64::from_bits(state);
            let Some(number) = Number::from_f64(value) else {
                continue;
            };
            let text = json(number);
            let read = Number::from_json(&text).unwrap();
            assert_eq!(read.as_f64(), value, "{text}, seed {seed}");
            let python: f64 = number.python_str().parse().unwrap();
            assert_eq!(python, value, "seed {seed}");
        }
    }

    #[test]
    fn python_writes_doubles_its_own_way() {
        for (float, expected) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (123_456_789.125, "123456789.125"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e20, "1.5e+20"),
            (1e100, "1e+100"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (0.000099, "9.9e-05"),
            (1.5e-7, "1.5e-07"),
            (-1e-300, "-1e-300"),
        ] {
            assert_eq!(Number::Float(float).python_str(), expected);
        }
        assert_eq!(Number::Int(10i128.pow(30)).python_str(), format!("1{}", "0".repeat(30)));
    }

    #[test]
    fn sums_of_integers_stay_exact() {
        let int = Number::Int;
        assert_eq!(int(1 << 53) + int(1), int((1 << 53) + 1));
        assert_eq!(int(1) + Number::Float(0.5), Number::Float(1.5));
        assert_eq!(int(i128::MAX) + int(i128::MAX), Number::Float(2f64.powi(128)));
        let most = Number::Float(f64::MAX);
        assert!(most.is_finite() && !(most + most).is_finite());
        assert_eq!(Number::from_f64(f64::NAN), None);
    }
}
