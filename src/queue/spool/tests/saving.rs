//! Writes that fail, and the last word before the end.

use super::*;

#[test]
fn what_is_stored_while_it_saves_is_saved_too() {
    let mut rig = Rig::new(settings(1 << 20));
    rig.store(entries(0..10));
    rig.spool.ask(1, Ask::Save, rig.now);
    let operation = rig.spool.take_operation().expect("a write");
    // What the agent still has to say, and waits for behind the last word.
    rig.spool.ask(2, Ask::Store(Stream::Metrics, entries(10..20)), rig.now);
    rig.spool.ask(3, Ask::Size(Stream::Metrics), rig.now);
    assert_eq!(rig.spool.take_answer(), Some((2, Answer::Stored)));
    let outcome = rig.disk.carry_out(&operation);
    rig.spool.done(outcome, rig.now);
    rig.settle();
    assert_eq!(rig.spool.take_answer(), Some((1, Answer::Saved(true))));
    assert_eq!(rig.spool.take_answer(), Some((3, Answer::Size(20))));
    let mut rig = Rig::on(rig.disk, settings(1 << 20));
    assert_eq!(rig.size(Stream::Metrics), 20);
}

#[test]
fn delivered_points_outlive_the_file_that_told_of_them() {
    let mut rig = Rig::new(settings(1 << 20));
    rig.store(entries(0..1));
    let keys = rig.keys(Stream::Metrics);
    let delivered = Some((b"12345678".to_vec(), 2));
    rig.ask(Ask::Remove(Stream::Metrics, keys, Trace { told: Vec::new(), delivered }));
    // A few short lives, of which none delivers anything.
    for _ in 0..3 {
        assert_eq!(rig.ask(Ask::Save), Answer::Saved(true));
        assert!(!rig.disk.files.is_empty());
        rig = Rig::on(rig.disk, settings(1 << 20));
        assert!(rig.disk.files.is_empty(), "nothing waits");
        assert_eq!(rig.ask(Ask::Delivered), Answer::Delivered(vec![b"12345678".to_vec()]));
    }
}

#[test]
fn what_a_failed_write_left_at_the_end_of_a_file_is_not_read() {
    let mut rig = Rig::new(settings(1 << 20));
    rig.store(entries(0..10));
    assert_eq!(rig.ask(Ask::Store(Stream::Logs, entries(0..5))), Answer::Stored);
    for queue in [Stream::Metrics, Stream::Logs] {
        rig.spool.released(queue, false, rig.now);
    }
    rig.wait(AFTER);
    assert_eq!(rig.disk.files.len(), 1);
    // It is written, and the disk says that it is not.
    rig.store(entries(10..20));
    rig.now += AFTER;
    rig.spool.pump(rig.now);
    let operation = rig.spool.take_operation().expect("a write");
    rig.disk.carry_out(&operation);
    rig.spool.done(Outcome::Failed("EIO".into()), rig.now);
    let keys = (10..20).map(|at| format!("key-{at:05}").into_bytes()).collect();
    assert!(!rig.remove(Stream::Metrics, keys, Trace::default()), "nobody knows");
    assert_eq!(rig.keys(Stream::Logs).len(), 5, "the file was read");
    assert_eq!(rig.size(Stream::Metrics), 10);
    assert_eq!(names(&rig.drain(Stream::Metrics)).len(), 10, "nothing comes back");
}
