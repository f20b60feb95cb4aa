//! DogStatsD: the bytes of a datagram → metrics, events and service checks.
//!
//! ```text
//! page.views:1|c|@0.5|#country:china          a metric, of one value or of several: 1:2:3
//! _e{5,4}:title|text|d:1600000000|#env:lab    an event
//! _sc|app.up|0|#env:lab|m:all is well         a service check
//! ```
//!
//! One message a line. The format: <https://docs.datadoghq.com/extend/dogstatsd/datagram_shell>, up to its version
//! 1.4. Where that says nothing, the parser does what Datadog's own does, with origin detection off:
//! <https://github.com/DataDog/datadog-agent/tree/main/comp/dogstatsd/server>. So unknown fields are passed over,
//! among them `c:`, `e:` and `card:`, which name the sender's container; of a field that stands there twice the last
//! one counts; empty values in a list of values are none.
//!
//! What differs: a rate that is not above 0 and at most 1 makes a bad message, and so does text that is no UTF-8. The
//! tag `host:` stays a tag, here as in records from Redis.
//!
//! A bad message costs only itself: see [`MessageError`]. Nothing is allocated for a message once the scratch space
//! has its size.

mod check;
mod error;
mod event;
mod metric;
#[cfg(test)]
mod tests;

pub use check::{Check, Status};
pub use error::MessageError;
pub use event::{AlertType, Event, Priority};
pub use metric::{Kind, Metric};

use crate::limits::{SCRATCH_BYTES_KEPT, TAGS_BYTES_MAX, TAGS_MAX};
use crate::metric::Number;
use crate::metric::tags::TagsBuilder;

/// What a line of a datagram says.
#[derive(Debug, Clone, PartialEq)]
pub enum Message<'a> {
    /// Values of a metric.
    Metric(Metric<'a>),
    /// Something that happened.
    Event(Event<'a>),
    /// How something fares.
    Check(Check<'a>),
}

/// The messages of a datagram: its lines, without empty ones. Where the datagram was cut, its last line is an error.
pub fn messages(datagram: &[u8], is_cut: bool) -> impl Iterator<Item = Result<&[u8], MessageError>> {
    let whole_end =
        if is_cut { datagram.iter().rposition(|byte| *byte == b'\n').unwrap_or(0) } else { datagram.len() };
    let lines = datagram.get(..whole_end).unwrap_or_default().split(|byte| *byte == b'\n');
    let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let cut = is_cut.then_some(Err(MessageError::Cut));
    lines.filter(|line| !line.is_empty()).map(Ok).chain(cut)
}

/// Parses messages; keeps its scratch space from one to the next.
#[derive(Debug, Default)]
pub struct Parser {
    tags: TagsOf,
    values: Vec<Number>,
    /// The element of a set.
    set: Vec<u8>,
    set_ends: [u32; 1],
}

impl Parser {
    /// Reads one message, a line without its end.
    ///
    /// # Errors
    /// See [`MessageError`].
    pub fn parse<'a>(&'a mut self, message: &'a [u8]) -> Result<Message<'a>, MessageError> {
        let text = std::str::from_utf8(message).map_err(|_| MessageError::NotUtf8)?;
        if text.starts_with("_e{") {
            Event::parse(text, &mut self.tags).map(Message::Event)
        } else if let Some(rest) = text.strip_prefix("_sc|") {
            Check::parse(rest, &mut self.tags).map(Message::Check)
        } else {
            self.metric(text).map(Message::Metric)
        }
    }
}

/// The tags of a message in canonical form. Neighbours often have the same ones.
#[derive(Debug, Default)]
struct TagsOf {
    builder: TagsBuilder,
    /// What `canonical` was made of.
    raw: String,
    canonical: String,
}

impl TagsOf {
    /// Reads `a:1,b`, as it stands behind `#`.
    fn read(&mut self, raw: &str) -> Result<(), MessageError> {
        if raw == self.raw && !self.canonical.is_empty() {
            return Ok(());
        }
        self.builder.clear(SCRATCH_BYTES_KEPT);
        self.canonical.clear();
        for tag in raw.split(',').filter(|tag| !tag.is_empty() && !is_internal(tag)) {
            if self.builder.len() == TAGS_MAX {
                return Err(MessageError::TooLarge);
            }
            self.builder.push(tag);
        }
        let canonical = self.builder.canonical();
        if canonical.len() > TAGS_BYTES_MAX {
            return Err(MessageError::TooLarge);
        }
        self.canonical.push_str(canonical);
        self.raw.clear();
        self.raw.push_str(raw);
        Ok(())
    }
}

/// What clients add for origin detection is no tag of the metric.
fn is_internal(tag: &str) -> bool {
    tag.starts_with("dd.internal.entity_id:") || tag.starts_with("dd.internal.card:")
}

/// The fields of a message, between `|`.
fn fields(text: &str) -> impl Iterator<Item = &str> {
    text.split('|')
}
