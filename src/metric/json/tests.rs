//! The reader and the writer, case by case, and over mutated and hostile text.

use super::*;
use crate::metric::Number;

/// Reads the whole of `text` as one value.
fn check(text: &str) -> Result<(), JsonError> {
    let mut reader = Reader::new(text);
    reader.skip()?;
    reader.end()
}

fn text(json: &str) -> Result<String, JsonError> {
    let mut reader = Reader::new(json);
    let text = reader.text()?.into_owned();
    reader.end()?;
    Ok(text)
}

#[test]
fn accepts_what_python_accepts() {
    for json in [
        "0",
        "-0",
        "1.5",
        "-1.5e+10",
        "1E5",
        "0.0e-0",
        "NaN",
        "-Infinity",
        "Infinity",
        "true",
        "false",
        "null",
        "\"\"",
        "\"é\"",
        "\"\u{7f}\"",
        "\"\\ud800\"",
        " [ ] ",
        "\t{\n}\r",
        "[1 , 2]",
        r#"{"a" : [{}, {"": ""}]}"#,
        r#"{"a": 1, "a": 2}"#,
        "[[[]], []]",
        "1e999",
    ] {
        assert_eq!(check(json), Ok(()), "{json}");
    }
}

#[test]
fn refuses_what_python_refuses() {
    for json in [
        "",
        " ",
        "01",
        "-01",
        "1.",
        ".5",
        "-",
        "+1",
        "1e",
        "1e+",
        "0x1",
        "--1",
        "-NaN",
        "nan",
        "Inf",
        "tru",
        "True",
        "nulll",
        "\"",
        "\"\n\"",
        "\"\\x41\"",
        "\"\\u12g4\"",
        "\"\\u+123\"",
        "\"\\u12",
        "\"\\",
        "'a'",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{",
        "}",
        "{]",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        "{,}",
        r#"{"a" 1}"#,
        "{1:2}",
        "{a:1}",
        r#"{"a":1 "b":2}"#,
        "[]]",
        "{}{}",
        "1 2",
        "\u{feff}1",
        "\u{a0}1",
        "[1],",
        r#"{"a":1]"#,
        "[{]}",
    ] {
        assert!(matches!(check(json), Err(JsonError::Syntax { .. })), "{json}");
    }
    assert_eq!(check("[1, x]"), Err(JsonError::Syntax { at: 4 }));
    let not_utf8 = Reader::from_bytes(b"[\"ab\xff\"]").map(drop);
    assert_eq!(not_utf8, Err(JsonError::NotUtf8 { at: 4 }));
}

#[test]
fn strings_are_unescaped() {
    for (json, expected) in [
        (r#""plain""#, "plain"),
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""a\u00e9\u20ACz""#, "aé€z"),
        (r#""\ud83d\ude00!""#, "😀!"),
        (r#""\ud83d""#, "\u{fffd}"),
        (r#""\ud83dx""#, "\u{fffd}x"),
        (r#""\ude00\ud83d\n""#, "\u{fffd}\u{fffd}\n"),
        (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
        (r#""\ud83d\u0041""#, "\u{fffd}A"),
        (r#""\u0000é\\""#, "\0é\\"),
    ] {
        assert_eq!(text(json).as_deref(), Ok(expected), "{json}");
    }
}

#[test]
fn a_string_without_escapes_is_borrowed() {
    for len in 0..40 {
        let json = format!("\"{}\"", "é".repeat(len));
        let mut reader = Reader::new(&json);
        assert!(matches!(reader.text(), Ok(std::borrow::Cow::Borrowed(t)) if t.len() == 2 * len));
    }
}

#[test]
fn eight_bytes_at_once_find_what_one_by_one_finds() {
    let specials = ["\"", "\\", "\u{1f}", "\n", "\0"];
    let harmless = ["a", " ", "!", "#", "[", "]", "\u{7f}", "é", "\u{a2}", "\u{20ac}"];
    for special in specials {
        for filler in harmless {
            for before in 0..20 {
                for after in [0, 1, 9] {
                    let text = [&filler.repeat(before), special, &filler.repeat(after), special].concat();
                    let expected = before * filler.len();
                    assert_eq!(scan::plain_len(text.as_bytes()), expected, "{text:?}");
                }
            }
        }
    }
}

#[test]
fn kinds_that_do_not_fit_can_be_skipped() {
    let json = r#"{"a": "x", "b": [1], "c": 7, "d": {"e": [null]}, "f": NaN, "g": true, "h": null}"#;
    let mut reader = Reader::new(json);
    let mut found = Vec::new();
    assert_eq!(reader.enter_object_or_skip(), Ok(true));
    while let Some(key) = reader.next_key().unwrap() {
        match &*key {
            "a" | "c" | "f" => found.push(reader.number_or_skip().unwrap().map(|n| n.as_f64().to_string())),
            "b" => found.push(reader.text_or_skip().unwrap().map(String::from)),
            "d" => assert_eq!(reader.enter_list_or_skip(), Ok(false)),
            _ => reader.skip().unwrap(),
        }
    }
    assert_eq!(reader.end(), Ok(()));
    assert_eq!(found, [None, None, Some("7".to_owned()), None]);
}

#[test]
fn a_value_of_another_kind_is_left_where_it_is() {
    let mut reader = Reader::new(r#" [1e999, "x"]"#);
    let error = JsonError::WrongKind { at: 1, expected: Kind::Number, found: Kind::List };
    assert_eq!(reader.number(), Err(error));
    assert_eq!(error.to_string(), "a list at byte 1, expected a number");
    reader.enter_list().unwrap();
    assert_eq!(reader.next_element(), Ok(true));
    let error = reader.number().unwrap_err();
    assert_eq!(error.to_string(), "a number that is not finite at byte 2");
    assert_eq!(reader.next_element(), Ok(true));
    assert!(reader.bool().is_err());
    assert_eq!(reader.text().as_deref(), Ok("x"));
    assert_eq!(reader.next_element(), Ok(false));
}

#[test]
fn raw_text_is_exactly_what_stood_there() {
    let json = r#"{ "points" : [ [1.50, 1e2] ] , "s":"\u0041" }"#;
    let mut reader = Reader::new(json);
    reader.enter_object().unwrap();
    reader.next_key().unwrap();
    assert_eq!(reader.raw(), Ok("[ [1.50, 1e2] ]"));
    reader.next_key().unwrap();
    assert_eq!(reader.raw(), Ok(r#""\u0041""#));
    assert_eq!(reader.next_key(), Ok(None));
}

#[test]
fn a_wrapped_record_is_read() {
    let json = r#"{"metric":"a.b","tags":["k:v"],"points":[[1600000000.5,1]],"type":"count","interval":10}"#;
    let mut reader = Reader::new(json);
    let mut points = Vec::new();
    reader.enter_object().unwrap();
    while let Some(key) = reader.next_key().unwrap() {
        if key != "points" {
            reader.skip().unwrap();
            continue;
        }
        reader.enter_list().unwrap();
        while reader.next_element().unwrap() {
            reader.enter_list().unwrap();
            while reader.next_element().unwrap() {
                points.push(reader.number().unwrap());
            }
        }
    }
    reader.end().unwrap();
    assert_eq!(points, [Number::Float(1_600_000_000.5), Number::Int(1)]);
}

#[test]
fn depth_costs_neither_stack_nor_patience() {
    let depth = 1_000_000;
    let lists = "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(check(&lists), Ok(()));
    let mixed = r#"[{"":"#.repeat(depth) + "0" + &"}]".repeat(depth);
    assert_eq!(check(&mixed), Ok(()));
    let crossed = r#"[{"":"#.repeat(depth) + "0" + &"}]".repeat(depth / 2) + "]}";
    assert!(check(&crossed).is_err());
    assert!(check(&"[".repeat(depth)).is_err());
    for depth in [63, 64, 65, 127, 128, 129, 192] {
        let right = r#"{"a":["#.repeat(depth) + &"]}".repeat(depth);
        assert_eq!(check(&right), Ok(()), "{depth}");
        let wrong = "[{\"a\":".repeat(depth) + "1" + &"]}".repeat(depth);
        assert!(check(&wrong).is_err(), "{depth}");
    }
}

#[test]
fn written_strings_are_short_and_read_back() {
    let all: String = (0..0x300).filter_map(char::from_u32).chain("\u{2028}😀".chars()).collect();
    let mut out = Vec::new();
    write_string(&all, &mut out);
    let mut pushed = String::new();
    push_string(&all, &mut pushed);
    assert_eq!(out, pushed.as_bytes());
    assert_eq!(text(&pushed), Ok(all));

    let mut short = String::new();
    push_string("a\"\\/\n\t\r\u{8}\u{c}\u{1}\u{7f}é", &mut short);
    assert_eq!(short, "\"a\\\"\\\\/\\n\\t\\r\\b\\f\\u0001\u{7f}é\"");
}
