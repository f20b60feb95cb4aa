//! Memory in use and still to be had, from `/proc/meminfo`:
//!
//! ```text
//! MemTotal:        3884336 kB
//! MemFree:          812344 kB
//! MemAvailable:    2911028 kB
//! Buffers:           96212 kB
//! Cached:          1987600 kB
//! SReclaimable:     120440 kB
//! ```
//!
//! In use is what is neither free nor a cache that can be dropped: MemTotal less all the others but
//! MemAvailable. `MemAvailable` is the kernel's own estimate, there since Linux 3.14; without it nothing
//! is sent in its place. Swap is not read.
//!
//! Format: <https://docs.kernel.org/filesystems/proc.html#meminfo>

use super::format::{FormatError, number};
use crate::collect::{CollectError, Gauge, HostFiles};
use crate::metric::{Number, Tags};

/// Bytes in use.
pub const USED: &str = "Chouette.host.memory.used";
/// Bytes that a new application could have.
pub const AVAILABLE: &str = "Chouette.host.memory.available";

const PATH: &str = "proc/meminfo";

/// Appends both values.
pub fn collect(files: &dyn HostFiles, out: &mut Vec<Gauge>, error: &mut CollectError) {
    let Some(text) = error.keep(PATH, files.read(PATH)) else {
        return;
    };
    let readings = [(USED, used(&text).map(Some)), (AVAILABLE, bytes(&text, "MemAvailable"))];
    for (name, bytes) in readings {
        if let Some(Some(bytes)) = error.keep(PATH, bytes) {
            out.push(Gauge { name, tags: Tags::none(), value: Number::Int(bytes.into()) });
        }
    }
}

/// Where the caches are said to be larger than what is not free (they are not counted at the same
/// moment), they are not taken off.
fn used(text: &str) -> Result<u64, FormatError> {
    let total = bytes(text, "MemTotal")?.ok_or(FormatError::Missing("MemTotal"))?;
    let free = bytes(text, "MemFree")?.ok_or(FormatError::Missing("MemFree"))?;
    let not_free = total.checked_sub(free).ok_or(FormatError::Contradiction("MemFree exceeds MemTotal"))?;
    let mut used = Some(not_free);
    for cache in ["Buffers", "Cached", "SReclaimable"] {
        let cache = bytes(text, cache)?.unwrap_or(0);
        used = used.and_then(|used| used.checked_sub(cache));
    }
    Ok(used.unwrap_or(not_free))
}

/// The value of one line, if there is such a line.
fn bytes(text: &str, key: &'static str) -> Result<Option<u64>, FormatError> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let Some((_, value)) = lines.find(|(name, _)| *name == key) else {
        return Ok(None);
    };
    let kilobytes: u64 = number(key, value.split_ascii_whitespace().next())?;
    let bytes = kilobytes.checked_mul(1024);
    bytes.map(Some).ok_or_else(|| FormatError::bad_number(key, value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::fake::FakeBoard;

    /// Used and available, and the error.
    fn read(text: &str) -> (Option<f64>, Option<f64>, String) {
        let (mut out, mut error) = (Vec::new(), CollectError::default());
        collect(&FakeBoard::new(&[(PATH, text)]), &mut out, &mut error);
        let value = |name| out.iter().find(|g| g.name == name).map(|g| g.value.as_f64());
        (value(USED), value(AVAILABLE), error.to_string())
    }

    #[test]
    fn caches_are_not_in_use() {
        let text = "MemTotal: 100 kB\nMemFree: 10 kB\nMemAvailable: 40 kB\nBuffers: 1 kB\n\
                    Cached: 20 kB\nSwapCached: 50 kB\nSReclaimable: 4 kB\n";
        assert_eq!(read(text), (Some(65.0 * 1024.0), Some(40.0 * 1024.0), String::new()));
    }

    #[test]
    fn caches_larger_than_what_is_not_free_are_not_taken_off() {
        let text = "MemTotal: 100 kB\nMemFree: 60 kB\nBuffers: 1 kB\nCached: 40 kB\n";
        assert_eq!(read(text).0, Some(40.0 * 1024.0));
    }

    #[test]
    fn zero_is_a_reading() {
        let text = "MemTotal: 0 kB\nMemFree: 0 kB\nMemAvailable: 0 kB\n";
        assert_eq!(read(text), (Some(0.0), Some(0.0), String::new()));
    }

    #[test]
    fn an_old_kernel_knows_no_available_memory() {
        let text = "MemTotal: 100 kB\nMemFree: 60 kB\n";
        assert_eq!(read(text), (Some(40.0 * 1024.0), None, String::new()));
    }

    #[test]
    fn one_bad_line_costs_only_its_value() {
        let error = "proc/meminfo: MemTotal is missing".to_owned();
        assert_eq!(read("MemFree: 1 kB\nMemAvailable: 1 kB\n"), (None, Some(1024.0), error));
        let text = "MemTotal: 2 kB\nMemFree: 1 kB\nMemAvailable: many kB\n";
        let error = "proc/meminfo: MemAvailable is no number: \"many\"".to_owned();
        assert_eq!(read(text), (Some(1024.0), None, error));
        let error = "proc/meminfo: MemFree exceeds MemTotal".to_owned();
        assert_eq!(read("MemTotal: 1 kB\nMemFree: 2 kB"), (None, None, error));
        let error = read("MemTotal: 18446744073709551615 kB\nMemFree: 2 kB").2;
        assert!(error.contains("MemTotal is no number: \"18446744073709551615 kB\""), "{error}");
    }
}
