//! A process that stands still for a long time and goes on.

use super::{GAP_S_MAX, READING, Scene};
use crate::support::figures::figure;
use crate::support::producer::{Producer, arrived};
use crate::support::{SOON, unix_now_f64, wait_until};

use std::time::Duration;

/// As many intervals.
const SUSPENDED: Duration = Duration::from_secs(40);

/// How often each timer fired later than this.
fn late(log: &str, timer: &str, late_ms: u64) -> usize {
    let lines = log.lines().filter_map(|line| line.split(&format!("timer {timer} is ")).nth(1));
    let ms = lines.filter_map(|rest| rest.split(' ').next()?.parse::<u64>().ok());
    ms.filter(|ms| *ms >= late_ms).count()
}

#[test]
fn a_suspended_agent_goes_on_where_the_clock_is() {
    let Some(scene) = Scene::begin(0.0, &[], |_, _| {}) else { return };
    let producer = Producer::start(&scene.bench.redis, 20, 5);
    std::thread::sleep(Duration::from_secs(3));
    scene.agent.signal("STOP");
    let stopped_s = unix_now_f64();
    std::thread::sleep(SUSPENDED);
    let resumed_s = unix_now_f64();
    scene.agent.signal("CONT");
    std::thread::sleep(Duration::from_secs(6));
    scene.check_turns("suspended for 40 s", resumed_s, 1);

    let log = scene.agent.stderr();
    for timer in ["Capture", "Flush", "Release"] {
        assert_eq!(late(&log, timer, 10_000), 1, "{timer}: once for all turns that were missed\n{log}");
    }
    let written = producer.finish();
    let exact = || arrived(&scene.store()) == written;
    assert!(wait_until(SOON, exact), "{} of {} sums", arrived(&scene.store()).len(), written.len());
    let stamps = scene.stamps();
    let during = |stamp: &&u64| (**stamp as f64) > stopped_s + 1.0 && (**stamp as f64) < resumed_s - 1.0;
    assert_eq!(stamps.iter().filter(during).count(), 0, "{READING}: nobody was there to read: {stamps:?}");
    let first = stamps.iter().find(|stamp| **stamp as f64 >= resumed_s.floor());
    let first_s = *first.expect("a reading after it") as f64;
    assert!(first_s - resumed_s <= GAP_S_MAX);
    let value = format!("{} sums exact, each timer fired once for what it had missed", written.len());
    figure("clock", &format!("suspended for {} s", SUSPENDED.as_secs()), &value);
}
