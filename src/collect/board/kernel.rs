//! What the kernel tells of itself: pressure, Wi-Fi, uptime, tasks, clock.
//!
//! ```text
//! proc/pressure/io       some avg10=1.37 avg60=0.72 avg300=0.77 total=328346720
//!                        full avg10=1.37 avg60=0.70 avg300=0.66 total=176483150
//! proc/net/wireless       wlan0: 0000   60.  -50.  -256        0      0      0      0      0        0
//! proc/uptime            20912.46 80121.77
//! proc/loadavg           0.42 0.30 0.25 1/211 4711
//! ```
//!
//! Of pressure the average over a minute is read, the share of time in which some tasks (or all) waited: at the usual
//! intervals nothing is missed, and it needs neither a clock nor the reading before, as a difference of `total` would.
//! `full` of the processors says nothing for a whole board. Of `wireless` the link and the level are read; a level of
//! 0 or more is in no unit, and -256 is none. Of `loadavg` the second number of the fourth column is read, all tasks
//! there are, threads too: a list of `/proc` would show only one's own where the service manager hides the others.
//!
//! The clock is asked with adjtimex(2). It counts as synchronised while the error it may have is below the 16 seconds
//! at which the kernel gives up: `STA_UNSYNC` alone also stays set where chrony is told to leave the hardware's
//! clock to others.
//!
//! Formats: <https://docs.kernel.org/accounting/psi.html>, <https://man7.org/linux/man-pages/man2/adjtimex.2.html>,
//! <https://docs.kernel.org/filesystems/proc.html>

use super::probe::{Probe, label};
use crate::collect::host::format::{FormatError, number};
use crate::collect::host::read_of_board;
use crate::limits::board::ENTRIES_MAX;
use crate::metric::Number;

/// Share of a minute in which some tasks waited, per cent.
pub const SOME: &str = "Chouette.board.pressure.some";
/// Share of a minute in which all tasks waited, per cent.
pub const FULL: &str = "Chouette.board.pressure.full";
/// Level of a Wi-Fi signal, dBm.
pub const SIGNAL: &str = "Chouette.board.wifi.signal";
/// Quality of a Wi-Fi link in the driver's own steps, 0 to 70 as a rule.
pub const QUALITY: &str = "Chouette.board.wifi.quality";
/// Seconds since the board started.
pub const UPTIME: &str = "Chouette.board.uptime";
/// Processes and their threads.
pub const TASKS: &str = "Chouette.board.tasks";
/// 1 while something keeps the clock right.
pub const SYNCHRONISED: &str = "Chouette.board.clock.synchronised";
/// Most that the clock may be wrong, seconds.
pub const CLOCK_ERROR: &str = "Chouette.board.clock.error";

/// The error at which the kernel takes its clock for wrong, µs.
const CLOCK_ERROR_US_MAX: u64 = 16_000_000;
const NO_LEVEL: i128 = -256;

pub(super) fn pressure(probe: &mut Probe<'_>) {
    for (resource, tag) in [("cpu", "resource:cpu"), ("io", "resource:io"), ("memory", "resource:memory")] {
        let Some(text) = probe.text(&["proc/pressure/", resource].concat()) else {
            continue;
        };
        for (kind, name) in [("some", SOME), ("full", FULL)] {
            // Before Linux 5.13 there is no such line for the processors.
            if (resource, kind) == ("cpu", "full") {
                continue;
            }
            if let Some(share) = probe.keep(share(&text, kind)) {
                probe.push(name, &[tag], Number::Float(share));
            }
        }
    }
}

fn share(text: &str, kind: &'static str) -> Result<f64, FormatError> {
    let line = text.lines().find(|line| line.starts_with(kind)).ok_or(FormatError::Missing(kind))?;
    let word = line.split_ascii_whitespace().find_map(|word| word.strip_prefix("avg60="));
    let share: f64 = number("avg60", word)?;
    let is_share = (0.0..=100.0).contains(&share);
    if is_share { Ok(share) } else { Err(FormatError::bad_number("avg60", word.unwrap_or_default())) }
}

pub(super) fn wifi(probe: &mut Probe<'_>) {
    let (path, text) = read_of_board(probe.files, "net/wireless");
    let Some(text) = probe.text_of(path.clone(), text) else {
        return;
    };
    for (i, (name, columns)) in text.lines().filter_map(|line| line.rsplit_once(':')).enumerate() {
        if i == ENTRIES_MAX {
            probe.too_many(&path, "interfaces", ENTRIES_MAX);
            break;
        }
        // A dot follows what was measured since the last look.
        let mut words = columns.split_ascii_whitespace().map(|word| word.trim_end_matches('.'));
        if let Some(quality) = probe.number("link", words.nth(1), 0, u64::MAX)
            && let Some(level) = probe.number("level", words.next(), i64::MIN, i64::MAX as u64)
        {
            let tag = label("iface:", name.trim(), "?");
            if level < 0 && level > NO_LEVEL {
                probe.push_whole(SIGNAL, &[&tag], level);
            }
            probe.push_whole(QUALITY, &[&tag], quality);
        }
    }
}

pub(super) fn uptime(probe: &mut Probe<'_>) {
    if let Some(text) = probe.text("proc/uptime")
        && let Some(seconds) = probe.number("uptime", text.split(['.', ' ']).next(), 0, u64::MAX)
    {
        probe.push_whole(UPTIME, &[], seconds);
    }
}

pub(super) fn tasks(probe: &mut Probe<'_>) {
    if let Some(text) = probe.text("proc/loadavg") {
        let column = text.split_ascii_whitespace().nth(3).and_then(|word| word.split('/').nth(1));
        if let Some(tasks) = probe.number("number of tasks", column, 0, u64::MAX) {
            probe.push_whole(TASKS, &[], tasks);
        }
    }
}

pub(super) fn clock(probe: &mut Probe<'_>) {
    if let Some(error_us) = clock_error_us(probe) {
        probe.push_whole(SYNCHRONISED, &[], (error_us < CLOCK_ERROR_US_MAX).into());
    }
}

pub(super) fn clock_error(probe: &mut Probe<'_>) {
    if let Some(error_us) = clock_error_us(probe).filter(|error_us| *error_us < CLOCK_ERROR_US_MAX) {
        probe.push(CLOCK_ERROR, &[], Number::Float(error_us as f64 / 1e6));
    }
}

fn clock_error_us(probe: &mut Probe<'_>) -> Option<u64> {
    let error_us = probe.files.clock_error_us();
    error_us.map_err(|reason| probe.failed("adjtimex", &reason)).ok()
}
