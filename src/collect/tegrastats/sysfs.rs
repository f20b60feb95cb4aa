//! What the kernel of a Jetson tells where there is no tegrastats: temperatures, and load and clock of the GPU.
//!
//! ```text
//! sys/class/thermal/thermal_zone0/type            CPU-therm      → zone:CPU
//! sys/class/thermal/thermal_zone0/temp            36500          → 36.5 °C
//! sys/devices/platform/gpu.0/load                 417            → 41.7 %
//! sys/class/devfreq/17000000.ga10b/cur_freq       305250000      → Hz
//! ```
//!
//! Formats: <https://www.kernel.org/doc/Documentation/thermal/sysfs-api.txt> and
//! <https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-class-devfreq>. Zones get the names that tegrastats
//! prints for them, so that a series goes on under its name.

use super::line::Named;
use super::value::{self, Engine};
use crate::collect::{CollectError, HostFiles};
use crate::limits::tegrastats::{ITEMS_MAX, NAME_CHARS_MAX};
use crate::metric::Number;

/// Where the device tree has the name of the board.
const MODELS: [&str; 2] = ["proc/device-tree/model", "sys/firmware/devicetree/base/model"];
/// Where the load of the GPU is, since Linux 4.4 and before.
const GPU_LOADS: [&str; 2] = ["sys/devices/platform/gpu.0/load", "sys/devices/gpu.0/load"];
const DEVFREQ: &str = "sys/class/devfreq";
/// Parts of the names that GPUs have there.
const GPU_NAMES: [&str; 5] = ["gpu", "gm20b", "gp10b", "gv11b", "ga10b"];
const THERMAL: &str = "sys/class/thermal";
/// No temperature is further from zero than this, in thousandths of a degree.
const MILLI_CELSIUS_MAX: i64 = 1_000_000;

/// Whether the board is a Jetson.
pub fn is_jetson(files: &dyn HostFiles) -> bool {
    let says_so = |path: &&str| files.read(path).is_ok_and(|m| m.contains("NVIDIA") || m.contains("Jetson"));
    MODELS.iter().any(says_so) || GPU_LOADS.iter().any(|path| files.read(path).is_ok())
}

/// Load and clock of the GPU.
pub fn gpu(files: &dyn HostFiles, error: &mut CollectError) -> Engine {
    let load_percent = load(files, error);
    let frequency_hz = frequency(files);
    if frequency_hz.is_none() {
        error.add(DEVFREQ, "no frequency of a gpu");
    }
    Engine { load_percent, frequency_hz }
}

fn load(files: &dyn HostFiles, error: &mut CollectError) -> Option<Number> {
    let Some((path, text)) = GPU_LOADS.iter().find_map(|path| Some((path, files.read(path).ok()?))) else {
        error.add(GPU_LOADS[0], "not found");
        return None;
    };
    let per_mille = value::whole(text.trim()).filter(|n| *n <= 1000);
    let per_mille = error.keep(path, per_mille.ok_or("no number from 0 to 1000"))?;
    Number::from_f64(per_mille as f64 / 10.0)
}

/// Of several parts of the GPU the fastest.
fn frequency(files: &dyn HostFiles) -> Option<u64> {
    let names = files.list(DEVFREQ).ok()?;
    let is_gpu = |name: &&String| GPU_NAMES.iter().any(|part| name.contains(part));
    let read = |name: &String| files.read(&format!("{DEVFREQ}/{name}/cur_freq")).ok();
    names.iter().filter(is_gpu).take(ITEMS_MAX).filter_map(read).filter_map(|t| value::whole(t.trim())).max()
}

/// Temperatures in °C. A zone that is powered off cannot be read, or is below all that is possible.
pub fn zones(files: &dyn HostFiles, error: &mut CollectError) -> Named<Number> {
    let mut zones = Named::default();
    let Some(entries) = error.keep(THERMAL, files.list(THERMAL)) else {
        return zones;
    };
    for entry in entries.iter().filter(|entry| entry.starts_with("thermal_zone")) {
        let read = |file: &str| files.read(&format!("{THERMAL}/{entry}/{file}")).ok();
        let Some((name, celsius)) = read("type").zip(read("temp").and_then(|text| celsius(&text))) else {
            continue;
        };
        let name = printed_name(&name);
        if value::is_measured(&name, celsius) && !zones.add(&name, celsius) {
            error.add(THERMAL, format!("only the first {ITEMS_MAX} zones are read"));
            break;
        }
    }
    if zones.items.is_empty() {
        error.add(THERMAL, "no zone that can be read");
    }
    zones
}

/// `CPU` for `CPU-therm`, `Tboard` for `Tboard_tegra`.
fn printed_name(kind: &str) -> String {
    let name = kind.trim().split(['-', '_']).next().unwrap_or_default();
    name.chars().filter(|c| c.is_ascii_alphanumeric()).take(NAME_CHARS_MAX).collect()
}

