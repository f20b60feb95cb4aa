//! One raw metric of an application's making.
//!
//! ```json
//! {"metric": "app.requests", "type": "count", "value": 1, "timestamp": 1600000000.5, "tags": {"path": "/"}}
//! ```
//!
//! | field | is | otherwise |
//! |---|---|---|
//! | `metric`, `type` | text | unreadable |
//! | `value` | a number, `true` (1), `false` (0), or the list of a set: numbers, booleans, text, nulls | unreadable |
//! | `timestamp` | a number or boolean; 0 and `null` stand for the score of the record | unreadable |
//! | `tags` | an object of anything | as if there were none |
//!
//! Other fields are passed over. Of a field that stands there twice the last one counts, as it does in
//! Python, whose [client](https://pypi.org/project/chouette-iot-client/) writes these records.
//!
//! It does not check that a value suits its type (a list in a `count`): only the wrapper knows that.

pub use super::error::RecordError;
use super::template::{Known, Match, Templates};
use super::{python, set::SetBuilder};
use crate::limits::{NAME_BYTES_MAX, RECORD_BYTES_MAX, SCRATCH_BYTES_KEPT, TAGS_BYTES_MAX, TAGS_MAX};
use crate::metric::json::{Reader, Token};
use crate::metric::tags::TagsBuilder;
use crate::metric::{Number, Sample, Value};
use std::ops::Range;

/// Parses raw records; keeps its scratch space from one to the next.
#[derive(Debug, Default)]
pub struct RecordParser {
    templates: Templates,
    name: String,
    kind: String,
    tags: TagsBuilder,
    set: SetBuilder,
}

impl RecordParser {
    /// Reads one record. `score` is its score in the queue (Unix seconds), used where the record's own timestamp is 0 or null.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn parse<'a>(&'a mut self, raw: &'a [u8], score: f64) -> Result<Sample<'a>, RecordError> {
        if raw.len() > RECORD_BYTES_MAX {
            return Err(RecordError::TooLarge { what: "bytes", max: RECORD_BYTES_MAX });
        }
        match self.templates.find(raw) {
            Some(found) => self.parse_known(found, score),
            None => self.parse_new(raw, score),
        }
    }

    fn parse_known<'a>(&'a mut self, found: Match<'a>, score: f64) -> Result<Sample<'a>, RecordError> {
        // There is one: it was just found.
        let template = self.templates.get(found.slot).ok_or(RecordError::NotAnObject)?;
        Ok(Sample {
            name: template.name(),
            kind: template.kind(),
            tags: template.tags(),
            value: match found.value {
                Known::Number(number) => Value::Number(number),
                Known::Other(token) => value(Some(token), &mut self.set)?,
            },
            timestamp: match found.timestamp {
                Known::Number(number) if number.as_f64() != 0.0 => number.as_f64(),
                Known::Number(_) => timestamp(Some(Token::Null), score)?,
                Known::Other(token) => timestamp(Some(token), score)?,
            },
        })
    }

    fn parse_new<'a>(&'a mut self, raw: &'a [u8], score: f64) -> Result<Sample<'a>, RecordError> {
        let mut reader = Reader::from_bytes(raw)?;
        let fields = self.find_fields(&mut reader)?;
        reader.end()?;
        let tags = self.tags.canonical();
        if tags.len() > TAGS_BYTES_MAX {
            return Err(RecordError::TooLarge { what: "bytes of tags", max: TAGS_BYTES_MAX });
        }
        let name = word(fields.metric, &mut self.name, "metric")?;
        let kind = word(fields.kind, &mut self.kind, "type")?;
        let value = value(fields.value, &mut self.set)?;
        let timestamp = timestamp(fields.timestamp, score)?;
        self.templates.learn(raw, fields.value_at, fields.timestamp_at, (name, kind, tags));
        Ok(Sample { name, kind, tags, value, timestamp })
    }

    /// No field is judged before all are read: a later one of the same name may replace it. Only the tags,
    /// which cannot be of a wrong type, go to their scratch space at once.
    fn find_fields<'a>(&mut self, reader: &mut Reader<'a>) -> Result<Fields<'a>, RecordError> {
        let mut fields = Fields::default();
        self.tags.clear(SCRATCH_BYTES_KEPT);
        if !reader.enter_object_or_skip()? {
            reader.end()?;
            return Err(RecordError::NotAnObject);
        }
        while let Some(key) = reader.next_key()? {
            let (field, at) = match key.as_ref() {
                "metric" => (&mut fields.metric, None),
                "type" => (&mut fields.kind, None),
                "value" => (&mut fields.value, Some(&mut fields.value_at)),
                "timestamp" => (&mut fields.timestamp, Some(&mut fields.timestamp_at)),
                "tags" => {
                    read_tags(reader, &mut self.tags)?;
                    continue;
                }
                _ => {
                    reader.skip()?;
                    continue;
                }
            };
            reader.kind()?;
            let start = reader.position();
            *field = Some(reader.value()?);
            if let Some(at) = at {
                *at = start..reader.position();
            }
        }
        Ok(fields)
    }
}

