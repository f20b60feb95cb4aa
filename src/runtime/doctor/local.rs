//! What is on the board itself: the spool, the plugins, the sockets of DogStatsD, the limits.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};

use super::{Doctor, TOKEN};
use crate::config::Config;
use crate::doctor::{Finding, Trouble, judge};
use crate::limits::doctor::{CHECK_S, OPEN_FILES_NEEDED};
use crate::runtime::dogstatsd::{Addresses, Datagrams};
use crate::runtime::reading::PluginReader;
use crate::runtime::spool::{self, Directory, Place};

/// Where the kernel tells what this process may use.
const LIMITS: &str = "/proc/self/limits";

impl Doctor {
    pub(super) fn spool(&mut self, place: &Place) {
        self.output.begin("spool");
        let found = match &place.path {
            Some(path) => self.directory(path, place.settings.disk_bytes_max),
            None => Finding::skipped("in memory"),
        };
        self.output.end(found);
    }

    fn directory(&mut self, path: &Path, bytes_max: u64) -> Finding {
        let shown = path.display();
        // The last part that is there.
        let there = path.ancestors().find_map(|part| Some((part, fs::metadata(part).ok()?)));
        let Some((part, metadata)) = there else {
            return Finding::bad(format!("{shown}: cannot be seen"), Trouble::SpoolDenied);
        };
        if !metadata.is_dir() {
            return Finding::bad(format!("{} is no directory", part.display()), Trouble::SpoolPath);
        }
        match access(part, AccessFlags::W_OK | AccessFlags::X_OK) {
            Ok(()) => {}
            Err(Errno::EROFS) => {
                return Finding::bad(format!("{}: read-only", part.display()), Trouble::SpoolReadOnly);
            }
            Err(error) => {
                return Finding::bad(format!("{}: {}", part.display(), error.desc()), Trouble::SpoolDenied);
            }
        }
        let mut detail = match part == path {
            true => format!("{shown}"),
            false => format!("{shown}, not there yet"),
        };
        let mut used_bytes = 0;
        if part == path {
            // What is open to others is closed by the agent, which only the owner can.
            let is_ours = fs::metadata("/proc/self").map_or(0, |own| own.uid());
            if is_ours != 0 && metadata.uid() != is_ours {
                let text = format!("{shown} belongs to user {}, and this is {is_ours}", metadata.uid());
                return Finding::bad(text, Trouble::SpoolOwner);
            }
            match Directory::look(path) {
                Ok(directory) => used_bytes = directory.files().iter().map(|(_, bytes)| bytes).sum(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.agent_runs = true;
                    detail.push_str(", an agent is at work with it");
                }
                Err(error) => return Finding::bad(format!("{shown}: {error}"), Trouble::SpoolDenied),
            }
        }
        match spool::room_bytes(part) {
            Ok(free_bytes) if free_bytes + used_bytes < bytes_max => {
                detail.push_str(&format!(", room for {} of {} MB", free_bytes >> 20, bytes_max >> 20));
                Finding::warning(detail, Trouble::SpoolSmall)
            }
            _ => Finding::good(detail),
        }
    }

    pub(super) fn plugins(&mut self, config: &Config, reader: &mut PluginReader) -> io::Result<()> {
        if config.collector_plugins.is_empty() {
            return Ok(());
        }
        self.output.begin("plugins");
        let readings = reader.read(Duration::from_secs(CHECK_S))?;
        self.output.give_up();
        for reading in readings {
            let problem = reading.problem.map(|problem| self.foreign(problem));
            let found = judge::plugin(reading.plugin, reading.gauges.len(), problem);
            self.output.tell(&format!("plugin {}", reading.plugin), Some(reading.took), found);
        }
        Ok(())
    }

    pub(super) fn sockets(&mut self, addresses: &Addresses) {
        if *addresses == Addresses::default() {
            return;
        }
        self.output.begin("dogstatsd");
        let found = match Datagrams::open(addresses, self.poll.registry(), TOKEN) {
            Ok(_) => Finding::good("free"),
            Err(error) if error.kind() != ErrorKind::AddrInUse => {
                Finding::bad(error.to_string(), Trouble::DogstatsdDenied)
            }
            Err(_) if self.agent_runs => Finding::good("taken, by the agent that is at work"),
            Err(error) => Finding::bad(error.to_string(), Trouble::DogstatsdTaken),
        };
        self.output.end(found);
    }

    /// `Max open files            1024                 524288               files`
    pub(super) fn open_files(&mut self) {
        self.output.begin("open files");
        let limits = fs::read_to_string(LIMITS).unwrap_or_default();
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
        let soft = line.and_then(|line| line.split_whitespace().next()).unwrap_or("unlimited");
        let detail = format!("{soft} here, {OPEN_FILES_NEEDED} are enough");
        let is_enough = soft.parse::<u64>().map_or(true, |files| files >= OPEN_FILES_NEEDED);
        self.output.end(match is_enough {
            true => Finding::good(detail),
            false => Finding::warning(detail, Trouble::OpenFiles),
        });
    }
}
