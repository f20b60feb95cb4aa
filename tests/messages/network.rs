//! The way to the intake: each trouble is one warning that says where and why, and that everything is kept.

use super::said;
use super::support::agent::{Agent, Env};
use super::support::behaviour::{Answer, Behaviour, Flow, answer, status};
use super::support::bench::Bench;
use super::support::intake::{Front, Intake};
use super::support::redis::RedisServer;
use super::support::tls::{NAMES, Pki};
use super::support::{SOON, free_port};

/// Runs once with a series to release that is not accepted, and gives back what is said of that.
pub fn told(bench: &Bench, env: &Env) -> String {
    if bench.redis.client().sizes().wrapped == 0 {
        bench.leave_series(1);
    }
    let mut agent = Agent::run_once(env);
    assert_eq!(agent.wait(SOON), Some(1), "{}", agent.stderr());
    let mut said = said(&agent.stderr());
    const LAST: &str = "ERROR not everything was delivered; the rest is kept in the queue";
    assert_eq!((said.len(), said.pop().as_deref()), (2, Some(LAST)), "{said:#?}");
    let told = said.remove(0);
    told.strip_prefix("WARN release: ").unwrap_or_else(|| panic!("{told}")).to_owned()
}

fn with_body(status: u16, body: &'static str) -> Behaviour {
    Behaviour::Answer(Answer { body, ..answer(status) })
}

/// What the intake does, and what is said of it. `PORT` is the intake's.
fn answers() -> Vec<(Behaviour, &'static str)> {
    let says = |text: &str| Behaviour::Flow(Flow { closes: true, ..Flow::of(text) });
    let long_head = format!("HTTP/1.1 202 OK\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    let long_body = format!("HTTP/1.1 202 OK\r\nContent-Length: 100000\r\n\r\n{}", "x".repeat(100_000));
    vec![
        (status(403), "the API key was refused (status 403): check API_KEY; everything is kept"),
        (
            with_body(503, "<h1>Service Unavailable</h1>"),
            "the intake answered 503: <h1>Service Unavailable</h1>; everything is kept",
        ),
        (
            status(302),
            "the intake answered 302: {\"errors\":[\"scripted\"]}; check DATADOG_URL; everything is kept",
        ),
        (
            Behaviour::CloseBeforeHead,
            "127.0.0.1:PORT: connection closed before the answer; everything is kept",
        ),
        (
            says("HTTP/1.1 202 OK\r\nContent-"),
            "127.0.0.1:PORT: connection closed after 25 bytes of the answer; everything is kept",
        ),
        (Behaviour::Reset, "127.0.0.1:PORT: connection broken: connection reset by peer; everything is kept"),
        (
            says("220 mail.example ESMTP\r\n\r\n"),
            "127.0.0.1:PORT: answer is not HTTP/1.1: protocol: http parse fail: invalid HTTP version; everything is kept",
        ),
        (
            says(&long_head),
            "127.0.0.1:PORT: head of the answer is larger than 16384 bytes; everything is kept",
        ),
        (
            says(&long_body),
            "127.0.0.1:PORT: body of the answer is larger than 65536 bytes; everything is kept",
        ),
    ]
}

#[test]
fn an_answer_that_does_not_help_is_told_with_its_words() {
    let Some(mut bench) = Bench::new(|_| status(202)) else { return };
    for (behaviour, expected) in answers() {
        bench.intake.behave(move |_| behaviour.clone());
        let port = bench.intake.port().to_string();
        assert_eq!(told(&bench, &bench.env()), expected.replace("PORT", &port));
    }
    bench.intake.leave();
    let expected =
        format!("connect 127.0.0.1:{}: connection refused; everything is kept", bench.intake.port());
    assert_eq!(told(&bench, &bench.env()), expected);
}

#[test]
fn a_record_that_the_intake_refuses_is_shown_and_dropped() {
    let Some(bench) = Bench::new(|_| with_body(400, "{\"errors\":[\"no such tag\"]}")) else { return };
    bench.leave_series(1);
    let mut agent = Agent::run_once(&bench.env());
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    const DROPPED: &str = "WARN release: dropped a series of \"left.0\", which the intake refuses with 400: \
                           {\"errors\":[\"no such tag\"]}";
    assert_eq!(said(&agent.stderr()), [DROPPED]);
}

#[test]
fn a_name_that_does_not_exist_is_told() {
    let Some(bench) = Bench::new(|_| status(202)) else { return };
    let told = told(&bench, &bench.env_with(&[("DATADOG_URL", "http://intake.invalid/api")]));
    // The last words are the resolver's: without a network there is nobody to ask.
    let whys = [
        "Name or service not known",
        "Temporary failure in name resolution",
        "Name does not resolve",
        "Try again",
    ];
    let lines = whys.map(|why| format!("name intake.invalid: {why}; everything is kept"));
    assert!(lines.contains(&told), "{told}");
}

#[test]
fn a_stranger_instead_of_the_intake_is_told() {
    let Some(redis) = RedisServer::start() else { return };
    let (pki, stranger) = (Pki::new(), Pki::of("a stranger"));
    let bench = Bench { redis, intake: Intake::start_tls(&pki, |_| status(202)) };
    let port = bench.intake.port();
    let trust = pki.ca_file();
    let env = bench.env_with(&[("SSL_CERT_FILE", trust.to_str().unwrap())]);
    let name = "tls: invalid peer certificate: certificate not valid for name \"127.0.0.1\"; certificate is only valid \
                for DnsName(\"intake.example.com\"); everything is kept";
    for (front, expected) in [
        (
            Front::Tls(stranger.server_config()),
            "127.0.0.1:PORT: tls: invalid peer certificate: UnknownIssuer (SSL_CERT_FILE adds authorities, \
             K8S_CA_PATH names the kubelet's); everything is kept",
        ),
        (Front::Tls(pki.server_for(&["intake.example.com"], 4096)), name),
        (
            Front::Says(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
            "127.0.0.1:PORT: tls: received corrupt message of type InvalidContentType; everything is kept",
        ),
        (Front::Says(b""), "127.0.0.1:PORT: connection closed while it was being opened; everything is kept"),
    ] {
        bench.intake.meet_with(front);
        assert_eq!(told(&bench, &env), expected.replace("PORT", &port.to_string()));
    }
    bench.intake.meet_with(Front::Tls(pki.server_for(&NAMES, 2001)));
    let told = told(&bench, &env);
    let begin =
        format!("127.0.0.1:{port}: tls: invalid peer certificate: certificate expired: verification time ");
    assert!(told.starts_with(&begin) && told.ends_with("; everything is kept"), "{told}");
}

#[test]
fn an_address_that_is_not_there_stops_nothing_and_is_told_of_once_not_at_each_attempt() {
    let Some(bench) = Bench::new(|_| status(202)) else { return };
    bench.leave_series(1);
    let url = format!("http://127.0.0.1:{}/api", free_port());
    let agent = Agent::run(&bench.env_with(&[("DATADOG_URL", &url)]));
    const SECOND: &str = "next attempt in ";
    assert!(super::wait_until(SOON, || agent.stderr().matches(SECOND).count() > 1), "{}", agent.stderr());
    assert_eq!(said(&agent.stderr()).len(), 1, "{}", agent.stderr());
}
