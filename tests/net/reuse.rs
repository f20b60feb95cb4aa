//! One connection and many exchanges: keep-alive, ends noticed and not, second attempts, time.

use std::io::Write;
use std::time::{Duration, Instant};

use chouette_iot::protocol::http::Request;
use chouette_iot::runtime::http_client::{ExchangeLimits, Failure, HttpClient};
use mio::Poll;

use crate::support::*;

fn start(client: &mut HttpClient, poll: &Poll, now: Instant) {
    client.start(Request::get("h", "/"), ExchangeLimits::default(), poll.registry(), now).unwrap();
}

#[test]
fn an_idle_connection_that_ends_is_dropped_quietly() {
    let server = Server::run(|listener| {
        for body in ["one", "two"] {
            let mut stream = accept(&listener);
            read_request(&mut stream);
            answer(&mut stream, body);
        }
    });
    let (mut client, mut poll) = client(server.port);
    assert_eq!(get(&mut client, &mut poll), "one");
    idle_until(&mut client, &mut poll, |client| !client.is_connected());
    assert_eq!(get(&mut client, &mut poll), "two");
    server.join();
}

/// As above, but nobody told the client before it is used again.
#[test]
fn an_end_that_was_not_noticed_costs_nothing() {
    let (closed, is_closed) = std::sync::mpsc::channel();
    let server = Server::run(move |listener| {
        let mut stream = accept(&listener);
        read_request(&mut stream);
        answer(&mut stream, "one");
        drop(stream);
        closed.send(()).unwrap();
        let mut stream = accept(&listener);
        read_request(&mut stream);
        answer(&mut stream, "two");
    });
    let (mut client, mut poll) = client(server.port);
    assert_eq!(get(&mut client, &mut poll), "one");
    is_closed.recv().unwrap();
    assert_eq!(get(&mut client, &mut poll), "two");
    server.join();
}

#[test]
fn connection_close_is_obeyed() {
    let server = Server::run(|listener| {
        let mut stream = accept(&listener);
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx").unwrap();
        assert_eq!(read_request(&mut stream), "");
    });
    let (mut client, mut poll) = client(server.port);
    assert_eq!(get(&mut client, &mut poll), "x");
    assert!(!client.is_connected());
    server.join();
}

#[test]
fn a_reused_connection_that_breaks_is_tried_again_once() {
    let server = Server::run(|listener| {
        let mut stream = accept(&listener);
        read_request(&mut stream);
        answer(&mut stream, "one");
        // The request is taken, the connection broken.
        assert!(read_request(&mut stream).ends_with("\r\n\r\npayload"));
        drop(stream);
        let mut stream = accept(&listener);
        assert!(read_request(&mut stream).ends_with("\r\n\r\npayload"));
        answer(&mut stream, "two");
        // And once more, now for good.
        read_request(&mut stream);
        drop(stream);
        read_request(&mut accept(&listener));
    });
    let (mut client, mut poll) = client(server.port);
    assert_eq!(get(&mut client, &mut poll), "one");
    let post = || Request::post("h", "/", b"payload".to_vec());
    assert_eq!(exchange(&mut client, &mut poll, post()).unwrap().body, b"two");
    let failure = exchange(&mut client, &mut poll, post()).unwrap_err();
    assert!(matches!(failure, Failure::Closed(_)), "{failure:?}");
    assert!(client.is_idle() && !client.is_connected());
    server.join();
}

#[test]
fn no_second_attempt_after_part_of_an_answer() {
    let server = Server::run(|listener| {
        let mut stream = accept(&listener);
        read_request(&mut stream);
        answer(&mut stream, "one");
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 2").unwrap();
        drop(stream);
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    });
    let (mut client, mut poll) = client(server.port);
    assert_eq!(get(&mut client, &mut poll), "one");
    let failure = exchange(&mut client, &mut poll, Request::get("h", "/")).unwrap_err();
    assert_eq!(failure.to_string(), "connection closed after 10 bytes of the answer");
    server.join();
}

#[test]
fn a_fresh_connection_that_breaks_is_a_failure() {
    let server = Server::run(|listener| {
        read_request(&mut accept(&listener));
    });
    let (mut client, mut poll) = client(server.port);
    let failure = exchange(&mut client, &mut poll, Request::get("h", "/")).unwrap_err();
    assert!(matches!(failure, Failure::Closed(_)), "{failure:?}");
    server.join();
}

#[test]
fn a_silent_server_runs_out_of_time() {
    let server = Server::run(|listener| {
        let mut stream = accept(&listener);
        read_request(&mut stream);
        assert_eq!(read_request(&mut stream), "", "closed by the client");
    });
    let (mut client, mut poll) = client(server.port);
    let now = Instant::now();
    start(&mut client, &poll, now);
    while client.bytes_sent() == 0 {
        assert!(client.ready(poll.registry(), now).is_none());
        turn(&mut poll, Duration::from_millis(10));
    }
    assert!(client.ready(poll.registry(), now + Duration::from_secs(19)).is_none());
    assert_eq!(client.deadline(), Some(now + Duration::from_secs(20)));
    let failure = client.ready(poll.registry(), now + Duration::from_secs(30)).unwrap().unwrap_err();
    assert_eq!(failure.to_string(), "waiting for the answer took longer than 20 s");
    assert!(client.is_idle() && client.deadline().is_none());
    server.join();
}

#[test]
fn a_reused_connection_that_stays_silent_is_tried_again_sooner() {
    let server = Server::run(|listener| {
        let mut dead = accept(&listener);
        read_request(&mut dead);
        answer(&mut dead, "one");
        let mut fresh = accept(&listener);
        read_request(&mut fresh);
        answer(&mut fresh, "two");
    });
    let (mut client, mut poll) = client(server.port);
    assert_eq!(get(&mut client, &mut poll), "one");
    let now = Instant::now();
    start(&mut client, &poll, now);
    assert!(client.ready(poll.registry(), now).is_none());
    assert_eq!(client.deadline(), Some(now + Duration::from_secs(5)));
    // No event: only the time has come.
    let later = now + Duration::from_secs(5);
    let at_once = client.ready(poll.registry(), later);
    let outcome = at_once.unwrap_or_else(|| {
        assert!(client.deadline() > Some(later));
        outcome(&mut client, &mut poll)
    });
    assert_eq!(outcome.unwrap().body, b"two");
    server.join();
}
