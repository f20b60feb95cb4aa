//! What is on the board itself: the spool, the plugins, the sockets of DogStatsD, the limits.

use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
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
use crate::runtime::host_root::read_text;
use crate::runtime::reading::PluginReader;
use crate::runtime::spool::{self, Directory, Place};

/// Where the kernel tells what this process may use.
const LIMITS: &str = "/proc/self/limits";
/// What belongs to the user of this process.
const OWN_PROCESS: &str = "/proc/self";

impl Doctor {
    #[inline(never)]
    pub(super) fn spool(&mut self, place: &Place) {
        self.output.begin("spool", "");
        let found = match &place.path {
            Some(path) => self.directory(path, place.settings.disk_bytes_max),
            None => Finding::skipped("in memory"),
        };
        self.output.end(found);
    }

    fn directory(&mut self, path: &Path, bytes_max: u64) -> Finding {
        // The last part that is there.
        let mut part = path;
        let metadata = loop {
            match (fs::metadata(part), part.parent()) {
                (Ok(metadata), _) => break metadata,
                (Err(_), Some(parent)) => part = parent,
                (Err(error), None) => return told(path, &error, Trouble::SpoolDenied),
            }
        };
        if !metadata.is_dir() {
            return told(part, &"not a directory", Trouble::SpoolPath);
        }
        match access(part, AccessFlags::W_OK | AccessFlags::X_OK) {
            Ok(()) => {}
            Err(Errno::EROFS) => return told(part, &"read-only", Trouble::SpoolReadOnly),
            Err(error) => return told(part, &error.desc(), Trouble::SpoolDenied),
        }
        let mut detail = path.display().to_string();
        let mut used_bytes = 0;
        if part.as_os_str() != path.as_os_str() {
            detail.push_str(", not there yet");
        } else {
            // What is open to others is closed by the agent, which only the owner can.
            let own_id = fs::metadata(OWN_PROCESS).map_or(0, |own| own.uid());
            if own_id != 0 && metadata.uid() != own_id {
                let whose = format_args!("belongs to user {}, and this is {own_id}", metadata.uid());
                return told(path, &whose, Trouble::SpoolOwner);
            }
            match Directory::look(path) {
                Ok(directory) => directory.files().iter().for_each(|(_, bytes)| used_bytes += bytes),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.agent_runs = true;
                    detail.push_str(", an agent is at work with it");
                }
                Err(error) => return told(path, &error, Trouble::SpoolDenied),
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

    #[inline(never)]
    pub(super) fn plugins(&mut self, config: &Config, reader: &mut PluginReader) {
        if config.collector_plugins.is_empty() {
            return;
        }
        self.output.begin("plugins", "");
        let readings = match reader.read(Duration::from_secs(CHECK_S)) {
            Ok(readings) => readings,
            Err(error) => return self.output.end(Finding::bad(self.foreign(&error), Trouble::PluginOther)),
        };
        self.output.give_up();
        for reading in readings {
            let problem = reading.problem.map(|problem| self.foreign(&problem));
            let found = judge::plugin(reading.plugin, reading.gauges.len(), problem);
            self.output.tell(&["plugin ", reading.plugin].concat(), Some(reading.took), found);
        }
    }

    #[inline(never)]
    pub(super) fn sockets(&mut self, addresses: &Addresses) {
        if addresses.udp.is_none() && addresses.unix.is_none() {
            return;
        }
        self.output.begin("dogstatsd", "");
        let found = match Datagrams::open(addresses, self.poll.registry(), TOKEN) {
            Ok(_) => Finding::good("free"),
            Err(error) => match error.kind() {
                ErrorKind::AddrInUse if self.agent_runs => {
                    Finding::good("taken, by the agent that is at work")
                }
                ErrorKind::AddrInUse => Finding::bad(self.foreign(&error), Trouble::DogstatsdTaken),
                _ => Finding::bad(self.foreign(&error), Trouble::DogstatsdDenied),
            },
        };
        self.output.end(found);
    }

    /// `Max open files            1024                 524288               files`
    #[inline(never)]
    pub(super) fn open_files(&mut self) {
        self.output.begin("open files", "");
        let limits = read_text(Path::new(LIMITS)).unwrap_or_default();
        let (_, line) = limits.split_once("Max open files").unwrap_or_default();
        let soft = line.split_whitespace().next().unwrap_or("unlimited");
        let detail = format!("{soft} here, {OPEN_FILES_NEEDED} are enough");
        let is_enough = soft.parse::<u64>().map_or(true, |files| files >= OPEN_FILES_NEEDED);
        self.output.end(match is_enough {
            true => Finding::good(detail),
            false => Finding::warning(detail, Trouble::OpenFiles),
        });
    }
}

/// What is wrong with a path.
fn told(path: &Path, what: &dyn Display, trouble: Trouble) -> Finding {
    Finding::bad(format!("{}: {what}", path.display()), trouble)
}
