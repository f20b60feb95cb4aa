//! Memory and disk are bounded, and what a bound drops is counted.

use super::*;
use crate::limits::spool::{
    DISK_BACKOFF_S, FREE_SHARE, MEMORY_NEAR, NO_ROOM_S, PAGE_BYTES, RECORD_OVERHEAD_BYTES, SAVE_TRIES,
    SEGMENT_BYTES, SEGMENT_FILE_BYTES_MAX,
};

fn dropped(rig: &mut Rig, reason: &str) -> Vec<String> {
    let all = rig.spool.take_dropped();
    assert!(all.iter().all(|dropped| dropped.reason == reason && dropped.unnamed == 0), "{all:?}");
    let keys = all.into_iter().flat_map(|dropped| dropped.keys);
    keys.map(|key| String::from_utf8_lossy(&key).into_owned()).collect()
}

#[test]
fn without_a_disk_the_oldest_goes_when_memory_is_full() {
    let memory = 100 * (9 + 22 + RECORD_OVERHEAD_BYTES);
    let mut rig = Rig::new(settings(memory));
    rig.spool = Spool::new(settings(memory), None, 0);
    rig.store(entries(0..250));
    assert_eq!(rig.size(Stream::Metrics), 100);
    let gone = dropped(&mut rig, "spool_memory_full");
    assert_eq!((gone.len(), &gone[0][..], &gone[149][..]), (150, "key-00000", "key-00149"));
    assert_eq!(names(&rig.drain(Stream::Metrics))[0], "key-00150");
    assert!(!rig.save() || rig.spool.figures().memory_records == 0);
    assert_eq!(rig.spool.deadline(rig.now), None);
}

#[test]
fn it_is_near_the_bound_at_three_quarters() {
    let record_bytes = 9 + 22 + RECORD_OVERHEAD_BYTES;
    let mut rig = Rig::new(settings(400 * record_bytes));
    let near = 400 / MEMORY_NEAR.1 * MEMORY_NEAR.0;
    rig.store(entries(0..near));
    assert_eq!(rig.disk.writes(), 0);
    rig.store(entries(near..near + 1));
    assert!(rig.disk.writes() > 0);
    assert_eq!(rig.spool.figures().memory_records, 0);
}

#[test]
fn what_is_written_is_counted_in_pages() {
    let mut rig = Rig::new(settings(1 << 20));
    rig.store(entries(0..10));
    assert!(rig.save());
    assert_eq!(rig.spool.figures().written_bytes, 2 * PAGE_BYTES, "and one that says where the page is");
}

#[test]
fn a_disk_that_fails_is_tried_at_growing_intervals() {
    let mut rig = Rig::new(settings(1 << 20));
    rig.store(entries(0..10));
    rig.spool.released(Stream::Metrics, false, rig.now);
    rig.now += AFTER;
    rig.spool.pump(rig.now);
    let mut waits = Vec::new();
    for _ in 0..12 {
        assert!(rig.spool.take_operation().is_some());
        rig.spool.lost("gone".into(), rig.now);
        assert!(rig.spool.take_operation().is_none());
        let at = rig.spool.deadline(rig.now).expect("it is tried again");
        waits.push((at - rig.now).as_secs_f64());
        rig.now = at;
        rig.spool.pump(rig.now);
    }
    let (first_s, longest_s) = DISK_BACKOFF_S;
    assert_eq!((waits[0], waits[1], waits[11]), (first_s, 2.0 * first_s, longest_s));
    rig.settle();
    assert_eq!(rig.killed().size(Stream::Metrics), 10);
}

#[test]
fn a_batch_of_delivered_points_that_would_not_be_read_again_is_not_written() {
    let mut rig = Rig::new(settings(1 << 20));
    rig.store(entries(0..10));
    let mut rig = rig.restarted();
    let keys = rig.keys(Stream::Metrics);
    let delivered = Some((vec![1; SEGMENT_FILE_BYTES_MAX / 2], 2));
    assert!(rig.remove(Stream::Metrics, keys[..5].to_vec(), Trace { told: Vec::new(), delivered }));
    let mut rig = rig.killed();
    assert_eq!(rig.ask(Ask::Delivered), Answer::Delivered(Vec::new()));
    assert_eq!(rig.size(Stream::Metrics), 5);
}

#[test]
fn near_the_bound_of_memory_it_goes_to_the_disk() {
    let mut rig = Rig::new(settings(512 << 10));
    for at in 0..200 {
        rig.store(entries(at * 100..at * 100 + 100));
        assert!(rig.spool.figures().memory_bytes <= 512 << 10);
    }
    assert!(rig.spool.take_dropped().is_empty());
    assert_eq!(rig.size(Stream::Metrics), 20_000);
    let figures = rig.spool.figures();
    assert!(figures.disk_records > 17_000, "{figures:?}");
    let record_bytes = figures.disk_bytes / figures.disk_records;
    assert!(figures.written_bytes < figures.disk_bytes * 3 / 2 && record_bytes < 60, "{figures:?}");
    let all = names(&rig.drain(Stream::Metrics));
    assert!(all.len() == 20_000 && all.is_sorted(), "oldest first, from disk and memory");
}

