//! The embedded queue on real files, written by the real child.
#![allow(clippy::unwrap_used)]

mod disks;
mod killed;
mod locks;
mod slow;
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chouette_iot::protocol::redis::Found;
use chouette_iot::queue::spool::operation::Outcome;
use chouette_iot::queue::spool::{Answer, Ask, Rest, Settings, Spool};
use chouette_iot::queue::{Entry, Stream, Trace};
use chouette_iot::runtime::spool::{Directory, Writer};
use mio::{Events, Poll, Token};
use support::temp::TempDir;
use support::{SOON, wait_until};

const AFTER: Duration = Duration::from_secs(300);
const SETTINGS: Settings = Settings { memory_bytes_max: 1 << 20, disk_bytes_max: 16 << 20, after: AFTER };

fn agent_program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_chouette-iot"))
}

/// A program that does something before it becomes the child.
fn program_that(dir: &TempDir, does: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let script = format!("#!/bin/sh\n{does}\nexec {} \"$@\"\n", agent_program().display());
    let path = dir.write("program", &script);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// What the agent is for its queue. Its time goes on only when told to, but for what the disk takes.
struct Keeper {
    spool: Spool<u32>,
    writer: Writer,
    poll: Poll,
    now: Instant,
    failures: Vec<String>,
    /// The longest the loop was held, and that by the start of a child.
    longest: Duration,
    longest_start: Duration,
}

impl Keeper {
    fn start(path: &Path) -> Keeper {
        Keeper::with(path, agent_program(), SETTINGS)
    }

    fn with(path: &Path, program: PathBuf, settings: Settings) -> Keeper {
        // A child that was killed has it until it is dead.
        let mut directory = Directory::open(path);
        let is_open = |directory: &mut std::io::Result<Directory>| {
            if directory.is_err() {
                *directory = Directory::open(path);
            }
            directory.is_ok()
        };
        assert!(wait_until(SOON, || is_open(&mut directory)), "{directory:?}");
        let directory = directory.unwrap();
        let mut spool = Spool::new(settings, Some(directory.files()), 1_000);
        let (poll, now) = (Poll::new().unwrap(), Instant::now());
        spool.pump(now);
        let writer = Writer::new(program, directory, Token(8));
        Keeper {
            spool,
            writer,
            poll,
            now,
            failures: Vec::new(),
            longest: Duration::ZERO,
            longest_start: Duration::ZERO,
        }
    }

    /// One turn of the loop; false when nothing is under way.
    fn turn(&mut self) -> bool {
        let (began, had_child) = (Instant::now(), self.writer.child_id().is_some());
        match self.writer.drive(self.poll.registry(), self.now) {
            Ok(Some(outcome)) => self.done(outcome),
            Ok(None) => {}
            Err(error) => self.spool.lost(error.to_string(), self.now),
        }
        if let Some(operation) = self.spool.take_operation()
            && let Err(error) = self.writer.begin(&operation, self.poll.registry(), self.now)
        {
            self.spool.lost(error.to_string(), self.now);
        }
        self.failures.extend(self.spool.take_failure());
        if had_child || self.writer.child_id().is_none() {
            self.longest = self.longest.max(began.elapsed());
        } else {
            self.longest_start = self.longest_start.max(began.elapsed());
        }
        self.spool.is_busy()
    }

    fn done(&mut self, outcome: Outcome) {
        self.spool.done(outcome, self.now);
    }

    fn settle(&mut self) {
        let mut events = Events::with_capacity(4);
        let until = Instant::now() + SOON;
        while self.turn() {
            assert!(Instant::now() < until, "the disk is never left alone");
            let _ = self.poll.poll(&mut events, Some(Duration::from_millis(20)));
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.spool.pump(self.now);
        self.settle();
    }

    fn ask(&mut self, ask: Ask) -> Answer {
        self.spool.ask(7, ask, self.now);
        for _ in 0..100 {
            self.settle();
            if let Some((_, answer)) = self.spool.take_answer() {
                return answer;
            }
            self.wait(Duration::from_secs(1));
        }
        panic!("no answer: {:?}", self.failures);
    }

    fn store(&mut self, numbers: std::ops::Range<usize>) {
        let entry = |at: usize| Entry {
            key: format!("key-{at:06}"),
            score_s: at as f64,
            json: format!("{{\"metric\":\"m\",\"value\":{at}}}{}", " ".repeat(150)).into_bytes(),
        };
        self.ask(Ask::Store(Stream::Metrics, numbers.map(entry).collect()));
    }

    fn size(&mut self) -> u64 {
        match self.ask(Ask::Size(Stream::Metrics)) {
            Answer::Size(size) => size,
            other => panic!("{other:?}"),
        }
    }

    /// A batch of the oldest, as numbers, and their keys.
    fn batch(&mut self) -> (Vec<usize>, Vec<Vec<u8>>) {
        let mut keys: Vec<Vec<u8>> = Vec::new();
        loop {
            let ask = Ask::Keys { queue: Stream::Metrics, rank: keys.len(), count: 500, before_s: None };
            let Answer::Keys(listed, rest) = self.ask(ask) else { panic!() };
            keys.extend(listed.keys().map(<[u8]>::to_vec));
            if rest != Rest::Next {
                break;
            }
        }
        let Answer::Values(values) = self.ask(Ask::Values(Stream::Metrics, keys.clone(), usize::MAX)) else {
            panic!()
        };
        let number = |(key, found): (&Vec<u8>, Found<'_>)| {
            let at: usize = std::str::from_utf8(&key[4..]).unwrap().parse().unwrap();
            let Found::Value(value) = found else { panic!("{at} has no value") };
            assert!(value.starts_with(format!("{{\"metric\":\"m\",\"value\":{at}}}").as_bytes()));
            at
        };
        (keys.iter().zip(values.iter()).map(number).collect(), keys)
    }

    fn remove(&mut self, keys: Vec<Vec<u8>>) -> bool {
        let ask = Ask::Remove(Stream::Metrics, keys, Trace::default());
        matches!(self.ask(ask), Answer::Removed { is_durable: true })
    }

    fn drain(&mut self) -> Vec<usize> {
        let mut all = Vec::new();
        loop {
            let (numbers, keys) = self.batch();
            if numbers.is_empty() {
                return all;
            }
            all.extend(numbers);
            self.remove(keys);
        }
    }

    fn save(&mut self) -> bool {
        self.ask(Ask::Save) == Answer::Saved(true)
    }

    /// Releases fail for so long that it goes to the disk.
    fn outage(&mut self) {
        self.spool.released(Stream::Metrics, false, self.now);
        self.wait(AFTER);
    }
}

fn kill(pid: u32) {
    let killed = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status();
    assert!(killed.unwrap().success());
}

fn files(path: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn what_is_saved_is_found_by_the_next_start_and_nobody_else_reads_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = TempDir::new();
    let path = dir.join("spool/below");
    let mut keeper = Keeper::start(&path);
    keeper.store(0..2_000);
    assert!(files(&path).is_empty() && keeper.writer.child_id().is_none(), "no flash write, no child");
    assert!(keeper.save());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    assert!(files(&path).len() > 1 && files(&path).iter().all(|file| mode(file) == 0o600));
    drop(keeper);
    let mut keeper = Keeper::start(&path);
    assert_eq!(keeper.size(), 2_000);
    assert_eq!(keeper.drain(), (0..2_000).collect::<Vec<_>>());
    assert!(files(&path).is_empty());
}

#[test]
fn the_child_goes_when_it_is_not_needed() {
    let dir = TempDir::new();
    let mut keeper = Keeper::start(&dir.join("spool"));
    keeper.store(0..10);
    keeper.outage();
    let child = keeper.writer.child_id().unwrap();
    keeper.wait(Duration::from_secs(chouette_iot::limits::spool::WRITER_IDLE_S));
    assert_eq!((keeper.writer.child_id(), keeper.writer.deadline()), (None, None));
    let is_gone =
        || chouette_iot::runtime::child::reap() == 0 && !Path::new(&format!("/proc/{child}")).exists();
    assert!(wait_until(SOON, is_gone));
    keeper.store(10..20);
    keeper.outage();
    assert!(keeper.failures.is_empty());
    assert_eq!(keeper.drain().len(), 20);
}
