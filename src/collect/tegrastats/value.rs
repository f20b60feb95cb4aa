//! The forms a single value can have: a size, a load with its frequency, a power, a temperature.
//!
//! ```text
//! 1903/3964MB    7%@408   62%   0%@[305,305]   @[494,494]   2763mW/2846mW   598mW/598   52.9C/52.9C
//! ```
//!
//! Each function takes the whole value or nothing. White space has been dealt with before.

use crate::metric::Number;

/// What tegrastats calls MB.
const MB_BYTES: u64 = 1 << 20;
/// A clock faster than this many MHz is none.
const MEGAHERTZ_MAX: u64 = 100_000;
/// Most digits that a number is believed to have.
const DIGITS_MAX: usize = 12;
/// Temperatures are believed from absolute zero to this.
const CELSIUS_MAX: f64 = 1000.0;
const CELSIUS_MIN: f64 = -273.15;
/// What the kernel gives for a zone that is powered off.
const CELSIUS_OFF: f64 = -256.0;
/// What a zone called [`PLACEHOLDER`] shows for want of a sensor.
const PLACEHOLDER_CELSIUS: [f64; 2] = [50.0, 100.0];
const PLACEHOLDER: &str = "PMIC";

/// Memory in use, and what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// In use.
    pub used_bytes: u64,
    /// Not in use.
    pub free_bytes: u64,
}

/// A processor core, the memory controller or the GPU.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Engine {
    /// How busy it is.
    pub load_percent: Option<Number>,
    /// Its clock.
    pub frequency_hz: Option<u64>,
}

impl Engine {
    /// The higher of each, as for several units of the same thing.
    pub fn merge(&mut self, other: Engine) {
        let load = |engine: &Engine| engine.load_percent.map_or(-1.0, Number::as_f64);
        if load(&other) > load(self) {
            self.load_percent = other.load_percent;
        }
        self.frequency_hz = self.frequency_hz.max(other.frequency_hz);
    }
}

/// `1903/3964MB`
pub fn memory(text: &str) -> Option<Memory> {
    let (used, total) = text.strip_suffix("MB")?.split_once('/')?;
    let (used, total) = (whole(used)?, whole(total)?);
    let free = total.checked_sub(used)?;
    Some(Memory { used_bytes: used.checked_mul(MB_BYTES)?, free_bytes: free.checked_mul(MB_BYTES)? })
}

/// `7%@408`, `62%`, `0%@[305,305]` or `@[494]`: of several clocks the highest.
pub fn engine(text: &str) -> Option<Engine> {
    let (load, clock) = match text.split_once('@') {
        Some((load, clock)) => (load, Some(clock)),
        None => (text, None),
    };
    let load_percent = match load {
        "" if clock.is_some() => None,
        load => Some(percent(load)?),
    };
    let frequency_hz = match clock {
        Some(clock) => Some(highest(clock)?),
        None => None,
    };
    Some(Engine { load_percent, frequency_hz })
}

/// `408` or `[305,305]`, in MHz.
pub fn highest(text: &str) -> Option<u64> {
    let Some(list) = text.strip_prefix('[') else {
        return hertz(text);
    };
    let clocks = list.strip_suffix(']')?.split(',').map(hertz);
    clocks.collect::<Option<Vec<u64>>>()?.into_iter().max()
}

/// `2532/2698`, `2763mW/2846mW`, with a third part since JetPack 7.2: the first is the present one. Of the others
/// the end may be missing.
pub fn power_mw(text: &str) -> Option<u64> {
    let (current, others) = text.split_once('/')?;
    let is_number = |part: &str| part.trim_end_matches(['m', 'W']).bytes().all(|b| b.is_ascii_digit());
    if others.split('/').count() > 2 || !others.split('/').all(is_number) {
        return None;
    }
    whole(current.strip_suffix("mW").unwrap_or(current))
}

/// `36C`, `36.5C`, or `52.9C/55C` where the second is the highest so far.
pub fn celsius(text: &str) -> Option<Number> {
    let current = text.split_once('/').map_or(text, |(current, _)| current);
    let value = decimal(current.strip_suffix('C')?)?;
    (CELSIUS_MIN..=CELSIUS_MAX).contains(&value.as_f64()).then_some(value)
}

