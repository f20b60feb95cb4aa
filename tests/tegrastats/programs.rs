//! Programs in place of tegrastats, most of them bad: none may hurt anything else.

use crate::support::agent::{self, Agent};
use crate::support::intake::{Intake, Request};
use crate::support::redis::RedisServer;
use crate::support::store::Store;
use crate::support::temp::TempDir;
use crate::support::{PATIENT, SOON, wait_until};

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

const LINE: &str = "RAM 1310/3964MB (lfb 8x4MB) CPU [7%@1224,off] PMIC@100C CPU@38.5C VDD_IN 2417/2275";
const RAM: &str = "Chouette.tegrastats.ram.used";
const TEMPERATURE: &str = "Chouette.tegrastats.temperature";
/// How long the agent may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// A board with the plugins `tegrastats` and `host`.
struct Board {
    dir: TempDir,
    intake: Intake,
    agent: Agent,
    _redis: RedisServer,
}

impl Board {
    /// Runs a board whose tegrastats is this script; none where there is no Redis.
    fn start(script: Option<&str>, files: &[(&str, &str)]) -> Option<Board> {
        let redis = RedisServer::start()?;
        let dir = TempDir::new();
        dir.write("root/proc/loadavg", "0.50 0.40 0.30 1/100 1000\n");
        files.iter().for_each(|(path, text)| drop(dir.write(&format!("root/{path}"), text)));
        if let Some(script) = script {
            install(&dir, script);
        }
        let intake = Intake::accepting();
        let env = agent::with(
            agent::env(&redis.url(), &intake),
            &[
                ("COLLECTOR_PLUGINS", "tegrastats,host"),
                ("HOST_COLLECTOR_METRICS", "la"),
                ("HOST_ROOT", &dir.join("root").to_string_lossy()),
                ("TEGRASTATS_PATH", &dir.join("tegrastats").to_string_lossy()),
                ("TEGRASTATS_METRICS", "ram,temp"),
                ("SEND_SELF_METRICS", "true"),
            ],
        );
        Some(Board { agent: Agent::run(&env), dir, intake, _redis: redis })
    }

    fn wait_for(&self, what: &str, fits: impl Fn(&Store) -> bool) {
        let fits = |requests: &[Arc<Request>]| fits(&Store::acknowledged(requests));
        assert!(self.intake.wait_for(PATIENT, fits), "{what} never came");
    }

    fn wait_for_failures(&self, count: f64) {
        self.wait_for("chouette.collector.failed", |store| failures(store) >= count);
    }

    /// Lines of the log at this level that speak of the plugin.
    fn said(&self, level: &str) -> Vec<String> {
        let text = self.agent.stderr();
        let lines = text.lines().filter(|line| line.contains(level) && line.contains("tegrastats"));
        lines.map(str::to_owned).collect()
    }

    /// One warning, however long it lasts, and nothing well in between.
    fn assert_said_once(&self, text: &str) {
        let warnings = self.said("WARN");
        assert!(warnings.len() == 1 && warnings[0].contains(text), "{warnings:?}");
        assert!(!self.agent.stderr().contains("works again"), "{}", self.agent.stderr());
    }

    /// Processes that were started as tegrastats.
    fn started(&self) -> Vec<String> {
        let pids = std::fs::read_to_string(self.dir.join("pids")).unwrap_or_default();
        pids.lines().map(str::to_owned).collect()
    }

    /// The board's own readings go on, and no dead child is left; then the end.
    fn finish(mut self) {
        let points = |store: &Store| -> usize {
            store.series("Chouette.host.la").iter().map(|(_, held)| held.points.len()).sum()
        };
        let before = points(&Store::acknowledged(&self.intake.requests()));
        self.wait_for("the load of the board", |store| points(store) >= before + 3);
        let pid = self.agent.pid();
        assert!(wait_until(SOON, || zombies_of(pid) == 0), "{} zombies", zombies_of(pid));

        self.agent.signal("TERM");
        assert_eq!(self.agent.wait(STOP_LIMIT), Some(0), "it does not stop in time");
        let left = || self.started().into_iter().filter(|pid| is_running(pid)).collect::<Vec<_>>();
        assert!(wait_until(STOP_LIMIT, || left().is_empty()), "still running: {:?}", left());
    }
}

/// Puts the script in its place, in one step. It leaves its process id behind.
fn install(dir: &TempDir, script: &str) {
    let draft = dir.join("tegrastats.new");
    let pids = dir.join("pids");
    let text = format!("#!/bin/sh\necho $$ >>'{}'\n{script}\n", pids.display());
    std::fs::write(&draft, text).unwrap();
    std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(&draft, dir.join("tegrastats")).unwrap();
}

/// Prints a good line each second.
fn good() -> String {
    format!("while :; do echo '{LINE}'; sleep 1; done")
}

fn failures(store: &Store) -> f64 {
    let failed = store.series("chouette.collector.failed");
    let of_plugin = failed.iter().filter(|(key, _)| key.tags == ["plugin:tegrastats"]);
    of_plugin.flat_map(|(_, held)| held.points.values()).sum()
}

fn points(store: &Store, metric: &str) -> usize {
    store.series(metric).iter().map(|(_, held)| held.points.len()).sum()
}

/// State and parent of a process, from `/proc/PID/stat`.
fn state(stat: &str) -> Option<(&str, u32)> {
    let mut words = stat.rsplit_once(')')?.1.split_whitespace();
    Some((words.next()?, words.next()?.parse().ok()?))
}

