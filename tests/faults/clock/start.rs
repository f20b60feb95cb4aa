//! A board without a battery clock starts in the past; one with a wrong one may start in the future.

use super::{READING, Scene, WRITTEN};
use crate::support::queues::RAW;
use crate::support::{SOON, unix_now_f64, wait_until};

use chouette_iot::runtime::clock::build_epoch_s;
use std::time::Duration;

const YEAR_S: f64 = 365.0 * 86_400.0;

#[test]
fn nothing_is_stamped_in_1970_and_nothing_of_it_is_lost() {
    let began_s = unix_now_f64();
    let scene = Scene::begin(1_000.0 - began_s, &[("SEND_SELF_METRICS", "true")], |bench, clock| {
        // Its loss is counted at a time that has no stamp.
        let at = clock.now_s() - 60.0;
        bench.redis.client().push(RAW, "bad", Some(at), Some(b"{"));
    });
    let Some(scene) = scene else { return };
    assert!(wait_until(SOON, || scene.flushes(0.0).len() >= 6));
    assert_eq!(scene.bench.redis.client().size(RAW), 0, "the bad record has been read");
    assert!(scene.store().0.is_empty(), "sent with a clock of 1970: {:?}", scene.store().0);

    let stepped_s = unix_now_f64();
    scene.clock.set(0.0);
    let after = |stamps: &[u64]| stamps.iter().filter(|stamp| **stamp as f64 > stepped_s).count();
    assert!(wait_until(SOON, || after(&scene.stamps()) >= 3), "no readings after the step");
    let dropped = || scene.store().sum("chouette.dropped") as u64;
    assert!(wait_until(SOON, || dropped() == 1), "{} drops told", dropped());
    scene.check_turns("start in 1970, then set", stepped_s, 1);

    let store = scene.store();
    let stamps =
        store.0.iter().flat_map(|(key, held)| held.points.keys().map(|second| (&key.metric, *second)));
    let early: Vec<_> = stamps.filter(|(_, second)| (*second as f64) < build_epoch_s()).collect();
    assert!(early.is_empty(), "stamped before the program was built: {early:?}");
    let dropped_at = *store.only("chouette.dropped").1.points.keys().next().unwrap() as f64;
    assert!(dropped_at >= stepped_s.floor(), "told with a time of before");
    // The true clock tells when the readings of before the step were taken.
    let stamps = scene.stamps();
    let before: Vec<u64> = stamps.iter().copied().filter(|stamp| (*stamp as f64) < stepped_s - 1.0).collect();
    assert!(before.len() >= 4, "{READING}: {stamps:?}, the step was at {stepped_s}");
    assert!(before[0] as f64 >= began_s.floor(), "{stamps:?}");
    assert!(stamps.windows(2).all(|pair| pair[1] - pair[0] <= 2), "not at their right times: {stamps:?}");
}

#[test]
fn a_clock_a_year_ahead_bursts_and_stops_nothing() {
    let Some(mut scene) = Scene::begin(YEAR_S + 0.5, &[], |_, _| {}) else { return };
    let began_s = unix_now_f64();
    scene.write_for(Duration::from_secs(4));
    let mut client = scene.bench.redis.client();
    assert!(wait_until(SOON, || client.size(RAW) == 0), "what was written is not aggregated");
    scene.check_turns("a year ahead", began_s, 0);

    let stepped_s = unix_now_f64();
    scene.clock.set(0.0);
    scene.write_for(Duration::from_secs(5));
    scene.check_turns("a year ahead, then set right", stepped_s, 1);
    scene.assert_exact();
    let first = |stamps: Vec<u64>| stamps.into_iter().find(|stamp| *stamp as f64 >= stepped_s.floor());
    let first_s = first(scene.stamps()).unwrap() as f64;
    assert!(first_s - stepped_s <= 2.0, "{first_s} is the first reading after {stepped_s}");
    let store = scene.store();
    let (_, held) = store.only(WRITTEN);
    let kept: Vec<_> = held.points.keys().filter(|second| **second as f64 > stepped_s + 60.0).collect();
    assert!(!kept.is_empty(), "records carry the time that their application took it to be");
}
