//! The board itself: processor, filesystems, load, memory and, on request, network.
//!
//! Everything comes from `/proc` and `statvfs`; a file per group says which file and which fields. A
//! group that fails is named in the error and leaves the others alone.

pub mod cpu;
pub mod filesystem;
pub mod format;
pub mod load;
pub mod memory;
pub mod mounts;
pub mod network;

#[cfg(test)]
mod tests;

use super::{CollectError, Collector, Gauge, HostFiles, MetricDoc, Plugin, Reading};
use crate::metric::SortedSet;
use std::fmt;

/// The row of the table of plugins.
pub const PLUGIN: Plugin = Plugin {
    name: "host",
    summary: "the board itself: processor, filesystems, load, memory, network",
    metrics: METRICS,
    build: |options| Box::new(Host::new(options.host_groups.clone())),
};

const METRICS: &[MetricDoc] = &[
    MetricDoc::new(cpu::PERCENTAGE, &[], "percent", Group::Cpu.word()),
    MetricDoc::new(filesystem::USED, &["device"], "byte", Group::Fs.word()),
    MetricDoc::new(filesystem::FREE, &["device"], "byte", Group::Fs.word()),
    MetricDoc::new(load::LOAD, &["period"], "runnable tasks", Group::La.word()),
    MetricDoc::new(memory::USED, &[], "byte", Group::Ram.word()),
    MetricDoc::new(memory::AVAILABLE, &[], "byte", Group::Ram.word()),
    MetricDoc::new(network::SENT, &["iface"], "byte", Group::Network.word()),
    MetricDoc::new(network::RECEIVED, &["iface"], "byte", Group::Network.word()),
];

/// A part of the board that can be switched on by its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// `cpu`
    Cpu,
    /// `fs`
    Fs,
    /// `la`
    La,
    /// `ram`
    Ram,
    /// `network`
    Network,
}

impl Group {
    /// All of them, in the order in which they are read.
    pub const ALL: [Group; 5] = [Group::Cpu, Group::Fs, Group::La, Group::Ram, Group::Network];

    /// The word in `HOST_COLLECTOR_METRICS`.
    pub const fn word(self) -> &'static str {
        match self {
            Group::Cpu => "cpu",
            Group::Fs => "fs",
            Group::La => "la",
            Group::Ram => "ram",
            Group::Network => "network",
        }
    }
}

/// The groups that are switched on; by default all but `network`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups(SortedSet<Group>);

impl Groups {
    /// Takes the words of the configuration; order and repetition do not matter.
    pub fn from_words<S: AsRef<str>>(words: &[S]) -> Result<Groups, UnknownGroup> {
        let group = |word: &str| Group::ALL.into_iter().find(|group| group.word() == word);
        let groups = words.iter().map(AsRef::as_ref);
        let groups = groups.map(|w| group(w).ok_or_else(|| UnknownGroup(w.to_owned())));
        groups.collect::<Result<_, _>>().map(Groups)
    }

    /// Whether the group is switched on.
    pub fn contains(&self, group: Group) -> bool {
        self.0.contains(&group)
    }
}

impl Default for Groups {
    fn default() -> Groups {
        Groups([Group::Cpu, Group::Fs, Group::La, Group::Ram].into_iter().collect())
    }
}

/// A word that is no group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownGroup(pub String);

impl fmt::Display for UnknownGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Group::ALL.map(Group::word).join(", ");
        write!(f, "unknown group {:?}; there are {known}", self.0)
    }
}

impl std::error::Error for UnknownGroup {}

/// The collector.
#[derive(Debug)]
pub struct Host {
    groups: Groups,
    cpu: cpu::Cpu,
}

impl Host {
    /// A collector that has read nothing yet.
    pub fn new(groups: Groups) -> Host {
        Host { groups, cpu: cpu::Cpu::default() }
    }
}

impl Collector for Host {
    fn name(&self) -> &'static str {
        PLUGIN.name
    }

    fn begin(&mut self, reading: &mut Reading<'_>) -> Result<(), CollectError> {
        self.collect(reading.files, &mut reading.gauges)
    }
}

impl Host {
    /// Appends one reading of all groups.
    ///
    /// # Errors
    /// What could not be read; everything else is in `out` all the same.
    pub fn collect(&mut self, files: &dyn HostFiles, out: &mut Vec<Gauge>) -> Result<(), CollectError> {
        let mut error = CollectError::default();
        for group in self.groups.0.iter() {
            match group {
                Group::Cpu => self.cpu.collect(files, out, &mut error),
                Group::Fs => filesystem::collect(files, out, &mut error),
                Group::La => load::collect(files, out, &mut error),
                Group::Ram => memory::collect(files, out, &mut error),
                Group::Network => network::collect(files, out, &mut error),
            }
        }
        error.into_result()
    }
}

/// What process 1 sees where the root is foreign and lets it be read, otherwise what this process sees.
/// `own` is relative to `proc`. Gives the path that was read too.
pub(super) fn read_of_board(files: &dyn HostFiles, own: &str) -> (String, std::io::Result<String>) {
    if files.is_foreign() {
        let path = format!("proc/1/{own}");
        if let Ok(text) = files.read(&path) {
            return (path, Ok(text));
        }
    }
    let path = format!("proc/{own}");
    let text = files.read(&path);
    (path, text)
}
