//! Heat, power and clocks of the processor.
//!
//! ```text
//! sys/class/thermal/thermal_zone0/type                           cpu-thermal
//! sys/class/thermal/thermal_zone0/temp                           48312        thousandths of a degree
//! sys/class/hwmon/hwmon1/name                                    rpi_volt
//! sys/class/hwmon/hwmon1/in0_lcrit_alarm                         1
//! sys/class/thermal/cooling_device0/type                         cpufreq-cpu0 (thermal-cpufreq-0 before Linux 5.12)
//! sys/class/thermal/cooling_device0/cur_state                    0
//! sys/devices/platform/soc/soc:firmware/get_throttled            50005        hexadecimal
//! sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq        1800000      kHz
//! ```
//!
//! The alarm of `rpi_volt` is 1 if the supply of a Raspberry Pi was too low at any time in the two seconds between two
//! looks of the driver. `get_throttled` is deprecated: the first look at it puts a warning with a trace into the log of
//! the kernel, and it is only as fresh as somebody else's last question to the firmware. It is read where there is no
//! `rpi_volt`. Of it count the bits 0 to 3, which tell of the present; 16 to 19 tell of the past and never go out.
//! A cooling device of the processor that is not at 0 holds its clock down, whichever the board.
//!
//! Formats: <https://docs.kernel.org/driver-api/thermal/sysfs-api.html>,
//! <https://docs.kernel.org/hwmon/raspberrypi-hwmon.html>,
//! <https://www.raspberrypi.com/documentation/computers/os.html#get_throttled>,
//! <https://docs.kernel.org/admin-guide/pm/cpufreq.html>

use super::probe::{Probe, WHOLE, label};
use crate::collect::tegrastats::{line::Named, value::is_measured};
use crate::limits::tegrastats::ITEMS_MAX;
use crate::metric::Number;

/// Temperature of a zone, °C.
pub const TEMPERATURE: &str = "Chouette.board.temperature";
/// 1 while the supply of a Raspberry Pi is too low.
pub const UNDER_VOLTAGE: &str = "Chouette.board.under_voltage";
/// 1 while the firmware caps the clock.
pub const CAPPED: &str = "Chouette.board.frequency_capped";
/// 1 while the processor is slowed down.
pub const THROTTLED: &str = "Chouette.board.throttled";
/// 1 while the soft limit of the temperature is reached.
pub const TEMPERATURE_LIMIT: &str = "Chouette.board.temperature_limit";
/// Clock of the processors of a policy, Hz.
pub const FREQUENCY: &str = "Chouette.board.cpu.frequency";

const THERMAL: &str = "sys/class/thermal";
const HWMON: &str = "sys/class/hwmon";
const GET_THROTTLED: &str = "sys/devices/platform/soc/soc:firmware/get_throttled";
const CPUFREQ: &str = "sys/devices/system/cpu/cpufreq";
/// No temperature is further from zero than this, in thousandths of a degree.
const MILLI_CELSIUS_MAX: i64 = 1_000_000;
/// What zones say that are switched off, and all that is colder.
const MILLI_CELSIUS_OFF: i128 = -256_000;
const KILOHERTZ_MAX: u64 = 100_000_000;

pub(super) fn temperatures(probe: &mut Probe<'_>) {
    let mut zones = Named::default();
    probe.each(THERMAL, "thermal_zone", &mut |probe, entry| {
        let Some(milli) = probe.whole("temp", -MILLI_CELSIUS_MAX, MILLI_CELSIUS_MAX as u64) else {
            return true;
        };
        let kind = probe.text("type").unwrap_or_default();
        let name = label("", &kind, entry);
        let sensor = name.split(['-', '_']).next().unwrap_or_default();
        let celsius = Number::Float(milli as f64 / 1000.0);
        if milli <= MILLI_CELSIUS_OFF || !is_measured(sensor, celsius) || zones.add(&name, celsius) {
            return true;
        }
        probe.too_many(THERMAL, "zones", ITEMS_MAX);
        false
    });
    for (name, celsius) in &zones.items {
        probe.push(TEMPERATURE, &[&["zone:", name].concat()], *celsius);
    }
}

pub(super) fn throttled(probe: &mut Probe<'_>) {
    let (mut has_monitor, mut is_slowed) = (false, None);
    probe.each(HWMON, "hwmon", &mut |probe, _| {
        has_monitor = probe.text("name").as_deref() == Some("rpi_volt");
        if has_monitor && let Some(alarm) = probe.whole("in0_lcrit_alarm", 0, 1) {
            probe.push_whole(UNDER_VOLTAGE, &[], alarm);
        }
        !has_monitor
    });
    if !has_monitor && let Some(&bits) = probe.hexadecimal(GET_THROTTLED, 1, u32::MAX).first() {
        for (bit, name) in [(0, UNDER_VOLTAGE), (1, CAPPED), (3, TEMPERATURE_LIMIT)] {
            probe.push_whole(name, &[], (bits >> bit & 1).into());
        }
        is_slowed = Some(bits & 1 << 2 != 0);
    }
    probe.each(THERMAL, "cooling_device", &mut |probe, _| {
        if probe.text("type").is_some_and(|kind| kind.contains("cpufreq"))
            && let Some(state) = probe.whole("cur_state", 0, u64::MAX)
        {
            is_slowed = Some(is_slowed == Some(true) || state > 0);
        }
        true
    });
    if let Some(is_slowed) = is_slowed {
        probe.push_whole(THROTTLED, &[], is_slowed.into());
    }
}

pub(super) fn frequencies(probe: &mut Probe<'_>) {
    probe.each(CPUFREQ, "policy", &mut |probe, entry| {
        let text = probe.text("scaling_cur_freq");
        // What the kernel writes while the processors of a policy are off.
        if let Some(text) = text.filter(|text| text != "<unknown>")
            && let Some(kilohertz) = probe.number(WHOLE, Some(&text), 0, KILOHERTZ_MAX)
        {
            let policy = label("policy:", entry.strip_prefix("policy").unwrap_or_default(), entry);
            probe.push_whole(FREQUENCY, &[&policy], kilohertz * 1000);
        }
        true
    });
}
