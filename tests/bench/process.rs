//! What the kernel tells about a running process.

/// CPU time so far, in milliseconds. The process has one thread, so its first thread's time is all of it.
pub fn cpu_ms(pid: u32) -> f64 {
    let text = read(pid, "schedstat");
    let nanos: f64 = text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default();
    nanos / 1e6
}

/// A line of `/proc/PID/status` that holds a number: `VmHWM` in KiB, `voluntary_ctxt_switches`.
pub fn status(pid: u32, name: &str) -> f64 {
    let text = read(pid, "status");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// A line of `/proc/PID/status` that is in KiB, in megabytes.
pub fn memory_mb(pid: u32, name: &str) -> f64 {
    status(pid, name) * 1_024.0 / 1e6
}

/// Bytes of IP packets that have come to and left the network namespace of a process, headers included.
pub fn ip_bytes(pid: u32) -> f64 {
    let text = read(pid, "net/netstat");
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("IpExt: "));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else {
        return 0.0;
    };
    let wanted = |name: &str| matches!(name, "InOctets" | "OutOctets");
    let pairs = names.split(' ').zip(values.split(' '));
    pairs.filter(|(name, _)| wanted(name)).filter_map(|(_, value)| value.parse::<f64>().ok()).sum()
}

fn read(pid: u32, name: &str) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default()
}
