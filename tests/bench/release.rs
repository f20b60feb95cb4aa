//! What the start and a release cost: time to the first command to Redis; CPU, bytes, and how long the loop is held.

use crate::aggregate::settled_cpu_ms;
use crate::load;
use crate::settings::Settings;
use crate::support::agent::{Agent, Env, env, with};
use crate::support::behaviour::status;
use crate::support::find_program;
use crate::support::intake::Intake;
use crate::support::processes::children;
use crate::support::queues::WRAPPED;
use crate::support::redis::RedisServer;
use crate::support::temp::TempDir;
use crate::support::tls::Pki;
use crate::support::{PATIENT, SOON, wait_until};
use crate::table::{Samples, Table};
use std::ffi::OsStr;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const STARTS: usize = 20;
const SERIES: usize = 10_000;

/// From before the process exists to its first byte for Redis.
pub fn start(settings: &Settings, table: &mut Table) {
    let intake = Intake::accepting();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}/0", listener.local_addr().unwrap());
    let env = with(env(&url, &intake), &[("COLLECTOR_PLUGINS", "host")]);
    let mut took = Vec::new();
    for _ in 0..STARTS {
        let before = Instant::now();
        let _agent = settings.run(&env);
        let (mut socket, _) = listener.accept().unwrap();
        socket.read_exact(&mut [0]).unwrap();
        took.push(before.elapsed().as_secs_f64() * 1e3);
    }
    table.row("start to first Redis command", Samples(took), "ms", 10.0);
}

/// What stands around an agent that releases over TLS.
struct Ends {
    redis: RedisServer,
    intake: Intake,
    pki: Pki,
}

impl Ends {
    fn new() -> Option<Ends> {
        let redis = RedisServer::start()?;
        let pki = Pki::new();
        Some(Ends { redis, intake: Intake::start_tls(&pki, |_| status(202)), pki })
    }

    fn env(&self) -> Env {
        let ca = self.pki.ca_file();
        let changes = [
            ("SSL_CERT_FILE", ca.to_str().unwrap()),
            ("RELEASE_INTERVAL", "3600"),
            ("AGGREGATE_INTERVAL", "3600"),
            ("CAPTURE_INTERVAL", "3600"),
        ];
        with(env(&self.redis.url(), &self.intake), &changes)
    }

    /// Waits for the first release, which no one asked for: from then on the agent rests.
    fn settle(&self, agent: &Agent) {
        assert!(self.intake.wait_for(SOON, |requests| !requests.is_empty()), "{}", agent.stderr());
        self.wait_until_released();
    }

    fn wait_until_released(&self) {
        let mut client = self.redis.client();
        assert!(wait_until(PATIENT, || client.size(WRAPPED) == 0), "the release did not end");
    }

    /// One release of what stands in the store as `name`; the bytes of its bodies.
    fn release(&self, name: &str, pid: u32) -> f64 {
        let before = self.intake.requests().len();
        load::stage(&self.redis, name, WRAPPED);
        let told = Command::new("kill").args(["-s", "USR1", &pid.to_string()]).status().unwrap();
        assert!(told.success());
        self.wait_until_released();
        self.intake.requests()[before..].iter().map(|request| request.body_bytes as f64).sum()
    }
}

/// Releases of 10,000: all of them different series, and the usual few series with many points.
pub fn release(settings: &Settings, table: &mut Table) {
    for (what, series) in [("10,000 series", SERIES), ("10,000 points of 400 series", 400)] {
        let Some(ends) = Ends::new() else { return };
        load::wrapped(&ends.redis, "ready", 1, 1);
        load::wrapped(&ends.redis, "queue", series, SERIES / series);
        load::stage(&ends.redis, "ready", WRAPPED);
        let mut agent = settings.run(&ends.env());
        ends.settle(&agent);
        let (mut cpu, mut bytes) = (Vec::new(), Vec::new());
        for _ in 0..settings.rounds {
            let before = settled_cpu_ms(agent.pid());
            bytes.push(ends.release("queue", agent.pid()) / 1e3);
            cpu.push(settled_cpu_ms(agent.pid()) - before);
        }
        table.row(&format!("release of {what}: CPU"), Samples(cpu), "ms", 25.0);
        table.note_samples(&format!("release of {what}: body"), &Samples(bytes), "kB");
        // Ended politely, it leaves Redis to the next agent.
        agent.signal("TERM");
        agent.wait(SOON);
        hold(settings, &ends, what, table);
    }
}

/// How long the loop is busy at a time: between the end of one wait for events and the beginning of the next.
fn hold(settings: &Settings, ends: &Ends, what: &str, table: &mut Table) {
    let what = format!("release of {what}: longest hold of the loop");
    if find_program("strace").is_none() {
        return table.note(&what, "not measured: there is no strace");
    }
    let dir = TempDir::new();
    let trace = dir.join("trace");
    let words =
        ["strace", "-f", "--seccomp-bpf", "-qq", "-ttt", "-T", "-e", "trace=epoll_wait,epoll_pwait", "-o"];
    let mut words: Vec<&OsStr> = words.map(OsStr::new).to_vec();
    words.push(trace.as_os_str());
    let path = std::env::var("PATH").unwrap_or_default();
    load::stage(&ends.redis, "ready", WRAPPED);
    let before = ends.intake.requests().len();
    let mut agent = settings.run_by(&words, &with(ends.env(), &[("PATH", &path)]));
    assert!(ends.intake.wait_for(SOON, |requests| requests.len() > before), "{}", agent.stderr());
    ends.wait_until_released();
    let traced = children(agent.pid());
    let [pid] = traced[..] else { return table.note(&what, "not measured: strace cannot trace here") };
    let mut longest = Vec::new();
    for _ in 0..settings.rounds {
        settled_cpu_ms(pid);
        let from = now_s();
        ends.release("queue", pid);
        settled_cpu_ms(pid);
        longest.push((from, now_s()));
    }
    // Ended politely, strace writes what it still holds; the agent it traces ends with it.
    let _ = Command::new("kill").args(["-s", "TERM", &pid.to_string()]).status();
    agent.wait(SOON);
    let longest = longest.into_iter().map(|(from, to)| longest_hold_ms(&trace, from, to)).collect();
    table.row(&what, Samples(longest), "ms", 10.0);
}

fn now_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// Lines `PID 1700000000.123456 epoll_wait(3, …) = 1 <0.000012>`: begun at, took.
fn longest_hold_ms(trace: &Path, from_s: f64, to_s: f64) -> f64 {
    let text = std::fs::read_to_string(trace).unwrap();
    let waits = text.lines().filter_map(|line| {
        let begun: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
        let took: f64 = line.rsplit_once('<')?.1.trim_end_matches('>').parse().ok()?;
        Some((begun, begun + took))
    });
    let waits: Vec<(f64, f64)> = waits.filter(|(begun, ended)| *ended >= from_s && *begun <= to_s).collect();
    waits.windows(2).map(|pair| (pair[1].0 - pair[0].1) * 1e3).fold(0.0, f64::max)
}
