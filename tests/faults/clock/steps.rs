//! Steps of the wall clock while the agent runs, and a time zone that changes to winter time.

use super::Scene;
use crate::support::unix_now_f64;

use std::time::Duration;

#[test]
fn steps_of_an_hour_burst_and_stop_nothing() {
    let Some(mut scene) = Scene::begin(0.0, &[], |_, _| {}) else { return };
    scene.write_for(Duration::from_secs(3));
    // The last one lets the seconds come in which records of the future were left; the one before makes seconds that
    // were delivered come twice.
    let steps =
        [("an hour ahead", 3_600.5), ("back again", 0.0), ("6 s back", -6.0), ("hours ahead", 7_200.25)];
    for (what, ahead_s) in steps {
        let stepped_s = unix_now_f64();
        let set_s = stepped_s + ahead_s;
        scene.clock.set(ahead_s);
        scene.write_for(Duration::from_secs(5));
        scene.check_turns(&format!("step: {what}"), stepped_s, 1);
        let read = scene.stamps().into_iter().map(|stamp| stamp as f64);
        let first_s = read.filter(|stamp| *stamp >= set_s.floor()).fold(f64::INFINITY, f64::min);
        assert!(first_s - set_s <= 2.0, "{what}: {first_s} is the first reading after {set_s}");
    }
    scene.assert_exact();
    assert_eq!(scene.agent.stderr().matches("the clock stepped by").count(), steps.len());
}

/// The first Sunday of November 2040, two o'clock in New York: it becomes one o'clock again.
#[test]
fn winter_time_does_not_exist() {
    const CHANGE_S: f64 = 2_235_621_600.0;
    let began_s = unix_now_f64();
    let Some(mut scene) = Scene::begin(CHANGE_S - 6.0 - began_s, &[("TZ", "America/New_York")], |_, _| {})
    else {
        return;
    };
    scene.write_for(Duration::from_secs(10));
    assert!(scene.clock.now_s() > CHANGE_S + 3.0);
    scene.check_turns("over a change to winter time", began_s + 3.0, 0);
    scene.assert_exact();
    let stamps = scene.stamps();
    assert!(
        stamps[0] as f64 <= CHANGE_S - 2.0 && stamps[stamps.len() - 1] as f64 >= CHANGE_S + 2.0,
        "{stamps:?}"
    );
    assert!(stamps.windows(2).all(|pair| pair[1] - pair[0] <= 2), "{stamps:?}");
    assert!(!scene.agent.stderr().contains("the clock stepped"), "an hour has passed twice");
}
