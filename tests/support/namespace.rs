//! A network namespace of a test's own: a loopback interface, the test's own `/etc/resolv.conf` and `/etc/hosts`, and
//! addresses that swallow whatever is sent to them.
//!
//! The test's program runs itself again inside, for this one test; there, everything else of `support` works as
//! outside, and no port or address can meet another test's.

use super::skip;
use super::temp::TempDir;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An address behind which nobody is: packets to it vanish, and no error comes back.
pub const HOLE: &str = "192.0.2.1";
/// The only name server; it is in the same place.
const NAME_SERVER: &str = "192.0.2.53";

/// Names the directory of the namespace to those inside.
const INSIDE: &str = "CHOUETTE_TEST_NAMESPACE";
/// Its existence tells that the test came to its end.
const FINISHED: &str = "finished";

/// Not every kernel has the dummy device. A pair of Ethernet devices that does not ask for the peer's address does as
/// well: what is sent arrives at an address that the other end does not have.
const SET_UP: &str = r#"
set -e
ip link set lo up
ip link add hole type dummy 2>/dev/null || {
    ip link add hole type veth peer name other-end
    ip link set other-end up
    ip link set hole arp off
}
ip link set hole up
ip address add 192.0.2.254/24 dev hole
for file in hosts nsswitch.conf resolv.conf; do
    if [ -e "/etc/$file" ]; then mount --bind "$0/$file" "/etc/$file"; fi
done
exec "$@"
"#;

/// The namespace a test runs in.
pub struct Namespace {
    dir: PathBuf,
}

impl Namespace {
    /// Gives a name an address, as an administrator would. The file must stay the same: it is mounted.
    pub fn add_host(&self, address: &str, name: &str) {
        let mut hosts = std::fs::File::options().append(true).open(self.dir.join("hosts")).unwrap();
        writeln!(hosts, "{address} {name}").unwrap();
    }

    /// From now on [`HOLE`] is here.
    pub fn fill_hole(&self) {
        let added = Command::new("ip").args(["address", "add", HOLE, "dev", "lo"]).status().unwrap();
        assert!(added.success());
    }
}

/// Runs a test in a namespace. `body` must be the whole of the test, written where the test is: the test is known by
/// the name of the closure.
pub fn inside<Body: FnOnce(&Namespace)>(body: Body) {
    if let Some(dir) = std::env::var_os(INSIDE) {
        let namespace = Namespace { dir: PathBuf::from(dir) };
        body(&namespace);
        std::fs::write(namespace.dir.join(FINISHED), "").unwrap();
        return;
    }
    let Some(flags) = permitted() else {
        return skip("no network namespace can be made here: unshare and ip (iproute2) are needed");
    };
    let dir = TempDir::new();
    dir.write("hosts", "127.0.0.1 localhost\n");
    dir.write("nsswitch.conf", "hosts: files dns\n");
    dir.write("resolv.conf", &format!("nameserver {NAME_SERVER}\n"));
    // `faults::stalled::links::a_test::{{closure}}` → `stalled::links::a_test`
    let name = std::any::type_name::<Body>().trim_end_matches("::{{closure}}");
    let name = name.split_once("::").map_or(name, |(_, name)| name);
    run(flags, name, dir.path());
}

fn run(flags: &[&str], test: &str, dir: &Path) {
    let output = Command::new("unshare")
        .args(flags)
        .args(["--", "sh", "-c", SET_UP])
        .arg(dir)
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads", "1"])
        .env(INSIDE, dir)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    // What is for a person to see is passed on, past the test harness.
    for line in errors.lines().filter(|line| line.starts_with("figure: ") || line.starts_with("skipped: ")) {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
    let succeeded = output.status.success() && dir.join(FINISHED).exists();
    assert!(succeeded, "{test}: {}\n{}{errors}", output.status, String::from_utf8_lossy(&output.stdout));
}

/// How `unshare` is to be called: as root, or as somebody who may be root inside.
fn permitted() -> Option<&'static [&'static str]> {
    const WAYS: [&[&str]; 2] = [&["--net", "--mount"], &["--map-root-user", "--net", "--mount"]];
    let works = |flags: &&[&str]| {
        let mut command = Command::new("unshare");
        command.args(*flags).args(["--", "ip", "link", "set", "lo", "up"]).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    WAYS.into_iter().find(works)
}
