//! The digits of numbers, without the formatting of the standard library, which takes several times as long.

use std::io::Write as _;

use super::EXACT_POWERS_OF_TEN;

/// Appends an integer's digits.
pub(crate) fn write_integer(n: i128, out: &mut Vec<u8>) {
    if n < 0 {
        out.push(b'-');
    }
    match u64::try_from(n.unsigned_abs()) {
        Ok(digits) => write_whole(digits, out),
        Err(_) => {
            // Writing into a vector cannot fail.
            let _ = write!(out, "{}", n.unsigned_abs());
        }
    }
}

/// Appends digits; from the last one on, of the 20 that 64 bits have.
fn write_whole(mut digits: u64, out: &mut Vec<u8>) {
    let mut text = [b'0'; 20];
    let mut len = 0;
    for place in text.iter_mut().rev() {
        let tens = tenth(digits);
        *place = b'0' + (digits - tens * 10) as u8;
        digits = tens;
        len += 1;
        if digits == 0 {
            break;
        }
    }
    out.extend_from_slice(text.get(text.len() - len..).unwrap_or_default());
}

/// Appends digits, the last `decimals` of them behind a point; one stands before it at least.
fn write_fraction(digits: u64, decimals: usize, out: &mut Vec<u8>) {
    let start = out.len();
    write_whole(digits, out);
    let zeros = (decimals + 1).saturating_sub(out.len() - start);
    (0..zeros).for_each(|_| out.insert(start, b'0'));
    out.insert(out.len() - decimals, b'.');
}

/// A tenth, rounded down. A compiler that optimises for size would divide, which takes several times as long.
fn tenth(n: u64) -> u64 {
    match u32::try_from(n) {
        Ok(n) => (u64::from(n) * 0xcccc_cccd) >> 35,
        Err(_) => n / 10,
    }
}

/// Appends a fraction that has few decimals, as most measured values have; `None` where it has more, or where an
/// exponent might be shorter.
pub(super) fn write_few_decimals(f: f64, out: &mut Vec<u8>) -> Option<()> {
    /// A decimal of so many digits is told by its double.
    const DIGITS_BELOW: f64 = 1e15;
    let magnitude = f.abs();
    if magnitude < 0.01 {
        return None;
    }
    for (decimals, power) in EXACT_POWERS_OF_TEN.iter().enumerate().take(7).skip(1) {
        let digits = magnitude * power + 0.5;
        if digits >= DIGITS_BELOW {
            return None;
        }
        let digits = digits as u64;
        // Both are exact, so that this is the double nearest to the decimal.
        if digits as f64 / power == magnitude {
            if f < 0.0 {
                out.push(b'-');
            }
            write_fraction(digits, decimals, out);
            return Some(());
        }
    }
    None
}

/// Appends the shorter of both notations; positional where they are equally long.
pub(super) fn write_shorter(f: f64, out: &mut Vec<u8>) {
    // `-1.5e-7`
    let text = format!("{f:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let unsigned = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (first, others) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    // Zeros between the point and the digits, or digits before the point: it is no integer.
    let zeros = usize::try_from(-1 - exponent).ok();
    let point = usize::try_from(exponent).ok().and_then(|at| others.split_at_checked(at));
    let positional_len = match zeros {
        Some(zeros) => "0.".len() + zeros + 1 + others.len(),
        None => unsigned.len().max("0.0".len()),
    };
    if positional_len + mantissa.len() - unsigned.len() > text.len() {
        return out.extend_from_slice(text.as_bytes());
    }
    if f < 0.0 {
        out.push(b'-');
    }
    match (zeros, point) {
        (Some(zeros), _) => {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', zeros));
            out.extend_from_slice(first.as_bytes());
            out.extend_from_slice(others.as_bytes());
        }
        (None, Some((whole, fraction))) => {
            for piece in [first, whole, ".", fraction] {
                out.extend_from_slice(piece.as_bytes());
            }
        }
        (None, None) => out.extend_from_slice(text.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Number;

    fn json(number: Number) -> String {
        let mut out = Vec::new();
        number.write_json(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn both_notations_are_weighed() {
        // What the standard library makes of a fraction: both notations in full.
        let shortest = |f: f64| {
            let (positional, exponent) = (format!("{f}"), format!("{f:e}"));
            if exponent.len() < positional.len() { exponent } else { positional }
        };
        let mut random = 7u64;
        for i in 0..40_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let decimals = 10f64.powi(i % 12);
            let near = (random >> 40) as f64 / decimals * if i % 3 == 0 { -1.0 } else { 1.0 };
            let long = (random >> 11) as f64 / 10f64.powi(i % 30);
            let edge = f64::from_bits((near.to_bits()).wrapping_add(random >> 63));
            for f in [near, long, edge].into_iter().filter(|f| f.trunc() != *f) {
                assert_eq!(json(Number::Float(f)), shortest(f), "{f:e}");
            }
        }
    }

    #[test]
    fn integers_of_any_size_are_written_in_full() {
        for n in [
            0,
            7,
            -7,
            10,
            4_294_967_296,
            i128::from(u64::MAX),
            i128::from(u64::MAX) + 1,
            i128::MAX,
            i128::MIN,
        ] {
            assert_eq!(json(Number::Int(n)), n.to_string());
        }
        let mut random = 1u64;
        for _ in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let n = random >> (random % 64);
            assert_eq!(tenth(n), n / 10);
        }
        assert_eq!(tenth(u32::MAX.into()), u64::from(u32::MAX) / 10);
    }
}
