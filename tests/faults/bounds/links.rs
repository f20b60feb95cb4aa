//! Waits, deadlines and sizes of connections and children, with servers that do nothing.

use crate::support::figures::figure;
use crate::support::free_port;
use crate::support::temp::TempDir;

use chouette_iot::agent::Event;
use chouette_iot::collect::{Question, Reply};
use chouette_iot::limits::{
    BODY_BYTES_MAX, CONNECT_S, CONNECT_WITH_ALTERNATIVE_S, PLUGIN_QUESTIONS_MAX, PROXY_S, REDIS_BACKOFF_S,
    REDIS_REPLY_S, RESOLVE_S, RESOLVER_ANSWER_BYTES_MAX, TLS_S,
};
use chouette_iot::protocol::http::Request;
use chouette_iot::protocol::redis::{self, cmd};
use chouette_iot::runtime::connection::{Connection, Endpoint, Progress, Stage};
use chouette_iot::runtime::http_client::{ExchangeLimits, HttpClient};
use chouette_iot::runtime::plugin_io::{PluginIo, Server};
use chouette_iot::runtime::proxy::Proxy;
use chouette_iot::runtime::queue_link::{LinkEvent, QueueLink as _};
use chouette_iot::runtime::redis_link::RedisLink;
use chouette_iot::runtime::resolver::Lookup;
use chouette_iot::runtime::tls::{Trust, client_config};
use mio::{Events, Poll, Token};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const TOKEN: Token = Token(100);
const TURN: Duration = Duration::from_millis(20);

