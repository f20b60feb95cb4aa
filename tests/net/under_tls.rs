//! Exchanges under TLS: whom the client trusts, resumption, and what travels together.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chouette_iot::protocol::http::Request;
use chouette_iot::runtime::connection::{Connection, ConnectionError, Endpoint, Progress};
use chouette_iot::runtime::http_client::{Failure, HttpClient};
use chouette_iot::runtime::tls::{Identity, Trust, client_config};
use mio::Poll;
use rustls::{ClientConfig, ServerConfig};

use crate::support::*;

fn endpoint(port: u16, tls: &Arc<ClientConfig>) -> Endpoint {
    Endpoint { tls: Some(Arc::clone(tls)), ..Endpoint::tcp("127.0.0.1", port) }
}

fn trusting(ca: &Path) -> Arc<ClientConfig> {
    client_config(Trust::Public(Some(ca)), None).unwrap()
}

/// Answers `count` exchanges on one connection.
fn serve(config: Arc<ServerConfig>, connections: usize, count: usize) -> Server {
    Server::run(move |listener| {
        for _ in 0..connections {
            let mut stream = serve_tls(accept(&listener), &config);
            for _ in 0..count {
                read_request(&mut stream);
                answer(&mut stream, "ok");
            }
            stream.conn.send_close_notify();
            stream.flush().unwrap();
        }
    })
}

#[test]
fn a_private_authority_and_keep_alive() {
    let authority = Authority::new("private");
    let server = serve(authority.server("127.0.0.1", false), 1, 3);
    let mut poll = Poll::new().unwrap();
    let mut client = HttpClient::new(endpoint(server.port, &trusting(&authority.pem)), TOKEN);
    for _ in 0..3 {
        assert_eq!(get(&mut client, &mut poll), "ok");
    }
    // The end that TLS announces is noticed like any other.
    idle_until(&mut client, &mut poll, |client| !client.is_connected());
    server.join();
}

#[test]
fn the_second_connection_resumes_the_session() {
    let authority = Authority::new("resumed");
    let config = authority.server("127.0.0.1", false);
    let server = Server::run(move |listener| {
        for _ in 0..2 {
            let mut stream = serve_tls(accept(&listener), &config);
            read_request(&mut stream);
            answer(&mut stream, "ok");
            // The client ends it.
            stream.sock.read_exact(&mut [0]).ok();
        }
    });
    let mut poll = Poll::new().unwrap();
    let mut client = HttpClient::new(endpoint(server.port, &trusting(&authority.pem)), TOKEN);
    assert_eq!(get(&mut client, &mut poll), "ok");
    assert_eq!(client.is_resumed(), Some(false));
    let (sent_bytes, received_bytes) = (client.bytes_sent(), client.bytes_received());
    client.reset();
    assert_eq!(get(&mut client, &mut poll), "ok");
    assert_eq!(client.is_resumed(), Some(true));
    assert!(client.bytes_received() - received_bytes < received_bytes, "resumption saves bytes");
    assert!(client.bytes_sent() - sent_bytes < 2 * sent_bytes);
    drop(client);
    server.join();
}

#[test]
fn a_large_body_passes_and_a_small_one_is_one_record() {
    let authority = Authority::new("large");
    let config = authority.server("127.0.0.1", false);
    let server = Server::run(move |listener| {
        let mut stream = serve_tls(accept(&listener), &config);
        assert!(read_request(&mut stream).len() > 3_000_000);
        answer(&mut stream, "ok");
        let mut record = [0; 4096];
        let length = stream.read(&mut record).unwrap();
        let request = String::from_utf8_lossy(&record[..length]).into_owned();
        assert!(request.starts_with("POST") && request.ends_with("small"), "one record: {request}");
        answer(&mut stream, "ok");
    });
    let mut poll = Poll::new().unwrap();
    let mut client = HttpClient::new(endpoint(server.port, &trusting(&authority.pem)), TOKEN);
    for body in [vec![b'x'; 3_000_000], b"small".to_vec()] {
        assert_eq!(exchange(&mut client, &mut poll, Request::post("h", "/", body)).unwrap().body, b"ok");
    }
    server.join();
}

/// What the handshake leaves to be sent waits for the request, and both go out in one call.
#[test]
fn the_request_travels_with_the_end_of_the_handshake() {
    let authority = Authority::new("together");
    let server = serve(authority.server("127.0.0.1", false), 1, 1);
    let endpoint = endpoint(server.port, &trusting(&authority.pem));
    let mut poll = Poll::new().unwrap();
    let now = Instant::now();
    let mut connection = Connection::dial(&endpoint, TOKEN, poll.registry(), now);
    while connection.wire_bytes().0 == 0 {
        assert!(matches!(connection.drive(poll.registry(), now), Progress::Waiting));
        turn(&mut poll, Duration::from_millis(10));
    }
    let hello_bytes = connection.wire_bytes().0;
    dial(&mut connection, &mut poll).unwrap();
    assert_eq!(connection.wire_bytes().0, hello_bytes);
    let request = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n";
    assert_eq!(connection.write(request).unwrap(), request.len());
    // A change of cipher, the end of the handshake and one record.
    let sent_bytes = connection.wire_bytes().0 - hello_bytes;
    assert!((80..6 + 80 + 22 + 30).contains(&sent_bytes), "{sent_bytes}");
    assert_eq!(connection.flush().unwrap(), 0);
    assert!(receive_all(&mut connection, &mut poll, 100).ends_with(b"ok"));
    drop(connection);
    server.join();
}

