//! What people ask of a board beside its load: heat, power, wear, clock and, on request, much more.
//!
//! Everything comes from `/proc` and `/sys`, and from one question to the kernel about its clock; a file per kind says
//! which files and which fields. Boards differ: what one does not have is left out, without an error. What
//! is there and cannot be read, or makes no sense, is an error and costs only itself.

mod containers;
mod disks;
mod kernel;
mod probe;
mod soc;

#[cfg(test)]
mod tests;

use super::{CollectError, Collector, MetricDoc, Plugin, Reading};
use probe::Probe;

/// The row of the table of plugins.
pub const PLUGIN: Plugin = Plugin {
    name: "board",
    summary: "temperature, under-voltage, throttling, wear, clock; disks, Wi-Fi, pressure, containers",
    metrics: METRICS,
    build: |options| Box::new(Board::new(options)),
};

const METRICS: &[MetricDoc] = &[
    MetricDoc::new(soc::TEMPERATURE, &["zone"], "degree Celsius", Group::Temp.word()),
    MetricDoc::new(soc::UNDER_VOLTAGE, &[], "0 or 1", Group::Throttled.word()),
    MetricDoc::new(soc::THROTTLED, &[], "0 or 1", Group::Throttled.word()),
    MetricDoc::new(soc::CAPPED, &[], "0 or 1", Group::Throttled.word()),
    MetricDoc::new(soc::TEMPERATURE_LIMIT, &[], "0 or 1", Group::Throttled.word()),
    MetricDoc::new(kernel::SYNCHRONISED, &[], "0 or 1", Group::Clock.word()),
    MetricDoc::new(disks::WEAR, &["disk", "memory"], "percent", Group::Wear.word()),
    MetricDoc::new(disks::PRE_EOL, &["disk"], "level", Group::Wear.word()),
    MetricDoc::new(kernel::UPTIME, &[], "second", Group::Uptime.word()),
    MetricDoc::new(kernel::TASKS, &[], "task", Group::Tasks.word()),
    MetricDoc::new(soc::FREQUENCY, &["policy"], "hertz", Group::Frequency.word()),
    MetricDoc::new(kernel::SOME, &["resource"], "percent", Group::Psi.word()),
    MetricDoc::new(kernel::FULL, &["resource"], "percent", Group::Psi.word()),
    MetricDoc::new(disks::READ, &["disk"], "byte", Group::Disk.word()),
    MetricDoc::new(disks::WRITTEN, &["disk"], "byte", Group::Disk.word()),
    MetricDoc::new(kernel::SIGNAL, &["iface"], "dBm", Group::Wifi.word()),
    MetricDoc::new(kernel::QUALITY, &["iface"], "step", Group::Wifi.word()),
    MetricDoc::new(kernel::CLOCK_ERROR, &[], "second", Group::ClockError.word()),
    MetricDoc::new(containers::MEMORY, &["container"], "byte", Group::Containers.word()),
    MetricDoc::new(containers::CPU, &["container"], "microsecond", Group::Containers.word()),
];

/// How often wear is read: it takes weeks to change.
const WEAR_INTERVAL_S: u32 = 3600;

/// A part of the readings that can be switched on by its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// `temp`
    Temp,
    /// `throttled`
    Throttled,
    /// `clock`
    Clock,
    /// `wear`
    Wear,
    /// `uptime`
    Uptime,
    /// `tasks`
    Tasks,
    /// `frequency`
    Frequency,
    /// `psi`
    Psi,
    /// `disk`
    Disk,
    /// `wifi`
    Wifi,
    /// `clock_error`
    ClockError,
    /// `containers`
    Containers,
}

impl Group {
    /// All of them and their words in `BOARD_METRICS`, in the order of [`Group`], which is that of reading.
    pub const WORDS: [(&'static str, Group); 12] = [
        ("temp", Group::Temp),
        ("throttled", Group::Throttled),
        ("clock", Group::Clock),
        ("wear", Group::Wear),
        ("uptime", Group::Uptime),
        ("tasks", Group::Tasks),
        ("frequency", Group::Frequency),
        ("psi", Group::Psi),
        ("disk", Group::Disk),
        ("wifi", Group::Wifi),
        ("clock_error", Group::ClockError),
        ("containers", Group::Containers),
    ];

    /// The word in `BOARD_METRICS`. For the table above, where the compiler sees to it that there is one.
    pub const fn word(self) -> &'static str {
        Group::WORDS[self as usize].0
    }
}

/// The collector.
#[derive(Debug)]
struct Board {
    groups: Vec<Group>,
    /// Captures in [`WEAR_INTERVAL_S`].
    wear_captures: u32,
    /// Captures that wear is not read in.
    wear_rests: u32,
}

impl Board {
    fn new(options: &super::Options) -> Board {
        let wear_captures = WEAR_INTERVAL_S.div_ceil(options.capture_interval_s.max(1));
        Board { groups: options.board_groups.clone(), wear_captures, wear_rests: 0 }
    }

    /// Reads wear once in a while, and again at once where that failed.
    fn wear(&mut self, probe: &mut Probe<'_>) {
        if let Some(rests) = self.wear_rests.checked_sub(1) {
            self.wear_rests = rests;
            return;
        }
        let before = std::mem::take(&mut probe.error);
        disks::wear(probe);
        match std::mem::replace(&mut probe.error, before).into_result() {
            Ok(()) => self.wear_rests = self.wear_captures - 1,
            Err(error) => probe.error.absorb(error),
        }
    }
}

impl Collector for Board {
    fn name(&self) -> &'static str {
        PLUGIN.name
    }

    fn begin(&mut self, reading: &mut Reading<'_>) -> Result<(), CollectError> {
        let mut probe = Probe::new(reading.files, &mut reading.gauges);
        for (_, group) in Group::WORDS {
            if !self.groups.contains(&group) {
                continue;
            }
            // One after the other through a pointer: inlined here, they would share one large frame.
            let read: fn(&mut Probe<'_>) = match group {
                Group::Wear => {
                    self.wear(&mut probe);
                    continue;
                }
                Group::Temp => soc::temperatures,
                Group::Throttled => soc::throttled,
                Group::Clock => kernel::clock,
                Group::Uptime => kernel::uptime,
                Group::Tasks => kernel::tasks,
                Group::Frequency => soc::frequencies,
                Group::Psi => kernel::pressure,
                Group::Disk => disks::traffic,
                Group::Wifi => kernel::wifi,
                Group::ClockError => kernel::clock_error,
                Group::Containers => containers::containers,
            };
            read(&mut probe);
        }
        probe.error.into_result()
    }
}
