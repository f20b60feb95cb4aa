//! Through a proxy.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use chouette_iot::protocol::http::Request;
use chouette_iot::runtime::connection::{Connection, Endpoint, Progress};
use chouette_iot::runtime::http_client::{Failure, HttpClient};
use chouette_iot::runtime::proxy::Proxy;
use chouette_iot::runtime::tls::{Trust, client_config};
use mio::Poll;

use crate::support::*;

fn through(proxy_port: u16, host: &str, port: u16) -> Endpoint {
    let proxy = Proxy {
        host: "127.0.0.1".to_owned(),
        port: proxy_port,
        credentials: Some("user:hunter2".to_owned()),
    };
    Endpoint { proxy: Some(proxy), ..Endpoint::tcp(host, port) }
}

/// The name means something only to the proxy, which leads to the server behind it; TLS is between the ends.
#[test]
fn tls_through_a_tunnel() {
    let authority = Authority::new("tunnel");
    let config = authority.server("intake.example.com", false);
    let intake = Server::run(move |listener| {
        let mut stream = serve_tls(accept(&listener), &config);
        assert!(read_request(&mut stream).starts_with("GET "));
        answer(&mut stream, "ok");
    });
    let intake_port = intake.port;
    let proxy = Server::run(move |listener| {
        let mut near = accept(&listener);
        let head = "CONNECT intake.example.com:443 HTTP/1.1\r\nHost: intake.example.com:443\r\n\
                    Proxy-Authorization: Basic dXNlcjpodW50ZXIy\r\n\r\n";
        assert_eq!(read_request(&mut near), head);
        let mut far = TcpStream::connect(("127.0.0.1", intake_port)).unwrap();
        for byte in b"HTTP/1.0 200 Connection established\r\nVia: test\r\n\r\n" {
            near.write_all(&[*byte]).unwrap();
        }
        let (mut near_again, mut far_again) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        let forth = std::thread::spawn(move || std::io::copy(&mut near_again, &mut far_again).ok());
        std::io::copy(&mut far, &mut near).ok();
        near.shutdown(std::net::Shutdown::Both).ok();
        forth.join().unwrap();
    });
    let tls = client_config(Trust::Only(&authority.pem), None).unwrap();
    let endpoint = Endpoint { tls: Some(tls), ..through(proxy.port, "intake.example.com", 443) };
    let mut poll = Poll::new().unwrap();
    let mut client = HttpClient::new(endpoint, TOKEN);
    assert_eq!(get(&mut client, &mut poll), "ok");
    drop(client);
    intake.join();
    proxy.join();
}

#[test]
fn a_proxy_that_refuses() {
    for (answer, expected) in [
        (
            &b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"[..],
            "credentials refused or missing (status 407)",
        ),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno.", "status 403"),
        (b"HTTP/1.1 200 OK\r\n\r\nsurprise", "the proxy says more than it was asked"),
        (b"", "connection closed before an answer"),
    ] {
        let proxy = Server::run(move |listener| {
            let mut stream = accept(&listener);
            read_request(&mut stream);
            stream.write_all(answer).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            stream.read_exact(&mut [0]).ok();
        });
        let mut poll = Poll::new().unwrap();
        let mut client = HttpClient::new(through(proxy.port, "intake.example.com", 443), TOKEN);
        let failure = exchange(&mut client, &mut poll, Request::get("h", "/")).unwrap_err();
        assert!(matches!(failure, Failure::Proxy(_)), "{failure:?}");
        assert_eq!(failure.to_string(), format!("proxy 127.0.0.1:{}: {expected}", proxy.port));
        assert!(!format!("{failure:?} {client:?}").contains("hunter2"));
        proxy.join();
    }
}

#[test]
fn a_proxy_that_says_too_much_or_nothing() {
    let proxy = Server::run(|listener| {
        let mut stream = accept(&listener);
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n").unwrap();
        while stream.write_all(b"X: y\r\n").is_ok() {}
    });
    let mut poll = Poll::new().unwrap();
    let mut connection = Connection::dial(
        &through(proxy.port, "intake.example.com", 443),
        TOKEN,
        poll.registry(),
        Instant::now(),
    );
    let error = dial(&mut connection, &mut poll).unwrap_err();
    assert!(error.to_string().ends_with("answer is too long"), "{error}");
    drop(connection);
    proxy.join();

    let proxy = Server::run(|listener| {
        std::io::copy(&mut accept(&listener), &mut std::io::sink()).unwrap();
    });
    let now = Instant::now();
    let endpoint = through(proxy.port, "intake.example.com", 443);
    let mut connection = Connection::dial(&endpoint, TOKEN, poll.registry(), now);
    while connection.wire_bytes().0 == 0 {
        assert!(matches!(connection.drive(poll.registry(), now), Progress::Waiting));
        turn(&mut poll, Duration::from_millis(10));
    }
    let Progress::Failed(error) = connection.drive(poll.registry(), now + Duration::from_secs(30)) else {
        panic!("still waiting");
    };
    assert_eq!(error.to_string(), format!("proxy 127.0.0.1:{}: no answer within 10 s", proxy.port));
    drop(connection);
    proxy.join();
}
