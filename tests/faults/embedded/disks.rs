//! Directories that cannot be had, and disks that are full.

use crate::support::agent::Agent;
use crate::support::alone::{Alone, Counter};
use crate::support::behaviour::status;
use crate::support::figures::figure;
use crate::support::namespace::inside;
use crate::support::{PATIENT, SOON, find_program, wait_until};

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Mounts a file system of its own for the test.
fn mount(options: &str, path: &Path) {
    std::fs::create_dir_all(path).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(path).status();
    assert!(mounted.unwrap().success());
}

/// The agent works in memory, through an outage and to its end, and says why.
fn works_in_memory(alone: &Alone, mut agent: Agent, says: &str) {
    alone.is_received_by(&agent);
    let counter = Counter::start(alone, 1, Duration::from_millis(10));
    assert!(alone.intake.wait_for(SOON, |requests| requests.len() >= 2), "{}", agent.stderr());
    assert!(agent.wait_for_line(SOON, says), "{}", agent.stderr());
    let sent = counter.finish();
    alone.intake.behave(|_| status(202));
    alone.comes(&agent, PATIENT, |came| came.all >= sent.sum()).is_exactly(&sent);
    agent.signal("TERM");
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    assert!(!agent.stderr().contains("could not be written"), "nothing was left: {}", agent.stderr());
}

#[test]
fn without_a_directory_memory_serves() {
    const ALONE: &str = "the queue is in memory alone";
    let changes = |path: &Path| -> [(&str, String); 2] {
        [("SPOOL_PATH", path.display().to_string()), ("SPOOL_AFTER", "1".to_owned())]
    };
    let check = |path: &Path| {
        let alone = Alone::new(|_| status(503));
        let changes = changes(path);
        let agent = Agent::run(&alone.env(&changes.each_ref().map(|(name, value)| (*name, value.as_str()))));
        works_in_memory(&alone, agent, ALONE);
    };
    let dir = crate::support::temp::TempDir::new();
    let file = dir.write("file", "mine");
    let closed = dir.join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| check(&file));
        scope.spawn(|| check(&file.join("below")));
        scope.spawn(|| check(Path::new("/proc/spool")));
        scope.spawn(|| {
            // Root may everything, unless it is told not to.
            let alone = Alone::new(|_| status(503));
            let mut command = Command::new(find_program("setpriv").unwrap());
            if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
                command.arg("--bounding-set=-dac_override,-dac_read_search");
            }
            command.arg(crate::support::agent::binary()).arg("run").env_clear();
            let agent = Agent::start(
                command.envs(alone.env(&changes(&closed).each_ref().map(|(n, v)| (*n, v.as_str())))),
            );
            works_in_memory(&alone, agent, "ermission denied");
        });
    });
    assert_eq!(std::fs::read_to_string(file).unwrap(), "mine");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn on_a_read_only_disk_memory_serves() {
    inside(|_| {
        let alone = Alone::new(|_| status(503));
        mount("size=1m,mode=700", &alone.spool());
        let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(alone.spool()).status();
        assert!(remounted.unwrap().success());
        let agent = Agent::run(&alone.env(&[("SPOOL_AFTER", "1")]));
        works_in_memory(&alone, agent, "Read-only file system");
    });
}

#[test]
fn a_tenth_of_a_full_disk_stays_free_and_the_rest_is_kept_or_counted() {
    inside(|_| {
        const DISK: u64 = 1 << 20;
        /// The agent's own, of which some is dropped too.
        const OWN_MAX: u64 = 300;
        let alone = Alone::new(|_| status(503));
        mount("size=1m,mode=700", &alone.spool());
        let changes = [("SPOOL_AFTER", "1"), ("SPOOL_MEMORY_MAX", "262144"), ("SEND_SELF_METRICS", "true")];
        let agent = alone.run(&changes);
        let counter = Counter::start(&alone, 20, Duration::from_millis(20));
        assert!(agent.wait_for_line(PATIENT, "spool_memory_full"), "{}", agent.stderr());
        let sent = counter.finish();
        std::thread::sleep(Duration::from_secs(3));
        let disk = nix::sys::statvfs::statvfs(&alone.spool()).unwrap();
        let free_share = disk.blocks_available() as f64 / disk.blocks() as f64;
        let used = alone.file_bytes();
        alone.intake.behave(|_| status(202));
        let last = sent.at.len() - 1;
        let came =
            alone.comes(&agent, PATIENT, |came| came.ones.contains_key(&last) && alone.files().is_empty());
        came.is_nothing_twice();
        let missing = came.missing(&sent).len() as u64;
        let range = missing..=missing + OWN_MAX;
        let is_told = wait_until(SOON, || range.contains(&alone.told("spool_memory_full")));
        let told = alone.told("spool_memory_full");
        let value = format!(
            "sent {}, came {}, dropped {missing} and counted {told} (its own among them, {OWN_MAX} at most); {:.1} % stayed free",
            sent.at.len(),
            came.ones.len(),
            free_share * 100.0
        );
        figure("embedded disk", "full: a disk of 1 MiB", &value);
        assert!(is_told, "{value}");
        assert!(free_share >= 0.1 && used > DISK / 2, "{value}: {used}");
    });
}
