//! The tests' own tools, tested: what they report is what the other tests build on.
#![allow(clippy::unwrap_used)]

mod pure;
#[path = "../support/mod.rs"]
mod support;

use support::agent::Agent;
use support::behaviour::{Behaviour, answer, in_turn, status, when_body_has};
use support::intake::Intake;
use support::proxy::{RedisProxy, Trouble};
use support::queues::{RAW, Sizes, WRAPPED};
use support::redis::{Options, RedisServer};
use support::tls::Pki;
use support::{SOON, json};

use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

fn address(intake: &Intake) -> String {
    intake
        .url()
        .trim_start_matches("https://")
        .trim_start_matches("http://")
        .trim_end_matches("/api")
        .to_owned()
}

fn post(body: &[u8], encoding: &str) -> Vec<u8> {
    let mut bytes = format!(
        "POST /api/v1/series HTTP/1.1\r\nHost: x\r\n{encoding}Content-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Sends one request and reads until the answer is whole or the connection ends.
fn exchange(stream: &mut (impl Read + Write), request: &[u8]) -> std::io::Result<String> {
    stream.write_all(request)?;
    let mut answer = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        let count = stream.read(&mut chunk)?;
        answer.extend_from_slice(&chunk[..count]);
        if count == 0 || answer.ends_with(b"}") {
            return Ok(String::from_utf8_lossy(&answer).into_owned());
        }
    }
}

#[test]
fn the_intake_records_and_answers_in_turn() {
    let intake = Intake::start(in_turn(
        vec![status(500), Behaviour::Trickle(answer(413), Duration::ZERO)],
        status(202),
    ));
    let mut stream = TcpStream::connect(address(&intake)).unwrap();
    let deflated = miniz_oxide::deflate::compress_to_vec_zlib(b"{\"series\":[{\"metric\":\"a\"}]}", 6);
    for expected in ["500", "413", "202"] {
        let text = exchange(&mut stream, &post(&deflated, "Content-Encoding: deflate\r\n")).unwrap();
        assert!(text.starts_with(&format!("HTTP/1.1 {expected} ")), "{text}");
    }
    let requests = intake.requests();
    let seen: Vec<(usize, bool)> =
        requests.iter().map(|request| (request.connection, request.acknowledged)).collect();
    assert_eq!(seen, [(0, false), (0, false), (0, true)]);
    assert_eq!(json::text(json::get(&requests[0].series()[0], "metric")), Some("a"));
    assert_eq!(requests[0].body_bytes, deflated.len());
    assert_eq!(requests[0].header("content-encoding"), Some("deflate"));
}

#[test]
fn the_intake_breaks_connections_as_told() {
    let script = vec![
        Behaviour::CloseBeforeHead,
        Behaviour::CloseAfterHead,
        Behaviour::Reset,
        Behaviour::AnswerThenClose(answer(202)),
    ];
    let intake = Intake::start(in_turn(script, Behaviour::Hang));
    let attempt = || {
        let mut stream = TcpStream::connect(address(&intake)).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let first = exchange(&mut stream, &post(b"{}", ""));
        (first.map_err(|error| error.kind()), stream)
    };
    assert_eq!(attempt().0.unwrap(), "");
    assert!(attempt().0.unwrap().ends_with("\r\n\r\n"));
    assert_eq!(attempt().0.unwrap_err(), std::io::ErrorKind::ConnectionReset);
    let (answered, mut stream) = attempt();
    assert!(answered.unwrap().starts_with("HTTP/1.1 202"));
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0, "closed after the answer");
    assert_eq!(attempt().0.unwrap_err(), std::io::ErrorKind::WouldBlock);
    assert!(intake.wait_for(SOON, |requests| requests.len() == 5));
    assert_eq!(intake.requests().iter().filter(|request| request.stored).count(), 5);
    assert_eq!(intake.requests().iter().filter(|request| request.acknowledged).count(), 1);
}

#[test]
fn the_intake_answers_by_what_a_body_holds() {
    let intake = Intake::start(when_body_has("culprit", status(400)));
    let mut stream = TcpStream::connect(address(&intake)).unwrap();
    assert!(exchange(&mut stream, &post(b"{\"a\":\"culprit\"}", "")).unwrap().starts_with("HTTP/1.1 400"));
    assert!(exchange(&mut stream, &post(b"{\"a\":\"good\"}", "")).unwrap().starts_with("HTTP/1.1 202"));
}

