//! What the integration tests share: a real Redis, a scripted intake, the agent as a child process.
//!
//! Nothing here sleeps for luck: [`wait_until`] polls a condition that can be observed, up to a bound.
// Every test crate uses its own part of this module.
#![allow(dead_code, clippy::unwrap_used)]

pub mod agent;
pub mod alone;
pub mod application;
pub mod behaviour;
pub mod bench;
pub mod connect_proxy;
pub mod core;
pub mod faketime;
pub mod figures;
pub mod http;
pub mod intake;
pub mod json;
pub mod monitor;
pub mod namespace;
pub mod processes;
pub mod producer;
pub mod proxy;
pub mod queues;
pub mod redis;
pub mod store;
pub mod temp;
pub mod tls;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Between two looks at a condition.
const POLL_EVERY: Duration = Duration::from_millis(20);

/// How long a test waits for something that normally takes a second or two.
pub const SOON: Duration = Duration::from_secs(30);

/// How long a test waits where a time-out or a back-off of the agent's has to pass first.
pub const PATIENT: Duration = Duration::from_secs(90);

/// Polls `condition` until it holds; false when it did not within `limit`.
pub fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(POLL_EVERY);
    }
}

/// Wall-clock seconds, whole.
pub fn unix_now() -> u64 {
    unix_now_f64() as u64
}

/// Wall-clock seconds.
pub fn unix_now_f64() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// When that was, or will be, by the wall clock.
pub fn unix_time_of(at: Instant) -> f64 {
    let now = Instant::now();
    unix_now_f64() - now.saturating_duration_since(at).as_secs_f64()
        + at.saturating_duration_since(now).as_secs_f64()
}

/// A TCP port of the loopback interface that nobody listened on a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// The program's place in `PATH`.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    places.extend(["/usr/bin", "/usr/sbin", "/usr/local/bin"].map(PathBuf::from));
    places.into_iter().map(|place| place.join(name)).find(|file| file.is_file())
}

/// True under continuous integration, where a test that cannot run has failed.
pub fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}

/// Says that a test did not run, and why. Fails it under continuous integration.
pub fn skip(why: &str) {
    assert!(!is_ci(), "nothing may be skipped when CI is set: {why}");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("?");
    // Straight to the stream: the test harness swallows what `eprintln!` writes in a test that passes.
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}

/// A path of this repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The cases of the corpus whose names begin with `prefix`: the repository's own in `tests/fixtures`, and those that
/// a corpus beside the repository has in addition.
pub fn corpus_cases(kind: &str, prefix: &str) -> BTreeMap<String, json::Value> {
    let mut cases = BTreeMap::new();
    for directory in ["tests/fixtures", "../shared/corpus"] {
        for entry in std::fs::read_dir(repository(directory).join(kind)).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            if path.extension().is_some_and(|extension| extension == "json") && name.starts_with(prefix) {
                cases.entry(name).or_insert_with_key(|name| {
                    let text = std::fs::read_to_string(&path).unwrap();
                    json::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
                });
            }
        }
    }
    cases
}
