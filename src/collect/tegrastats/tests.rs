//! Lines of whole boards, lines with bytes changed at random, and what becomes of a program that misbehaves.

use super::*;
use crate::collect::fake::{FakeBoard, Random};
use crate::collect::{Gauge, Options, plugin};
use crate::metric::Number;

macro_rules! fixtures {
    ($($name:literal),*) => {
        [$(($name,
            include_str!(concat!("../../../tests/fixtures/tegrastats/", $name, ".line")),
            include_str!(concat!("../../../tests/fixtures/tegrastats/", $name, ".expected")))),*]
    };
}

/// Name, line, and what comes of it.
const FIXTURES: [(&str, &str, &str); 10] = fixtures![
    "tk1",
    "tx1",
    "tx2",
    "nano",
    "agx_xavier",
    "xavier_nx",
    "agx_orin_5",
    "agx_orin_6",
    "thor",
    "agx_orin_7"
];

const PATH: &str = "/usr/bin/tegrastats";
const GOOD: &str = "RAM 1/4MB CPU@37C";
const MISSING: &str = "cannot start /usr/bin/tegrastats: No such file or directory (os error 2)";

/// A collector, its board, and what it said last.
struct World {
    collector: Tegrastats,
    board: FakeBoard,
    gauges: Vec<Gauge>,
    restarts: usize,
}

impl World {
    fn new(groups: &[Group]) -> World {
        World::with_interval(groups, 30)
    }

    fn with_interval(groups: &[Group], capture_interval_s: u32) -> World {
        let options = Options {
            capture_interval_s,
            tegrastats_groups: groups.to_vec(),
            tegrastats_path: PATH.to_owned(),
            ..Options::default()
        };
        let collector = Tegrastats::new(&options);
        World { collector, board: FakeBoard::default(), gauges: Vec::new(), restarts: 0 }
    }

    /// The error, or nothing.
    fn begin(&mut self) -> String {
        let mut reading = Reading::new(&self.board);
        let result = self.collector.begin(&mut reading);
        let (gauges, mut questions) = (reading.gauges, reading.questions.into_iter().map(|(_, q)| q));
        self.gauges = gauges;
        let Some(Question::Run(program)) = questions.next() else { panic!("no program") };
        assert_eq!(program.path, PATH);
        self.restarts = questions.filter(|question| matches!(question, Question::Restart)).count();
        result.err().map_or_else(String::new, |error| error.to_string())
    }

    fn reply(&mut self, reply: Reply) -> String {
        let mut reading = Reading::new(&self.board);
        let result = self.collector.reply(TICKET, reply, &mut reading);
        assert!(reading.questions.is_empty());
        self.gauges = reading.gauges;
        result.err().map_or_else(String::new, |error| error.to_string())
    }

    fn line(&mut self, text: &str) -> String {
        self.reply(Reply::Line(text.as_bytes().to_vec()))
    }

    fn ended(&mut self, reason: &str) -> String {
        self.reply(Reply::Ended(reason.to_owned()))
    }

    /// Names and values of what was sent last.
    fn sent(&self) -> Vec<String> {
        let value = |g: &Gauge| {
            let mut value = Vec::new();
            g.value.write_json(&mut value);
            String::from_utf8(value).unwrap()
        };
        self.gauges.iter().map(|g| format!("{} {} {}", g.name, g.tags.as_str(), value(g))).collect()
    }
}

fn all_groups() -> Vec<Group> {
    Group::WORDS.iter().map(|(_, group)| *group).collect()
}

#[test]
fn boards_give_their_golden_readings() {
    for (name, line, expected) in &FIXTURES {
        let mut world = World::new(&all_groups());
        world.begin();
        assert_eq!(world.line(line), "", "{name}");
        assert_eq!(world.sent(), expected.lines().collect::<Vec<_>>(), "{name}");
        for (word, group) in Group::WORDS {
            let metrics = plugin("tegrastats").unwrap().metrics.iter().filter(|m| m.group == word);
            let names: Vec<&str> = metrics.map(|m| m.name).collect();
            let is_of_group = |line: &&str| names.contains(&line.split(' ').next().unwrap());
            let expected: Vec<&str> = expected.lines().filter(is_of_group).collect();
            let mut world = World::new(&[group]);
            world.begin();
            let error = world.line(line);
            assert_eq!(world.sent(), expected, "{name} {word}");
            let without = format!("{PATH}: a line without anything of {word}");
            assert_eq!(error, if expected.is_empty() { without } else { String::new() }, "{name} {word}");
        }
    }
}

#[test]
fn only_documented_metrics_are_sent() {
    for line in FIXTURES.iter().flat_map(|(_, _, expected)| expected.lines()) {
        let (name, tags) = line.split_once(' ').unwrap();
        let metric = METRICS.iter().find(|m| m.name == name).unwrap_or_else(|| panic!("{name}"));
        let has_tags = metric.tags.iter().all(|key| tags.contains(&format!("\"{key}:")));
        assert!(has_tags && tags.starts_with("[]") == metric.tags.is_empty(), "{line}");
    }
    assert!(Group::WORDS.iter().all(|(word, group)| group.word() == *word));
}

