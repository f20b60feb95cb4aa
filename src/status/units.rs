//! Numbers as a person reads them: `3 h 12 min`, `1.2 kB`, `▁▃█`.

/// A time of so many whole seconds, in its two largest units.
pub fn duration(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let largest = UNITS.iter().position(|(length, _)| seconds >= *length).unwrap_or(UNITS.len() - 1);
    let (mut text, mut rest) = (String::new(), seconds);
    for (length, unit) in UNITS.iter().skip(largest).take(if largest == 2 { 1 } else { 2 }) {
        let count = rest / length;
        rest %= length;
        if count > 0 || text.is_empty() {
            let blank = if text.is_empty() { "" } else { " " };
            text.push_str(&format!("{blank}{count} {unit}"));
        }
    }
    text
}

/// So many bytes, in two digits at least: `345 B`, `1.2 kB`, `16 MB`.
pub fn bytes(bytes: u64) -> String {
    let (mut tenths, mut unit) = (u128::from(bytes) * 10, 0);
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1_000;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    match (unit, tenths % 10) {
        (1.., tenth) if tenths < 100 => format!("{}.{tenth} {name}", tenths / 10),
        _ => format!("{} {name}", tenths / 10),
    }
}

/// A number of things: `1 point`, `2 points`.
pub fn count(number: u64, word: &str) -> String {
    let plural = if number == 1 || !word.ends_with(char::is_alphabetic) { "" } else { "s" };
    format!("{number} {word}{plural}")
}

/// A line of bars, the highest of which is the largest of the numbers.
pub fn sparkline(numbers: &[u64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let largest = numbers.iter().copied().max().unwrap_or_default().max(1);
    let bar = |number: &u64| {
        // What is there at all does not look like nothing.
        let height = (u128::from(*number) * 7).div_ceil(u128::from(largest)) as usize;
        BARS.get(height).copied().unwrap_or('█')
    };
    numbers.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_two_units_at_most() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (119, "1 min"),
            (3_600, "1 h"),
            (11_525, "3 h 12 min"),
            (90_000, "1 d 1 h"),
            (86_400 * 400 + 59, "400 d"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text);
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
            assert_eq!(bytes(number), text);
        }
        assert_eq!((count(1, "point"), count(2, "point")), ("1 point".to_owned(), "2 points".to_owned()));
    }

    #[test]
    fn the_largest_is_the_highest() {
        assert_eq!(sparkline(&[0, 1, 50, 100]), "▁▂▅█");
        assert_eq!(sparkline(&[0, 0]), "▁▁");
        assert_eq!(sparkline(&[]), "");
        assert_eq!(sparkline(&[u64::MAX, 1]), "█▂");
    }
}