#[test]
fn the_intake_speaks_tls_under_a_private_authority() {
    let pki = Pki::new();
    let intake = Intake::start_tls(&pki, |_| status(202));
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(pki.ca_file()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    for name in ["127.0.0.1", "localhost"] {
        for _ in 0..2 {
            let session =
                ClientConnection::new(Arc::clone(&config), ServerName::try_from(name).unwrap()).unwrap();
            let mut stream = StreamOwned::new(session, TcpStream::connect(address(&intake)).unwrap());
            assert!(exchange(&mut stream, &post(b"{}", "")).unwrap().starts_with("HTTP/1.1 202"));
        }
    }
    let resumed: Vec<bool> = intake.requests().iter().map(|request| request.resumed).collect();
    assert_eq!(resumed, [false, true, false, true]);
}

#[test]
fn redis_keeps_what_it_was_told_to_over_a_restart() {
    let Some(mut redis) = RedisServer::start_with(&Options { append_only: true, ..Options::default() })
    else {
        return;
    };
    let mut client = redis.client();
    client.push(RAW, "k", Some(1.5), Some(b"\xff"));
    client.push(RAW, "no-value", Some(2.0), None);
    client.fill(WRAPPED, "w", &[(2.0, "b".to_owned()), (1.0, "a".to_owned())]);
    redis.stop();
    redis.launch();
    let mut client = redis.client();
    assert_eq!(client.sizes(), Sizes { raw: 2, claimed: 0, wrapped: 2 });
    assert_eq!(client.records(WRAPPED), ["a", "b"]);
    client.run::<()>(&["FLUSHALL"]);
    assert_eq!(client.sizes(), Sizes::EMPTY);
}

#[test]
fn redis_with_a_password_lets_only_those_in_who_know_it() {
    let options = Options { password: Some("se cret"), ..Options::default() };
    let Some(redis) = RedisServer::start_with(&options) else {
        return;
    };
    redis.client_of_db(3).run::<()>(&["SET", "a", "1"]);
    let mut stranger = TcpStream::connect(("127.0.0.1", redis.port)).unwrap();
    stranger.write_all(b"PING\r\n").unwrap();
    let mut reply = [0; 7];
    stranger.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"-NOAUTH");
}

#[test]
fn the_proxy_loses_what_it_is_told_to_lose() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let proxy = RedisProxy::start(&redis.socket());
    let open = || redis::Client::open(proxy.url()).unwrap().get_connection().unwrap();
    let increment = |connection: &mut redis::Connection| redis::cmd("INCR").arg("n").query::<i64>(connection);
    assert_eq!(increment(&mut open()).unwrap(), 1);
    proxy.set(Trouble::LoseReply { command: "INCR", times: 1 });
    assert!(increment(&mut open()).is_err());
    assert!(proxy.is_spent());
    proxy.set(Trouble::LoseCommand { command: "INCR", times: 2 });
    assert!(increment(&mut open()).is_err());
    assert!(!proxy.is_spent());
    assert!(increment(&mut open()).is_err());
    proxy.set(Trouble::Trickle);
    let mut connection = open();
    let queue: Vec<Option<Vec<u8>>> = redis::pipe()
        .cmd("MGET")
        .arg("n")
        .arg("none")
        .query(&mut connection)
        .map(|(list,): (Vec<_>,)| list)
        .unwrap();
    assert_eq!(queue, [Some(b"2".to_vec()), None]);
    assert_eq!(proxy.commands().iter().filter(|name| *name == "INCR").count(), 4);
}

#[test]
fn a_process_is_watched_signalled_and_waited_for() {
    let script = "trap 'echo bye >&2; exit 7' TERM; echo ready >&2; while :; do sleep 0.05; done";
    let mut process = Agent::start(Command::new("/bin/sh").args(["-c", script]));
    assert!(process.wait_for_line(SOON, "ready"));
    assert!(process.is_running());
    process.signal("TERM");
    assert_eq!(process.wait(SOON), Some(7));
    assert!(process.wait_for_line(SOON, "bye"));
}
