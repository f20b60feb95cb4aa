//! What is done with the disk, one step at a time: reading what is to be listed, writing what memory is not to keep,
//! deleting what nobody waits for.

use std::time::{Duration, Instant};

use super::held::{Place, Rank, Saved};
use super::operation::{Operation, Outcome};
use super::payload::{RECORD, write_record};
use super::segment::Segment;
use super::{Answer, Spool};
use crate::limits::spool::NO_ROOM_S;
use crate::queue::{Entry, Stream};

use super::frame::Writer;

/// The step under way.
#[derive(Debug)]
pub(super) enum Task<T> {
    /// A file is read at the start.
    Replay(u32),
    /// A file is read because its records of a queue are to be listed.
    Load(u32, Stream),
    /// A file is read because it is to be dropped.
    LookOver(u32),
    /// Records are written; with their queues and offsets.
    Spill(Vec<(Stream, Rank, u32)>, Written),
    /// A removal is written.
    Remove {
        ticket: T,
        queue: Stream,
        ranks: Vec<Rank>,
        told: Vec<Entry>,
        delivered: Option<(Vec<u8>, usize)>,
        removes_from: Option<u32>,
        written: Written,
    },
    /// What is known is written again: removals, or else delivered points alone.
    Restate { removes_from: Option<u32>, written: Written },
    /// What a failed write left behind is cut off.
    Repair,
    /// A file is deleted.
    Delete(u32),
}

/// Where a write goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub segment: u32,
    pub at: u32,
    pub bytes: usize,
}

impl<T> Spool<T> {
    /// What cannot wait behind questions.
    pub(super) fn begin_urgent(&mut self, now: Instant) {
        if !self.may_write(now) {
            if let Some(segment) = self.unread.pop() {
                self.begin(Operation::Read(segment), Task::Replay(segment));
            }
        } else if let Some((segment, at)) = self.repair {
            let whole = Operation::Truncate(segment, at);
            let operation = if at == 0 { Operation::Delete(segment) } else { whole };
            self.begin(operation, Task::Repair);
        } else if self.restates {
            self.restate();
        } else if self.saving && self.begin_spill(now) {
        } else if let Some(segment) = self.unread.pop() {
            self.begin(Operation::Read(segment), Task::Replay(segment));
        } else if self.is_near_bound() && self.unsaved_bytes() > self.settings.memory_bytes_max / 4 {
            let all = self.arrivals + 1;
            self.lanes.iter_mut().for_each(|lane| lane.spill_to = all);
            self.begin_spill(now);
        }
    }

    /// What can.
    pub(super) fn begin_leisurely(&mut self, now: Instant) {
        if !self.unread.is_empty() || !self.may_write(now) {
            return;
        }
        let all = self.arrivals + 1;
        let after = self.settings.after;
        for lane in &mut self.lanes {
            let since = lane.failing_since.map(|at| lane.spilled_at.map_or(at, |spilled| spilled.max(at)));
            if lane.memory.unsaved() > 0 && since.is_some_and(|since| since + after <= now) {
                (lane.spill_to, lane.spilled_at) = (all, Some(now));
            }
        }
        if self.begin_spill(now) {
        } else if self.saving && !self.delivered_saved && !self.delivered.is_empty() {
            self.restate();
        } else if self.saving {
        } else if let Some(segment) = self.deletable() {
            self.begin(Operation::Delete(segment), Task::Delete(segment));
        } else if self.disk_bytes() > self.settings.disk_bytes_max {
            self.begin_to_drop();
        }
    }

    pub(super) fn begin(&mut self, operation: Operation, task: Task<T>) {
        self.operation = Some(operation);
        self.task = Some(task);
    }

    /// Reads a file for a list.
    pub(super) fn load(&mut self, segment: u32, queue: Stream) {
        self.begin(Operation::Read(segment), Task::Load(segment, queue));
    }

