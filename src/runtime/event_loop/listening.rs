//! What others connect or send to: the sockets of DogStatsD, and the one that tells how it goes.

use super::EventLoop;
use crate::agent::Surroundings;
use crate::runtime::clock;
use crate::runtime::dogstatsd::{Addresses, Datagrams, Received};
use crate::runtime::status::{StatusSocket, machine};
use crate::runtime::tokens::{DATAGRAMS, STATUS};

impl EventLoop {
    pub(super) fn drive_datagrams(&mut self, [udp, unix]: [bool; 2]) {
        let (now, agent) = (clock::now(), &mut self.agent);
        self.datagrams.ready(udp, unix, now.mono);
        self.datagrams.receive(self.poll.registry(), now.mono, &mut |received| match received {
            Received::Datagram { bytes, is_cut } => agent.receive(bytes, is_cut, now),
            Received::Dropped(count) => agent.datagrams_dropped(count),
        });
    }

    /// What has come is taken along; then nothing is received any more.
    pub(super) fn take_last_datagrams(&mut self) {
        // As much as a kernel keeps as a rule. A sender that does not stop cannot hold up the end.
        const TURNS_MAX: usize = 16;
        self.drive_datagrams([true; 2]);
        for _ in 1..TURNS_MAX {
            if self.datagrams.has_more() {
                self.drive_datagrams([false; 2]);
            }
        }
        self.datagrams = Datagrams::none();
    }

    /// Other sockets of DogStatsD, where they are others. The old ones are closed first: the new ones may be some of them.
    pub(super) fn reopen(&mut self, addresses: &Addresses) {
        if self.datagrams.addresses() == addresses {
            return;
        }
        let old = std::mem::replace(&mut self.datagrams, Datagrams::none()).addresses().clone();
        let registry = self.poll.registry();
        let opened = Datagrams::open(addresses, registry, DATAGRAMS).or_else(|error| {
            log::error!("{error}; it is received where it was");
            Datagrams::open(&old, registry, DATAGRAMS)
        });
        match opened {
            Ok(datagrams) => self.datagrams = datagrams,
            Err(error) => log::error!("{error}"),
        }
    }

    pub(super) fn reopen_status(&mut self, path: Option<&str>) {
        if self.status.path() != path {
            // The old one is closed first: the new one may be the same by another name.
            self.status = StatusSocket::none();
            self.status = StatusSocket::open(path, self.poll.registry(), STATUS);
        }
    }

    /// Answers who has asked how it goes.
    pub(super) fn tell_status(&mut self, is_ready: bool) {
        let (now, agent, queues, notifier) = (clock::now(), &self.agent, &self.queues, &self.notifier);
        let storage = if self.place.is_some() { "embedded" } else { "redis" };
        self.status.serve(is_ready, now.mono, &mut || {
            let progress = notifier.progress();
            agent.status(
                now,
                &Surroundings {
                    process: std::process::id(),
                    storage,
                    is_alive: progress.advances(now.mono),
                    patience: progress.patience(),
                    resident_bytes: machine::resident_bytes(),
                    memory_bytes_max: machine::memory_bytes_max(),
                    spool: queues.held(),
                },
            )
        });
    }
}
