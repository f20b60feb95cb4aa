//! As process 1 of a container, and behind a proxy.

use std::process::Command;

use super::support::behaviour::status;
use super::support::connect_proxy::{ConnectProxy, Gate};
use super::support::intake::Intake;
use super::support::tls::Pki;
use super::*;
use support::{SOON, skip};

/// Process 1 gets no signal that it does not handle, and nobody else collects its children.
#[test]
fn process_one_hears_sigterm() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let possible = Command::new("unshare").args(["--pid", "--fork", "true"]).status();
    if !possible.is_ok_and(|status| status.success()) {
        return skip("a process namespace of one's own needs root");
    }
    bench.leave_series(3);
    // The name has to be resolved, which takes a child.
    let intake = bench.intake.url().replace("127.0.0.1", "localhost");
    let mut command = Command::new("unshare");
    command
        .args(["--pid", "--fork", "--kill-child", env!("CARGO_BIN_EXE_chouette-iot"), "run"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .envs(bench.env_with(&[("DATADOG_URL", &intake)]));
    let mut agent = Agent::start(&mut command);
    assert!(bench.drained(SOON), "{}", agent.stderr());
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", agent.pid())).unwrap();
    let process_one = children.trim();
    assert!(Command::new("kill").args(["-TERM", process_one]).status().unwrap().success());
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
}

#[test]
fn https_goes_through_the_proxy_and_redis_does_not() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let pki = Pki::new();
    let secure = Intake::start_tls(&pki, |_| status(202));
    let proxy = ConnectProxy::start(Gate::Open);
    bench.leave_series(3);
    let ca = pki.ca_file();
    let env = bench.env_with(&[
        ("DATADOG_URL", &secure.url_of("localhost")),
        ("SSL_CERT_FILE", ca.to_str().unwrap()),
        ("https_proxy", &format!("http://user:pa%73s@127.0.0.1:{}", proxy.port)),
    ]);
    let mut agent = Agent::run_once(&env);
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    assert_eq!(secure.requests().len(), 1);
    let asked = proxy.requests();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].1.header("proxy-authorization"), Some("Basic dXNlcjpwYXNz"), "user:pass");
    // Exempted, it is not asked.
    bench.leave_series(3);
    let mut agent = Agent::run_once(&agent::with(env, &[("NO_PROXY", "localhost")]));
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    assert_eq!((secure.requests().len(), proxy.requests().len()), (2, 1));
}
