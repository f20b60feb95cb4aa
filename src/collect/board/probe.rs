//! How all groups read: what a board does not have is nothing, what it has and cannot be read is an error.

use crate::collect::host::format::FormatError;
use crate::collect::{CollectError, Gauge, HostFiles};
use crate::limits::board::{ENTRIES_MAX, NAME_CHARS_MAX};
use crate::metric::{Number, Tags};
use std::io::{self, ErrorKind};
use std::ops::RangeInclusive;

/// Errors by which drivers say that there is nothing to be read at the moment: ENXIO, ENODEV, ENODATA.
const NOTHING_THERE: [i32; 3] = [6, 19, 61];

/// A reading under way.
pub(super) struct Probe<'a> {
    pub files: &'a dyn HostFiles,
    pub out: &'a mut Vec<Gauge>,
    pub error: CollectError,
}

impl Probe<'_> {
    /// What was read, if the board has it. An error is noted under `what`.
    pub fn present<T>(&mut self, what: &str, result: io::Result<T>) -> Option<T> {
        match result {
            Err(reason) if is_absent(&reason) => None,
            result => self.error.keep(what, result),
        }
    }

    /// The text of a file without blanks around it.
    pub fn text(&mut self, path: &str) -> Option<String> {
        let text = self.present(path, self.files.read(path))?;
        Some(text.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned())
    }

    /// The number that a file consists of.
    pub fn whole(&mut self, path: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let text = self.text(path)?;
        let number = text.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.error.add(path, FormatError::bad_number("what is there", &text));
        }
        number
    }

    /// The names in a directory, sorted.
    pub fn list(&mut self, directory: &str) -> Vec<String> {
        self.present(directory, self.files.list(directory)).unwrap_or_default()
    }

    /// Those of them that begin so.
    pub fn entries(&mut self, directory: &str, prefix: &str) -> Vec<String> {
        let mut names = self.list(directory);
        names.retain(|name| name.starts_with(prefix));
        if names.len() > ENTRIES_MAX {
            self.too_many(directory, "entries", ENTRIES_MAX);
            names.truncate(ENTRIES_MAX);
        }
        names
    }

    /// Notes that not everything is read.
    pub fn too_many(&mut self, place: &str, what: &'static str, max: usize) {
        self.error.add(place, FormatError::TooMany { what, max });
    }

    /// A reading, with one tag or none.
    pub fn push(&mut self, name: &'static str, tag: Option<(&str, &str)>, value: Number) {
        let tags = tag.map_or_else(Tags::none, |(key, of)| Tags::from_strings(&[[key, of].concat()]));
        self.out.push(Gauge { name, tags, value });
    }

    /// As [`Probe::push`], for a whole number.
    pub fn push_whole(&mut self, name: &'static str, tag: Option<(&str, &str)>, value: i128) {
        self.push(name, tag, Number::Int(value));
    }
}

/// The path of a file of one of the entries of a directory.
pub(super) fn join(directory: &str, entry: &str, file: &str) -> String {
    [directory, "/", entry, "/", file].concat()
}

/// A name from the board as the value of a tag, or another one where it is empty.
pub(super) fn label(name: &str, otherwise: &str) -> String {
    let name = if name.is_empty() { otherwise } else { name };
    name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect()
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::WouldBlock | ErrorKind::Unsupported)
        || error.raw_os_error().is_some_and(|number| NOTHING_THERE.contains(&number))
}
