//! Each group by itself: what it reads, what it leaves out, and what costs what.

#[cfg(test)]
mod containers;
#[cfg(test)]
mod hostile;

use super::*;
use crate::collect::fake::FakeBoard;
use crate::collect::{Gauge, Options};

const ALL: [Group; 12] = {
    let mut all = [Group::Temp; 12];
    let mut i = 0;
    while i < all.len() {
        all[i] = Group::WORDS[i].1;
        i += 1;
    }
    all
};

fn board(groups: &[Group]) -> Box<dyn Collector> {
    let options = Options { board_groups: groups.to_vec(), capture_interval_s: 30, ..Options::default() };
    (PLUGIN.build)(&options)
}

fn gauges(collector: &mut dyn Collector, files: &FakeBoard) -> (Vec<Gauge>, String) {
    let mut reading = Reading::new(files);
    let error = collector.begin(&mut reading).map_or_else(|error| error.to_string(), |()| String::new());
    assert!(reading.questions.is_empty());
    (reading.gauges, error)
}

fn show(gauge: &Gauge) -> String {
    let name = gauge.name.strip_prefix("Chouette.board.").unwrap();
    let tags: Vec<_> = gauge.tags.iter().collect();
    let mut value = Vec::new();
    gauge.value.write_json(&mut value);
    format!("{name}[{}]={}", tags.join(","), String::from_utf8(value).unwrap())
}

/// What one reading of one group gives, and the error.
fn read(group: Group, files: &FakeBoard) -> (String, String) {
    let (gauges, error) = gauges(&mut *board(&[group]), files);
    (gauges.iter().map(show).collect::<Vec<_>>().join(" "), error)
}

/// What a group makes of these files; there is no error.
fn good(group: Group, files: &[(&str, &str)]) -> String {
    let (gauges, error) = read(group, &FakeBoard::new(files));
    assert_eq!(error, "");
    gauges
}

/// The error that a group makes of these files.
fn bad(group: Group, files: &[(&str, &str)]) -> String {
    let (gauges, error) = read(group, &FakeBoard::new(files));
    assert_eq!(gauges, "");
    error
}

#[test]
fn words_stand_in_the_order_of_the_groups() {
    for (word, group) in Group::WORDS {
        assert_eq!(group.word(), word);
    }
}

#[test]
fn a_board_that_has_nothing_is_no_error() {
    assert_eq!(gauges(&mut *board(&ALL), &FakeBoard::default()), (Vec::new(), String::new()));
}

#[test]
fn only_the_groups_that_were_asked_for_are_read() {
    let files = FakeBoard::new(&[("proc/uptime", "12.9 3.4\n"), ("proc/loadavg", "0 0 0 1/211 4711\n")]);
    assert_eq!(read(Group::Uptime, &files).0, "uptime[]=12");
    assert_eq!(read(Group::Tasks, &files).0, "tasks[]=211");
    assert_eq!(gauges(&mut *board(&[]), &files).0, []);
    let (gauges, _) = gauges(&mut *board(&[Group::Tasks, Group::Uptime]), &files);
    assert_eq!(gauges.iter().map(show).collect::<Vec<_>>(), ["uptime[]=12", "tasks[]=211"]);
}

#[test]
fn zones_keep_their_names_and_each_is_there_once() {
    let zones = [
        ("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"),
        ("sys/class/thermal/thermal_zone0/temp", "48312\n"),
        ("sys/class/thermal/thermal_zone1/type", "acpitz\n"),
        ("sys/class/thermal/thermal_zone1/temp", "-1500\n"),
        ("sys/class/thermal/thermal_zone2/type", "acpitz\n"),
        ("sys/class/thermal/thermal_zone2/temp", "0\n"),
        ("sys/class/thermal/thermal_zone3/type", "\n"),
        ("sys/class/thermal/thermal_zone3/temp", "100000\n"),
        ("sys/class/thermal/cooling_device0/type", "Fan\n"),
    ];
    assert_eq!(
        good(Group::Temp, &zones),
        "temperature[zone:cpu-thermal]=48.312 temperature[zone:acpitz]=-1.5 temperature[zone:acpitz_2]=0 \
         temperature[zone:thermal_zone3]=100"
    );
}

