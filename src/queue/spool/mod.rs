//! The embedded queue: what waits for its release, in memory while releases succeed, on the disk while they do not.
//!
//! Nothing is written as long as it is not called for: releases have failed for some time, memory is near its bound,
//! or the program ends. What is written is a log of files, `0000002a.spool`, of [`SEGMENT_BYTES`] each; a removal is
//! a frame of its own at the end of the log, and a file goes when nothing in it waits any more. Of what is on the disk
//! memory holds a few numbers for each file; the oldest files are read when it is their turn.
//!
//! It does no input or output: [`Spool::ask`] takes questions and gives answers, at once where it can, and
//! [`Spool::take_operation`] says what is to be done with which file, one step at a time, until [`Spool::done`] or
//! [`Spool::lost`] tells what became of it.
//!
//! # What is promised
//!
//! - What was written survives a power cut at any byte; a damaged byte costs the record it stands in, and the start
//!   never fails. All of it is counted, in [`Figures`].
//! - A removal that was answered as durable is on the disk, together with what it tells of. A power cut between the
//!   intake's word and the end of that write brings the records back: they are sent again, on the same seconds.
//! - What is in memory alone is lost when the process is killed or the power goes: while releases succeed what came
//!   since the last one, while they fail what came in the last `SPOOL_AFTER`.

mod asks;
mod disk;
pub mod frame;
mod held;
pub mod operation;
mod payload;
mod reading;
mod recovery;
mod segment;
mod storing;
#[cfg(test)]
mod tests;
mod types;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

#[cfg(doc)]
use crate::limits::spool::SEGMENT_BYTES;
use crate::limits::spool::{DISK_BACKOFF_S, MEMORY_NEAR, PAGE_BYTES};
use crate::metric::SortedMap;
use crate::queue::{Entry, Stream};
pub use types::{Answer, Ask, Dropped, Figures, Rest, Settings};

use disk::Task;
use held::{Memory, Rank};
use operation::Operation;
use segment::Segment;

/// How many queues there are.
pub const QUEUES: usize = Stream::ALL.len();

/// The embedded queue. `T` tells the answers apart.
#[derive(Debug)]
pub struct Spool<T> {
    settings: Settings,
    lanes: [Lane; QUEUES],
    arrivals: u64,
    segments: SortedMap<u32, Segment>,
    /// The file that is written to.
    tail: Option<u32>,
    next_segment: u32,
    /// Files that are still to be read at the start, oldest first.
    unread: Vec<u32>,
    has_disk: bool,
    /// The disk hung and is left alone until then.
    failed_until: Option<Instant>,
    /// A write failed, and none is begun until then; one that can only be read serves all the same.
    no_write_until: Option<Instant>,
    failures: u32,
    /// Those since the end began.
    save_failures: u32,
    no_room_until: Option<Instant>,
    /// A write that failed: the file, and what of it is known to be good.
    repair: Option<(u32, u32)>,
    /// Whether removals are known that may not be on the disk.
    restates: bool,
    task: Option<Task<T>>,
    operation: Option<Operation>,
    waiting: VecDeque<(T, Ask)>,
    /// What is to be stored and was not yet.
    storing: VecDeque<(T, Stream, VecDeque<Entry>)>,
    answers: VecDeque<(T, Answer)>,
    /// Batches of delivered points, newest last.
    delivered: VecDeque<Vec<u8>>,
    /// How many of the delivered batches of the log are still wanted, while it is read from its end.
    delivered_wanted: Option<usize>,
    delivered_saved: bool,
    saving: bool,
    dropped: Vec<Dropped>,
    failure: Option<String>,
    figures: Figures,
}

/// A queue.
#[derive(Debug, Default)]
struct Lane {
    memory: Memory,
    /// What was listed stays in memory until the next list begins: up to this one, of what had come until then.
    listed_to: Option<(Rank, u64)>,
    failing_since: Option<Instant>,
    spilled_at: Option<Instant>,
    /// What came before this one is to be written.
    spill_to: u64,
}

