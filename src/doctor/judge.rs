//! What an answer, a refusal or a problem means.

use super::{Finding, Trouble, Verdict};
use crate::limits::doctor::{CLOCK_OFF_S, CLOCK_WRONG_S};
use crate::metric::json::Reader;

/// What a server says to the question for the key.
pub fn key(host: &str, status: u16, body: &[u8]) -> Finding {
    let answers = format!("{host} answers {status}");
    match (status, is_valid(body)) {
        (200, Some(true)) => Finding::good(format!("{host} knows it")),
        (200, Some(false)) | (401 | 403, _) => Finding::bad(answers, Trouble::KeyRefused),
        (300..=399, _) => Finding::warning(answers, Trouble::Redirected),
        (408 | 429 | 500 | 502..=599, _) => Finding::warning(answers, Trouble::ServerTrouble),
        // A server of one's own need not know what only Datadog has.
        _ => Finding::good(format!("{answers}: it does not check keys, as servers of one's own")),
    }
}

/// `{"valid":true}`
fn is_valid(body: &[u8]) -> Option<bool> {
    let mut reader = Reader::from_bytes(body).ok()?;
    reader.enter_object().ok()?;
    let mut valid = None;
    while let Some(key) = reader.next_key().ok()? {
        match key.as_ref() {
            "valid" => valid = Some(reader.bool().ok()?),
            _ => reader.skip().ok()?,
        }
    }
    valid
}

/// How far the clock is off: `ahead_s` by the server's, which tells whole seconds.
pub fn clock(ahead_s: f64, host: &str) -> Finding {
    let off_s = ahead_s.abs();
    let whole_s = off_s as u64;
    let side = if ahead_s > 0.0 { "ahead of" } else { "behind" };
    let (ahead_max_s, behind_max_s) = CLOCK_WRONG_S;
    let detail = match whole_s {
        0 | 1 => format!("as that of {host}"),
        2..600 => format!("{whole_s} s {side} {host}"),
        _ => format!("{} {side} {host}", span(off_s)),
    };
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
    let seconds = seconds.max(0.0) as u64;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
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
pub fn plugin(name: &str, gauges: usize, problem: Option<String>) -> Finding {
    let count = match gauges {
        0 => "nothing there to read".to_owned(),
        1 => "1 value".to_owned(),
        gauges => format!("{gauges} values"),
    };
    let Some(problem) = problem else { return Finding::good(count) };
    let trouble = plugin_problem(name, &problem);
    let verdict = if gauges == 0 { Verdict::Bad } else { Verdict::Warning };
    let detail = if gauges == 0 { problem } else { format!("{count}, but {problem}") };
    Finding { verdict, ..Finding::bad(detail, trouble) }
}

#[cfg(test)]
mod tests {
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
        for (ahead_s, verdict, detail) in [
            (0.4, Verdict::Good, "as that of h"),
            (-1.9, Verdict::Good, "as that of h"),
            (CLOCK_OFF_S, Verdict::Good, "10 s ahead of h"),
            (-CLOCK_OFF_S - 1.0, Verdict::Warning, "11 s behind h"),
            (ahead_max_s, Verdict::Warning, "10 min ahead of h"),
            (ahead_max_s + 1.0, Verdict::Bad, "10 min ahead of h"),
            (-behind_max_s, Verdict::Warning, "60 min behind h"),
            (-behind_max_s - 60.0, Verdict::Bad, "61 min behind h"),
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
