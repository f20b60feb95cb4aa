//! Boards that are too large, and files with bytes changed at random.

use super::{ALL, board, gauges, good, read};
use crate::collect::board::{Group, PLUGIN};
use crate::collect::fake::{FakeBoard, Random};
use crate::limits::board::{ENTRIES_MAX, NAME_CHARS_MAX};
use crate::limits::tegrastats::ITEMS_MAX;
use crate::metric::Tags;

/// A board that has something for every group.
fn full() -> FakeBoard {
    let container = format!("sys/fs/cgroup/system.slice/docker-{}.scope", "0a".repeat(32));
    let mut board = FakeBoard::new(&[
        ("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"),
        ("sys/class/thermal/thermal_zone0/temp", "48312\n"),
        ("sys/class/thermal/thermal_zone1/type", "cpu-thermal\n"),
        ("sys/class/thermal/thermal_zone1/temp", "-256000\n"),
        ("sys/class/thermal/cooling_device0/type", "cpufreq-cpu0\n"),
        ("sys/class/thermal/cooling_device0/cur_state", "1\n"),
        ("sys/class/hwmon/hwmon0/name", "rpi_volt\n"),
        ("sys/class/hwmon/hwmon0/in0_lcrit_alarm", "1\n"),
        ("sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n"),
        ("sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq", "1800000\n"),
        ("sys/block/mmcblk0/stat", "4411 2087 312098 9212 90212 61330 4213870 771203 0 104512 780415\n"),
        ("sys/block/mmcblk0/device/uevent", "DRIVER=mmcblk\n"),
        ("sys/block/mmcblk0/device/life_time", "0x02 0x01\n"),
        ("sys/block/mmcblk0/device/pre_eol_info", "0x01\n"),
        ("proc/pressure/io", "some avg10=1.37 avg60=0.72 total=3\nfull avg10=1.37 avg60=0.70 total=1\n"),
        ("proc/net/wireless", "Inter-| sta-|\n wlan0: 0000   60.  -50.  -256        0      0\n"),
        ("proc/uptime", "20912.46 80121.77\n"),
        ("proc/loadavg", "0.42 0.30 0.25 1/211 4711\n"),
        ("sys/fs/cgroup/cgroup.controllers", "cpu memory\n"),
        (&format!("{container}/memory.current"), "11001856\n"),
        (&format!("{container}/cpu.stat"), "usage_usec 231319770\nuser_usec 1\n"),
    ]);
    board.clock_error_us = Some(1234);
    board
}

#[test]
fn one_turn_reads_everything_there_is() {
    let (gauges, error) = gauges(&mut *board(&ALL), &full());
    assert_eq!(error, "");
    let told: Vec<&str> = gauges.iter().map(|gauge| gauge.name).collect();
    // The deprecated file tells of these two.
    let untold = ["Chouette.board.frequency_capped", "Chouette.board.temperature_limit"];
    for metric in PLUGIN.metrics {
        assert_eq!(told.contains(&metric.name), !untold.contains(&metric.name), "{}", metric.name);
    }
}

/// So many entries of a directory.
fn entries(prefix: &str, file: &str, text: &str, count: usize) -> FakeBoard {
    let mut board = FakeBoard::default();
    for n in 0..count {
        board.files.insert(format!("{prefix}{n}/{file}"), text.to_owned());
    }
    board
}

#[test]
fn entries_of_each_kind_are_bounded() {
    let policies =
        |count| entries("sys/devices/system/cpu/cpufreq/policy", "scaling_cur_freq", "1000", count);
    let (gauges, error) = read(Group::Frequency, &policies(ENTRIES_MAX));
    assert_eq!((gauges.split(' ').count(), error.as_str()), (ENTRIES_MAX, ""));
    let (gauges, error) = read(Group::Frequency, &policies(ENTRIES_MAX + 1));
    assert_eq!(gauges.split(' ').count(), ENTRIES_MAX);
    let expected = format!("sys/devices/system/cpu/cpufreq: only the first {ENTRIES_MAX} entries are read");
    assert_eq!(error, expected);

    let line = |n| format!("wlan{n}: 0000 60. -50. -256\n");
    let text: String = (0..=ENTRIES_MAX).map(line).collect();
    let (gauges, error) = read(Group::Wifi, &FakeBoard::new(&[("proc/net/wireless", &text)]));
    assert_eq!(gauges.split(' ').count(), 2 * ENTRIES_MAX);
    assert_eq!(error, format!("proc/net/wireless: only the first {ENTRIES_MAX} interfaces are read"));
}

#[test]
fn zones_are_bounded() {
    let zones = |count| entries("sys/class/thermal/thermal_zone", "temp", "1", count);
    assert_eq!(read(Group::Temp, &zones(ITEMS_MAX)).1, "");
    let (gauges, error) = read(Group::Temp, &zones(ITEMS_MAX + 1));
    assert_eq!(gauges.split(' ').count(), ITEMS_MAX);
    assert_eq!(error, format!("sys/class/thermal: only the first {ITEMS_MAX} zones are read"));
}

#[test]
fn a_name_is_cut_and_holds_no_control_characters() {
    let name = "\u{1b}é".repeat(NAME_CHARS_MAX + 1);
    let files = [
        ("sys/class/thermal/thermal_zone0/type", name.as_str()),
        ("sys/class/thermal/thermal_zone0/temp", "1000"),
    ];
    let expected = format!("temperature[zone:{}]=1", "é".repeat(NAME_CHARS_MAX));
    assert_eq!(good(Group::Temp, &files), expected);
}

#[test]
fn mutated_boards_never_panic() {
    for seed in 1..=3_000u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut files = full();
        for text in files.files.values_mut() {
            *text = random.mutate(text);
        }
        let (gauges, _) = gauges(&mut *board(&ALL), &files);
        for gauge in gauges {
            assert!(gauge.value.is_finite(), "seed {seed}: {gauge:?}");
            let strings: Vec<_> = gauge.tags.iter().collect();
            assert_eq!(Tags::from_strings(&strings), gauge.tags, "seed {seed}");
        }
    }
}
