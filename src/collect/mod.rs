//! Collectors: what the agent reads itself. One module each, one row in [`PLUGINS`].
//!
//! A collector turns files of the board, such as `/proc/loadavg`, into gauges:
//!
//! ```text
//! 0.42 0.30 0.25 1/211 4711      →      Chouette.host.la  ["period:1m"]  0.42
//! ```
//!
//! It sees the board only through [`HostFiles`], knows no clock (whoever calls it stamps the gauges) and
//! keeps nothing but what the next reading needs. What each plugin reads and sends, and how to add one,
//! is told in `README.md` beside this file.

pub mod board;
pub mod docker;
pub mod dramatiq;
pub mod host;
pub mod k8s;
mod question;
pub mod tegrastats;

pub use question::{Program, Question, Reading, Reply};

#[cfg(test)]
pub(crate) mod fake;

use crate::limits::{PROBLEM_CHARS_MAX, PROBLEMS_MAX};
use crate::metric::{Number, Tags};
use std::fmt::Display;
use std::{fmt, io};

/// Every plugin there is.
pub static PLUGINS: &[Plugin] =
    &[host::PLUGIN, board::PLUGIN, tegrastats::PLUGIN, k8s::PLUGIN, docker::PLUGIN, dramatiq::PLUGIN];

/// The plugin of that name.
pub fn plugin(name: &str) -> Option<&'static Plugin> {
    PLUGINS.iter().find(|plugin| plugin.name == name)
}

/// One row of [`PLUGINS`].
#[derive(Debug)]
pub struct Plugin {
    /// The word that stands in `COLLECTOR_PLUGINS`.
    pub name: &'static str,
    /// One line for the help text.
    pub summary: &'static str,
    /// Every metric the plugin may send.
    pub metrics: &'static [MetricDoc],
    /// Makes the collector.
    pub build: fn(&Options) -> Box<dyn Collector>,
}

/// What a metric means.
#[derive(Debug)]
pub struct MetricDoc {
    /// Full name.
    pub name: &'static str,
    /// Keys of its tags.
    pub tags: &'static [&'static str],
    /// What one is: `byte`, `percent`, …
    pub unit: &'static str,
    /// The word that switches the metric on.
    pub group: &'static str,
}

impl MetricDoc {
    /// A row of a plugin's table.
    pub const fn new(
        name: &'static str,
        tags: &'static [&'static str],
        unit: &'static str,
        group: &'static str,
    ) -> MetricDoc {
        MetricDoc { name, tags, unit, group }
    }
}

/// What the configuration says about each plugin.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `HOST_COLLECTOR_METRICS`.
    pub host_groups: host::Groups,
    /// What concerns the plugin `k8s`.
    pub k8s: k8s::Options,
    /// `CAPTURE_INTERVAL`.
    pub capture_interval_s: u32,
    /// `BOARD_METRICS`.
    pub board_groups: Vec<board::Group>,
    /// `TEGRASTATS_METRICS`.
    pub tegrastats_groups: Vec<tegrastats::Group>,
    /// `TEGRASTATS_PATH`.
    pub tegrastats_path: String,
}

/// Something that can be read again and again.
///
/// A reading begins with [`Collector::begin`] and lasts until every question it asked was answered; the next
/// one does not begin before. What cannot be read is left out and named in the error; everything else is in
/// `reading` all the same.
pub trait Collector {
    /// The name of its plugin.
    fn name(&self) -> &'static str;

    /// Begins a reading.
    ///
    /// # Errors
    /// What could not be read.
    fn begin(&mut self, reading: &mut Reading<'_>) -> Result<(), CollectError>;

    /// Takes the reply to a question. Output of a program comes at any time.
    ///
    /// # Errors
    /// What could not be read.
    fn reply(&mut self, ticket: u32, reply: Reply, reading: &mut Reading<'_>) -> Result<(), CollectError> {
        let _ = (ticket, reply, reading);
        Ok(())
    }

    /// Whether an end without an error means that all is well again. Not so for a program that fails now and
    /// then: its next reading begins before it is known how that one ends.
    fn is_well(&self) -> bool {
        true
    }
}

/// One reading, not yet stamped.
#[derive(Debug, Clone, PartialEq)]
pub struct Gauge {
    /// Full metric name.
    pub name: &'static str,
    /// Canonical tags.
    pub tags: Tags,
    /// What was read, finite.
    pub value: Number,
}

/// Read access to the board, which may stand somewhere else than under `/`.
pub trait HostFiles {
    /// The text of a small file, `path` being relative to the root (`proc/stat`). Bytes that are no
    /// UTF-8 come as U+FFFD.
    fn read(&self, path: &str) -> io::Result<String>;

    /// The names in a directory, sorted; an error where there are too many.
    fn list(&self, path: &str) -> io::Result<Vec<String>>;

