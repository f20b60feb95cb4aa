//! What the agent does with each answer of the intake.

use crate::support::agent::{API_KEY, Agent};
use crate::support::behaviour::{Answer, Behaviour, answer, in_turn, status, when_body_has};
use crate::support::intake::Request;
use crate::support::queues::{Sizes, WRAPPED};
use crate::support::store::Store;
use crate::support::{PATIENT, SOON, json, wait_until};
use crate::{Bench, arrives, complaints, push_gauge};

use std::sync::Arc;
use std::time::Duration;

/// One culprit among a thousand takes about two requests per halving, and one for what it was split from.
const SPLITTING_REQUESTS_MAX: usize = 40;

fn one_culprit_among_a_thousand(code: u16) {
    let Some(bench) = Bench::new(when_body_has("left.617\"", status(code))) else {
        return;
    };
    let names = bench.leave_series(1000);
    let agent = Agent::run(&bench.env_with(&[("SEND_SELF_METRICS", "true")]));
    let dropped =
        |requests: &[Arc<Request>]| json::close(Store::stored(requests).sum("chouette.dropped"), 1.0);
    assert!(bench.intake.wait_for(PATIENT, dropped), "the drop is counted");

    let store = bench.store();
    let arrived = store.names();
    let missing: Vec<&String> = names.iter().filter(|name| !arrived.contains(name.as_str())).collect();
    assert_eq!(missing, ["left.617"], "all others arrive");
    assert!(
        names.iter().all(|name| json::close(store.sum(name), if name == "left.617" { 0.0 } else { 1.0 }))
    );
    let stderr = agent.stderr();
    assert!(
        complaints(&stderr).iter().any(|line| line.contains("left.617")),
        "a warning names the culprit:\n{stderr}"
    );
    let refused = bench.intake.requests().iter().filter(|request| !request.acknowledged).count();
    assert!(refused <= SPLITTING_REQUESTS_MAX, "{refused} requests were refused");
    let mut client = bench.redis.client();
    assert!(wait_until(SOON, || client.records(WRAPPED).iter().all(|record| !record.contains("left."))));
}

#[test]
fn a_400_costs_only_the_culprit() {
    one_culprit_among_a_thousand(400);
}

#[test]
fn a_413_costs_only_the_culprit() {
    one_culprit_among_a_thousand(413);
}

#[test]
fn a_413_for_size_alone_drops_nothing() {
    let script = |request: &Request| status(if request.series().len() > 300 { 413 } else { 202 });
    let Some(bench) = Bench::new(script) else {
        return;
    };
    let names = bench.leave_series(1000);
    let _agent = Agent::run(&bench.env());
    assert!(bench.drained(SOON));
    let store = bench.store();
    assert!(names.iter().all(|name| json::close(store.sum(name), 1.0)));
}

fn a_refused_key_keeps_everything(code: u16) {
    let Some(bench) = Bench::new(move |_| status(code)) else {
        return;
    };
    let names = bench.leave_series(20);
    let agent = Agent::run(&bench.env_with(&[("LOG_LEVEL", "DEBUG")]));
    assert!(bench.intake.wait_for(PATIENT, |requests| requests.len() >= 2), "it is tried again");
    assert_eq!(bench.redis.client().sizes(), Sizes { wrapped: 20, ..Sizes::EMPTY });
    let stderr = agent.stderr();
    assert!(
        complaints(&stderr).iter().any(|line| line.contains("API_KEY")),
        "it says what to look at:\n{stderr}"
    );

    bench.intake.behave(|_| status(202));
    assert!(bench.drained(PATIENT), "a key that is good later finds its data");
    assert!(names.iter().all(|name| json::close(bench.store().sum(name), 1.0)));
    assert!(!agent.stderr().contains(API_KEY), "the key is in the log");
    assert!(bench.intake.requests().iter().all(|request| !request.path.contains(API_KEY)));
}

#[test]
fn a_403_keeps_everything_and_never_shows_the_key() {
    a_refused_key_keeps_everything(403);
}

#[test]
fn a_401_keeps_everything_and_never_shows_the_key() {
    a_refused_key_keeps_everything(401);
}

#[test]
fn a_429_waits_as_long_as_it_is_told_to() {
    let slow_down = Answer { headers: vec![("Retry-After", "5".to_owned())], ..answer(429) };
    let Some(bench) = Bench::new(in_turn(vec![Behaviour::Answer(slow_down)], status(202))) else {
        return;
    };
    bench.leave_series(5);
    let _agent = Agent::run(&bench.env());
    assert!(bench.drained(PATIENT));
    let requests = bench.intake.requests();
    let waited = requests[1].at.unwrap() - requests[0].at.unwrap();
    assert!(waited >= Duration::from_millis(4900), "tried again after {waited:?}");
}

#[test]
fn failures_of_the_server_are_tried_again_until_they_end() {
    for codes in [[500, 503], [408, 429], [404, 502]] {
        let Some(bench) = Bench::new(in_turn(codes.map(status).to_vec(), status(202))) else {
            return;
        };
        let names = bench.leave_series(50);
        let _agent = Agent::run(&bench.env());
        assert!(bench.drained(PATIENT), "{codes:?}");
        let requests = bench.intake.requests();
        let waited = requests[1].at.unwrap() - requests[0].at.unwrap();
        assert!(
            waited >= Duration::from_millis(900),
            "{codes:?}: tried again after {waited:?}, without backing off"
        );
        assert!(names.iter().all(|name| json::close(bench.store().sum(name), 1.0)), "{codes:?}");
    }
}

#[test]
fn once_says_with_its_exit_code_that_something_was_not_delivered() {
    let Some(bench) = Bench::new(|_| status(500)) else {
        return;
    };
    bench.leave_series(5);
    assert_eq!(Agent::run_once(&bench.env()).wait(SOON), Some(1));
    assert_eq!(bench.redis.client().sizes(), Sizes { wrapped: 5, ..Sizes::EMPTY });
}

#[test]
fn aggregation_goes_on_while_the_intake_refuses() {
    let Some(bench) = Bench::new(|_| status(503)) else {
        return;
    };
    let _agent = Agent::run(&bench.env());
    let mut client = bench.redis.client();
    for (number, metric) in ["first", "second", "third"].iter().enumerate() {
        push_gauge(&mut client, metric, 1.0);
        assert!(
            wait_until(SOON, || client.sizes() == Sizes { wrapped: number + 1, ..Sizes::EMPTY }),
            "{metric}"
        );
    }
    bench.intake.behave(|_| status(202));
    assert!(arrives(&bench.intake, "third", PATIENT));
    assert!(bench.drained(SOON));
}
