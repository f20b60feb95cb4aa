//! Who asks costs the agent nothing that it would notice, however many there are and whatever they do.

use super::*;
use chouette_iot::limits::status::{ACCEPTS_PER_TURN, CONNECTIONS_MAX};
use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use support::behaviour::status;
use support::figures::figure;

const ASKERS: usize = 200;
/// How late a timer may be without the machine's help.
const OWN_LATENESS_MS_MAX: f64 = 50.0;
const MEMORY_KIB_MAX: u64 = 1_024;

#[test]
fn two_hundred_that_never_read_delay_nothing() {
    const { assert!(ASKERS > ACCEPTS_PER_TURN && ASKERS > CONNECTIONS_MAX) };
    let Some(scene) = Scene::new(|_| status(202)) else { return };
    let mut agent = scene.run(&[("CHOUETTE_PROBE", "1")]);
    scene.comes(|document| flag(document, &["storage", "up"]));
    let before_kib = agent.memory_peak_kib();
    let mut askers: Vec<UnixStream> =
        (0..ASKERS).map(|_| UnixStream::connect(scene.socket()).unwrap()).collect();
    // All have been seen to once the last one has its end.
    let mut heard = Vec::new();
    askers.last_mut().unwrap().read_to_end(&mut heard).unwrap();
    assert_eq!(heard, b"", "there are more than have room");
    assert_eq!(scene.ask(&[]).status.code(), Some(1), "for a while nobody else is told anything");
    let grown_kib = agent.memory_peak_kib() - before_kib;
    assert!(grown_kib < MEMORY_KIB_MAX, "{grown_kib} KiB");
    let mut answered = 0;
    for mut asker in askers.drain(..ASKERS - 1) {
        asker.set_read_timeout(Some(SOON)).unwrap();
        let mut heard = String::new();
        asker.read_to_string(&mut heard).unwrap();
        answered += usize::from(!heard.is_empty());
        assert!(heard.is_empty() || json::parse(&heard).is_ok(), "a part is told: {heard}");
    }
    assert_eq!(answered, CONNECTIONS_MAX, "a bounded number");
    assert_eq!(scene.ask(&[]).status.code(), Some(0), "they have gone");
    std::thread::sleep(Duration::from_secs(1));
    agent.signal("TERM");
    assert_eq!(agent.wait(SOON), Some(0));
    let log = agent.stderr();
    let run =
        log.lines().find(|line| line.contains("probe: the whole run")).unwrap_or_else(|| panic!("{log}"));
    let own_ms = run.rsplit(", ").next().and_then(|last| last.split(' ').next()?.parse::<f64>().ok());
    let own_ms = own_ms.unwrap_or_else(|| panic!("{run}"));
    assert!(own_ms < OWN_LATENESS_MS_MAX, "{run}");
    figure(
        "status",
        &format!("{ASKERS} that never read"),
        &format!("timers {own_ms} ms late of their own, memory + {grown_kib} KiB"),
    );
}
