//! What the service manager is told, heard with a real socket.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use super::support::agent::Agent;
use super::support::behaviour::status;
use super::support::bench::{Bench, arrives, push_gauge};
use super::support::figures::figure;
use super::support::redis::{Options, RedisServer};
use super::support::temp::TempDir;
use super::support::{SOON, agent, intake::Intake};

const PERIOD_US: &str = "400000";
/// Several times the period of the watchdog.
const SILENCE: Duration = Duration::from_millis(1500);

/// The manager's end.
struct Manager {
    socket: UnixDatagram,
    name: String,
    _dir: TempDir,
}

impl Manager {
    fn new() -> Manager {
        let dir = TempDir::new();
        let path = dir.join("notify");
        let name = path.to_string_lossy().into_owned();
        Manager { socket: UnixDatagram::bind(path).unwrap(), name, _dir: dir }
    }

    fn abstract_name() -> Manager {
        let dir = TempDir::new();
        let name = dir.path().file_name().unwrap().to_string_lossy().into_owned();
        let address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        Manager { socket: UnixDatagram::bind_addr(&address).unwrap(), name: format!("@{name}"), _dir: dir }
    }

    fn next(&self, limit: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(limit)).unwrap();
        let mut bytes = [0; 4096];
        let count = self.socket.recv(&mut bytes).ok()?;
        Some(String::from_utf8(bytes[..count].to_vec()).unwrap())
    }

    /// The next message that holds a line which begins so; those before it are passed over.
    fn wait_for(&self, line: &str) -> String {
        let deadline = Instant::now() + SOON;
        let begins = |message: &String| message.lines().any(|one| one.starts_with(line));
        while let Some(message) = self.next(deadline.saturating_duration_since(Instant::now()).max(SILENCE)) {
            if begins(&message) {
                return message;
            }
            assert!(Instant::now() < deadline, "{line} was not told");
        }
        panic!("{line} was not told");
    }

    /// Everything that was told and not heard yet.
    fn rest(&self) -> Vec<String> {
        std::iter::from_fn(|| self.next(Duration::from_millis(1))).collect()
    }
}

fn monotonic() -> Duration {
    Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap())
}

#[test]
fn from_ready_to_stopping() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let manager = Manager::new();
    let env = bench.env_with(&[("NOTIFY_SOCKET", &manager.name), ("WATCHDOG_USEC", PERIOD_US)]);
    let started = Instant::now();
    let mut agent = Agent::run(&env);
    assert_eq!(manager.next(SOON).unwrap(), "READY=1\nSTATUS=nothing released yet");
    figure("packages", "from the start to READY=1, debug build", &format!("{:?}", started.elapsed()));

    push_gauge(&mut bench.redis.client(), "one", 1.0);
    let told = manager.wait_for("STATUS=metrics ");
    assert!(told.ends_with(" UTC ok") && told.lines().count() == 1, "{told}");

    for _ in 0..3 {
        assert_eq!(manager.wait_for("WATCHDOG="), "WATCHDOG=1");
    }
    agent.signal("STOP");
    manager.rest();
    assert_eq!(manager.next(SILENCE), None, "a process that hangs feeds the watchdog");
    agent.signal("CONT");
    manager.wait_for("WATCHDOG=1");

    let before = monotonic();
    agent.signal("HUP");
    let reloading = manager.wait_for("RELOADING=1");
    let told = reloading.lines().nth(1).unwrap().strip_prefix("MONOTONIC_USEC=").unwrap();
    let told = Duration::from_micros(told.parse::<u64>().unwrap() + 1);
    assert!(before <= told && told <= monotonic() + Duration::from_micros(1), "{before:?} {told:?}");
    manager.wait_for("READY=1");

    agent.signal("TERM");
    manager.wait_for("STOPPING=1");
    assert_eq!(agent.wait(SOON), Some(0));
    assert!(!manager.rest().iter().any(|message| message.contains("STOPPING")), "told twice");
    // What the manager sets is no slip in the settings.
    assert!(!agent.stderr().contains("configuration:"), "{}", agent.stderr());
}