#[test]
fn what_is_no_temperature_is_left_out() {
    for (kind, milli) in
        [("gpu", "-256000"), ("gpu", "-274000"), ("PMIC-Die", "100000"), ("pmic_die", "50000")]
    {
        let zone =
            [("sys/class/thermal/thermal_zone0/type", kind), ("sys/class/thermal/thermal_zone0/temp", milli)];
        assert_eq!(good(Group::Temp, &zone), "", "{kind} {milli}");
    }
}

#[test]
fn what_is_switched_off_is_nothing_and_what_fails_is_an_error() {
    let path = "sys/class/thermal/thermal_zone0/temp";
    let mut files = FakeBoard::new(&[(path, "1"), ("sys/class/thermal/thermal_zone1/temp", "2000")]);
    // ENXIO, EAGAIN, ENODEV, ENODATA, EOPNOTSUPP
    for number in [6, 11, 19, 61, 95] {
        files.failing.insert(path.to_owned(), number);
        assert_eq!(read(Group::Temp, &files), ("temperature[zone:thermal_zone1]=2".into(), "".into()));
    }
    // EIO, EACCES
    for number in [5, 13] {
        files.failing.insert(path.to_owned(), number);
        let reason = std::io::Error::from_raw_os_error(number);
        let expected = ("temperature[zone:thermal_zone1]=2".to_owned(), format!("{path}: {reason}"));
        assert_eq!(read(Group::Temp, &files), expected);
    }
}

#[test]
fn a_temperature_that_cannot_be_is_an_error() {
    for text in ["", "warm", "1000001", "-1000001", "48.3", "99999999999999999999", "0x30"] {
        let error = bad(Group::Temp, &[("sys/class/thermal/thermal_zone0/temp", text)]);
        let expected = format!("sys/class/thermal/thermal_zone0/temp: what is there is no number: {text:?}");
        assert_eq!(error, expected);
    }
}

#[test]
fn the_voltage_monitor_is_found_by_its_name_and_wins_over_the_deprecated_file() {
    let mut files = vec![
        ("sys/class/hwmon/hwmon0/name", "cpu_thermal\n"),
        ("sys/class/hwmon/hwmon1/name", "rpi_volt\n"),
        ("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n"),
        ("sys/devices/platform/soc/soc:firmware/get_throttled", "f\n"),
    ];
    assert_eq!(good(Group::Throttled, &files), "under_voltage[]=1");
    files[2].1 = "0\n";
    assert_eq!(good(Group::Throttled, &files), "under_voltage[]=0");
    files[2].1 = "2\n";
    let error = "sys/class/hwmon/hwmon1/in0_lcrit_alarm: what is there is no number: \"2\"";
    assert_eq!(bad(Group::Throttled, &files), error);
}

#[test]
fn of_the_deprecated_file_the_present_counts_and_not_the_past() {
    let read =
        |text| good(Group::Throttled, &[("sys/devices/platform/soc/soc:firmware/get_throttled", text)]);
    let expect = |under, capped, limit, throttled| {
        format!(
            "under_voltage[]={under} frequency_capped[]={capped} temperature_limit[]={limit} \
             throttled[]={throttled}"
        )
    };
    assert_eq!(read("0\n"), expect(0, 0, 0, 0));
    assert_eq!(read("50005\n"), expect(1, 0, 0, 1));
    assert_eq!(read("0x8\n"), expect(0, 0, 1, 0));
    assert_eq!(read("e0002\n"), expect(0, 1, 0, 0));
    assert_eq!(read("f0000\n"), expect(0, 0, 0, 0));
    for text in ["", "throttled=0x0", "1ffffffff", "-1"] {
        let error = bad(Group::Throttled, &[("sys/devices/platform/soc/soc:firmware/get_throttled", text)]);
        assert!(error.ends_with(&format!("what is there is no number: {text:?}")), "{error}");
    }
}

