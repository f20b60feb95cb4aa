//! What a person sees.

use super::*;
use chouette_iot::limits::status::WATCH_EVERY_S;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::behaviour::status;
use support::{find_program, skip};

#[test]
fn a_line_for_each_part() {
    let Some(scene) = Scene::new(|_| status(202)) else { return };
    scene.bench.leave_series(3);
    let _agent = scene.run(&[("COLLECTOR_PLUGINS", "host")]);
    scene.comes(|document| number(document, &["today", "requests"]).is_some_and(|requests| requests > 0.0));
    let shown = stdout(&scene.ask(&[]));
    for (start, words) in [
        ("✓ agent ", "process"),
        ("✓ redis ", "this agent has the lease"),
        ("✓ flush ", "series"),
        ("✓ metrics ", "answered 202"),
        ("  logs ", "nothing released yet"),
        ("✓ host ", "ago"),
        ("  dropped ", "nothing"),
        ("  memory ", "MB"),
        ("  today ", "request"),
    ] {
        assert!(
            shown.lines().any(|line| line.starts_with(start) && line.contains(words)),
            "{start}\n{shown}"
        );
    }
    assert!(!shown.contains('\x1b') && !shown.contains("dogstatsd") && !shown.contains("spool"), "{shown}");
}

#[test]
fn watching_through_a_pipe_prints_one_block_after_another() {
    let Some(scene) = Scene::new(|_| status(202)) else { return };
    let mut agent = scene.run(&[]);
    scene.comes(|document| flag(document, &["storage", "up"]));
    let mut watching = Command::new(agent::binary())
        .args(["status", "--watch"])
        .env_clear()
        .env("STATUS_SOCKET", scene.socket())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines().map(Result::unwrap);
    let (mut begun, mut seen) = (Vec::new(), String::new());
    while begun.len() < 2 {
        let line = lines.next().unwrap();
        if line.starts_with("✓ agent ") {
            begun.push(Instant::now());
        }
        seen += &(line + "\n");
    }
    assert!(begun[1] - begun[0] > Duration::from_secs(WATCH_EVERY_S) / 2, "{:?}", begun[1] - begun[0]);
    assert!(seen.contains('▁') && seen.contains("at most") && !seen.contains('\x1b'), "{seen}");
    agent.kill();
    assert!(lines.any(|line| line.contains("no agent answers")), "it goes on, and says so");
    drop(lines);
    assert_eq!(watching.wait().unwrap().code(), Some(1), "nobody reads any more");
}

#[test]
fn colours_are_for_a_terminal_that_wants_them() {
    let Some(script) = find_program("script") else { return skip("script is not installed") };
    let Some(scene) = Scene::new(|_| status(202)) else { return };
    let _agent = scene.run(&[]);
    let shown = |name: &str, value: &str| {
        let command = format!("{} status", agent::binary().display());
        let output = Command::new(&script)
            .args(["--quiet", "--command", &command, "/dev/null"])
            .env_clear()
            .env("STATUS_SOCKET", scene.socket())
            .env(name, value)
            .output()
            .unwrap();
        stdout(&output)
    };
    assert!(shown("TERM", "xterm").contains("\x1b[32m✓\x1b[0m agent"));
    assert!(shown("NO_COLOR", "").contains("\x1b[32m✓"));
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let shown = shown(name, value);
        assert!(shown.contains("✓ agent") && !shown.contains('\x1b'), "{shown}");
    }
}
