//! What an answer, a refusal or a problem means.

use super::{Finding, Trouble};
use crate::limits::doctor::{CLOCK_OFF_S, CLOCK_WRONG_S};

/// What a server says to the question for the key.
#[inline(never)]
pub fn key(host: &str, status: u16, body: &[u8]) -> Finding {
    let body = String::from_utf8_lossy(body).replace(" ", "");
    let says = |word: &str| status == 200 && body.contains(word);
    if says("\"valid\":true") {
        return Finding::good([host, " knows it"].concat());
    }
    let is_refused = matches!(status, 401 | 403) || says("\"valid\":false");
    let answers = format!("{host} answers {status}");
    match status {
        _ if is_refused => Finding::bad(answers, Trouble::KeyRefused),
        300..=399 => Finding::warning(answers, Trouble::Redirected),
        408 | 429 | 500 | 502..=599 => Finding::warning(answers, Trouble::ServerTrouble),
        // A server of one's own need not know what only Datadog has.
        _ => Finding::good(answers + ": it does not check keys, as servers of one's own"),
    }
}

/// How far the clock is off: `ahead_s` by the server's, which tells whole seconds.
#[inline(never)]
pub fn clock(ahead_s: f64, host: &str) -> Finding {
    let ahead_s = ahead_s as i64;
    let off_s = ahead_s.unsigned_abs();
    let off = match off_s {
        0 | 1 => "as that".to_owned(),
        2..600 => format!("{off_s} s"),
        _ => span(off_s as f64),
    };
    let side = match ahead_s {
        -1..=1 => " of ",
        2.. => " ahead of ",
        _ => " behind ",
    };
    let detail = [&off, side, host].concat();
    let (ahead_max_s, behind_max_s) = CLOCK_WRONG_S;
    if ahead_s > ahead_max_s || ahead_s < -behind_max_s {
        Finding::bad(detail, Trouble::ClockWrong)
    } else if off_s > CLOCK_OFF_S {
        Finding::warning(detail, Trouble::ClockOff)
    } else {
        Finding::good(detail)
    }
}

/// `12 s`, `3 min`, `5 h`, `2 days`: as exact as it has to be.
pub fn span(seconds: f64) -> String {
    let seconds = seconds as u64;
    let (count, unit) = match seconds {
        0..120 => (seconds, " s"),
        120..7_200 => (seconds / 60, " min"),
        7_200..172_800 => (seconds / 3_600, " h"),
        _ => (seconds / 86_400, " days"),
    };
    count.to_string() + unit
}

/// The first row whose words a text holds.
fn first_match(text: &str, rows: &[(&str, Trouble)]) -> Option<Trouble> {
    for (words, trouble) in rows {
        if text.contains(words) {
            return Some(*trouble);
        }
    }
    None
}

/// Why there is no word from Redis, by the link's words.
pub fn redis_failure(reason: &str) -> Trouble {
    const ROWS: &[(&str, Trouble)] = &[
        ("WRONGPASS", Trouble::RedisPassword),
        ("NOAUTH", Trouble::RedisPassword),
        ("invalid password", Trouble::RedisPassword),
        ("without any password", Trouble::RedisPassword),
        ("NOPERM", Trouble::RedisRights),
        ("LOADING", Trouble::RedisLoading),
        ("WRONGTYPE", Trouble::QueueType),
        ("not a reply", Trouble::RedisStrange),
        ("unknown command", Trouble::RedisStrange),
        ("DENIED Redis is running", Trouble::RedisProtected),
        ("CLUSTERDOWN", Trouble::RedisCluster),
        ("MOVED", Trouble::RedisCluster),
        ("CROSSSLOT", Trouble::RedisCluster),
        ("redis refused", Trouble::RedisRefuses),
    ];
    first_match(reason, ROWS).unwrap_or(Trouble::RedisSilent)
}

/// Why a name has no address, by the resolver's words: those of glibc, and of musl.
pub fn name_refusal(what: &str) -> Trouble {
    const ROWS: &[(&str, Trouble)] =
        &[("emporary failure", Trouble::NameServer), ("ry again", Trouble::NameServer)];
    first_match(what, ROWS).unwrap_or(Trouble::NameUnknown)
}

