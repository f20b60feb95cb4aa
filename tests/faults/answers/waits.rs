//! `Retry-After`: as seconds, as a date, and as nonsense.

use super::{Case, Wait, all};
use crate::support::behaviour::{Answer, Behaviour, answer};
use crate::support::http::date;
use crate::support::unix_now;

/// 1994-11-06 08:49:37: by such a clock of the server's, ours is three decades ahead.
const LONG_AGO_S: u64 = 784_111_777;
/// Long enough to be told from the back-off, which is 2 s at most after a first failure.
const ASKED_S: u64 = 5;

fn case(name: &str, code: u16, headers: &[(&'static str, String)], wait: Wait) -> Case {
    let answer = Answer { headers: headers.to_vec(), ..answer(code) };
    // The second back-off is below what was asked for, so both waits are the asked one.
    Case { wait, ..Case::new(name, Behaviour::Answer(answer)) }
}

fn retry(value: impl Into<String>) -> (&'static str, String) {
    ("Retry-After", value.into())
}

#[test]
fn a_wait_that_is_asked_for_is_kept() {
    let asked = Wait::asked(ASKED_S as f64);
    let ahead = "Fri, 31 Dec 9999 23:59:54 GMT".to_owned();
    let cases = [
        case("429, seconds", 429, &[retry(ASKED_S.to_string())], asked),
        case("429, seconds, logs", 429, &[retry(ASKED_S.to_string())], asked),
        case("429, seconds", 429, &[retry(ASKED_S.to_string())], asked).embedded(),
        case("503, seconds", 503, &[retry(ASKED_S.to_string())], asked),
        case("403, seconds", 403, &[retry(ASKED_S.to_string())], asked),
        case(
            "429, a date by a server of 1994",
            429,
            &[("Date", date(LONG_AGO_S)), retry(date(LONG_AGO_S + ASKED_S))],
            asked,
        ),
        case(
            "429, a date by a server of 9999",
            429,
            &[("Date", ahead), retry("Fri, 31 Dec 9999 23:59:59 GMT")],
            asked,
        ),
        case("429, a date in the past", 429, &[retry(date(LONG_AGO_S))], Wait::Backoff),
        case("429, 0 seconds", 429, &[retry("0")], Wait::Backoff),
        case("429, nonsense", 429, &[retry("in a while, \u{1F989}")], Wait::Backoff),
    ];
    // Without a clock of the server's, ours counts, which goes on until the first attempt.
    let soon =
        case("429, a date without a clock", 429, &[retry(date(unix_now() + 12))], Wait::Between(4.0, 15.0));
    let cases = cases.into_iter().chain([Case { attempts: 2, ..soon }]).map(|case| {
        if case.name.ends_with("logs") { Case { stream: super::Stream::Logs, ..case } } else { case }
    });
    all("Retry-After", &cases.collect::<Vec<_>>(), Case::is_kept);
}

/// What would take minutes is read in the log. A signal ends the wait, so nothing is lost for as long.
#[test]
fn a_wait_of_a_year_is_cut() {
    let case = |name: &str, header| Case { attempts: 1, ..case(name, 429, &[header], Wait::Backoff) };
    let year = "31536000";
    let cases = [
        case("429, a year", retry(year)),
        case("429, more seconds than a number holds", retry("9".repeat(30))),
        case("429, the year 9999", retry("Fri, 31 Dec 9999 23:59:59 GMT")),
    ];
    let seen = all("Retry-After", &cases, Case::is_kept);
    for (seen, longest_s) in seen[1..].iter().zip([600.0, 2.0, 600.0]) {
        let told = seen.log.split("next attempt in ").nth(1).and_then(|rest| rest.split(' ').next());
        let told_s: f64 = told.unwrap().parse().unwrap();
        assert!((longest_s / 2.0..=longest_s + 15.0).contains(&told_s), "{told_s} s, not {longest_s}");
    }
}
