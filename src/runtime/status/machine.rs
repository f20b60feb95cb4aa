//! What the kernel says of this process: the memory it has, and how much it may have.
//!
//! Formats: `VmRSS` of <https://man7.org/linux/man-pages/man5/proc_pid_status.5.html> (`statm` counts pages, which are
//! not of one size on all boards), and `memory.max` of <https://docs.kernel.org/admin-guide/cgroup-v2.html>.

use std::fs;

/// Memory of this process, bytes.
#[inline(never)]
pub fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let (_, rest) = status.split_once("VmRSS:")?;
    let (kib, _) = rest.trim_start().split_once(' ')?;
    kib.parse::<u64>().ok()?.checked_mul(1024)
}

/// The least of the bounds of its control group and of those around it, bytes.
#[inline(never)]
pub fn memory_bytes_max() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mut group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mut least = None;
    loop {
        let file = ["/sys/fs/cgroup", group, "/memory.max"].concat();
        // Where there is no bound it says so: `max`.
        if let Ok(text) = fs::read_to_string(file)
            && let Ok(bound) = text.trim_end().parse::<u64>()
        {
            least = Some(least.map_or(bound, |least: u64| least.min(bound)));
        }
        let Some((outer, _)) = group.rsplit_once('/') else { return least };
        group = outer;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory() {
        let resident = resident_bytes().unwrap();
        assert!((100 << 10..4 << 30).contains(&resident), "{resident}");
        assert!(memory_bytes_max().is_none_or(|max| max > 0));
    }
}
