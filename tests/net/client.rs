//! Exchanges over plain TCP and unix sockets.

use std::io::{Read, Write};
use std::time::Instant;

use chouette_iot::protocol::http::Request;
use chouette_iot::runtime::connection::Endpoint;
use chouette_iot::runtime::http_client::{ExchangeLimits, Failure, HttpClient};
use mio::Poll;

use crate::support::*;

#[test]
fn get_and_post_share_a_connection() {
    let server = Server::run(|listener| {
        let mut stream = accept(&listener);
        let request = read_request(&mut stream);
        assert!(
            request.starts_with("GET /a HTTP/1.1\r\n") && request.contains("host: example.com\r\n"),
            "{request}"
        );
        answer(&mut stream, "first");
        let request = read_request(&mut stream);
        assert!(
            request.starts_with("POST /b HTTP/1.1\r\n") && request.ends_with("\r\n\r\nbody"),
            "{request}"
        );
        answer(&mut stream, "second");
        assert_eq!(read_request(&mut stream), "");
    });
    let (mut client, mut poll) = client(server.port);
    let response = exchange(&mut client, &mut poll, Request::get("example.com", "/a")).unwrap();
    assert_eq!((response.status, response.body.as_slice(), response.keep_alive), (200, &b"first"[..], true));
    assert!(client.is_idle() && client.is_connected() && client.deadline().is_none());
    let sent_bytes = client.bytes_sent();
    let response =
        exchange(&mut client, &mut poll, Request::post("example.com", "/b", b"body".to_vec())).unwrap();
    assert_eq!(response.body, b"second");
    assert!(sent_bytes > 60 && client.bytes_sent() > sent_bytes + 60 && client.bytes_received() > 80);
    drop(client);
    server.join();
}

#[test]
fn a_large_body_passes_in_parts() {
    let body: Vec<u8> = (0..3_000_000_u32).map(|i| b'a' + (i % 23) as u8).collect();
    let expected = body.clone();
    let server = Server::run(move |listener| {
        let mut stream = accept(&listener);
        let request = read_request(&mut stream);
        assert!(request.into_bytes().ends_with(&expected));
        answer(&mut stream, "got it");
    });
    let (mut client, mut poll) = client(server.port);
    let response = exchange(&mut client, &mut poll, Request::post("h", "/", body)).unwrap();
    assert_eq!(response.body, b"got it");
    server.join();
}

#[test]
fn an_answer_may_trickle() {
    let server = Server::run(|listener| {
        let mut stream = accept(&listener);
        stream.set_nodelay(true).unwrap();
        read_request(&mut stream);
        for byte in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" {
            stream.write_all(&[*byte]).unwrap();
        }
        read_request(&mut stream);
        answer(&mut stream, "again");
    });
    let (mut client, mut poll) = client(server.port);
    assert_eq!(get(&mut client, &mut poll), "abc");
    assert_eq!(get(&mut client, &mut poll), "again");
    server.join();
}

#[test]
fn a_refusal_before_the_whole_request_is_read_counts() {
    let server = Server::run(|listener| {
        let mut stream = accept(&listener);
        stream.read_exact(&mut [0; 100]).unwrap();
        stream.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n").unwrap();
        // Whoever reads on gets the answer; the client is to stop by itself.
        std::io::copy(&mut stream, &mut std::io::sink()).ok();
    });
    let (mut client, mut poll) = client(server.port);
    let request = Request::post("h", "/", vec![b'x'; 20_000_000]);
    let response = exchange(&mut client, &mut poll, request).unwrap();
    assert_eq!(response.status, 413);
    drop(client);
    server.join();
}

#[test]
fn refused_and_nonsense() {
    let closed = closed_port();
    let port = closed.port;
    let (mut client, mut poll) = client(port);
    let failure = exchange(&mut client, &mut poll, Request::get("h", "/")).unwrap_err();
    assert_eq!(failure.to_string(), format!("connect 127.0.0.1:{port}: connection refused"));
    assert!(matches!(failure, Failure::Connect(_)));

    let bad = Request::get("h", "/").with_header("DD-API-KEY", "hunter2\n");
    let failure = exchange(&mut client, &mut poll, bad).unwrap_err();
    assert!(matches!(failure, Failure::Request(_)) && !failure.to_string().contains("hunter2"), "{failure}");
}

#[test]
fn answers_that_are_none_or_too_large() {
    for (bytes, expected) in [
        (&b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n"[..], "answer is not HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n", "larger than 65536 bytes"),
    ] {
        let server = Server::run(move |listener| {
            let mut stream = accept(&listener);
            read_request(&mut stream);
            stream.write_all(bytes).unwrap();
            assert_eq!(read_request(&mut stream), "");
        });
        let (mut client, mut poll) = client(server.port);
        let failure = exchange(&mut client, &mut poll, Request::get("h", "/")).unwrap_err();
        assert!(failure.to_string().contains(expected), "{failure}");
        server.join();
    }
}

/// More than one turn's budget: the client asks for another turn by its deadline.
#[test]
fn a_large_answer_takes_several_turns() {
    let body = "x".repeat(5_000_000);
    let expected = body.clone();
    let server = Server::run(move |listener| {
        let mut stream = accept(&listener);
        read_request(&mut stream);
        answer(&mut stream, &body);
    });
    let (mut client, mut poll) = client(server.port);
    let limits = ExchangeLimits { body_bytes_max: 5_000_000, ..ExchangeLimits::default() };
    client.start(Request::get("h", "/"), limits, poll.registry(), Instant::now()).unwrap();
    assert!(outcome(&mut client, &mut poll).unwrap().body == expected.as_bytes());
    server.join();
}

#[test]
fn a_new_exchange_gives_up_the_old_one() {
    let server = Server::run(|listener| {
        // The first one may or may not have been sent before it was given up.
        drop(accept(&listener));
        let mut stream = accept(&listener);
        read_request(&mut stream);
        answer(&mut stream, "x");
    });
    let (mut client, mut poll) = client(server.port);
    client.start(Request::get("h", "/"), ExchangeLimits::default(), poll.registry(), Instant::now()).unwrap();
    assert_eq!(get(&mut client, &mut poll), "x");
    client.reset();
    assert!(client.is_idle() && !client.is_connected());
    server.join();
}

#[test]
fn unix_sockets() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.sock", std::process::id()));
    std::fs::remove_file(&path).ok();
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        assert!(read_request(&mut stream).contains("host: docker\r\n"));
        answer(&mut stream, "[]");
    });
    let mut poll = Poll::new().unwrap();
    let mut client = HttpClient::new(Endpoint::unix(&path), TOKEN);
    assert_eq!(
        exchange(&mut client, &mut poll, Request::get("docker", "/containers/json")).unwrap().body,
        b"[]"
    );
    server.join().unwrap();
    std::fs::remove_file(&path).unwrap();
    client.reset();
    let failure = exchange(&mut client, &mut poll, Request::get("docker", "/")).unwrap_err();
    assert!(failure.to_string().ends_with(".sock: no such file or directory"), "{failure}");
}
