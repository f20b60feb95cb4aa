//! The unit, judged by systemd's own tool.

use super::support::agent::API_KEY;
use super::support::figures::figure;
use super::support::temp::TempDir;
use super::{package, said, tool};

/// systemd calls less than this safe ('OK').
const EXPOSURE_MAX: f64 = 2.0;

#[test]
fn little_is_exposed() {
    let Some(mut analyze) = tool("systemd-analyze") else {
        return;
    };
    let output = analyze
        .args(["security", "--offline=true", "--no-pager"])
        .arg(package("chouette-iot.service"))
        .output()
        .unwrap();
    let said = said(&output);
    let last = said.lines().rfind(|line| line.contains("exposure level")).unwrap_or_else(|| panic!("{said}"));
    let exposure: f64 =
        last.split_whitespace().find_map(|word| word.parse().ok()).unwrap_or_else(|| panic!("{last}"));
    assert!(exposure < EXPOSURE_MAX, "{said}");
    figure("packages", "exposure by systemd-analyze, 0 to 10", &format!("{exposure} (bound {EXPOSURE_MAX})"));
}

#[test]
fn systemd_understands_every_line() {
    let Some(mut analyze) = tool("systemd-analyze") else {
        return;
    };
    // The program and the environment have to be where the unit says.
    let dir = TempDir::new();
    let unit = std::fs::read_to_string(package("chouette-iot.service")).unwrap();
    let env_file = dir.write("chouette-iot.env", &format!("API_KEY={API_KEY}\n"));
    let unit = unit
        .replace("/usr/bin/chouette-iot", env!("CARGO_BIN_EXE_chouette-iot"))
        .replace("/etc/chouette-iot.env", &env_file.to_string_lossy());
    let file = dir.write("chouette-iot.service", &unit);
    let verify = |analyze: &mut std::process::Command, file: &std::path::Path| {
        let output = analyze.args(["verify", "--man=no"]).arg(file).output().unwrap();
        // What other units of this machine get wrong is not ours.
        let said = said(&output);
        said.lines().filter(|line| line.contains("chouette-iot")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(verify(&mut analyze, &file), "");
    // The check is able to fail.
    let broken = dir.write("broken/chouette-iot.service", &unit.replace("MemoryMax=32M", "MemoryMax=much"));
    let Some(mut analyze) = tool("systemd-analyze") else {
        return;
    };
    assert!(verify(&mut analyze, &broken).contains("'much'"));
}

/// systemd's `ProtectClock` and its group `@clock` refuse even the question of the plugin `board`.
#[test]
fn the_clock_may_be_asked_for_and_cannot_be_set() {
    let unit = std::fs::read_to_string(package("chouette-iot.service")).unwrap();
    let lines: Vec<&str> = unit.lines().collect();
    let at = |line: &str| lines.iter().position(|other| *other == line);
    let refused = at("SystemCallFilter=~@privileged @resources").expect("the list of refused calls");
    let allowed = at("SystemCallFilter=adjtimex clock_adjtime clock_adjtime64").expect("the exception");
    assert!(refused < allowed, "a later line wins");
    assert!(!lines.iter().any(|line| line.starts_with("ProtectClock=")));
    assert!(at("CapabilityBoundingSet=").is_some() && at("AmbientCapabilities=").is_some());
}