/// A server that accepts and says nothing; the kernel does it.
fn silent() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn turn(poll: &mut Poll) {
    // Being interrupted is no failure.
    let _ = poll.poll(&mut Events::with_capacity(8), Some(TURN));
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Drives a connection until its deadline is `wait` from `now`, then over it; the error.
fn runs_out_after(endpoint: &Endpoint, wait: Duration) -> String {
    let mut poll = Poll::new().unwrap();
    let now = Instant::now();
    let mut connection = Connection::dial(endpoint, TOKEN, poll.registry(), now);
    for _ in 0..500 {
        if connection.deadline() == Some(now + wait) && connection.stage() != Stage::Connecting {
            break;
        }
        assert!(matches!(connection.drive(poll.registry(), now), Progress::Waiting), "{connection:?}");
        turn(&mut poll);
    }
    assert_eq!(connection.deadline(), Some(now + wait), "{connection:?}");
    let early = connection.drive(poll.registry(), now + wait - Duration::from_millis(1));
    assert!(matches!(early, Progress::Waiting), "{early:?}");
    match connection.drive(poll.registry(), now + wait) {
        Progress::Failed(error) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_silent_proxy_and_a_silent_tls_server_run_out_of_time() {
    let (_proxy, port) = silent();
    let proxy = Proxy { host: "127.0.0.1".to_owned(), port, credentials: None };
    let endpoint = Endpoint { proxy: Some(proxy), ..Endpoint::tcp("intake.test", 443) };
    let error = runs_out_after(&endpoint, seconds(PROXY_S));
    assert!(error.contains(&format!("{PROXY_S} s")), "{error}");

    let (_server, port) = silent();
    let tls = client_config(Trust::Anyone, None).unwrap();
    let endpoint = Endpoint { tls: Some(tls), ..Endpoint::tcp("127.0.0.1", port) };
    let error = runs_out_after(&endpoint, seconds(TLS_S));
    assert!(error.contains(&format!("{TLS_S} s")), "{error}");
}

/// A script in place of the resolver.
fn resolver(dir: &TempDir, script: &str) -> PathBuf {
    let path = dir.write("resolver", &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Nothing answers at an address whose server has more connections waiting than it takes.
#[test]
fn an_address_that_does_not_answer_runs_out_of_time() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    let address = std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let held: Vec<_> = (0..4)
        .map_while(|_| std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok())
        .collect();
    assert!(held.len() < 4, "the queue of connections is never full");

    let mut poll = Poll::new().unwrap();
    let now = Instant::now();
    let connection = Connection::dial(&Endpoint::tcp("127.0.0.1", port), TOKEN, poll.registry(), now);
    assert_eq!(connection.deadline(), Some(now + seconds(CONNECT_S)), "the last address left");

    let dir = TempDir::new();
    let script = resolver(&dir, &format!("echo 127.0.0.1:{port}; echo 127.0.0.1:{port}"));
    let endpoint =
        Endpoint { resolver: Box::leak(script.into_boxed_path()), ..Endpoint::tcp("two.test", port) };
    let mut connection = Connection::dial(&endpoint, TOKEN, poll.registry(), now);
    let first = now + seconds(CONNECT_WITH_ALTERNATIVE_S);
    for _ in 0..500 {
        if connection.deadline() == Some(first) {
            break;
        }
        assert!(matches!(connection.drive(poll.registry(), now), Progress::Waiting));
        turn(&mut poll);
    }
    assert_eq!(connection.deadline(), Some(first), "while there is another");
    assert!(matches!(connection.drive(poll.registry(), first), Progress::Waiting));
    let last = first + seconds(CONNECT_S);
    assert_eq!(connection.deadline(), Some(last));
    let Progress::Failed(error) = connection.drive(poll.registry(), last) else { panic!("{connection:?}") };
    assert!(error.to_string().contains(&format!("{CONNECT_S} s")), "{error}");
}

#[test]
fn a_look_up_is_bounded_in_time_and_size() {
    let dir = TempDir::new();
    let mut poll = Poll::new().unwrap();
    let now = Instant::now();
    let silent = resolver(&dir, "exec sleep 600");
    let mut lookup = Lookup::start("h", 1, &silent, TOKEN, poll.registry(), now).unwrap();
    assert!(lookup.drive(now + seconds(RESOLVE_S) - Duration::from_millis(1)).is_none());
    let error = lookup.drive(now + seconds(RESOLVE_S)).unwrap().unwrap_err();
    assert_eq!(error.to_string(), format!("name h: no answer within {RESOLVE_S} s"));
    lookup.close(poll.registry());

    for (bytes, words) in
        [(RESOLVER_ANSWER_BYTES_MAX - 1, "unreadable"), (RESOLVER_ANSWER_BYTES_MAX, "too long")]
    {
        let script = resolver(&dir, &format!("printf '%{bytes}d' 0"));
        let mut lookup = Lookup::start("h", 1, &script, TOKEN, poll.registry(), now).unwrap();
        let error = loop {
            if let Some(answer) = lookup.drive(now) {
                break answer.unwrap_err().to_string();
            }
            turn(&mut poll);
        };
        assert!(error.contains(words), "{bytes} bytes: {error}");
        lookup.close(poll.registry());
    }
}

#[test]
fn redis_is_dialled_with_growing_waits_and_may_not_be_silent() {
    let mut poll = Poll::new().unwrap();
    let mut log_in = redis::Request::new();
    log_in.push(&cmd("PING"));
    let mut now = Instant::now();
    let nobody = Endpoint::tcp("127.0.0.1", free_port());
    let mut link = RedisLink::new(nobody, log_in.clone(), TOKEN, now, 7);
    let mut waits = Vec::new();
    while waits.len() < 12 {
        let mut events = Vec::new();
        link.drive(poll.registry(), now, &mut events);
        if let [LinkEvent::Down(_)] = &events[..] {
            let until = link.deadline().unwrap();
            waits.push((until - now).as_secs_f64());
            now = until;
        } else {
            turn(&mut poll);
        }
    }
    let (first_s, longest_s) = REDIS_BACKOFF_S;
    assert!((first_s / 2.0..=first_s).contains(&waits[0]), "{waits:?}");
    assert!(waits[7..].iter().all(|wait| (longest_s / 2.0..=longest_s).contains(wait)), "{waits:?}");
    figure(
        "bounds",
        "longest wait between two attempts at Redis",
        &format!("{:.1} s (bound {longest_s} s)", waits.iter().copied().fold(0.0, f64::max)),
    );

    let (_listener, port) = silent();
    let mut link = RedisLink::new(Endpoint::tcp("127.0.0.1", port), log_in, TOKEN, now, 7);
    let mut events = Vec::new();
    let due = now + seconds(REDIS_REPLY_S);
    for _ in 0..500 {
        link.drive(poll.registry(), now, &mut events);
        if link.deadline() == Some(due) {
            break;
        }
        turn(&mut poll);
    }
    link.drive(poll.registry(), due - Duration::from_millis(1), &mut events);
    assert!(events.is_empty(), "{events:?}");
    link.drive(poll.registry(), due, &mut events);
    assert!(
        matches!(&events[..], [LinkEvent::Down(why)] if why.contains(&format!("{REDIS_REPLY_S} s"))),
        "{events:?}"
    );
}

#[test]
fn questions_to_a_server_that_hangs_wait_in_bounded_number() {
    let poll = Poll::new().unwrap();
    let (_listener, port) = silent();
    let server = Server { endpoint: Endpoint::tcp("127.0.0.1", port), parallel: 1 };
    let mut plugins = PluginIo::new(vec![Some(server)], TOKEN);
    let (now, mut events) = (Instant::now(), Vec::new());
    let question = || Question::Http { request: Request::get("h", "/"), body_bytes_max: 10 };
    plugins.ask(0, 0, question(), now, &mut events);
    // The first one is under way then, and waits no more.
    plugins.drive(poll.registry(), now, &mut events);
    for ticket in 1..=PLUGIN_QUESTIONS_MAX as u32 {
        plugins.ask(0, ticket, question(), now, &mut events);
    }
    assert!(events.is_empty());
    plugins.ask(0, 9_999, question(), now, &mut events);
    let refused = matches!(&events[..], [Event::Replied { collector: 0, ticket: 9_999, reply: Reply::Http(Err(why)) }]
        if why == "too many questions");
    assert!(refused, "{} events", events.len());
}

#[test]
fn a_body_is_read_up_to_its_bound() {
    for (bytes, fits) in [(BODY_BYTES_MAX, true), (BODY_BYTES_MAX + 1, false)] {
        let (listener, port) = silent();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                request.push(byte[0]);
            }
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n");
            // The client hangs up as soon as it knows.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&vec![b'x'; bytes]));
        });
        let mut poll = Poll::new().unwrap();
        let mut client = HttpClient::new(Endpoint::tcp("127.0.0.1", port), TOKEN);
        let limits = ExchangeLimits::default();
        client.start(Request::get("h", "/"), limits, poll.registry(), Instant::now()).unwrap();
        let outcome = loop {
            if let Some(outcome) = client.ready(poll.registry(), Instant::now()) {
                break outcome;
            }
            turn(&mut poll);
        };
        assert_eq!(
            outcome.as_ref().is_ok_and(|response| response.body.len() == bytes),
            fits,
            "{bytes} bytes"
        );
        drop(client);
        server.join().unwrap();
    }
}
