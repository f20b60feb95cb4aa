//! Questions are answered, or wait for the disk.

use std::time::Instant;

use super::disk::Task;
use super::held::{Place, Rank, Saved};
use super::payload::{Removed, TOLD, write_record, write_removal};
use super::{Answer, Ask, Rest, Spool};
use crate::limits::spool::{RECORD_BYTES_MAX, SAVE_TRIES, SEGMENT_FILE_BYTES_MAX};
use crate::protocol::redis::{Found, Strings};
use crate::queue::{Entry, Listed, Stream, Trace};

/// What is listed.
struct List {
    keys: Listed,
    /// Whether there is more in memory.
    rest: Option<Rest>,
    /// The last one from the first rank on.
    last: Option<Rank>,
}

/// A question that has to wait.
type Blocked<T> = (T, Ask);

impl<T> Spool<T> {
    /// Answers a question, or gives it back.
    pub(super) fn answer(&mut self, ticket: T, ask: Ask, now: Instant) -> Result<(), Blocked<T>> {
        // While the files are read it is not known what there is; without a disk there is only memory.
        let is_reading =
            matches!(self.task, Some(Task::Replay(_))) || !self.unread.is_empty() && self.may_use_disk(now);
        let answer = match ask {
            Ask::Size(_) | Ask::Delivered | Ask::Keys { .. } if is_reading => return Err((ticket, ask)),
            Ask::Size(queue) => Answer::Size(self.size(queue)),
            Ask::Delivered => Answer::Delivered(self.delivered.iter().cloned().collect()),
            Ask::Keys { queue, rank, count, before_s } => {
                match self.keys(queue, (rank, count), before_s, now) {
                    Some((keys, rest)) => Answer::Keys(keys, rest),
                    None => return Err((ticket, ask)),
                }
            }
            Ask::Values(queue, keys, bytes_max) => Answer::Values(self.values(queue, &keys, bytes_max)),
            // It never waits among these.
            Ask::Store(queue, entries) => {
                self.storing.push_back((ticket, queue, entries.into()));
                return Ok(());
            }
            Ask::Remove(queue, keys, trace) => return self.remove(ticket, queue, keys, trace, now),
            Ask::Save => match self.saved(now) {
                Some(is_saved) => Answer::Saved(is_saved),
                None => return Err((ticket, Ask::Save)),
            },
        };
        self.answers.push_back((ticket, answer));
        Ok(())
    }

    fn size(&self, queue: Stream) -> u64 {
        let on_disk = self.segments.values().map(|segment| segment.extents[queue as usize].live);
        self.lanes[queue as usize].memory.unsaved() as u64 + on_disk.sum::<u64>()
    }

    fn values(&self, queue: Stream, keys: &[Vec<u8>], bytes_max: usize) -> Strings {
        let memory = &self.lanes[queue as usize].memory;
        let mut values = Strings::with_capacity(keys.len());
        let mut bytes = 0;
        for key in keys {
            let held = memory.find(key).map(|(_, held)| held.value());
            bytes += held.map_or(0, <[u8]>::len);
            match held {
                Some(_) if bytes > bytes_max && !values.is_empty() => values.push_missing(Found::Later),
                Some(value) => values.push(value),
                None => values.push_missing(Found::Nothing),
            }
        }
        values
    }

    /// Bytes of memory that one list may keep: half of all, shared by the queues in use.
    fn list_bytes_max(&self, queue: Stream) -> usize {
        let in_use = |other: &&Stream| **other == queue || self.size(**other) > 0;
        self.settings.memory_bytes_max / 2 / Stream::ALL.iter().filter(in_use).count().max(1)
    }

    /// The file whose records of a queue come next, and the oldest second in it.
    fn next_to_load(&self, queue: Stream) -> Option<(f64, u32)> {
        let unloaded = self.segments.iter().filter_map(|(number, segment)| {
            let extent = segment.extents[queue as usize];
            (extent.live > 0 && !extent.is_loaded).then_some((extent.oldest_s, *number))
        });
        unloaded.min_by(|(a, _), (b, _)| a.total_cmp(b))
    }

