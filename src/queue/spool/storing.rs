//! What is stored, and what memory has no room for.

use std::time::Instant;

use super::held::{Held, Rank, Saved, weight};
use super::{Answer, Lane, Spool};
use crate::limits::spool::{MEMORY_NEAR, RECORD_BYTES_MAX};
use crate::queue::{Entry, Stream};

impl<T> Spool<T> {
    /// Stores what waits for it. Where memory is full and the disk at work, the rest waits for the end of that: an
    /// interval may bring more at once than memory holds.
    pub(super) fn store_waiting(&mut self, now: Instant) {
        while let Some((_, queue, entries)) = self.storing.front_mut() {
            let queue = *queue;
            let Some(entry) = entries.pop_front() else {
                let Some((ticket, ..)) = self.storing.pop_front() else { return };
                self.answers.push_back((ticket, Answer::Stored));
                continue;
            };
            if !self.has_room(&entry) {
                if self.task.is_none() && self.may_use_disk(now) {
                    self.begin_urgent(now);
                }
                if self.task.is_some() {
                    if let Some((_, _, entries)) = self.storing.front_mut() {
                        entries.push_front(entry);
                    }
                    return;
                }
            }
            self.store(queue, &entry);
        }
    }

    /// Whether nothing has to be dropped for it.
    fn has_room(&mut self, entry: &Entry) -> bool {
        let bytes = weight(entry.key.len() + entry.json.len());
        let has_room = |spool: &Self| spool.memory_bytes() + bytes <= spool.settings.memory_bytes_max;
        if !has_room(self) {
            self.evict();
        }
        has_room(self)
    }

    pub(super) fn store(&mut self, queue: Stream, entry: &Entry) {
        let bytes = entry.key.len() + entry.json.len();
        let is_too_large = bytes > RECORD_BYTES_MAX
            || entry.key.len() > usize::from(u16::MAX)
            || weight(bytes) > self.settings.memory_bytes_max / MEMORY_NEAR.1;
        if is_too_large {
            return self.note_dropped(queue, "too_large", Some(entry.key.as_bytes()));
        }
        self.arrivals += 1;
        let rank = Rank::new(entry.score_s, self.arrivals);
        if self.saving {
            // The last word goes on: what waits for it must not wait for another one.
            self.lane(queue).spill_to = self.arrivals + 1;
        }
        let memory = &mut self.lane(queue).memory;
        if memory.find(entry.key.as_bytes()).is_none() {
            memory.insert(rank, entry.key.as_bytes(), &entry.json, Saved::No);
        }
        if self.memory_bytes() > self.settings.memory_bytes_max {
            self.keep_to_memory_bound();
        }
    }

    /// Gives up what can be read again, then, oldest first, what cannot.
    pub(super) fn keep_to_memory_bound(&mut self) {
        if self.is_near_bound() {
            self.evict();
        }
        while self.memory_bytes() > self.settings.memory_bytes_max {
            let oldest = |(at, lane): (usize, &Lane)| {
                let is_free =
                    |(rank, held): &(Rank, &Held)| held.saved == Saved::No && !lane.is_listed(*rank);
                lane.memory.iter().find(is_free).map(|(rank, _)| (rank, at))
            };
            let Some((rank, at)) = self.lanes.iter().enumerate().filter_map(oldest).min() else { return };
            if let Some(held) = self.lanes[at].memory.remove(rank) {
                self.note_dropped(Stream::ALL[at], "spool_memory_full", Some(held.key()));
            }
        }
    }
}
