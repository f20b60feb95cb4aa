//! The installer, into a directory.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::support::find_program;
use super::support::temp::TempDir;
use super::{package, said};

/// Every file below a directory, with its mode and size.
fn files(root: &Path) -> BTreeMap<PathBuf, (u32, u64)> {
    let mut found = BTreeMap::new();
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            if metadata.is_dir() {
                left.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_owned();
                found.insert(name, (metadata.permissions().mode() & 0o7777, metadata.len()));
            }
        }
    }
    found
}

/// Runs the installer; whether it succeeded, and what it said.
fn install(root: &Path, arguments: &[&str]) -> (bool, String) {
    // The shell of bare devices where there is one.
    let mut command = match find_program("busybox") {
        Some(busybox) => {
            let mut command = Command::new(busybox);
            command.arg("ash");
            command
        }
        None => Command::new("/bin/sh"),
    };
    let binary = env!("CARGO_BIN_EXE_chouette-iot");
    let output = command
        .arg(package("install.sh"))
        .args(["--binary", binary])
        .args(arguments)
        .env("DESTDIR", root)
        .output()
        .unwrap();
    (output.status.success(), said(&output))
}

#[test]
fn once_or_twice_is_the_same_and_settings_stay() {
    for (init, service, mode) in [
        ("systemd", "etc/systemd/system/chouette-iot.service", 0o644),
        ("openrc", "etc/init.d/chouette-iot", 0o755),
        ("sysv", "etc/init.d/chouette-iot", 0o755),
    ] {
        let root = TempDir::new();
        let arguments = ["--init", init, "--prefix", "/opt/agent"];
        let (ok, said) = install(root.path(), &arguments);
        assert!(ok && said.contains("API_KEY"), "{said}");
        let first = files(root.path());
        let modes: Vec<(&str, u32)> =
            first.iter().map(|(path, (mode, _))| (path.to_str().unwrap(), *mode)).collect();
        let mut expected =
            vec![("etc/chouette-iot.env", 0o600), (service, mode), ("opt/agent/bin/chouette-iot", 0o755)];
        expected.sort_unstable();
        assert_eq!(modes, expected);
        let text = std::fs::read_to_string(root.join(service)).unwrap();
        assert!(
            text.contains("/opt/agent/bin/chouette-iot") && !text.contains("/usr/bin/chouette-iot"),
            "{text}"
        );

        assert!(install(root.path(), &arguments).0);
        assert_eq!(files(root.path()), first);
        root.write("etc/chouette-iot.env", "API_KEY=mine\n");
        let (ok, said) = install(root.path(), &arguments);
        assert!(ok && !said.contains("API_KEY"), "{said}");
        assert_eq!(std::fs::read_to_string(root.join("etc/chouette-iot.env")).unwrap(), "API_KEY=mine\n");

        assert!(install(root.path(), &["uninstall", "--prefix", "/opt/agent"]).0);
        assert_eq!(files(root.path()).keys().collect::<Vec<_>>(), [Path::new("etc/chouette-iot.env")]);
        for _ in 0..2 {
            assert!(install(root.path(), &["uninstall", "--prefix", "/opt/agent", "--purge"]).0);
            assert!(files(root.path()).is_empty());
        }
    }
}

#[test]
fn the_init_system_is_found_out() {
    for (sign, service) in [
        ("run/systemd/system/x", "etc/systemd/system/chouette-iot.service"),
        ("sbin/openrc-run", "etc/init.d/chouette-iot"),
        ("etc/inittab", "etc/init.d/chouette-iot"),
    ] {
        let root = TempDir::new();
        root.write(sign, "");
        let (ok, said) = install(root.path(), &[]);
        assert!(ok && root.join(service).exists(), "{sign}: {said}");
        let text = std::fs::read_to_string(root.join(service)).unwrap();
        assert_eq!(text.starts_with("#!/sbin/openrc-run"), sign.contains("openrc"), "{sign}");
        assert!(root.join("usr/local/bin/chouette-iot").exists());
    }
}

#[test]
fn mistakes_change_nothing() {
    for arguments in [
        &["--binary"][..],
        &["--binary", "/nonexistent"],
        &["--init", "upstart"],
        &["--prefix", "opt"],
        &["--force"],
        &["remove"],
    ] {
        let root = TempDir::new();
        let (ok, said) = install(root.path(), arguments);
        assert!(!ok && said.contains("install.sh: "), "{arguments:?}: {said}");
        assert!(files(root.path()).is_empty(), "{arguments:?}");
    }
}