    /// `None` while something has to be read first.
    fn keys(
        &mut self,
        queue: Stream,
        (rank, count): (usize, usize),
        before_s: Option<f64>,
        now: Instant,
    ) -> Option<(Listed, Rest)> {
        if rank == 0 {
            self.lane(queue).listed_to = None;
        }
        let is_wanted = |score_s: f64| before_s.is_none_or(|before_s| score_s < before_s);
        let next = self.next_to_load(queue).filter(|(oldest_s, _)| is_wanted(*oldest_s));
        let next = next.filter(|_| self.may_use_disk(now));
        let limit_s = next.map(|(oldest_s, _)| oldest_s);
        let mut listed = self.list(queue, (rank, count), before_s, limit_s);
        if let (None, Some((_, number))) = (listed.rest, next) {
            let memory = &self.lanes[queue as usize].memory;
            let loaded = memory.bytes() - memory.unsaved_bytes();
            let segment_bytes = self.settings.segment_bytes();
            let is_wanted = listed.last.is_none() && loaded == 0
                || loaded + 3 * segment_bytes <= self.list_bytes_max(queue);
            // In memory a record takes four times as much at most.
            if is_wanted && self.memory_bytes() + 4 * segment_bytes <= self.settings.memory_bytes_max {
                if self.task.is_none() {
                    self.load(number, queue);
                }
                return None;
            }
            if listed.last.is_none() {
                // There is no room for the files that hold what is older: not quite the oldest, then.
                listed = self.list(queue, (rank, count), before_s, None);
            }
            listed.rest = listed.rest.or(Some(Rest::Later));
        }
        let List { keys, rest, last } = listed;
        let arrivals = self.arrivals;
        let lane = self.lane(queue);
        let before = lane.listed_to.map(|(last, _)| last);
        lane.listed_to = before.max(last).map(|last| (last, arrivals));
        Some((keys, rest.unwrap_or(Rest::Nothing)))
    }

    /// Lists what is in memory and older than two seconds, `before_s` and `limit_s`.
    fn list(
        &self,
        queue: Stream,
        (rank, count): (usize, usize),
        before_s: Option<f64>,
        limit_s: Option<f64>,
    ) -> List {
        let bytes_max = self.list_bytes_max(queue);
        let (mut list, mut bytes) = (List { keys: Listed::default(), rest: None, last: None }, 0);
        for (at, (record, held)) in self.lanes[queue as usize].memory.iter().enumerate() {
            let score_s = record.score_s();
            if [before_s, limit_s].into_iter().flatten().any(|end_s| score_s >= end_s) {
                break;
            }
            bytes += held.weight();
            if at > 0 && bytes > bytes_max {
                list.rest = Some(Rest::Later);
                break;
            }
            if at >= rank {
                if list.keys.len() == count {
                    list.rest = Some(Rest::Next);
                    break;
                }
                list.keys.push(Some(held.key()), score_s);
            }
            list.last = Some(record);
        }
        list
    }

    fn remove(
        &mut self,
        ticket: T,
        queue: Stream,
        keys: Vec<Vec<u8>>,
        trace: Trace,
        now: Instant,
    ) -> Result<(), Blocked<T>> {
        let memory = &self.lanes[queue as usize].memory;
        let found = keys.iter().filter_map(|key| memory.find(key));
        let (mut ranks, mut places, mut is_writing) = (Vec::new(), Vec::new(), false);
        for (rank, held) in found {
            ranks.push(rank);
            match held.saved {
                Saved::No => {}
                Saved::Writing => is_writing = true,
                Saved::At(place) => places.push((place, held.frame_bytes())),
            }
        }
        // Until a failed write is cut off, what is in memory may be on the disk too.
        let is_in_doubt = self.repair.is_some();
        let is_busy = is_writing || (!places.is_empty() && self.task.is_some());
        if is_busy || (is_in_doubt && self.may_write(now)) {
            return Err((ticket, Ask::Remove(queue, keys, trace)));
        }
        if !places.is_empty() && self.may_write(now) {
            self.write_removal(ticket, queue, ranks, &places, trace);
            return Ok(());
        }
        self.restates |= !places.is_empty();
        let is_durable = places.is_empty() && !is_in_doubt;
        self.answers.push_back((ticket, Answer::Removed { is_durable }));
        self.forget(queue, &ranks);
        trace.told.iter().for_each(|entry| self.store(Stream::Metrics, entry));
        self.remember(trace.delivered, false);
        Ok(())
    }

