//! What the start finds on the disk, and how the log goes on after a failure of the disk.

use super::disk::{Task, Written};
use super::payload::{self, DeliveredPoints, Removed, write_delivered, write_removal};
use super::{Ask, Spool};

impl<T> Spool<T> {
    /// Takes in a file at the start. The newest one comes first, so that removals are known before what they remove.
    pub(super) fn replay(&mut self, number: u32, bytes: &[u8]) {
        let contents = payload::read(number, bytes);
        self.figures.damaged += contents.damaged;
        self.figures.torn += u64::from(contents.torn);
        let mut removes_from = number;
        for Removed { segment, offsets } in &contents.removed {
            removes_from = removes_from.min(*segment);
            if let Some(segment) = self.segments.get_mut(segment) {
                segment.gone.add(offsets.clone());
            }
        }
        if let Some(segment) = self.segments.get_mut(&number) {
            segment.removes_from = removes_from;
            segment.index(&contents);
        }
        for points in contents.delivered.iter().rev() {
            match points {
                DeliveredPoints::More(batch, kept) => self.recall(batch, *kept),
                DeliveredPoints::All(batches) => {
                    batches.iter().rev().for_each(|batch| self.recall(batch, batches.len()));
                    self.delivered_wanted = Some(0);
                }
            }
        }
    }

    /// Remembers a batch that is older than those known; the newest one says how many there are.
    fn recall(&mut self, batch: &[u8], kept: usize) {
        let wanted = self.delivered_wanted.get_or_insert(kept);
        if *wanted > 0 {
            *wanted -= 1;
            self.delivered.push_front(batch.to_vec());
        }
    }

    /// A file cannot be read. What it holds is left where it is, but nobody waits for it.
    pub(super) fn give_up_reading(&mut self, number: u32) {
        if let Some(segment) = self.segments.get_mut(&number) {
            self.figures.damaged += segment.live().max(1);
            segment.extents = Default::default();
            segment.is_unreadable = true;
        }
    }

    /// A write failed: nothing is known of the end of that file, so the log goes on in another one.
    pub(super) fn doubt(&mut self, written: Written) {
        self.tail = None;
        self.repair = Some((written.segment, written.at));
    }

    /// Writes all removals that count, and all delivered points that are remembered.
    pub(super) fn restate(&mut self) {
        let removed: Vec<Removed> = self
            .segments
            .iter()
            .flat_map(|(number, segment)| {
                let ranges = segment.gone.ranges().iter();
                ranges.map(|offsets| Removed { segment: *number, offsets: offsets.clone() })
            })
            .collect();
        let removed = if self.restates { removed } else { Vec::new() };
        let mut writer = self.writer();
        let removes_from = removed.iter().map(|removed| removed.segment).min();
        if !removed.is_empty() {
            write_removal(&mut writer, &removed, None);
        }
        write_delivered(&mut writer, self.delivered.iter().map(Vec::as_slice));
        let written = self.append(writer, false);
        self.task = Some(Task::Restate { removes_from, written });
    }

    /// Takes out of memory what is on the disk and was not listed, the newest files first, until there is room.
    pub(super) fn evict(&mut self) {
        // What is being read for a list would only be read again.
        let listing = match self.waiting.front() {
            Some((_, Ask::Keys { queue, .. })) => Some(*queue as usize),
            _ => None,
        };
        let numbers: Vec<u32> = self.segments.keys().rev().copied().collect();
        for number in numbers {
            for (queue, lane) in
                self.lanes.iter_mut().enumerate().filter(|(queue, _)| Some(*queue) != listing)
            {
                let Some(extent) = self.segments.get_mut(&number).map(|segment| &mut segment.extents[queue])
                else {
                    continue;
                };
                if !extent.is_loaded {
                    continue;
                }
                let mut evicted = lane.memory.of_segment(number);
                evicted.retain(|rank| !lane.is_listed(*rank));
                extent.is_loaded = evicted.is_empty();
                evicted.into_iter().for_each(|rank| drop(lane.memory.remove(rank)));
            }
            if !self.is_near_bound() {
                return;
            }
        }
    }
}
