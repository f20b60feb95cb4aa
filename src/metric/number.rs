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
        if let Some((number, length)) = short_json(token.as_bytes())
            && length == token.len()
        {
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

/// Most digits that 64 bits hold, whichever they are.
const DIGITS_MAX: usize = 19;

/// Powers of ten that a double holds exactly.
pub(crate) const EXACT_POWERS_OF_TEN: [f64; 19] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];

const POWERS_OF_TEN: [u64; DIGITS_MAX] = {
    let mut powers = [1; DIGITS_MAX];
    let mut exponent = 1;
    while exponent < DIGITS_MAX {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// The number at the beginning of `bytes` and its length, for nearly all numbers: at most [`DIGITS_MAX`] digits, a point
/// perhaps, no exponent. Digits and point end with a byte that belongs to no number.
pub(crate) fn short_json(bytes: &[u8]) -> Option<(Number, usize)> {
    let is_negative = bytes.first() == Some(&b'-');
    let start = usize::from(is_negative);
    let mut digits: u64 = 0;
    let mut point = None;
    let mut end = start;
    loop {
        match bytes.get(end) {
            Some(digit @ b'0'..=b'9') => {
                if end - start > DIGITS_MAX {
                    return None;
                }
                // Beyond the most digits it may wrap, and is not used.
                digits = digits.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            }
            Some(b'.') if point.is_none() => point = Some(end),
            Some(b'.' | b'e' | b'E' | b'+' | b'-') => return None,
            _ => break,
        }
        end += 1;
    }
    let whole = point.unwrap_or(end) - start;
    let count = end - start - usize::from(point.is_some());
    let has_leading_zero = whole > 1 && bytes.get(start) == Some(&b'0');
    if whole == 0 || has_leading_zero || count > DIGITS_MAX || point.is_some() && count == whole {
        return None;
    }
    let number = if point.is_none() {
        let magnitude = i128::from(digits);
        Number::Int(if is_negative { -magnitude } else { magnitude })
    } else {
        let value = quotient(digits, *POWERS_OF_TEN.get(count - whole)?);
        Number::Float(if is_negative { -value } else { value })
    };
    Some((number, end))
}

/// The double nearest to `digits` ÷ `power`.
fn quotient(digits: u64, power: u64) -> f64 {
    if digits < EXACT_INTEGERS_BELOW as u64 && power < EXACT_INTEGERS_BELOW as u64 {
        // Both are exact, and rounded is only once.
        return digits as f64 / power as f64;
    }
    // As many bits of the quotient as fit, the last of which tells whether there are more: so rounding it to a double
    // is the only rounding here, too.
    let shift = digits.leading_zeros() + (u64::BITS - power.leading_zeros()) - 1;
    let (shifted, power) = (u128::from(digits) << shift, u128::from(power));
    let bits = shifted / power;
    let bits = bits as u64 | u64::from(bits * power != shifted);
    // 2^-shift.
    bits as f64 * f64::from_bits((1023 - u64::from(shift)) << 52)
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
    fn short_decimals_become_the_nearest_double() {
        let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) % below
        };
        let check = |token: &str| {
            let nearest: f64 = token.parse().unwrap();
            assert_eq!(Number::from_json(token), Some(Number::Float(nearest)), "{token}");
        };
        for _ in 0..100_000 {
            let below = 10_u64.pow(1 + random(19) as u32);
            let digits = random(below).to_string();
            let point = random(digits.len() as u64) as usize;
            check(&format!(
                "{}.{}",
                &digits[..=point],
                if point + 1 < digits.len() { &digits[point + 1..] } else { "0" }
            ));
        }
        // Half-way between two doubles, and just beside.
        for token in [
            "9007199254740993.0",
            "9007199254740993.1",
            "9007199254740992.9",
            "4503599627370496.5",
            "4503599627370497.5",
            "9223372036854775807.5",
            "0.1234567890123456789",
            "1700000000.1234567",
        ] {
            check(token);
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
