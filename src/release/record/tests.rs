//! What is read of a wrapped record, and that the short way reads what the rules of JSON do.

use super::*;
use crate::release::backoff::Random;

/// Identity, kind, interval, and the points with their values' text.
type Told = (String, SeriesKind, Option<NonZeroU32>, Vec<(f64, String)>);

fn told(parts: &Parts, rest: Rest) -> Told {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let points = parts.points.iter().map(|point| (point.timestamp_s, text(point.value(&parts.values))));
    let quote = parts.identity[rest.name_bytes as usize - 1];
    assert_eq!(quote, b'"');
    (text(&parts.identity), rest.kind, rest.interval_s, points.collect())
}

fn read(raw: &str) -> Result<Told, RecordError> {
    let mut parts = Parts::default();
    let rest = parts.read(raw.as_bytes());
    if rest.is_err() {
        assert!(parts.identity.is_empty() && parts.values.is_empty() && parts.points.is_empty());
    }
    Ok(told(&parts, rest?))
}

fn by_the_rules(raw: &str) -> Result<Told, RecordError> {
    let mut parts = Parts::default();
    let rest = read_any(raw, &mut parts)?;
    Ok(told(&parts, rest))
}

fn in_one_pass(raw: &str) -> Option<Told> {
    let mut parts = Parts::default();
    let rest = parts.read_usual(raw.as_bytes())?;
    Some(told(&parts, rest))
}