#[test]
fn a_processor_that_the_kernel_cools_is_throttled() {
    let with = |big, little| {
        good(
            Group::Throttled,
            &[
                ("sys/class/thermal/cooling_device0/type", "pwm-fan"),
                ("sys/class/thermal/cooling_device0/cur_state", "4"),
                ("sys/class/thermal/cooling_device1/type", "cpufreq-cpu0"),
                ("sys/class/thermal/cooling_device1/cur_state", little),
                ("sys/class/thermal/cooling_device2/type", "thermal-cpufreq-1"),
                ("sys/class/thermal/cooling_device2/cur_state", big),
            ],
        )
    };
    assert_eq!(with("0", "0"), "throttled[]=0");
    assert_eq!(with("3", "0"), "throttled[]=1");
    assert_eq!(with("0", "1"), "throttled[]=1");
    let fan = [("sys/class/thermal/cooling_device0/type", "pwm-fan")];
    assert_eq!(good(Group::Throttled, &fan), "");
}

#[test]
fn a_clock_for_each_group_of_processors() {
    let files = [
        ("sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq", "1800000\n"),
        ("sys/devices/system/cpu/cpufreq/policy4/scaling_cur_freq", "600000\n"),
        ("sys/devices/system/cpu/cpufreq/policy6/scaling_cur_freq", "<unknown>\n"),
        ("sys/devices/system/cpu/cpufreq/ondemand/up_threshold", "50\n"),
    ];
    let expected = "cpu.frequency[policy:0]=1800000000 cpu.frequency[policy:4]=600000000";
    assert_eq!(good(Group::Frequency, &files), expected);
    for text in ["-1", "100000001", ""] {
        bad(Group::Frequency, &[("sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq", text)]);
    }
}

#[test]
fn whole_disks_with_a_device_of_their_own() {
    let stat = "4411 2087 312098 9212 90212 61330 4213870 771203 0 104512 780415\n";
    let files = [
        ("sys/block/loop0/stat", stat),
        ("sys/block/mmcblk0/stat", stat),
        ("sys/block/mmcblk0/device/uevent", "DRIVER=mmcblk\n"),
        ("sys/block/mmcblk0/mmcblk0p1/stat", stat),
        ("sys/block/mmcblk0boot0/stat", stat),
        ("sys/block/mmcblk0boot0/device/uevent", ""),
        ("sys/block/ram0/stat", stat),
        ("sys/block/sda/stat", "0 0 0 0 0 0 18446744073709551615 0 0 0 0"),
        ("sys/block/sda/device/uevent", ""),
        ("sys/block/sr0/stat", stat),
        ("sys/block/sr0/device/uevent", ""),
        ("sys/block/zram0/stat", stat),
    ];
    assert_eq!(
        good(Group::Disk, &files),
        "disk.bytes.read[disk:mmcblk0]=159794176 disk.bytes.written[disk:mmcblk0]=2157501440 \
         disk.bytes.read[disk:sda]=0 disk.bytes.written[disk:sda]=9444732965739290426880"
    );
    let short = [("sys/block/sda/stat", "1 2 3 4 5 6"), ("sys/block/sda/device/uevent", "")];
    assert_eq!(bad(Group::Disk, &short), "sys/block/sda/stat: sectors written is missing");
    let odd = [("sys/block/sda/stat", "1 2 x 4 5 6 7"), ("sys/block/sda/device/uevent", "")];
    assert_eq!(bad(Group::Disk, &odd), "sys/block/sda/stat: sectors read is no number: \"x\"");
}

