//! Scripted servers in threads, and a small loop that drives a client.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chouette_iot::protocol::http::{Request, Response};
use chouette_iot::runtime::connection::{Connection, ConnectionError, Endpoint, Progress, Received};
use chouette_iot::runtime::http_client::{ExchangeLimits, Failure, HttpClient};
use mio::{Events, Poll, Token};
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub const TOKEN: Token = Token(10);
/// Longest wait for one event, and most turns for one outcome: a failure is then a bug, not a slow machine.
pub const WAIT: Duration = Duration::from_secs(20);
const TURNS_MAX: usize = 10_000;

/// A server that runs `script` with its listener; `join` brings its panics here.
pub struct Server {
    pub port: u16,
    thread: JoinHandle<()>,
}

impl Server {
    pub fn run(script: impl FnOnce(TcpListener) + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        Server { port, thread: std::thread::spawn(move || script(listener)) }
    }

    pub fn join(self) {
        if let Err(panic) = self.thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

/// A client of a plain server.
pub fn client(port: u16) -> (HttpClient, Poll) {
    (HttpClient::new(Endpoint::tcp("127.0.0.1", port), TOKEN), Poll::new().unwrap())
}

/// A port that nobody listens on, nor will while this is held: a connection starts there.
pub struct ClosedPort {
    pub port: u16,
    _held: (TcpListener, TcpStream),
}

pub fn closed_port() -> ClosedPort {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let port = stream.local_addr().unwrap().port();
    ClosedPort { port, _held: (listener, stream) }
}

pub fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = loop {
        match listener.accept() {
            // The end of a child of another test.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            accepted => break accepted.unwrap(),
        }
    };
    stream.set_read_timeout(Some(WAIT)).unwrap();
    stream
}

/// Bytes read; the end of a child of another test interrupts nothing.
fn read_uninterrupted(stream: &mut impl Read, buffer: &mut [u8]) -> usize {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            read => return read.unwrap(),
        }
    }
}

/// Reads one request, head and body; empty where the client has closed.
pub fn read_request(stream: &mut impl Read) -> String {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        if read_uninterrupted(stream, &mut byte) == 0 {
            assert_eq!(request, b"", "request cut short");
            return String::new();
        }
        request.push(byte[0]);
    }
    let head = String::from_utf8(request).unwrap();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    head + &String::from_utf8_lossy(&body)
}

pub fn answer(stream: &mut impl Write, body: &str) {
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).unwrap();
    stream.flush().unwrap();
}

/// Waits for readiness, once. Being interrupted is no failure.
pub fn turn(poll: &mut Poll, wait: Duration) {
    match poll.poll(&mut Events::with_capacity(8), Some(wait)) {
        Err(error) if error.kind() != std::io::ErrorKind::Interrupted => panic!("{error}"),
        _ => {}
    }
}

/// Turns the loop until the exchange has an outcome.
pub fn outcome(client: &mut HttpClient, poll: &mut Poll) -> Result<Response, Failure> {
    for _ in 0..TURNS_MAX {
        if let Some(outcome) = client.ready(poll.registry(), Instant::now()) {
            return outcome;
        }
        let deadline = client.deadline().expect("an exchange has a deadline");
        let wait = deadline.saturating_duration_since(Instant::now()).min(WAIT);
        turn(poll, wait);
    }
    panic!("no outcome: {client:?}");
}

pub fn exchange(client: &mut HttpClient, poll: &mut Poll, request: Request) -> Result<Response, Failure> {
    client.start(request, ExchangeLimits::default(), poll.registry(), Instant::now())?;
    outcome(client, poll)
}

/// The body of a `GET` that must succeed.
pub fn get(client: &mut HttpClient, poll: &mut Poll) -> String {
    let response = exchange(client, poll, Request::get("h", "/")).unwrap();
    assert_eq!(response.status, 200);
    String::from_utf8(response.body).unwrap()
}

/// Lets an idle client notice what happens until `done`.
pub fn idle_until(client: &mut HttpClient, poll: &mut Poll, done: impl Fn(&HttpClient) -> bool) {
    for _ in 0..TURNS_MAX {
        if done(client) {
            return;
        }
        turn(poll, WAIT);
        assert!(client.ready(poll.registry(), Instant::now()).is_none());
    }
    panic!("nothing happened");
}

/// Turns the loop until the connection is open or has failed.
pub fn dial(connection: &mut Connection, poll: &mut Poll) -> Result<(), ConnectionError> {
    for _ in 0..TURNS_MAX {
        match connection.drive(poll.registry(), Instant::now()) {
            Progress::Open => return Ok(()),
            Progress::Failed(error) => return Err(error),
            Progress::Waiting => turn(poll, WAIT),
        }
    }
    panic!("neither open nor failed: {connection:?}");
}

/// Receives in small budgets until the end.
pub fn receive_all(connection: &mut Connection, poll: &mut Poll, budget_bytes: usize) -> Vec<u8> {
    let mut received = Vec::new();
    for _ in 0..1000 {
        match connection.receive(&mut received, budget_bytes).unwrap() {
            Received::Drained => turn(poll, WAIT),
            Received::More => {}
            Received::Closed => return received,
        }
    }
    panic!("no end");
}

/// A private CA; its certificate is in a file.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: PathBuf,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = temporary(name, "ca.pem", &params.self_signed(&key).unwrap().pem());
        Authority { issuer: Issuer::new(params, key), pem }
    }

    /// Settings of a server with this name or address; `client_ca` demands a certificate of the client.
    pub fn server(&self, name: &str, client_ca: bool) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if client_ca {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(rustls::pki_types::pem::PemObject::from_pem_file(&self.pem).unwrap()).unwrap();
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let verifier =
                rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key).unwrap())
    }

    /// Files of a client's certificate and key.
    pub fn client(&self, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        (
            temporary(name, "client.pem", &certificate.pem()),
            temporary(name, "client.key", &key.serialize_pem()),
        )
    }
}

pub fn serve_tls(stream: TcpStream, config: &Arc<ServerConfig>) -> StreamOwned<ServerConnection, TcpStream> {
    StreamOwned::new(ServerConnection::new(Arc::clone(config)).unwrap(), stream)
}

/// A file that only this test has; `name` tells the tests apart.
fn temporary(name: &str, kind: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{kind}"));
    std::fs::write(&path, text).unwrap();
    path
}
