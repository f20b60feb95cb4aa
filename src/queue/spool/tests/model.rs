//! Random sequences against a model, with a disk that fails.

use std::collections::BTreeSet;

use super::*;

/// Sequences, each with its number as the seed.
const SEQUENCES: u64 = 400;
const STEPS: usize = 60;

/// xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound.max(1)
    }
}

/// What has to hold of each queue.
#[derive(Default)]
struct Lane {
    /// Stored and neither removed nor dropped.
    there: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Removed, but not durably: they may come back with the next start.
    may_return: BTreeMap<Vec<u8>, Vec<u8>>,
    /// So many were dropped that could not be named.
    unnamed: usize,
}

struct World {
    rig: Rig,
    random: Random,
    lanes: BTreeMap<Stream, Lane>,
    stored: usize,
    is_failing: bool,
    is_starting: bool,
    returned: usize,
    lost: usize,
}

const USED: [Stream; 2] = [Stream::Metrics, Stream::Logs];

impl World {
    fn new(seed: u64) -> World {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let memory_bytes_max = [16 << 10, 64 << 10, 1 << 20][random.below(3) as usize];
        let disk_bytes_max = [32 << 10, 16 << 20][random.below(2) as usize];
        let is_failing = random.below(2) == 0;
        let rig = Rig::new(Settings { disk_bytes_max, ..settings(memory_bytes_max) });
        let lanes = USED.into_iter().map(|queue| (queue, Lane::default())).collect();
        World { rig, random, lanes, stored: 0, is_failing, is_starting: false, returned: 0, lost: 0 }
    }

    /// Carries operations out, or not, or in part.
    fn settle(&mut self) {
        while let Some(operation) = self.rig.spool.take_operation() {
            let luck = if self.is_failing { self.random.below(12) } else { 11 };
            if luck < 3
                && let Operation::Append { segment, at, bytes, keeps_room } = &operation
            {
                let (segment, at, keeps_room) = (*segment, *at, *keeps_room);
                let bytes = bytes[..self.random.below(bytes.len() as u64 + 1) as usize].to_vec();
                self.rig.disk.carry_out(&Operation::Append { segment, at, bytes, keeps_room });
            }
            let now = self.rig.now;
            match luck {
                0 => self.rig.spool.done(Outcome::Failed("EIO".into()), now),
                1 | 2 => self.rig.spool.lost("killed".into(), now),
                3 if matches!(operation, Operation::Append { keeps_room: true, .. }) => {
                    self.rig.spool.done(Outcome::NoRoom, now);
                }
                _ => {
                    let outcome = self.rig.disk.carry_out(&operation);
                    self.rig.spool.done(outcome, now);
                }
            }
        }
        for dropped in self.rig.spool.take_dropped() {
            let lane = self.lanes.get_mut(&dropped.queue).expect("a queue in use");
            // A file is counted as dropped before it is deleted: what is left of it may come back with a start.
            for key in &dropped.keys {
                // A start may find, and drop, what came back.
                let returned = if self.is_starting { lane.may_return.remove(key) } else { None };
                let value = lane.there.remove(key).or(returned).expect("what is dropped was there");
                lane.may_return.insert(key.clone(), value);
            }
            lane.unnamed += dropped.unnamed as usize;
        }
    }

    fn ask(&mut self, ask: Ask) -> Answer {
        self.rig.spool.ask(7, ask, self.rig.now);
        for _ in 0..200 {
            self.settle();
            if let Some((_, answer)) = self.rig.spool.take_answer() {
                return answer;
            }
            self.rig.now += Duration::from_secs(1);
            self.rig.spool.pump(self.rig.now);
        }
        panic!("no answer");
    }

    fn store(&mut self, queue: Stream, count: u64) {
        let new: Vec<Entry> = (0..count)
            .map(|_| {
                self.stored += 1;
                let score_s = (self.stored / 7) as f64 - self.random.below(9) as f64;
                let mut entry = entry(&format!("{:05}", self.stored), score_s);
                entry.json.resize(20 + self.random.below(150) as usize, b' ');
                entry
            })
            .collect();
        let lane = self.lanes.get_mut(&queue).expect("a queue in use");
        lane.there.extend(new.iter().map(|entry| (entry.key.clone().into_bytes(), entry.json.clone())));
        self.ask(Ask::Store(queue, new));
    }

