//! Which mounted filesystems are physical devices, and at which of their mount points each may be asked
//! for its size without any risk of waiting. From `/proc/mounts` and `/proc/filesystems`:
//!
//! ```text
//! /dev/mmcblk0p2 / ext4 rw,noatime 0 0                         nodev   proc
//! proc /proc proc rw,nosuid 0 0                                nodev   tmpfs
//! /dev/sda1 /media/pi/USB\040DISK vfat rw 0 0                          ext4
//! nas:/films /mnt/films nfs4 rw 0 0                                    vfat
//! ```
//!
//! A *device* is a filesystem whose type needs a block device (no `nodev` beside it), or ZFS, except an
//! image that cannot be written: it is always full. Where the list of types cannot be read, whatever is
//! mounted from below `/dev/` is a device. Device names are not resolved: one disk mounted by two names
//! is two devices.
//!
//! Walking to a mount point can hang for as long as a server is away, at that point and anywhere below.
//! So a path is avoided unless every filesystem on it is known to be local: anything unknown counts as
//! remote. An automounter is avoided by what lies below it; a device that stands right on its mount point
//! is mounted already.
//!
//! Formats: <https://man7.org/linux/man-pages/man5/proc_pid_mounts.5.html>,
//! <https://man7.org/linux/man-pages/man5/proc_filesystems.5.html>

use crate::limits::{MOUNT_POINT_BYTES_MAX, MOUNT_POINTS_TRIED_MAX};
use crate::metric::{SortedMap, SortedSet};

/// Types that need no device but hold what they hold on this machine.
const LOCAL: [&str; 11] = [
    "aufs",
    "devtmpfs",
    "ecryptfs",
    "jffs2",
    "overlay",
    "overlayfs",
    "ramfs",
    "rootfs",
    "tmpfs",
    "ubifs",
    "zfs",
];
/// Types that cannot be written to.
const IMAGES: [&str; 5] = ["cramfs", "erofs", "iso9660", "romfs", "squashfs"];

/// Mount points by device, the shortest first.
pub type Devices = SortedMap<String, SortedSet<Point>>;

/// A mount point; it sorts by length, then by text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    length: usize,
    /// The absolute path.
    pub path: String,
}

/// The devices in `mounts`; `filesystems` is the list of types the kernel knows, if it could be read.
pub fn devices(mounts: &str, filesystems: Option<&str>) -> Devices {
    let block_types = filesystems.map(block_types);
    let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
    let kinds: Vec<Kind> = mounts.iter().map(|m| m.kind(block_types.as_ref())).collect();

    let places = places(&mounts, &kinds);
    let place = |point: &str| {
        let found = places.binary_search_by(|place| place.point.cmp(point)).ok()?;
        places.get(found)
    };
    let is_safe = |point: &str| {
        !place(point).is_some_and(|place| place.is_remote)
            && !parents(point).filter_map(place).any(|place| place.is_remote || place.is_automounter)
    };

    let mut devices = Devices::new();
    for (mount, kind) in mounts.iter().zip(&kinds) {
        let point = mount.point.as_str();
        let is_covered = place(point).is_none_or(|place| place.top != mount.device);
        if *kind == Kind::Device && !is_covered && is_safe(point) {
            let points = devices.entry(mount.device.clone());
            points.insert(Point { length: point.len(), path: point.to_owned() });
            if points.len() > MOUNT_POINTS_TRIED_MAX {
                points.pop_last();
            }
        }
    }
    devices
}

/// What is mounted at one point.
struct Place<'a> {
    point: &'a str,
    /// The device that is seen there: the one that was mounted last.
    top: &'a str,
    is_remote: bool,
    is_automounter: bool,
}

