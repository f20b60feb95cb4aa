//! From the text of a variable to a value: one function per kind of value.
//!
//! A list is written as JSON (`["a:1","b:2"]`) or with commas (`a:1,b:2`); empty entries count for nothing.

use core::net::IpAddr;

use log::LevelFilter;
use miniserde::{Deserialize, json};

use super::error::ValueError;
use crate::collect::k8s;
use crate::limits::PERCENTILES_MAX;
use crate::protocol::url::{self, Url};

/// Most entries of a list.
pub const LIST_ENTRIES_MAX: usize = 1000;
/// Most characters of a tag, as Datadog has it.
pub const TAG_CHARS_MAX: usize = 200;
/// Most characters of any other text.
pub const TEXT_CHARS_MAX: usize = 4096;

/// A word of the configuration and what it stands for.
pub type Word<T> = (&'static str, T);

/// The words for a log level; Python's five and two of Rust's.
pub const LEVELS: &[Word<LevelFilter>] = &[
    ("DEBUG", LevelFilter::Debug),
    ("INFO", LevelFilter::Info),
    ("WARNING", LevelFilter::Warn),
    ("ERROR", LevelFilter::Error),
    ("CRITICAL", LevelFilter::Error),
    ("WARN", LevelFilter::Warn),
    ("TRACE", LevelFilter::Trace),
];

/// The words for true and false.
pub const BOOLEANS: &[Word<bool>] = &[
    ("true", true),
    ("false", false),
    ("yes", true),
    ("no", false),
    ("on", true),
    ("off", false),
    ("1", true),
    ("0", false),
    ("t", true),
    ("f", false),
    ("y", true),
    ("n", false),
];

/// A whole number within bounds.
pub fn number(text: &str, min: u32, max: u32) -> Result<u32, ValueError> {
    match text.parse::<u32>() {
        Ok(n) if (min..=max).contains(&n) => Ok(n),
        _ => Err(ValueError::Number),
    }
}

/// One of some words, in any case.
pub fn word<T: Copy>(text: &str, words: &[Word<T>]) -> Result<T, ValueError> {
    let found = words.iter().find(|(w, _)| w.eq_ignore_ascii_case(text));
    found.map(|(_, meaning)| *meaning).ok_or_else(|| ValueError::UnknownWord(clipped(text)))
}

/// A list of some words, in any case; a word written twice counts once.
pub fn words<T: Copy + PartialEq>(text: &str, words: &[Word<T>]) -> Result<Vec<T>, ValueError> {
    let mut out = Vec::new();
    for entry in strings(text)? {
        let meaning = word(&entry, words)?;
        if !out.contains(&meaning) {
            out.push(meaning);
        }
    }
    Ok(out)
}

/// As [`words`], for words that stand for themselves.
pub fn names(text: &str, known: &[&'static str]) -> Result<Vec<String>, ValueError> {
    let table: Vec<Word<&'static str>> = known.iter().map(|w| (*w, *w)).collect();
    Ok(words(text, &table)?.into_iter().map(str::to_owned).collect())
}

/// A list of texts.
pub fn strings(text: &str) -> Result<Vec<String>, ValueError> {
    let list = match json_list::<String>(text)? {
        Some(list) => list,
        None => text.split(',').map(str::to_owned).collect(),
    };
    let trimmed = list.iter().map(|s| s.trim());
    bounded(trimmed.filter(|s| !s.is_empty()).map(str::to_owned).collect())
}

/// A list of numbers from 0 to 1; a number written twice counts once.
pub fn shares(text: &str) -> Result<Vec<f64>, ValueError> {
    let list = match json_list::<f64>(text)? {
        Some(list) => list,
        None => {
            let no_share = |s: &str| ValueError::NoShare(clipped(s));
            let entries = strings(text)?.into_iter();
            let parse = |s: String| s.parse::<f64>().map_err(|_| no_share(&s));
            entries.map(parse).collect::<Result<_, _>>()?
        }
    };
    let mut out: Vec<f64> = Vec::new();
    for share in bounded(list)? {
        if !(0.0..=1.0).contains(&share) {
            return Err(ValueError::NoShare(share.to_string()));
        }
        if !out.contains(&share) {
            out.push(share);
        }
    }
    if out.len() > PERCENTILES_MAX {
        return Err(ValueError::ListTooLong { entries: out.len(), entries_max: PERCENTILES_MAX });
    }
    Ok(out)
}

/// A list of `key:value` tags.
pub fn tags(list: &str) -> Result<Vec<String>, ValueError> {
    let tags = strings(list)?;
    for tag in &tags {
        text(tag, TAG_CHARS_MAX)?;
    }
    Ok(tags)
}

/// Any text without control characters.
pub fn text(text: &str, chars_max: usize) -> Result<String, ValueError> {
    let chars = text.chars().count();
    if chars > chars_max {
        return Err(ValueError::TooLong { chars, chars_max });
    }
    match text.chars().find(|c| c.is_control()) {
        Some(bad) => Err(ValueError::Character(bad)),
        None => Ok(text.to_owned()),
    }
}

/// Text that can stand in a header: visible ASCII. The error does not tell which character is wrong.
pub fn token(text: &str, chars_max: usize) -> Result<String, ValueError> {
    let chars = text.chars().count();
    if chars > chars_max {
        return Err(ValueError::TooLong { chars, chars_max });
    }
    if text.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err(ValueError::Part("holds white space or characters that are not ASCII"))
    }
}

/// An absolute path, without slashes at its end.
pub fn absolute_path(path: &str) -> Result<String, ValueError> {
    let path = text(path, TEXT_CHARS_MAX)?;
    if !path.starts_with('/') {
        return Err(ValueError::NotAbsolute);
    }
    let trimmed = path.trim_end_matches('/');
    Ok(if trimmed.is_empty() { "/" } else { trimmed }.to_owned())
}

/// An absolute path, or the word for none.
pub fn absolute_path_or_none(path: &str) -> Result<Option<String>, ValueError> {
    if path.eq_ignore_ascii_case("none") { Ok(None) } else { absolute_path(path).map(Some) }
}

/// An address that needs no look-up.
pub fn ip_address(text: &str) -> Result<IpAddr, ValueError> {
    text.parse().map_err(|_| ValueError::NoIpAddress)
}

/// A port from 1 to 65535.
pub fn port(text: &str) -> Result<u16, ValueError> {
    url::parse_port(text).map_err(|_| ValueError::Number)
}

/// What the k8s plugin is to send.
pub fn k8s_groups(text: &str) -> Result<k8s::Groups, ValueError> {
    k8s::Groups::from_json(text).map_err(|error| match error {
        k8s::GroupsError::Malformed => ValueError::Part("no JSON object of lists of words"),
        k8s::GroupsError::Unknown(word) => ValueError::UnknownWord(clipped(&word)),
    })
}

/// An address of an intake.
pub fn url(text: &str) -> Result<Url, ValueError> {
    Url::parse(text).map_err(ValueError::Url)
}

/// `text` with its `%XX` escapes decoded; `None` where they are broken or give no UTF-8.
pub fn percent_decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(out).ok()
}

