//! One agent for each directory.

use super::*;
use std::io::ErrorKind;

#[test]
fn a_second_agent_is_refused_the_directory() {
    let dir = TempDir::new();
    let path = dir.join("spool");
    let first = Directory::open(&path).unwrap();
    assert_eq!(Directory::open(&path).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(first);
    Directory::open(&path).unwrap();
}

/// The agent is gone while its child writes: the child writes to the end, and has the directory until then.
#[test]
fn the_directory_is_taken_until_the_child_has_ended() {
    let dir = TempDir::new();
    let (path, gate) = (dir.join("spool"), dir.join("gate"));
    let program = program_that(&dir, &format!("while [ ! -e {} ]; do sleep 0.02; done", gate.display()));
    let mut keeper = Keeper::with(&path, program, SETTINGS);
    keeper.store(0..10);
    keeper.spool.released(Stream::Metrics, false, keeper.now);
    keeper.now += AFTER;
    keeper.spool.pump(keeper.now);
    keeper.turn();
    assert!(keeper.writer.child_id().is_some());
    drop(keeper);
    assert_eq!(Directory::open(&path).unwrap_err().kind(), ErrorKind::WouldBlock);
    std::fs::write(&gate, "").unwrap();
    assert!(wait_until(SOON, || Directory::open(&path).is_ok()));
    assert_eq!(Keeper::start(&path).size(), 10);
}
