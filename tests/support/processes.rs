//! What the kernel tells about a process.

use std::path::PathBuf;

fn entry(pid: u32, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{name}"))
}

/// The processes whose parent is `pid`; those that have ended and wait to be collected are none any more.
pub fn children(pid: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for directory in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(child) = directory.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let stat = std::fs::read_to_string(entry(child, "stat")).unwrap_or_default();
        // The name may hold anything; what follows its closing parenthesis does not.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        if let [state, parent, ..] = fields[..]
            && state != "Z"
            && parent == pid.to_string()
        {
            found.push(child);
        }
    }
    found
}

/// The command line, with blanks between its parts; empty when the process is gone.
pub fn command_line(pid: u32) -> String {
    with_blanks(pid, "cmdline")
}

/// The environment the process was started with; empty when the process is gone.
pub fn environment(pid: u32) -> String {
    with_blanks(pid, "environ")
}

fn with_blanks(pid: u32, name: &str) -> String {
    let bytes = std::fs::read(entry(pid, name)).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ").trim_end().to_owned()
}

/// The most memory the process has ever held, in bytes.
pub fn peak_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(entry(pid, "status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
