//! The init script, really run on a device that has BusyBox and nothing else.

use super::board::Board;
use super::support::agent::Env;
use super::support::behaviour::status;
use super::support::bench::{Bench, arrives, push_gauge};
use super::support::figures::figure;
use super::support::find_program;
use super::support::{SOON, skip};

use std::path::Path;
use std::time::Instant;

const SERVICE: &str = "/etc/init.d/chouette-iot";

/// What the environment would say, as lines of the file of settings.
fn settings(env: &Env) -> String {
    env.iter()
        .filter(|(name, _)| name != "REDIS_HOST")
        .fold(String::new(), |text, (name, value)| text + &format!("{name}={value}\n"))
}

fn pid(board: &mut Board) -> u32 {
    let said = board.expect(0, &format!("{SERVICE} status"));
    said.rsplit(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("{said}"))
}

#[test]
fn the_life_of_a_service_on_busybox() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let Some(mut board) = Board::boot() else {
        return;
    };
    // The installer is run by the device's own shell; without a key it starts nothing.
    let said = board.expect(0, "sh /install/install.sh --prefix /usr");
    assert!(said.contains("API_KEY"), "{said}");
    board.expect(3, &format!("{SERVICE} status"));
    board.expect(7, &format!("{SERVICE} reload"));
    board.expect(2, &format!("{SERVICE} begin"));

    // A mistake in the settings is a start that fails, and says why.
    let said = board.expect(1, &format!("{SERVICE} start"));
    assert!(said.contains("API_KEY"), "{said}");
    board.expect(3, &format!("{SERVICE} status"));

    board.append("etc/chouette-iot.env", &settings(&bench.env()));
    board.append("etc/chouette-iot.env", "HOST=first\nDOGSTATSD_SOCKET=/var/run/chouette-iot/dsd.socket\n");
    let started = Instant::now();
    board.expect(0, &format!("{SERVICE} start"));
    figure(
        "packages",
        "init script, start on BusyBox",
        &format!("{:.1?} (1 s of it looks whether it stays)", started.elapsed()),
    );
    let first = pid(&mut board);
    assert_eq!(
        board.expect(0, &format!("{SERVICE} start")),
        format!("chouette-iot runs already, as process {first}")
    );
    assert_eq!(pid(&mut board), first);
    let owner = board.expect(0, &format!("stat -c %U /proc/{first}"));
    assert_eq!(owner, "chouette-iot", "it should not run as root");
    assert_eq!(board.expect(0, "stat -c '%a %U' /etc/chouette-iot.env"), "600 chouette-iot");

    // Every application gets to the socket, and has no other rights there.
    let stat = "stat -c '%a %U' /var/run/chouette-iot /var/run/chouette-iot/dsd.socket";
    assert_eq!(board.expect(0, stat), "755 chouette-iot\n722 chouette-iot");

    let mut client = bench.redis.client();
    push_gauge(&mut client, "one", 1.0);
    assert!(arrives(&bench.intake, "one", SOON));

    board.expect(
        0,
        "sed -i s/HOST=first/HOST=second/ /etc/chouette-iot.env; chown chouette-iot /etc/chouette-iot.env",
    );
    board.expect(0, &format!("{SERVICE} reload"));
    assert!(bench.intake.wait_for(SOON, |requests| {
        // Each look pushes another one: the reload takes its time.
        push_gauge(&mut client, &format!("two.{}", requests.len()), 1.0);
        requests.iter().any(|request| request.text.contains("\"second\""))
    }));
    assert_eq!(pid(&mut board), first, "a reload is no restart");

    board.expect(0, &format!("{SERVICE} restart"));
    let second = pid(&mut board);
    assert_ne!(second, first);
    push_gauge(&mut client, "three", 1.0);
    assert!(arrives(&bench.intake, "three", SOON));

    board.expect(0, &format!("kill -9 {second}"));
    board.expect(0, &format!("while kill -0 {second} 2>/dev/null && [ -e /proc/{second}/exe ]; do :; done"));
    board.expect(1, &format!("{SERVICE} status"));
    board.expect(0, &format!("{SERVICE} start"));
    board.expect(0, &format!("{SERVICE} stop"));
    board.expect(3, &format!("{SERVICE} status"));
    board.expect(0, &format!("{SERVICE} stop"));
    board.expect(0, &format!("{SERVICE} try-restart"));
    board.expect(3, &format!("{SERVICE} status"));
}

/// A pid file that names another program is not believed, and an upgrade is not lost sight of.
#[test]
fn what_runs_is_known_by_its_program() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let Some(mut board) = Board::boot() else {
        return;
    };
    board.expect(0, "sh /install/install.sh --prefix /usr");
    board.append("etc/chouette-iot.env", &settings(&bench.env()));
    board.expect(0, "echo $$ >/var/run/chouette-iot.pid");
    board.expect(1, &format!("{SERVICE} status"));
    board.expect(0, &format!("{SERVICE} stop"));
    board.expect(0, "echo 'a b' >/var/run/chouette-iot.pid");
    board.expect(1, &format!("{SERVICE} status"));
    board.expect(0, &format!("{SERVICE} start"));
    let first = pid(&mut board);
    // With a key in the settings the installer brings the new program into service.
    board.expect(0, "sh /install/install.sh --prefix /usr");
    assert_ne!(pid(&mut board), first);
    board.expect(0, "sh /install/install.sh uninstall --prefix /usr --purge");
    for gone in [
        "usr/bin/chouette-iot",
        "etc/init.d/chouette-iot",
        "etc/init.d/S90chouette-iot",
        "etc/chouette-iot.env",
    ] {
        assert!(!board.file(gone).exists(), "{gone}");
    }
    board.expect(1, "for exe in /proc/[0-9]*/exe; do readlink $exe; done | grep chouette");
}

#[test]
fn the_start_stop_daemon_of_debian_does_too() {
    let Some(program) = find_program("start-stop-daemon") else {
        return skip("start-stop-daemon is not installed");
    };
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let Some(mut board) = Board::boot() else {
        return;
    };
    board.add_program(&program, "bin/start-stop-daemon");
    // The shell of BusyBox would take its own one, wherever another stands.
    board.add_program(Path::new("/bin/dash"), "bin/sh");
    board.expect(0, "/bin/sh -c 'start-stop-daemon --version' | grep Debian");
    board.expect(0, "sh /install/install.sh --prefix /usr");
    board.append("etc/chouette-iot.env", &settings(&bench.env()));
    board.expect(0, &format!("{SERVICE} start"));
    push_gauge(&mut bench.redis.client(), "one", 1.0);
    assert!(arrives(&bench.intake, "one", SOON));
    board.expect(0, &format!("{SERVICE} status"));
    board.expect(0, &format!("{SERVICE} stop"));
    board.expect(3, &format!("{SERVICE} status"));
}