#[test]
fn what_comes_at_once_may_be_more_than_memory_holds() {
    let mut rig = Rig::new(settings(64 << 10));
    rig.spool.ask(1, Ask::Store(Stream::Metrics, entries(0..2_000)), rig.now);
    assert_eq!(rig.spool.take_answer(), None, "it is being written");
    let mut writes = 0;
    while let Some(operation) = rig.spool.take_operation() {
        assert!(rig.spool.figures().memory_bytes <= 64 << 10);
        let outcome = rig.disk.carry_out(&operation);
        rig.spool.done(outcome, rig.now);
        writes += 1;
    }
    assert!(writes > 5, "{writes}");
    assert_eq!(rig.spool.take_answer(), Some((1, Answer::Stored)));
    assert!(rig.spool.take_dropped().is_empty());
    assert_eq!(names(&rig.drain(Stream::Metrics)).len(), 2_000);
    // A disk that does nothing is not waited for.
    rig.disk.next = Some(Outcome::Failed("EIO".into()));
    rig.store(entries(0..2_000));
    assert!(rig.spool.figures().failures > 0);
    assert_eq!(rig.size(Stream::Metrics) + dropped(&mut rig, "spool_memory_full").len() as u64, 2_000);
}

#[test]
fn a_backlog_of_any_size_is_drained_in_bounded_memory() {
    let mut rig = Rig::new(settings(1 << 20));
    let mut stored = 0;
    while rig.spool.figures().disk_bytes < 8 << 20 {
        let mut new = entries(stored..stored + 100);
        new.iter_mut().for_each(|entry| entry.json.resize(200, b' '));
        rig.store(new);
        stored += 100;
    }
    let mut rig = rig.restarted();
    let (mut taken, mut batches) = (0, 0);
    loop {
        let keys = rig.keys(Stream::Metrics);
        let memory_bytes = rig.spool.figures().memory_bytes;
        assert!(memory_bytes <= 3 << 18, "{memory_bytes}");
        if keys.is_empty() {
            break;
        }
        assert!(keys.is_sorted() && keys[0] == format!("key-{taken:05}").into_bytes());
        taken += keys.len();
        batches += 1;
        assert!(rig.remove(Stream::Metrics, keys, Trace::default()));
    }
    assert_eq!(taken, stored);
    assert!(taken / batches > 1_000, "{taken} in {batches} batches");
    assert!(rig.disk.files.is_empty() && rig.spool.take_dropped().is_empty());
}

#[test]
fn the_oldest_file_goes_when_the_disk_is_full() {
    let bounds = Settings { disk_bytes_max: 4 * SEGMENT_BYTES as u64, ..settings(64 << 10) };
    let mut rig = Rig::new(bounds);
    for at in 0..100 {
        rig.store(entries(at * 100..at * 100 + 100));
        let figures = rig.spool.figures();
        assert!(figures.disk_bytes <= bounds.disk_bytes_max + 200, "{figures:?}");
    }
    let gone = dropped(&mut rig, "spool_disk_full");
    assert!(gone.is_sorted() && gone.len() > 1_000);
    let left = names(&rig.drain(Stream::Metrics));
    let all: Vec<_> = entries(0..10_000).into_iter().map(|entry| entry.key).collect();
    assert!([gone, left].concat() == all, "each of them is there or was counted, the oldest are not there");
}

#[test]
fn a_bound_that_was_lowered_counts_from_the_start() {
    let mut rig = Rig::new(settings(64 << 10));
    (0..90).for_each(|at| rig.store(entries(at * 100..at * 100 + 100)));
    assert!(rig.save());
    let lower = Settings { disk_bytes_max: 2 * SEGMENT_BYTES as u64, ..settings(64 << 10) };
    let mut rig = Rig::on(rig.disk, lower);
    assert!(rig.spool.figures().disk_bytes <= lower.disk_bytes_max);
    let gone = dropped(&mut rig, "spool_disk_full").len();
    assert_eq!(gone as u64 + rig.size(Stream::Metrics), 9_000);
}

#[test]
fn a_disk_with_little_room_left_is_let_be() {
    assert_eq!(FREE_SHARE, 10);
    let mut rig = Rig::new(settings(64 << 10));
    rig.store(entries(0..10));
    rig.spool.released(Stream::Metrics, false, rig.now);
    rig.disk.next = Some(Outcome::NoRoom);
    rig.wait(AFTER);
    assert_eq!(rig.spool.deadline(rig.now), Some(rig.now + Duration::from_secs(NO_ROOM_S)));
    rig.store(entries(10..1_000));
    assert_eq!(rig.disk.writes(), 1, "not asked again at once");
    let gone = dropped(&mut rig, "spool_memory_full");
    assert_eq!(gone.len() as u64 + rig.size(Stream::Metrics), 1_000);
    assert!(gone.is_sorted(), "oldest first");
    rig.wait(Duration::from_secs(NO_ROOM_S));
    assert!(rig.disk.writes() > 1 && rig.spool.figures().memory_records == 0);
}

#[test]
fn a_record_that_is_too_large_is_dropped_alone() {
    let mut rig = Rig::new(settings(4 << 20));
    let mut large = entry("large", 1.0);
    large.json = vec![b'x'; crate::limits::spool::RECORD_BYTES_MAX];
    let mut fits = large.clone();
    fits.json.truncate(large.json.len() - 5);
    rig.store(vec![large, entry("small", 2.0), fits]);
    assert_eq!(dropped(&mut rig, "too_large"), ["large"]);
    let mut rig = rig.restarted();
    assert_eq!(names(&rig.drain(Stream::Metrics)), ["large", "small"]);
}

#[test]
fn what_cannot_be_saved_at_the_end_is_not_tried_for_ever() {
    let mut rig = Rig::new(settings(64 << 10));
    rig.store(entries(0..10));
    rig.spool.ask(7, Ask::Save, rig.now);
    for attempt in 1..=SAVE_TRIES {
        assert!(rig.spool.take_operation().is_some(), "attempt {attempt}");
        assert_eq!(rig.spool.take_answer(), None);
        rig.spool.lost("gone".into(), rig.now);
        rig.now += Duration::from_secs(2);
        rig.spool.pump(rig.now);
    }
    assert_eq!(rig.spool.take_answer(), Some((7, Answer::Saved(false))));
}
