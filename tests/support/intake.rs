//! A scripted intake: an HTTP server, plain or TLS, that records what it gets and misbehaves as told.

mod request;

use super::behaviour::{Behaviour, Flow, status};
use super::http::{self, RawRequest};
use super::json;
use super::tls::Pki;
use super::{SOON, wait_until};
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};
use socket2::{Domain, Socket, Type};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

pub use request::Request;

/// How often a waiting connection looks whether the intake is still there.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A body that inflates to more than this is not decoded.
const BODY_BYTES_MAX: usize = 128 << 20;

/// What a connection meets with before any request.
#[derive(Clone)]
pub enum Front {
    Plain,
    Tls(Arc<ServerConfig>),
    /// Says this, whatever comes first, and closes.
    Says(&'static [u8]),
}

type Script = Box<dyn FnMut(&Request) -> Behaviour + Send>;

struct Shared {
    requests: Mutex<Vec<Arc<Request>>>,
    arrived: Condvar,
    script: Mutex<Script>,
    front: Mutex<Front>,
    /// When each connection came.
    connections: Mutex<Vec<Instant>>,
    /// Counts how often the intake has gone; what was there before ends.
    absences: AtomicUsize,
}

/// The server; it ends on drop.
pub struct Intake {
    shared: Arc<Shared>,
    address: SocketAddrV4,
    tls: bool,
    /// Keeps the port while nobody listens on it.
    placeholder: Option<Socket>,
}

impl Intake {
    /// A plain server with this script.
    pub fn start(script: impl FnMut(&Request) -> Behaviour + Send + 'static) -> Intake {
        Intake::listen(Ipv4Addr::LOCALHOST, Front::Plain, Box::new(script))
    }

    /// One that accepts everything.
    pub fn accepting() -> Intake {
        Intake::start(|_| status(202))
    }

    pub fn start_tls(pki: &Pki, script: impl FnMut(&Request) -> Behaviour + Send + 'static) -> Intake {
        Intake::start_tls_at(Ipv4Addr::LOCALHOST, pki.server_config(), script)
    }

    /// One at an address of a network namespace of the test's own.
    pub fn start_tls_at(
        ip: Ipv4Addr,
        config: Arc<ServerConfig>,
        script: impl FnMut(&Request) -> Behaviour + Send + 'static,
    ) -> Intake {
        Intake::listen(ip, Front::Tls(config), Box::new(script))
    }

    fn listen(ip: Ipv4Addr, front: Front, script: Script) -> Intake {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let address = SocketAddrV4::new(ip, listener.local_addr().unwrap().port());
        let tls = matches!(front, Front::Tls(_));
        let shared = Arc::new(Shared {
            requests: Mutex::default(),
            arrived: Condvar::new(),
            script: Mutex::new(script),
            front: Mutex::new(front),
            connections: Mutex::default(),
            absences: AtomicUsize::new(0),
        });
        accept(listener, Arc::clone(&shared));
        Intake { shared, address, tls, placeholder: None }
    }

    /// Goes away: connections break, and new ones are refused.
    pub fn leave(&mut self) {
        self.end_all();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        let address = SocketAddr::V4(self.address);
        // The listener is closed by its own thread.
        assert!(wait_until(SOON, || socket.bind(&address.into()).is_ok()), "port {}", self.port());
        self.placeholder = Some(socket);
    }

    /// Comes back to the same port.
    pub fn come_back(&mut self) {
        let socket = self.placeholder.take().expect("the intake has left");
        socket.listen(128).unwrap();
        accept(socket.into(), Arc::clone(&self.shared));
    }

    fn end_all(&self) {
        self.shared.absences.fetch_add(1, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What `DATADOG_URL` is set to.
    pub fn url(&self) -> String {
        self.url_of(&self.address.ip().to_string())
    }

    /// What `DATADOG_LOGS_URL` is set to.
    pub fn logs_url(&self) -> String {
        self.url().trim_end_matches("/api").to_owned()
    }

    pub fn url_of(&self, host: &str) -> String {
        format!("{}://{host}:{}/api", if self.tls { "https" } else { "http" }, self.port())
    }

    /// Behaves like this from now on.
    pub fn behave(&self, script: impl FnMut(&Request) -> Behaviour + Send + 'static) {
        *self.shared.script.lock().unwrap() = Box::new(script);
    }

    pub fn requests(&self) -> Vec<Arc<Request>> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Later connections meet with this.
    pub fn meet_with(&self, front: Front) {
        *self.shared.front.lock().unwrap() = front;
    }

    pub fn connection_count(&self) -> usize {
        self.shared.connections.lock().unwrap().len()
    }

    /// When each connection came.
    pub fn connected_at(&self) -> Vec<Instant> {
        self.shared.connections.lock().unwrap().clone()
    }

    /// Waits until what has arrived fits; false when it did not within `limit`.
    pub fn wait_for(&self, limit: Duration, mut fits: impl FnMut(&[Arc<Request>]) -> bool) -> bool {
        let deadline = Instant::now() + limit;
        let mut requests = self.shared.requests.lock().unwrap();
        while !fits(&requests) {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return false;
            };
            requests = self.shared.arrived.wait_timeout(requests, left).unwrap().0;
        }
        true
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.end_all();
    }
}

/// Serves what comes, each connection in a thread of its own, until the intake goes away.
fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let term = shared.absences.load(Ordering::SeqCst);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            if shared.absences.load(Ordering::SeqCst) != term {
                return;
            }
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                // How a connection ends is up to the client and the script; what arrived whole is recorded.
                let _ = serve(stream, term, &shared);
            });
        }
    });
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

