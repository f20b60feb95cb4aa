//! Numbers as a person reads them, appended to a text: `3 h 12 min`, `1.2 kB`, `▁▃█`.

/// A number.
#[inline(never)]
pub fn push_number(out: &mut String, number: u64) {
    out.push_str(&number.to_string());
}

/// A time of so many whole seconds, in its two largest units.
#[inline(never)]
pub fn push_duration(out: &mut String, seconds: u64) {
    const UNITS: [(u64, &str); 4] = [(86_400, " d"), (3_600, " h"), (60, " min"), (1, " s")];
    let (mut rest, mut is_begun) = (seconds, false);
    for &(length, unit) in &UNITS {
        let count = rest / length;
        rest %= length;
        if count > 0 || (length == 1 && !is_begun) {
            out.push_str(if is_begun { " " } else { "" });
            push_number(out, count);
            out.push_str(unit);
        }
        // Minutes are exact enough, and so is what comes after the largest unit.
        if is_begun || (count > 0 && length == 60) {
            return;
        }
        is_begun = count > 0;
    }
}

/// So many bytes, in two digits at least: `345 B`, `1.2 kB`, `16 MB`.
#[inline(never)]
pub fn push_bytes(out: &mut String, bytes: u64) {
    let (mut whole, mut rest, mut unit) = (bytes, 0, " B");
    for larger in &[" kB", " MB", " GB", " TB"] {
        if whole >= 1_000 {
            (whole, rest, unit) = (whole / 1_000, whole % 1_000, larger);
        }
    }
    push_number(out, whole);
    if whole < 10 && unit != " B" {
        out.push('.');
        push_number(out, rest / 100);
    }
    out.push_str(unit);
}

/// A number of things: `1 point`, `2 points`.
#[inline(never)]
pub fn push_count(out: &mut String, number: u64, word: &str) {
    push_number(out, number);
    out.push(' ');
    out.push_str(word);
    if number != 1 {
        out.push('s');
    }
}

/// A line of bars, the highest of which is the largest of the numbers.
pub fn push_bars(out: &mut String, numbers: &[u64], largest: u64) {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    for number in numbers {
        // What is there at all does not look like nothing.
        let height = (u128::from(*number) * 7).div_ceil(u128::from(largest.max(1))) as usize;
        out.push(BARS.get(height).copied().unwrap_or('█'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(push: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        push(&mut out);
        out
    }

    #[test]
    fn times_have_two_units_at_most() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (119, "1 min"),
            (3_600, "1 h"),
            (3_601, "1 h"),
            (11_525, "3 h 12 min"),
            (86_460, "1 d"),
            (90_000, "1 d 1 h"),
            (86_400 * 400 + 59, "400 d"),
        ];
        for (seconds, text) in cases {
            assert_eq!(pushed(|out| push_duration(out, seconds)), text);
        }
    }

    #[test]
    fn bytes_have_the_unit_that_fits() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (1_260, "1.2 kB"),
            (12_345, "12 kB"),
            (999_999, "999 kB"),
            (1_048_576, "1.0 MB"),
            (16_777_216, "16 MB"),
            (u64::MAX, "18446744 TB"),
        ];
        for (number, text) in cases {
            assert_eq!(pushed(|out| push_bytes(out, number)), text);
        }
    }

    #[test]
    fn one_thing_has_no_plural() {
        assert_eq!(pushed(|out| push_count(out, 1, "point")), "1 point");
        assert_eq!(pushed(|out| push_count(out, 2, "point")), "2 points");
    }

    #[test]
    fn the_largest_is_the_highest() {
        let bars = |numbers: &[u64]| {
            pushed(|out| push_bars(out, numbers, numbers.iter().copied().max().unwrap_or_default()))
        };
        assert_eq!(bars(&[0, 1, 50, 100]), "▁▂▅█");
        assert_eq!(bars(&[0, 0]), "▁▁");
        assert_eq!(bars(&[]), "");
        assert_eq!(bars(&[u64::MAX, 1]), "█▂");
    }
}
