//! JSON text, read and written without a tree.
//!
//! The hot paths of the program read a million small documents a second, so nothing is built that the
//! caller did not ask for: a [`Reader`] walks over the text once and hands out borrowed pieces of it.
//!
//! ```
//! use chouette_iot::metric::json::Reader;
//!
//! let mut reader = Reader::from_bytes(br#"{"used": 3, "zones": ["cpu", "gpu"], "more": {}}"#)?;
//! let (mut used, mut zones) = (None, 0);
//! reader.enter_object()?;
//! while let Some(key) = reader.next_key()? {
//!     match key.as_ref() {
//!         "used" => used = reader.number_or_skip()?,
//!         "zones" => {
//!             reader.enter_list()?;
//!             while reader.next_element()? {
//!                 reader.text()?;
//!                 zones += 1;
//!             }
//!         }
//!         _ => reader.skip()?,
//!     }
//! }
//! reader.end()?;
//! assert_eq!((used.map(|n| n.as_f64()), zones), (Some(3.0), 2));
//! # Ok::<(), chouette_iot::metric::json::JsonError>(())
//! ```
//!
//! What is accepted is what Python's `json.loads` accepts, because Python wrote most of it:
//! [RFC 8259](https://www.rfc-editor.org/rfc/rfc8259) to the letter, and besides the literals `NaN`,
//! `Infinity` and `-Infinity` (they can be skipped; read as a number they are [`JsonError::NotFinite`])
//! and escapes of single surrogates, which become U+FFFD.
//!
//! It does not build values, does not look for duplicate keys (the caller's last assignment wins, as in
//! Python), and knows no byte-order mark.

mod reader;
mod scan;
#[cfg(test)]
mod tests;
mod token;

pub use reader::Reader;
pub(crate) use scan::plain_len;
pub use token::{Text, Token};

use std::fmt;

/// What a JSON value is, told by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    List,
    /// `"…"`
    Text,
    /// A number, `NaN` and `Infinity` among them.
    Number,
    /// `true` or `false`.
    Bool,
    /// `null`
    Null,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Object => "an object",
            Kind::List => "a list",
            Kind::Text => "text",
            Kind::Number => "a number",
            Kind::Bool => "a boolean",
            Kind::Null => "null",
        })
    }
}

/// Why a document, or the value that was asked for, cannot be read. `at` counts bytes from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonError {
    /// The bytes are not UTF-8.
    NotUtf8 {
        /// Where the first wrong byte stands.
        at: usize,
    },
    /// The text is not JSON, or ends too early.
    Syntax {
        /// Where it went wrong.
        at: usize,
    },
    /// A valid value, but of another kind than the caller needs. It was not consumed.
    WrongKind {
        /// Where the value begins.
        at: usize,
        /// What the caller asked for.
        expected: Kind,
        /// What stands there.
        found: Kind,
    },
    /// `NaN`, `Infinity`, or digits that no double holds. It was consumed.
    NotFinite {
        /// Where the number begins.
        at: usize,
    },
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JsonError::NotUtf8 { at } => write!(f, "not UTF-8 at byte {at}"),
            JsonError::Syntax { at } => write!(f, "not JSON at byte {at}"),
            JsonError::WrongKind { at, expected, found } => {
                write!(f, "{found} at byte {at}, expected {expected}")
            }
            JsonError::NotFinite { at } => write!(f, "a number that is not finite at byte {at}"),
        }
    }
}

impl std::error::Error for JsonError {}

/// Appends `text` as a JSON string with the fewest escapes.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text, |piece| out.extend_from_slice(piece.as_bytes()));
    out.push(b'"');
}

/// Appends `text` as a JSON string with the fewest escapes, to text.
pub fn push_string(text: &str, out: &mut String) {
    out.push('"');
    escape(text, |piece| out.push_str(piece));
    out.push('"');
}

/// Hands `text` over in pieces, runs that stand for themselves and escapes.
fn escape(text: &str, mut push: impl FnMut(&str)) {
    let mut rest = text;
    while let Some(plain_len) = rest.bytes().position(needs_escape) {
        let (plain, special) = rest.split_at(plain_len);
        push(plain);
        match special.as_bytes().first() {
            Some(b'"') => push("\\\""),
            Some(b'\\') => push("\\\\"),
            Some(b'\n') => push("\\n"),
            Some(b'\t') => push("\\t"),
            Some(b'\r') => push("\\r"),
            Some(0x08) => push("\\b"),
            Some(0x0c) => push("\\f"),
            other => push(&format!("\\u{:04x}", other.copied().unwrap_or_default())),
        }
        rest = special.get(1..).unwrap_or_default();
    }
    push(rest);
}

/// The bytes that cannot stand for themselves between the quotes.
fn needs_escape(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < 0x20
}
