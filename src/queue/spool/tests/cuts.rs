//! Power cuts at every byte, and every bit flipped.

use super::*;

/// Keys and values of both queues that are used.
type Held = BTreeMap<Vec<u8>, Vec<u8>>;

/// A write of a small scene: the disk before it, and what is on the disk before and after.
struct Write {
    disk: Disk,
    operation: Operation,
    before: Held,
    after: Held,
    is_removal: bool,
}

fn all(rig: &mut Rig) -> Held {
    let queues = [Stream::Metrics, Stream::Logs];
    queues.into_iter().flat_map(|queue| rig.drain(queue)).collect()
}

/// What a start would find on a disk.
fn found(disk: &Disk) -> Held {
    all(&mut Rig::on(disk.clone(), settings(1 << 20)))
}

/// A scene of few bytes with all that can be written: records of two queues, removals with and without a trace, a
/// second file, delivered points.
fn scene() -> (Vec<Write>, Disk) {
    let mut rig = Rig::new(settings(1 << 20));
    let mut writes: Vec<Write> = Vec::new();
    let mut step = |rig: &mut Rig, ask: Ask| {
        let is_removal = matches!(ask, Ask::Remove(..));
        rig.spool.ask(7, ask, rig.now);
        while let Some(operation) = rig.spool.take_operation() {
            let disk = rig.disk.clone();
            let outcome = rig.disk.carry_out(&operation);
            rig.spool.done(outcome, rig.now);
            if matches!(operation, Operation::Append { .. }) {
                let (before, after) = (found(&disk), found(&rig.disk));
                writes.push(Write { disk, operation, before, after, is_removal });
            }
        }
        rig.spool.take_answer()
    };
    let go_to_disk = |rig: &mut Rig, numbers: std::ops::Range<usize>| {
        for queue in [Stream::Metrics, Stream::Logs] {
            rig.spool.released(queue, false, rig.now);
        }
        let logs = vec![entry(&format!("log-{}", numbers.start), 1.5)];
        rig.spool.ask(7, Ask::Store(Stream::Logs, logs), rig.now);
        rig.spool.ask(7, Ask::Store(Stream::Metrics, entries(numbers)), rig.now);
        while rig.spool.take_answer().is_some() {}
        rig.now += AFTER;
    };
    let list = Ask::Keys { queue: Stream::Metrics, rank: 0, count: 500, before_s: None };
    go_to_disk(&mut rig, 0..6);
    step(&mut rig, list.clone());
    let trace = Trace { told: vec![entry("told", 2.5)], delivered: Some((vec![3; 8], 2)) };
    step(&mut rig, Ask::Remove(Stream::Metrics, vec![b"key-00000".into(), b"key-00002".into()], trace));
    go_to_disk(&mut rig, 6..10);
    step(&mut rig, list.clone());
    let mut rig = rig.killed();
    go_to_disk(&mut rig, 10..14);
    step(&mut rig, list.clone());
    let trace = Trace { told: Vec::new(), delivered: Some((vec![4; 16], 2)) };
    step(&mut rig, Ask::Remove(Stream::Metrics, vec![b"key-00003".into(), b"key-00011".into()], trace));
    step(&mut rig, Ask::Save);
    assert_eq!(rig.disk.files.len(), 2);
    (writes, rig.disk)
}

#[test]
fn a_power_cut_at_any_byte_loses_nothing_that_was_written_and_brings_nothing_back() {
    let (writes, _) = scene();
    assert_eq!(writes.iter().filter(|write| write.is_removal).count(), 2);
    let mut cuts = 0;
    for (at, Write { disk, operation, before, after, is_removal }) in writes.iter().enumerate() {
        let Operation::Append { segment, at: offset, bytes, keeps_room } = operation else { panic!() };
        for cut in 0..=bytes.len() {
            let mut disk = disk.clone();
            let bytes = bytes[..cut].to_vec();
            let part = Operation::Append { segment: *segment, at: *offset, bytes, keeps_room: *keeps_room };
            disk.carry_out(&part);
            let found = found(&disk);
            let what = format!("write {at} cut at {cut}");
            if *is_removal {
                assert!(found == *before || found == *after, "{what}: {found:?}");
            } else {
                assert!(before.iter().all(|(key, value)| found.get(key) == Some(value)), "{what}: {found:?}");
                assert!(found.iter().all(|(key, value)| after.get(key) == Some(value)), "{what}: {found:?}");
            }
            cuts += 1;
        }
        assert_eq!(found(&disk.clone()), *before);
    }
    assert!(cuts > 1_000, "{cuts}");
}

#[test]
fn any_file_cut_at_any_byte_starts_and_goes_on() {
    let (_, disk) = scene();
    let everything = found(&disk);
    for (number, bytes) in &disk.files {
        for cut in 0..bytes.len() {
            let mut disk = disk.clone();
            disk.carry_out(&Operation::Truncate(*number, cut as u32));
            let mut rig = Rig::on(disk, settings(1 << 20));
            let figures = rig.spool.figures();
            rig.store(vec![entry("new", 99.0)]);
            let mut rig = rig.restarted();
            let found = all(&mut rig);
            assert!(found.contains_key(&b"new"[..]), "{number} cut at {cut}");
            // Where a removal is cut off what it removed is back; nothing else can be there.
            let known =
                |key: &Vec<u8>| key == b"new" || key.starts_with(b"key") || everything.contains_key(key);
            assert!(found.keys().all(known), "{number} cut at {cut}: {found:?}");
            assert!(figures.damaged == 0 && figures.torn <= 1, "{number} cut at {cut}: {figures:?}");
        }
    }
}

#[test]
fn any_flipped_bit_costs_one_record_at_most_and_is_counted() {
    let (_, disk) = scene();
    let everything = found(&disk);
    let mut lost = 0;
    for (number, bytes) in &disk.files {
        for bit in 0..bytes.len() * 8 {
            let mut disk = disk.clone();
            if let Some(byte) = disk.files.get_mut(number).and_then(|bytes| bytes.get_mut(bit / 8)) {
                *byte ^= 1 << (bit % 8);
            }
            let mut rig = Rig::on(disk, settings(1 << 20));
            let figures = rig.spool.figures();
            assert_eq!(figures.damaged + figures.torn, 1, "bit {bit} of {number}");
            let found = all(&mut rig);
            let is_known = |(key, value): (&Vec<u8>, &Vec<u8>)| everything.get(key) == Some(value);
            assert!(found.iter().all(is_known), "bit {bit} of {number} brings back {found:?}");
            assert!(found.len() + 1 >= everything.len(), "bit {bit} of {number} leaves {found:?}");
            lost += everything.len() - found.len();
            assert!(rig.disk.files.is_empty(), "bit {bit} of {number}: files stay");
        }
    }
    assert!(lost > 1_000, "{lost}");
}

#[test]
fn a_card_that_gives_back_old_contents_brings_nothing_back() {
    let (_, mut disk) = scene();
    let (number, bytes) = disk.files.pop_last().expect("two files");
    disk.files.insert(number + 1, bytes.clone());
    let foreign = [&bytes[40..], &bytes].concat();
    disk.files.insert(number + 2, foreign);
    let mut rig = Rig::on(disk, settings(1 << 20));
    let found = all(&mut rig);
    assert!(!found.keys().any(|key| key.starts_with(b"key-0001")), "{found:?}");
}
