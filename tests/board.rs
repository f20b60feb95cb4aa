//! The plugin `board` over real directories, over this machine, and through the real binary.
#![allow(clippy::unwrap_used)]

mod support;

use chouette_iot::collect::{Collector, Options, Reading, board::Group, plugin};
use chouette_iot::limits::{BOARD_FILE_BYTES_MAX, LIST_NAMES_MAX};
use chouette_iot::runtime::host_root::HostRoot;
use std::fs;
use std::time::{Duration, Instant};
use support::agent::{self, Agent, Env};
use support::intake::{Intake, Request};
use support::redis::RedisServer;
use support::store::Store;
use support::temp::TempDir;
use support::{SOON, repository};

use std::sync::Arc;

/// A board of the fuzzer's as a directory. A line `=== PATH` begins a file.
fn board(name: &str) -> TempDir {
    let text = fs::read_to_string(repository("tests/fuzz/corpus/board").join(name)).unwrap();
    let root = TempDir::new();
    for file in text.split("=== ").filter(|file| !file.is_empty()) {
        let (path, content) = file.split_once('\n').unwrap();
        root.write(path, content);
    }
    root
}

fn collector(groups: &[Group]) -> Box<dyn Collector> {
    let options = Options { board_groups: groups.to_vec(), capture_interval_s: 30, ..Options::default() };
    (plugin("board").unwrap().build)(&options)
}

fn all() -> Vec<Group> {
    Group::WORDS.iter().map(|(_, group)| *group).collect()
}

/// One turn: `NAME[TAGS]=VALUE` without what they all begin with, and the error.
fn read(root: &std::path::Path, groups: &[Group]) -> (Vec<String>, String) {
    let files = HostRoot::new(root);
    let mut reading = Reading::new(&files);
    let told = collector(groups).begin(&mut reading);
    let show = |gauge: &chouette_iot::collect::Gauge| {
        assert!(gauge.value.is_finite(), "{gauge:?}");
        let tags: Vec<_> = gauge.tags.iter().collect();
        let name = gauge.name.strip_prefix("Chouette.board.").unwrap();
        format!("{name}[{}]={}", tags.join(","), gauge.value.as_f64())
    };
    let error = told.map_or_else(|error| error.to_string(), |()| String::new());
    (reading.gauges.iter().map(show).collect(), error)
}

/// What a board gives without what the kernel of this machine says of its clock.
fn check(name: &str, expected: &[&str]) {
    let root = board(name);
    let (mut found, error) = read(root.path(), &all());
    found.retain(|gauge| !gauge.starts_with("clock."));
    assert_eq!(found, expected, "{name}");
    assert_eq!(error, "", "{name}");
}

#[test]
fn a_raspberry_pi_4() {
    check(
        "pi4",
        &[
            "temperature[zone:cpu-thermal]=48.312",
            "under_voltage[]=1",
            "uptime[]=20912",
            "tasks[]=211",
            "cpu.frequency[policy:0]=1800000000",
            "disk.bytes.read[disk:mmcblk0]=159794176",
            "disk.bytes.written[disk:mmcblk0]=2157501440",
            "wifi.signal[iface:wlan0]=-50",
            "wifi.quality[iface:wlan0]=60",
        ],
    );
}

#[test]
fn a_raspberry_pi_3_with_an_old_kernel() {
    check(
        "pi3_old",
        &[
            "temperature[zone:cpu-thermal]=61.224",
            "under_voltage[]=0",
            "frequency_capped[]=0",
            "temperature_limit[]=1",
            "throttled[]=0",
            "uptime[]=991",
            "tasks[]=98",
            "cpu.frequency[policy:0]=1200000000",
        ],
    );
}