fn celsius(text: &str) -> Option<Number> {
    let milli: i64 = text.trim().parse().ok()?;
    (-MILLI_CELSIUS_MAX..=MILLI_CELSIUS_MAX).contains(&milli).then(|| Number::Float(milli as f64 / 1000.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::fake::{FakeBoard, Random};

    const ORIN: &[(&str, &str)] = &[
        ("proc/device-tree/model", "NVIDIA Jetson Orin Nano Developer Kit\0"),
        ("sys/devices/platform/gpu.0/load", "417\n"),
        ("sys/class/devfreq/15340000.vic/cur_freq", "729600000\n"),
        ("sys/class/devfreq/17000000.ga10b/cur_freq", "305250000\n"),
        ("sys/class/thermal/cooling_device0/type", "pwm-fan\n"),
        ("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"),
        ("sys/class/thermal/thermal_zone0/temp", "48093\n"),
        ("sys/class/thermal/thermal_zone1/type", "gpu-thermal\n"),
        ("sys/class/thermal/thermal_zone1/temp", "-256000\n"),
        ("sys/class/thermal/thermal_zone10/type", "PMIC-Die\n"),
        ("sys/class/thermal/thermal_zone10/temp", "100000\n"),
        ("sys/class/thermal/thermal_zone2/type", "cv0-thermal\n"),
        ("sys/class/thermal/thermal_zone3/type", "Tboard_tegra\n"),
        ("sys/class/thermal/thermal_zone3/temp", "-1500\n"),
        ("sys/class/thermal/thermal_zone4/type", "cpu-other\n"),
        ("sys/class/thermal/thermal_zone4/temp", "0\n"),
    ];

    fn read(board: &FakeBoard) -> (Vec<String>, Engine, String) {
        let mut error = CollectError::default();
        let zone = |(name, celsius): &(String, Number)| format!("{name} {}", celsius.as_f64());
        let zones = zones(board, &mut error).items.iter().map(zone).collect();
        (zones, gpu(board, &mut error), error.to_string())
    }

    #[test]
    fn a_jetson_as_it_should_be() {
        let (zones, gpu, error) = read(&FakeBoard::new(ORIN));
        assert_eq!(zones, ["cpu 48.093", "Tboard -1.5", "cpu_2 0"]);
        assert_eq!(gpu.load_percent, Some(Number::Float(41.7)));
        assert_eq!(gpu.frequency_hz, Some(305_250_000));
        assert_eq!(error, "");
    }

    #[test]
    fn where_other_kernels_have_it() {
        let board = FakeBoard::new(&[
            ("sys/devices/gpu.0/load", "0"),
            ("sys/class/devfreq/57000000.gpu/cur_freq", "76800000"),
            ("sys/class/devfreq/gpu-nvd-0/cur_freq", "76800001"),
        ]);
        let (zones, gpu, error) = read(&board);
        assert_eq!((zones.len(), gpu.load_percent), (0, Some(Number::Float(0.0))));
        assert_eq!(gpu.frequency_hz, Some(76_800_001));
        assert_eq!(error, "sys/class/thermal: entity not found");
    }

    #[test]
    fn what_is_missing_is_named() {
        let board = FakeBoard::new(&[
            ("sys/devices/platform/gpu.0/load", "1001"),
            ("sys/class/thermal/thermal_zone0/temp", "1"),
        ]);
        let (zones, gpu, error) = read(&board);
        assert_eq!((zones.len(), gpu), (0, Engine::default()));
        let expected = "sys/class/thermal: no zone that can be read; sys/devices/platform/gpu.0/load: no number \
                        from 0 to 1000; sys/class/devfreq: no frequency of a gpu";
        assert_eq!(error, expected);
    }

    #[test]
    fn zones_beyond_the_bound_are_told_of() {
        let paths: Vec<[String; 2]> = (0..=ITEMS_MAX)
            .map(|zone| ["type", "temp"].map(|file| format!("{THERMAL}/thermal_zone{zone}/{file}")))
            .collect();
        let files: Vec<(&str, &str)> =
            paths.iter().flat_map(|[kind, celsius]| [(&**kind, "cpu"), (&**celsius, "20000")]).collect();
        let mut error = CollectError::default();
        assert_eq!(zones(&FakeBoard::new(&files), &mut error).items.len(), ITEMS_MAX);
        assert_eq!(error.to_string(), "sys/class/thermal: only the first 64 zones are read");
    }

    #[test]
    fn a_jetson_is_known_by_its_name_or_its_gpu() {
        let is = |path, text| is_jetson(&FakeBoard::new(&[(path, text)]));
        assert!(is("proc/device-tree/model", "jetson-nano NVIDIA"));
        assert!(is("sys/firmware/devicetree/base/model", "Jetson-AGX\0"));
        assert!(is("sys/devices/gpu.0/load", "0"));
        assert!(!is("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0"));
        assert!(!is_jetson(&FakeBoard::default()));
    }

    #[test]
    fn mutated_files_never_panic() {
        for seed in 1..=5_000u64 {
            let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let mut board = FakeBoard::new(ORIN);
            for text in board.files.values_mut() {
                *text = random.mutate(text);
            }
            let mut error = CollectError::default();
            let zones = zones(&board, &mut error);
            let is_sane = |(_, c): &(String, Number)| c.as_f64().abs() <= 1000.0;
            assert!(zones.items.iter().all(is_sane), "seed {seed}: {zones:?}");
            let load = gpu(&board, &mut error).load_percent.map(Number::as_f64);
            assert!(load.is_none_or(|load| (0.0..=100.0).contains(&load)), "seed {seed}: {load:?}");
        }
    }
}
