//! Records as a whole. Values, tags and sets have more tests beside their code.

use super::record::{RecordError, RecordParser};
use crate::metric::json::Kind;
use crate::metric::{Number, Sample, Value};

pub(super) const SCORE: f64 = 1_600_000_009.25;

/// Hands the sample of a record to `look`.
pub(super) fn parse<T>(raw: impl AsRef<[u8]>, look: impl FnOnce(Sample<'_>) -> T) -> Result<T, RecordError> {
    let mut parser = RecordParser::default();
    parser.parse(raw.as_ref(), SCORE).map(look)
}

/// A good record with one field replaced, or added.
pub(super) fn with(field: &str, json: &str) -> String {
    let mut fields = vec![
        ("metric", r#""app.requests""#),
        ("type", r#""count""#),
        ("value", "1"),
        ("timestamp", "1600000000.5"),
        ("tags", r#"{"b": "2", "a": "1"}"#),
    ];
    fields.retain(|(name, _)| *name != field);
    fields.push((field, json));
    let members: Vec<_> = fields.iter().map(|(name, json)| format!("\"{name}\": {json}")).collect();
    format!("{{{}}}", members.join(", "))
}

fn without(field: &str) -> String {
    with(field, "0").replace(&format!(", \"{field}\": 0"), "")
}

fn number(json: &str) -> Result<Number, RecordError> {
    parse(with("value", json), |sample| match sample.value {
        Value::Number(number) => number,
        Value::Set(_) => panic!("{json} is no set"),
    })
}

fn timestamp(json: &str) -> Result<f64, RecordError> {
    parse(with("timestamp", json), |sample| sample.timestamp)
}

pub(super) fn tags(json: &str) -> Result<String, RecordError> {
    parse(with("tags", json), |sample| sample.tags.to_owned())
}

pub(super) fn reason<T>(result: Result<T, RecordError>) -> &'static str {
    result.map_or_else(|error| error.reason(), |_| "none")
}

#[test]
fn a_record_becomes_a_sample() {
    let raw = with("value", "1");
    let mut parser = RecordParser::default();
    let sample = parser.parse(raw.as_bytes(), SCORE).unwrap();
    let expected = Sample {
        name: "app.requests",
        kind: "count",
        tags: r#"["a:1","b:2"]"#,
        value: Value::Number(Number::Int(1)),
        timestamp: 1_600_000_000.5,
    };
    assert_eq!(sample, expected);
}

#[test]
fn any_json_form_will_do() {
    let raw = "\n{ \"\\u006detric\" :\t\"a\\u00e9\" , \"type\":\"g\\u0061uge\",\"value\" : 1.50e1,\"extra\":[{}], \
               \"timestamp\":1.6E9, \"metric2\": NaN }\r ";
    let expected = Sample {
        name: "aé",
        kind: "gauge",
        tags: "[]",
        value: Value::Number(Number::Float(15.0)),
        timestamp: 1.6e9,
    };
    assert_eq!(parse(raw, |sample| sample == expected), Ok(true));
    assert_eq!(parse(with("metric", "\"\""), |s| s.name.len()), Ok(0));
    assert_eq!(parse(with("metric", r#""\udc00""#), |s| s.name == "\u{fffd}"), Ok(true));
}

#[test]
fn the_last_of_several_fields_counts() {
    let raw = r#"{"metric": 5, "metric": "m", "value": "x", "value": [[]], "value": 2, "type": null, "type": "t",
        "tags": {"a": 1, "b": 1, "a": 2}, "tags": {"c": 3, "c": "x"}, "timestamp": "x", "timestamp": 7}"#;
    let seen = parse(raw, |s| {
        assert_eq!((s.name, s.kind, s.timestamp), ("m", "t", 7.0));
        assert_eq!(s.value, Value::Number(Number::Int(2)));
        s.tags.to_owned()
    });
    assert_eq!(seen.as_deref(), Ok(r#"["c:x"]"#));
    let undone = with("tags", r#"{"a": 1}, "tags": null"#);
    assert_eq!(parse(undone, |s| s.tags.to_owned()).as_deref(), Ok("[]"));
}

#[test]
fn values_are_numbers_or_sets() {
    assert_eq!(number("true"), Ok(Number::Int(1)));
    assert_eq!(number("false"), Ok(Number::Int(0)));
    assert_eq!(number("-2"), Ok(Number::Int(-2)));
    assert_eq!(number("2.0"), Ok(Number::Float(2.0)));
    assert_eq!(number("9007199254740993"), Ok(Number::Int(9_007_199_254_740_993)));
    let elements = parse(with("value", r#"[1, "a", 1.0, null]"#), |sample| match sample.value {
        Value::Set(elements) => elements.iter().map(<[u8]>::to_vec).collect::<Vec<_>>(),
        Value::Number(_) => panic!("not a set"),
    })
    .unwrap();
    assert_eq!(elements.len(), 4);
    assert_eq!(elements.first(), elements.get(2));
    assert_eq!(elements.get(1).map(Vec::as_slice), Some(b"sa".as_slice()));
    for (json, found) in [("null", Kind::Null), ("\"abc\"", Kind::Text), ("{}", Kind::Object)] {
        let expected = RecordError::WrongType { field: "value", found, expected: "a number or a list" };
        assert_eq!(number(json), Err(expected));
    }
    for json in ["NaN", "Infinity", "-Infinity", "1e999", "[NaN]", &format!("1{}", "0".repeat(400))] {
        assert_eq!(reason(parse(with("value", json), |_| ())), "not_finite", "{json}");
    }
    for json in ["[[1]]", "[{}]"] {
        assert_eq!(reason(parse(with("value", json), |_| ())), "wrong_type", "{json}");
    }
}

#[test]
fn a_timestamp_of_nothing_is_the_score() {
    for json in ["0", "0.0", "-0.0", "null", "false", "1e-999"] {
        assert_eq!(timestamp(json), Ok(SCORE), "{json}");
    }
    assert_eq!(timestamp("true"), Ok(1.0));
    assert_eq!(timestamp("-5"), Ok(-5.0));
    assert_eq!(reason(timestamp("\"abc\"")), "wrong_type");
    assert_eq!(reason(timestamp("[]")), "wrong_type");
    assert_eq!(reason(timestamp("NaN")), "not_finite");
    let endless_score =
        RecordParser::default().parse(with("timestamp", "0").as_bytes(), f64::INFINITY).map(drop);
    assert_eq!(reason(endless_score), "not_finite");
}

#[test]
fn tags_are_rendered_as_python_renders_them() {
    for (json, expected) in [
        (
            r#"{"z": true, "y": null, "x": 1.0, "é": "ü", "a": [1, "x"]}"#,
            r#"["a:[1, 'x']","x:1.0","y:None","z:True","é:ü"]"#,
        ),
        (r#"{"": "", "k": "a\"b\\"}"#, r#"[":","k:a\"b\\"]"#),
        (
            r#"{"n": NaN, "big": 123456789012345678901234567890}"#,
            r#"["big:123456789012345678901234567890","n:nan"]"#,
        ),
        (r#"{"a": {"b": ["\u0001"]}}"#, r#"["a:{'b': ['\\x01']}"]"#),
    ] {
        assert_eq!(tags(json).as_deref(), Ok(expected));
    }
    for json in ["null", "[]", r#"["a:b"]"#, "\"a:b\"", "5", "true", "{}"] {
        assert_eq!(tags(json).as_deref(), Ok("[]"), "{json}");
    }
    assert_eq!(parse(without("tags"), |s| s.tags.to_owned()).as_deref(), Ok("[]"));
}

#[test]
fn what_is_no_record_says_why() {
    for (raw, expected) in [
        ("", "not_json"),
        ("  ", "not_json"),
        ("{not json", "not_json"),
        ("{'metric': 'x'}", "not_json"),
        (r#"{"a":1}trailing"#, "not_json"),
        ("5 x", "not_json"),
        ("[1, 2]", "wrong_type"),
        ("\"abc\"", "wrong_type"),
        ("5", "wrong_type"),
        ("null", "wrong_type"),
        ("true", "wrong_type"),
        ("{}", "missing_field"),
        (r#"{"metric": "x"}"#, "missing_field"),
    ] {
        assert_eq!(reason(parse(raw, |_| ())), expected, "{raw}");
    }
    for field in ["metric", "type", "value", "timestamp"] {
        let missing = parse(without(field), |_| ()).unwrap_err();
        assert_eq!(missing.to_string(), format!("{field} is missing"));
    }
    for (field, json) in [("metric", "5"), ("metric", "null"), ("type", "null"), ("type", "[]")] {
        let found = if json == "5" {
            "a number"
        } else if json == "[]" {
            "a list"
        } else {
            "null"
        };
        let wrong = parse(with(field, json), |_| ()).unwrap_err();
        assert_eq!(wrong.to_string(), format!("{field} is {found}, expected text"));
    }
    assert_eq!(reason(parse(b"{\"metric\": \"\xff\xfe\", \"type\": 1}", |_| ())), "not_utf8");
    assert_eq!(reason(parse(b"{\"metric\": \"\xed\xa0\x80\"}", |_| ())), "not_utf8");
}