#[test]
fn mutated_lines_never_panic() {
    for seed in 1..=20_000u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (_, line, _) = FIXTURES[seed as usize % FIXTURES.len()];
        let mut world = World::new(&all_groups());
        world.begin();
        let mut text = random.mutate(line).into_bytes();
        if random.below(4) == 0 {
            text = [&text[..random.below(text.len() + 1)], line.as_bytes()].concat();
        }
        world.reply(Reply::Line(text));
        for gauge in &world.gauges {
            let value = gauge.value.as_f64();
            let is_sane = match gauge.name.rsplit('.').next().unwrap() {
                "load" => (0.0..=100.0).contains(&value),
                "temperature" => (-273.15..=1000.0).contains(&value),
                _ => matches!(gauge.value, Number::Int(n) if n >= 0),
            };
            assert!(is_sane && gauge.tags.as_str().len() < 100, "seed {seed}: {gauge:?}");
        }
        let mut keys: Vec<_> = world.gauges.iter().map(|g| (g.name, &g.tags)).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), world.gauges.len(), "seed {seed}: a series twice");
    }
}

#[test]
fn the_program_is_told_the_interval() {
    let world = World::with_interval(&[], 2);
    assert_eq!(world.collector.program.args, ["--interval", "2000"]);
}

#[test]
fn one_line_per_turn_is_sent() {
    let mut world = World::new(&[Group::Ram]);
    world.begin();
    assert_eq!(world.line("tegrastats: a banner"), "");
    assert_eq!(world.sent(), [""; 0]);
    assert_eq!(world.line(GOOD), "");
    assert_eq!(world.gauges.len(), 2);
    for _ in 0..3 {
        assert_eq!(world.line("RAM 2/4MB") + &world.line("RAM x"), "");
        assert_eq!(world.sent(), [""; 0], "it has had its share");
    }
    assert_eq!(world.begin(), "");
    world.line("RAM 2/4MB");
    assert_eq!(world.sent()[0], "Chouette.tegrastats.ram.used [] 2097152");
}

#[test]
fn silence_is_borne_for_three_turns() {
    let mut world = World::new(&[Group::Ram]);
    for _ in 0..2 {
        for _ in 0..5 {
            assert_eq!((world.begin(), world.restarts), (String::new(), 0));
            world.line(GOOD);
        }
        for _ in 0..SILENT_TURNS_MAX {
            assert_eq!(
                (world.begin(), world.restarts),
                (String::new(), 0),
                "the last turn had a line or not yet 3"
            );
        }
        for _ in 0..3 {
            let error = world.begin();
            assert_eq!((error.as_str(), world.restarts), ("/usr/bin/tegrastats: no line for 3 intervals", 1));
            assert_eq!((world.begin(), world.restarts), (String::new(), 0));
            assert_eq!((world.begin(), world.restarts), (String::new(), 0));
        }
        world.line(GOOD);
    }
}

#[test]
fn rubbish_is_an_error_and_no_sign_of_life() {
    let mut world = World::new(&[Group::Ram]);
    let error = "/usr/bin/tegrastats: prints what is no line of tegrastats".to_owned();
    assert_eq!(world.begin(), "");
    for _ in 0..3 {
        assert_eq!(world.line("\u{fffd}\u{1}") + &world.line("%%%"), "");
        assert_eq!(
            (world.begin(), world.restarts),
            (String::new(), 0),
            "a banner may come before the first line"
        );
        world.line("%%%");
        // Turns of which the first was borne.
        for _ in 1..RUBBISH_TURNS {
            assert_eq!((world.begin(), world.restarts), (error.clone(), 0));
        }
        assert_eq!((world.begin(), world.restarts), (error.clone(), 1));
    }
    world.line(GOOD);
    assert_eq!((world.begin(), world.begin()), (String::new(), String::new()));
    assert_eq!(world.begin(), "", "what was printed before the last line counts no more");
}

#[test]
fn an_end_is_told_once_per_turn_until_it_prints_again() {
    let mut world = World::new(&[Group::Ram]);
    let error = "/usr/bin/tegrastats: it has ended";
    world.begin();
    assert_eq!(world.ended("it has ended"), error);
    assert_eq!(world.ended("it has ended"), "", "told in this turn");
    assert_eq!(world.begin(), "", "told in the last turn");
    for _ in 0..3 {
        assert_eq!((world.begin().as_str(), world.restarts), (error, 0), "it waits for its next start");
    }
    assert_eq!(world.line(GOOD), "");
    assert_eq!(world.gauges.len(), 2);
    assert_eq!(world.begin(), "");
}

