//! As process 1 of a container, and behind a proxy.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::support::behaviour::status;
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
    let (proxy, tunnels) = start_proxy();
    bench.leave_series(3);
    let ca = pki.ca_file();
    let env = bench.env_with(&[
        ("DATADOG_URL", &secure.url_of("localhost")),
        ("SSL_CERT_FILE", ca.to_str().unwrap()),
        ("https_proxy", &format!("http://user:pa%73s@127.0.0.1:{proxy}")),
    ]);
    let mut agent = Agent::run_once(&env);
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    assert_eq!(secure.requests().len(), 1);
    assert_eq!(tunnels.load(Ordering::SeqCst), 1);
    // Exempted, it is not asked.
    bench.leave_series(3);
    let mut agent = Agent::run_once(&agent::with(env, &[("NO_PROXY", "localhost")]));
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    assert_eq!((secure.requests().len(), tunnels.load(Ordering::SeqCst)), (2, 1));
}

/// A proxy that wants `user:pass` and counts its tunnels.
fn start_proxy() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let tunnels = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&tunnels);
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let (mut head, mut byte) = (String::new(), [0]);
            while !head.ends_with("\r\n\r\n") {
                client.read_exact(&mut byte).unwrap();
                head.push(char::from(byte[0]));
            }
            if !head.contains("Proxy-Authorization: Basic dXNlcjpwYXNz\r\n") {
                client.write_all(b"HTTP/1.1 407 Who are you\r\n\r\n").unwrap();
                continue;
            }
            let target = head.split(' ').nth(1).unwrap().replace("localhost", "127.0.0.1");
            let server = TcpStream::connect(target).unwrap();
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            for (mut from, mut to) in
                [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)]
            {
                thread::spawn(move || std::io::copy(&mut from, &mut to));
            }
        }
    });
    (port, tunnels)
}
