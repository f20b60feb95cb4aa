//! Space in use and still free on each physical device, from `statvfs` at one of its mount points.
//!
//! ```text
//! /dev/mmcblk0p2 / ext4 rw,noatime 0 0   →   Chouette.host.fs.used  ["device:/dev/mmcblk0p2"]  8123457536
//! ```
//!
//! `free` is what an ordinary user may still write, `used` is everything but what is free for root: the
//! two do not add up to the size, as with `df`. Which mount points are asked is told in
//! [`super::mounts`]. Inodes are not counted.

use super::format::FormatError;
use super::mounts::{self, Point};
use super::read_of_board;
use crate::collect::{CollectError, DiskSpace, Gauge, HostFiles};
use crate::limits::DEVICES_MAX;
use crate::metric::{Number, SortedSet, Tags};

/// Bytes in use.
pub const USED: &str = "Chouette.host.fs.used";
/// Bytes that an ordinary user can still write.
pub const FREE: &str = "Chouette.host.fs.free";

const FILESYSTEMS: &str = "proc/filesystems";

/// Appends two values per device, in the order of the devices' names.
pub fn collect(files: &dyn HostFiles, out: &mut Vec<Gauge>, error: &mut CollectError) {
    let (path, text) = read_of_board(files, "mounts");
    let Some(text) = error.keep(&path, text) else {
        return;
    };
    let filesystems = files.read(FILESYSTEMS).ok();
    for (i, (device, points)) in mounts::devices(&text, filesystems.as_deref()).iter().enumerate() {
        if i == DEVICES_MAX {
            error.add(&path, FormatError::TooMany { what: "devices", max: DEVICES_MAX });
            break;
        }
        if let Some(space) = ask(files, points, error) {
            push(device, space, out, error);
        }
    }
}

/// Asks at one mount point after the other: a short one may be closed to the agent. Only where none
/// answers is the first failure noted.
fn ask(files: &dyn HostFiles, points: &SortedSet<Point>, error: &mut CollectError) -> Option<DiskSpace> {
    let mut first_failure = None;
    for point in points.iter() {
        match files.disk_space(&point.path) {
            Ok(space) => return Some(space),
            Err(reason) => drop(first_failure.get_or_insert((&point.path, reason))),
        }
    }
    if let Some((path, reason)) = first_failure {
        error.add(path, reason);
    }
    None
}

fn push(device: &str, space: DiskSpace, out: &mut Vec<Gauge>, error: &mut CollectError) {
    if space.total_bytes == 0 {
        return; // It has no size to speak of, which is not a full disk.
    }
    let Some(used_bytes) = space.total_bytes.checked_sub(space.free_bytes) else {
        error.add(device, FormatError::Contradiction("more bytes are free than there are"));
        return;
    };
    let tags = Tags::from_strings(&[format!("device:{device}")]);
    for (name, bytes) in [(USED, used_bytes), (FREE, space.available_bytes)] {
        out.push(Gauge { name, tags: tags.clone(), value: Number::Int(bytes.into()) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::fake::FakeBoard;

    const TYPES: (&str, &str) = ("proc/filesystems", "nodev\tnfs\n\text4\n");

    fn read(board: &FakeBoard) -> (Vec<String>, String) {
        let (mut out, mut error) = (Vec::new(), CollectError::default());
        collect(board, &mut out, &mut error);
        let show = |g: &Gauge| format!("{} {} {}", g.name, g.tags.as_str(), g.value.as_f64());
        (out.iter().map(show).collect(), error.to_string())
    }

    #[test]
    fn what_is_reserved_for_root_is_neither_used_nor_free() {
        let board = FakeBoard::new(&[("proc/mounts", "/dev/a / ext4 rw"), TYPES]);
        let (gauges, error) = read(&board.disk("/", 1000, 300, 250));
        assert_eq!(error, "");
        assert_eq!(
            gauges,
            [
                r#"Chouette.host.fs.used ["device:/dev/a"] 700"#,
                r#"Chouette.host.fs.free ["device:/dev/a"] 250"#,
            ]
        );
    }

    #[test]
    fn a_full_disk_has_zero_free_and_a_disk_without_size_is_no_reading() {
        let mounts = "/dev/a /a ext4 rw\n/dev/b /b ext4 rw\n";
        let board = FakeBoard::new(&[("proc/mounts", mounts), TYPES]);
        let (gauges, error) = read(&board.disk("/a", 1 << 50, 0, 0).disk("/b", 0, 0, 0));
        assert_eq!(error, "");
        assert_eq!(
            gauges,
            [
                r#"Chouette.host.fs.used ["device:/dev/a"] 1125899906842624"#,
                r#"Chouette.host.fs.free ["device:/dev/a"] 0"#,
            ]
        );
    }

    #[test]
    fn one_device_that_fails_costs_only_itself() {
        let mounts = "/dev/a /a ext4 rw\n/dev/b /b ext4 rw\n/dev/c /c ext4 rw\n/dev/c /cc ext4 rw\n\
                      /dev/d /d ext4 rw\n/dev/d /dd ext4 rw\n";
        let board = FakeBoard::new(&[("proc/mounts", mounts), TYPES]);
        let (gauges, error) = read(&board.disk("/b", 5, 6, 6).disk("/cc", 9, 8, 7));
        assert_eq!(gauges.len(), 2);
        assert!(gauges.iter().all(|g| g.contains("/dev/c")), "{gauges:?}");
        assert_eq!(
            error,
            "/a: entity not found; /dev/b: more bytes are free than there are; \
             /d: entity not found"
        );
    }

    #[test]
    fn a_remote_filesystem_is_not_touched() {
        let mounts = "/dev/a / ext4 rw\nnas:/x /nas nfs rw\n/dev/b /nas/b ext4 rw\n";
        let board = FakeBoard::new(&[("proc/mounts", mounts), TYPES]).disk("/", 3, 2, 1);
        assert_eq!(read(&board).1, "");
        assert_eq!(*board.asked.borrow(), ["/"]);
    }

    #[test]
    fn a_foreign_board_is_seen_through_process_one() {
        let files = [("proc/mounts", "/dev/own /own ext4"), ("proc/1/mounts", "/dev/a /a ext4"), TYPES];
        let mut board = FakeBoard::new(&files).disk("/own", 3, 2, 1).disk("/a", 3, 2, 1);
        assert!(read(&board).0[0].contains("/dev/own"));
        board.foreign = true;
        assert!(read(&board).0[0].contains("/dev/a"));
        board.files.remove("proc/1/mounts");
        assert!(read(&board).0[0].contains("/dev/own"));
        board.files.remove("proc/mounts");
        assert_eq!(read(&board), (Vec::new(), "proc/mounts: entity not found".to_owned()));
    }

    #[test]
    fn devices_are_bounded() {
        let line = |i| format!("/dev/{i:03} /{i:03} ext4 rw\n");
        let mounts: String = (0..=DEVICES_MAX).map(line).collect();
        let mut board = FakeBoard::new(&[("proc/mounts", &mounts), TYPES]);
        for i in 0..=DEVICES_MAX {
            board = board.disk(&format!("/{i:03}"), 3, 2, 1);
        }
        let (gauges, error) = read(&board);
        assert_eq!(gauges.len(), 2 * DEVICES_MAX);
        assert_eq!(error, "proc/mounts: only the first 64 devices are read");
    }
}
