//! Redis is there and does nothing.

use super::scene::{Scene, seconds_told};
use crate::support::agent::Agent;
use crate::support::behaviour::status;
use crate::support::bench::{Bench, arrives, push_ones};
use crate::support::namespace::inside;
use crate::support::proxy::{RedisProxy, Trouble};
use crate::support::{PATIENT, SOON};
use std::time::Duration;

const STOPPED: Duration = Duration::from_secs(60);
const WELL: Duration = Duration::from_secs(5);
/// Seconds of the stop in which the probe may say nothing: the first, the last, and one that the machine lost.
const UNTOLD_MAX: u64 = 3;

#[test]
fn redis_stands_still_for_a_minute() {
    inside(|_| {
        let Some(mut scene) = Scene::start(&[]) else { return };
        scene.live(WELL);
        stand_still(&mut scene, STOPPED);
        scene.hears("redis did not reply within 20 s");
        // As if nothing had been.
        scene.catches_up();
        scene.live(WELL);
        scene.ends_well("Redis stopped for 60 s");
    });
}

/// Stops Redis for so long; the loop must go on.
pub fn stand_still(scene: &mut Scene, duration: Duration) {
    let told_before = seconds_told(&scene.agent.stderr());
    scene.bench.redis.signal("STOP");
    std::thread::sleep(duration);
    assert!(scene.agent.is_running());
    let told = seconds_told(&scene.agent.stderr()) - told_before;
    scene.bench.redis.signal("CONT");
    assert!(told as u64 + UNTOLD_MAX >= duration.as_secs(), "the loop went round in {told} of {duration:?}");
}

/// The network is slow, not Redis: a commit arrives after the agent has given its connection up and done the work
/// again.
#[test]
fn a_commit_that_comes_too_late_is_none() {
    const SAMPLES: usize = 100;
    let Some(bench) = Bench::new(|_| status(202)) else { return };
    let proxy = RedisProxy::start(&bench.redis.socket());
    // The last command of an aggregation but EXEC, and nobody else's.
    proxy.set(Trouble::Delay { command: "UNLINK", times: 1 });
    push_ones(&mut bench.redis.client(), "app", SAMPLES);
    let agent = Agent::run(&bench.env_with(&[("REDIS_URL", &proxy.url())]));
    assert!(agent.wait_for_line(PATIENT, "redis did not reply within 20 s"));
    assert!(arrives(&bench.intake, "load", PATIENT), "{}", agent.stderr());
    assert!(bench.drained(SOON));
    // And the EXEC behind it.
    proxy.deliver(2);
    // What it stored, if it did, is released as well.
    assert!(bench.drained(SOON));
    assert_eq!(bench.store().sum("load"), SAMPLES as f64, "{}", agent.stderr());
}
