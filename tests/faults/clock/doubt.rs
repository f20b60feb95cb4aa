//! A clock that is behind what Redis holds has gone back since: readings wait until it is set, or has passed that time,
//! but not for ever.

use super::{READING, Scene};
use crate::support::core::{Core, Many, START_S, settings};
use crate::support::figures::figure;
use crate::support::json;
use crate::support::queues::{WRAPPED, wrapped_record};
use crate::support::redis::{Client, RedisServer};
use crate::support::{SOON, unix_now_f64, wait_until};

use chouette_iot::agent::Mode;
use chouette_iot::limits::CLOCK_DOUBTED_S;
use std::time::Duration;

fn leave(client: &mut Client, at: f64) {
    let record = wrapped_record("left", "count", at, 1.0, &["from:python"]);
    client.push(WRAPPED, "left", Some(at), Some(record.as_bytes()));
}

#[test]
fn a_clock_behind_what_redis_holds_stamps_nothing_until_it_is_set() {
    const HOUR_S: f64 = 3_600.0;
    let began_s = unix_now_f64();
    let newest_s = (began_s + 1.5 * HOUR_S).floor();
    let scene = Scene::begin(HOUR_S, &[], |bench, _| leave(&mut bench.redis.client(), newest_s));
    let Some(scene) = scene else { return };
    assert!(scene.agent.wait_for_line(SOON, "behind what redis holds"));
    assert!(wait_until(SOON, || scene.flushes(0.0).len() >= 6));
    assert_eq!(scene.stamps(), [], "stamped with a clock that is not believed");
    assert_eq!(scene.store().sum("left"), 1.0, "what is there is released meanwhile");
    let stepped_s = unix_now_f64();
    scene.clock.set(1.5 * HOUR_S + 10.0);
    let count = |least_s: f64| scene.stamps().iter().filter(|stamp| **stamp as f64 >= least_s).count();
    assert!(wait_until(SOON, || count(scene_time(stepped_s)) >= 3), "{:?}", scene.stamps());
    scene.check_turns("half an hour behind Redis, then set", stepped_s, 1);
    let stamps = scene.stamps();
    assert!(stamps[0] as f64 >= newest_s, "{READING}: {stamps:?}");
    let waited = stamps.iter().filter(|stamp| (**stamp as f64) < scene_time(stepped_s) - 1.0).count();
    assert!(waited >= 4 && stamps[0] as f64 <= scene_time(began_s) + 3.0, "{stamps:?}");
    assert!(stamps.windows(2).all(|pair| pair[1] - pair[0] <= 2), "not at their right times: {stamps:?}");

    /// What the clock would have shown, had it been right.
    fn scene_time(true_s: f64) -> f64 {
        true_s + 1.5 * HOUR_S + 10.0
    }
}

/// The seconds that readings in the queue are stamped with.
fn stamped(client: &mut Client) -> Vec<f64> {
    let records = client.records(WRAPPED).into_iter().filter(|record| record.contains("\"many\""));
    let point = |record: String| {
        let record = json::parse(&record).unwrap();
        json::number(json::items(json::items(json::get(&record, "points")).first()).first()).unwrap()
    };
    let mut stamps: Vec<f64> = records.map(point).collect();
    stamps.sort_by(f64::total_cmp);
    stamps
}

/// A clock that nobody sets: how long its readings wait, in seconds, where Redis holds something of so much later.
fn waits_s(ahead_s: f64) -> Option<f64> {
    let redis = RedisServer::start()?;
    let mut client = redis.client();
    leave(&mut client, START_S + ahead_s);
    let mut core = Core::start(settings(), vec![Box::new(Many(1))], Mode::Forever, START_S);
    core.connect(&redis);
    let mut waited = Duration::ZERO;
    while stamped(&mut client).is_empty() {
        assert!(waited.as_secs() < 2 * CLOCK_DOUBTED_S, "it is never believed");
        core.pass(Duration::from_secs(1));
        waited += Duration::from_secs(1);
    }
    let stamps = stamped(&mut client);
    assert!(
        stamps[0] >= START_S && stamps[0] < START_S + 1.0,
        "the first is the one of the start: {stamps:?}"
    );
    assert!(stamps.windows(2).all(|pair| pair[1] - pair[0] <= 10.0), "each at its time: {stamps:?}");
    Some(waited.as_secs_f64())
}

#[test]
fn a_clock_that_nobody_sets_is_believed_in_the_end() {
    let Some(soon_s) = waits_s(90.0) else { return };
    let late_s = waits_s(7_200.0).unwrap();
    let never_s = waits_s(30.0).unwrap();
    let value = format!("{never_s} s, {soon_s} s, {late_s} s (bound {CLOCK_DOUBTED_S} s and an interval)");
    figure("clock", "readings wait, 30 s, 90 s and 2 h behind Redis", &value);
    assert!(never_s <= 1.0 && (85.0..=101.0).contains(&soon_s), "{value}");
    assert!((CLOCK_DOUBTED_S as f64..=CLOCK_DOUBTED_S as f64 + 11.0).contains(&late_s), "{value}");
}
