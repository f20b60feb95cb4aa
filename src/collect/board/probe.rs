//! How all groups read: what a board does not have is nothing, what it has and cannot be read is an error.

use crate::collect::host::format::{FormatError, number};
use crate::collect::{CollectError, Gauge, HostFiles};
use crate::limits::board::{ENTRIES_MAX, NAME_CHARS_MAX};
use crate::metric::{Number, Tags};
use std::io::{self, ErrorKind};

/// Errors by which drivers say that there is nothing to be read at the moment: ENXIO, ENODEV, ENODATA.
const NOTHING_THERE: [i32; 3] = [6, 19, 61];

/// What errors call a file that is one value.
pub(super) const WHOLE: &str = "what is there";

/// A reading under way.
pub(super) struct Probe<'a> {
    pub files: &'a dyn HostFiles,
    pub out: &'a mut Vec<Gauge>,
    pub error: CollectError,
    /// What paths begin with: nothing, or an entry and its directory.
    place: String,
    /// What was read last, for errors.
    path: String,
}

impl<'a> Probe<'a> {
    pub fn new(files: &'a dyn HostFiles, out: &'a mut Vec<Gauge>) -> Probe<'a> {
        Probe { files, out, error: CollectError::default(), place: String::new(), path: String::new() }
    }

    /// Notes why `what` could not be read, unless the board just does not have it.
    pub fn failed(&mut self, what: &str, reason: &io::Error) {
        if !is_absent(reason) {
            self.error.add(what, reason);
        }
    }

    /// The text of a file without blanks around it, if the board has it.
    pub fn text(&mut self, path: &str) -> Option<String> {
        let path = [&self.place, path].concat();
        let text = self.files.read(&path);
        self.text_of(path, text)
    }

    /// The same of what was read from there.
    pub fn text_of(&mut self, path: String, text: io::Result<String>) -> Option<String> {
        self.path = path;
        match text {
            Ok(text) => Some(text.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned()),
            Err(reason) => {
                self.failed(&self.path.clone(), &reason);
                None
            }
        }
    }

    /// A number from the text that was read last.
    pub fn number(&mut self, what: &'static str, word: Option<&str>, min: i64, max: u64) -> Option<i128> {
        let number = match number::<i128>(what, word) {
            Ok(number) if number < min.into() || number > max.into() => {
                Err(FormatError::bad_number(what, word.unwrap_or_default()))
            }
            result => result,
        };
        self.keep(number)
    }

    /// What the text that was read last has, or nothing after noting what is wrong with it.
    pub fn keep<T>(&mut self, result: Result<T, FormatError>) -> Option<T> {
        self.error.keep(&self.path, result)
    }

    /// The number that a file consists of.
    pub fn whole(&mut self, path: &str, min: i64, max: u64) -> Option<i128> {
        let text = self.text(path)?;
        self.number(WHOLE, Some(&text), min, max)
    }

    /// The hexadecimal numbers that a file consists of, so many and none above `max`, or none at all.
    pub fn hexadecimal(&mut self, path: &str, count: usize, max: u32) -> Vec<u32> {
        let mut numbers = Vec::new();
        let Some(text) = self.text(path) else { return numbers };
        let mut is_good = true;
        for word in text.split_ascii_whitespace() {
            match u32::from_str_radix(word.trim_start_matches("0x"), 16) {
                Ok(number) => {
                    is_good &= number <= max;
                    numbers.push(number);
                }
                Err(_) => is_good = false,
            }
        }
        if !is_good || numbers.len() != count {
            self.error.add(&self.path, FormatError::bad_number(WHOLE, &text));
            numbers.clear();
        }
        numbers
    }

    /// The names in a directory, sorted.
    pub fn list(&mut self, directory: &str) -> Vec<String> {
        match self.files.list(directory) {
            Ok(names) => names,
            Err(reason) => {
                self.failed(directory, &reason);
                Vec::new()
            }
        }
    }

    /// Goes through those of them that begin so, until `take` says no. To it, paths begin at the entry.
    pub fn each(&mut self, directory: &str, prefix: &str, take: &mut dyn FnMut(&mut Self, &str) -> bool) {
        let mut names = self.list(directory);
        names.retain(|name| name.starts_with(prefix));
        if names.len() > ENTRIES_MAX {
            self.too_many(directory, "entries", ENTRIES_MAX);
            names.truncate(ENTRIES_MAX);
        }
        for name in &names {
            self.place = [directory, "/", name, "/"].concat();
            let goes_on = take(self, name);
            self.place.clear();
            if !goes_on {
                break;
            }
        }
    }

    /// Notes that not everything is read.
    pub fn too_many(&mut self, place: &str, what: &'static str, max: usize) {
        self.error.add(place, FormatError::TooMany { what, max });
    }

    /// A reading.
    pub fn push(&mut self, name: &'static str, tags: &[&str], value: Number) {
        self.out.push(Gauge { name, tags: Tags::from_strings(tags), value });
    }

    /// As [`Probe::push`], for a whole number.
    pub fn push_whole(&mut self, name: &'static str, tags: &[&str], value: i128) {
        self.push(name, tags, Number::Int(value));
    }
}

/// A name from the board behind `key`, or another one where it is empty.
pub(super) fn label(key: &str, name: &str, otherwise: &str) -> String {
    let name = if name.is_empty() { otherwise } else { name };
    let mut label = key.to_owned();
    label.extend(name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX));
    label
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::WouldBlock | ErrorKind::Unsupported)
        || error.raw_os_error().is_some_and(|number| NOTHING_THERE.contains(&number))
}