    /// Frames for the end of the log.
    pub(super) fn writer(&mut self) -> Writer {
        let bytes_max = self.settings.segment_bytes() as u64;
        let has_room =
            |number: &u32| self.segments.get(number).is_some_and(|segment| segment.bytes < bytes_max);
        let number = self.tail.filter(has_room).unwrap_or(self.next_segment);
        if number == self.next_segment {
            self.next_segment = self.next_segment.saturating_add(1);
        }
        self.tail = Some(number);
        let at = self.segments.get(&number).map_or(0, |segment| segment.bytes);
        Writer::new(number, usize::try_from(at).unwrap_or(usize::MAX))
    }

    /// Has frames written.
    pub(super) fn append(&mut self, writer: Writer, keeps_room: bool) -> Written {
        let (segment, at) = writer.start();
        let bytes = writer.into_bytes();
        let written = Written { segment, at, bytes: bytes.len() };
        self.operation = Some(Operation::Append { segment, at, bytes, keeps_room });
        written
    }

    /// Writes a file's worth of what is to be written; whether there was any, and room for it.
    fn begin_spill(&mut self, now: Instant) -> bool {
        if self.lanes.iter().all(|lane| lane.spill_to == 0) || self.no_room_until.is_some_and(|at| at > now) {
            return false;
        }
        let mut records = Vec::new();
        for (queue, lane) in Stream::ALL.into_iter().zip(&mut self.lanes) {
            let spill_to = lane.spill_to;
            let is_due = |(rank, held): &(Rank, &super::held::Held)| {
                held.saved == Saved::No && rank.arrival < spill_to
            };
            let due = lane.memory.iter().filter(is_due).map(|(rank, _)| (queue, rank));
            let before = records.len();
            records.extend(due);
            if records.len() == before {
                lane.spill_to = 0;
            }
        }
        if records.is_empty() {
            return false;
        }
        let segment_bytes = self.settings.segment_bytes();
        if self.unread.is_empty() && self.disk_bytes() + segment_bytes as u64 > self.settings.disk_bytes_max {
            return self.begin_to_drop();
        }
        let mut writer = self.writer();
        let mut offsets = Vec::new();
        for (queue, rank) in records {
            if writer.offset() >= segment_bytes {
                break;
            }
            let Some(held) = self.lanes[queue as usize].memory.get(rank) else { continue };
            let score_s = rank.score_s();
            let offset = write_record(&mut writer, RECORD, queue as u8, score_s, held.parts());
            offsets.push((queue, rank, offset));
            self.lane(queue).memory.set_saved(rank, Saved::Writing);
        }
        let written = self.append(writer, true);
        self.task = Some(Task::Spill(offsets, written));
        true
    }

    /// A file that holds nothing that counts: no record that waits, no removal of one in a file that is still there.
    pub(super) fn deletable(&self) -> Option<u32> {
        if self.saving || !self.unread.is_empty() {
            return None;
        }
        let is_dead = |(number, segment): &&(u32, Segment)| {
            let about = segment.removes_from..*number;
            segment.live() == 0
                && !segment.is_unreadable
                && !self.segments.keys().any(|other| about.contains(other))
        };
        self.segments.iter().find(is_dead).map(|(number, _)| *number)
    }

    /// Tells what became of the step that [`Spool::take_operation`] gave.
    pub fn done(&mut self, outcome: Outcome, now: Instant) {
        let Some(task) = self.task.take() else { return };
        match outcome {
            Outcome::Failed(reason) => self.failed(task, reason, false, now),
            Outcome::NoRoom => self.no_room(task, now),
            Outcome::Contents(bytes) => self.has_read(task, &bytes),
            Outcome::Done => self.has_done(task),
        }
        self.pump(now);
    }

    /// Tells that it will not be known what became of it.
    pub fn lost(&mut self, reason: String, now: Instant) {
        if let Some(task) = self.task.take() {
            self.failed(task, reason, true, now);
        }
        self.pump(now);
    }