/// All points, sorted.
fn places<'a>(mounts: &'a [Mount<'_>], kinds: &[Kind]) -> Vec<Place<'a>> {
    let place = |(mount, kind): (&'a Mount<'_>, &Kind)| Place {
        point: &mount.point,
        top: &mount.device,
        is_remote: *kind == Kind::Remote,
        is_automounter: *kind == Kind::Automount,
    };
    let mut places: Vec<Place<'_>> = mounts.iter().zip(kinds).map(place).collect();
    places.sort_by(|a, b| a.point.cmp(b.point));
    places.dedup_by(|later, kept| {
        let is_same = later.point == kept.point;
        if is_same {
            kept.top = later.top;
            kept.is_remote |= later.is_remote;
            kept.is_automounter |= later.is_automounter;
        }
        is_same
    });
    places
}

struct Mount<'a> {
    device: String,
    point: String,
    fs_type: &'a str,
    is_read_only: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It counts.
    Device,
    /// It does not count, but can be walked through.
    Local,
    /// Walking through it may make it mount something.
    Automount,
    /// Walking to it may hang.
    Remote,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Mount<'a>> {
        let mut words = line.split_ascii_whitespace();
        let (device, point) = (unescape(words.next()?), unescape(words.next()?));
        let fs_type = words.next()?;
        let is_read_only = words.next().unwrap_or_default().split(',').any(|o| o == "ro");
        let is_path = point.starts_with('/') && point.len() <= MOUNT_POINT_BYTES_MAX;
        is_path.then_some(Mount { device, point, fs_type, is_read_only })
    }

    fn kind(&self, block_types: Option<&SortedSet<&str>>) -> Kind {
        let fs_type = self.fs_type;
        let needs_device = match block_types {
            Some(types) => types.contains(fs_type),
            None => self.device.starts_with("/dev/") && !LOCAL.contains(&fs_type),
        };
        let is_loop = self.device.starts_with("/dev/loop");
        if fs_type == "autofs" {
            Kind::Automount
        } else if fs_type == "fuse" || fs_type.starts_with("fuse.") {
            Kind::Remote
        } else if IMAGES.contains(&fs_type) || (is_loop && self.is_read_only) {
            Kind::Local
        } else if needs_device || fs_type == "zfs" {
            Kind::Device
        } else if LOCAL.contains(&fs_type) {
            Kind::Local
        } else {
            Kind::Remote
        }
    }
}

/// The types of `/proc/filesystems` without `nodev`.
fn block_types(filesystems: &str) -> SortedSet<&str> {
    let types = filesystems.lines().map(str::trim);
    types.filter(|line| !line.contains(char::is_whitespace)).collect()
}

/// The directories above an absolute path, the nearest first: of `/a/b` `/a` and `/`.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(parent(path), |path| parent(path))
}

fn parent(path: &str) -> Option<&str> {
    match path.rsplit_once('/')? {
        ("", "") => None,
        ("", _) => Some("/"),
        (parent, _) => Some(parent),
    }
}

