//! What is on the board: the spool, the sockets of DogStatsD, the limits.

use crate::support::agent::{self, Agent};
use crate::support::intake::Intake;
use crate::support::temp::TempDir;
use crate::support::{SOON, skip, wait_until};
use crate::{as_nobody, examine, examine_by};
use chouette_iot::doctor::Trouble;
use chouette_iot::limits::doctor::OPEN_FILES_NEEDED;

use std::fs::{Permissions, set_permissions};
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

pub fn free_udp_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn embedded(path: &str) -> [(&str, &str); 2] {
    [("CHOUETTE_STORAGE_TYPE", "embedded"), ("SPOOL_PATH", path)]
}

#[test]
fn a_directory_is_looked_at_and_not_made() {
    let dir = TempDir::new();
    let path = dir.join("var/spool");
    let name = path.to_str().unwrap().to_owned();
    let told = examine(&embedded(&name));
    told.expect("spool", "good", "not there yet");
    assert!(!told.has("redis") && !dir.join("var").exists());
    std::fs::create_dir_all(&path).unwrap();
    set_permissions(&path, Permissions::from_mode(0o750)).unwrap();
    examine(&embedded(&name)).expect("spool", "good", &name);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o750);
    examine(&embedded("/dev/null/spool")).fails("spool", "/dev/null: not a directory", Trouble::SpoolPath);
    examine(&embedded("/dev/null")).fails("spool", "/dev/null: not a directory", Trouble::SpoolPath);
}

#[test]
fn an_agent_at_work_has_its_directory_and_its_socket() {
    let dir = TempDir::new();
    let (path, socket) = (dir.join("spool"), dir.join("dogstatsd.sock"));
    let (path, socket) = (path.to_str().unwrap(), socket.to_str().unwrap());
    let vars = [&embedded(path)[..], &[("DOGSTATSD_SOCKET", socket)]].concat();
    examine(&vars).expect("dogstatsd", "good", "free");
    let env = agent::with(agent::env("redis://127.0.0.1:1", &Intake::accepting()), &vars);
    let agent = Agent::run(&env);
    assert!(wait_until(SOON, || std::path::Path::new(socket).exists()), "{}", agent.stderr());
    examine(&vars).expect("spool", "good", "an agent is at work with it").expect(
        "dogstatsd",
        "good",
        "taken, by the agent",
    );
}

#[test]
fn a_directory_of_somebody_else() {
    let Some(nobody) = as_nobody() else { return };
    let dir = TempDir::new();
    set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let path = dir.join("spool");
    std::fs::create_dir(&path).unwrap();
    let name = path.to_str().unwrap();
    for (mode, detail, trouble) in [
        (0o700, "Permission denied", Trouble::SpoolDenied),
        (0o777, "belongs to user 0, and this is 65534", Trouble::SpoolOwner),
    ] {
        set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        examine_by(&nobody, &embedded(name)).fails("spool", detail, trouble);
    }
}

#[test]
fn a_disk_that_cannot_be_written_to_or_is_small() {
    let dir = TempDir::new();
    let name = dir.path().to_str().unwrap();
    for (options, state, trouble) in
        [("ro,size=64m", "bad", Trouble::SpoolReadOnly), ("rw,size=8m", "warning", Trouble::SpoolSmall)]
    {
        let script = format!("mount -t tmpfs -o {options} none {name} && exec \"$0\" \"$@\"");
        let unshare = ["unshare", "--mount", "sh", "-c", &script];
        let possible = Command::new(unshare[0]).args(&unshare[1..]).arg("true").status();
        if !possible.is_ok_and(|status| status.success()) {
            return skip("a mount namespace of one's own needs root");
        }
        examine_by(&unshare, &embedded(name)).expect("spool", state, name).advises("spool", trouble);
    }
}

#[test]
fn a_port_that_another_program_has() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    examine(&[("DOGSTATSD_PORT", &port)]).fails("dogstatsd", "in use", Trouble::DogstatsdTaken);
    drop(socket);
    examine(&[("DOGSTATSD_PORT", &port)]).expect("dogstatsd", "good", "free");
    // Not an address of this machine.
    let elsewhere = [("DOGSTATSD_PORT", port.as_str()), ("DOGSTATSD_HOST", "192.0.2.77")];
    examine(&elsewhere).fails("dogstatsd", "192.0.2.77", Trouble::DogstatsdDenied);
    assert!(!examine(&[]).has("dogstatsd"));
}

#[test]
fn too_few_open_files_are_told_of() {
    let few = format!("ulimit -n {} && exec \"$0\" \"$@\"", OPEN_FILES_NEEDED - 1);
    examine_by(&["sh", "-c", &few], &[]).warns("open files", "127 here, 128", Trouble::OpenFiles);
    let enough = format!("ulimit -n {OPEN_FILES_NEEDED} && exec \"$0\" \"$@\"");
    examine_by(&["sh", "-c", &enough], &[]).expect("open files", "good", "128 here");
}
