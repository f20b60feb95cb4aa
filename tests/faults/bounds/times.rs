//! Waits and deadlines of the agent, at a time of the test's own.

use crate::support::core::{Core, START_S, settings};
use crate::support::figures::figure;
use crate::support::queues::{RAW, WRAPPED, raw_record, wrapped_record};
use crate::support::redis::RedisServer;

use chouette_iot::agent::{Event, Mode, Timer};
use chouette_iot::limits::{
    CLOCK_STEP_S, FIRST_RELEASE_S, FLUSH_DELAY_S, ONCE_REDIS_S, RELEASE_BACKOFF_S, RETRY_AFTER_MAX_S,
    SHUTDOWN_S,
};
use std::time::Duration;

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// An agent with one series to release and a Redis that holds it.
fn with_a_series() -> Option<(Core, RedisServer)> {
    let redis = RedisServer::start()?;
    let record = wrapped_record("left", "count", START_S - 30.0, 1.0, &[]);
    redis.client().push(WRAPPED, "left", Some(START_S - 30.0), Some(record.as_bytes()));
    let mut core = Core::start(settings(), Vec::new(), Mode::Forever, START_S);
    core.connect(&redis);
    Some((core, redis))
}

#[test]
fn the_first_release_comes_soon_but_not_at_once() {
    for wall_s in [0.0, 3.3, 9.9] {
        let core = Core::start(settings(), Vec::new(), Mode::Forever, START_S + wall_s);
        let wait_s = core.wait_s(Timer::Release);
        assert!((FIRST_RELEASE_S.0..=FIRST_RELEASE_S.1).contains(&wait_s), "{wait_s}");
    }
}

#[test]
fn waits_between_attempts_grow_to_their_bound() {
    let Some((mut core, _redis)) = with_a_series() else {
        return;
    };
    core.pass(seconds(FIRST_RELEASE_S.1));
    let mut waits = Vec::new();
    for _ in 0..12 {
        core.answer(Err("no network"));
        let wait_s = core.wait_s(Timer::Retry);
        waits.push(wait_s);
        core.pass(seconds(wait_s));
        assert_eq!(
            core.posts.len(),
            1,
            "tried again when the wait is over, and not by the interval meanwhile"
        );
    }
    let (first_s, longest_s) = RELEASE_BACKOFF_S;
    assert!((first_s / 2.0..=first_s).contains(&waits[0]), "{waits:?}");
    assert!(waits[6..].iter().all(|wait| (longest_s / 2.0..=longest_s).contains(wait)), "{waits:?}");
    let shown: Vec<String> = waits.iter().map(|wait| format!("{wait:.0}")).collect();
    figure("bounds", "waits after failed releases", &format!("{} s (bound {longest_s} s)", shown.join(" ")));
}

#[test]
fn no_server_can_ask_for_a_wait_without_end() {
    let Some((mut core, _redis)) = with_a_series() else {
        return;
    };
    core.pass(seconds(FIRST_RELEASE_S.1));
    core.answer_with(Ok(429), Some(Duration::from_secs(86_400)));
    let wait_s = core.wait_s(Timer::Retry);
    assert!((RETRY_AFTER_MAX_S - 1.0..=RETRY_AFTER_MAX_S * 1.25).contains(&wait_s), "{wait_s}");
    figure(
        "bounds",
        "wait for a Retry-After of a day",
        &format!("{wait_s:.0} s (bound {RETRY_AFTER_MAX_S} s)"),
    );
}

#[test]
fn a_stop_waits_for_what_is_in_flight_and_no_longer() {
    let Some((mut core, _redis)) = with_a_series() else {
        return;
    };
    core.pass(seconds(FIRST_RELEASE_S.1));
    assert_eq!(core.posts.len(), 1, "a request is under way");
    core.tell(Event::Stop);
    core.pass(seconds(SHUTDOWN_S as f64 - 0.1));
    assert_eq!(core.exit, None);
    core.pass(seconds(0.2));
    assert_eq!(core.exit, Some(0));
}

#[test]
fn a_single_run_waits_for_redis_and_no_longer() {
    let mut core = Core::start(settings(), Vec::new(), Mode::Once, START_S);
    core.pass(seconds(ONCE_REDIS_S as f64 - 0.1));
    assert_eq!(core.exit, None);
    core.pass(seconds(0.2));
    assert_eq!(core.exit, Some(1));
}

#[test]
fn a_bucket_is_flushed_once_its_last_records_are_there() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    // Nine seconds into an interval of ten.
    let mut core = Core::start(settings(), Vec::new(), Mode::Forever, START_S + 9.0);
    core.connect(&redis);
    let last = START_S + 9.99;
    let mut client = redis.client();
    client.push(RAW, "last", Some(last), Some(raw_record("last", "count", "1", last, &[]).as_bytes()));
    core.pass(seconds(1.0 + f64::from(FLUSH_DELAY_S) - 0.1));
    assert_eq!((client.size(RAW), client.size(WRAPPED)), (1, 0));
    core.pass(seconds(0.2));
    assert_eq!((client.size(RAW), client.size(WRAPPED)), (0, 1));
}

#[test]
fn only_a_step_of_the_clock_moves_the_turns() {
    let mut core = Core::start(settings(), Vec::new(), Mode::Forever, START_S);
    core.pass(seconds(12.0));
    let armed = core.timers.clone();
    core.now.wall_s += CLOCK_STEP_S * 0.9;
    core.tell(Event::RedisDown("gone".to_owned()));
    assert_eq!(core.timers, armed, "drift is borne until the next turn");
    core.now.wall_s -= CLOCK_STEP_S * 3.0;
    core.tell(Event::RedisDown("gone".to_owned()));
    assert_ne!(core.timers, armed);
    assert!(core.timers.values().all(|at| *at > core.now.mono), "nothing fires in a burst");
}
