//! What is fuzzed: each target takes any bytes and asserts what must hold of what the program made of them.
//!
//! Two programs run the same targets: libFuzzer through `fuzz_targets/`, and `tests/mutations` with seeded
//! mutations in the ordinary test suite, which takes this file in by its path.
#![allow(clippy::unwrap_used)]

mod board;
mod certificate;
mod collectors;
mod configuration;
mod dogstatsd;
mod http;
mod payloads;
mod records;
mod redis;
mod spool;

/// A target: its name, which is also that of its directory in `corpus/` and of its dictionary, and what to run.
pub type Target = (&'static str, fn(&[u8]));

/// Every target there is.
pub const TARGETS: &[Target] = &[
    ("record", records::record),
    ("wrapped", payloads::wrapped),
    ("log", payloads::log),
    ("forwarded", payloads::forwarded),
    ("redis_replies", redis::redis_replies),
    ("dramatiq", collectors::dramatiq),
    ("tegrastats", collectors::tegrastats),
    ("board", board::board),
    ("kubelet", collectors::kubelet),
    ("docker", collectors::docker),
    ("http_answer", http::http_answer),
    ("proxy_answer", http::proxy_answer),
    ("env_file", configuration::env_file),
    ("url", configuration::url),
    ("dogstatsd", dogstatsd::dogstatsd),
    ("spool", spool::spool),
    ("certificate", certificate::certificate),
];

/// Runs the target of that name.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("the name of a target");
    target(data);
}

/// An error is one line that a log can hold.
fn assert_printable(error: &impl std::fmt::Display, chars_max: usize) {
    let text = error.to_string();
    assert!(!text.is_empty(), "an error that says nothing");
    assert!(!text.chars().any(char::is_control), "control characters in an error: {text:?}");
    let chars = text.chars().count();
    assert!(chars <= chars_max, "an error of {chars} characters: {text:?}");
}

/// A parser of JSON that shares nothing with the program's.
fn parsed(text: &[u8]) -> miniserde::json::Value {
    let text = std::str::from_utf8(text).expect("UTF-8");
    miniserde::json::from_str(text).unwrap_or_else(|_| panic!("not JSON: {text:?}"))
}

/// The member of an object.
fn member<'a>(value: &'a miniserde::json::Value, name: &str) -> Option<&'a miniserde::json::Value> {
    match value {
        miniserde::json::Value::Object(members) => members.get(name),
        _ => None,
    }
}

/// The elements of a list.
fn elements(value: Option<&miniserde::json::Value>) -> &[miniserde::json::Value] {
    match value {
        Some(miniserde::json::Value::Array(elements)) => elements,
        other => panic!("no list: {other:?}"),
    }
}

/// A number, which has to be finite.
fn number(value: &miniserde::json::Value) -> f64 {
    let number = match value {
        miniserde::json::Value::Number(miniserde::json::Number::U64(n)) => *n as f64,
        miniserde::json::Value::Number(miniserde::json::Number::I64(n)) => *n as f64,
        miniserde::json::Value::Number(miniserde::json::Number::F64(n)) => *n,
        other => panic!("no number: {other:?}"),
    };
    assert!(number.is_finite(), "{number}");
    number
}

/// The text cut into pieces whose sizes `seed` chooses.
fn pieces(data: &[u8], seed: u8) -> impl Iterator<Item = &[u8]> {
    let mut state = u32::from(seed) | 0x100;
    let mut rest = data;
    std::iter::from_fn(move || {
        // A xorshift is enough: sizes need only differ.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let most = [1, 3, 17, 400][usize::from(seed % 4)];
        let (piece, after) = rest.split_at(rest.len().min(1 + state as usize % most));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}
