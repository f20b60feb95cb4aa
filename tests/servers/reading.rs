//! The plugins read without an agent, as `doctor` and `metrics` do it.

use crate::docker::engine;
use crate::kubelet::{Pki, variables};
use crate::script::{Manner, Server, ok};
use crate::support::redis::RedisServer;
use crate::support::temp::TempDir;
use crate::support::{free_port, wait_until};
use chouette_iot::collect::Gauge;
use chouette_iot::config::Config;
use chouette_iot::protocol::redis::{Request, Value, cmd};
use chouette_iot::runtime::reading::{PluginReader, PluginReading};
use chouette_iot::runtime::setup::plugin_reader;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// More than a healthy plugin needs, on a busy machine.
const AMPLE: Duration = Duration::from_secs(20);
/// What the reading of one that hangs is given.
const SHORT: Duration = Duration::from_secs(3);

fn reader(plugins: &str, more: &[(&str, &str)]) -> PluginReader {
    let own = [("API_KEY", "k"), ("COLLECTOR_PLUGINS", plugins), ("CAPTURE_INTERVAL", "3600")];
    let config = Config::from_vars(own.iter().chain(more).copied()).unwrap();
    plugin_reader(&config, 1).unwrap()
}

fn of<'a>(readings: &'a [PluginReading], plugin: &str) -> &'a PluginReading {
    readings.iter().find(|reading| reading.plugin == plugin).unwrap()
}

fn named<'a>(reading: &'a PluginReading, metric: &str) -> Vec<&'a Gauge> {
    reading.gauges.iter().filter(|gauge| gauge.name == metric).collect()
}

fn problem(reading: &PluginReading) -> String {
    reading.problem.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn program(dir: &TempDir, script: &str) -> String {
    let path =
        dir.write("tegrastats", &format!("#!/bin/sh\necho $$ > {}\n{script}", dir.join("pid").display()));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn all_plugins_are_read_at_once_and_one_that_hangs_costs_only_itself() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    redis.client().run::<()>(&["HSET", "dramatiq:mail.msgs", "1", "message"]);
    let dir = TempDir::new();
    let socket = dir.join("docker.sock");
    let _docker = Server::unix(&socket, engine(3, Manner::Whole));
    let pki = Pki::new();
    let kubelet = Server::tls(pki.asking(), |_| ok("").in_manner(Manner::Hang));
    let printing = "while :; do echo 'RAM 1310/3964MB (lfb 8x4MB) CPU@38.5C'; sleep 0.1; done\n";
    let (socket, tegrastats) = (socket.to_string_lossy(), program(&dir, printing));
    let own = variables(&kubelet, &pki);
    let mut own: Vec<(&str, &str)> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let url = redis.url();
    own.extend([
        ("REDIS_URL", url.as_str()),
        ("DOCKER_SOCKET_PATH", &socket),
        ("TEGRASTATS_PATH", &tegrastats),
    ]);
    let mut reader = reader("docker,k8s,dramatiq,tegrastats,host", &own);

    let readings = reader.read(SHORT).unwrap();
    let plugins: Vec<_> = readings.iter().map(|reading| reading.plugin).collect();
    assert_eq!(plugins, ["docker", "k8s", "dramatiq", "tegrastats", "host"]);
    assert_eq!(named(of(&readings, "docker"), "Chouette.docker.memory.usage").len(), 3);
    assert_eq!(named(of(&readings, "dramatiq"), "Chouette.dramatiq.queue_size").len(), 1);
    assert_eq!(named(of(&readings, "tegrastats"), "Chouette.tegrastats.ram.used").len(), 1);
    assert_eq!(named(of(&readings, "host"), "Chouette.host.la").len(), 1);
    for reading in readings.iter().filter(|reading| reading.plugin != "k8s") {
        assert!(reading.problem.is_none() && reading.took < SHORT, "{reading:?}");
    }
    let k8s = of(&readings, "k8s");
    assert!(k8s.gauges.is_empty() && k8s.took == SHORT, "{k8s:?}");
    assert_eq!(problem(k8s), "k8s: no answer within 3 s");

    // The share of the processor is what has changed between two readings; the kubelet still owes its first answer.
    assert!(named(of(&readings, "host"), "Chouette.host.cpu.percentage").is_empty());
    let readings = reader.read(SHORT).unwrap();
    assert_eq!(named(of(&readings, "host"), "Chouette.host.cpu.percentage").len(), 1);
    assert_eq!(named(of(&readings, "tegrastats"), "Chouette.tegrastats.ram.used").len(), 1);
    assert_eq!((kubelet.most_open(), problem(of(&readings, "k8s"))), (1, problem(k8s)));

    // The reader answers for other questions too, and what it has started ends with it.
    let mut request = Request::new();
    request.push(cmd("HLEN").arg("dramatiq:mail.msgs"));
    assert_eq!(reader.ask_redis(request, AMPLE).unwrap(), Ok(vec![Value::Int(1)]));
    let pid = std::fs::read_to_string(dir.join("pid")).unwrap();
    let entry = Path::new("/proc").join(pid.trim());
    assert!(entry.exists());
    drop(reader);
    let is_gone = || chouette_iot::runtime::child::reap() == 0 && !entry.exists();
    assert!(wait_until(AMPLE, is_gone), "{entry:?}");
}

#[test]
fn what_is_not_there_is_told_at_once() {
    let dir = TempDir::new();
    let url = format!("redis://127.0.0.1:{}", free_port());
    let (socket, missing) = (dir.join("docker.sock"), dir.join("tegrastats"));
    let own = [
        ("REDIS_URL", url.as_str()),
        ("DOCKER_SOCKET_PATH", &socket.to_string_lossy()),
        ("TEGRASTATS_PATH", &missing.to_string_lossy()),
    ];
    let began = Instant::now();
    let mut reader = reader("docker,dramatiq,tegrastats", &own);
    let readings = reader.read(AMPLE).unwrap();
    assert!(problem(of(&readings, "docker")).contains(&*socket.to_string_lossy()), "{readings:?}");
    assert!(problem(of(&readings, "dramatiq")).contains("connection refused"), "{readings:?}");
    assert!(problem(of(&readings, "tegrastats")).contains("no such program"), "{readings:?}");
    let answer = reader.ask_redis(Request::new(), AMPLE).unwrap();
    assert!(answer.as_ref().is_err_and(|reason| reason.contains("connection refused")), "{answer:?}");
    assert!(began.elapsed() < AMPLE, "{:?}", began.elapsed());
}

#[test]
fn a_program_is_awaited_for_its_first_line_and_no_longer_than_that() {
    let dir = TempDir::new();
    let late = "echo welcome; sleep 1; echo 'RAM 1310/3964MB (lfb 8x4MB)'; exec sleep 600\n";
    let path = program(&dir, late);
    let readings = reader("tegrastats", &[("TEGRASTATS_PATH", &path)]).read(AMPLE).unwrap();
    let reading = of(&readings, "tegrastats");
    assert_eq!(named(reading, "Chouette.tegrastats.ram.used").len(), 1, "{reading:?}");
    assert!((Duration::from_secs(1)..AMPLE).contains(&reading.took), "{reading:?}");

    let path = program(&dir, "exec sleep 600\n");
    let readings = reader("tegrastats", &[("TEGRASTATS_PATH", &path)]).read(Duration::from_secs(1)).unwrap();
    assert_eq!(problem(&readings[0]), "tegrastats: its program has told nothing within 1 s");
}