/// Undoes the kernel's escapes: `\040` is a space. A backslash before anything else stands for itself.
fn unescape(word: &str) -> String {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match rest {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] => {
                ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), tail)
            }
            _ => (*first, tail),
        };
        out.push(byte);
        rest = tail;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPES: &str = "nodev\tsysfs\nnodev\ttmpfs\nnodev\tnfs\n\text4\n\tvfat\n\tbtrfs\n\tfuseblk\n\
                         \tsquashfs\nnodev\toverlay\n";

    /// `device point,point` for each device.
    fn found(mounts: &str, types: Option<&str>) -> Vec<String> {
        let show = |(device, points): (String, SortedSet<Point>)| {
            let points: Vec<&str> = points.iter().map(|p| p.path.as_str()).collect();
            format!("{device} {}", points.join(","))
        };
        devices(mounts, types).into_iter().map(show).collect()
    }

    #[test]
    fn a_device_counts_once_by_its_shortest_mount_point() {
        let mounts = "/dev/sda1 /data/sub btrfs rw,subvol=/a 0 0\n/dev/sda1 /srv btrfs rw 0 0\n\
                      /dev/sda1 /aaa btrfs rw 0 0\n/dev/sda2 /srv/x ext4 rw 0 0\n\
                      /dev/sda1 /srv btrfs rw 0 0\n";
        assert_eq!(found(mounts, Some(TYPES)), ["/dev/sda1 /aaa,/srv,/data/sub", "/dev/sda2 /srv/x"]);
        let many: String = (10..99).rev().map(|i| format!("/dev/a /{i} ext4 rw\n")).collect();
        assert_eq!(found(&many, Some(TYPES)), ["/dev/a /10,/11,/12,/13"]);
        assert_eq!(
            devices(&many, Some(TYPES)).get("/dev/a").map(SortedSet::len),
            Some(MOUNT_POINTS_TRIED_MAX)
        );
    }

    #[test]
    fn only_devices_count() {
        let mounts = "overlay / overlay rw 0 0\nudev /dev tmpfs rw 0 0\nsysfs /sys sysfs rw 0 0\n\
                      /dev/fuse /doc fuse.portal rw 0 0\n/dev/zram0 /tmp tmpfs rw 0 0\n\
                      /dev/sdb1 /win fuseblk rw 0 0\ntank/home /home zfs rw 0 0\n\
                      nas:/x /nas nfs rw 0 0\n//nas/y /smb cifs rw 0 0\nhost /share 9p rw 0 0\n";
        let expected = ["/dev/sdb1 /win", "tank/home /home"];
        assert_eq!(found(mounts, Some(TYPES)), expected);
        assert_eq!(found(mounts, None), expected);
    }

    #[test]
    fn an_image_that_cannot_be_written_does_not_count() {
        let mounts = "/dev/loop0 /snap/core/1 squashfs ro 0 0\n/dev/loop1 /media/L4T vfat ro,sync 0 0\n\
                      /dev/loop2 /overlay ext4 rw,errors=remount-ro 0 0\n/dev/sda1 /boot vfat ro 0 0\n";
        assert_eq!(found(mounts, Some(TYPES)), ["/dev/loop2 /overlay", "/dev/sda1 /boot"]);
    }

    #[test]
    fn nothing_at_or_below_a_remote_filesystem_is_touched() {
        for remote in ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "fuse.sshfs", "fuse", "newfs"] {
            let mounts = format!(
                "/dev/sda1 / ext4 rw\n/dev/sdb1 /mnt/a/b ext4 rw\n/dev/sdc1 /mnt/a ext4 rw\n\
                 nas:/x /mnt/a {remote} rw\n/dev/sdd1 /mnt/ab ext4 rw\n"
            );
            let expected = ["/dev/sda1 /", "/dev/sdd1 /mnt/ab"];
            assert_eq!(found(&mounts, Some(TYPES)), expected, "{remote}");
        }
        let diskless = "nas:/root / nfs rw\n/dev/sda1 /data ext4 rw\n";
        assert!(found(diskless, Some(TYPES)).is_empty());
    }

    #[test]
    fn an_automounter_is_passed_only_where_the_device_is_mounted_already() {
        let mounts = "systemd-1 /usb autofs rw\n/dev/sda1 /usb ext4 rw\nauto /net autofs rw\n\
                      /dev/sdb1 /net/b ext4 rw\nsystemd-1 /idle autofs rw\n";
        assert_eq!(found(mounts, Some(TYPES)), ["/dev/sda1 /usb"]);
    }

    #[test]
    fn a_covered_mount_point_does_not_speak_for_the_device_below() {
        let mounts = "/dev/sda1 /mnt ext4 rw\n/dev/sdb1 /mnt ext4 rw\n/dev/sdc1 /x ext4 rw\n\
                      tmpfs /x tmpfs rw\n";
        assert_eq!(found(mounts, Some(TYPES)), ["/dev/sdb1 /mnt"]);
    }

    #[test]
    fn escapes_are_undone() {
        let mounts = "/dev/sda1 /media/USB\\040DISK\\134x\\1 vfat rw\n";
        assert_eq!(found(mounts, Some(TYPES)), ["/dev/sda1 /media/USB DISK\\x\\1"]);
        assert_eq!(unescape("\\777\\04"), "\\777\\04");
        assert_eq!(unescape("\\303\\274"), "ü");
        assert_eq!(unescape("\\377"), "\u{fffd}");
    }

    #[test]
    fn lines_that_are_no_mounts_are_passed_over() {
        let mounts = "\n/dev/sda1\n/dev/sda1 /x\n/dev/sda1 none ext4 rw\n/dev/sda1 /y ext4\n";
        assert_eq!(found(mounts, Some(TYPES)), ["/dev/sda1 /y"]);
        let deep = format!("/dev/sda1 {} ext4 rw\n", "/a".repeat(MOUNT_POINT_BYTES_MAX));
        assert!(found(&deep, Some(TYPES)).is_empty());
    }

    #[test]
    fn parents_end_at_the_root() {
        assert_eq!(parents("/a/b/c").collect::<Vec<_>>(), ["/a/b", "/a", "/"]);
        assert_eq!(parents("/a").collect::<Vec<_>>(), ["/"]);
        assert_eq!(parents("/").count(), 0);
        assert_eq!(parents("//").collect::<Vec<_>>(), ["/"]);
    }
}