const EMMC: [(&str, &str); 2] = [
    ("sys/block/mmcblk1/device/life_time", "0x02 0x0b\n"),
    ("sys/block/mmcblk1/device/pre_eol_info", "0x01\n"),
];

#[test]
fn wear_in_tenths_of_a_life() {
    let expected = "emmc.wear[disk:mmcblk1,memory:a]=20 emmc.wear[disk:mmcblk1,memory:b]=110 \
                    emmc.pre_eol[disk:mmcblk1]=1";
    assert_eq!(good(Group::Wear, &EMMC), expected);
    let undefined = [
        ("sys/block/mmcblk0/device/life_time", "0x00 0x00"),
        ("sys/block/mmcblk0/device/pre_eol_info", "0x00"),
    ];
    assert_eq!(good(Group::Wear, &undefined), "");
    assert_eq!(good(Group::Wear, &[("sys/block/mmcblk0/device/type", "SD")]), "");
    for text in ["", "0x01", "0x01 0x02 0x03", "0x0c 0x01", "1e 2", "ten two"] {
        let error = bad(Group::Wear, &[("sys/block/mmcblk0/device/life_time", text)]);
        assert!(error.starts_with("sys/block/mmcblk0/device/life_time: what is"), "{text}: {error}");
    }
    bad(Group::Wear, &[("sys/block/mmcblk0/device/pre_eol_info", "0x04")]);
}

#[test]
fn wear_is_read_at_first_and_once_an_hour() {
    let captures = |interval_s: u32, turns: usize| -> Vec<usize> {
        let options =
            Options { board_groups: vec![Group::Wear], capture_interval_s: interval_s, ..Options::default() };
        let mut board = (PLUGIN.build)(&options);
        let files = FakeBoard::new(&EMMC);
        (0..turns).filter(|_| !gauges(&mut *board, &files).0.is_empty()).collect()
    };
    assert_eq!(captures(30, 300), [0, 120, 240]);
    assert_eq!(captures(7, 1100), [0, 515, 1030]);
    assert_eq!(captures(3600, 3), [0, 1, 2]);
    assert_eq!(captures(86_400, 2), [0, 1]);
    assert_eq!(captures(0, 3601), [0, 3600]);
}

#[test]
fn wear_that_cannot_be_read_is_tried_again_at_the_next_turn() {
    let mut board = board(&[Group::Wear, Group::Uptime]);
    let mut files = FakeBoard::new(&EMMC);
    files.failing.insert(EMMC[0].0.to_owned(), 110);
    for _ in 0..3 {
        assert!(gauges(&mut *board, &files).1.contains("timed out"));
    }
    files.failing.clear();
    assert_eq!(gauges(&mut *board, &files).0.len(), 3);
    assert_eq!(gauges(&mut *board, &files), (Vec::new(), String::new()));
}

#[test]
fn pressure_is_the_average_of_a_minute() {
    let two = "some avg10=1.37 avg60=0.72 avg300=0.77 total=328346720\n\
               full avg10=1.37 avg60=0.00 avg300=0.66 total=176483150\n";
    let files = [("proc/pressure/cpu", two), ("proc/pressure/io", two), ("proc/pressure/memory", two)];
    assert_eq!(
        good(Group::Psi, &files),
        "pressure.some[resource:cpu]=0.72 pressure.some[resource:io]=0.72 pressure.full[resource:io]=0 \
         pressure.some[resource:memory]=0.72 pressure.full[resource:memory]=0"
    );
    let before_5_13 = [("proc/pressure/cpu", "some avg10=0.00 avg60=100.00 avg300=0.00 total=1\n")];
    assert_eq!(good(Group::Psi, &before_5_13), "pressure.some[resource:cpu]=100");
    for (line, reason) in [
        ("", "some is missing"),
        ("some avg10=1.00", "avg60 is missing"),
        ("some avg60=-0.1", "avg60 is no number: \"-0.1\""),
        ("some avg60=nan", "avg60 is no number: \"nan\""),
        ("some avg60=100.01", "avg60 is no number: \"100.01\""),
        ("some avg60=1e999", "avg60 is no number: \"1e999\""),
    ] {
        assert_eq!(bad(Group::Psi, &[("proc/pressure/cpu", line)]), format!("proc/pressure/cpu: {reason}"));
    }
}

