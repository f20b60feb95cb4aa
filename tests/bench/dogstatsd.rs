//! DogStatsD at 100,000 datagrams a second: what is lost, and what a datagram costs, next to the statsd servers that
//! Debian has: collectd's plugin and netdata's.
//!
//! One count in each datagram, of one of a hundred contexts; a hundred of them each millisecond. Every server runs on
//! one core and opens the same kind of socket; what the kernel had no room for stands in `/proc/net/udp`. collectd and
//! netdata know no tags: they get the same names without.

use crate::settings::Settings;
use crate::support::agent::{Agent, env, with};
use crate::support::intake::Intake;
use crate::support::redis::RedisServer;
use crate::support::temp::TempDir;
use crate::support::{SOON, find_program, wait_until};
use crate::table::{Samples, Table};
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const PER_SECOND: usize = 100_000;
const BURST: usize = 100;
const CONTEXTS: usize = 100;
/// No more CPU time than half a core on the machine of the benchmark.
const MICROSECONDS_MAX: f64 = 5.0;

/// What one server made of the load.
struct Cost {
    lost: f64,
    microseconds: f64,
}

/// See the module.
pub fn dogstatsd(settings: &Settings, table: &mut Table) {
    let seconds = if settings.quick() { 2 } else { 10 };
    let rounds = |cost: &dyn Fn() -> Option<Cost>| -> Option<(Samples, Samples)> {
        let costs: Vec<Cost> = (0..settings.rounds.min(3)).map_while(|_| cost()).collect();
        let of = |what: fn(&Cost) -> f64| Samples(costs.iter().map(what).collect());
        (!costs.is_empty()).then(|| (of(|cost| cost.lost), of(|cost| cost.microseconds)))
    };
    let what = |who: &str, what: &str| format!("dogstatsd, {PER_SECOND} datagrams/s, {who}: {what}");
    let Some((lost, cpu)) = rounds(&|| agent(settings, seconds)) else { return };
    table.row(&what("agent", "lost"), lost, "datagrams", 1.0);
    let others = [("collectd", rounds(&|| collectd(seconds))), ("netdata", rounds(&|| netdata(seconds)))];
    table.row(&what("agent", "CPU a datagram"), cpu.clone(), "µs", MICROSECONDS_MAX);
    for (name, other) in others {
        let Some((lost, cpu)) = other else {
            table.note(&what(name, "CPU a datagram"), "not measured: it is not installed or does not start");
            continue;
        };
        let said = format!("{:.2} µs, {:.0} lost", cpu.median(), lost.median());
        table.note(&what(name, "CPU a datagram"), &said);
    }
}

fn agent(settings: &Settings, seconds: usize) -> Option<Cost> {
    let (redis, intake, port) = (RedisServer::start()?, Intake::accepting(), free_udp_port());
    let agent_env = with(
        env(&redis.url(), &intake),
        &[("DOGSTATSD_PORT", &port.to_string()), ("AGGREGATE_INTERVAL", "10")],
    );
    let agent = settings.run(&agent_env);
    assert!(agent.wait_for_line(SOON, "receiving on"), "{}", agent.stderr());
    load(&agent, port, "|#room:shed,unit:u1", seconds)
}

fn collectd(seconds: usize) -> Option<Cost> {
    let (program, dir, port) = (find_program("collectd")?, TempDir::new(), free_udp_port());
    let config = format!(
        "BaseDir \"{dir}\"\nPIDFile \"{dir}/pid\"\nInterval 10\nLoadPlugin statsd\n<Plugin statsd>\n  Host \"127.0.0.1\"\n  \
         Port \"{port}\"\n</Plugin>\nLoadPlugin csv\n<Plugin csv>\n  DataDir \"{dir}/csv\"\n</Plugin>\n",
        dir = dir.path().display()
    );
    let config = dir.write("collectd.conf", &config);
    let mut command = Command::new(program);
    command.arg("-f").arg("-C").arg(config);
    other(&mut command, port, seconds)
}