#[test]
fn records_of_both_programs_are_the_same() {
    let python = r#"{"metric": "a", "tags": ["b:1", "k:v"], "points": [[1600000000.5, 2.0]], "type": "count", "interval": 10}"#;
    let ours =
        r#"{"metric":"a","tags":["b:1","k:v"],"points":[[1600000000.5,2]],"type":"count","interval":10}"#;
    let expected = (
        r#"a"["b:1","k:v"]"#.to_owned(),
        SeriesKind::Count,
        NonZeroU32::new(10),
        vec![(1_600_000_000.5, "2".to_owned())],
    );
    for raw in [python, ours] {
        assert_eq!(in_one_pass(raw).as_ref(), Some(&expected), "{raw}");
        assert_eq!(by_the_rules(raw).as_ref(), Ok(&expected), "{raw}");
    }
    let unsorted = python.replace(r#""b:1", "k:v""#, r#""k:v", "b:1", "k:v""#);
    assert_eq!(read(&unsorted), Ok(expected));
}

#[test]
fn what_is_missing_has_a_default_and_what_is_odd_is_passed_over() {
    let raw = r#"{"points":[[1,2],[3,4.5]],"tags":["a:b",5,null],"metric":"m","type":7,"x":{"y":[1]}}"#;
    let points = vec![(1.0, "2".to_owned()), (3.0, "4.5".to_owned())];
    assert_eq!(read(raw), Ok((r#"m"["a:b"]"#.to_owned(), SeriesKind::Gauge, None, points)));
}

#[test]
fn what_datadog_would_refuse_is_not_sent() {
    for raw in [
        "",
        "[]",
        "{}",
        r#"{"metric":"m"}"#,
        r#"{"metric":"m","points":[]}"#,
        r#"{"metric":"m","points":[[1]]}"#,
        r#"{"metric":"m","points":[[1,"2"]]}"#,
        r#"{"metric":"m","points":[[1,2,3]]}"#,
        r#"{"metric":5,"points":[[1,2]]}"#,
        r#"{"metric":"m","points":[[1,2]]} x"#,
        r#"{"metric":"m","tags":[],"points":[[1,2]],"type":"gauge"}x"#,
        r#"{"metric":"m","tags":[],"points":[[1,02]],"type":"gauge"}"#,
        r#"{"metric":"m","tags":[],"points":[[1,2.]],"type":"gauge"}"#,
        r#"{"metric":"m","tags":[],"points":[[1,-]],"type":"gauge"}"#,
        r#"{"metric":"m","tags":[],"points":[[1,2],],"type":"gauge"}"#,
    ] {
        assert_eq!(read(raw), Err(RecordError::MalformedSeries), "{raw}");
    }
    for raw in [
        r#"{"metric":"m","points":[[1,NaN]]}"#,
        r#"{"metric":"m","points":[[Infinity,1]]}"#,
        r#"{"metric":"m","points":[[1,1e999]]}"#,
    ] {
        assert_eq!(read(raw), Err(RecordError::NotFinite), "{raw}");
    }
    let not_utf8 = b"{\"metric\":\"\xff\",\"tags\":[],\"points\":[[1,2]],\"type\":\"gauge\"}";
    assert_eq!(Parts::default().read(not_utf8), Err(RecordError::MalformedSeries));
}

#[test]
fn a_value_is_the_shortest_text_of_the_same_number() {
    for (token, expected) in [
        ("0", "0"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("0.0", "0"),
        ("-17", "-17"),
        ("100", "100"),
        ("2.50", "2.5"),
        ("-3.000", "-3"),
        ("0.1", "0.1"),
        ("0.010", "0.01"),
        ("0.001", "1e-3"),
        ("1.5e1", "15"),
        ("33.333333333333336", "33.333333333333336"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("9223372036854775808", "9223372036854775808"),
        ("18446744073709551616", "18446744073709551616"),
    ] {
        let raw = format!(r#"{{"metric":"m","tags":[],"points":[[1,{token}]],"type":"gauge"}}"#);
        assert_eq!(read(&raw).unwrap().3, [(1.0, expected.to_owned())], "{token}");
        assert_eq!(by_the_rules(&raw).unwrap().3, [(1.0, expected.to_owned())], "{token}");
    }
}

#[test]
fn the_short_way_reads_what_the_rules_of_json_do() {
    let seed = 11;
    let mut random = Random::new(seed);
    let (names, tags) =
        (["a.b", "héron", "", "x\\u00e9", "q\\\"", "a b"], ["", "\"k:v\"", "\"a\", \"b:1\"", "\"b\",\"a\""]);
    let numbers = [
        "1.25",
        "0",
        "-0",
        "7",
        "-12",
        "1.50",
        "0.001",
        "1e3",
        "01",
        "1.",
        "-",
        "NaN",
        "12.",
        "1600000000",
        "1600000000.1234567",
        "-1600000000.5",
        "0.1000000000000000055",
        "99999999999999999999",
        "1.7976931348623157e308",
    ];
    let ends = [
        "}",
        " }",
        ", \"interval\": 10}",
        ",\"interval\":10.0}",
        ",\"interval\":0}",
        ",\"interval\":null}",
        ",}",
    ];
    // The first ones are usual.
    let mut pick = |list: &[&'static str]| {
        list[random.below(list.len() as u64) as usize * (random.below(4) / 3) as usize]
    };
    let (mut short, mut long) = (0, 0);
    for _ in 0..20_000 {
        let blank = pick(&[" ", "", "  "]);
        let raw = format!(
            r#"{{"metric":{blank}"{}",{blank}"tags":{blank}[{}],{blank}"points":{blank}[[{},{blank}{}]{}],{blank}"type":{blank}"{}"{}"#,
            pick(&names),
            pick(&tags),
            pick(&numbers),
            pick(&numbers),
            pick(&["", "", ", [5, 6]", ",[5,6]", ","]),
            pick(&["gauge", "count", "rate", "other", "ra\\u0074e"]),
            pick(&ends),
        );
        match in_one_pass(&raw) {
            // Digits beyond those of a double are sent as they came.
            Some(told) if raw.contains("0.1000000000000000055") => {
                assert!(by_the_rules(&raw).is_ok(), "{told:?}")
            }
            Some(told) => {
                assert_eq!(by_the_rules(&raw), Ok(told), "{raw}, seed {seed}");
                short += 1;
            }
            None => long += 1,
        }
    }
    assert!(short > 1_000 && long > 1_000, "{short} and {long}");
}
