//! What Python's `str()` makes of a JSON value, for the values of tags.
//!
//! `"x"` → `x`, `1.0` → `1.0`, `true` → `True`, `null` → `None`, `[1, "x", {"a": 1e20}]` →
//! `[1, 'x', {'a': 1e+20}]`.
//!
//! The rules are those of [`repr`](https://docs.python.org/3/library/functions.html#repr). Integers are
//! rendered at any length, where recent Pythons stop at 4,300 digits.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;

use super::error::RecordError;
use crate::limits::TAG_NESTING_MAX;
use crate::metric::Number;
use crate::metric::json::{Reader, Token};

/// Appends `str()` of a value.
pub(super) fn write_str(value: Token<'_>, out: &mut String) -> Result<(), RecordError> {
    if let Token::Text(text) = value {
        text.push_to(out);
        return Ok(());
    }
    write_repr(value, TAG_NESTING_MAX, out)
}

fn write_repr(value: Token<'_>, levels_left: usize, out: &mut String) -> Result<(), RecordError> {
    let inner_levels = || {
        levels_left
            .checked_sub(1)
            .ok_or(RecordError::TooLarge { what: "levels in a tag", max: TAG_NESTING_MAX })
    };
    match value {
        Token::Text(text) => write_text_repr(&text.unescaped(), out),
        Token::Number(digits) => write_number(digits, out),
        Token::Bool(truth) => out.push_str(if truth { "True" } else { "False" }),
        Token::Null => out.push_str("None"),
        Token::List(list) => write_list(list, inner_levels()?, out)?,
        Token::Object(object) => write_object(object, inner_levels()?, out)?,
    }
    Ok(())
}

fn write_list(list: &str, levels_left: usize, out: &mut String) -> Result<(), RecordError> {
    let mut reader = Reader::new(list);
    let mut separator = "[";
    reader.enter_list()?;
    while reader.next_element()? {
        out.push_str(separator);
        separator = ", ";
        write_repr(reader.value()?, levels_left, out)?;
    }
    out.push_str(if separator == "[" { "[]" } else { "]" });
    Ok(())
}

/// A key that stands there twice keeps its first place and takes its last value.
fn write_object(object: &str, levels_left: usize, out: &mut String) -> Result<(), RecordError> {
    let mut members: Vec<(Cow<'_, str>, Token<'_>)> = Vec::new();
    let mut places: HashMap<Cow<'_, str>, usize> = HashMap::new();
    let mut reader = Reader::new(object);
    reader.enter_object()?;
    while let Some(key) = reader.next_key()? {
        let value = reader.value()?;
        let place = *places.entry(key.clone()).or_insert(members.len());
        match members.get_mut(place) {
            Some(member) => member.1 = value,
            None => members.push((key, value)),
        }
    }
    let mut separator = "{";
    for (key, value) in &members {
        out.push_str(separator);
        separator = ", ";
        write_text_repr(key, out);
        out.push_str(": ");
        write_repr(*value, levels_left, out)?;
    }
    out.push_str(if members.is_empty() { "{}" } else { "}" });
    Ok(())
}

fn write_number(token: &str, out: &mut String) {
    let is_integer = !token.contains(['.', 'e', 'E', 'N', 'I']);
    if is_integer {
        out.push_str(if token == "-0" { "0" } else { token });
        return;
    }
    match Number::from_json(token) {
        Some(number) => number.write_python(out),
        None if token.starts_with('N') => out.push_str("nan"),
        None if token.starts_with('-') => out.push_str("-inf"),
        None => out.push_str("inf"),
    }
}

/// Single quotes, unless that would mean an escape that double quotes spare.
fn write_text_repr(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if character == quote => {
                out.push('\\');
                out.push(quote);
            }
            _ if is_printable(character) => out.push(character),
            _ => {
                // Writing into a string cannot fail.
                let _ = match u32::from(character) {
                    code @ ..0x100 => write!(out, "\\x{code:02x}"),
                    code @ ..0x1_0000 => write!(out, "\\u{code:04x}"),
                    code => write!(out, "\\U{code:08x}"),
                };
            }
        }
    }
    out.push(quote);
}

/// Python and std mean the same by it: no control, format, surrogate, private, unassigned or separator
/// character but the space. Std keeps its table behind `escape_debug`, which also escapes marks that have
/// no letter before them; hence the letter.
fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return !character.is_ascii_control();
    }
    let mut after_a_letter = String::with_capacity(5);
    after_a_letter.push('a');
    after_a_letter.push(character);
    after_a_letter.escape_debug().nth(1) == Some(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python(json: &str) -> Result<String, RecordError> {
        let mut out = String::new();
        write_str(Reader::new(json).value()?, &mut out)?;
        Ok(out)
    }

    #[test]
    fn values_look_as_in_python() {
        // The right-hand sides were printed by CPython 3.11: `str(json.loads(…))`.
        for (json, expected) in [
            (r#""it's""#, "it's"),
            (r#""[1]""#, "[1]"),
            ("1", "1"),
            ("-0", "0"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("1.0", "1.0"),
            ("-0.0", "-0.0"),
            ("1e16", "1e+16"),
            ("1.5e-7", "1.5e-07"),
            ("1e400", "inf"),
            ("-1e400", "-inf"),
            ("NaN", "nan"),
            ("-Infinity", "-inf"),
            ("true", "True"),
            ("false", "False"),
            ("null", "None"),
            ("[ ]", "[]"),
            ("{ }", "{}"),
            (r#"[1,"x"]"#, "[1, 'x']"),
            (r#"{"a":null}"#, "{'a': None}"),
            (r#"["NaN", NaN, Infinity]"#, "['NaN', nan, inf]"),
            (r#"{"a": 1, "b": [true, {"c": 1e20}], "a": 2.50}"#, "{'a': 2.5, 'b': [True, {'c': 1e+20}]}"),
        ] {
            assert_eq!(python(json).as_deref(), Ok(expected), "{json}");
        }
    }

    #[test]
    fn text_inside_is_quoted_as_in_python() {
        for (json, expected) in [
            (r#"["it's"]"#, r#"["it's"]"#),
            (r#"["say \"x\""]"#, r#"['say "x"']"#),
            (r#"["both ' and \""]"#, r#"['both \' and "']"#),
            (r#"["\\", "\n\r\t"]"#, r"['\\', '\n\r\t']"),
            (r#"["\u0000\u001f\u007f", "\u00a0\u00ad"]"#, r"['\x00\x1f\x7f', '\xa0\xad']"),
            (r#"["e\u0301", "\u0301"]"#, "['e\u{301}', '\u{301}']"),
            (r#"["\u2028\u200b\u3000", "\u0378", "\ue000"]"#, r"['\u2028\u200b\u3000', '\u0378', '\ue000']"),
            (r#"["\ud83d\ude00", "\udbff\udfff"]"#, r"['😀', '\U0010ffff']"),
        ] {
            assert_eq!(python(json).as_deref(), Ok(expected), "{json}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        let deepest = nested(TAG_NESTING_MAX);
        assert_eq!(python(&deepest).as_ref(), Ok(&deepest));
        assert_eq!(python(&nested(TAG_NESTING_MAX + 1)).unwrap_err().reason(), "too_large");
    }
}
