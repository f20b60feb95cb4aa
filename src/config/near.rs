//! Finds the name that was meant by one that is not known: `METRICS_TTL` was meant as `METRIC_TTL`.
//!
//! An environment is full of variables that belong to others, so only clear cases count: the same letters with
//! other separators or plurals, a name cut short, or a slip of one letter (two in a long name).

/// Variables of other programs that look like slips of ours.
const FOREIGN: &[&str] = &["HTTP_PROXY", "ALL_PROXY", "FTP_PROXY", "APP_KEY"];

/// The known name that `name` (in upper case) was most likely meant to be.
pub fn meant<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if FOREIGN.contains(&name) {
        return None;
    }
    let candidates = known.into_iter().filter_map(|k| Some((closeness(name, k)?, k)));
    candidates.min_by_key(|(far, _)| *far).map(|(_, k)| k)
}

/// The word of a short list that `word` was most likely meant to be: the same in other case or with other separators,
/// or with few slips. Here nobody else's words are about.
pub fn word<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let bare = |text: &str| text.to_ascii_lowercase().replace(['_', '-', ' '], "");
    let far = |known: &str| distance(&bare(word), &bare(known));
    let (far, meant) = known.into_iter().map(|known| (far(known), known)).min_by_key(|(far, _)| *far)?;
    (far <= (meant.len() / 4).max(1)).then_some(meant)
}

/// The number of letters to insert, remove, change or swap with their neighbour to get from `a` to `b`.
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let mut best = (at(&row, j) + usize::from(x != y)).min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

/// How far apart two names are, where they are close enough to be one.
fn closeness(name: &str, known: &str) -> Option<usize> {
    const CUT_SHORT_MIN: usize = 8;
    let slips_max = match known.len() {
        0..6 => return None,
        6..10 => 1,
        _ => 2,
    };
    if name == known || name.len().abs_diff(known.len()) > known.len() / 2 || digits(name) != digits(known) {
        return None;
    }
    if plain(name) == plain(known) {
        return Some(0);
    }
    let far = distance(name, known);
    if far <= slips_max {
        return Some(far);
    }
    // Cut within a word: REDIS_PASS, but not REDIS.
    let rest = known.strip_prefix(name)?;
    let cut = name.len() >= CUT_SHORT_MIN && name.contains('_') && !rest.starts_with('_');
    cut.then_some(slips_max + 1)
}

/// `REDIS_2_PORT` is another service, not a slip.
fn digits(name: &str) -> String {
    name.chars().filter(char::is_ascii_digit).collect()
}

/// Without separators and plurals.
fn plain(name: &str) -> String {
    name.split('_').map(|w| w.strip_suffix('S').unwrap_or(w)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::table::VARIABLES;

    fn suggestion(name: &str) -> Option<&'static str> {
        meant(name, VARIABLES.iter().map(|v| v.name))
    }

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "ab", 2),
            ("abc", "abc", 0),
            ("abc", "acb", 1),
            ("kitten", "sitting", 3),
            ("once", "onec", 1),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn slips_of_short_words_are_seen() {
        let words = ["match", "type", "emit", "drop", "drop_tags", "rename"];
        for (slip, meant) in [
            ("Match", Some("match")),
            ("tpye", Some("type")),
            ("emits", Some("emit")),
            ("dropTags", Some("drop_tags")),
            ("drop-tag", Some("drop_tags")),
            ("renmae", Some("rename")),
            ("name", None),
            ("tags", None),
            ("comment", None),
            ("", None),
        ] {
            assert_eq!(word(slip, words), meant, "{slip}");
        }
    }

    #[test]
    fn clear_slips_are_seen() {
        for (name, expected) in [
            ("METRICS_TTL", "METRIC_TTL"),
            ("LOGS_TTL", "LOG_TTL"),
            ("METRIC_BULK_SIZE", "METRICS_BULK_SIZE"),
            ("METRIC_WRAPPER", "METRICS_WRAPPER"),
            ("APIKEY", "API_KEY"),
            ("API_KEYS", "API_KEY"),
            ("GLOBAL_TAG", "GLOBAL_TAGS"),
            ("REDISHOST", "REDIS_HOST"),
            ("REDIS_URI", "REDIS_URL"),
            ("REDIS_PASS", "REDIS_PASSWORD"),
            ("REDIS_USER", "REDIS_USERNAME"),
            ("AGREGATE_INTERVAL", "AGGREGATE_INTERVAL"),
            ("RELAESE_INTREVAL", "RELEASE_INTERVAL"),
            ("COLLECTORS_PLUGIN", "COLLECTOR_PLUGINS"),
            ("LOGLEVEL", "LOG_LEVEL"),
        ] {
            assert_eq!(suggestion(name), Some(expected), "{name}");
        }
    }

    #[test]
    fn variables_of_others_are_left_alone() {
        for name in [
            "PATH",
            "HOME",
            "HOSTNAME",
            "HOSTTYPE",
            "HOSTS",
            "HOST_IP",
            "HOST_PORT",
            "GHOST",
            "PWD",
            "SHELL",
            "LANG",
            "LC_ALL",
            "TERM",
            "USER",
            "LOGNAME",
            "LS_COLORS",
            "HTTP_PROXY",
            "ALL_PROXY",
            "FTP_PROXY",
            "RSYNC_PROXY",
            "API_URL",
            "APP_KEY",
            "LOG_FILE",
            "LOG_DIR",
            "LOG_FORMAT",
            "LOGS",
            "SSL_CERT_DIR",
            "CURL_CA_BUNDLE",
            "DD_SITE",
            "DD_AGENT_HOST",
            "DATADOG_HOST",
            "METRICS_PORT",
            "METRICS_PATH",
            "KUBERNETES_SERVICE_HOST",
            "KUBERNETES_PORT",
            "REDIS_SERVICE_HOST",
            "REDIS_SERVICE_PORT",
            "REDIS_PORT_6379_TCP",
            "REDIS_PORT_6379_TCP_ADDR",
            "REDIS_PORT_6379_TCP_PORT",
            "REDIS_2_PORT",
            "REDIS_NAME",
            "REDIS_VERSION",
            "CARGO_HOME",
            "RUST_LOG",
            "SSH_TTY",
            "XDG_SEAT",
            "INVOCATION_ID",
            "JOURNAL_STREAM",
            "NOTIFY_SOCKET",
            "REDIS",
            "COLLECTOR",
            "HISTOGRAM",
            "",
            "_",
            "Ü",
        ] {
            assert_eq!(suggestion(name), None, "{name}");
        }
    }
}
