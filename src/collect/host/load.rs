//! How many tasks were running or waiting to, on average over the last minute, from `/proc/loadavg`:
//!
//! ```text
//! 0.42 0.30 0.25 1/211 4711
//! ```
//!
//! Only the first field is read. The averages over five and fifteen minutes can be made of it at the
//! server and are not sent.
//!
//! Format: <https://man7.org/linux/man-pages/man5/proc_loadavg.5.html>

use super::format::{FormatError, number};
use crate::collect::{CollectError, Gauge, HostFiles};
use crate::metric::{Number, Tags};

/// Load average of one minute.
pub const LOAD: &str = "Chouette.host.la";

const PATH: &str = "proc/loadavg";

/// Appends the load.
pub fn collect(files: &dyn HostFiles, out: &mut Vec<Gauge>, error: &mut CollectError) {
    let load = error.keep(PATH, files.read(PATH)).and_then(|text| error.keep(PATH, parse(&text)));
    if let Some(load) = load {
        let tags = Tags::from_strings(&["period:1m"]);
        out.push(Gauge { name: LOAD, tags, value: Number::Float(load) });
    }
}

fn parse(text: &str) -> Result<f64, FormatError> {
    let word = text.split_ascii_whitespace().next();
    let load: f64 = number("the load of one minute", word)?;
    if load.is_finite() && load >= 0.0 {
        Ok(load)
    } else {
        Err(FormatError::bad_number("the load of one minute", word.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_field_counts() {
        assert_eq!(parse("0.42 0.30 0.25 1/211 4711\n"), Ok(0.42));
        assert_eq!(parse("0.00 x"), Ok(0.0));
        assert_eq!(parse(" \n"), Err(FormatError::Missing("the load of one minute")));
    }

    #[test]
    fn what_is_no_load_is_refused() {
        for word in ["nan", "inf", "-0.5", "1e999", "1/211", "0,42"] {
            assert!(matches!(parse(word), Err(FormatError::BadNumber { .. })), "{word}");
        }
    }
}