    fn release(&mut self, queue: Stream) {
        let count = 1 + self.random.below(60) as usize;
        let Answer::Keys(listed, _) = self.ask(Ask::Keys { queue, rank: 0, count, before_s: None }) else {
            panic!()
        };
        assert!(listed.len() <= count && (0..listed.len()).is_sorted_by_key(|at| listed.score_s(at)));
        let keys: Vec<Vec<u8>> = listed.keys().map(<[u8]>::to_vec).collect();
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "each key once");
        // Time passes while it is sent; it may go to the disk meanwhile.
        if self.random.below(3) == 0 {
            self.rig.now += Duration::from_secs(self.random.below(600));
            self.rig.spool.pump(self.rig.now);
            self.settle();
        }
        let Answer::Values(values) = self.ask(Ask::Values(queue, keys.clone(), usize::MAX)) else { panic!() };
        let lane = &self.lanes[&queue];
        for (key, found) in keys.iter().zip(values.iter()) {
            // What was dropped for want of room while it was being sent is gone.
            let expected = lane.there.get(key).map_or(Found::Nothing, |value| Found::Value(value));
            let is_gone = found == Found::Nothing && lane.unnamed > 0;
            assert!(found == expected || is_gone, "{:?}", String::from_utf8_lossy(key));
        }
        if self.random.below(3) == 0 {
            return self.rig.spool.released(queue, false, self.rig.now);
        }
        self.rig.spool.released(queue, true, self.rig.now);
        let told = (self.random.below(4) == 0).then(|| {
            self.stored += 1;
            entry(&format!("{:05}:1:expired", self.stored), 0.0)
        });
        let told: Vec<Entry> = told.into_iter().collect();
        let metrics = self.lanes.get_mut(&Stream::Metrics).expect("a queue in use");
        metrics.there.extend(told.iter().map(|entry| (entry.key.clone().into_bytes(), entry.json.clone())));
        let removed: Vec<_> =
            keys.iter().filter_map(|key| self.lanes.get_mut(&queue)?.there.remove_entry(key)).collect();
        let trace = Trace { told, delivered: Some((vec![5; 8], 3)) };
        let Answer::Removed { is_durable } = self.ask(Ask::Remove(queue, keys, trace)) else { panic!() };
        if !is_durable {
            self.lanes.get_mut(&queue).expect("a queue in use").may_return.extend(removed);
        }
    }

    /// Ends, in one way or the other, and compares what the next start finds.
    fn restart(&mut self, is_killed: bool) {
        let is_saved = !is_killed && self.ask(Ask::Save) == Answer::Saved(true);
        // A file that could not be read was given up, and may have been the oldest of a full disk.
        let is_saved = is_saved && self.rig.spool.figures().damaged == 0;
        let on_disk = self.rig.spool.figures().disk_records;
        let was_failing = std::mem::replace(&mut self.is_failing, false);
        let rig = Rig::on(Disk { operations: Vec::new(), ..self.rig.disk.clone() }, self.rig.spool.settings);
        self.rig = rig;
        self.is_starting = true;
        self.settle();
        self.is_starting = false;
        let mut probe = Rig::on(self.rig.disk.clone(), settings(1 << 20));
        for queue in USED {
            let found: BTreeMap<_, _> = probe.drain(queue).into_iter().collect();
            let lane = self.lanes.get_mut(&queue).expect("a queue in use");
            for (key, value) in &found {
                let returned = !lane.there.contains_key(key);
                let known = lane.there.get(key).or(lane.may_return.get(key));
                assert!(known == Some(value), "{:?} came from nowhere", String::from_utf8_lossy(key));
                self.returned += usize::from(returned);
            }
            let lost = lane.there.keys().filter(|key| !found.contains_key(*key)).count();
            assert!(!is_saved || lost <= lane.unnamed, "saved and not found: {lost}");
            lane.unnamed = 0;
            self.lost += lost;
            lane.there = found;
            lane.may_return.clear();
        }
        let found: usize = self.lanes.values().map(|lane| lane.there.len()).sum();
        let dropped_at_start = self.rig.spool.settings.disk_bytes_max < 64 << 10;
        assert!(found as u64 >= on_disk || dropped_at_start, "{found} of {on_disk}");
        self.is_failing = was_failing;
    }

    fn step(&mut self) {
        let queue = USED[usize::from(self.random.below(3) == 0)];
        match self.random.below(20) {
            0..9 => {
                let count = 1 + self.random.below(40);
                self.store(queue, count);
            }
            9..16 => self.release(queue),
            16 => {
                self.rig.now += Duration::from_secs(self.random.below(900));
                self.rig.spool.pump(self.rig.now);
                self.settle();
            }
            17 => self.restart(true),
            18 => self.restart(false),
            _ => {
                let size = self.ask(Ask::Size(queue));
                let known = self.lanes[&queue].there.len() as u64;
                let is_known = matches!(size, Answer::Size(size) if size == known);
                assert!(is_known || self.is_failing, "{size:?}, not {known}");
            }
        }
        let figures = self.rig.spool.figures();
        assert!(figures.memory_bytes <= self.rig.spool.settings.memory_bytes_max as u64, "{figures:?}");
    }
}

#[test]
fn random_sequences_keep_what_is_promised() {
    let (mut returned, mut lost) = (0, 0);
    for seed in 0..SEQUENCES {
        let mut world = World::new(seed);
        let steps = std::panic::AssertUnwindSafe(|| (0..STEPS).for_each(|_| world.step()));
        if let Err(panic) = std::panic::catch_unwind(steps) {
            eprintln!("sequence {seed}");
            std::panic::resume_unwind(panic);
        }
        (returned, lost) = (returned + world.returned, lost + world.lost);
    }
    assert!(returned > 0 && lost > 0, "the disk never failed: {returned} {lost}");
}
