//! Disks that are full, cannot be written, or hold something else.

use super::*;
use std::process::Command;
use support::namespace;

/// Mounts a file system of its own for the test.
fn mount(options: &str, path: &Path) {
    std::fs::create_dir_all(path).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(path).status();
    assert!(mounted.unwrap().success());
}

#[test]
fn a_tenth_of_the_disk_stays_free() {
    namespace::inside(|_| {
        let dir = TempDir::new();
        let path = dir.join("disk");
        mount("size=1m,mode=700", &path);
        let settings = Settings { memory_bytes_max: 256 << 10, ..SETTINGS };
        let mut keeper = Keeper::with(&path, agent_program(), settings);
        let mut stored = 0;
        for _ in 0..100 {
            keeper.store(stored..stored + 100);
            stored += 100;
        }
        let figures = keeper.spool.figures();
        assert!((600 << 10..922 << 10).contains(&figures.disk_bytes), "{figures:?}");
        assert!(keeper.failures.is_empty(), "{:?}", keeper.failures);
        let dropped = keeper.spool.take_dropped();
        let count: usize = dropped.iter().map(|dropped| dropped.keys.len()).sum();
        assert!(dropped.iter().all(|dropped| dropped.reason == "spool_memory_full"), "{dropped:?}");
        assert_eq!(keeper.size() + count as u64, stored as u64, "each is there or counted");
        // A release makes room again.
        assert_eq!(keeper.drain().len() + count, stored);
        assert!(files(&path).is_empty());
    });
}

#[test]
fn a_tenth_of_the_inodes_stays_free() {
    namespace::inside(|_| {
        let dir = TempDir::new();
        let path = dir.join("disk");
        mount("size=8m,nr_inodes=20,mode=700", &path);
        for other in 0..17 {
            std::fs::write(path.join(format!("other-{other}")), "").unwrap();
        }
        let mut keeper = Keeper::start(&path);
        keeper.store(0..100);
        assert!(!keeper.save());
        std::fs::remove_file(path.join("other-0")).unwrap();
        assert!(keeper.save());
    });
}

#[test]
fn a_disk_that_is_full_to_the_last_byte_keeps_removals_in_memory_and_deletes_what_is_empty() {
    namespace::inside(|_| {
        let dir = TempDir::new();
        let path = dir.join("disk");
        mount("size=512k,mode=700", &path);
        let mut keeper = Keeper::start(&path);
        keeper.store(0..1_000);
        assert!(keeper.save());
        drop(keeper);
        let mut keeper = Keeper::start(&path);
        let (numbers, keys) = keeper.batch();
        // Somebody else takes all there is.
        let _ = std::fs::write(path.join("other"), vec![0; 1 << 20]);
        let removed = keeper.remove(keys.clone());
        let failures = keeper.failures.len();
        assert!(!removed && failures > 0, "{failures}");
        assert!(keeper.size() < 1_000 && !keeper.drain().contains(&numbers[0]), "it is not sent again");
        std::fs::remove_file(path.join("other")).unwrap();
        keeper.wait(Duration::from_secs(60));
        drop(keeper);
        assert_eq!(Keeper::start(&path).size(), 0, "what could not be written then is written now");
    });
}

#[test]
fn a_read_only_disk_leaves_memory() {
    namespace::inside(|_| {
        let dir = TempDir::new();
        let path = dir.join("disk");
        mount("size=1m,mode=700", &path);
        let mut keeper = Keeper::start(&path);
        keeper.store(0..1_000);
        assert!(keeper.save());
        drop(keeper);
        let remount = Command::new("mount").args(["-o", "remount,ro"]).arg(&path).status();
        assert!(remount.unwrap().success());
        let mut keeper = Keeper::start(&path);
        keeper.store(1_000..1_100);
        keeper.outage();
        assert!(keeper.failures[0].contains("Read-only"), "{:?}", keeper.failures);
        assert_eq!(keeper.size(), 1_100);
        assert_eq!(keeper.drain().len(), 1_100, "it can be read and sent all the same");
        assert!(!keeper.save());
    });
}

#[test]
fn a_bound_on_the_length_of_files_is_an_error_like_any_other() {
    let dir = TempDir::new();
    let path = dir.join("spool");
    let program = program_that(&dir, "ulimit -f 8");
    let mut keeper = Keeper::with(&path, program, SETTINGS);
    keeper.store(0..100);
    assert!(!keeper.save());
    assert!(keeper.failures.iter().all(|text| text.contains("File too large")), "{:?}", keeper.failures);
    assert_eq!(keeper.drain().len(), 100);
    drop(keeper);
    assert_eq!(Keeper::start(&path).drain(), Vec::<usize>::new(), "half a write is none");
}

#[test]
fn a_file_that_somebody_has_shortened_is_told_of() {
    let dir = TempDir::new();
    let path = dir.join("spool");
    let mut keeper = Keeper::start(&path);
    keeper.store(0..10);
    assert!(keeper.save());
    let [file] = &files(&path)[..] else { panic!("{:?}", files(&path)) };
    let bytes = file.metadata().unwrap().len();
    std::fs::OpenOptions::new().write(true).open(file).unwrap().set_len(7).unwrap();
    keeper.store(10..20);
    keeper.save();
    let name = file.file_name().unwrap().to_str().unwrap();
    assert_eq!(keeper.failures[0], format!("{name}: 7 bytes, not {bytes}: somebody has changed it"));
}

#[test]
fn an_answer_of_something_else_is_not_taken_for_one() {
    let dir = TempDir::new();
    let program = program_that(&dir, "printf '\\001\\000\\000\\000?' >&0");
    let mut keeper = Keeper::with(&dir.join("spool"), program, SETTINGS);
    keeper.store(0..10);
    assert!(!keeper.save());
    assert_eq!(keeper.failures[0], "garbled answer");
    assert_eq!(keeper.size(), 10);
}

#[test]
fn what_is_no_file_of_ours_is_let_be() {
    let dir = TempDir::new();
    let path = dir.join("spool");
    let mut keeper = Keeper::start(&path);
    keeper.store(0..1_000);
    assert!(keeper.save());
    drop(keeper);
    std::fs::create_dir(path.join("00000001.spool")).unwrap();
    std::fs::write(path.join("notes.txt"), "mine").unwrap();
    std::fs::write(path.join("00000002.spool"), vec![0xfb; 3 << 20]).unwrap();
    std::fs::write(path.join("fffffff0.spool"), "").unwrap();
    let mut keeper = Keeper::start(&path);
    assert_eq!(keeper.size(), 1_000);
    assert_eq!(keeper.drain().len(), 1_000);
    let figures = keeper.spool.figures();
    assert_eq!((figures.damaged, figures.torn), (1, 1), "one that cannot be read, one that is nothing");
    let left: Vec<_> = files(&path).iter().map(|file| file.file_name().unwrap().to_owned()).collect();
    assert_eq!(left, ["00000001.spool", "notes.txt"]);
}
