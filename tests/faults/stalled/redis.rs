//! Redis is there and does nothing.

use super::scene::{Scene, seconds_told};
use crate::support::namespace::inside;
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
