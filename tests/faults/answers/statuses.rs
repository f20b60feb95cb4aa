//! Statuses: what is kept, what is dropped, what is done.

use super::{Case, all};
use crate::support::agent::{API_KEY, Agent};
use crate::support::behaviour::{Answer, Behaviour, Flow, answer, status};
use crate::support::bench::Bench;
use crate::support::figures::figure;
use crate::support::intake::Intake;
use crate::support::store::Store;
use crate::support::{SOON, wait_until};

use std::time::Duration;

/// Seconds that an exchange may take in all.
const EXCHANGE_S: f64 = 20.0;
const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}";

#[test]
fn success_is_success_whatever_its_body() {
    let flow =
        |name: &str, text: String| Case::new(name, Behaviour::Flow(Flow { accepts: true, ..Flow::of(text) }));
    let cases = [
        Case::of_status(200),
        Case::of_status(204),
        Case::of_status(202).embedded(),
        Case::of_status(202).of_logs(),
        flow(
            "204 with a body it must not have",
            "HTTP/1.1 204 None\r\nContent-Length: 2\r\n\r\n{}".to_owned(),
        ),
        flow("100, then 202", format!("HTTP/1.1 100 Continue\r\n\r\n{ACCEPTED}")),
        flow(
            "103 three times, then 202",
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(3) + ACCEPTED,
        ),
    ];
    all("2xx", &cases, Case::is_accepted);
}

#[test]
fn an_informational_answer_is_none() {
    let informational =
        |name: &str, text: &str, times: usize, every_ms: u64, lasting_s: f64, attempts: usize| {
            let every = Duration::from_millis(every_ms);
            let flow = Flow { piece: text.as_bytes().to_vec(), times, every, ..Flow::default() };
            Case { lasting_s, attempts, ..Case::new(name, Behaviour::Flow(flow)) }
        };
    let cases = [
        Case::of_status(101),
        informational("100, then silence", "HTTP/1.1 100 Continue\r\n\r\n", 1, 0, EXCHANGE_S, 2),
        informational(
            "102 every 0.5 s for ever",
            "HTTP/1.1 102 Processing\r\n\r\n",
            usize::MAX,
            500,
            EXCHANGE_S,
            2,
        ),
        informational("199 without a pause for ever", "HTTP/1.1 199 Odd\r\n\r\n", usize::MAX, 0, 0.0, 3),
    ];
    all("1xx", &cases, Case::is_kept);
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Intake::accepting();
    let location = elsewhere.url_of("localhost");
    let redirect = |code: u16| {
        let headers = vec![("Location", location.clone())];
        Case::new(&format!("{code} to another host"), Behaviour::Answer(Answer { headers, ..answer(code) }))
    };
    let mut cases: Vec<Case> = [300, 301, 302, 303, 307, 308].map(redirect).into();
    cases.push(Case::of_status(304));
    all("3xx", &cases, Case::is_kept);
    assert_eq!(elsewhere.connection_count(), 0, "the key went to where a redirect points");
}

#[test]
fn a_refusal_keeps_everything() {
    let mut cases: Vec<Case> = [401, 403, 404, 408, 429].map(Case::of_status).into();
    cases.push(Case::of_status(403).of_logs());
    cases.extend([403, 429].map(|code| Case::of_status(code).embedded()));
    let seen = all("4xx", &cases, Case::is_kept);
    for refused in &seen[1..3] {
        assert!(refused.log.contains("check API_KEY"), "{}", refused.log);
    }
}

#[test]
fn an_answer_that_repeats_the_key_does_not_bring_it_into_the_log() {
    let echo: &str =
        Box::leak(format!("{{\"errors\":[\"{API_KEY} and again {API_KEY} is unknown\"]}}").into_boxed_str());
    let echoed = |code: u16| {
        let headers = vec![("Location", format!("/?api_key={API_KEY}")), ("X-Key", API_KEY.to_owned())];
        let told = Answer { headers, body: echo, ..answer(code) };
        Case { attempts: 1, ..Case::new(&format!("{code} that repeats the key"), Behaviour::Answer(told)) }
    };
    let seen = all("key", &[302, 403, 500].map(echoed), Case::is_kept);
    assert!(seen[3].log.contains("and again"), "the rest of the answer is shown: {}", seen[3].log);
    all("key", &[echoed(400)], Case::costs_the_culprit);
}

#[test]
fn a_record_that_is_refused_is_dropped_alone() {
    let of = |code| Case::of_status(code);
    let cases = [400, 413].map(|code| [of(code), of(code).of_logs(), of(code).embedded()]);
    all("400, 413", cases.as_flattened(), Case::costs_the_culprit);
}

/// An intake that refuses every single record refuses what counts the loss as well; that must not get lost.
#[test]
fn the_count_of_what_is_refused_survives_an_intake_that_refuses_everything() {
    let Some(bench) = Bench::new(|_| status(400)) else {
        return;
    };
    let names = bench.leave_series(20);
    let agent = Agent::run(&bench.env_with(&[("SEND_SELF_METRICS", "true")]));
    let dropped = |name: &str| agent.stderr().matches(&format!("dropped a series of \"{name}")).count();
    assert!(wait_until(SOON, || dropped("left.") == names.len()), "{} are dropped", dropped("left."));
    let kept = "chouette.dropped, which the intake refuses with 400";
    assert!(agent.wait_for_line(SOON, kept), "its count is refused too: {}", agent.stderr());
    let refusals = bench.intake.requests().len();
    bench.intake.behave(|_| status(202));
    agent.signal("USR1");
    let counted = || Store::acknowledged(&bench.intake.requests()).sum("chouette.dropped");
    // Of its own some may have been refused as well.
    let all = || dropped("");
    let is_told = || counted() == all() as f64;
    assert!(wait_until(SOON, is_told) && all() >= names.len(), "{} of {} were counted", counted(), all());
    assert_eq!(dropped("chouette.dropped"), 0, "{}", agent.stderr());
    let value = format!("{} of {} counted, after {refusals} refusals", counted(), all());
    figure("answers 400, 413", "400 for everything, its own count included", &value);
}

#[test]
fn a_failing_server_keeps_everything() {
    let mut cases: Vec<Case> = [500, 502, 504].map(Case::of_status).into();
    // One more step of the back-off.
    cases.push(Case { attempts: 4, ..Case::of_status(503) });
    cases.push(Case::of_status(503).of_logs());
    cases.push(Case::of_status(503).embedded());
    cases.push(Case::new("599", status(599)));
    cases.push(Case::new("999", status(999)));
    all("5xx", &cases, Case::is_kept);
}