/// `None` where the text is not meant as JSON.
fn json_list<T: Deserialize>(text: &str) -> Result<Option<Vec<T>>, ValueError> {
    if !text.starts_with(['[', '{', '"']) {
        return Ok(None);
    }
    json::from_str(text).map(Some).map_err(|_| ValueError::NoList)
}

fn bounded<T>(list: Vec<T>) -> Result<Vec<T>, ValueError> {
    if list.len() > LIST_ENTRIES_MAX {
        return Err(ValueError::ListTooLong { entries: list.len(), entries_max: LIST_ENTRIES_MAX });
    }
    Ok(list)
}

/// Errors repeat a value only as far as a line can hold it.
fn clipped(text: &str) -> String {
    super::secret::shown(text, super::Exposure::Open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(number("10", 1, 86_400), Ok(10));
        for bad in ["0", "-1", "86401", "1.5", "ten", "", "99999999999", "0x10", "1e3"] {
            assert_eq!(number(bad, 1, 86_400), Err(ValueError::Number), "{bad}");
        }
    }

    #[test]
    fn every_boolean_in_any_case() {
        for (word_, meaning) in BOOLEANS {
            assert_eq!(word(word_, BOOLEANS), Ok(*meaning));
            assert_eq!(word(&word_.to_uppercase(), BOOLEANS), Ok(*meaning));
        }
        assert!(word("maybe", BOOLEANS).is_err());
        assert!(word("", BOOLEANS).is_err());
    }

    #[test]
    fn levels() {
        assert_eq!(word("critical", LEVELS), Ok(LevelFilter::Error));
        assert_eq!(word("Warn", LEVELS), Ok(LevelFilter::Warn));
        assert!(word("loud", LEVELS).is_err());
    }

    #[test]
    fn lists_as_json_or_with_commas() {
        let expected = Ok(vec!["a:1".to_owned(), "b:2".to_owned()]);
        for text in [r#"["a:1","b:2"]"#, r#"[ "a:1" , " b:2 ", "" ]"#, "a:1,b:2", " a:1 , ,b:2,"] {
            assert_eq!(strings(text), expected, "{text}");
        }
        assert_eq!(strings("[]"), Ok(vec![]));
        for bad in ["['a']", "[1]", "[\"a\"", "{\"a\":1}", "\"a\"", "[null]", "[[\"a\"]]"] {
            assert_eq!(strings(bad), Err(ValueError::NoList), "{bad}");
        }
        let many = "a,".repeat(LIST_ENTRIES_MAX + 1);
        assert_eq!(
            strings(&many),
            Err(ValueError::ListTooLong { entries: LIST_ENTRIES_MAX + 1, entries_max: LIST_ENTRIES_MAX })
        );
        assert_eq!(strings(&"[".repeat(100_000)), Err(ValueError::NoList));
    }

    #[test]
    fn shares_between_0_and_1() {
        assert_eq!(shares("[0.95, 0.5, 1, 0]"), Ok(vec![0.95, 0.5, 1.0, 0.0]));
        assert_eq!(shares("0.95,0.5, 0.95"), Ok(vec![0.95, 0.5]));
        assert_eq!(shares("[]"), Ok(vec![]));
        let many: Vec<String> = (0..=PERCENTILES_MAX).map(|i| format!("0.{i:03}")).collect();
        assert!(shares(&many.join(",")).is_err() && shares(&many[1..].join(",")).is_ok());
        for bad in ["95", "-0.1", "nan", "inf", "[1e999]", "[1.01]", "p95", "[\"0.5\"]", "0.5;0.9"] {
            assert!(shares(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn known_names() {
        let known = &["cpu", "ram"];
        assert_eq!(names("RAM,cpu,ram", known), Ok(vec!["ram".into(), "cpu".into()]));
        assert_eq!(names("cpu,gpu", known), Err(ValueError::UnknownWord("gpu".into())));
    }

    #[test]
    fn tags_and_texts() {
        let ok = "ü".repeat(TAG_CHARS_MAX);
        assert_eq!(tags(&ok), Ok(vec![ok.clone()]));
        let (chars, chars_max) = (TAG_CHARS_MAX + 1, TAG_CHARS_MAX);
        assert_eq!(tags(&format!("{ok}x")), Err(ValueError::TooLong { chars, chars_max }));
        assert_eq!(tags("[\"a\\nb\"]"), Err(ValueError::Character('\n')));
        assert!(token("0123abcd", 8).is_ok());
        for bad in ["0123abcde", "a b", "ü", "a\r\nb"] {
            assert!(token(bad, 8).is_err(), "{bad}");
        }
    }

    #[test]
    fn paths() {
        assert_eq!(absolute_path("/host//"), Ok("/host".into()));
        assert_eq!(absolute_path("/"), Ok("/".into()));
        assert_eq!(absolute_path("host"), Err(ValueError::NotAbsolute));
    }

    #[test]
    fn percent_escapes() {
        assert_eq!(percent_decoded("p%40ss%2f%C3%bc+").as_deref(), Some("p@ss/ü+"));
        for bad in ["%", "%4", "%zz", "%ff", "%+1"] {
            assert_eq!(percent_decoded(bad), None, "{bad}");
        }
    }
}
