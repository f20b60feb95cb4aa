//! Text that must not be read by chance, and values made fit for a message.

use std::fmt;

/// Most characters of a value that a message repeats.
pub const SHOWN_CHARS_MAX: usize = 120;

const MASK: &str = "***";

/// A key or password. Printing it in any way gives `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text into keeping.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// How much of a variable's value a message may repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposure {
    /// All of it.
    Open,
    /// An address in which credentials may stand.
    Address,
    /// Nothing.
    Hidden,
}

/// `value` as a message may show it: masked, cut to [`SHOWN_CHARS_MAX`], control characters escaped.
pub fn shown(value: &str, exposure: Exposure) -> String {
    let text = match exposure {
        Exposure::Open => value.to_owned(),
        Exposure::Address => masked_address(value),
        Exposure::Hidden => MASK.to_owned(),
    };
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == SHOWN_CHARS_MAX {
            out.push('…');
            break;
        }
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Keeps scheme, host, numeric port and path. Since the address is wrong in some way, whatever could be part of
/// a password is masked: all before the last `@`, a port that is no number, and the query.
fn masked_address(value: &str) -> String {
    let (scheme, rest) = match value.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), value),
    };
    let (user, rest) = match rest.rsplit_once('@') {
        Some((_, rest)) => ("***@", rest),
        None => ("", rest),
    };
    let (rest, query) = match rest.find(['?', '#']) {
        Some(at) => (rest.get(..at).unwrap_or_default(), "?***"),
        None => (rest, ""),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = if authority.starts_with('[') {
        authority.to_owned()
    } else {
        match authority.split_once(':') {
            Some((host, port)) if host.is_empty() || port.bytes().any(|b| !b.is_ascii_digit()) => {
                format!("{host}:{MASK}")
            }
            _ => authority.to_owned(),
        }
    };
    format!("{scheme}{user}{authority}{path}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_itself() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn values_are_cut_and_escaped() {
        assert_eq!(shown("a\nb\u{1b}[0m", Exposure::Open), "a\\nb\\u{1b}[0m");
        let long = shown(&"ü".repeat(500), Exposure::Open);
        assert_eq!(long.chars().count(), SHOWN_CHARS_MAX + 1);
        assert_eq!(shown("hunter2", Exposure::Hidden), "***");
    }

    #[test]
    fn addresses_lose_what_may_be_a_password() {
        for (value, expected) in [
            ("redis://user:hunter2@h:99999/0", "redis://***@h:99999/0"),
            ("redis://:hun@ter2@h/0", "redis://***@h/0"),
            ("redis://:hun/ter2@h/0", "redis://***@h/0"),
            ("user:hunter2@h", "***@h"),
            ("redis://:hunter2", "redis://:***"),
            ("redis://:1234", "redis://:***"),
            ("redis://user:hunter2", "redis://user:***"),
            ("redis://h:70000/1", "redis://h:70000/1"),
            ("unix:///run/r.sock?password=hunter2", "unix:///run/r.sock?***"),
            ("https://h/v1?api_key=hunter2", "https://h/v1?***"),
            ("http://[::1]:x", "http://[::1]:x"),
        ] {
            assert_eq!(shown(value, Exposure::Address), expected);
        }
    }
}