/// What to do about the problem of a plugin.
pub fn plugin_problem(plugin: &str, problem: &str) -> Trouble {
    const DOCKER: &[(&str, Trouble)] = &[
        ("ermission denied", Trouble::DockerDenied),
        ("o such file", Trouble::DockerMissing),
        ("onnection refused", Trouble::DockerMissing),
    ];
    const TEGRASTATS: &[(&str, Trouble)] = &[
        ("no such program", Trouble::TegrastatsMissing),
        ("cannot start", Trouble::TegrastatsMissing),
        ("not found", Trouble::TegrastatsMissing),
        ("", Trouble::TegrastatsSilent),
    ];
    const K8S: &[(&str, Trouble)] = &[
        ("answered 401", Trouble::KubeletDenied),
        ("answered 403", Trouble::KubeletDenied),
        ("token", Trouble::KubeletToken),
        ("o such file", Trouble::KubeletToken),
        ("answered", Trouble::PluginOther),
        ("", Trouble::KubeletAway),
    ];
    const DRAMATIQ: &[(&str, Trouble)] = &[("o permissions", Trouble::DramatiqRights)];
    let rows = match plugin {
        "dramatiq" => DRAMATIQ,
        "docker" => DOCKER,
        "tegrastats" => TEGRASTATS,
        "k8s" => K8S,
        _ => &[],
    };
    first_match(problem, rows).unwrap_or(Trouble::PluginOther)
}

/// A plugin's reading: of `gauges` values, and what could not be read.
#[inline(never)]
pub fn plugin(name: &str, gauges: usize, problem: Option<String>) -> Finding {
    let count = match gauges {
        0 => "nothing there to read".to_owned(),
        1 => "1 value".to_owned(),
        gauges => format!("{gauges} values"),
    };
    let Some(problem) = problem else { return Finding::good(count) };
    let trouble = plugin_problem(name, &problem);
    match gauges {
        0 => Finding::bad(problem, trouble),
        _ => Finding::warning([&count, ", but ", &problem].concat(), trouble),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn the_answer_to_the_question_for_the_key() {
        let verdict = |status, body: &str| {
            let found = key("h", status, body.as_bytes());
            (found.verdict, found.advice)
        };
        let good = (Verdict::Good, String::new());
        assert_eq!(verdict(200, r#"{"more": [1], "valid": true}"#), good);
        for body in ["", "ok", "{}", r#"{"valid": 1}"#, "[true]"] {
            assert_eq!(verdict(200, body), good, "{body}");
        }
        for status in [204, 400, 404, 405, 501] {
            assert_eq!(verdict(status, ""), good, "{status}");
        }
        for (status, body, trouble, state) in [
            (200, r#"{"valid":false}"#, Trouble::KeyRefused, Verdict::Bad),
            (403, "", Trouble::KeyRefused, Verdict::Bad),
            (401, r#"{"valid":true}"#, Trouble::KeyRefused, Verdict::Bad),
            (301, "", Trouble::Redirected, Verdict::Warning),
            (503, "", Trouble::ServerTrouble, Verdict::Warning),
            (429, "", Trouble::ServerTrouble, Verdict::Warning),
        ] {
            assert_eq!(verdict(status, body), (state, trouble.advice().to_owned()), "{status} {body}");
        }
    }

    #[test]
    fn the_clock_is_judged_by_what_the_intake_takes() {
        let (ahead_max_s, behind_max_s) = CLOCK_WRONG_S;
        let off_s = CLOCK_OFF_S as f64;
        for (ahead_s, verdict, detail) in [
            (0.4, Verdict::Good, "as that of h"),
            (-1.9, Verdict::Good, "as that of h"),
            (off_s, Verdict::Good, "10 s ahead of h"),
            (-off_s - 1.0, Verdict::Warning, "11 s behind h"),
            (ahead_max_s as f64, Verdict::Warning, "10 min ahead of h"),
            (ahead_max_s as f64 + 1.0, Verdict::Bad, "10 min ahead of h"),
            (-behind_max_s as f64, Verdict::Warning, "60 min behind h"),
            (-behind_max_s as f64 - 60.0, Verdict::Bad, "61 min behind h"),
            (-1.8e9, Verdict::Bad, "20833 days behind h"),
        ] {
            let found = clock(ahead_s, "h");
            assert_eq!((found.verdict, found.detail.as_str()), (verdict, detail), "{ahead_s}");
        }
    }

    #[test]
    fn a_part_that_could_be_read_makes_it_a_warning() {
        assert_eq!(plugin("host", 1, None), Finding::good("1 value"));
        let found = plugin("docker", 0, Some("connect: permission denied".to_owned()));
        assert_eq!(found, Finding::bad("connect: permission denied", Trouble::DockerDenied));
        let found = plugin("host", 3, Some("proc/stat: odd".to_owned()));
        assert_eq!(found, Finding::warning("3 values, but proc/stat: odd", Trouble::PluginOther));
    }
}
