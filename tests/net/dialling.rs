//! Connections without HTTP: queues, budgets, addresses.

use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use chouette_iot::limits::SEND_QUEUE_BYTES_MAX;
use chouette_iot::runtime::connection::{Connection, Endpoint, Progress};
use mio::Poll;

use crate::support::*;

#[test]
fn what_is_queued_before_the_connection_is_open_is_sent() {
    let server = Server::run(|listener| {
        let mut stream = accept(&listener);
        let mut line = [0; 10];
        stream.read_exact(&mut line).unwrap();
        assert_eq!(&line, b"earlylater");
        stream.write_all(b"done").unwrap();
    });
    let mut poll = Poll::new().unwrap();
    let endpoint = Endpoint::tcp("127.0.0.1", server.port);
    let mut connection = Connection::dial(&endpoint, TOKEN, poll.registry(), Instant::now());
    assert!(!connection.is_open() && connection.deadline().is_some());
    assert_eq!(connection.send(b"early").unwrap(), 5);
    assert!(!format!("{connection:?}").contains(&format!("{:?}", b"early")), "passwords are sent");
    dial(&mut connection, &mut poll).unwrap();
    assert!(connection.is_open() && connection.deadline().is_none());
    assert_eq!(connection.send(b"later").unwrap(), 0);
    assert_eq!(receive_all(&mut connection, &mut poll, 3), b"done");
    assert_eq!(connection.wire_bytes(), (10, 4));
    connection.close(poll.registry());
    server.join();
}

#[test]
fn a_peer_that_does_not_read_fills_the_queue_and_no_more() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let server = Server::run(move |listener| {
        let mut stream = accept(&listener);
        released.recv().unwrap();
        let count = std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
        assert!(count > SEND_QUEUE_BYTES_MAX as u64 / 2, "{count}");
    });
    let mut poll = Poll::new().unwrap();
    let endpoint = Endpoint::tcp("127.0.0.1", server.port);
    let mut connection = Connection::dial(&endpoint, TOKEN, poll.registry(), Instant::now());
    dial(&mut connection, &mut poll).unwrap();
    let megabyte = vec![b'x'; 1024 * 1024];
    let refused = (0..100).find_map(|_| connection.send(&megabyte).err());
    assert_eq!(refused.unwrap().to_string(), "too many bytes wait to be sent");
    assert!(connection.flush().unwrap() > 0);
    release.send(()).unwrap();
    for _ in 0..10_000 {
        if connection.flush().unwrap() == 0 {
            connection.close(poll.registry());
            return server.join();
        }
        turn(&mut poll, WAIT);
    }
    panic!("never flushed");
}

#[test]
fn the_next_address_is_tried() {
    let server = Server::run(|listener| drop(accept(&listener)));
    let mut poll = Poll::new().unwrap();
    let resolver = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/net/two_addresses.sh"));
    let endpoint = Endpoint { resolver, ..Endpoint::tcp("two.example.com", server.port) };
    let mut connection = Connection::dial(&endpoint, TOKEN, poll.registry(), Instant::now());
    dial(&mut connection, &mut poll).unwrap();
    connection.close(poll.registry());
    server.join();

    // Where all refuse, the last one is named.
    let closed = closed_port();
    let port = closed.port;
    let endpoint = Endpoint { resolver, ..Endpoint::tcp("two.example.com", port) };
    let mut connection = Connection::dial(&endpoint, TOKEN, poll.registry(), Instant::now());
    let error = dial(&mut connection, &mut poll).unwrap_err();
    assert_eq!(error.to_string(), format!("connect 127.0.0.1:{port}: connection refused"));
}

#[test]
fn names_are_resolved_by_this_program() {
    let server = Server::run(|listener| drop(accept(&listener)));
    let mut poll = Poll::new().unwrap();
    let resolver = Path::new(env!("CARGO_BIN_EXE_chouette-iot"));
    let endpoint = Endpoint { resolver, ..Endpoint::tcp("localhost", server.port) };
    let mut connection = Connection::dial(&endpoint, TOKEN, poll.registry(), Instant::now());
    dial(&mut connection, &mut poll).unwrap();
    server.join();
}

#[test]
fn a_resolver_without_an_answer_runs_out_of_time() {
    let mut poll = Poll::new().unwrap();
    let resolver = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/net/silent.sh"));
    let endpoint = Endpoint { resolver, ..Endpoint::tcp("silent.example.com", 443) };
    let now = Instant::now();
    let mut connection = Connection::dial(&endpoint, TOKEN, poll.registry(), now);
    assert_eq!(connection.deadline(), Some(now + Duration::from_secs(10)));
    assert!(matches!(connection.drive(poll.registry(), now + Duration::from_secs(9)), Progress::Waiting));
    let Progress::Failed(error) = connection.drive(poll.registry(), now + Duration::from_secs(10)) else {
        panic!("still waiting");
    };
    assert_eq!(error.to_string(), "name silent.example.com: no answer within 10 s");

    let endpoint = Endpoint { resolver: Path::new("/nonexistent"), ..endpoint };
    let mut connection = Connection::dial(&endpoint, TOKEN, poll.registry(), now);
    assert_eq!(connection.deadline(), Some(now), "a failure is told at once");
    let error = dial(&mut connection, &mut poll).unwrap_err();
    assert!(error.to_string().starts_with("name silent.example.com: resolver process: "), "{error}");
}