fn netdata(seconds: usize) -> Option<Cost> {
    let (program, dir, port) = (find_program("netdata")?, TempDir::new(), free_udp_port());
    let path = |name: &str| dir.path().join(name).display().to_string();
    for name in ["cache", "lib", "log"] {
        std::fs::create_dir(path(name)).ok()?;
    }
    let config = format!(
        "[global]\n run as user = root\n[directories]\n cache = {}\n lib = {}\n log = {}\n[db]\n mode = ram\n[ml]\n enabled = no\n\
         [health]\n enabled = no\n[web]\n mode = none\n[plugins]\n statsd = yes\n proc = no\n cgroups = no\n tc = no\n \
         diskspace = no\n timex = no\n idlejitter = no\n checks = no\n apps = no\n python.d = no\n go.d = no\n charts.d = no\n \
         ebpf = no\n slabinfo = no\n nfacct = no\n ioping = no\n perf = no\n enable running new plugins = no\n\
         [statsd]\n default port = {port}\n bind to = udp:127.0.0.1:{port}\n",
        path("cache"),
        path("lib"),
        path("log")
    );
    let config = dir.write("netdata.conf", &config);
    let mut command = Command::new(program);
    command.arg("-D").arg("-c").arg(config);
    other(&mut command, port, seconds)
}

fn other(command: &mut Command, port: u16, seconds: usize) -> Option<Cost> {
    let mut server = Agent::start(command);
    let up = wait_until(SOON, || !server.is_running() || drops(port).is_some());
    (up && server.is_running()).then(|| load(&server, port, "", seconds)).flatten()
}

/// Pins a server to a core, sends, and waits until nothing is left in its socket.
fn load(server: &Agent, port: u16, tags: &str, seconds: usize) -> Option<Cost> {
    let pinned = Command::new("taskset").args(["-a", "-cp", "0", &server.pid().to_string()]).output().ok()?;
    assert!(pinned.status.success(), "{}", String::from_utf8_lossy(&pinned.stderr));
    let before = cpu_ms(server.pid());
    let sent = send(port, tags, seconds);
    assert!(wait_until(SOON, || drops(port).is_some_and(|(queued, _)| queued == 0)), "it reads no more");
    let (_, lost) = drops(port)?;
    Some(Cost { lost, microseconds: (cpu_ms(server.pid()) - before) * 1e3 / sent as f64 })
}

fn send(port: u16, tags: &str, seconds: usize) -> usize {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let datagrams: Vec<String> = (0..CONTEXTS).map(|i| format!("app.module.metric{i}:1|c{tags}")).collect();
    let (started, bursts) = (Instant::now(), seconds * PER_SECOND / BURST);
    for burst in 0..bursts {
        for datagram in datagrams.iter().cycle().take(BURST) {
            let _ = socket.send(datagram.as_bytes());
        }
        let next = started + Duration::from_secs_f64((burst + 1) as f64 * BURST as f64 / PER_SECOND as f64);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let took = started.elapsed().as_secs_f64();
    assert!(took < seconds as f64 * 1.1, "the sender is too slow: {took:.1} s");
    bursts * BURST
}

/// Bytes that wait in the socket of a port, and datagrams it had no room for; none where there is no such socket.
fn drops(port: u16) -> Option<(u64, f64)> {
    let text = std::fs::read_to_string("/proc/self/net/udp").ok()?;
    let local = format!(":{port:04X}");
    let line =
        text.lines().find(|line| line.split_whitespace().nth(1).is_some_and(|at| at.ends_with(&local)))?;
    let fields: Vec<&str> = line.split_whitespace().collect();
    let queued = u64::from_str_radix(fields.get(4)?.split(':').nth(1)?, 16).ok()?;
    Some((queued, fields.last()?.parse().ok()?))
}

/// CPU time of all threads, in milliseconds.
fn cpu_ms(pid: u32) -> f64 {
    let of = |task: &Path| -> Option<f64> {
        let text = std::fs::read_to_string(task.join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    };
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks.filter_map(|task| of(&task.path())).sum::<f64>() / 1e6
}

fn free_udp_port() -> u16 {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
