//! A service check: `_sc|name|status|d:time|h:host|#tags|m:message`.

use super::{MessageError, TagsOf, fields};
use crate::limits::NAME_BYTES_MAX;

/// How something fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check<'a> {
    /// What is checked.
    pub name: &'a str,
    /// How it fares.
    pub status: Status,
    /// `d`: Unix seconds.
    pub timestamp_s: Option<i64>,
    /// `h`: host name.
    pub host: Option<&'a str>,
    /// Canonical tags.
    pub tags: &'a str,
    /// `m`: why.
    pub message: Option<&'a str>,
}

/// How something fares, as Datadog's API numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 0
    Ok,
    /// 1
    Warning,
    /// 2
    Critical,
    /// 3
    Unknown,
}

impl Status {
    fn from_word(word: &str) -> Option<Status> {
        Some(match word {
            "0" => Status::Ok,
            "1" => Status::Warning,
            "2" => Status::Critical,
            "3" => Status::Unknown,
            _ => return None,
        })
    }

    /// The number.
    pub fn number(self) -> u8 {
        match self {
            Status::Ok => 0,
            Status::Warning => 1,
            Status::Critical => 2,
            Status::Unknown => 3,
        }
    }
}

impl<'a> Check<'a> {
    /// Reads what stands behind `_sc|`.
    pub(super) fn parse(text: &'a str, tags: &'a mut TagsOf) -> Result<Check<'a>, MessageError> {
        let mut fields = fields(text);
        let name = fields.next().filter(|name| !name.is_empty()).ok_or(MessageError::BadCheck)?;
        let status = fields.next().and_then(Status::from_word).ok_or(MessageError::BadCheck)?;
        if name.len() > NAME_BYTES_MAX {
            return Err(MessageError::TooLarge);
        }
        let mut check = Check { name, status, timestamp_s: None, host: None, tags: "", message: None };
        let mut raw_tags = "";
        for field in fields {
            if let Some(raw) = field.strip_prefix('#') {
                raw_tags = raw;
            } else if let Some(raw) = field.strip_prefix("d:") {
                check.timestamp_s = raw.parse().ok().filter(|seconds| *seconds > 0).or(check.timestamp_s);
            } else if let Some(host) = field.strip_prefix("h:") {
                check.host = Some(host).filter(|host| !host.is_empty());
            } else if let Some(message) = field.strip_prefix("m:") {
                check.message = Some(message);
            }
        }
        tags.read(raw_tags)?;
        check.tags = &tags.canonical;
        Ok(check)
    }
}
