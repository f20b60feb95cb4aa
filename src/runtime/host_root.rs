//! The board's files for the collectors: `/proc` and the sizes of filesystems, below a root.
//!
//! The root is `/`, or wherever the board is mounted in the agent's container. With root `/host`, the
//! file `proc/stat` is `/host/proc/stat` and the filesystem mounted at `/boot` is asked at `/host/boot`.
//! Reads are bounded and go on to the end of the file: `/proc` gives no sizes. They never wait; that
//! `statvfs` does not either is for the caller to see to, by asking about local filesystems only.

use crate::collect::{DiskSpace, HostFiles};
use crate::limits::BOARD_FILE_BYTES_MAX;
use crate::limits::LIST_NAMES_MAX;
use nix::sys::statvfs::statvfs;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The board as seen from a directory.
#[derive(Debug, Clone)]
pub struct HostRoot {
    root: PathBuf,
}

impl HostRoot {
    /// The board below `root`, an absolute path.
    pub fn new(root: impl Into<PathBuf>) -> HostRoot {
        HostRoot { root: root.into() }
    }

    /// The path below the root, however many slashes it begins with.
    fn below(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}

impl HostFiles for HostRoot {
    fn read(&self, path: &str) -> io::Result<String> {
        read_text(&self.below(path))
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.below(path))? {
            if names.len() == LIST_NAMES_MAX {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn disk_space(&self, mount_point: &str) -> io::Result<DiskSpace> {
        let path = self.below(mount_point);
        if path != self.root && !is_mounted(&path)? {
            return Err(io::Error::new(io::ErrorKind::NotFound, "nothing is mounted there"));
        }
        let answer = statvfs(&path)?;
        let fragment = answer.fragment_size();
        Ok(DiskSpace {
            total_bytes: bytes(answer.blocks(), fragment)?,
            free_bytes: bytes(answer.blocks_free(), fragment)?,
            available_bytes: bytes(answer.blocks_available(), fragment)?,
        })
    }

    fn is_foreign(&self) -> bool {
        self.root != Path::new("/")
    }

    fn clock_error_us(&self) -> io::Result<u64> {
        super::clock::error_us()
    }

    /// Only a regular file: opening a pipe would wait for its writer.
    fn own_file(&self, path: &str) -> io::Result<String> {
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        read_text(Path::new(path))
    }
}

/// Reads to the end of the file and not beyond the bound.
///
/// # Errors
/// The system's; a file that is longer.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(BOARD_FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > BOARD_FILE_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(String::from_utf8(bytes).unwrap_or_else(|e| lossy(e.as_bytes())))
}

/// Whether another filesystem begins here. The board may have mounted a disk where the agent's container
/// shows only the empty directory: that would give the size of whatever the directory is on.
fn is_mounted(path: &Path) -> io::Result<bool> {
    let Some(parent) = path.parent() else {
        return Ok(true);
    };
    Ok(fs::metadata(path)?.dev() != fs::metadata(parent)?.dev())
}

/// Blocks in bytes. The types of the C library are narrower on 32 bits than the product.
fn bytes(blocks: impl Into<u64>, block_bytes: impl Into<u64>) -> io::Result<u64> {
    let bytes = blocks.into().checked_mul(block_bytes.into());
    bytes.ok_or_else(|| io::Error::other("the filesystem's size exceeds 64 bits"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::Gauge;
    use crate::collect::host::{Group, Groups, Host};
    use miniserde::json::{self, Array, Object, Value};
    use std::collections::BTreeMap;

    /// A directory of its own for one test, removed when it ends.
    struct Directory(PathBuf);

    impl Directory {
        fn new(test: &str) -> Directory {
            let name = format!("chouette-{}-{test}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).unwrap();
            Directory(path)
        }

        fn write(&self, path: &str, text: impl AsRef<[u8]>) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn all_groups() -> Groups {
        Groups::from_words(&Group::ALL.map(Group::word)).unwrap()
    }

    #[test]
    fn a_filesystem_beyond_all_bounds_is_an_error() {
        assert_eq!(bytes(1_u32 << 20, 4096_u64).unwrap(), 1 << 32);
        let error = bytes(u64::MAX, 4096_u32).unwrap_err();
        assert_eq!(error.to_string(), "the filesystem's size exceeds 64 bits");
    }

    #[test]
    fn paths_stay_below_the_root() {
        let directory = Directory::new("below");
        directory.write("proc/loadavg", "1 2 3");
        let board = HostRoot::new(&directory.0);
        assert!(board.is_foreign());
        assert!(!HostRoot::new("/").is_foreign());
        for path in ["proc/loadavg", "/proc/loadavg", "//proc/loadavg"] {
            assert_eq!(board.read(path).unwrap(), "1 2 3");
        }
        assert_eq!(board.read("proc/none").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(board.disk_space("/none").unwrap_err().kind(), io::ErrorKind::NotFound);
        let error = board.disk_space("/proc").unwrap_err();
        assert_eq!(error.to_string(), "nothing is mounted there");
        let space = board.disk_space("/").unwrap();
        assert!(space.available_bytes <= space.free_bytes && space.free_bytes <= space.total_bytes);
    }

    #[test]
    fn own_files_are_not_below_the_root() {
        let directory = Directory::new("own");
        directory.write("token", "abc\n");
        let board = HostRoot::new(directory.0.join("elsewhere"));
        let path = directory.0.join("token");
        assert_eq!(board.own_file(&path.to_string_lossy()).unwrap(), "abc\n");
        assert_eq!(board.own_file("/dev/zero").unwrap_err().to_string(), "not a regular file");
        assert!(board.own_file(&directory.0.to_string_lossy()).is_err());
        assert_eq!(board.own_file("/nonexistent").unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn reads_are_bounded_and_lossy() {
        let directory = Directory::new("bounded");
        let board = HostRoot::new(&directory.0);
        directory.write("full", vec![b'x'; BOARD_FILE_BYTES_MAX as usize]);
        directory.write("over", vec![b'x'; BOARD_FILE_BYTES_MAX as usize + 1]);
        directory.write("bytes", b"a\xffb");
        assert_eq!(board.read("full").unwrap().len() as u64, BOARD_FILE_BYTES_MAX);
        assert_eq!(board.read("over").unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(board.read("bytes").unwrap(), "a\u{fffd}b");
    }

    #[test]
    fn directories_are_listed_in_order_and_bounded() {
        let directory = Directory::new("list");
        let board = HostRoot::new(&directory.0);
        for name in ["zone10", "zone2", "zone1/temp"] {
            directory.write(&format!("thermal/{name}"), "");
        }
        assert_eq!(board.list("thermal").unwrap(), ["zone1", "zone10", "zone2"]);
        assert_eq!(board.list("none").unwrap_err().kind(), io::ErrorKind::NotFound);
        (0..=LIST_NAMES_MAX).for_each(|n| directory.write(&format!("many/{n}"), ""));
        assert_eq!(board.list("many").unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn a_mount_point_is_another_filesystem_than_its_directory() {
        assert!(is_mounted(Path::new("/proc")).unwrap());
        assert!(!is_mounted(Path::new("/proc/sys")).unwrap());
        assert!(HostRoot::new("/").disk_space("/proc").is_ok());
    }

    #[test]
    fn sizes_do_not_overflow() {
        assert_eq!(bytes(u32::MAX, 4096u32).unwrap(), 17_592_186_040_320);
        assert!(bytes(u64::MAX, 2u32).is_err());
    }

    #[test]
    fn the_machine_at_hand_is_sane() {
        let board = HostRoot::new("/");
        let mut host = Host::new(all_groups());
        let mut gauges = Vec::new();
        // The kernel's ticks are 1 to 10 ms long: reading keeps one processor busy until one has passed.
        for _ in 0..100_000 {
            gauges.clear();
            let _ = host.collect(&board, &mut gauges);
            if gauges.iter().any(|g| g.name == "Chouette.host.cpu.percentage") {
                break;
            }
        }
        let value = |name: &str| {
            let gauge = gauges.iter().find(|g| g.name == name);
            gauge.unwrap_or_else(|| panic!("no {name}")).value.as_f64()
        };
        assert!((0.0..=100.0).contains(&value("Chouette.host.cpu.percentage")));
        assert!(value("Chouette.host.la") >= 0.0);
        let meminfo = board.read("proc/meminfo").unwrap();
        let total = meminfo.lines().find_map(|l| l.strip_prefix("MemTotal:")).unwrap();
        let total: f64 = total.trim().trim_end_matches(" kB").parse().unwrap();
        let used = value("Chouette.host.memory.used");
        assert!(0.0 < used && used < total * 1024.0, "{used} of {total} kB");
    }

    /// The cases that other implementations are held to, where they stand beside the crate.
    #[test]
    fn the_shared_cases_hold() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/plugins");
        let Ok(entries) = fs::read_dir(&folder) else {
            return;
        };
        let mut cases: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        cases.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with("host_"));
        assert!(!cases.is_empty());
        for path in cases {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            check_case(&name, &json::from_str(&fs::read_to_string(&path).unwrap()).unwrap());
        }
    }

    fn check_case(name: &str, case: &Object) {
        let directory = Directory::new(name);
        let board = HostRoot::new(&directory.0);
        let mut host = Host::new(all_groups());
        let input = object(&case["input"]);
        let mut later = None;
        for (key, value) in input {
            match key.as_str() {
                "stat_before" => directory.write("proc/stat", string(value)),
                "stat_after" => later = Some(string(value)),
                "proc" => object(value)
                    .iter()
                    .for_each(|(path, text)| directory.write(&format!("proc/{path}"), string(text))),
                _ => panic!("{name}: the test does not know the input {key}"),
            }
        }
        let mut gauges = Vec::new();
        let _ = host.collect(&board, &mut gauges);
        if let Some(stat) = later {
            gauges.clear();
            directory.write("proc/stat", stat);
            let _ = host.collect(&board, &mut gauges);
        }

        let key = |g: &Gauge| format!("{} {}", g.name, g.tags.as_str());
        let mut found: BTreeMap<String, f64> = gauges.iter().map(|g| (key(g), g.value.as_f64())).collect();
        assert_eq!(found.len(), gauges.len(), "{name}: {gauges:?}");
        for series in array(&case["expected"]).iter().map(object) {
            let key = format!("{} {}", string(&series["metric"]), json::to_string(&series["tags"]));
            let value = found.remove(&key).unwrap_or_else(|| panic!("{name}: no {key}"));
            let expected = number(&series["value"]);
            assert!((value - expected).abs() <= 1e-9 * expected.abs(), "{name}: {key} {value}");
        }
        // The cases leave out what is zero; a zero is sent.
        assert!(found.values().all(|value| *value == 0.0), "{name}: more than expected: {found:?}");
    }

    fn object(value: &Value) -> &Object {
        match value {
            Value::Object(object) => object,
            _ => panic!("no object: {value:?}"),
        }
    }

    fn array(value: &Value) -> &Array {
        match value {
            Value::Array(array) => array,
            _ => panic!("no list: {value:?}"),
        }
    }

    fn string(value: &Value) -> &str {
        match value {
            Value::String(text) => text,
            _ => panic!("no text: {value:?}"),
        }
    }

    fn number(value: &Value) -> f64 {
        match value {
            Value::Number(number) => number.to_string().parse().unwrap(),
            _ => panic!("no number: {value:?}"),
        }
    }
}