/// Whether a zone measures: it is not powered off, and its value is not the one that stands for no sensor.
pub fn is_measured(zone: &str, celsius: Number) -> bool {
    let value = celsius.as_f64();
    let is_placeholder = zone.eq_ignore_ascii_case(PLACEHOLDER) && PLACEHOLDER_CELSIUS.contains(&value);
    value != CELSIUS_OFF && !is_placeholder
}

/// A number of digits only.
pub fn whole(text: &str) -> Option<u64> {
    is_digits(text).then(|| text.parse().ok())?
}

fn is_digits(text: &str) -> bool {
    (1..=DIGITS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// Digits, with a sign and a fraction perhaps.
fn decimal(text: &str) -> Option<Number> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
    let is_number = is_digits(whole) && fraction.is_none_or(is_digits);
    is_number.then(|| Number::from_json(text))?
}

fn percent(text: &str) -> Option<Number> {
    let value = decimal(text.strip_suffix('%')?)?;
    (0.0..=100.0).contains(&value.as_f64()).then_some(value)
}

fn hertz(megahertz: &str) -> Option<u64> {
    whole(megahertz).filter(|mhz| *mhz <= MEGAHERTZ_MAX).map(|mhz| mhz * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let expected = Memory { used_bytes: 3 << 20, free_bytes: 7 << 20 };
        assert_eq!(memory("3/10MB"), Some(expected));
        assert_eq!(memory("0/0MB"), Some(Memory { used_bytes: 0, free_bytes: 0 }));
        for bad in
            ["3/10kB", "3/10", "11/10MB", "/10MB", "3/MB", "-3/10MB", "3/9999999999999999MB", "3/1/2MB"]
        {
            assert_eq!(memory(bad), None, "{bad}");
        }
    }

    #[test]
    fn loads_and_frequencies() {
        let expected = |load: Option<i128>, mhz: Option<u64>| {
            let load_percent = load.map(Number::Int);
            Some(Engine { load_percent, frequency_hz: mhz.map(|n| n * 1_000_000) })
        };
        for (text, load, mhz) in [
            ("7%@408", Some(7), Some(408)),
            ("62%", Some(62), None),
            ("0%@[114]", Some(0), Some(114)),
            ("0%@[0,0]", Some(0), Some(0)),
            ("14%@[305,918,204]", Some(14), Some(918)),
            ("@[494,494,495]", None, Some(495)),
            ("@0", None, Some(0)),
        ] {
            assert_eq!(engine(text), expected(load, mhz), "{text}");
        }
        for bad in
            ["", "7", "@", "7%@", "7%@[]", "7%@[1", "7%@1]", "101%@1", "-1%", "7%@100001", "7@8%", "%@8"]
        {
            assert_eq!(engine(bad), None, "{bad}");
        }
    }

    #[test]
    fn several_units_count_as_the_busiest_and_fastest() {
        let mut both = engine("3%@500").unwrap();
        both.merge(engine("9%@0").unwrap());
        assert_eq!(Some(both), engine("9%@500"));
        let mut one = Engine::default();
        one.merge(engine("0%").unwrap());
        one.merge(engine("@7").unwrap());
        assert_eq!(Some(one), engine("0%@7"));
    }

    #[test]
    fn powers() {
        for text in ["17/9", "17mW/9mW", "17mW/9mW/30mW", "17mW/9", "17mW/", "17/9m"] {
            assert_eq!(power_mw(text), Some(17), "{text}");
        }
        for bad in ["17", "17mW", "1.7/9", "17W/9W", "0/252kB(lfb", "/9", "1/2/3/4", "x/1", "-1/1"] {
            assert_eq!(power_mw(bad), None, "{bad}");
        }
    }

    #[test]
    fn temperatures() {
        for (text, value) in [("36C", 36.0), ("-0.5C", -0.5), ("52.968C/60C", 52.968), ("36C/4", 36.0)] {
            assert_eq!(celsius(text).map(Number::as_f64), Some(value), "{text}");
        }
        for bad in ["36", "C", "36.C", ".5C", "3e9C", "nanC", "-C", "36F", "1001C", "-300C", "36C(40C)"] {
            assert_eq!(celsius(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_measures_nothing() {
        let measured = |zone, value| is_measured(zone, Number::Float(value));
        assert!(!measured("PMIC", 100.0) && !measured("pmic", 50.0) && !measured("gpu", -256.0));
        assert!(measured("PMIC", 41.5) && measured("gpu", 100.0) && measured("gpu", -255.0));
    }
}