#[derive(Default)]
struct Fields<'a> {
    metric: Option<Token<'a>>,
    kind: Option<Token<'a>>,
    value: Option<Token<'a>>,
    timestamp: Option<Token<'a>>,
    /// Where the two stand.
    value_at: Range<usize>,
    timestamp_at: Range<usize>,
}

fn word<'a>(
    token: Option<Token<'a>>,
    scratch: &'a mut String,
    field: &'static str,
) -> Result<&'a str, RecordError> {
    let text = match token {
        Some(Token::Text(text)) => text,
        other => return Err(unfit(other, field, "text")),
    };
    let word = match text.plain() {
        Some(word) => word,
        None => {
            scratch.clear();
            scratch.shrink_to(SCRATCH_BYTES_KEPT);
            text.push_to(scratch);
            scratch.as_str()
        }
    };
    if word.len() > NAME_BYTES_MAX {
        return Err(RecordError::TooLarge { what: "bytes in metric or type", max: NAME_BYTES_MAX });
    }
    Ok(word)
}

fn value<'a>(token: Option<Token<'a>>, set: &'a mut SetBuilder) -> Result<Value<'a>, RecordError> {
    let field = "value";
    match token {
        Some(Token::Number(digits)) => finite(digits, field).map(Value::Number),
        Some(Token::Bool(truth)) => Ok(Value::Number(Number::Int(truth.into()))),
        Some(Token::List(list)) => set.read(list).map(Value::Set),
        other => Err(unfit(other, field, "a number or a list")),
    }
}

fn timestamp(token: Option<Token<'_>>, score: f64) -> Result<f64, RecordError> {
    let field = "timestamp";
    let own = match token {
        Some(Token::Number(digits)) => finite(digits, field)?.as_f64(),
        Some(Token::Bool(truth)) => f64::from(u8::from(truth)),
        Some(Token::Null) => 0.0,
        other => return Err(unfit(other, field, "a number or null")),
    };
    let timestamp = if own == 0.0 { score } else { own };
    if !timestamp.is_finite() {
        return Err(RecordError::NotFinite { field });
    }
    Ok(timestamp)
}

fn finite(digits: &str, field: &'static str) -> Result<Number, RecordError> {
    Number::from_json(digits).ok_or(RecordError::NotFinite { field })
}

/// The error for a token that cannot be in this field, or is not there at all.
fn unfit(token: Option<Token<'_>>, field: &'static str, expected: &'static str) -> RecordError {
    match token {
        None => RecordError::MissingField { field },
        Some(token) => RecordError::WrongType { field, found: token.kind(), expected },
    }
}

fn read_tags(reader: &mut Reader<'_>, tags: &mut TagsBuilder) -> Result<(), RecordError> {
    tags.clear(SCRATCH_BYTES_KEPT);
    if !reader.enter_object_or_skip()? {
        return Ok(());
    }
    while let Some(key) = reader.next_key_text()? {
        if tags.len() == TAGS_MAX {
            return Err(RecordError::TooLarge { what: "tags", max: TAGS_MAX });
        }
        key.push_to(tags.open());
        tags.end_key();
        python::write_str(reader.value()?, tags.open())?;
        tags.end_tag();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_long_name_needed_is_given_back() {
        let mut parser = RecordParser::default();
        let record = |name: &str| format!(r#"{{"metric":"{name}","type":"count","value":1,"timestamp":1}}"#);
        assert!(parser.parse(record(&"\\u0061".repeat(100_000)).as_bytes(), 0.0).is_err());
        assert!(parser.name.capacity() > SCRATCH_BYTES_KEPT);
        let sample = parser.parse(record("\\u0061").as_bytes(), 0.0).map(|sample| sample.name.to_owned());
        assert_eq!(sample.as_deref(), Ok("a"));
        assert!(parser.name.capacity() <= SCRATCH_BYTES_KEPT);
    }
}
