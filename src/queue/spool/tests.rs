//! A disk in memory, and what the queue promises on it.

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod cuts;
#[cfg(test)]
mod model;
#[cfg(test)]
mod saving;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::operation::{Operation, Outcome};
use super::*;
use crate::protocol::redis::Found;
use crate::queue::{Listed, Trace};

/// The files of a disk, and how it fails.
#[derive(Debug, Default, Clone)]
struct Disk {
    files: BTreeMap<u32, Vec<u8>>,
    /// What becomes of the next operation, in place of being carried out.
    next: Option<Outcome>,
    operations: Vec<Operation>,
}

impl Disk {
    fn carry_out(&mut self, operation: &Operation) -> Outcome {
        self.operations.push(operation.clone());
        if let Some(outcome) = self.next.take() {
            return outcome;
        }
        match operation {
            Operation::Read(number) => match self.files.get(number) {
                Some(bytes) => return Outcome::Contents(bytes.clone()),
                None => return Outcome::Failed("no such file".into()),
            },
            Operation::Append { segment, at, bytes, .. } => {
                let file = self.files.entry(*segment).or_default();
                file.truncate(*at as usize);
                assert_eq!(file.len(), *at as usize, "a hole in a file");
                file.extend_from_slice(bytes);
            }
            Operation::Truncate(number, at) => {
                if let Some(file) = self.files.get_mut(number) {
                    file.truncate(*at as usize);
                }
            }
            Operation::Delete(number) => drop(self.files.remove(number)),
        }
        Outcome::Done
    }

    fn list(&self) -> Vec<(u32, u64)> {
        self.files.iter().map(|(number, bytes)| (*number, bytes.len() as u64)).collect()
    }

    fn writes(&self) -> usize {
        self.operations.iter().filter(|operation| !matches!(operation, Operation::Read(_))).count()
    }
}

/// A queue on such a disk.
struct Rig {
    spool: Spool<u32>,
    disk: Disk,
    now: Instant,
}

const AFTER: Duration = Duration::from_secs(300);

fn settings(memory_bytes_max: usize) -> Settings {
    Settings { memory_bytes_max, disk_bytes_max: 16 << 20, after: AFTER }
}

fn entry(key: &str, score_s: f64) -> Entry {
    Entry { key: key.to_owned(), score_s, json: format!("{{\"metric\":\"{key}\"}}").into_bytes() }
}

fn entries(numbers: impl Iterator<Item = usize>) -> Vec<Entry> {
    numbers.map(|at| entry(&format!("key-{at:05}"), at as f64)).collect()
}

impl Rig {
    fn new(settings: Settings) -> Rig {
        Rig::on(Disk::default(), settings)
    }

    /// The start on a disk.
    fn on(disk: Disk, settings: Settings) -> Rig {
        let spool = Spool::new(settings, Some(&disk.list()), 4_000);
        let mut rig = Rig { spool, disk, now: Instant::now() };
        rig.spool.pump(rig.now);
        rig.settle();
        rig
    }

    fn settle(&mut self) {
        for _ in 0..100_000 {
            let Some(operation) = self.spool.take_operation() else { return };
            let outcome = self.disk.carry_out(&operation);
            self.spool.done(outcome, self.now);
        }
        panic!("the disk is never left alone");
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.spool.pump(self.now);
        self.settle();
    }

    fn ask(&mut self, ask: Ask) -> Answer {
        self.spool.ask(7, ask, self.now);
        self.settle();
        let (ticket, answer) = self.spool.take_answer().expect("an answer");
        assert_eq!((ticket, self.spool.take_answer()), (7, None));
        answer
    }

    fn store(&mut self, entries: Vec<Entry>) {
        assert_eq!(self.ask(Ask::Store(Stream::Metrics, entries)), Answer::Stored);
    }

    fn size(&mut self, queue: Stream) -> u64 {
        match self.ask(Ask::Size(queue)) {
            Answer::Size(size) => size,
            other => panic!("{other:?}"),
        }
    }

    fn list(&mut self, queue: Stream, rank: usize, count: usize) -> (Listed, Rest) {
        match self.ask(Ask::Keys { queue, rank, count, before_s: None }) {
            Answer::Keys(keys, rest) => (keys, rest),
            other => panic!("{other:?}"),
        }
    }

