//! What the agent costs while nothing happens: memory, CPU and wake-ups a minute, bytes on the wire a minute.
//!
//! Two boards, each a network namespace with a cable to this one, at default intervals. The kernel counts the bytes of
//! their IP packets: segments, acknowledgements and handshakes as they are. Redis is reached by a unix socket, so the
//! cable carries nothing but releases. What the Python version would have sent is made of what arrived, and is sent by
//! `python_release.py` from the same board to the same intake.

use crate::load::Random;
use crate::process;
use crate::settings::Settings;
use crate::support::agent::{Agent, Env, env, with};
use crate::support::behaviour::status;
use crate::support::intake::{Intake, Request};
use crate::support::json::{self, Value};
use crate::support::queues::{RAW, raw_record};
use crate::support::redis::RedisServer;
use crate::support::temp::TempDir;
use crate::support::tls::Pki;
use crate::support::{find_program, unix_now, wait_until};
use crate::table::Table;
use std::ffi::OsStr;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What the release interval is by default, and how late the last acknowledgement of one may be.
const MINUTE: Duration = Duration::from_secs(60);
const AFTERWARDS: Duration = Duration::from_secs(2);

/// As on a Jetson Nano, with the word that comes after the program's name the interval in ms.
const TEGRASTATS: &str = "#!/bin/sh
n=0
while :; do
    n=$((n + 1))
    echo \"RAM $((1310 + n % 7))/3964MB (lfb 8x4MB) SWAP 44/1982MB (cached 2MB) CPU [7%@1224,6%@1224,9%@1224,31%@1224] \\
EMC_FREQ 1%@1600 GR3D_FREQ 0%@76 PLL@$((36 + n % 2))C CPU@38.5C PMIC@100C GPU@35.5C AO@$((43 + n % 3))C thermal@37C\"
    sleep $(($2 / 1000))
done
";

/// A board at the other end of a cable.
struct Board {
    /// Its namespace lasts as long as this process.
    keeper: Child,
    intake: Intake,
    redis: RedisServer,
    pki: Pki,
    agent: Option<Agent>,
}

/// What was counted on a board.
struct Count {
    wire: f64,
    cpu_ms: f64,
    wakeups: f64,
    requests: usize,
}

impl Board {
    fn new(number: u8) -> Option<Board> {
        let redis = RedisServer::start()?;
        let keeper = Command::new("unshare")
            .args(["--net", "--", "sleep", "3600"])
            .stdin(Stdio::null())
            .spawn()
            .ok()?;
        let pid = keeper.id().to_string();
        // Until it has left, the namespace would be ours.
        let own = std::fs::read_link("/proc/self/ns/net").ok()?;
        wait_until(MINUTE, || {
            std::fs::read_link(format!("/proc/{pid}/ns/net")).is_ok_and(|link| link != own)
        });
        let (wire, here, there) =
            (format!("wire{number}"), format!("10.77.{number}.1"), format!("10.77.{number}.2"));
        let script = format!(
            "set -e
             ip link add {wire} type veth peer name wire netns {pid}
             ip address add {here}/30 dev {wire}
             ip link set {wire} up gso_max_segs 1
             nsenter -t {pid} --net ip address add {there}/30 dev wire
             nsenter -t {pid} --net ip link set wire up gso_max_segs 1"
        );
        let done = Command::new("sh").args(["-c", &script]).status().ok()?.success();
        let pki = Pki::new();
        let ip: Ipv4Addr = here.parse().ok()?;
        let intake = Intake::start_tls_at(ip, pki.server_for(&[&here], 4096), |_| status(202));
        done.then_some(Board { keeper, intake, redis, pki, agent: None })
    }

    fn words(&self) -> Vec<String> {
        ["nsenter", "-t", &self.keeper.id().to_string(), "--net", "--"].map(str::to_owned).to_vec()
    }

