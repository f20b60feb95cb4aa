//! How busy the processors were since the last reading, from the first line of `/proc/stat`:
//!
//! ```text
//! cpu  1100 5 550 8100 120 1 14 3 0 0
//!      user nice system idle iowait irq softirq steal guest guest_nice
//! ```
//!
//! All counters are ticks since boot, summed over the processors. Read are the first eight, of which old
//! kernels write only the first four or seven; `idle` and `iowait` are idle, all else is busy. The guest
//! columns are left alone: that time is in `user` and `nice` already. Nothing is said of single cores.
//!
//! Format: <https://docs.kernel.org/filesystems/proc.html#miscellaneous-kernel-statistics-in-proc-stat>

use super::format::{FormatError, number};
use crate::collect::{CollectError, Gauge, HostFiles};
use crate::metric::{Number, Tags};

/// Busy share of all processors, per cent with one decimal.
pub const PERCENTAGE: &str = "Chouette.host.cpu.percentage";

const PATH: &str = "proc/stat";
const COLUMNS: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];
const COLUMNS_MIN: usize = 4;
const IDLE: usize = 3;
const IOWAIT: usize = 4;

type Ticks = [u64; COLUMNS.len()];

/// Remembers the counters of the last reading.
#[derive(Debug, Default)]
pub struct Cpu {
    last: Option<Ticks>,
}

impl Cpu {
    /// Appends the busy share, except on the first reading and where the counters make no sense: the
    /// kernel lets `iowait` and `idle` go backwards.
    pub fn collect(&mut self, files: &dyn HostFiles, out: &mut Vec<Gauge>, error: &mut CollectError) {
        let Some(text) = error.keep(PATH, files.read(PATH)) else {
            return;
        };
        let Some(now) = error.keep(PATH, parse(&text)) else {
            return;
        };
        let last = self.last.replace(now);
        if let Some(permille) = last.and_then(|last| busy_permille(&last, &now)) {
            let value = Number::Float(f64::from(permille) / 10.0);
            out.push(Gauge { name: PERCENTAGE, tags: Tags::none(), value });
        }
    }
}

fn parse(text: &str) -> Result<Ticks, FormatError> {
    let mut words = text
        .lines()
        .map(str::split_ascii_whitespace)
        .find_map(|mut words| (words.next() == Some("cpu")).then_some(words))
        .ok_or(FormatError::Missing("the line cpu"))?;
    let mut ticks = Ticks::default();
    for (i, (tick, what)) in ticks.iter_mut().zip(COLUMNS).enumerate() {
        match words.next() {
            None if i >= COLUMNS_MIN => break,
            word => *tick = number(what, word)?,
        }
    }
    Ok(ticks)
}

/// Busy ticks per thousand, rounded.
fn busy_permille(last: &Ticks, now: &Ticks) -> Option<u32> {
    let (mut busy, mut total) = (0u128, 0u128);
    for (i, (last, now)) in last.iter().zip(now).enumerate() {
        let elapsed = u128::from(now.checked_sub(*last)?);
        total += elapsed;
        if i != IDLE && i != IOWAIT {
            busy += elapsed;
        }
    }
    u32::try_from((busy * 1000 + total / 2).checked_div(total)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::fake::FakeBoard;

    /// What each reading of `lines` gives.
    fn readings(lines: &[&str]) -> Vec<Option<f64>> {
        let mut cpu = Cpu::default();
        let read = |line: &&str| {
            let (mut out, mut error) = (Vec::new(), CollectError::default());
            cpu.collect(&FakeBoard::new(&[(PATH, line)]), &mut out, &mut error);
            error.into_result().unwrap();
            assert!(out.len() < 2);
            out.first().map(|gauge| gauge.value.as_f64())
        };
        lines.iter().map(read).collect()
    }

    fn failure(text: &str) -> String {
        let (mut out, mut error) = (Vec::new(), CollectError::default());
        Cpu::default().collect(&FakeBoard::new(&[(PATH, text)]), &mut out, &mut error);
        assert!(out.is_empty());
        error.into_result().unwrap_err().to_string()
    }

    #[test]
    fn busy_is_everything_but_idle_and_iowait() {
        let lines = ["cpu  100 0 0 100 0 0 0 0 0 0\n", "cpu  101 1 1 103 2 1 1 1 0 0\ncpu0 9\n"];
        assert_eq!(readings(&lines), [None, Some(54.5)]);
    }

    #[test]
    fn guest_time_is_inside_user_and_not_counted_twice() {
        assert_eq!(
            readings(&["cpu 0 0 0 0 0 0 0 0 0 0", "cpu 25 25 0 50 0 0 0 0 25 25"]),
            [None, Some(50.0)]
        );
    }

    #[test]
    fn extremes() {
        let max = u64::MAX;
        let full = format!("cpu {max} {max} {max} 0 0 {max} {max} {max} {max} {max}");
        assert_eq!(readings(&["cpu 0 0 0 0", &full]), [None, Some(100.0)]);
        assert_eq!(readings(&["cpu 0 0 0 0", "cpu 0 0 0 9"]), [None, Some(0.0)]);
        assert_eq!(readings(&["cpu 0 0 0 0", "cpu 1 0 0 2999"]), [None, Some(0.0)]);
        assert_eq!(readings(&["cpu 0 0 0 0", "cpu 1 0 0 1999"]), [None, Some(0.1)]);
    }

    #[test]
    fn a_counter_going_backwards_is_no_reading_but_is_remembered() {
        let lines = ["cpu 10 0 0 50 9 0 0", "cpu 20 0 0 60 8 0 0", "cpu 30 0 0 65 13 0 0"];
        assert_eq!(readings(&lines), [None, None, Some(50.0)]);
    }

    #[test]
    fn no_time_passed_is_no_reading() {
        let lines = ["cpu 10 0 0 50", "cpu 10 0 0 50", "cpu 11 0 0 50"];
        assert_eq!(readings(&lines), [None, None, Some(100.0)]);
    }

    #[test]
    fn old_kernels_write_fewer_columns() {
        assert_eq!(readings(&["cpu  1 1 1 1", "cpu  2 2 2 2"]), [None, Some(75.0)]);
        let seven = ["cpu  1 1 1 1 1 1 1", "cpu  2 2 2 2 2 2 2"];
        assert_eq!(readings(&seven), [None, Some(71.4)]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(failure(""), "proc/stat: the line cpu is missing");
        assert_eq!(failure("cpu0 1 2 3 4"), "proc/stat: the line cpu is missing");
        assert_eq!(failure("cpu 1 2 3"), "proc/stat: idle is missing");
        assert_eq!(failure("cpu 1 2 3 4 5x"), "proc/stat: iowait is no number: \"5x\"");
        assert_eq!(failure("cpu 1 -2 3 4"), "proc/stat: nice is no number: \"-2\"");
    }
}
