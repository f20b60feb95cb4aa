//! Files that were read: for a list, at the start, or before they are dropped.

use super::Spool;
use super::disk::Task;
use super::held::{Place, Rank, Saved};
use super::operation::Operation;
use super::payload;
use crate::queue::Stream;

impl<T> Spool<T> {
    /// The oldest file is to go, for want of room; whether there is one.
    pub(super) fn begin_to_drop(&mut self) -> bool {
        let Some((number, segment)) = self.segments.iter().next() else { return false };
        let number = *number;
        if segment.live() == 0 {
            self.begin(Operation::Delete(number), Task::Delete(number));
        } else {
            self.begin(Operation::Read(number), Task::LookOver(number));
        }
        true
    }

    pub(super) fn has_read(&mut self, task: Task<T>, bytes: &[u8]) {
        self.failed_until = None;
        // What a failed write left at its end was never there: its records are in memory, or were removed from it.
        let known = |segment: u32| {
            let end = self.segments.get(&segment).and_then(|segment| usize::try_from(segment.bytes).ok());
            end.and_then(|end| bytes.get(..end)).unwrap_or(bytes)
        };
        let bytes = match &task {
            Task::Replay(segment) | Task::Load(segment, _) | Task::LookOver(segment) => known(*segment),
            _ => bytes,
        };
        match task {
            Task::Replay(segment) => self.replay(segment, bytes),
            Task::Load(segment, queue) => self.has_loaded(segment, queue, bytes),
            Task::LookOver(segment) => self.drop_segment(segment, Some(bytes)),
            _ => {}
        }
    }

    fn has_loaded(&mut self, number: u32, queue: Stream, bytes: &[u8]) {
        let contents = payload::read(number, bytes);
        let Some(segment) = self.segments.get_mut(&number) else { return };
        let was = segment.live();
        let loaded = segment.extents.map(|extent| extent.is_loaded);
        segment.index(&contents);
        // What could be read before and cannot now has been damaged meanwhile.
        self.figures.damaged += was.saturating_sub(segment.live());
        for (extent, is_loaded) in segment.extents.iter_mut().zip(loaded) {
            extent.is_loaded = is_loaded;
        }
        segment.extents[queue as usize].is_loaded = true;
        let memory = &mut self.lanes[queue as usize].memory;
        for record in contents.records.iter().filter(|record| record.queue == queue as u8) {
            if segment.gone.contains(record.offset) {
                continue;
            }
            let place = Place { segment: number, offset: record.offset };
            match memory.find(record.key).map(|(_, held)| held.saved) {
                None => {
                    self.arrivals += 1;
                    let rank = Rank::new(record.score_s, self.arrivals);
                    memory.insert(rank, record.key, record.value, Saved::At(place));
                }
                Some(Saved::At(known)) if known == place => {}
                // The same record twice: one is enough.
                Some(_) => {
                    let frame_bytes = payload::frame_bytes(record.key.len() + record.value.len());
                    let end = record.offset.saturating_add(u32::try_from(frame_bytes).unwrap_or(u32::MAX));
                    segment.gone.add(record.offset..end);
                    let extent = &mut segment.extents[queue as usize];
                    extent.live = extent.live.saturating_sub(1);
                }
            }
        }
    }

    /// Counts what a file holds as dropped, and has it deleted.
    pub(super) fn drop_segment(&mut self, number: u32, bytes: Option<&[u8]>) {
        const REASON: &str = "spool_disk_full";
        let Some(segment) = self.segments.get(&number) else { return };
        let mut left = segment.extents.map(|extent| extent.live);
        let contents = payload::read(number, bytes.unwrap_or_default());
        let live = contents.records.iter().filter(|record| !segment.gone.contains(record.offset));
        let named: Vec<_> = live.map(|record| (usize::from(record.queue), record.key)).collect();
        for (queue, key) in named {
            if let (Some(name), Some(left)) = (Stream::ALL.get(queue), left.get_mut(queue)) {
                *left = left.saturating_sub(1);
                self.note_dropped(*name, REASON, Some(key));
            }
        }
        for (name, left) in Stream::ALL.into_iter().zip(left) {
            (0..left).for_each(|_| self.note_dropped(name, REASON, None));
        }
        for lane in &mut self.lanes {
            for rank in lane.memory.of_segment(number) {
                lane.memory.remove(rank);
            }
        }
        if let Some(segment) = self.segments.get_mut(&number) {
            segment.extents = Default::default();
        }
        self.begin(Operation::Delete(number), Task::Delete(number));
    }
}