    fn env(&self, changes: &[(&str, &str)]) -> Env {
        let socket = format!("unix://{}", self.redis.socket().display());
        let mut all = env(&socket, &self.intake);
        all.retain(|(name, _)| !name.ends_with("_INTERVAL") && name != "SEND_SELF_METRICS");
        all = with(all, &[("HOST", "board-1"), ("GLOBAL_TAGS", "[\"site:roof\"]")]);
        all = with(all, &[("SSL_CERT_FILE", self.pki.ca_file().to_str().unwrap())]);
        with(all, changes)
    }

    fn run(&mut self, settings: &Settings, changes: &[(&str, &str)]) {
        let path = std::env::var("PATH").unwrap_or_default();
        let words = self.words();
        let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
        self.agent = Some(settings.run_by(&words, &with(self.env(changes), &[("PATH", &path)])));
    }

    fn count(&self) -> Count {
        let pid = self.agent.as_ref().unwrap().pid();
        Count {
            wire: process::ip_bytes(self.keeper.id()),
            cpu_ms: process::cpu_ms(pid),
            wakeups: process::status(pid, "voluntary_ctxt_switches"),
            requests: self.intake.requests().len(),
        }
    }

    /// Sends requests as the Python version would; how many bytes that took.
    fn as_python(&self, requests: &[Arc<Request>]) -> Option<f64> {
        let before = process::ip_bytes(self.keeper.id());
        for request in requests {
            let words = self.words();
            let mut child = Command::new(&words[0])
                .args(&words[1..])
                .arg(find_program("python3")?)
                .arg(crate::support::repository("tests/bench/python_release.py"))
                .arg(self.intake.url())
                .arg(self.pki.ca_file())
                .stdin(Stdio::piped())
                .spawn()
                .ok()?;
            child.stdin.take()?.write_all(separate(request).as_bytes()).ok()?;
            if !child.wait().ok()?.success() {
                return None;
            }
        }
        std::thread::sleep(AFTERWARDS);
        Some(process::ip_bytes(self.keeper.id()) - before)
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.agent = None;
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// One series for each point, one a line. Moments have fractions, as `time.time()` gives them.
fn separate(request: &Request) -> String {
    let mut out = String::new();
    let mut random = Random::new();
    for series in request.series() {
        let Value::Object(members) = series else { continue };
        for point in json::items(members.get("points")) {
            let [second, value] = json::items(Some(point)) else { continue };
            let second = json::integer(Some(second)).unwrap_or_default();
            let parts: Vec<String> = ["metric", "tags", "type", "interval", "host"]
                .into_iter()
                .filter_map(|name| {
                    Some(format!("\"{name}\": {}", miniserde::json::to_string(members.get(name)?)))
                })
                .collect();
            out.push_str(&format!(
                "{{{}, \"points\": [[{second}.{:07}, {}]]}}\n",
                parts.join(", "),
                1 + random.below(9_999_998),
                miniserde::json::to_string(value)
            ));
        }
    }
    out
}

/// 35 series: 12 counts, 12 gauges, 6 rates and a histogram with its five, a sample of each a second.
fn application(redis: &RedisServer, ends: &AtomicBool) {
    let mut client = redis.client();
    let mut random = Random::new();
    let mut level = 2_000;
    let mut number = 0;
    let mut due = Instant::now();
    while !ends.load(Ordering::SeqCst) {
        level = level + random.below(21) - 10;
        for i in 0..31 {
            let (kind, value) = match i {
                0..12 => ("count", random.below(5).to_string()),
                12..24 => ("gauge", format!("{}.{:02}", level / 100 + i, level % 100)),
                24..30 => ("rate", random.below(300).to_string()),
                _ => ("histogram", format!("0.{:05}", random.below(100_000))),
            };
            let at_s = unix_now() as f64 + random.below(1_000) as f64 / 1e3;
            let (unit, room) = (format!("u{i}"), format!("room-{}", i % 4));
            let record = raw_record(
                &format!("app.module.{kind}{i}"),
                kind,
                &value,
                at_s,
                &[("unit", &unit), ("room", &room)],
            );
            number += 1;
            client.push(RAW, &format!("app-{number}"), Some(at_s), Some(record.as_bytes()));
        }
        due += Duration::from_secs(1);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

/// Both boards at the same time.
pub fn minutes(settings: &Settings, table: &mut Table) {
    let (Some(mut plain), Some(mut full)) = (Board::new(1), Board::new(2)) else {
        return table.note("idle, bytes on the wire", "not measured: no network namespaces here");
    };
    let dir = TempDir::new();
    let tegrastats = dir.write("tegrastats", TEGRASTATS);
    let _ = Command::new("chmod").arg("755").arg(&tegrastats).status();
    plain.run(settings, &[("COLLECTOR_PLUGINS", "host")]);
    let both = [("COLLECTOR_PLUGINS", "host,tegrastats"), ("TEGRASTATS_PATH", tegrastats.to_str().unwrap())];
    full.run(settings, &both);
    let ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| application(&full.redis, &ends));
        let measured = [(&plain, "host only"), (&full, "host, tegrastats, 35 application series")]
            .map(|(board, what)| (scope.spawn(|| watch(board, settings.minutes)), board, what));
        let mut found = Vec::new();
        for (thread, board, what) in measured {
            found.push((thread.join().unwrap(), board, what));
        }
        ends.store(true, Ordering::SeqCst);
        for ((before, after), board, what) in found {
            report(board, what, &before, &after, table);
        }
    });
}

/// Counts from one release to another. The first two, with the handshake and what start-up left, come before.
fn watch(board: &Board, minutes: usize) -> (Count, Count) {
    let reaches = |releases: usize| {
        let limit = MINUTE * (minutes as u32 + 3);
        assert!(board.intake.wait_for(limit, |requests| requests.len() >= releases), "no release");
        std::thread::sleep(AFTERWARDS);
        board.count()
    };
    let before = reaches(2);
    let after = reaches(before.requests + minutes);
    (before, after)
}

fn report(board: &Board, what: &str, before: &Count, after: &Count, table: &mut Table) {
    let requests = &board.intake.requests()[before.requests..after.requests];
    let minutes = requests.len() as f64;
    let pid = board.agent.as_ref().unwrap().pid();
    let name = |part: &str| format!("{what}: {part}");
    if what == "host only" {
        table.row(&name("RSS"), process::memory_mb(pid, "VmRSS"), "MB", 2.0);
        table.row(&name("anonymous memory"), process::memory_mb(pid, "RssAnon"), "MB", 0.5);
        table.row(&name("CPU a minute"), (after.cpu_ms - before.cpu_ms) / minutes, "ms", 10.0);
        table.row(&name("wake-ups a minute"), (after.wakeups - before.wakeups) / minutes, "", 30.0);
    } else {
        table.note(&name("RSS"), &format!("{:.2} MB", process::memory_mb(pid, "VmRSS")));
        table.note(&name("CPU a minute"), &format!("{:.1} ms", (after.cpu_ms - before.cpu_ms) / minutes));
    }
    let points: usize = requests.iter().map(|request| separate(request).lines().count()).sum();
    let bodies: usize = requests.iter().map(|request| request.body_bytes).sum();
    let ours = (after.wire - before.wire) / minutes;
    table.note(
        &name("points, bytes of body a minute"),
        &format!("{:.0}, {:.0} B", points as f64 / minutes, bodies as f64 / minutes),
    );
    match board.as_python(requests) {
        Some(python) => {
            let python = python / minutes;
            table.note(&name("bytes on the wire a minute, Python version"), &format!("{python:.0} B"));
            table.row(&name("bytes on the wire a minute"), ours, "B", python * 0.35);
        }
        None => table
            .note(&name("bytes on the wire a minute"), &format!("{ours:.0} B; no python3 to compare with")),
    }
}
