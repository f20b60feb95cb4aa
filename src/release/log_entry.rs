//! One log record of an application's making → one entry of a request.
//!
//! ```json
//! {"date": "2020-09-13T12:26:40.5", "ddsource": "python", "ddtags": ["env:lab"], "level": "INFO",
//!  "message": {"text": "hello"}, "service": "door", "took": 1.50}
//! ```
//!
//! Every field goes out as it came, byte for byte and in its place, known or not, once or twice, but for:
//!
//! | what | becomes |
//! |---|---|
//! | `ddtags` | one text: its tags and the global ones with commas between; left out where there are none |
//! | `host`, `hostname` | added where a host is configured and the record has neither |
//! | `NaN`, `Infinity`, `-Infinity` | `null`: the intake would refuse the whole request |
//! | an entry that is too long | its longest fields are cut, see [`shorten`] |
//!
//! Of `ddtags` that is a list, numbers and booleans count as tags, and of an object its members as `key:value`;
//! nulls and what is nested are left out. A text is taken as it is. Of several `ddtags` the last one counts, as
//! in Python.
//!
//! It does not look at any other field: what the server makes of a date or level is left to it.

use std::borrow::Cow;
use std::cmp::Reverse;

use super::batch::{Common, RecordError};
use crate::limits::{LOG_ENTRY_BYTES_MAX, LOG_FIELD_BYTES_UNCUT, LOG_FIELDS_MAX};
use crate::metric::json::{self, JsonError, Reader};

/// Marks an entry that was cut.
pub const TRUNCATED_FIELD: &str = "chouette_truncated";

/// Writes entries.
#[derive(Debug)]
pub(super) struct EntryWriter {
    /// The global tags with commas between, escaped for a JSON string.
    tags: String,
    /// The host as JSON.
    host: Option<String>,
}

/// How an entry differs from its record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Fields were cut.
    pub truncated: bool,
    /// Literals that are no JSON became `null`.
    pub not_finite: bool,
}

/// A field of an entry, both parts as JSON text; the key without its quotes.
struct Field<'a> {
    key: Cow<'a, str>,
    value: Cow<'a, str>,
}

impl EntryWriter {
    pub fn new(common: &Common) -> EntryWriter {
        let quoted = |text: &str| {
            let mut out = String::new();
            json::push_string(text, &mut out);
            out
        };
        let tags = common.tags.join(",");
        EntryWriter { tags: content(&quoted(&tags)).to_owned(), host: common.host.as_deref().map(quoted) }
    }

    /// Appends the entry of a record.
    pub fn write(&self, raw: &[u8], out: &mut Vec<u8>) -> Result<Changes, RecordError> {
        let mut changes = Changes::default();
        let mut fields = self.fields(raw)?;
        for field in &mut fields {
            if let Some(finite) = without_infinities(&field.value) {
                field.value = finite.into();
                changes.not_finite = true;
            }
        }
        let mut len = entry_len(&fields);
        if len > LOG_ENTRY_BYTES_MAX {
            changes.truncated = true;
            fields.push(Field { key: TRUNCATED_FIELD.into(), value: "true".into() });
            len = entry_len(&fields);
            shorten(&mut fields, len - LOG_ENTRY_BYTES_MAX)?;
        }
        let mut separator = b"{\"";
        for field in &fields {
            out.extend_from_slice(separator);
            separator = b",\"";
            out.extend_from_slice(field.key.as_bytes());
            out.extend_from_slice(b"\":");
            out.extend_from_slice(field.value.as_bytes());
        }
        out.extend_from_slice(if fields.is_empty() { b"{}" } else { b"}" });
        Ok(changes)
    }

    /// The fields of the entry, not yet judged.
    fn fields<'a>(&self, raw: &'a [u8]) -> Result<Vec<Field<'a>>, RecordError> {
        let malformed = |_: JsonError| RecordError::MalformedLog;
        let (mut fields, mut tags_at, mut has_host) = (Vec::new(), None, false);
        let mut reader = Reader::from_bytes(raw).map_err(malformed)?;
        reader.enter_object().map_err(malformed)?;
        while let Some(key) = reader.next_key_text().map_err(malformed)? {
            if fields.len() == LOG_FIELDS_MAX {
                return Err(RecordError::LogTooLarge);
            }
            let name = key.unescaped();
            has_host |= matches!(&*name, "host" | "hostname");
            if name == "ddtags"
                && let Some(earlier) = tags_at.replace(fields.len())
            {
                fields.remove(earlier);
                tags_at = Some(fields.len());
            }
            let value = reader.raw().map_err(malformed)?;
            fields.push(Field { key: key.raw().into(), value: value.into() });
        }
        reader.end().map_err(malformed)?;
        self.join_tags(&mut fields, tags_at);
        if let (Some(host), false) = (&self.host, has_host) {
            let field = |key: &'static str| Field { key: key.into(), value: host.clone().into() };
            fields.extend([field("host"), field("hostname")]);
        }
        Ok(fields)
    }

    /// Makes one text of the tags, which stand at a place or nowhere.
    fn join_tags(&self, fields: &mut Vec<Field<'_>>, at: Option<usize>) {
        let mut tags = String::from("\"");
        if let Some(field) = at.and_then(|at| fields.get(at)) {
            // The value was read before, so it can be read again.
            let _ = push_tags(&field.value, &mut tags);
        }
        push_tag(&self.tags, &mut tags);
        tags.push('"');
        let is_empty = tags.len() == 2;
        match at {
            Some(at) if is_empty => {
                fields.remove(at);
            }
            Some(at) => {
                if let Some(field) = fields.get_mut(at) {
                    field.value = tags.into();
                }
            }
            None if is_empty => {}
            None => fields.push(Field { key: "ddtags".into(), value: tags.into() }),
        }
    }
}

