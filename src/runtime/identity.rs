//! What tells this process apart from every other agent, and tells a person which one it is.

use std::path::Path;

use super::host_root::read_text;

/// Most characters of the host name that are used; Linux has no longer ones.
const HOST_CHARS_MAX: usize = 64;

/// `HOST:PID:RANDOM`, such as `pi4:412:9f3c`: in containers every host and process may have the same name and number.
pub fn name(random: u64) -> String {
    let host = read_text(Path::new("/proc/sys/kernel/hostname")).unwrap_or_default();
    let host: String = host.trim().chars().filter(|c| c.is_ascii_graphic()).take(HOST_CHARS_MAX).collect();
    let host = if host.is_empty() { "unknown" } else { &host };
    format!("{host}:{}:{:04x}", std::process::id(), random & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_hold_nothing_odd() {
        assert_ne!(name(1), name(2));
        assert!(name(0xffff).ends_with(&format!(":{}:ffff", std::process::id())));
        assert!(name(7).chars().all(|c| c.is_ascii_graphic()));
    }
}
