//! Tests with records that mean harm: too large, too deep, or broken at random.

use super::record::RecordParser;
use super::tests::{SCORE, parse, reason, tags, with};
use crate::limits::{NAME_BYTES_MAX, RECORD_BYTES_MAX, TAGS_BYTES_MAX, TAGS_MAX};
use crate::metric::{Sample, Tags, Value};

#[test]
fn too_much_of_anything_is_refused() {
    let quoted = |len: usize| format!("\"{}\"", "x".repeat(len));
    assert_eq!(reason(parse(with("metric", &quoted(NAME_BYTES_MAX)), |_| ())), "none");
    assert_eq!(reason(parse(with("metric", &quoted(NAME_BYTES_MAX + 1)), |_| ())), "too_large");
    assert_eq!(reason(parse(with("type", &quoted(NAME_BYTES_MAX + 1)), |_| ())), "too_large");
    let many = |count: usize| {
        let members: Vec<_> = (0..count).map(|i| format!("\"k{i}\": {i}")).collect();
        format!("{{{}}}", members.join(","))
    };
    assert_eq!(reason(tags(&many(TAGS_MAX))), "none");
    assert_eq!(reason(tags(&many(TAGS_MAX + 1))), "too_large");
    let one_tag = |len: usize| format!(r#"{{"k": "{}"}}"#, "v".repeat(len - r#"["k:"]"#.len()));
    assert_eq!(tags(&one_tag(TAGS_BYTES_MAX)).map(|tags| tags.len()), Ok(TAGS_BYTES_MAX));
    assert_eq!(reason(tags(&one_tag(TAGS_BYTES_MAX + 1))), "too_large");
    let padded = |len: usize| {
        let record = with("value", "1");
        let spaces = " ".repeat(len - record.len());
        record + &spaces
    };
    assert_eq!(reason(parse(padded(RECORD_BYTES_MAX), |_| ())), "none");
    assert_eq!(reason(parse(padded(RECORD_BYTES_MAX + 1), |_| ())), "too_large");
}

#[test]
fn depth_in_any_field_is_harmless() {
    let depth = RECORD_BYTES_MAX / 2 - 200;
    let deep = "[".repeat(depth) + &"]".repeat(depth);
    for (field, expected) in [
        ("extra", "none"),
        ("metric", "wrong_type"),
        ("timestamp", "wrong_type"),
        ("value", "wrong_type"),
        ("tags", "none"),
    ] {
        assert_eq!(reason(parse(with(field, &deep), |_| ())), expected, "{field}");
    }
    let depth = depth - 10;
    let tag = format!("{{\"a\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(reason(tags(&tag)), "too_large");
    assert_eq!(reason(parse("[".repeat(1_000_000), |_| ())), "not_json");
}

#[test]
fn scratch_space_holds_nothing_of_the_record_before() {
    let mut parser = RecordParser::default();
    let first = with("value", r#"["a", "b"]"#).replace("app", "\\u0061pp");
    parser.parse(first.as_bytes(), SCORE).unwrap();
    assert!(parser.parse(with("value", "[1, []]").as_bytes(), SCORE).is_err());
    let second = with("value", "[3]").replace(r#""b": "2", "#, "").replace("app", "\\u0071");
    let sample = parser.parse(second.as_bytes(), SCORE).unwrap();
    assert_eq!((sample.name, sample.tags), ("q.requests", r#"["a:1"]"#));
    assert!(matches!(sample.value, Value::Set(elements) if elements.iter().count() == 1));
}

/// What everyone behind the parser relies on.
fn check_invariants(sample: Sample<'_>) {
    assert!(sample.timestamp.is_finite());
    let canonical = Tags::from_canonical(sample.tags);
    let strings: Vec<_> = canonical.iter().collect();
    assert_eq!(Tags::from_strings(&strings), canonical);
    match sample.value {
        Value::Number(number) => assert!(number.as_f64().is_finite()),
        Value::Set(elements) => assert!(elements.iter().all(|element| !element.is_empty())),
    }
}

#[test]
fn mutated_records_never_panic() {
    let seed: u64 = 0x2545_f491_4f6c_dd1d;
    let mut state = seed;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    let originals = [
        with("value", "1"),
        with(
            "value",
            r#"[1, 1.0, true, "\u00e9\ud83d\ude00", null, 1e300, 340282366920938463463374607431768211456]"#,
        ),
        with("tags", r#"{"a": {"b": [1, "x'", null]}, "c\n": 1.5e-7, "a": true, "d": NaN}"#),
        with("extra", r#"{"a": [1, {"b": [[]]}], "c": -Infinity}"#),
    ];
    let splices: [&[u8]; 16] = [
        b"\"", b"\\", b"\\u", b"\\ud800", b"{", b"}", b"[", b"]", b",", b":", b"-", b"1e999", b"NaN",
        b"\xff", b"\0", b"0",
    ];
    let mut parser = RecordParser::default();
    let mut read = 0;
    for round in 0..20_000 {
        let mut raw = originals[round % originals.len()].clone().into_bytes();
        for _ in 0..=random(3) {
            let at = random(raw.len());
            match random(4) {
                0 => raw[at] = b' ' + u8::try_from(random(95)).unwrap(),
                1 if random(8) == 0 => raw.truncate(at + 1),
                1 => raw[at] = raw[random(raw.len())],
                2 => drop(raw.drain(at..(at + 1 + random(8)).min(raw.len()))),
                _ => drop(raw.splice(at..at, splices[random(splices.len())].iter().copied())),
            }
            if raw.is_empty() {
                break;
            }
        }
        // A panic shows which: the seed is fixed, the round is printed.
        let shown = String::from_utf8_lossy(&raw).into_owned();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            parser.parse(&raw, SCORE).map(check_invariants).is_ok()
        }));
        match outcome {
            Ok(ok) => read += usize::from(ok),
            Err(_) => panic!("seed {seed}, round {round}: {shown}"),
        }
    }
    assert!((1_000..19_000).contains(&read), "{read} of 20000 were still records, seed {seed}");
}