    /// All keys that are listed without a removal.
    fn keys(&mut self, queue: Stream) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let (keys, rest) = self.list(queue, all.len(), 500);
            all.extend(keys.keys().map(<[u8]>::to_vec));
            if rest != Rest::Next {
                return all;
            }
        }
    }

    fn remove(&mut self, queue: Stream, keys: Vec<Vec<u8>>, trace: Trace) -> bool {
        match self.ask(Ask::Remove(queue, keys, trace)) {
            Answer::Removed { is_durable } => is_durable,
            other => panic!("{other:?}"),
        }
    }

    /// Takes everything, as releases do, oldest first.
    fn drain(&mut self, queue: Stream) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut all = Vec::new();
        loop {
            let keys = self.keys(queue);
            if keys.is_empty() {
                assert_eq!(self.size(queue), 0);
                return all;
            }
            let Answer::Values(values) = self.ask(Ask::Values(queue, keys.clone(), usize::MAX)) else {
                panic!()
            };
            for (key, found) in keys.iter().zip(values.iter()) {
                let Found::Value(value) = found else { panic!("{key:?} is listed without a value") };
                all.push((key.clone(), value.to_vec()));
            }
            self.remove(queue, keys, Trace::default());
        }
    }

    fn save(&mut self) -> bool {
        match self.ask(Ask::Save) {
            Answer::Saved(is_saved) => is_saved,
            other => panic!("{other:?}"),
        }
    }

    /// Ends without a word, and starts again.
    fn killed(self) -> Rig {
        Rig::on(Disk { operations: Vec::new(), ..self.disk }, self.spool.settings)
    }

    fn restarted(mut self) -> Rig {
        assert!(self.save(), "{:?}", self.spool.take_failure());
        self.killed()
    }
}

fn names(taken: &[(Vec<u8>, Vec<u8>)]) -> Vec<String> {
    taken.iter().map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect()
}

#[test]
fn while_releases_succeed_nothing_is_written() {
    let mut rig = Rig::new(settings(1 << 20));
    for turn in 0..200 {
        rig.store(entries(turn * 50..turn * 50 + 50));
        rig.wait(Duration::from_secs(60));
        let trace = Trace { told: Vec::new(), delivered: Some((vec![1; 16], 3)) };
        let keys = rig.keys(Stream::Metrics);
        assert_eq!(keys.len(), 50);
        assert!(rig.remove(Stream::Metrics, keys, trace));
        rig.spool.released(Stream::Metrics, true, rig.now);
        assert_eq!(rig.spool.deadline(rig.now), None, "nothing to wake up for");
    }
    assert!(rig.disk.operations.is_empty());
    assert_eq!(rig.spool.figures().written_bytes, 0);
}

#[test]
fn it_goes_to_the_disk_when_releases_have_failed_for_a_while_and_then_each_time_as_long() {
    let mut rig = Rig::new(settings(1 << 20));
    rig.store(entries(0..10));
    rig.spool.released(Stream::Metrics, false, rig.now);
    rig.wait(AFTER - Duration::from_secs(1));
    rig.spool.released(Stream::Metrics, false, rig.now);
    assert!(rig.disk.operations.is_empty());
    assert_eq!(rig.spool.deadline(rig.now), Some(rig.now + Duration::from_secs(1)));
    rig.wait(Duration::from_secs(1));
    assert_eq!(rig.disk.writes(), 1);
    rig.store(entries(10..20));
    rig.wait(AFTER - Duration::from_secs(1));
    assert_eq!(rig.disk.writes(), 1, "one write for what comes in that time");
    rig.wait(Duration::from_secs(1));
    assert_eq!(rig.disk.writes(), 2);
    let mut rig = rig.killed();
    let all = rig.drain(Stream::Metrics);
    assert_eq!(names(&all), entries(0..20).into_iter().map(|entry| entry.key).collect::<Vec<_>>());
    assert!(rig.disk.files.is_empty(), "what nobody waits for goes");
    assert_eq!(rig.killed().size(Stream::Metrics), 0);
}

