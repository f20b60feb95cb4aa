//! The corpus: records made hostile field by field, each with the reason it is dropped for.

use crate::support::json;

use std::collections::BTreeMap;

/// Every JSON type, and what Python writes beside them.
const VALUES: [&str; 15] = [
    "null",
    "true",
    "false",
    "0",
    "-1.5",
    "\"text\"",
    "\"\"",
    "[]",
    "[1, \"a\", null]",
    "{}",
    "{\"a\": 1}",
    "NaN",
    "-Infinity",
    "1e400",
    "\"\\ud800\\u0000\"",
];
/// What no record of any queue can be.
const NO_OBJECTS: [&[u8]; 14] = [
    b"",
    b" ",
    b"null",
    b"true",
    b"0",
    b"NaN",
    b"\"text\"",
    b"[]",
    b"[{}]",
    b"{",
    b"{]",
    b"{}{}",
    b"\0",
    b"{\"metric\"}",
];

/// A record of the corpus and why it is dropped; an empty reason where it is not.
pub struct Hostile {
    pub raw: Vec<u8>,
    pub reason: &'static str,
}

fn hostile(raw: impl Into<Vec<u8>>, reason: &'static str) -> Hostile {
    Hostile { raw: raw.into(), reason }
}

/// How many records of a corpus are dropped for each reason.
pub fn reasons(corpus: &[Hostile]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for record in corpus.iter().filter(|record| !record.reason.is_empty()) {
        *counts.entry(record.reason).or_default() += 1;
    }
    counts
}

/// A record of which one field is replaced by `value`.
fn with_field(fields: &[(&str, &str)], name: &str, value: &str) -> String {
    let member = |(known, old): &(&str, &str)| {
        let value = if *known == name { value } else { old };
        format!("{}: {value}", json::quote(known))
    };
    format!("{{{}}}", fields.iter().map(member).collect::<Vec<_>>().join(", "))
}

fn without_field(fields: &[(&str, &str)], name: &str) -> String {
    let rest: Vec<(&str, &str)> = fields.iter().filter(|(known, _)| *known != name).copied().collect();
    with_field(&rest, "", "")
}

/// `depth` lists, one within the other.
fn deep(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

/// Raw metrics; `at` is a good timestamp.
pub fn raw_corpus(at: &str) -> Vec<Hostile> {
    let fields =
        [("metric", "\"odd\""), ("type", "\"count\""), ("value", "1"), ("timestamp", at), ("tags", "{}")];
    let is_infinite = |value: &str| matches!(value, "NaN" | "-Infinity" | "1e400");
    let is_text = |value: &str| value.starts_with('"');
    let is_number = |value: &str| matches!(value, "true" | "false" | "0" | "-1.5");
    let mut corpus = Vec::new();
    for value in VALUES {
        let mut add = |field, reason| corpus.push(hostile(with_field(&fields, field, value), reason));
        add(
            "metric",
            match value {
                // Datadog refuses a name that is empty; what else it thinks of names is left to it.
                "\"\"" => "rejected",
                value if is_text(value) => "",
                _ => "wrong_type",
            },
        );
        add("type", if is_text(value) { "unknown_type" } else { "wrong_type" });
        add(
            "value",
            match value {
                value if is_number(value) => "",
                value if is_infinite(value) => "not_finite",
                _ => "wrong_type",
            },
        );
        let reason = match value {
            value if is_infinite(value) => "not_finite",
            value if is_number(value) || value == "null" => "",
            _ => "wrong_type",
        };
        corpus.push(hostile(with_field(&fields, "timestamp", value), reason));
        corpus.push(hostile(with_field(&fields, "tags", value), ""));
        let list = with_field(
            &[fields[0], ("type", "\"set\""), ("value", "[]"), fields[3]],
            "value",
            &format!("[{value}]"),
        );
        corpus.push(hostile(
            list,
            match value {
                value if is_infinite(value) => "not_finite",
                value if value.starts_with(['[', '{']) => "wrong_type",
                _ => "",
            },
        ));
    }
    for field in ["metric", "type", "value", "timestamp"] {
        corpus.push(hostile(without_field(&fields, field), "missing_field"));
    }
    corpus.push(hostile(without_field(&fields, "tags"), ""));
    corpus.push(hostile("{}", "missing_field"));
    corpus.extend(NO_OBJECTS.iter().map(|raw| hostile(*raw, no_object_reason(raw))));
    let digits = with_field(&fields, "value", &format!("1{}", "0".repeat(400)));
    let set = |elements: usize| with_field(&fields, "value", &format!("[1{}]", ",1".repeat(elements - 1)));
    let set = |elements| set(elements).replace("\"count\"", "\"set\"");
    corpus.extend([
        hostile(digits, "not_finite"),
        hostile("[".repeat(1_000_000), "not_json"),
        hostile(with_field(&fields, "value", &deep(1_000_000)), "too_large"),
        hostile(with_field(&fields, "value", &deep(500_000)), "wrong_type"),
        hostile(with_field(&fields, "tags", &format!("{{\"a\": {}}}", deep(500_000))), "too_large"),
        hostile(set(1_000_000), "too_large"),
        hostile(set(500_000), ""),
        hostile(b"{\"metric\": \"\xff\xfe\"}", "not_utf8"),
        hostile(with_field(&fields, "metric", "\"odd").into_bytes(), "not_json"),
    ]);
    corpus
}

fn no_object_reason(raw: &[u8]) -> &'static str {
    match raw {
        b"null" | b"true" | b"0" | b"NaN" | b"\"text\"" | b"[]" | b"[{}]" => "wrong_type",
        _ => "not_json",
    }
}

