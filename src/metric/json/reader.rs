//! The pull reader. See the module above for what it accepts and how it is used.

use std::borrow::Cow;

use super::scan::{Nesting, plain_len};
use super::{JsonError, Kind, Text, Token};
use crate::metric::Number;

type Result<T> = std::result::Result<T, JsonError>;

/// Walks over JSON text. It never allocates, but for a string that holds escapes (to unescape it) and for
/// skipping what is nested deeper than 64 levels (a bit per level); it never recurses.
///
/// A method that reads a value expects the reader to stand before one: at the start of the text, after
/// [`Reader::next_key`] gave a key, or after [`Reader::next_element`] gave `true`.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// An object or list was entered and nothing of it read yet: no comma stands before what comes next.
    fresh: bool,
}

impl<'a> Reader<'a> {
    /// Reads `text` from its beginning.
    pub fn new(text: &'a str) -> Reader<'a> {
        Reader { text, at: 0, fresh: false }
    }

    /// Reads `bytes` from their beginning. Checking all of them for UTF-8 at once is cheaper than string by
    /// string.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Reader<'a>> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Reader::new(text)),
            Err(error) => Err(JsonError::NotUtf8 { at: error.valid_up_to() }),
        }
    }

    /// The kind of the value that comes next.
    #[inline(always)]
    pub fn kind(&mut self) -> Result<Kind> {
        match self.peek() {
            Some(b'"') => Ok(Kind::Text),
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::List),
            Some(b'-' | b'0'..=b'9' | b'N' | b'I') => Ok(Kind::Number),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'n') => Ok(Kind::Null),
            _ => self.syntax(),
        }
    }

    /// Enters an object; its members come from [`Reader::next_key`].
    pub fn enter_object(&mut self) -> Result<()> {
        self.expect(Kind::Object)?;
        self.at += 1;
        self.fresh = true;
        Ok(())
    }

    /// The key of the next member; the reader then stands before its value. `None` leaves the object.
    pub fn next_key(&mut self) -> Result<Option<Cow<'a, str>>> {
        Ok(self.next_key_text()?.map(Text::unescaped))
    }

    /// The same, with the escapes still in it.
    pub fn next_key_text(&mut self) -> Result<Option<Text<'a>>> {
        if !self.advance(b'}')? {
            return Ok(None);
        }
        if self.peek() != Some(b'"') {
            return self.syntax();
        }
        let key = self.string_token()?;
        if self.peek() != Some(b':') {
            return self.syntax();
        }
        self.at += 1;
        Ok(Some(key))
    }

    /// Enters a list; it is walked with [`Reader::next_element`].
    pub fn enter_list(&mut self) -> Result<()> {
        self.expect(Kind::List)?;
        self.at += 1;
        self.fresh = true;
        Ok(())
    }

    /// Goes to the next element of a list. `false` leaves the list.
    pub fn next_element(&mut self) -> Result<bool> {
        self.advance(b']')
    }

    /// Reads a string.
    pub fn text(&mut self) -> Result<Cow<'a, str>> {
        self.expect(Kind::Text)?;
        Ok(self.string_token()?.unescaped())
    }

    /// Reads a finite number.
    pub fn number(&mut self) -> Result<Number> {
        self.expect(Kind::Number)?;
        let at = self.at;
        Number::from_json(self.number_token()?).ok_or(JsonError::NotFinite { at })
    }

    /// Reads `true` or `false`.
    pub fn bool(&mut self) -> Result<bool> {
        self.expect(Kind::Bool)?;
        let word = self.peek() == Some(b't');
        self.literal(if word { "true" } else { "false" })?;
        Ok(word)
    }

    /// Reads a string; anything else is skipped.
    pub fn text_or_skip(&mut self) -> Result<Option<Cow<'a, str>>> {
        if self.kind()? == Kind::Text {
            return self.text().map(Some);
        }
        self.skip().map(|()| None)
    }

    /// Reads a finite number; anything else is skipped.
    pub fn number_or_skip(&mut self) -> Result<Option<Number>> {
        if self.kind()? == Kind::Number {
            return Ok(Number::from_json(self.number_token()?));
        }
        self.skip().map(|()| None)
    }

    /// Enters an object and says so; anything else is skipped.
    pub fn enter_object_or_skip(&mut self) -> Result<bool> {
        if self.kind()? == Kind::Object {
            return self.enter_object().map(|()| true);
        }
        self.skip().map(|()| false)
    }

    /// Enters a list and says so; anything else is skipped.
    pub fn enter_list_or_skip(&mut self) -> Result<bool> {
        if self.kind()? == Kind::List {
            return self.enter_list().map(|()| true);
        }
        self.skip().map(|()| false)
    }

    /// Reads one value of any kind. What is in a list or object is checked, but left as text.
    pub fn value(&mut self) -> Result<Token<'a>> {
        match self.kind()? {
            Kind::Text => self.string_token().map(Token::Text),
            Kind::Number => self.number_token().map(Token::Number),
            Kind::Bool => self.bool().map(Token::Bool),
            Kind::Null => self.literal("null").map(|()| Token::Null),
            Kind::List => self.raw().map(Token::List),
            Kind::Object => self.raw().map(Token::Object),
        }
    }

    /// Passes over one value of any kind and depth, checking that it is JSON.
    pub fn skip(&mut self) -> Result<()> {
        let mut open = Nesting::default();
        loop {
            match self.kind()? {
                kind @ (Kind::Object | Kind::List) => {
                    self.at += 1;
                    self.fresh = true;
                    open.push(kind == Kind::Object);
                }
                _ => {
                    self.value()?;
                }
            }
            loop {
                let more = match open.innermost_is_object() {
                    None => return Ok(()),
                    Some(true) => self.next_key_text()?.is_some(),
                    Some(false) => self.advance(b']')?,
                };
                if more {
                    break;
                }
                open.pop();
            }
        }
    }

    /// Passes over one value and hands out its text exactly as it stands, without white space around it.
    pub fn raw(&mut self) -> Result<&'a str> {
        self.peek();
        let start = self.at;
        self.skip()?;
        Ok(self.since(start))
    }

    /// How many bytes were read; white space before what comes next is, once [`Reader::kind`] has told what that is.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Checks that nothing but white space follows.
    pub fn end(&mut self) -> Result<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => self.syntax(),
        }
    }

    fn syntax<T>(&self) -> Result<T> {
        Err(JsonError::Syntax { at: self.at })
    }

    // These three are called for every token, and a binary optimised for size would not inline them.
    #[inline(always)]
    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    #[inline(always)]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The first byte that is no white space.
    #[inline(always)]
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = self.byte()?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn expect(&mut self, expected: Kind) -> Result<()> {
        let found = self.kind()?;
        if found == expected {
            return Ok(());
        }
        Err(JsonError::WrongKind { at: self.at, expected, found })
    }

    /// Goes to the next member or element, or out of what `close` ends.
    fn advance(&mut self, close: u8) -> Result<bool> {
        let fresh = std::mem::take(&mut self.fresh);
        match self.peek() {
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            Some(_) if fresh => Ok(true),
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            _ => self.syntax(),
        }
    }

    fn literal(&mut self, word: &str) -> Result<()> {
        if !self.rest().starts_with(word.as_bytes()) {
            return self.syntax();
        }
        self.at += word.len();
        Ok(())
    }

    /// Passes over the string whose opening quote comes next, checking its escapes.
    fn string_token(&mut self) -> Result<Text<'a>> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain_len(self.rest());
            match self.byte() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape_token()?;
                }
                _ => return self.syntax(),
            }
        }
        let raw = self.since(start);
        self.at += 1;
        Ok(Text { raw, escaped })
    }

    fn escape_token(&mut self) -> Result<()> {
        self.at += 1;
        match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.byte().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                        return self.syntax();
                    }
                    self.at += 1;
                }
            }
            _ => return self.syntax(),
        }
        Ok(())
    }

    fn number_token(&mut self) -> Result<&'a str> {
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            Some(b'I') => return self.literal("Infinity").map(|()| self.since(start)),
            Some(b'N') if self.at == start => {
                return self.literal("NaN").map(|()| self.since(start));
            }
            _ => self.digits()?,
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(self.since(start))
    }

    /// Passes over at least one digit.
    fn digits(&mut self) -> Result<()> {
        let is_digit = |byte: &&u8| byte.is_ascii_digit();
        let count = self.rest().iter().take_while(is_digit).count();
        self.at += count;
        if count == 0 {
            return self.syntax();
        }
        Ok(())
    }
}
