//! An agent without Redis: the directory of its embedded queue, an intake, and a program that counts through DogStatsD.

use super::agent::{self, Agent, Env};
use super::behaviour::Behaviour;
use super::intake::{Intake, Request};
use super::processes;
use super::store::Store;
use super::temp::TempDir;
use super::{SOON, json, wait_until};

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two requests to release at once, when all is to arrive.
const NUDGE_EVERY: Duration = Duration::from_millis(500);
/// A count of one with a context of its own.
const ONE: &str = "one";
/// A count of the same number, all in one context.
const ALL: &str = "all";

/// A directory and an intake for one test.
pub struct Alone {
    pub intake: Intake,
    pub dir: TempDir,
}

impl Alone {
    pub fn new(script: impl FnMut(&Request) -> Behaviour + Send + 'static) -> Alone {
        Alone { intake: Intake::start(script), dir: TempDir::new() }
    }

    /// `SPOOL_PATH`. The agent makes it.
    pub fn spool(&self) -> PathBuf {
        self.dir.join("spool")
    }

    /// `DOGSTATSD_SOCKET`.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("dogstatsd")
    }

    pub fn env(&self, changes: &[(&str, &str)]) -> Env {
        let (spool, socket) = (self.spool().display().to_string(), self.socket().display().to_string());
        let mut env = agent::env("", &self.intake);
        env.retain(|(name, _)| name != "REDIS_URL");
        let own =
            [("CHOUETTE_STORAGE_TYPE", "embedded"), ("SPOOL_PATH", &spool), ("DOGSTATSD_SOCKET", &socket)];
        agent::with(agent::with(env, &own), changes)
    }

    /// An agent that receives.
    pub fn run(&self, changes: &[(&str, &str)]) -> Agent {
        let agent = Agent::run(&self.env(changes));
        self.is_received_by(&agent);
        agent
    }

    /// Waits until the agent receives.
    pub fn is_received_by(&self, agent: &Agent) {
        let told = format!("receiving on {}", self.socket().display());
        assert!(agent.wait_for_line(SOON, &told), "{}", agent.stderr());
    }

    /// Sends one datagram.
    pub fn send(&self, datagram: &str) {
        UnixDatagram::unbound().unwrap().send_to(datagram.as_bytes(), self.socket()).unwrap();
    }

    /// What is in the directory.
    pub fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.spool()).into_iter().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// Bytes of the files in the directory.
    pub fn file_bytes(&self) -> u64 {
        self.files().iter().filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
    }

    /// What the intake holds of the counts of a [`Counter`]; fails unless it is the same whether or not lost answers
    /// meant 'stored'.
    pub fn came(&self) -> Came {
        Came::of(&Store::of_both(&self.series_requests()))
    }

    /// Waits, with the agent told to release, until what came fits.
    pub fn comes(&self, agent: &Agent, limit: Duration, fits: impl Fn(&Came) -> bool) -> Came {
        let deadline = Instant::now() + limit;
        loop {
            agent.signal("USR1");
            std::thread::sleep(NUDGE_EVERY);
            let requests = self.series_requests();
            let came = Came::of(&Store::acknowledged(&requests));
            if fits(&came) {
                return self.came();
            }
            assert!(Instant::now() < deadline, "{} came, {} in all", came.ones.len(), came.all);
        }
    }

    /// How many records were dropped for a reason, as the intake was told.
    pub fn told(&self, reason: &str) -> u64 {
        let store = Store::acknowledged(&self.series_requests());
        let tag = format!("reason:{reason}");
        let series =
            store.series("chouette.dropped").into_iter().filter(|(key, _)| key.tags == [tag.as_str()]);
        series.flat_map(|(_, held)| held.points.values()).sum::<f64>() as u64
    }

    fn series_requests(&self) -> Vec<Arc<Request>> {
        let mut requests = self.intake.requests();
        requests.retain(|request| request.path.ends_with("/series"));
        requests
    }
}

