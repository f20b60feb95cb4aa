//! The proxy on the way to the intake.

use super::network::told;
use super::support::behaviour::status;
use super::support::bench::Bench;
use super::support::connect_proxy::{ConnectProxy, Gate};
use super::support::intake::Intake;
use super::support::redis::RedisServer;
use super::support::tls::Pki;

#[test]
fn a_proxy_that_refuses_is_told_with_its_address() {
    let Some(redis) = RedisServer::start() else { return };
    let bench = Bench { redis, intake: Intake::start_tls(&Pki::new(), |_| status(202)) };
    let proxy = ConnectProxy::start(Gate::Open);
    let (port, url) = (proxy.port, format!("http://127.0.0.1:{}", proxy.port));
    let says = |text: &str| Gate::Says(text.to_owned());
    for (gate, why) in [
        (
            says("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"),
            "credentials refused or missing (status 407)",
        ),
        (says("HTTP/1.1 403 Forbidden\r\n\r\n"), "status 403"),
        (says("SOCKS\r\n\r\n"), "answer is not HTTP"),
        (says("HTTP/1.1 200 OK\r\n\r\nhello"), "the proxy says more than it was asked"),
        (says(&"x".repeat(20_000)), "answer is too long"),
        (says(""), "connection closed before an answer"),
    ] {
        proxy.set(gate);
        let expected = format!("proxy 127.0.0.1:{port}: {why}; everything is kept");
        assert_eq!(told(&bench, &bench.env_with(&[("HTTPS_PROXY", &url)])), expected);
    }
}

#[test]
fn a_name_that_no_certificate_can_have_is_told() {
    let Some(bench) = Bench::new(|_| status(202)) else { return };
    // Its tunnel stands: a name behind a proxy is the proxy's to resolve.
    let proxy = ConnectProxy::start(Gate::Says("HTTP/1.1 200 OK\r\n\r\n".to_owned()));
    let url = format!("http://127.0.0.1:{}", proxy.port);
    let env = bench.env_with(&[("HTTPS_PROXY", &url), ("DATADOG_URL", "https://-intake.example/api")]);
    assert_eq!(told(&bench, &env), "tls: not a server name: -intake.example; everything is kept");
}