fn refused(server_name: &str, tls: &Arc<ClientConfig>, authority: &Authority) -> Failure {
    let config = authority.server(server_name, false);
    let server = Server::run(move |listener| {
        let mut stream = serve_tls(accept(&listener), &config);
        stream.read(&mut [0]).unwrap_err();
    });
    let mut poll = Poll::new().unwrap();
    let mut client = HttpClient::new(endpoint(server.port, tls), TOKEN);
    let failure = exchange(&mut client, &mut poll, Request::get("h", "/")).unwrap_err();
    server.join();
    failure
}

#[test]
fn a_wrong_name_is_refused() {
    let authority = Authority::new("wrong-name");
    let failure = refused("example.com", &trusting(&authority.pem), &authority);
    assert!(matches!(failure, Failure::Tls(_)), "{failure:?}");
    assert!(failure.to_string().contains("not valid for name \"127.0.0.1\""), "{failure}");
}

#[test]
fn an_unknown_authority_is_refused() {
    let authority = Authority::new("unknown");
    let other = Authority::new("other");
    for tls in [
        client_config(Trust::Public(None), None).unwrap(),
        client_config(Trust::Only(&other.pem), None).unwrap(),
    ] {
        let failure = refused("127.0.0.1", &tls, &authority);
        assert!(matches!(failure, Failure::Tls(_)), "{failure:?}");
        assert!(failure.to_string().starts_with("tls: invalid peer certificate"), "{failure}");
    }
}

#[test]
fn anyone_is_accepted_on_demand_and_client_certificates_are_shown() {
    let authority = Authority::new("kubelet");
    let server = serve(authority.server("example.com", true), 1, 1);
    let (certificate, key) = authority.client("kubelet-client");
    let identity = Identity { certificate: &certificate, key: &key };
    let tls = client_config(Trust::Anyone, Some(identity)).unwrap();
    let mut poll = Poll::new().unwrap();
    let mut client = HttpClient::new(endpoint(server.port, &tls), TOKEN);
    assert_eq!(get(&mut client, &mut poll), "ok");
    server.join();

    let wrong = Identity { certificate: &key, key: &key };
    let text = client_config(Trust::Anyone, Some(wrong)).unwrap_err().to_string();
    assert!(text.ends_with("client.key: no certificate in PEM form"), "{text}");
}

#[test]
fn tls_1_2_is_spoken_where_the_server_knows_no_better() {
    let authority = Authority::new("old");
    let mut config = Arc::unwrap_or_clone(authority.server("127.0.0.1", false));
    // A hello that offers TLS 1.2 only.
    config = {
        let key = config.cert_resolver;
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS12])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(key)
    };
    let server = serve(Arc::new(config), 1, 2);
    let mut poll = Poll::new().unwrap();
    let mut client = HttpClient::new(endpoint(server.port, &trusting(&authority.pem)), TOKEN);
    assert_eq!(get(&mut client, &mut poll), "ok");
    assert_eq!(get(&mut client, &mut poll), "ok");
    server.join();
}

#[test]
fn a_server_that_is_not_tls_or_silent() {
    let authority = Authority::new("silent");
    let tls = trusting(&authority.pem);
    let server = Server::run(|listener| {
        let mut stream = accept(&listener);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        std::io::copy(&mut stream, &mut std::io::sink()).ok();
    });
    let mut poll = Poll::new().unwrap();
    let mut client = HttpClient::new(endpoint(server.port, &tls), TOKEN);
    let failure = exchange(&mut client, &mut poll, Request::get("h", "/")).unwrap_err();
    assert!(matches!(failure, Failure::Tls(_)), "{failure:?}");
    server.join();

    let server = Server::run(|listener| {
        std::io::copy(&mut accept(&listener), &mut std::io::sink()).unwrap();
    });
    let now = Instant::now();
    let mut connection = Connection::dial(&endpoint(server.port, &tls), TOKEN, poll.registry(), now);
    while connection.wire_bytes().0 == 0 {
        assert!(matches!(connection.drive(poll.registry(), now), Progress::Waiting));
        turn(&mut poll, Duration::from_millis(10));
    }
    let Progress::Failed(error) = connection.drive(poll.registry(), now + Duration::from_secs(10)) else {
        panic!("still waiting");
    };
    assert_eq!(error.to_string(), "no answer to the TLS handshake within 10 s");
    assert!(matches!(Failure::from(error), Failure::Tls(ConnectionError::TimedOut { .. })));
    drop(connection);
    server.join();
}