impl Lane {
    fn is_listed(&self, rank: Rank) -> bool {
        self.listed_to.is_some_and(|(last, arrivals)| rank <= last && rank.arrival <= arrivals)
    }
}

impl<T> Spool<T> {
    /// A queue with these files, by number and length, on its disk; `None` where there is no disk. `seed` gives the
    /// first file its number: that of a deleted one should not come again.
    pub fn new(settings: Settings, files: Option<&[(u32, u64)]>, seed: u32) -> Spool<T> {
        let mut segments = SortedMap::new();
        for (number, bytes) in files.unwrap_or_default() {
            segments.insert(*number, Segment::new(*number, *bytes));
        }
        let next_segment = segments.keys().next_back().map_or(seed >> 2, |last: &u32| last.saturating_add(1));
        Spool {
            settings,
            lanes: Default::default(),
            arrivals: 0,
            unread: segments.keys().copied().collect(),
            segments,
            tail: None,
            next_segment,
            has_disk: files.is_some(),
            failed_until: None,
            no_write_until: None,
            failures: 0,
            save_failures: 0,
            no_room_until: None,
            repair: None,
            restates: false,
            task: None,
            operation: None,
            waiting: VecDeque::new(),
            storing: VecDeque::new(),
            answers: VecDeque::new(),
            delivered: VecDeque::new(),
            delivered_wanted: None,
            delivered_saved: true,
            saving: false,
            dropped: Vec::new(),
            failure: None,
            figures: Figures::default(),
        }
    }

    /// Takes a question. Its answer comes under the same ticket; those to one queue in their order, but what is to be
    /// stored is stored at once, or as soon as what memory has no room for is on the disk.
    pub fn ask(&mut self, ticket: T, ask: Ask, now: Instant) {
        match ask {
            Ask::Store(queue, entries) => self.storing.push_back((ticket, queue, entries.into())),
            Ask::Save => {
                self.begin_to_save();
                self.waiting.push_back((ticket, Ask::Save));
            }
            ask => self.waiting.push_back((ticket, ask)),
        }
        self.pump(now);
    }

    /// Goes on: to be called at [`Spool::deadline`].
    pub fn pump(&mut self, now: Instant) {
        self.keep_to_memory_bound();
        self.store_waiting(now);
        if self.task.is_none() && self.may_use_disk(now) {
            self.begin_urgent(now);
        }
        while let Some((ticket, ask)) = self.waiting.pop_front() {
            if let Err(blocked) = self.answer(ticket, ask, now) {
                self.waiting.push_front(blocked);
                break;
            }
        }
        if self.task.is_none() && self.may_use_disk(now) {
            self.begin_leisurely(now);
        }
    }

    /// The next answer.
    pub fn take_answer(&mut self) -> Option<(T, Answer)> {
        self.answers.pop_front()
    }

    /// The next step on the disk. There is no other until it is [`Spool::done`] or [`Spool::lost`].
    pub fn take_operation(&mut self) -> Option<Operation> {
        self.operation.take()
    }

    /// Whether a step on the disk is under way or about to be.
    pub fn is_busy(&self) -> bool {
        self.task.is_some()
    }

    /// What was dropped since the last call.
    pub fn take_dropped(&mut self) -> Vec<Dropped> {
        std::mem::take(&mut self.dropped)
    }

    /// Why the disk failed last, once for each time.
    pub fn take_failure(&mut self) -> Option<String> {
        self.failure.take()
    }

    /// Tells how a release of a queue went: after failures for a while it goes to the disk.
    pub fn released(&mut self, queue: Stream, is_delivered: bool, now: Instant) {
        let saving = self.saving;
        let lane = self.lane(queue);
        if !is_delivered {
            lane.failing_since.get_or_insert(now);
            return;
        }
        lane.failing_since = None;
        lane.spilled_at = None;
        if !saving {
            lane.spill_to = 0;
        }
    }

