//! What `chouette-iot doctor` says: verdicts, the line of a check, the JSON of all, and what to do about each trouble.
//!
//! ```text
//! ✓ tls metrics            96 ms  TLS 1.3, from DigiCert Global G2, until 2027-01-14
//! ✗ api key                41 ms  api.datadoghq.com answers 403
//!     That server does not know the key. …
//! ```
//!
//! Nothing is read or asked here: [`crate::runtime::doctor`] does, with the agent's own connections, and hands over
//! what it found. [`advice`] has the table of what to do, [`judge`] tells good from bad, [`redis`] reads what a server
//! tells of itself, [`certificate`] takes dates out of a certificate.

pub mod advice;
pub mod certificate;
pub mod judge;
pub mod redis;

use std::time::Duration;

pub use advice::Trouble;

use crate::config::help::{HELP_COLUMNS, wrapped};
use crate::limits::doctor::FOREIGN_CHARS_MAX;
use crate::metric::json::push_string;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Good,
    /// It works, and something should be seen to.
    Warning,
    /// It does not work.
    Bad,
    /// It could not be tried.
    Skipped,
}

impl Verdict {
    /// The word for it in JSON, its sign, and the colour of the sign.
    fn signs(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Verdict::Good => ("good", "✓", "\x1b[32m"),
            Verdict::Warning => ("warning", "!", "\x1b[33m"),
            Verdict::Bad => ("bad", "✗", "\x1b[31m"),
            Verdict::Skipped => ("skipped", "-", ""),
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// How it ended.
    pub verdict: Verdict,
    /// How long it took, where that says something.
    pub took: Option<Duration>,
    /// What was found.
    pub detail: String,
    /// What to do, a paragraph to a line; empty where there is nothing to do.
    pub advice: String,
}

/// What was found, without the name and the time.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// How it ended.
    pub verdict: Verdict,
    /// What was found.
    pub detail: String,
    /// What to do.
    pub advice: String,
}

impl Finding {
    /// All is well.
    #[inline(never)]
    pub fn good(detail: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Good, detail: detail.into(), advice: String::new() }
    }

    /// It does not work.
    #[inline(never)]
    pub fn bad(detail: impl Into<String>, trouble: Trouble) -> Finding {
        Finding { verdict: Verdict::Bad, detail: detail.into(), advice: trouble.advice().to_owned() }
    }

    /// It works, and something should be seen to.
    #[inline(never)]
    pub fn warning(detail: impl Into<String>, trouble: Trouble) -> Finding {
        Finding { verdict: Verdict::Warning, ..Finding::bad(detail, trouble) }
    }

    /// It could not be tried.
    #[inline(never)]
    pub fn skipped(why: &str) -> Finding {
        Finding { verdict: Verdict::Skipped, ..Finding::good(format!("skipped: {why}")) }
    }
}

/// Where names end, and times.
const NAME_COLUMNS: usize = 22;
const TIME_COLUMNS: usize = 8;
const INDENT: &str = "    ";

impl Check {
    /// The check as lines for a person: the first tells of it, the others what to do, where `with_advice`.
    pub fn lines(&self, in_colour: bool, with_advice: bool) -> String {
        let (_, sign, colour) = self.verdict.signs();
        let (colour, end) = if in_colour && !colour.is_empty() { (colour, "\x1b[0m") } else { ("", "") };
        let time = self.took.map(time).unwrap_or_default();
        let (name, detail) = (&self.name, &self.detail);
        let mut out = format!("{colour}{sign}{end} {name:NAME_COLUMNS$} {time:>TIME_COLUMNS$}  {detail}\n");
        if with_advice {
            for line in wrapped(&self.advice, HELP_COLUMNS - INDENT.len()) {
                out.push_str(INDENT);
                out.push_str(&line);
                out.push('\n');
            }
        }
        out
    }
}

/// `<1 ms`, `3 ms`, `1.2 s`.
fn time(took: Duration) -> String {
    match took.as_millis() as u64 {
        0 => "<1 ms".to_owned(),
        ms @ 1..1_000 => format!("{ms} ms"),
        ms => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
    }
}

/// Whether nothing is broken. What is skipped is so because of something else, and a warning breaks nothing.
pub fn is_well(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.verdict != Verdict::Bad)
}

/// The last line for a person.
pub fn summary(checks: &[Check]) -> String {
    let (mut bad, mut warnings) = (0_usize, 0_usize);
    for check in checks {
        bad += usize::from(check.verdict == Verdict::Bad);
        warnings += usize::from(check.verdict == Verdict::Warning);
    }
    let mut told = String::new();
    match bad {
        0 => told.push_str("nothing is broken"),
        _ => push_count(bad, " check", " failed", &mut told),
    }
    if warnings > 0 {
        told.push_str(", ");
        push_count(warnings, " warning", "", &mut told);
    }
    told.push('\n');
    told
}