/// A process that has ended and waits to be collected does not run.
fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    state(&stat).is_some_and(|(state, _)| state != "Z")
}

fn zombies_of(agent: u32) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().map_while(Result::ok);
    let stats = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter(|stat| state(stat) == Some(("Z", agent))).count()
}

#[test]
fn a_good_program_is_read_and_ended_with_the_agent() {
    let Some(board) = Board::start(Some(&good()), &[]) else { return };
    board.wait_for("memory", |store| points(store, RAM) >= 4);
    let store = Store::acknowledged(&board.intake.requests());
    assert!(store.only(RAM).1.points.values().all(|bytes| *bytes == 1310.0 * 1024.0 * 1024.0));
    let (zone, celsius) = store.only(TEMPERATURE);
    assert_eq!(zone.tags, ["zone:CPU"]);
    assert!(celsius.points.values().all(|value| *value == 38.5));
    assert_eq!((failures(&store), board.said("WARN").len()), (0.0, 0), "{}", board.agent.stderr());
    assert_eq!(board.started().len(), 1);
    board.finish();
}

#[test]
fn one_that_dies_at_once_is_told_once_and_so_is_its_recovery() {
    let Some(board) = Board::start(Some("exit 3"), &[]) else { return };
    board.wait_for_failures(4.0);
    board.assert_said_once("it has ended");
    install(&board.dir, &good());
    board.wait_for("memory", |store| points(store, RAM) >= 2);
    assert!(board.agent.wait_for_line(SOON, "tegrastats: works again"), "{}", board.agent.stderr());
    board.finish();
}

#[test]
fn rubbish_is_counted_and_the_program_restarted() {
    let script = r"while :; do printf '\001\377 Segmentation fault\n\n%%%%\n'; sleep 1; done";
    let Some(board) = Board::start(Some(script), &[]) else { return };
    board.wait_for_failures(4.0);
    assert!(wait_until(SOON, || board.started().len() >= 2), "not restarted");
    board.assert_said_once("no line of tegrastats");
    board.finish();
}

#[test]
fn silence_is_ended_after_three_intervals() {
    let Some(board) = Board::start(Some("exec sleep 1000"), &[]) else { return };
    board.wait_for_failures(2.0);
    assert!(board.started().len() >= 2 && !is_running(&board.started()[0]), "{:?}", board.started());
    board.assert_said_once("no line for 3 intervals");
    board.finish();
}

#[test]
fn half_a_line_is_silence() {
    let script = "printf 'RAM 1/4MB'; exec sleep 1000";
    let Some(board) = Board::start(Some(script), &[]) else { return };
    board.wait_for_failures(2.0);
    board.assert_said_once("no line for 3 intervals");
    assert_eq!(points(&Store::acknowledged(&board.intake.requests()), RAM), 0);
    board.finish();
}

#[test]
fn a_line_without_end_is_bounded() {
    let script = "while :; do printf xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done";
    let Some(board) = Board::start(Some(script), &[]) else { return };
    board.wait_for_failures(4.0);
    let warnings = board.said("WARN").len();
    assert!((1..=4).contains(&warnings), "{}", board.agent.stderr());
    board.finish();
}

#[test]
fn a_flood_gets_no_more_than_its_share() {
    let script = format!("exec yes '{LINE}'");
    let Some(board) = Board::start(Some(&script), &[]) else { return };
    board.wait_for("memory", |store| points(store, RAM) >= 1);
    board.wait_for_failures(3.0);
    board.assert_said_once("it prints without end");
    board.finish();
}

#[test]
fn an_unknown_form_is_counted_and_its_line_shown_once() {
    let script = format!("while :; do echo '{LINE} GPU@99Q'; sleep 1; done");
    let Some(board) = Board::start(Some(&script), &[]) else { return };
    board.wait_for_failures(4.0);
    board.wait_for("memory", |store| points(store, RAM) >= 4);
    let expected = format!("tegrastats: not all of this line is understood: {LINE} GPU@99Q");
    let shown = board.said("WARN").iter().filter(|line| line.ends_with(&expected)).count();
    assert_eq!((shown, board.said("WARN").len()), (1, 2), "{}", board.agent.stderr());
    board.finish();
}

#[test]
fn a_board_that_is_no_jetson_is_told_so() {
    let files = [("proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0")];
    let Some(board) = Board::start(None, &files) else { return };
    board.wait_for_failures(3.0);
    board.assert_said_once("the board is no Jetson");
    board.finish();
}

#[test]
fn a_jetson_without_the_program_gives_what_the_kernel_knows() {
    let files = [
        ("proc/device-tree/model", "NVIDIA Jetson AGX Orin\0"),
        ("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"),
        ("sys/class/thermal/thermal_zone0/temp", "48250\n"),
        ("sys/class/thermal/thermal_zone1/type", "gpu-thermal\n"),
        ("sys/class/thermal/thermal_zone1/temp", "-256000\n"),
    ];
    let Some(board) = Board::start(None, &files) else { return };
    board.wait_for("a temperature", |store| points(store, TEMPERATURE) >= 3);
    let store = Store::acknowledged(&board.intake.requests());
    let (zone, celsius) = store.only(TEMPERATURE);
    assert_eq!(zone.tags, ["zone:cpu"]);
    assert!(celsius.points.values().all(|value| *value == 48.25));
    assert_eq!((failures(&store), board.said("WARN").len()), (0.0, 0), "{}", board.agent.stderr());
    install(&board.dir, &good());
    board.wait_for("memory", |store| points(store, RAM) >= 2);
    board.finish();
}