#[test]
fn a_kernel_whose_pressure_is_switched_off_has_none() {
    let mut files = FakeBoard::new(&[("proc/pressure/cpu", "")]);
    files.failing.insert("proc/pressure/cpu".to_owned(), 95);
    assert_eq!(read(Group::Psi, &files), Default::default());
}

const WIRELESS: &str = "Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE\n\
                        \x20face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22\n";

#[test]
fn the_signal_where_it_is_told_in_dbm() {
    let text = format!(
        "{WIRELESS} wlan0: 0000   60.  -50.  -256        0      0      0      0      0        0\n\
         wlan1: 0000    0     0     0        0      0      0      0      0        0\n\
         wlan2: 0000    0  -256  -256        0      0      0      0      0        0\n"
    );
    let files = FakeBoard::new(&[("proc/net/wireless", &text)]);
    let expected = "wifi.signal[iface:wlan0]=-50 wifi.quality[iface:wlan0]=60 wifi.quality[iface:wlan1]=0 \
                    wifi.quality[iface:wlan2]=0";
    assert_eq!(read(Group::Wifi, &files), (expected.to_owned(), String::new()));
    assert_eq!(good(Group::Wifi, &[("proc/net/wireless", WIRELESS)]), "");
    let short = bad(Group::Wifi, &[("proc/net/wireless", "wlan0: 0000 60.")]);
    assert_eq!(short, "proc/net/wireless: level is missing");
}

#[test]
fn the_interfaces_of_a_foreign_board_are_those_of_process_one() {
    let mut files = FakeBoard::new(&[("proc/1/net/wireless", "wlan0: 0000 60. -50. 0")]);
    assert_eq!(read(Group::Wifi, &files), Default::default());
    files.foreign = true;
    assert_eq!(read(Group::Wifi, &files).0, "wifi.signal[iface:wlan0]=-50 wifi.quality[iface:wlan0]=60");
}

#[test]
fn the_clock_is_synchronised_until_the_kernel_gives_it_up() {
    let of = |error_us| {
        let files = FakeBoard { clock_error_us: error_us, ..FakeBoard::default() };
        [read(Group::Clock, &files), read(Group::ClockError, &files)].map(|(gauges, error)| gauges + &error)
    };
    assert_eq!(of(None), ["", ""]);
    assert_eq!(of(Some(0)), ["clock.synchronised[]=1", "clock.error[]=0"]);
    assert_eq!(of(Some(15_999_999)), ["clock.synchronised[]=1", "clock.error[]=15.999999"]);
    assert_eq!(of(Some(16_000_000)), ["clock.synchronised[]=0", ""]);
    assert_eq!(of(Some(u64::MAX)), ["clock.synchronised[]=0", ""]);
}

#[test]
fn counts_of_the_kernel_that_make_no_sense_are_errors() {
    for text in ["", "up", "-1.5 3", "99999999999999999999.1 2"] {
        assert!(bad(Group::Uptime, &[("proc/uptime", text)]).starts_with("proc/uptime: uptime is no number"));
    }
    let missing = "proc/loadavg: number of tasks is missing";
    assert_eq!(bad(Group::Tasks, &[("proc/loadavg", "0.1 0.2 0.3")]), missing);
    assert_eq!(bad(Group::Tasks, &[("proc/loadavg", "0.1 0.2 0.3 211 4711")]), missing);
    bad(Group::Tasks, &[("proc/loadavg", "0.1 0.2 0.3 1/many 4711")]);
}