fn push_count(count: usize, of: &str, end: &str, out: &mut String) {
    let number = count.to_string();
    for part in [number.as_str(), of, if count == 1 { "" } else { "s" }, end] {
        out.push_str(part);
    }
}

/// All checks as one JSON object on one line:
/// `{"ok":true,"checks":[{"name":"clock","state":"good","seconds":0.012,"detail":"…","advice":null}]}`.
pub fn json(checks: &[Check]) -> String {
    let mut out = String::from(if is_well(checks) { "{\"ok\":true" } else { "{\"ok\":false" });
    out.push_str(",\"checks\":[");
    for (at, check) in checks.iter().enumerate() {
        out.push_str(if at == 0 { "{\"name\":" } else { ",{\"name\":" });
        push_string(&check.name, &mut out);
        out.push_str(",\"state\":\"");
        out.push_str(check.verdict.signs().0);
        out.push_str("\",\"seconds\":");
        match check.took.map(|took| took.as_millis() as u64) {
            Some(ms) => out.push_str(&format!("{}.{:03}", ms / 1_000, ms % 1_000)),
            None => out.push_str("null"),
        }
        out.push_str(",\"detail\":");
        push_string(&check.detail, &mut out);
        out.push_str(",\"advice\":");
        match check.advice.as_str() {
            "" => out.push_str("null"),
            advice => push_string(advice, &mut out),
        }
        out.push('}');
    }
    out.push_str("]}\n");
    out
}

/// The words of somebody else as a line may show them: bounded, printable, and without any of these secrets, which
/// whoever was told them may repeat.
pub fn foreign(text: &str, secrets: &[String]) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        if !secret.is_empty() {
            text = text.replace(secret.as_str(), "***");
        }
    }
    let mut shown = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == FOREIGN_CHARS_MAX {
            shown.push('…');
            break;
        }
        shown.push(if c.is_control() { '?' } else { c });
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(verdict: Verdict, ms: Option<u64>, advice: &str) -> Check {
        let (name, detail) = ("clock".to_owned(), "\"2 s\" ahead".to_owned());
        Check { name, verdict, took: ms.map(Duration::from_millis), detail, advice: advice.to_owned() }
    }

    #[test]
    fn a_check_is_a_line_and_what_to_do_stands_below() {
        let plain = check(Verdict::Good, Some(12), "").lines(false, true);
        assert_eq!(plain, "✓ clock                     12 ms  \"2 s\" ahead\n");
        let bad = check(Verdict::Bad, Some(1_260), &"word ".repeat(30)).lines(true, true);
        assert!(bad.starts_with("\x1b[31m✗\x1b[0m clock                     1.2 s  "), "{bad:?}");
        assert_eq!(bad.lines().count(), 3);
        assert!(bad.lines().skip(1).all(|line| line.starts_with("    word") && line.len() <= HELP_COLUMNS));
        let skipped = check(Verdict::Skipped, None, "a").lines(true, false);
        assert!(skipped.starts_with("- clock ") && skipped.lines().count() == 1, "{skipped:?}");
    }

    #[test]
    fn json_tells_the_same() {
        let checks = [check(Verdict::Warning, None, "a\nb"), check(Verdict::Bad, Some(1_002), "")];
        assert_eq!(
            json(&checks),
            "{\"ok\":false,\"checks\":[\
             {\"name\":\"clock\",\"state\":\"warning\",\"seconds\":null,\"detail\":\"\\\"2 s\\\" ahead\",\"advice\":\"a\\nb\"},\
             {\"name\":\"clock\",\"state\":\"bad\",\"seconds\":1.002,\"detail\":\"\\\"2 s\\\" ahead\",\"advice\":null}]}\n"
        );
        assert!(json(&checks[..1]).starts_with("{\"ok\":true,"));
        assert_eq!(json(&[]), "{\"ok\":true,\"checks\":[]}\n");
    }

    #[test]
    fn warnings_and_skips_break_nothing() {
        let of = |verdict| check(verdict, None, "");
        assert!(is_well(&[of(Verdict::Good), of(Verdict::Warning), of(Verdict::Skipped)]));
        assert_eq!(summary(&[of(Verdict::Warning), of(Verdict::Warning)]), "nothing is broken, 2 warnings\n");
        assert_eq!(summary(&[of(Verdict::Bad), of(Verdict::Good)]), "1 check failed\n");
    }

    #[test]
    fn foreign_words_show_no_secret_and_are_short() {
        let secrets = ["hunter2".to_owned(), String::new()];
        assert_eq!(foreign("ERR 'hunter2'\r\n\x1b[0m", &secrets), "ERR '***'???[0m");
        let long = foreign(&"ü".repeat(FOREIGN_CHARS_MAX + 1), &[]);
        assert_eq!(long.chars().count(), FOREIGN_CHARS_MAX + 1);
        assert!(long.ends_with('…'));
        let across = format!("{}hunter2", "x".repeat(FOREIGN_CHARS_MAX - 3));
        assert!(foreign(&across, &secrets).ends_with("***"));
    }
}
