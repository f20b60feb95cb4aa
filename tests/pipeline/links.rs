//! Connections to the intake that break or stall: everything is kept and arrives once.

use crate::support::agent::Agent;
use crate::support::behaviour::{Behaviour, answer, in_turn, status};
use crate::support::queues::Sizes;
use crate::support::{PATIENT, SOON, free_port, json, wait_until};
use crate::{Bench, arrives, complaints, push_gauge, push_ones};

use std::time::Duration;

const SERIES: usize = 200;

/// Series left in the queue arrive although the first requests meet with this.
fn survives(trouble: Vec<Behaviour>) {
    let attempts = trouble.len();
    let Some(bench) = Bench::new(in_turn(trouble, status(202))) else {
        return;
    };
    let names = bench.leave_series(SERIES);
    let _agent = Agent::run(&bench.env());
    assert!(bench.intake.wait_for(PATIENT, |requests| !requests.is_empty()));
    assert!(bench.drained(PATIENT), "{:?}", bench.redis.client().sizes());
    let store = bench.store();
    assert!(names.iter().all(|name| json::close(store.sum(name), 1.0)));
    assert!(bench.intake.requests().len() > attempts);
}

#[test]
fn a_connection_closed_instead_of_an_answer() {
    survives(vec![Behaviour::CloseBeforeHead, Behaviour::CloseBeforeHead]);
}

#[test]
fn a_connection_closed_within_the_answer() {
    survives(vec![Behaviour::CloseAfterHead]);
}

#[test]
fn a_connection_reset() {
    survives(vec![Behaviour::Reset, Behaviour::Reset]);
}

#[test]
fn an_intake_that_never_answers() {
    survives(vec![Behaviour::Hang]);
}

#[test]
fn an_answer_byte_by_byte() {
    let trickle = Behaviour::Trickle(answer(202), Duration::from_millis(5));
    let Some(bench) = Bench::new(move |_| trickle.clone()) else {
        return;
    };
    bench.leave_series(SERIES);
    assert_eq!(Agent::run_once(&bench.env()).wait(SOON), Some(0));
    assert_eq!(bench.redis.client().sizes(), Sizes::EMPTY);
    assert_eq!(bench.intake.requests().len(), 1, "a slow answer is an answer");
}

#[test]
fn a_kept_connection_that_the_server_closed_costs_no_warning() {
    let Some(bench) = Bench::new(|_| Behaviour::AnswerThenClose(answer(202))) else {
        return;
    };
    let agent = Agent::run(&bench.env());
    let mut client = bench.redis.client();
    for metric in ["first", "second", "third"] {
        push_gauge(&mut client, metric, 1.0);
        assert!(arrives(&bench.intake, metric, SOON), "{metric}");
    }
    assert!(bench.drained(SOON));
    assert_eq!(complaints(&agent.stderr()), Vec::<&str>::new());
}

#[test]
fn nobody_listens_at_the_address() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    bench.leave_series(5);
    let url = format!("http://127.0.0.1:{}/api", free_port());
    let mut agent = Agent::run_once(&bench.env_with(&[("DATADOG_URL", &url)]));
    assert_eq!(agent.wait(SOON), Some(1));
    assert_eq!(bench.redis.client().sizes(), Sizes { wrapped: 5, ..Sizes::EMPTY });
    assert_ne!(complaints(&agent.stderr()), Vec::<&str>::new());
}

#[test]
fn the_rest_goes_on_while_the_intake_hangs() {
    let Some(bench) = Bench::new(|_| Behaviour::Hang) else {
        return;
    };
    bench.leave_series(5);
    let mut agent = Agent::run(&bench.env());
    assert!(bench.intake.wait_for(SOON, |requests| !requests.is_empty()));
    let mut client = bench.redis.client();
    push_ones(&mut client, "while-hanging", 2000);
    assert!(
        wait_until(SOON, || client.sizes().raw == 0 && client.sizes().claimed == 0),
        "aggregation waits for the intake"
    );
    let kept = client.sizes().wrapped;
    assert!(kept > 5);

    agent.signal("TERM");
    assert_eq!(agent.wait(Duration::from_secs(6)), Some(0), "a hanging intake holds up the end");
    assert_eq!(client.sizes(), Sizes { wrapped: kept, ..Sizes::EMPTY });
    bench.intake.behave(|_| status(202));
    let _successor = Agent::run(&bench.env());
    assert!(bench.drained(PATIENT));
    assert!(json::close(bench.store().sum("load"), 2000.0));
}
