//! Whole boards against golden files, and every format with bytes changed at random.

use super::*;
use crate::collect::fake::{FakeBoard, Random};
use crate::collect::{DiskSpace, plugin};
use crate::metric::Number;

/// One directory of `tests/fixtures/host`.
macro_rules! fixture {
    ($board:literal $(, $extra:literal)*) => {
        Fixture {
            name: $board,
            files: &[
                fixture!(@file $board, "proc/stat"),
                fixture!(@file $board, "proc/loadavg"),
                fixture!(@file $board, "proc/meminfo"),
                fixture!(@file $board, "proc/mounts"),
                fixture!(@file $board, "proc/filesystems"),
                fixture!(@file $board, "proc/net/dev"),
                $(fixture!(@file $board, $extra)),*
            ],
            stat_later: fixture!(@file $board, "stat.later").1,
            disks: fixture!(@file $board, "disks").1,
            expected: fixture!(@file $board, "expected").1,
        }
    };
    (@file $board:literal, $path:literal) => {
        ($path, include_str!(concat!("../../../tests/fixtures/host/", $board, "/", $path)))
    };
}

struct Fixture {
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
    stat_later: &'static str,
    disks: &'static str,
    expected: &'static str,
}

const FIXTURES: [Fixture; 5] = [
    fixture!("pi4"),
    fixture!("jetson_tk1"),
    fixture!("container"),
    fixture!("container_host_root", "proc/1/mounts", "proc/1/net/dev"),
    fixture!("laptop"),
];

impl Fixture {
    fn board(&self) -> FakeBoard {
        let mut board = FakeBoard::new(self.files);
        board.foreign = board.files.contains_key("proc/1/mounts");
        for line in self.disks.lines() {
            let mut words = line.split(' ');
            let point = words.next().unwrap().replace("\\040", " ");
            let mut bytes = || words.next().unwrap().parse().unwrap();
            board = board.disk(&point, bytes(), bytes(), bytes());
        }
        board
    }
}

fn all_groups() -> Groups {
    Groups::from_words(&Group::ALL.map(Group::word)).unwrap()
}

fn lines(gauges: &[Gauge]) -> Vec<String> {
    let line = |g: &Gauge| {
        let mut value = Vec::new();
        g.value.write_json(&mut value);
        format!("{} {} {}", g.name, g.tags.as_str(), String::from_utf8(value).unwrap())
    };
    gauges.iter().map(line).collect()
}

#[test]
fn boards_give_their_golden_readings() {
    for fixture in &FIXTURES {
        let name = fixture.name;
        let mut board = fixture.board();
        let mut host = Host::new(all_groups());
        let (mut first, mut second) = (Vec::new(), Vec::new());
        assert_eq!(host.collect(&board, &mut first), Ok(()), "{name}");
        board.files.insert("proc/stat".to_owned(), fixture.stat_later.to_owned());
        assert_eq!(host.collect(&board, &mut second), Ok(()), "{name}");

        let expected: Vec<&str> = fixture.expected.lines().collect();
        assert_eq!(lines(&second), expected, "{name}");
        let without_cpu: Vec<&str> =
            expected.iter().copied().filter(|line| !line.contains(cpu::PERCENTAGE)).collect();
        assert_eq!(lines(&first), without_cpu, "{name}");
    }
}

#[test]
fn only_documented_metrics_are_sent() {
    let metrics = plugin("host").unwrap().metrics;
    for line in FIXTURES.iter().flat_map(|fixture| fixture.expected.lines()) {
        let (name, tags) = line.split_once(' ').unwrap();
        let metric = metrics.iter().find(|m| m.name == name).unwrap_or_else(|| panic!("{name}"));
        let has_tags = metric.tags.iter().all(|key| tags.contains(&format!("\"{key}:")));
        assert!(has_tags && tags.starts_with("[]") == metric.tags.is_empty(), "{line}");
    }
}

