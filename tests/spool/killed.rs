//! The child and the agent are killed, at any moment.

use super::*;
use std::collections::BTreeSet;
use std::process::Command;

/// Mixes rounds so that the moments differ.
fn mixed(round: u64) -> u64 {
    (round + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

/// Turns the loop until the child is at work, and some more.
fn into_the_middle(keeper: &mut Keeper, round: u64) -> Option<u32> {
    while keeper.writer.child_id().is_none() {
        if !keeper.turn() {
            return None;
        }
    }
    let until = Instant::now() + Duration::from_micros(mixed(round) % 3_000);
    while Instant::now() < until && keeper.turn() {}
    keeper.writer.child_id()
}

#[test]
fn a_killed_child_costs_nothing() {
    let dir = TempDir::new();
    let mut keeper = Keeper::start(&dir.join("spool"));
    let (mut taken, mut stored, mut kills) = (BTreeSet::new(), 0, 0);
    for round in 0..120 {
        keeper.store(stored..stored + 40);
        stored += 40;
        keeper.spool.released(Stream::Metrics, false, keeper.now);
        keeper.now += AFTER;
        keeper.spool.pump(keeper.now);
        if let Some(child) = into_the_middle(&mut keeper, round) {
            kill(child);
            kills += 1;
        }
        keeper.settle();
        if round % 3 == 2 {
            let (numbers, keys) = keeper.batch();
            keeper.spool.ask(9, Ask::Remove(Stream::Metrics, keys, Trace::default()), keeper.now);
            if round % 2 == 0
                && let Some(child) = into_the_middle(&mut keeper, round)
            {
                kill(child);
            }
            while keeper.spool.take_answer().is_none() {
                keeper.wait(Duration::from_secs(1));
            }
            for number in numbers {
                assert!(taken.insert(number), "{number} was there twice");
            }
        }
        keeper.wait(Duration::from_secs(2));
    }
    assert!(kills > 50 && keeper.failures.len() > 20, "{kills} {:?}", keeper.failures);
    while !keeper.save() {
        keeper.wait(Duration::from_secs(60));
    }
    drop(keeper);
    let mut keeper = Keeper::start(&dir.join("spool"));
    for number in keeper.drain() {
        assert!(taken.insert(number), "{number} was there twice");
    }
    assert_eq!(taken.len(), stored, "none is lost");
    assert_eq!(keeper.spool.figures().damaged, 0);
}

/// The agent has a memory that is lost with it, so what has to be there is what was answered.
#[test]
fn after_a_killed_agent_what_was_written_is_there_and_what_was_removed_is_not() {
    let dir = TempDir::new();
    let path = dir.join("spool");
    let (mut there, mut removed, mut stored) = (BTreeSet::new(), BTreeSet::new(), 0);
    for round in 0..60 {
        let mut keeper = Keeper::start(&path);
        let (numbers, keys) = keeper.batch();
        if round % 2 == 1 {
            let half = numbers.len() / 2;
            assert!(keeper.remove(keys[..half].to_vec()));
            for number in &numbers[..half] {
                there.remove(number);
                removed.insert(*number);
            }
        }
        keeper.store(stored..stored + 50);
        keeper.outage();
        assert!(keeper.failures.is_empty());
        there.extend(stored..stored + 50);
        stored += 50;
        // What is under way when it is killed may be there or not.
        keeper.store(stored..stored + 50);
        keeper.spool.released(Stream::Metrics, false, keeper.now);
        keeper.now += AFTER;
        keeper.spool.pump(keeper.now);
        if let Some(child) = into_the_middle(&mut keeper, round) {
            kill(child);
        }
        drop(keeper);
        let mut keeper = Keeper::start(&path);
        let found: BTreeSet<_> = keeper.batch().0.into_iter().collect();
        assert!(there.is_subset(&found), "round {round}");
        assert!(found.is_disjoint(&removed), "round {round}");
        there = found;
        stored += 50;
    }
}

#[test]
fn what_ends_the_agent_does_not_end_the_child() {
    let dir = TempDir::new();
    let mut keeper = Keeper::start(&dir.join("spool"));
    keeper.store(0..10);
    keeper.outage();
    let child = keeper.writer.child_id().unwrap().to_string();
    for signal in ["-TERM", "-INT", "-HUP"] {
        assert!(Command::new("kill").args([signal, &child]).status().unwrap().success());
    }
    keeper.store(10..20);
    assert!(keeper.save());
    assert_eq!(keeper.writer.child_id().unwrap().to_string(), child);
    assert!(keeper.failures.is_empty());
}