#[test]
fn the_end_saves_everything_and_the_start_finds_it() {
    let mut rig = Rig::new(settings(1 << 20));
    rig.store(entries(0..2_000));
    rig.ask(Ask::Store(Stream::Logs, vec![entry("log", 3.0)]));
    rig.store(vec![entry("odd", 0.5)]);
    let trace = Trace { told: vec![entry("told", 9.0)], delivered: Some((vec![7; 24], 5)) };
    rig.keys(Stream::Metrics);
    rig.remove(Stream::Metrics, vec![b"odd".to_vec()], trace);
    let mut rig = rig.restarted();
    assert_eq!(rig.size(Stream::Metrics), 2_001);
    assert_eq!(rig.ask(Ask::Delivered), Answer::Delivered(vec![vec![7; 24]]));
    assert_eq!(names(&rig.drain(Stream::Logs)), ["log"]);
    let all = rig.drain(Stream::Metrics);
    assert_eq!(all.len(), 2_001);
    assert_eq!(names(&all)[9..12], ["key-00009", "told", "key-00010"]);
    assert_eq!((rig.spool.figures().damaged, rig.spool.figures().torn), (0, 0));
}

#[test]
fn what_is_asked_at_the_start_waits_until_the_last_file_was_read() {
    let mut rig = Rig::new(settings(1 << 20));
    rig.store(entries(0..4_000));
    assert!(rig.save());
    let files = rig.disk.list();
    assert!(files.len() > 2);
    let mut spool = Spool::new(rig.spool.settings, Some(&files), 0);
    let list = Ask::Keys { queue: Stream::Metrics, rank: 0, count: 1, before_s: None };
    for (ticket, ask) in [Ask::Size(Stream::Metrics), Ask::Delivered, list].into_iter().enumerate() {
        spool.ask(ticket, ask, rig.now);
    }
    for _ in files {
        assert!(spool.take_answer().is_none());
        let operation = spool.take_operation().expect("a file to read");
        spool.done(rig.disk.carry_out(&operation), rig.now);
    }
    assert_eq!(spool.take_answer(), Some((0, Answer::Size(4_000))));
}

#[test]
fn what_was_removed_does_not_come_back() {
    let mut rig = Rig::new(settings(1 << 20));
    rig.store(entries(0..1_000));
    let mut rig = rig.restarted();
    let keys = rig.keys(Stream::Metrics);
    let trace = Trace { told: vec![entry("told", 5.5)], delivered: Some((vec![1; 8], 2)) };
    assert!(rig.remove(Stream::Metrics, keys[..300].to_vec(), trace));
    assert!(rig.remove(Stream::Metrics, keys[400..500].to_vec(), Trace::default()));
    let mut rig = rig.killed();
    assert_eq!(rig.ask(Ask::Delivered), Answer::Delivered(vec![vec![1; 8]]));
    assert_eq!(rig.size(Stream::Metrics), 601);
    let all = names(&rig.drain(Stream::Metrics));
    assert_eq!(all[..2], ["told", "key-00300"]);
    assert!(!all.contains(&"key-00450".to_owned()));
}

#[test]
fn what_is_being_sent_stays_at_hand_while_it_goes_to_the_disk() {
    let mut rig = Rig::new(settings(1 << 20));
    rig.store(entries(0..500));
    let (sending, rest) = rig.list(Stream::Metrics, 0, 200);
    assert_eq!((sending.len(), rest), (200, Rest::Next));
    rig.spool.released(Stream::Metrics, false, rig.now);
    rig.wait(AFTER);
    assert_eq!(rig.disk.writes(), 1);
    let sent: Vec<_> = sending.keys().map(<[u8]>::to_vec).collect();
    assert!(rig.remove(Stream::Metrics, sent, Trace::default()));
    let mut rig = rig.killed();
    assert_eq!(rig.size(Stream::Metrics), 300);
    assert_eq!(names(&rig.drain(Stream::Metrics))[0], "key-00200");
}

#[test]
fn what_is_older_than_a_second_is_listed_from_memory_and_disk() {
    let mut rig = Rig::new(settings(1 << 20));
    rig.store(entries(0..1_500));
    let mut rig = rig.restarted();
    rig.store(vec![entry("late", 3.5)]);
    let ask = Ask::Keys { queue: Stream::Metrics, rank: 0, count: 500, before_s: Some(10.0) };
    let Answer::Keys(keys, rest) = rig.ask(ask.clone()) else { panic!() };
    assert_eq!((keys.len(), rest), (11, Rest::Nothing));
    assert_eq!(keys.key(4), Some(&b"late"[..]));
    let keys = keys.keys().map(<[u8]>::to_vec).collect();
    rig.remove(Stream::Metrics, keys, Trace::default());
    assert_eq!(rig.ask(ask), Answer::Keys(Listed::default(), Rest::Nothing));
}