#[test]
fn a_raspberry_pi_5_with_containers() {
    check(
        "pi5",
        &[
            "temperature[zone:cpu-thermal]=55.9",
            "under_voltage[]=0",
            "uptime[]=20912",
            "tasks[]=311",
            "cpu.frequency[policy:0]=2400000000",
            "pressure.some[resource:cpu]=0.78",
            "pressure.some[resource:io]=0.72",
            "pressure.full[resource:io]=0.7",
            "pressure.some[resource:memory]=0",
            "pressure.full[resource:memory]=0",
            "disk.bytes.read[disk:nvme0n1]=4767794176",
            "disk.bytes.written[disk:nvme0n1]=416877501440",
            "container.cpu.usage[container:e7d6c5b4a392]=17",
            "container.memory.usage[container:4b2f7f0f8f0e]=11001856",
            "container.cpu.usage[container:4b2f7f0f8f0e]=231319770",
        ],
    );
}

#[test]
fn a_jetson_nano() {
    check(
        "jetson_nano",
        &[
            "temperature[zone:AO-therm]=42.5",
            "temperature[zone:CPU-therm]=36.5",
            "temperature[zone:PLL-therm]=34.5",
            "temperature[zone:thermal-fan-est]=36.5",
            "throttled[]=1",
            "emmc.wear[disk:mmcblk0,memory:a]=20",
            "emmc.wear[disk:mmcblk0,memory:b]=10",
            "emmc.pre_eol[disk:mmcblk0]=1",
            "uptime[]=20912",
            "tasks[]=411",
            "cpu.frequency[policy:0]=1479000000",
            "disk.bytes.read[disk:mmcblk0]=671794176",
            "disk.bytes.written[disk:mmcblk0]=2669501440",
        ],
    );
}

#[test]
fn a_server_in_the_cloud_has_next_to_nothing() {
    check(
        "server",
        &[
            "uptime[]=391912",
            "tasks[]=1211",
            "disk.bytes.read[disk:vda]=217324135424",
            "disk.bytes.written[disk:vda]=214180872192",
        ],
    );
    check_nothing(TempDir::new().path());
}

fn check_nothing(root: &std::path::Path) {
    let (found, error) = read(root, &all());
    assert!(found.iter().all(|gauge| gauge.starts_with("clock.")), "{found:?}");
    assert_eq!(error, "");
}

#[test]
fn ten_thousand_zones_cost_only_their_group() {
    let root = board("pi4");
    for n in 1..10_000 {
        fs::create_dir(root.join("sys/class/thermal").join(format!("thermal_zone{n}"))).unwrap();
    }
    let (found, error) = read(root.path(), &all());
    assert_eq!(found.first().map(String::as_str), Some("under_voltage[]=1"));
    assert!(found.contains(&"uptime[]=20912".to_owned()), "{found:?}");
    // The processor's cooling devices would stand there, too.
    let too_large = "sys/class/thermal: file too large";
    assert_eq!(error, format!("{too_large}; {too_large}"));
    const { assert!(LIST_NAMES_MAX < 10_000) };
}

#[test]
fn hostile_files_cost_only_themselves() {
    let root = board("pi5");
    let write = |path: &str, bytes: &[u8]| fs::write(root.join(path), bytes).unwrap();
    write("sys/class/thermal/thermal_zone0/type", b"cpu\xff\xfe-thermal\n");
    write("sys/class/hwmon/hwmon3/in0_lcrit_alarm", b"");
    write("sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq", b"184467440737095516160");
    write("sys/block/nvme0n1/stat", b"\0\0\0");
    write("proc/pressure/io", &vec![b'x'; BOARD_FILE_BYTES_MAX as usize + 1]);
    write("proc/uptime", b"\xff");
    fs::remove_file(root.join("proc/loadavg")).unwrap();
    fs::create_dir(root.join("proc/loadavg")).unwrap();
    // A group that leads back to the root.
    std::os::unix::fs::symlink("..", root.join("sys/fs/cgroup/loop")).unwrap();
    let (mut found, error) = read(root.path(), &all());
    found.retain(|gauge| !gauge.starts_with("clock.") && !gauge.starts_with("container."));
    assert_eq!(
        found,
        [
            "temperature[zone:cpu\u{fffd}\u{fffd}-thermal]=55.9",
            "pressure.some[resource:cpu]=0.78",
            "pressure.some[resource:memory]=0",
            "pressure.full[resource:memory]=0",
        ]
    );
    for place in [
        "sys/class/hwmon/hwmon3/in0_lcrit_alarm: what is there is no number: \"\"",
        "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq: what is there is no number",
        "sys/block/nvme0n1/stat: sectors read is missing",
        "proc/pressure/io: file too large",
        "proc/uptime: uptime is no number",
        "proc/loadavg: ",
    ] {
        assert!(error.contains(place), "{place}: {error}");
    }
}