fn entry_len(fields: &[Field<'_>]) -> usize {
    // Two quotes, a colon, and a comma or brace.
    1 + fields.iter().map(|field| field.key.len() + field.value.len() + 4).sum::<usize>().max(1)
}

/// Appends the tags of a JSON value.
fn push_tags(value: &str, out: &mut String) -> Result<(), JsonError> {
    let mut reader = Reader::new(value);
    if value.starts_with('[') {
        reader.enter_list()?;
        while reader.next_element()? {
            push_tag(tag_of(reader.raw()?), out);
        }
    } else if value.starts_with('{') {
        reader.enter_object()?;
        while let Some(key) = reader.next_key_text()? {
            let value = tag_of(reader.raw()?);
            if !value.is_empty() {
                push_tag(key.raw(), out);
                out.push(':');
                out.push_str(value);
            }
        }
    } else {
        push_tag(tag_of(value), out);
    }
    Ok(())
}

/// What a JSON value is as a tag, escaped for a JSON string; nothing for what makes no tag.
fn tag_of(value: &str) -> &str {
    match value.as_bytes() {
        [b'"', ..] => content(value),
        [b'[' | b'{' | b'n' | b'N' | b'I', ..] | [b'-', b'I', ..] => "",
        _ => value,
    }
}

fn push_tag(tag: &str, out: &mut String) {
    if !tag.is_empty() {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(tag);
    }
}

/// What stands between the quotes.
fn content(string: &str) -> &str {
    string.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default()
}

/// JSON text with `null` for the literals that only Python knows; `None` where there are none. The text was
/// read before, so outside of strings no other word has a capital N or I.
fn without_infinities(value: &str) -> Option<String> {
    if !value.contains("NaN") && !value.contains("Infinity") {
        return None;
    }
    let (mut out, mut rest, mut found) = (String::with_capacity(value.len()), value, false);
    while !rest.is_empty() {
        let (outside, from_quote) = rest.split_at(rest.find('"').unwrap_or(rest.len()));
        if outside.contains(['N', 'I']) {
            found = true;
            let finite = outside.replace("-Infinity", "null").replace("Infinity", "null");
            out.push_str(&finite.replace("NaN", "null"));
        } else {
            out.push_str(outside);
        }
        let (string, behind) = from_quote.split_at(string_len(from_quote));
        out.push_str(string);
        rest = behind;
    }
    found.then_some(out)
}

/// The length of the string at the start of `text`, with its quotes.
fn string_len(text: &str) -> usize {
    let mut escaped = false;
    let is_end = |byte: u8| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    };
    text.bytes().skip(1).position(is_end).map_or(text.len(), |at| at + 2)
}

/// Takes `excess` bytes out of an entry: the longest field becomes a text that breaks off, of a list or object
/// its JSON text; where that is not enough, the next longest as well.
fn shorten(fields: &mut [Field<'_>], mut excess: usize) -> Result<(), RecordError> {
    let mut by_length: Vec<&mut Field<'_>> = fields.iter_mut().collect();
    by_length.sort_by_key(|field| Reverse(field.value.len()));
    for field in by_length {
        let len = field.value.len();
        if excess == 0 || len <= LOG_FIELD_BYTES_UNCUT {
            break;
        }
        let cut = cut(&field.value, len.saturating_sub(excess).max(LOG_FIELD_BYTES_UNCUT));
        excess = excess.saturating_sub(len.saturating_sub(cut.len()));
        field.value = cut.into();
    }
    if excess == 0 { Ok(()) } else { Err(RecordError::LogTooLarge) }
}

/// The beginning of a value as a JSON string of at most so many bytes.
fn cut(value: &str, bytes_max: usize) -> String {
    let text = Reader::new(value).text().unwrap_or(Cow::Borrowed(value));
    let mut left = bytes_max.saturating_sub(2);
    let no_room = |(_, character): &(usize, char)| match left.checked_sub(escaped_len(*character)) {
        Some(rest) => {
            left = rest;
            false
        }
        None => true,
    };
    let end = text.char_indices().find(no_room).map_or(text.len(), |(at, _)| at);
    let mut out = String::new();
    json::push_string(text.get(..end).unwrap_or_default(), &mut out);
    out
}

/// Bytes of a character in a JSON string; control characters take six at most.
fn escaped_len(character: char) -> usize {
    match character {
        '"' | '\\' => 2,
        '\0'..'\u{20}' => 6,
        other => other.len_utf8(),
    }
}

#[cfg(test)]
mod tests;