/// A connection whose reads end when the intake does.
struct Link<'a> {
    stream: Stream,
    absences: &'a AtomicUsize,
    term: usize,
}

impl Read for Link<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let result = match &mut self.stream {
                Stream::Plain(stream) => stream.read(buffer),
                Stream::Tls(stream) => stream.read(buffer),
            };
            match result {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    if self.absences.load(Ordering::SeqCst) != self.term {
                        return Err(error);
                    }
                }
                result => return result,
            }
        }
    }
}

impl Link<'_> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }

    fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => &stream.sock,
        }
    }

    fn resumed(&self) -> bool {
        match &self.stream {
            Stream::Plain(_) => false,
            Stream::Tls(stream) => stream.conn.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }
}

fn serve(mut socket: TcpStream, term: usize, shared: &Shared) -> io::Result<()> {
    let connection = {
        let mut connections = shared.connections.lock().unwrap();
        connections.push(Instant::now());
        connections.len() - 1
    };
    socket.set_read_timeout(Some(LOOK_EVERY))?;
    socket.set_nodelay(true)?;
    let front = shared.front.lock().unwrap().clone();
    let stream = match front {
        Front::Says(bytes) => {
            let mut first = [0; 4096];
            let _ = socket.read(&mut first);
            return socket.write_all(bytes);
        }
        Front::Plain => Stream::Plain(socket),
        Front::Tls(config) => {
            let session = ServerConnection::new(config).map_err(io::Error::other)?;
            Stream::Tls(Box::new(StreamOwned::new(session, socket)))
        }
    };
    let mut link = Link { stream, absences: &shared.absences, term };
    let mut buffer = Vec::new();
    while let Some(raw) = http::read_request(&mut link, &mut buffer)? {
        let behaviour = record(raw, connection, link.resumed(), shared);
        if !act(behaviour, &mut link)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Keeps the request and asks the script what to do.
fn record(raw: RawRequest, connection: usize, resumed: bool, shared: &Shared) -> Behaviour {
    let deflated = raw.header("content-encoding").is_some_and(|encoding| encoding == "deflate");
    let body = if deflated {
        miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(&raw.body, BODY_BYTES_MAX).unwrap_or_default()
    } else {
        raw.body.clone()
    };
    let text = String::from_utf8_lossy(&body).into_owned();
    let mut request = Request {
        number: 0,
        connection,
        resumed,
        at: Some(Instant::now()),
        method: raw.method,
        path: raw.path,
        headers: raw.headers,
        wire_bytes: raw.wire_bytes,
        body_bytes: raw.body.len(),
        json: json::parse(&text).ok(),
        text,
        stored: false,
        acknowledged: false,
    };
    let behaviour = (shared.script.lock().unwrap())(&request);
    (request.stored, request.acknowledged) = match &behaviour {
        Behaviour::Answer(answer) | Behaviour::AnswerThenClose(answer) | Behaviour::Trickle(answer, _) => {
            let accepts = matches!(answer.status, 200..300);
            (accepts, accepts)
        }
        Behaviour::Flow(flow) => (true, flow.accepts),
        _ => (true, false),
    };
    let mut requests = shared.requests.lock().unwrap();
    request.number = requests.len();
    requests.push(Arc::new(request));
    shared.arrived.notify_all();
    behaviour
}

/// Does what the script said; true when the connection goes on.
fn act(behaviour: Behaviour, link: &mut Link) -> io::Result<bool> {
    match behaviour {
        Behaviour::Answer(answer) => link.send(&answer.render()).map(|()| true),
        Behaviour::AnswerThenClose(answer) => link.send(&answer.render()).map(|()| false),
        Behaviour::Flow(flow) => flood(&flow, link).map(|()| !flow.closes),
        Behaviour::Trickle(answer, every) => trickle(&answer.render(), every, link).map(|()| true),
        Behaviour::Hang => {
            // Until the client goes away; what it might still send is of no interest.
            let mut ignored = [0; 1024];
            while link.read(&mut ignored)? > 0 {}
            Ok(false)
        }
        Behaviour::CloseBeforeHead => Ok(false),
        Behaviour::CloseAfterHead => {
            link.send(b"HTTP/1.1 202 Accepted\r\nContent-Length: 15\r\n\r\n")?;
            Ok(false)
        }
        Behaviour::Reset => {
            socket2::SockRef::from(link.socket()).set_linger(Some(Duration::ZERO))?;
            Ok(false)
        }
    }
}

fn flood(flow: &Flow, link: &mut Link) -> io::Result<()> {
    match flow.byte_every {
        None => link.send(&flow.head)?,
        Some(every) => trickle(&flow.head, every, link)?,
    }
    for _ in 0..flow.times {
        link.send(&flow.piece)?;
        std::thread::sleep(flow.every);
    }
    link.send(&flow.tail)
}

fn trickle(bytes: &[u8], every: Duration, link: &mut Link) -> io::Result<()> {
    for byte in bytes {
        link.send(&[*byte])?;
        std::thread::sleep(every);
    }
    Ok(())
}
