//! A card that takes its time, or hangs.

use super::*;
use chouette_iot::limits::spool::OPERATION_S;

/// The loop was held no longer than this while the disk did nothing: starting a process takes some of it.
const HELD_MAX: Duration = Duration::from_millis(50);

#[test]
fn while_the_disk_hangs_the_loop_goes_on_and_memory_serves() {
    let dir = TempDir::new();
    let program = program_that(&dir, "exec sleep 600");
    let mut keeper = Keeper::with(&dir.join("spool"), program, SETTINGS);
    keeper.store(0..100);
    keeper.spool.released(Stream::Metrics, false, keeper.now);
    keeper.now += AFTER;
    keeper.spool.pump(keeper.now);
    for _ in 0..10 {
        assert!(keeper.turn(), "it is being written");
    }
    let first = keeper.writer.child_id().unwrap();
    // What comes meanwhile is stored and counted; what is being written can be read.
    for at in 1..20 {
        keeper.spool.ask(1, Ask::Store(Stream::Metrics, Vec::new()), keeper.now);
        keeper.spool.ask(2, Ask::Size(Stream::Metrics), keeper.now);
        assert_eq!(keeper.spool.take_answer(), Some((1, Answer::Stored)), "{at}");
        assert_eq!(keeper.spool.take_answer(), Some((2, Answer::Size(100))));
        keeper.turn();
    }
    // It is given up, and tried again later.
    keeper.now += Duration::from_secs(OPERATION_S);
    keeper.settle();
    assert_eq!(keeper.failures.len(), 1);
    assert_eq!(keeper.writer.child_id(), None);
    let (numbers, keys) = keeper.batch();
    assert_eq!(numbers.len(), 100);
    assert!(!keeper.remove(keys), "it may be on the disk: nobody knows");
    assert_eq!(keeper.size(), 0);
    keeper.now += Duration::from_secs(60);
    keeper.spool.pump(keeper.now);
    keeper.turn();
    assert!(keeper.writer.child_id().is_some_and(|child| child != first));
    let held = (keeper.longest, keeper.longest_start);
    assert!(held.0.max(held.1) < HELD_MAX, "{held:?}");
}

#[test]
fn a_full_spool_is_read_and_drained_in_short_turns() {
    let dir = TempDir::new();
    let path = dir.join("spool");
    let mut keeper = Keeper::start(&path);
    let mut stored = 0;
    while keeper.spool.figures().disk_bytes < 14 << 20 {
        keeper.store(stored..stored + 1_000);
        stored += 1_000;
    }
    assert!(keeper.save());
    let (written, figures) = (keeper.longest, keeper.spool.figures());
    drop(keeper);
    let began = Instant::now();
    let mut keeper = Keeper::start(&path);
    assert_eq!(keeper.size(), stored as u64);
    let (start, started) = (began.elapsed(), keeper.longest);
    let began = Instant::now();
    assert_eq!(keeper.drain().len(), stored);
    let drained = began.elapsed();
    let text = format!(
        "{stored} records in {} bytes of files, {} written; start {start:.1?}, drained in {drained:.1?}; longest \
         turns: {written:.1?} writing, {started:.1?} starting, {:.1?} draining, {:.1?} for a child",
        figures.disk_bytes, figures.written_bytes, keeper.longest, keeper.longest_start
    );
    support::figures::figure("spool", "14 MiB", &text);
    assert!(files(&path).is_empty() && keeper.failures.is_empty());
}