/// An outage is no reason for a new start.
#[test]
fn without_redis_and_intake_the_watchdog_is_fed() {
    let Some(mut redis) = RedisServer::prepare(&Options::default()) else {
        return;
    };
    let intake = Intake::start(|_| status(503));
    let manager = Manager::abstract_name();
    let env = agent::with(
        agent::env(&redis.url(), &intake),
        &[("NOTIFY_SOCKET", &manager.name), ("WATCHDOG_USEC", PERIOD_US)],
    );
    let agent = Agent::run(&env);
    manager.wait_for("READY=1");
    assert!(agent.wait_for_line(SOON, "redis"), "{}", agent.stderr());
    manager.rest();
    for _ in 0..3 {
        manager.wait_for("WATCHDOG=1");
    }
    redis.launch();
    push_gauge(&mut redis.client(), "one", 1.0);
    let told = manager.wait_for("STATUS=metrics ");
    assert!(told.ends_with(" UTC failed: status 503"), "{told}");
    manager.rest();
    for _ in 0..3 {
        manager.wait_for("WATCHDOG=1");
    }
}

#[test]
fn the_watchdog_of_another_process_is_not_fed() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let manager = Manager::new();
    let env = bench.env_with(&[
        ("NOTIFY_SOCKET", &manager.name),
        ("WATCHDOG_USEC", "1000"),
        ("WATCHDOG_PID", &std::process::id().to_string()),
    ]);
    let mut agent = Agent::run(&env);
    manager.wait_for("READY=1");
    push_gauge(&mut bench.redis.client(), "one", 1.0);
    assert!(arrives(&bench.intake, "one", SOON));
    // The answer has come, too: what is told after the signal is the end.
    let told_before = manager.wait_for("STATUS=metrics ");
    assert!(told_before.ends_with("ok"), "{told_before}");
    agent.signal("TERM");
    assert_eq!(agent.wait(SOON), Some(0));
    let told = manager.rest();
    assert!(!told.iter().any(|message| message.contains("WATCHDOG")), "{told:?}");
    assert_eq!(told.last().unwrap(), "STOPPING=1");
}

/// The manager may be busy: its queue fills, nothing waits for it, and what matters is told later.
#[test]
fn a_manager_that_does_not_listen_holds_nothing_up() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let manager = Manager::new();
    let env = bench.env_with(&[("NOTIFY_SOCKET", &manager.name), ("WATCHDOG_USEC", "2000")]);
    let agent = Agent::run(&env);
    // Long before this arrives some hundred messages were due, and the kernel keeps a dozen or so.
    push_gauge(&mut bench.redis.client(), "one", 1.0);
    assert!(arrives(&bench.intake, "one", SOON));
    agent.signal("HUP");
    assert!(agent.wait_for_line(SOON, "connecting anew"), "{}", agent.stderr());
    assert!(manager.next(SOON).unwrap().starts_with("READY=1"));
    manager.wait_for("RELOADING=1");
    manager.wait_for("READY=1");
}

#[test]
fn a_socket_that_nobody_listens_to_is_told_of_once() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let gone = TempDir::new().join("notify").to_string_lossy().into_owned();
    for (name, complaint) in
        [(&gone[..], "the service manager cannot be told"), ("relative", "NOTIFY_SOCKET relative")]
    {
        let env = bench.env_with(&[("NOTIFY_SOCKET", name), ("WATCHDOG_USEC", "2000")]);
        let mut agent = Agent::run(&env);
        push_gauge(&mut bench.redis.client(), name, 1.0);
        assert!(arrives(&bench.intake, name, SOON));
        agent.signal("TERM");
        assert_eq!(agent.wait(SOON), Some(0));
        assert_eq!(agent.stderr().matches(complaint).count(), 1, "{}", agent.stderr());
    }
}

/// A child that told the manager something would speak for the agent.
#[test]
fn children_do_not_inherit_the_socket() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let manager = Manager::new();
    // A program that the plugin starts tells what it was given.
    let dir = TempDir::new();
    let told = dir.join("environment");
    let program = dir.write(
        "tegrastats",
        &format!("#!/bin/sh\nenv >{0}.new; mv {0}.new {0}; exec sleep 60\n", told.display()),
    );
    assert!(Command::new("chmod").arg("755").arg(&program).status().unwrap().success());
    let env = bench.env_with(&[
        ("NOTIFY_SOCKET", &manager.name),
        ("COLLECTOR_PLUGINS", "tegrastats"),
        ("TEGRASTATS_PATH", &program.to_string_lossy()),
    ]);
    let agent = Agent::run(&env);
    assert!(super::support::wait_until(SOON, || told.exists()), "{}", agent.stderr());
    assert!(!std::fs::read_to_string(&told).unwrap().contains("NOTIFY_SOCKET"));
}
