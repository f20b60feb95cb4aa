//! The embedded queue as a link of the loop: the queue itself, its directory and its writer.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mio::{Registry, Token};

use super::{Directory, Writer};
use crate::agent::Stream;
use crate::limits::spool::{DIRECTORY_RETRY_S, SAVE_S};
use crate::protocol::redis::Request;
use crate::queue::embedded::Embedded;
use crate::queue::spool::{Figures, Settings};
use crate::runtime::queue_link::{LinkEvent, QueueLink};
use crate::runtime::resolver::THIS_PROGRAM;

/// Where the embedded queue writes, and its bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The directory; none where nothing is to be written.
    pub path: Option<PathBuf>,
    /// Bounds and times.
    pub settings: Settings,
}

/// See the module.
pub struct EmbeddedLink {
    place: Place,
    token: Token,
    seed: u32,
    state: State,
    /// When the last word is given up.
    save_until: Option<Instant>,
    /// When the queue wants to go on.
    due: Option<Instant>,
    /// Something was asked or told since the last turn: the next one has the replies.
    has_more: bool,
    is_loss_told: bool,
}

enum State {
    /// Somebody else has the directory.
    Waiting {
        until: Instant,
    },
    Up {
        queue: Box<Embedded>,
        writer: Option<Writer>,
        is_told: bool,
    },
}

impl EmbeddedLink {
    /// A link that opens its directory at the first [`QueueLink::drive`].
    pub fn new(place: Place, token: Token, now: Instant, seed: u32) -> EmbeddedLink {
        let state = State::Waiting { until: now };
        EmbeddedLink {
            place,
            token,
            seed,
            state,
            save_until: None,
            due: None,
            has_more: false,
            is_loss_told: false,
        }
    }

    /// A directory that cannot be had is told of, and memory alone goes on.
    fn open(&mut self, now: Instant) -> Result<(), String> {
        let directory = match &self.place.path {
            None => None,
            Some(path) => match Directory::open(path) {
                Ok(directory) => Some(directory),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.state = State::Waiting { until: now + Duration::from_secs(DIRECTORY_RETRY_S) };
                    return Err(format!("another agent has {}", path.display()));
                }
                Err(error) => {
                    log::error!("SPOOL_PATH {}: {error}; the queue is in memory alone", path.display());
                    None
                }
            },
        };
        let files = directory.as_ref().map(Directory::files);
        let queue = Box::new(Embedded::new(self.place.settings, files, self.seed));
        let writer = directory.map(|directory| Writer::new(THIS_PROGRAM.into(), directory, self.token));
        self.state = State::Up { queue, writer, is_told: false };
        Ok(())
    }

    /// Does what can be done now.
    fn advance(&mut self, registry: &Registry, now: Instant, events: &mut Vec<LinkEvent>) {
        let State::Up { queue, writer, is_told } = &mut self.state else { return };
        if !*is_told {
            *is_told = true;
            events.push(LinkEvent::Up);
        }
        if let Some(writer) = writer {
            match writer.drive(registry, now) {
                Ok(None) => {}
                Ok(Some(outcome)) => queue.done(Ok(outcome), now),
                Err(error) => queue.done(Err(error.to_string()), now),
            }
            if self.due.is_some_and(|at| at <= now) {
                queue.pump(now);
            }
            while let Some(operation) = queue.take_operation() {
                if let Err(error) = writer.begin(&operation, registry, now) {
                    queue.done(Err(error.to_string()), now);
                }
            }
        }
        while let Some(replies) = queue.take_replies() {
            events.push(LinkEvent::Replies(replies));
        }
        events.extend(queue.take_report().map(LinkEvent::Report));
        self.due = queue.deadline(now);
        // A disk that hangs says nothing until there is no time left.
        let is_lost = match queue.is_saved() {
            Some(is_saved) => !is_saved && self.save_until.is_some(),
            None => self.save_until.is_some_and(|until| until <= now),
        };
        // A dry run has nothing to lose.
        if is_lost && self.place.path.is_some() && !self.is_loss_told {
            let records = queue.figures().memory_records;
            self.is_loss_told = records > 0;
            if self.is_loss_told {
                log::error!(
                    "embedded queue: {records} records could not be written, and end with the program"
                );
            }
        }
    }
}

impl QueueLink for EmbeddedLink {
    fn send(&mut self, request: &Request, now: Instant, _: &mut Vec<LinkEvent>) {
        if let State::Up { queue, .. } = &mut self.state {
            queue.send(request, now);
            self.has_more = true;
        }
    }

    fn drive(&mut self, registry: &Registry, now: Instant, events: &mut Vec<LinkEvent>) {
        self.has_more = false;
        if let State::Waiting { until } = self.state
            && until <= now
            && let Err(reason) = self.open(now)
        {
            events.push(LinkEvent::Down(reason));
        }
        self.advance(registry, now, events);
    }

    fn has_more(&self) -> bool {
        self.has_more
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Waiting { until } => Some(*until),
            State::Up { writer, .. } => {
                let writer_due = writer.as_ref().and_then(Writer::deadline);
                [writer_due, self.due, self.save_until].into_iter().flatten().min()
            }
        }
    }

    fn released(&mut self, stream: Stream, is_delivered: bool, now: Instant) {
        if let State::Up { queue, .. } = &mut self.state {
            queue.released(stream, is_delivered, now);
            self.has_more = true;
        }
    }

    fn held(&self) -> Option<(Figures, Settings)> {
        match &self.state {
            State::Up { queue, .. } => Some((queue.figures(), self.place.settings)),
            State::Waiting { .. } => None,
        }
    }

    fn save(&mut self, is_last: bool, now: Instant) {
        self.save_until = is_last.then(|| now + Duration::from_secs(SAVE_S));
        if let State::Up { queue, .. } = &mut self.state {
            queue.save(now);
            self.has_more = true;
        }
    }

    fn is_saved(&self, now: Instant) -> bool {
        let is_over = self.save_until.is_some_and(|until| until <= now);
        match &self.state {
            State::Waiting { .. } => true,
            State::Up { writer: None, .. } => true,
            State::Up { queue, .. } => queue.is_saved().is_some() || is_over,
        }
    }
}