#[test]
fn a_failing_group_does_not_silence_the_others() {
    let fixture = &FIXTURES[0];
    let removed = [
        ("proc/stat", "cpu"),
        ("proc/loadavg", "la"),
        ("proc/meminfo", "memory"),
        ("proc/mounts", "fs"),
        ("proc/net/dev", "network"),
    ];
    for (path, silenced) in removed {
        let mut board = fixture.board();
        let mut host = Host::new(all_groups());
        host.collect(&board, &mut Vec::new()).unwrap();
        board.files.insert("proc/stat".to_owned(), fixture.stat_later.to_owned());
        board.files.remove(path);
        let mut out = Vec::new();
        let error = host.collect(&board, &mut out).unwrap_err().to_string();
        assert_eq!(error, format!("{path}: entity not found"));
        let prefix = format!("Chouette.host.{silenced}");
        let expected: Vec<_> = fixture.expected.lines().filter(|line| !line.starts_with(&prefix)).collect();
        assert_eq!(lines(&out), expected);
    }
    let error = Host::new(all_groups()).collect(&FakeBoard::default(), &mut Vec::new());
    assert_eq!(error.unwrap_err().to_string().split("; ").count(), Group::ALL.len());
}

#[test]
fn groups_are_words() {
    let default = Groups::from_words(&["ram", "la", "fs", "cpu"]).unwrap();
    assert_eq!(default, Groups::default());
    assert!(!default.contains(Group::Network));
    assert_eq!(Groups::from_words(&["la", "la"]).unwrap().0.len(), 1);
    let error = Groups::from_words(&["cpu", "disk"]).unwrap_err();
    let expected = "unknown group \"disk\"; there are cpu, fs, la, ram, network";
    assert_eq!(error.to_string(), expected);

    let mut out = Vec::new();
    let board = FIXTURES[0].board();
    Host::new(Groups::from_words(&["la"]).unwrap()).collect(&board, &mut out).unwrap();
    assert_eq!(lines(&out), ["Chouette.host.la [\"period:1m\"] 0.27"]);
    assert!(board.asked.borrow().is_empty());
}

/// Whatever a file says, the others are read, numbers are sane, and mount points stay the ones of the
/// table. One format at a time, so that each is reached.
fn survive_mutations(path: &str, group: Group) {
    const MUTATIONS: usize = 20_000;
    let mut seed = 0x5eed_0000 + path.len() as u64;
    for i in 0..MUTATIONS {
        seed += 1;
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let fixture = &FIXTURES[i % FIXTURES.len()];
        let mut board = fixture.board();
        let Some(text) = board.files.get(path).cloned() else {
            continue;
        };
        let disk_bytes = [0, 1, u64::MAX][random.below(3)];
        for space in board.disks.values_mut() {
            *space = DiskSpace { free_bytes: disk_bytes, ..*space };
        }
        let mut host = Host::new(Groups([group].into_iter().collect()));
        let mut out = Vec::new();
        for _ in 0..2 {
            board.files.insert(path.to_owned(), random.mutate(&text));
            let _ = host.collect(&board, &mut out);
        }
        for gauge in &out {
            let is_sane = match gauge.value {
                Number::Int(n) => n >= 0,
                Number::Float(x) if group == Group::Cpu => (0.0..=100.0).contains(&x),
                Number::Float(x) => x.is_finite() && x >= 0.0,
            };
            assert!(is_sane, "seed {seed}, board {}: {gauge:?}", fixture.name);
        }
        for point in board.asked.borrow().iter() {
            assert!(point.starts_with('/'), "seed {seed}: {point:?}");
        }
    }
}

#[test]
fn mutated_stat_never_panics() {
    survive_mutations("proc/stat", Group::Cpu);
}

#[test]
fn mutated_loadavg_never_panics() {
    survive_mutations("proc/loadavg", Group::La);
}

#[test]
fn mutated_meminfo_never_panics() {
    survive_mutations("proc/meminfo", Group::Ram);
}

#[test]
fn mutated_mounts_never_panic() {
    survive_mutations("proc/mounts", Group::Fs);
}

#[test]
fn mutated_filesystems_never_panic() {
    survive_mutations("proc/filesystems", Group::Fs);
}

#[test]
fn mutated_net_dev_never_panics() {
    survive_mutations("proc/net/dev", Group::Network);
}
