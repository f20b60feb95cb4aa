//! Children: whatever way they end, none stays behind as a zombie.

use std::ffi::OsStr;
use std::path::Path;

use chouette_iot::runtime::child::{Child, Spawn, reap};
use mio::{Poll, Token};

use crate::support::*;

const DEATHS: usize = 1_000;

/// Processes of ours that have ended and were not collected.
fn zombies() -> Vec<String> {
    let me = std::process::id().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name may hold anything; what follows its closing parenthesis does not.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        if fields.first() == Some(&"Z") && fields.get(1) == Some(&me.as_str()) {
            found.push(stat);
        }
    }
    found
}

#[test]
fn a_thousand_deaths_leave_no_zombie() {
    let poll = Poll::new().unwrap();
    let sleep_for_ever = [OsStr::new("-c"), OsStr::new("exec sleep 600")];
    let end_at_once = [OsStr::new("-c"), OsStr::new("exit 3")];
    for death in 0..DEATHS {
        // Every other one is killed while it runs, the rest end by themselves.
        let arguments: &[&OsStr] = if death % 2 == 0 { &sleep_for_ever } else { &end_at_once };
        let spawn =
            Spawn { program: Path::new("/bin/sh"), arguments, environment: &[], inherit_stderr: false };
        let child = eventually(|| Child::spawn(spawn, Token(death), poll.registry()).ok());
        drop(child);
    }
    // Other tests of this program have children too, which they collect themselves.
    eventually(|| (reap() == 0 && zombies().is_empty()).then_some(()));
}

/// Asks again until there is an answer; bounded.
fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let until = std::time::Instant::now() + WAIT;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(std::time::Instant::now() < until, "it did not happen");
        std::thread::yield_now();
    }
}
