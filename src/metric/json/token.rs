//! What a [`super::Reader`] hands out: values that are found but not converted yet.

use std::borrow::Cow;

use super::Kind;

/// One value, as [`super::Reader::value`] gives it.
#[derive(Debug, Clone, Copy)]
pub enum Token<'a> {
    /// A string.
    Text(Text<'a>),
    /// The digits of a number; [`crate::metric::Number::from_json`] reads them.
    Number(&'a str),
    /// `true` or `false`.
    Bool(bool),
    /// `null`
    Null,
    /// A list, from bracket to bracket.
    List(&'a str),
    /// An object, from brace to brace.
    Object(&'a str),
}

impl Token<'_> {
    /// What kind of value it is.
    pub fn kind(&self) -> Kind {
        match self {
            Token::Text(_) => Kind::Text,
            Token::Number(_) => Kind::Number,
            Token::Bool(_) => Kind::Bool,
            Token::Null => Kind::Null,
            Token::List(_) => Kind::List,
            Token::Object(_) => Kind::Object,
        }
    }
}

/// What stands between the quotes of a string, its escapes checked but still there.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    pub(super) raw: &'a str,
    pub(super) escaped: bool,
}

impl<'a> Text<'a> {
    /// The text, if nothing in it is escaped.
    pub fn plain(self) -> Option<&'a str> {
        (!self.escaped).then_some(self.raw)
    }

    /// The text as it stands between the quotes, escapes and all.
    pub fn raw(self) -> &'a str {
        self.raw
    }

    /// The text, copied only if there is something to unescape.
    pub fn unescaped(self) -> Cow<'a, str> {
        if !self.escaped {
            return Cow::Borrowed(self.raw);
        }
        let mut out = String::with_capacity(self.raw.len());
        self.push_to(&mut out);
        Cow::Owned(out)
    }

    /// Appends the text.
    pub fn push_to(self, out: &mut String) {
        let mut rest = self.raw;
        while self.escaped
            && let Some((plain, escape)) = rest.split_once('\\')
        {
            out.push_str(plain);
            let (character, escape_len) = unescape(escape);
            out.push(character);
            rest = escape.get(escape_len..).unwrap_or_default();
        }
        out.push_str(rest);
    }
}

/// The character that the escape at the start of `text` (its backslash is gone) means, and its length.
fn unescape(text: &str) -> (char, usize) {
    match text.as_bytes().first() {
        Some(b'b') => ('\u{8}', 1),
        Some(b'f') => ('\u{c}', 1),
        Some(b'n') => ('\n', 1),
        Some(b'r') => ('\r', 1),
        Some(b't') => ('\t', 1),
        Some(b'u') => unescape_utf16(text),
        other => (char::from(other.copied().unwrap_or_default()), 1),
    }
}

/// The same for `uXXXX`; two surrogates that belong together are one character.
fn unescape_utf16(text: &str) -> (char, usize) {
    let unit = |from: usize| {
        let digits = text.get(from..from + 4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let second = match text.get(5..7) {
        Some("\\u") => unit(7),
        _ => None,
    };
    let units = [unit(1).unwrap_or_default(), second.unwrap_or_default()];
    match char::decode_utf16(units).next() {
        Some(Ok(character)) if character.len_utf16() == 2 => (character, 11),
        Some(Ok(character)) => (character, 5),
        _ => (char::REPLACEMENT_CHARACTER, 5),
    }
}