#[test]
fn a_program_that_hangs_after_it_ended_is_restarted_too() {
    let mut world = World::with_interval(&[Group::Ram], 20);
    world.begin();
    world.ended("it has ended");
    let restarted = (0..20).map(|_| (world.begin(), world.restarts)).find(|(_, restarts)| *restarts > 0);
    let error = "/usr/bin/tegrastats: no line for 6 intervals".to_owned();
    assert_eq!(restarted, Some((error, 1)), "3 after the longest wait of 60 s");
}

#[test]
fn it_is_well_after_a_whole_turn_without_an_error() {
    let mut world = World::new(&[Group::Ram]);
    world.begin();
    world.line(GOOD);
    world.ended("it prints without end");
    world.begin();
    assert!(!world.collector.is_well(), "it had failed");
    world.line(GOOD);
    assert!(!world.collector.is_well(), "it may fail yet");
    world.begin();
    assert!(world.collector.is_well());
}

#[test]
fn odd_forms_are_told_once_per_turn_and_shown_once() {
    let mut world = World::new(&[Group::Ram, Group::Gpu]);
    for mhz in 100..103 {
        world.begin();
        let error = world.line(&format!("RAM 1/4MB GR3D_FREQ 0%~{mhz} EMC_FREQ ?"));
        assert_eq!(
            error, "GR3D_FREQ 0%~0: a form that is not known",
            "the memory controller is not asked for"
        );
        assert_eq!(world.gauges.len(), 2, "the rest is sent");
        assert_eq!(world.collector.shown.len(), 1);
    }
    for n in 0..100 {
        world.begin();
        let letters = format!("{n}").replace(|c: char| c.is_ascii_digit(), "x") + &"y".repeat(n);
        assert_ne!(world.line(&format!("RAM {letters}")), "");
        assert_eq!(world.line("RAM z") + &world.line("SWAP 1/2MB"), "", "told in this turn");
    }
    assert_eq!(world.collector.shown.len(), FORMS_SHOWN_MAX);
}

/// A Jetson without tegrastats.
fn jetson(groups: &[Group]) -> World {
    let mut world = World::new(groups);
    let files = [
        ("proc/device-tree/model", "NVIDIA Jetson Nano Developer Kit\0"),
        ("sys/devices/gpu.0/load", "125\n"),
        ("sys/class/devfreq/57000000.gpu/cur_freq", "76800000\n"),
        ("sys/class/thermal/thermal_zone0/type", "CPU-therm\n"),
        ("sys/class/thermal/thermal_zone0/temp", "36500\n"),
    ];
    world.board = FakeBoard::new(&files);
    world
}

#[test]
fn a_jetson_without_the_program_is_read_from_sysfs() {
    let expected = [
        r#"Chouette.tegrastats.temperature ["zone:CPU"] 36.5"#,
        "Chouette.tegrastats.gpu.load [] 12.5",
        "Chouette.tegrastats.gpu.frequency [] 76800000",
    ];
    let mut world = jetson(&all_groups());
    assert_eq!(world.begin(), "");
    assert_eq!(world.sent(), [""; 0]);
    assert_eq!(world.ended(MISSING), "");
    assert_eq!(world.sent(), expected, "already in the first turn");
    for _ in 0..10 {
        assert_eq!((world.begin(), world.restarts), (String::new(), 0));
        assert_eq!(world.sent(), expected);
        assert!(world.collector.is_well());
        assert_eq!(world.ended(MISSING), "");
        assert_eq!(world.sent(), [""; 0], "once per turn");
    }
    assert_eq!(world.line(GOOD), "");
    assert_eq!(world.begin(), "");
    assert_eq!(world.sent(), [""; 0], "the program is there now");
    world.line(GOOD);
    assert_eq!(world.gauges.len(), 3);
    assert_eq!(world.ended("it has ended"), "/usr/bin/tegrastats: it has ended");
}

#[test]
fn what_sysfs_lacks_is_an_error_of_each_turn() {
    let mut world = jetson(&[Group::Ram]);
    let error = "/usr/bin/tegrastats: not found, and sysfs has only temp and gpu";
    world.begin();
    assert_eq!(world.ended(MISSING), error);
    assert_eq!(world.begin(), error);
    let mut world = jetson(&[Group::Temp]);
    world.board.files.retain(|path, _| !path.contains("thermal"));
    world.begin();
    assert_eq!(world.ended(MISSING), "sys/class/thermal: entity not found");
    assert_eq!(world.begin(), "sys/class/thermal: entity not found");
}

#[test]
fn a_board_that_is_no_jetson_is_told_so() {
    let mut world = World::new(&all_groups());
    let error = "/usr/bin/tegrastats: there is no such program, and the board is no Jetson";
    world.begin();
    assert_eq!(world.ended(MISSING), error);
    world.begin();
    assert_eq!(world.begin(), error);
    let mut world = jetson(&all_groups());
    let denied = "cannot start /usr/bin/tegrastats: Permission denied (os error 13)";
    assert_eq!(world.begin() + &world.ended(denied), format!("the program: {denied}"), "that can be mended");
}