    fn has_done(&mut self, task: Task<T>) {
        self.failed_until = None;
        self.no_write_until = None;
        match task {
            Task::Spill(records, written) => self.has_spilled(&records, written),
            Task::Remove { ticket, queue, ranks, told, delivered, removes_from, written } => {
                self.has_written(written, removes_from);
                self.forget(queue, &ranks);
                if let Some(segment) = self.segments.get_mut(&written.segment) {
                    let extent = &mut segment.extents[Stream::Metrics as usize];
                    extent.is_loaded &= told.is_empty();
                    told.iter().for_each(|entry| extent.add(entry.score_s));
                }
                self.remember(delivered, true);
                self.answers.push_back((ticket, Answer::Removed { is_durable: true }));
            }
            Task::Restate { removes_from, written } => {
                self.has_written(written, removes_from);
                self.restates = false;
                self.delivered_saved = true;
            }
            Task::Repair => self.repair = None,
            Task::Delete(segment) => self.has_deleted(segment),
            // A file that is read has contents.
            Task::Replay(_) | Task::Load(..) | Task::LookOver(_) => {}
        }
    }

    fn has_written(&mut self, written: Written, removes_from: Option<u32>) {
        let Written { segment: number, bytes, .. } = written;
        if self.segments.get(&number).is_none() {
            self.segments.insert(number, Segment::new(number, 0));
        }
        let Some(segment) = self.segments.get_mut(&number) else { return };
        segment.bytes += bytes as u64;
        segment.removes_from = segment.removes_from.min(removes_from.unwrap_or(number));
        self.failures = 0;
        self.count_written(bytes);
    }

    fn has_spilled(&mut self, records: &[(Stream, Rank, u32)], written: Written) {
        self.has_written(written, None);
        for (queue, rank, offset) in records {
            let place = Place { segment: written.segment, offset: *offset };
            let lane = &mut self.lanes[*queue as usize];
            lane.memory.set_saved(*rank, Saved::At(place));
            if !lane.is_listed(*rank) {
                lane.memory.remove(*rank);
            }
            if let Some(segment) = self.segments.get_mut(&written.segment) {
                let extent = &mut segment.extents[*queue as usize];
                extent.add(rank.score_s());
                extent.is_loaded = false;
            }
        }
    }

    fn has_deleted(&mut self, number: u32) {
        self.segments.remove(&number);
        // It may have been the one that told of them.
        self.delivered_saved = false;
        if self.tail == Some(number) {
            self.tail = None;
        }
    }

    fn no_room(&mut self, task: Task<T>, now: Instant) {
        let Task::Spill(records, written) = task else { return };
        self.take_back(&records);
        if self.segments.get(&written.segment).is_none() {
            self.tail = None;
        }
        self.no_room_until = Some(now + Duration::from_secs(NO_ROOM_S));
    }

    /// What was being written is in memory alone.
    fn take_back(&mut self, records: &[(Stream, Rank, u32)]) {
        for (queue, rank, _) in records {
            self.lane(*queue).memory.set_saved(*rank, Saved::No);
        }
    }

    fn failed(&mut self, task: Task<T>, reason: String, is_lost: bool, now: Instant) {
        let is_read = matches!(task, Task::Replay(_) | Task::Load(..) | Task::LookOver(_));
        if is_read && !is_lost {
            // One file that cannot be read says nothing of the others.
            self.figures.failures += 1;
            self.failure = Some(reason);
        } else {
            self.disk_failed(reason, is_lost, now);
        }
        match task {
            Task::Replay(segment) if is_lost => self.unread.push(segment),
            Task::Replay(segment) | Task::Load(segment, _) if !is_lost => self.give_up_reading(segment),
            Task::LookOver(segment) if !is_lost => self.drop_segment(segment, None),
            Task::Spill(records, written) => {
                self.take_back(&records);
                self.doubt(written);
            }
            Task::Remove { ticket, queue, ranks, told, delivered, written, .. } => {
                self.doubt(written);
                self.restates = true;
                self.forget(queue, &ranks);
                told.iter().for_each(|entry| self.store(Stream::Metrics, entry));
                self.remember(delivered, false);
                self.answers.push_back((ticket, Answer::Removed { is_durable: false }));
            }
            Task::Restate { written, .. } => self.doubt(written),
            _ => {}
        }
    }
}