/// Wrapped metrics; `points` are good ones.
pub fn wrapped_corpus(points: &str) -> Vec<Hostile> {
    let fields = [
        ("metric", "\"odd\""),
        ("type", "\"gauge\""),
        ("points", points),
        ("interval", "10"),
        ("tags", "[]"),
    ];
    let mut corpus = Vec::new();
    for value in VALUES {
        let is_infinite = matches!(value, "NaN" | "-Infinity" | "1e400");
        let mut add = |field, reason| corpus.push(hostile(with_field(&fields, field, value), reason));
        add(
            "metric",
            match value {
                "\"\"" => "rejected",
                value if value.starts_with('"') => "",
                _ => "malformed_series",
            },
        );
        for field in ["type", "interval", "tags"] {
            add(field, "");
        }
        add("points", "malformed_series");
        let at = points.trim_matches(['[', ']']).split(',').next().unwrap();
        let number = !is_infinite && matches!(value, "0" | "-1.5");
        let reason = match value {
            _ if is_infinite => "not_finite",
            _ if number => "",
            _ => "malformed_series",
        };
        corpus.push(hostile(with_field(&fields, "points", &format!("[[{at}, {value}]]")), reason));
    }
    for field in ["metric", "points"] {
        corpus.push(hostile(without_field(&fields, field), "malformed_series"));
    }
    corpus.extend(NO_OBJECTS.iter().map(|raw| hostile(*raw, "malformed_series")));
    corpus.extend([
        hostile("{}", "malformed_series"),
        hostile("[".repeat(1_000_000), "malformed_series"),
        hostile(with_field(&fields, "points", &deep(1_000_000)), "too_large"),
        hostile(with_field(&fields, "extra", "1").into_bytes(), ""),
        hostile(b"{\"metric\": \"\xff\xfe\"}", "malformed_series"),
        hostile(with_field(&fields, "metric", "\"odd"), "malformed_series"),
    ]);
    corpus
}

pub fn log_corpus() -> Vec<Hostile> {
    const FIELDS: [&str; 7] = ["date", "ddsource", "ddtags", "level", "message", "service", "extra"];
    let fields: Vec<(&str, &str)> = FIELDS.iter().map(|name| (*name, "\"odd\"")).collect();
    let mut corpus = Vec::new();
    for value in VALUES {
        for field in FIELDS {
            // An overflowing number is still JSON, and of `ddtags` only texts are taken.
            let counted = matches!(value, "NaN" | "-Infinity") && field != "ddtags";
            let reason = if counted { "log_not_finite" } else { "" };
            corpus.push(hostile(with_field(&fields, field, value), reason));
        }
    }
    corpus.extend(NO_OBJECTS.iter().map(|raw| hostile(*raw, "malformed_log")));
    let tags = format!("[\"a\"{}]", ",1".repeat(1_000_000));
    corpus.extend([
        hostile("{}", ""),
        hostile("[".repeat(1_000_000), "malformed_log"),
        hostile(with_field(&fields, "message", &deep(1_000_000)), "log_truncated"),
        hostile(with_field(&fields, "ddtags", &deep(1_000_000)), ""),
        hostile(with_field(&fields, "ddtags", &tags), "log_truncated"),
        hostile(b"{\"message\": \"\xff\xfe\"}", "malformed_log"),
        hostile(with_field(&fields, "message", "\"odd"), "malformed_log"),
    ]);
    corpus
}
