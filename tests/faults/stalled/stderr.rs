//! Standard error: its reader stops or goes away, or the disk it is on is full. A log is not worth the loop.

use super::scene::{FAULT, Scene, command, env};
use crate::support::agent::Agent;
use crate::support::behaviour::status;
use crate::support::bench::Bench;
use crate::support::find_program;
use crate::support::temp::TempDir;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const WELL: Duration = Duration::from_secs(5);

/// The agent's own standard error; what [`Agent`] reads is then empty.
fn with_stderr(bench: &Bench, path: &Path) -> Agent {
    let inner = command(&env(bench, &[("LOG_LEVEL", "DEBUG")]));
    let mut outer = Command::new(find_program("sh").unwrap());
    outer.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer
        .args(["-c", "exec 2>\"$0\"; exec \"$@\""])
        .arg(path)
        .arg(inner.get_program())
        .args(inner.get_args());
    Agent::start(&mut outer)
}

const PIPE_BYTES: usize = 64 << 10;

/// A pipe with a name that holds all it can. As long as the file is open, it can be opened for writing.
fn full_pipe(path: &Path) -> File {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    let mut pipe = File::options().read(true).write(true).open(path).unwrap();
    pipe.write_all(&[b'\n'; PIPE_BYTES]).unwrap();
    pipe
}

#[test]
fn the_reader_of_the_log_stops() {
    let Some(bench) = Bench::new(|_| status(202)) else { return };
    let dir = TempDir::new();
    let path = dir.join("stderr");
    let pipe = full_pipe(&path);
    let agent = with_stderr(&bench, &path);
    let mut scene = Scene::of(bench, agent);
    scene.live(FAULT);
    let mut reader = File::open(&path).unwrap();
    drop(pipe);
    let log = std::thread::spawn(move || {
        let mut log = String::new();
        reader.read_to_string(&mut log).map(|_| log)
    });
    scene.live(WELL);
    scene.arrives_and_ends();
    let log = log.join().unwrap().unwrap();
    let dropped = log
        .lines()
        .find_map(|line| line.split_once("] ")?.1.strip_suffix(" log lines dropped: nobody took them"));
    let dropped: u64 = dropped.expect("what was dropped is told").parse().unwrap();
    assert!(dropped >= FAULT.as_secs(), "the probe alone tells more than {dropped} lines");
    scene.tell_lateness("standard error is not read", &log);
}

#[test]
fn the_reader_of_the_log_goes_away() {
    let Some(bench) = Bench::new(|_| status(202)) else { return };
    let dir = TempDir::new();
    let path = dir.join("stderr");
    let pipe = full_pipe(&path);
    let agent = with_stderr(&bench, &path);
    let mut scene = Scene::of(bench, agent);
    scene.live(WELL);
    drop(pipe);
    scene.live(WELL);
    scene.arrives_and_ends();
}

#[test]
fn the_disk_of_the_log_is_full() {
    let Some(bench) = Bench::new(|_| status(202)) else { return };
    let agent = with_stderr(&bench, Path::new("/dev/full"));
    let mut scene = Scene::of(bench, agent);
    scene.live(WELL);
    scene.arrives_and_ends();
}