#[test]
fn this_machine_is_read_without_an_error_in_a_moment() {
    let started = Instant::now();
    let (found, error) = read(std::path::Path::new("/"), &all());
    let took = started.elapsed();
    eprintln!("{found:#?} {error:?} in {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    let value = |name: &str| -> f64 {
        let gauge = found.iter().find(|gauge| gauge.starts_with(&format!("{name}[]=")));
        gauge.unwrap_or_else(|| panic!("no {name}: {found:?}")).split_once('=').unwrap().1.parse().unwrap()
    };
    let uptime = fs::read_to_string("/proc/uptime").unwrap();
    let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    assert!((uptime - 60.0..=uptime).contains(&value("uptime")));
    assert!(value("tasks") >= 1.0);
    // Where a filter of system calls forbids the question, that is the only error.
    if !error.starts_with("adjtimex: ") {
        assert!([0.0, 1.0].contains(&value("clock.synchronised")));
        assert_eq!(error, "");
    }
}

fn environment(redis: &RedisServer, intake: &Intake, root: &TempDir) -> Env {
    agent::with(
        agent::env(&redis.url(), intake),
        &[("COLLECTOR_PLUGINS", "board"), ("HOST_ROOT", &root.path().to_string_lossy())],
    )
}

fn has_arrived(requests: &[Arc<Request>], metric: &str) -> bool {
    !Store::acknowledged(requests).series(metric).is_empty()
}

#[test]
fn the_default_sends_little_and_what_fails_is_said_once() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let root = board("jetson_nano");
    root.write("sys/class/thermal/thermal_zone1/temp", "hot");
    let intake = Intake::accepting();
    let agent = Agent::run(&environment(&redis, &intake, &root));
    let turns = |requests: &[Arc<Request>]| {
        let store = Store::acknowledged(requests);
        store.series("Chouette.board.throttled").iter().map(|(_, held)| held.points.len()).sum::<usize>()
    };
    assert!(intake.wait_for(SOON, |requests| turns(requests) >= 3));
    let store = Store::acknowledged(&intake.requests());
    let mut names: Vec<&str> = store.0.keys().map(|key| key.metric.as_str()).collect();
    names.dedup();
    assert_eq!(
        names,
        [
            "Chouette.board.clock.synchronised",
            "Chouette.board.emmc.pre_eol",
            "Chouette.board.emmc.wear",
            "Chouette.board.temperature",
            "Chouette.board.throttled",
        ]
    );
    assert_eq!(store.only("Chouette.board.emmc.pre_eol").1.points.len(), 1);
    let warnings = || agent.stderr().lines().filter(|line| line.contains("thermal_zone1/temp")).count();
    assert_eq!(warnings(), 1, "{}", agent.stderr());

    root.write("sys/class/thermal/thermal_zone1/temp", "77000");
    let cpu = |requests: &[Arc<Request>]| {
        let store = Store::acknowledged(requests);
        store.0.keys().any(|key| key.tags.contains(&"zone:CPU-therm".to_owned()))
    };
    assert!(intake.wait_for(SOON, cpu));
}

#[test]
fn the_groups_are_chosen_by_the_variable() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let root = board("pi4");
    let intake = Intake::accepting();
    let env = agent::with(environment(&redis, &intake, &root), &[("BOARD_METRICS", "tasks, disk")]);
    let _agent = Agent::run(&env);
    assert!(intake.wait_for(SOON, |requests| has_arrived(requests, "Chouette.board.disk.bytes.written")));
    let store = Store::acknowledged(&intake.requests());
    assert_eq!(store.only("Chouette.board.tasks").1.points.values().next(), Some(&211.0));
    let is_chosen = |metric: &str| metric.contains(".disk.") || metric.ends_with(".tasks");
    assert!(store.0.keys().all(|key| is_chosen(&key.metric)), "{:?}", store.0.keys());
}
