//! An event: `_e{TITLE_BYTES,TEXT_BYTES}:title|text|d:time|h:host|k:key|p:priority|s:source|t:type|#tags`.
//!
//! A field that cannot be read is passed over, as Datadog's own agent does: half an event is better than none.

use super::{MessageError, TagsOf, fields};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// Title, with `\n` for a line break; see [`Event::with_line_breaks`].
    pub title: &'a str,
    /// Text, the same.
    pub text: &'a str,
    /// `d`: Unix seconds.
    pub timestamp_s: Option<i64>,
    /// `h`: host name.
    pub host: Option<&'a str>,
    /// `k`: events of one key belong together.
    pub aggregation_key: Option<&'a str>,
    /// `p`.
    pub priority: Priority,
    /// `s`: what it comes from.
    pub source_type: Option<&'a str>,
    /// `t`.
    pub alert_type: AlertType,
    /// Canonical tags.
    pub tags: &'a str,
}

/// How important an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// `normal`
    Normal,
    /// `low`
    Low,
}

/// What kind of an event it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertType {
    /// `error`
    Error,
    /// `warning`
    Warning,
    /// `info`
    Info,
    /// `success`
    Success,
}

impl Priority {
    fn from_word(word: &str) -> Option<Priority> {
        [Priority::Normal, Priority::Low].into_iter().find(|priority| priority.as_str() == word)
    }

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Priority::Normal => "normal",
            Priority::Low => "low",
        }
    }
}

impl AlertType {
    fn from_word(word: &str) -> Option<AlertType> {
        let all = [AlertType::Error, AlertType::Warning, AlertType::Info, AlertType::Success];
        all.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            AlertType::Error => "error",
            AlertType::Warning => "warning",
            AlertType::Info => "info",
            AlertType::Success => "success",
        }
    }
}

impl<'a> Event<'a> {
    /// A title or text as it is meant.
    pub fn with_line_breaks(text: &str) -> String {
        text.replace("\\n", "\n")
    }

    pub(super) fn parse(message: &'a str, tags: &'a mut TagsOf) -> Result<Event<'a>, MessageError> {
        let (title, text, rest) = parts(message).ok_or(MessageError::BadEvent)?;
        let mut event = Event {
            title,
            text,
            timestamp_s: None,
            host: None,
            aggregation_key: None,
            priority: Priority::Normal,
            source_type: None,
            alert_type: AlertType::Info,
            tags: "",
        };
        let mut raw_tags = "";
        for field in fields(rest) {
            match field.strip_prefix('#') {
                Some(raw) => raw_tags = raw,
                None => event.take(field),
            }
        }
        tags.read(raw_tags)?;
        event.tags = &tags.canonical;
        Ok(event)
    }

    fn take(&mut self, field: &'a str) {
        let Some((name, value)) = field.split_once(':') else { return };
        let text = Some(value).filter(|value| !value.is_empty());
        match name {
            "d" => self.timestamp_s = value.parse().ok().filter(|seconds| *seconds > 0).or(self.timestamp_s),
            "h" => self.host = text,
            "k" => self.aggregation_key = text,
            "p" => self.priority = Priority::from_word(value).unwrap_or(self.priority),
            "s" => self.source_type = text,
            "t" => self.alert_type = AlertType::from_word(value).unwrap_or(self.alert_type),
            _ => {}
        }
    }
}

/// Title, text, and what stands behind them.
fn parts(message: &str) -> Option<(&str, &str, &str)> {
    let (lengths, rest) = message.strip_prefix("_e{")?.split_once("}:")?;
    let (title_bytes, text_bytes) = lengths.split_once(',')?;
    let title_bytes = title_bytes.parse::<usize>().ok().filter(|bytes| *bytes > 0)?;
    let text_bytes = text_bytes.parse::<usize>().ok()?;
    let text_start = title_bytes.checked_add(1)?;
    let text_end = text_start.checked_add(text_bytes)?;
    let (title, text) = (rest.get(..title_bytes)?, rest.get(text_start..text_end)?);
    // Behind the text there is nothing, or a separator.
    let behind = rest.get(text_end..)?;
    Some((title, text, behind.get(1..).unwrap_or_default()))
}
