//! The three answers of the Engine API that matter: the list, the statistics of a container, a refusal.

use super::{CONTAINERS_MAX, NAME_CHARS_MAX};
use crate::metric::Number;
use crate::metric::json::{JsonError, Reader};

/// A container of the list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Container {
    /// Fit to stand in a path.
    pub id: String,
    pub name: Option<String>,
}

/// A list, as far as it is wanted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub containers: Vec<Container>,
    /// Entries that cannot be asked for.
    pub nameless: usize,
    /// Entries beyond the bound.
    pub left_out: usize,
}

/// What a container takes.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Stats {
    pub name: Option<String>,
    pub memory_bytes: Option<Number>,
    pub cpu_ns: Option<Number>,
}

/// Reads `[{"Id": "4c01", "Names": ["/redis"]}]`. Older versions of Podman write an empty list as `null`.
pub(super) fn containers(body: &[u8]) -> Result<Found, JsonError> {
    let mut reader = Reader::from_bytes(body)?;
    let mut found = Found::default();
    if body.trim_ascii() == b"null" {
        return Ok(found);
    }
    reader.enter_list()?;
    while reader.next_element()? {
        if found.containers.len() == CONTAINERS_MAX {
            found.left_out += 1;
            reader.skip()?;
            continue;
        }
        match container(&mut reader)? {
            Some(container) => found.containers.push(container),
            None => found.nameless += 1,
        }
    }
    reader.end()?;
    Ok(found)
}

fn container(reader: &mut Reader<'_>) -> Result<Option<Container>, JsonError> {
    let (mut id, mut name) = (None, None);
    if reader.enter_object_or_skip()? {
        while let Some(key) = reader.next_key()? {
            match key.as_ref() {
                "Id" => id = reader.text_or_skip()?.filter(|id| is_path_segment(id)),
                "Names" => name = first_name(reader)?,
                _ => reader.skip()?,
            }
        }
    }
    Ok(id.map(|id| Container { id: id.into_owned(), name }))
}

fn first_name(reader: &mut Reader<'_>) -> Result<Option<String>, JsonError> {
    let mut first = None;
    if reader.enter_list_or_skip()? {
        while reader.next_element()? {
            let name = self::name(reader)?;
            first = first.or(name);
        }
    }
    Ok(first)
}

/// Whether it is a name of one thing and nothing else: no slash, no escape, not `..`.
fn is_path_segment(id: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    id.len() <= NAME_CHARS_MAX
        && id.bytes().all(fits)
        && id.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
}

/// Reads the statistics of a container.
pub(super) fn stats(body: &[u8]) -> Result<Stats, JsonError> {
    let mut stats = Stats::default();
    let mut reader = Reader::from_bytes(body)?;
    reader.enter_object()?;
    while let Some(key) = reader.next_key()? {
        match key.as_ref() {
            "name" => stats.name = name(&mut reader)?,
            "memory_stats" => stats.memory_bytes = number_at(&mut reader, &["usage"])?,
            "cpu_stats" => stats.cpu_ns = number_at(&mut reader, &["cpu_usage", "total_usage"])?,
            _ => reader.skip()?,
        }
    }
    reader.end()?;
    Ok(stats)
}

/// The number at the end of a path of members. As deep as the path is long, and no deeper.
fn number_at(reader: &mut Reader<'_>, path: &[&str]) -> Result<Option<Number>, JsonError> {
    let Some((wanted, rest)) = path.split_first() else {
        return reader.number_or_skip();
    };
    let mut number = None;
    if reader.enter_object_or_skip()? {
        while let Some(key) = reader.next_key()? {
            match key == *wanted {
                true => number = number_at(reader, rest)?,
                false => reader.skip()?,
            }
        }
    }
    Ok(number)
}

/// A name without the slash that Docker puts in front of it.
fn name(reader: &mut Reader<'_>) -> Result<Option<String>, JsonError> {
    let Some(text) = reader.text_or_skip()? else {
        return Ok(None);
    };
    let name = text.strip_prefix('/').unwrap_or(&text);
    Ok((!name.is_empty()).then(|| name.chars().take(NAME_CHARS_MAX).collect()))
}

/// What a refusal says: `{"message": "No such container: 4c01"}`.
pub(super) fn message(body: &[u8]) -> Option<String> {
    let read = || -> Result<Option<String>, JsonError> {
        let mut reader = Reader::from_bytes(body)?;
        reader.enter_object()?;
        while let Some(key) = reader.next_key()? {
            if key == "message" {
                let text = reader.text_or_skip()?;
                return Ok(text.map(|text| text.chars().take(NAME_CHARS_MAX).collect()));
            }
            reader.skip()?;
        }
        Ok(None)
    };
    read().ok().flatten()
}
