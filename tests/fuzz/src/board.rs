//! A board's files, all of which anybody may have written.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use chouette_iot::collect::{DiskSpace, Gauge, HostFiles, Reading};
use chouette_iot::limits::LIST_NAMES_MAX;
use chouette_iot::limits::board::{CONTAINERS_MAX, ENTRIES_MAX, NAME_CHARS_MAX};
use chouette_iot::limits::tegrastats::ITEMS_MAX;

use super::collectors::{check, collector};

const HEAD: &str = "=== ";
/// What is read once an hour.
const HOURLY: &str = "Chouette.board.emmc.";

/// Files by path.
struct Files(BTreeMap<String, String>);

impl Files {
    /// Each begins with a line of its own that has its path.
    fn new(data: &[u8]) -> Files {
        let text = String::from_utf8_lossy(data);
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        let mut path = String::new();
        for line in text.split_inclusive('\n') {
            match line.strip_prefix(HEAD) {
                Some(next) => {
                    path = next.trim_end_matches('\n').to_owned();
                    files.insert(path.clone(), String::new());
                }
                None => files.entry(path.clone()).or_default().push_str(line),
            }
        }
        Files(files)
    }
}

impl HostFiles for Files {
    fn read(&self, path: &str) -> io::Result<String> {
        self.0.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let below =
            |file: &String| Some(file.strip_prefix(path)?.strip_prefix('/')?.split('/').next()?.to_owned());
        let names: BTreeSet<String> = self.0.keys().filter_map(below).collect();
        match names.len() {
            0 => Err(io::ErrorKind::NotFound.into()),
            1..=LIST_NAMES_MAX => Ok(names.into_iter().collect()),
            _ => Err(io::ErrorKind::FileTooLarge.into()),
        }
    }

    fn disk_space(&self, _: &str) -> io::Result<DiskSpace> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn is_foreign(&self) -> bool {
        self.0.contains_key("proc/1/net/wireless")
    }

    fn own_file(&self, path: &str) -> io::Result<String> {
        self.read(path)
    }

    /// A file that only this target knows; what stands there is an error where it is no number.
    fn clock_error_us(&self) -> io::Result<u64> {
        self.read("clock")?.trim().parse().map_err(|_| io::ErrorKind::PermissionDenied.into())
    }
}

/// What [`super::TARGETS`] calls `board`: two turns.
pub fn board(data: &[u8]) {
    let files = Files::new(data);
    let mut collector = collector("board");
    let mut turns = (0..2).map(|_| {
        let mut reading = Reading::new(&files);
        let told = collector.begin(&mut reading);
        assert!(reading.questions.is_empty());
        (reading.gauges, told)
    });
    let (first, second) = (turns.next().unwrap(), turns.next().unwrap());
    let lasting = |gauges: &[Gauge]| -> Vec<Gauge> {
        gauges.iter().filter(|gauge| !gauge.name.starts_with(HOURLY)).cloned().collect()
    };
    assert_eq!(lasting(&first.0), lasting(&second.0), "something is kept from one reading to the next");
    check_values(&first.0);
    check("board", &first.0, first.1);
    check("board", &second.0, second.1);
}

fn check_values(gauges: &[Gauge]) {
    let mut by_name: BTreeMap<&str, Vec<&Gauge>> = BTreeMap::new();
    for gauge in gauges {
        let value = gauge.value.as_f64();
        let (least, most) = match gauge.name.strip_prefix("Chouette.board.").unwrap() {
            "temperature" => (-256.0, 1000.0),
            "under_voltage" | "throttled" | "frequency_capped" | "temperature_limit" => (0.0, 1.0),
            "clock.synchronised" => (0.0, 1.0),
            "clock.error" => (0.0, 16.0),
            "pressure.some" | "pressure.full" => (0.0, 100.0),
            "emmc.wear" => (10.0, 110.0),
            "emmc.pre_eol" => (1.0, 3.0),
            "cpu.frequency" => (0.0, 1e11),
            "wifi.signal" => (-255.0, -1.0),
            _ => (0.0, 1e23),
        };
        assert!((least..=most).contains(&value), "{gauge:?}");
        assert!(
            gauge
                .tags
                .iter()
                .all(|tag| tag.chars().count() <= NAME_CHARS_MAX + 40 || tag.starts_with("disk:"))
        );
        by_name.entry(gauge.name).or_default().push(gauge);
    }
    for (name, of_name) in by_name {
        let most = match name.rsplit('.').next().unwrap() {
            "temperature" => ITEMS_MAX,
            "usage" => CONTAINERS_MAX,
            _ => 2 * ENTRIES_MAX,
        };
        assert!(of_name.len() <= most, "{name}: {}", of_name.len());
        let unique: BTreeSet<&str> = of_name.iter().map(|gauge| gauge.tags.as_str()).collect();
        let may_repeat = name.starts_with("Chouette.board.wifi.") || name == "Chouette.board.cpu.frequency";
        assert!(may_repeat || unique.len() == of_name.len(), "{of_name:?}");
    }
}