    /// The size of the filesystem mounted at this absolute path of the board.
    fn disk_space(&self, mount_point: &str) -> io::Result<DiskSpace>;

    /// Whether the root is not the program's own: then `proc/self` is a process of the wrong place and
    /// process 1 speaks for the board.
    fn is_foreign(&self) -> bool;

    /// The text of a small file of the program's own, whatever the root: a path as the configuration has it.
    fn own_file(&self, path: &str) -> io::Result<String>;

    /// Most that the kernel's clock may be wrong, in microseconds: 16 seconds where nothing keeps it right.
    fn clock_error_us(&self) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The size of a filesystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// All of it.
    pub total_bytes: u64,
    /// What is not in use, with what is reserved for root.
    pub free_bytes: u64,
    /// What an ordinary user can still write.
    pub available_bytes: u64,
}

/// Everything that went wrong in one reading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CollectError {
    problems: Vec<String>,
    left_out: usize,
}

impl CollectError {
    /// Notes that `what` (a path) failed, and why. Names on the board may hold any byte: control
    /// characters do not reach the log.
    pub fn add(&mut self, what: &str, reason: impl Display) {
        if self.problems.len() == PROBLEMS_MAX {
            self.left_out += 1;
            return;
        }
        let problem = format!("{what}: {reason}");
        let printable = |c: char| if c.is_control() { '?' } else { c };
        let kept = problem.chars().map(printable).take(PROBLEM_CHARS_MAX);
        self.problems.push(kept.collect());
    }

    /// The value, or nothing after noting the error.
    pub fn keep<T, E: Display>(&mut self, what: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|reason| self.add(what, reason)).ok()
    }

    /// Takes over what another reading noted.
    pub fn absorb(&mut self, other: CollectError) {
        self.left_out += other.left_out;
        for problem in other.problems {
            match self.problems.len() < PROBLEMS_MAX {
                true => self.problems.push(problem),
                false => self.left_out += 1,
            }
        }
    }

    /// Success where nothing was noted.
    pub fn into_result(self) -> Result<(), CollectError> {
        if self.problems.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for CollectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("; "))?;
        match self.left_out {
            0 => Ok(()),
            n => write!(f, "; and {n} more"),
        }
    }
}

impl std::error::Error for CollectError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const README: &str = include_str!("README.md");

    /// The text between `## title` and the next heading of that level.
    fn section(title: &str) -> Option<&'static str> {
        let (_, rest) = README.split_once(&format!("\n## {title}\n"))?;
        Some(rest.split("\n## ").next().unwrap_or(rest))
    }

    #[test]
    fn every_plugin_and_metric_is_documented() {
        for plugin in PLUGINS {
            let name = plugin.name;
            let text = section(name).unwrap_or_else(|| panic!("README.md lacks `## {name}`"));
            for metric in plugin.metrics {
                let tags: Vec<String> = metric.tags.iter().map(|t| format!("`{t}:`")).collect();
                let row = text.lines().find(|l| l.contains(&format!("`{}`", metric.name)));
                let row = row.unwrap_or_else(|| panic!("## {name} lacks `{}`", metric.name));
                for needed in tags.iter().map(String::as_str).chain([metric.unit, metric.group]) {
                    assert!(row.contains(needed), "the row of {} lacks {needed}", metric.name);
                }
            }
        }
    }

    #[test]
    fn names_are_unique_and_the_table_builds_what_it_says() {
        let names: BTreeSet<_> = PLUGINS.iter().map(|p| p.name).collect();
        assert_eq!(names.len(), PLUGINS.len());
        let metrics: Vec<_> = PLUGINS.iter().flat_map(|p| p.metrics).map(|m| m.name).collect();
        assert_eq!(metrics.iter().collect::<BTreeSet<_>>().len(), metrics.len());
        for row in PLUGINS {
            assert_eq!((row.build)(&Options::default()).name(), row.name);
            assert!(std::ptr::eq(plugin(row.name).unwrap(), row));
        }
        assert!(plugin("nope").is_none());
    }

    #[test]
    fn an_error_is_bounded_and_printable() {
        let mut error = CollectError::default();
        assert_eq!(error.clone().into_result(), Ok(()));
        error.add("proc/stat", "no such file");
        error.add("/media/a\nb\u{1b}", "x".repeat(1000));
        for n in 0..PROBLEMS_MAX {
            error.add("disk", n);
        }
        let text = error.into_result().unwrap_err().to_string();
        assert!(text.starts_with("proc/stat: no such file; /media/a?b?: xxx"), "{text}");
        assert!(text.ends_with("; disk: 5; and 2 more"), "{text}");
        assert!(text.len() < PROBLEMS_MAX * (PROBLEM_CHARS_MAX + 2), "{text}");
    }
}