    /// What it holds, and what it has done since it was made.
    pub fn figures(&self) -> Figures {
        Figures {
            memory_records: self.lanes.iter().map(|lane| lane.memory.unsaved() as u64).sum(),
            memory_bytes: self.memory_bytes() as u64,
            disk_records: self.segments.values().map(Segment::live).sum(),
            disk_bytes: self.disk_bytes(),
            ..self.figures
        }
    }

    /// When [`Spool::pump`] is due; `None` while nothing waits for a time to pass.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        if self.task.is_some() || !self.has_disk {
            return None;
        }
        let wants_to_read = !self.unread.is_empty() || !self.waiting.is_empty();
        let wants_to_write = self.repair.is_some() || self.restates || self.deletable().is_some();
        let spill = self.lanes.iter().filter_map(|lane| self.spill_at(lane, now)).min();
        let write = if wants_to_write { Some(now) } else { spill };
        let write = write.map(|at| at.max(self.no_write_until.unwrap_or(at)));
        let due = if wants_to_read { Some(now) } else { write };
        due.map(|at| at.max(self.failed_until.unwrap_or(at)))
    }

    /// When a queue is due to be written.
    fn spill_at(&self, lane: &Lane, now: Instant) -> Option<Instant> {
        if lane.memory.unsaved() == 0 {
            return None;
        }
        let since = lane.failing_since.map(|at| lane.spilled_at.map_or(at, |spilled| spilled.max(at)));
        let after = since.map(|since| since + self.settings.after);
        let due = if lane.spill_to > 0 { Some(now) } else { after };
        due.map(|at| at.max(self.no_room_until.unwrap_or(at)))
    }

    fn lane(&mut self, queue: Stream) -> &mut Lane {
        &mut self.lanes[queue as usize]
    }

    fn memory_bytes(&self) -> usize {
        self.lanes.iter().map(|lane| lane.memory.bytes()).sum()
    }

    fn unsaved_bytes(&self) -> usize {
        self.lanes.iter().map(|lane| lane.memory.unsaved_bytes()).sum()
    }

    fn disk_bytes(&self) -> u64 {
        self.segments.values().map(|segment| segment.bytes).sum()
    }

    fn is_near_bound(&self) -> bool {
        self.memory_bytes() > self.settings.memory_bytes_max / MEMORY_NEAR.1 * MEMORY_NEAR.0
    }

    fn note_dropped(&mut self, queue: Stream, reason: &'static str, key: Option<&[u8]>) {
        let is_same = |dropped: &&mut Dropped| dropped.queue == queue && dropped.reason == reason;
        let dropped = match self.dropped.iter_mut().find(is_same) {
            Some(dropped) => dropped,
            None => {
                self.dropped.push(Dropped { queue, reason, keys: Vec::new(), unnamed: 0 });
                let Some(last) = self.dropped.last_mut() else { return };
                last
            }
        };
        match key {
            Some(key) => dropped.keys.push(key.to_vec()),
            None => dropped.unnamed += 1,
        }
    }

    fn may_use_disk(&self, now: Instant) -> bool {
        self.has_disk && self.failed_until.is_none_or(|until| until <= now)
    }

    fn may_write(&self, now: Instant) -> bool {
        self.may_use_disk(now) && self.no_write_until.is_none_or(|until| until <= now)
    }

    fn disk_failed(&mut self, reason: String, is_lost: bool, now: Instant) {
        let (first_s, longest_s) = DISK_BACKOFF_S;
        let exponent = i32::try_from(self.failures.min(20)).unwrap_or_default();
        let wait_s = (first_s * 2_f64.powi(exponent)).min(longest_s);
        self.failures += 1;
        self.save_failures += u32::from(self.saving);
        self.figures.failures += 1;
        let until = Some(now + Duration::from_secs_f64(wait_s));
        self.no_write_until = until;
        if is_lost {
            self.failed_until = until;
        }
        self.failure = Some(reason);
    }

    fn count_written(&mut self, bytes: usize) {
        // A page of data, and one that says where it is.
        let pages = (bytes as u64).div_ceil(PAGE_BYTES) + 1;
        self.figures.written_bytes += pages * PAGE_BYTES;
    }
}
