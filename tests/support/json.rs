//! A JSON tree for tests, over `miniserde`'s.

pub use miniserde::json::Value;
use miniserde::json::{self, Number};

/// Numbers this close to each other, relative to the larger one, are the same.
const TOLERANCE: f64 = 1e-9;

/// Parses, or says what could not be parsed.
pub fn parse(text: &str) -> Result<Value, String> {
    json::from_str(text).map_err(|_| format!("not JSON: {}", text.chars().take(300).collect::<String>()))
}

/// The member of an object.
pub fn get<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(members) => members.get(name),
        _ => None,
    }
}

/// The elements of a list; none of anything else.
pub fn items(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::Array(items)) => items,
        _ => &[],
    }
}

pub fn text(value: Option<&Value>) -> Option<&str> {
    match value {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

pub fn number(value: Option<&Value>) -> Option<f64> {
    match value {
        Some(Value::Number(Number::U64(n))) => Some(*n as f64),
        Some(Value::Number(Number::I64(n))) => Some(*n as f64),
        Some(Value::Number(Number::F64(n))) => Some(*n),
        Some(Value::Object(members)) => match text(members.get("$float")) {
            Some("nan") => Some(f64::NAN),
            Some("inf") => Some(f64::INFINITY),
            Some("-inf") => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// The number where it was written as an integer.
pub fn integer(value: Option<&Value>) -> Option<u64> {
    match value {
        Some(Value::Number(Number::U64(n))) => Some(*n),
        _ => None,
    }
}

/// The strings of a list, sorted.
pub fn sorted_texts(value: Option<&Value>) -> Vec<String> {
    let mut texts: Vec<String> =
        items(value).iter().filter_map(|item| text(Some(item)).map(str::to_owned)).collect();
    texts.sort();
    texts
}

/// Whether two numbers are the same as far as doubles and different orders of adding up can tell.
pub fn close(a: f64, b: f64) -> bool {
    (a.is_nan() && b.is_nan()) || a == b || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
}

/// `text` as a JSON string.
pub fn quote(text: &str) -> String {
    json::to_string(text)
}
