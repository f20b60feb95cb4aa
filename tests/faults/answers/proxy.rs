//! A proxy that refuses, in between the agent and an intake that speaks TLS.

use super::{Case, Run, Seen, side_by_side};
use crate::support::agent::API_KEY;
use crate::support::behaviour::status;
use crate::support::bench::Bench;
use crate::support::connect_proxy::{ConnectProxy, Gate};
use crate::support::intake::Intake;
use crate::support::redis::RedisServer;
use crate::support::tls::Pki;

/// Seconds that a proxy may take.
const PROXY_S: f64 = 10.0;
const PASSWORD: &str = "pr0xy-secret";

fn bench(pki: &Pki) -> Option<Bench> {
    Some(Bench { redis: RedisServer::start()?, intake: Intake::start_tls(pki, |_| status(202)) })
}

/// `expect` behind a proxy.
fn behind(
    gate: Gate,
    pki: &Pki,
    expect: impl FnOnce(&ConnectProxy, &[(&str, &str)]) -> Option<Seen>,
) -> Option<Seen> {
    let proxy = ConnectProxy::start(gate);
    let trust = pki.ca_file();
    let address = format!("http://owl:{PASSWORD}@127.0.0.1:{}", proxy.port);
    let seen = expect(&proxy, &[("SSL_CERT_FILE", trust.to_str().unwrap()), ("HTTPS_PROXY", &address)])?;
    for (_, request) in proxy.requests() {
        assert_eq!(request.method, "CONNECT");
        assert!(!format!("{request:?}").contains(API_KEY), "the proxy was told the key");
    }
    assert!(!proxy.requests().is_empty(), "the proxy was passed by");
    assert!(!seen.log.contains(PASSWORD), "the proxy's password is in the log");
    Some(seen)
}

#[test]
fn a_proxy_that_refuses_costs_nothing() {
    let pki = Pki::new();
    let says = |text: &str| Gate::Says(text.to_owned());
    let challenge = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"owls\"\r\n\
                     Content-Length: 2\r\n\r\nno";
    let gates = [
        ("407", says(challenge), "status 407"),
        ("403", says("HTTP/1.1 403 Forbidden\r\n\r\n"), "status 403"),
        ("502", says("HTTP/1.1 502 Bad Gateway\r\n\r\n"), "status 502"),
        ("closed", says(""), "closed"),
        ("garbage", says("\u{1F989} is no HTTP\r\n\r\n"), "not HTTP"),
        (
            "a head of 1 MB",
            says(&format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(1 << 20))),
            "too long",
        ),
        ("silence", Gate::Silent, "no answer"),
    ];
    let cases: Vec<(Case, Gate, &str)> = gates
        .map(|(name, gate, why)| {
            let case = Case::new(name, status(202));
            let is_silent = gate == Gate::Silent;
            let case = if is_silent { Case { lasting_s: PROXY_S, attempts: 2, ..case } } else { case };
            (case, gate, why)
        })
        .into();
    let usual = Case::new("a tunnel, for comparison", status(202));
    let mut runs: Vec<(&str, Run)> = Vec::new();
    runs.push((
        &usual.name,
        Box::new(|| {
            let bench = bench(&pki)?;
            behind(Gate::Open, &pki, |_, changes| usual.is_accepted_on(&bench, changes))
        }),
    ));
    for (case, gate, why) in &cases {
        let pki = &pki;
        let run = move || {
            let bench = bench(pki)?;
            let seen = behind(gate.clone(), pki, |proxy, changes| {
                let attempts = || proxy.requests().iter().map(|(at, _)| *at).collect();
                case.is_kept_on(&bench, changes, attempts, || proxy.set(Gate::Open))
            })?;
            assert!(seen.log.contains(why), "{}: the log does not say {why}:\n{}", case.name, seen.log);
            Some(seen)
        };
        runs.push((&case.name, Box::new(run)));
    }
    side_by_side("proxy", runs);
}