/// The process that writes for an agent, if there is one.
pub fn writer_of(agent: &Agent) -> Option<u32> {
    let children = processes::children(agent.pid()).into_iter();
    children.into_iter().find(|child| processes::command_line(*child).ends_with("__spool"))
}

/// What has arrived of the counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Came {
    /// By number, how often.
    pub ones: BTreeMap<usize, f64>,
    /// The sum of the numbers, of those that share a context.
    pub all: f64,
}

impl Came {
    fn of(store: &Store) -> Came {
        let ones = store.series(ONE).into_iter().map(|(key, held)| {
            let number = key.tags.first().and_then(|tag| tag.strip_prefix("n:")).unwrap();
            (number.parse().unwrap(), held.points.values().sum())
        });
        Came { ones: ones.collect(), all: store.sum(ALL) }
    }

    /// Each count is one or none.
    pub fn is_nothing_twice(&self) {
        let twice: Vec<_> =
            self.ones.iter().filter(|(_, times)| !json::close(**times, 1.0)).take(5).collect();
        assert!(twice.is_empty(), "not once: {twice:?}");
    }

    /// All that was sent is there, to the unit.
    pub fn is_exactly(&self, sent: &Sent) {
        self.is_nothing_twice();
        let missing: Vec<_> = (0..sent.at.len()).filter(|number| !self.ones.contains_key(number)).collect();
        assert!(missing.is_empty(), "{} missing, such as {:?}", missing.len(), missing.first());
        assert_eq!(self.all, sent.sum(), "the sum of one context");
    }

    /// The numbers that are not there.
    pub fn missing(&self, sent: &Sent) -> Vec<usize> {
        (0..sent.at.len()).filter(|number| !self.ones.contains_key(number)).collect()
    }
}

/// What was sent: when, by number.
#[derive(Debug, Default)]
pub struct Sent {
    pub at: Vec<Instant>,
}

impl Sent {
    /// Of all numbers.
    pub fn sum(&self) -> f64 {
        (0..self.at.len()).sum::<usize>() as f64
    }
}

/// A program that counts: each number once with a context of its own, and once in one that all share. While nobody
/// receives it waits.
pub struct Counter {
    sent: Arc<Mutex<Sent>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Counter {
    /// So many numbers in a datagram.
    pub fn start(alone: &Alone, numbers: usize, every: Duration) -> Counter {
        let (sent, stop) = (Arc::new(Mutex::new(Sent::default())), Arc::new(AtomicBool::new(false)));
        let (ours, stopped, path) = (Arc::clone(&sent), Arc::clone(&stop), alone.socket());
        let thread = std::thread::spawn(move || {
            let socket = UnixDatagram::unbound().unwrap();
            while !stopped.load(Ordering::SeqCst) {
                let mut sent = ours.lock().unwrap();
                let first = sent.at.len();
                let lines = (first..first + numbers).map(|n| format!("{ONE}:1|c|#n:{n}\n{ALL}:{n}|c\n"));
                let at = Instant::now();
                // What is refused has not come.
                if socket.send_to(lines.collect::<String>().as_bytes(), &path).is_ok() {
                    sent.at.resize(first + numbers, at);
                }
                drop(sent);
                std::thread::sleep(every);
            }
        });
        Counter { sent, stop, thread: Some(thread) }
    }

    /// While this is held nothing is sent.
    pub fn pause(&self) -> MutexGuard<'_, Sent> {
        self.sent.lock().unwrap()
    }

    /// Ends, and tells what was sent.
    pub fn finish(mut self) -> Sent {
        self.end();
        std::mem::take(&mut *self.sent.lock().unwrap())
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.take().into_iter().for_each(|thread| thread.join().unwrap());
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.end();
        }
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// Waits until the agent has a process that writes.
pub fn writes(agent: &Agent) -> u32 {
    let mut writer = None;
    let there = wait_until(SOON, || {
        writer = writer_of(agent);
        writer.is_some()
    });
    assert!(there, "nothing is written\n{}", agent.stderr());
    writer.unwrap()
}
