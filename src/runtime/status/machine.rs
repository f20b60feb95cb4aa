//! What the kernel says of this process: the memory it has, and how much it may have.
//!
//! Formats: `VmRSS` of <https://man7.org/linux/man-pages/man5/proc_pid_status.5.html> (`statm` counts pages, which are
//! not of one size on all boards), and `memory.max` of <https://docs.kernel.org/admin-guide/cgroup-v2.html>.

use std::fs;
use std::path::Path;

/// Memory of this process, bytes.
pub fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    kib.checked_mul(1024)
}

/// The least of the bounds of its control group and of those around it, bytes.
pub fn memory_bytes_max() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let bound = |group: &Path| {
        let file = Path::new("/sys/fs/cgroup").join(group).join("memory.max");
        // Where there is no bound it says so: `max`.
        fs::read_to_string(file).ok()?.trim().parse().ok()
    };
    Path::new(own).ancestors().filter_map(bound).min()
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