    fn write_removal(
        &mut self,
        ticket: T,
        queue: Stream,
        ranks: Vec<Rank>,
        places: &[(Place, u32)],
        trace: Trace,
    ) {
        let mut writer = self.writer();
        let Trace { told, delivered } = trace;
        let told: Vec<Entry> =
            told.into_iter().filter(|entry| entry.key.len() + entry.json.len() <= RECORD_BYTES_MAX).collect();
        for entry in &told {
            let key_and_value = [entry.key.as_bytes(), &entry.json].concat();
            let metrics = Stream::Metrics as u8;
            write_record(&mut writer, TOLD, metrics, entry.score_s, (entry.key.len(), &key_and_value));
        }
        let removed = ranges(places);
        let removes_from = removed.iter().map(|removed| removed.segment).min();
        // One that would not be read again is left out: what it guards against is rare.
        let has_room = |(batch, _): &(&[u8], usize)| batch.len() < SEGMENT_FILE_BYTES_MAX / 2;
        let batch = delivered.as_ref().map(|(batch, kept)| (&batch[..], *kept)).filter(has_room);
        write_removal(&mut writer, &removed, batch);
        let written = self.append(writer, false);
        self.task = Some(Task::Remove { ticket, queue, ranks, told, delivered, removes_from, written });
    }

    /// Takes records out of memory and out of the index.
    pub(super) fn forget(&mut self, queue: Stream, ranks: &[Rank]) {
        for rank in ranks {
            let Some(held) = self.lane(queue).memory.remove(*rank) else { continue };
            if let Saved::At(Place { segment, offset }) = held.saved
                && let Some(segment) = self.segments.get_mut(&segment)
            {
                segment.gone.add(offset..offset.saturating_add(held.frame_bytes()));
                let extent = &mut segment.extents[queue as usize];
                extent.live = extent.live.saturating_sub(1);
            }
        }
    }

    /// Remembers which points the intake has.
    pub(super) fn remember(&mut self, delivered: Option<(Vec<u8>, usize)>, is_saved: bool) {
        let Some((batch, kept)) = delivered else { return };
        self.delivered.push_back(batch);
        while self.delivered.len() > kept.max(1) {
            self.delivered.pop_front();
        }
        self.delivered_saved &= is_saved;
    }

    /// Everything is to be written; a wait after a failure is cut short.
    pub(super) fn begin_to_save(&mut self) {
        self.saving = true;
        self.save_failures = 0;
        self.failed_until = None;
        self.no_write_until = None;
        self.no_room_until = None;
        let all = self.arrivals + 1;
        self.lanes.iter_mut().for_each(|lane| lane.spill_to = all);
    }

    /// Whether everything is on the disk; `None` while that may still become true.
    fn saved(&self, now: Instant) -> Option<bool> {
        let is_all_there = self.storing.is_empty()
            && self.lanes.iter().all(|lane| lane.memory.unsaved() == 0)
            && (self.delivered_saved || self.delivered.is_empty())
            && !self.restates;
        if is_all_there {
            return Some(true);
        }
        let is_hopeless = !self.has_disk
            || self.save_failures >= SAVE_TRIES
            || self.no_room_until.is_some_and(|until| until > now);
        is_hopeless.then_some(false)
    }
}

/// The offsets of records, those that stand side by side as one range.
fn ranges(places: &[(Place, u32)]) -> Vec<Removed> {
    let mut places = places.to_vec();
    places.sort_unstable_by_key(|(place, _)| (place.segment, place.offset));
    let mut ranges: Vec<Removed> = Vec::new();
    for (Place { segment, offset }, bytes) in places {
        let end = offset.saturating_add(bytes);
        match ranges.last_mut() {
            Some(last) if last.segment == segment && last.offsets.end == offset => last.offsets.end = end,
            _ => ranges.push(Removed { segment, offsets: offset..end }),
        }
    }
    ranges
}
