//! Each answer of the intake, and metrics and logs side by side.

use crate::Bench;
use crate::support::agent::{API_KEY, Agent};
use crate::support::behaviour::{Behaviour, answer, in_turn, status, when_body_has};
use crate::support::queues::Sizes;
use crate::support::{PATIENT, SOON, wait_until};

use std::time::Duration;

fn one_culprit_among_many(code: u16) {
    let Some(bench) = Bench::new(when_body_has("\"n\": 77}", status(code))) else {
        return;
    };
    bench.leave_numbered(200);
    let agent = Agent::run(&bench.env(&[]));
    assert!(bench.counts_dropped("rejected", 1.0));
    assert!(bench.drained(SOON));
    let mut numbers = bench.numbers();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..200).filter(|n| *n != 77).collect::<Vec<u64>>(), "all others once");
    let stderr = agent.stderr();
    assert!(
        stderr.lines().any(|line| line.contains("WARN") && line.contains("\\\"n\\\": 77}")),
        "a warning shows the culprit:\n{stderr}"
    );
}

#[test]
fn a_400_costs_only_the_culprit() {
    one_culprit_among_many(400);
}

#[test]
fn a_413_costs_only_the_culprit() {
    one_culprit_among_many(413);
}

#[test]
fn a_refused_key_keeps_logs_and_does_not_hold_up_metrics() {
    let Some(bench) = Bench::new(|_| status(403)) else {
        return;
    };
    bench.leave_numbered(20);
    let agent = Agent::run(&bench.env(&[]));
    assert!(bench.logs.wait_for(SOON, |requests| !requests.is_empty()));
    for name in ["first", "second", "third"] {
        bench.leave_metric(name);
        assert!(bench.metric_arrives(name), "{name}");
    }
    assert_eq!(bench.waiting(), 20, "everything is kept");
    let says = |line: &str| line.contains("WARN") && line.contains("log release") && line.contains("API_KEY");
    assert!(wait_until(SOON, || agent.stderr().lines().any(says)), "{}", agent.stderr());

    assert!(bench.logs.wait_for(PATIENT, |requests| requests.len() >= 3), "it is tried again");
    let warnings = agent.stderr().lines().filter(|line| says(line)).count();
    assert_eq!(warnings, 1, "it is said once:\n{}", agent.stderr());
    bench.logs.behave(|_| status(200));
    assert!(bench.drained(PATIENT), "a key that is good later finds its logs");
    assert_eq!(bench.numbers(), (0..20).collect::<Vec<u64>>());
    assert!(!agent.stderr().contains(API_KEY), "the key is in the log");
}

#[test]
fn a_hanging_intake_of_metrics_does_not_hold_up_logs() {
    let Some(bench) = Bench::new(|_| status(200)) else {
        return;
    };
    bench.metrics.behave(|_| Behaviour::Hang);
    bench.leave_metric("stuck");
    let _agent = Agent::run(&bench.env(&[]));
    assert!(bench.metrics.wait_for(SOON, |requests| !requests.is_empty()));
    for round in 1..=3 {
        bench.leave_numbered(10);
        assert!(bench.drained(SOON), "round {round}");
    }
    assert_eq!(bench.numbers().len(), 30);
    assert_eq!(bench.metrics.requests().len(), 1);
}

#[test]
fn a_broken_connection_costs_no_log() {
    let lost = vec![Behaviour::CloseBeforeHead, status(503), Behaviour::Reset];
    let Some(bench) = Bench::new(in_turn(lost, status(200))) else {
        return;
    };
    bench.leave_numbered(50);
    let _agent = Agent::run(&bench.env(&[]));
    assert!(bench.drained(PATIENT));
    assert_eq!(bench.numbers(), (0..50).collect::<Vec<u64>>());
}

#[test]
fn once_delivers_both_streams_and_tells_when_it_could_not() {
    let Some(bench) = Bench::new(in_turn(vec![status(500)], Behaviour::Answer(answer(200)))) else {
        return;
    };
    bench.leave_numbered(5);
    bench.leave_metric("delivered");
    let env = bench.env(&[("SEND_SELF_METRICS", "false")]);
    assert_eq!(Agent::run_once(&env).wait(SOON), Some(1));
    assert_eq!((bench.waiting(), bench.redis.client().sizes()), (5, Sizes::EMPTY));
    assert_eq!(Agent::run_once(&env).wait(SOON), Some(0));
    assert_eq!(bench.waiting(), 0);
    assert_eq!(bench.numbers(), [0, 1, 2, 3, 4]);
}

#[test]
fn signals_are_for_both_streams() {
    let Some(bench) = Bench::new(|_| status(200)) else {
        return;
    };
    let mut agent = Agent::run(&bench.env(&[("RELEASE_INTERVAL", "3600"), ("LOG_LEVEL", "DEBUG")]));
    bench.leave_metric("first");
    assert!(bench.metric_arrives("first"), "the release after the start");
    bench.leave_numbered(5);
    agent.signal("USR1");
    assert!(bench.drained(SOON));

    bench.logs.behave(|_| Behaviour::Hang);
    bench.leave_numbered(5);
    agent.signal("USR1");
    assert!(bench.logs.wait_for(SOON, |requests| requests.len() == 2));
    agent.signal("TERM");
    assert_eq!(agent.wait(Duration::from_secs(6)), Some(0), "a hanging intake of logs holds up the end");
    assert_eq!(bench.waiting(), 5);
}

#[test]
fn without_logs_there_is_no_connection_to_their_intake() {
    let Some(bench) = Bench::new(|_| status(200)) else {
        return;
    };
    let _agent = Agent::run(&bench.env(&[]));
    for name in ["first", "second", "third"] {
        bench.leave_metric(name);
        assert!(bench.metric_arrives(name), "{name}");
    }
    assert_eq!(bench.logs.connection_count(), 0);
}
