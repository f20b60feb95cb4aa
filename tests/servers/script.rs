//! A server that answers as a script says, in every manner a server can, over TCP with TLS or a unix socket.

use crate::support::http::{RawRequest, read_request};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How often a waiting connection looks whether the server is still there.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Bytes of a chunk.
const CHUNK_BYTES: usize = 32 * 1024;

/// How an answer is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Whole,
    /// In chunks without a length, as programs written in Go answer.
    Chunked,
    ByteByByte,
    /// In ten pieces with pauses between them.
    Slow(Duration),
    CloseHalfWay,
    Hang,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    pub manner: Manner,
}

/// Success.
pub fn ok(body: impl Into<Vec<u8>>) -> Answer {
    Answer { status: 200, body: body.into(), manner: Manner::Whole }
}

impl Answer {
    pub fn with(self, status: u16, manner: Manner) -> Answer {
        Answer { status, manner, ..self }
    }

    pub fn in_manner(self, manner: Manner) -> Answer {
        Answer { manner, ..self }
    }
}

type Script = Box<dyn Fn(&RawRequest) -> Answer + Send + Sync>;

struct Shared {
    script: Mutex<Arc<Script>>,
    requests: Mutex<Vec<RawRequest>>,
    open: AtomicUsize,
    most_open: AtomicUsize,
    stopped: AtomicBool,
}

enum Place {
    Tcp(u16),
    Unix(PathBuf),
}

/// The server; it ends on drop.
pub struct Server {
    shared: Arc<Shared>,
    place: Place,
}

impl Server {
    /// A server behind a unix socket at this path.
    pub fn unix(path: &Path, script: impl Fn(&RawRequest) -> Answer + Send + Sync + 'static) -> Server {
        let listener = UnixListener::bind(path).unwrap();
        Server::run(Place::Unix(path.to_owned()), script, move |shared| {
            let (stream, _) = listener.accept()?;
            stream.set_read_timeout(Some(LOOK_EVERY))?;
            spawn(shared, move |shared| serve(&mut Link { stream, shared }));
            Ok(())
        })
    }

    /// A server on the loopback interface under TLS.
    pub fn tls(
        config: Arc<ServerConfig>,
        script: impl Fn(&RawRequest) -> Answer + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let place = Place::Tcp(listener.local_addr().unwrap().port());
        Server::run(place, script, move |shared| {
            let (stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(LOOK_EVERY))?;
            let session = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
            let stream = StreamOwned::new(session, stream);
            spawn(shared, move |shared| serve(&mut Link { stream, shared }));
            Ok(())
        })
    }

    fn run(
        place: Place,
        script: impl Fn(&RawRequest) -> Answer + Send + Sync + 'static,
        accept: impl Fn(&Arc<Shared>) -> io::Result<()> + Send + 'static,
    ) -> Server {
        let shared = Arc::new(Shared {
            script: Mutex::new(Arc::new(Box::new(script))),
            requests: Mutex::default(),
            open: AtomicUsize::new(0),
            most_open: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || while accept(&accepting).is_ok() && !accepting.is_stopped() {});
        Server { shared, place }
    }

    /// Behaves like this from now on.
    pub fn behave(&self, script: impl Fn(&RawRequest) -> Answer + Send + Sync + 'static) {
        *self.shared.script.lock().unwrap() = Arc::new(Box::new(script));
    }

    pub fn port(&self) -> u16 {
        match self.place {
            Place::Tcp(port) => port,
            Place::Unix(_) => panic!("a unix socket has no port"),
        }
    }

    pub fn requests(&self) -> Vec<RawRequest> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The most requests that were being answered at once.
    pub fn most_open(&self) -> usize {
        self.shared.most_open.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        match &self.place {
            Place::Tcp(port) => drop(TcpStream::connect((Ipv4Addr::LOCALHOST, *port))),
            Place::Unix(path) => drop(UnixStream::connect(path)),
        }
    }
}

impl Shared {
    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}

/// How a connection ends is up to the agent and the script.
fn spawn(shared: &Arc<Shared>, serve: impl FnOnce(Arc<Shared>) -> io::Result<()> + Send + 'static) {
    let shared = Arc::clone(shared);
    std::thread::spawn(move || serve(shared));
}

/// A connection whose reads end when the server does.
struct Link<S> {
    stream: S,
    shared: Arc<Shared>,
}

impl<S: Read> Read for Link<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.stream.read(buffer) {
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
                        && !self.shared.is_stopped() => {}
                result => return result,
            }
        }
    }
}

fn serve<S: Read + Write>(link: &mut Link<S>) -> io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(link, &mut buffer)? {
        let shared = Arc::clone(&link.shared);
        let open = shared.open.fetch_add(1, Ordering::SeqCst) + 1;
        shared.most_open.fetch_max(open, Ordering::SeqCst);
        let script = Arc::clone(&shared.script.lock().unwrap());
        let answer = script(&request);
        shared.requests.lock().unwrap().push(request);
        let goes_on = give(&answer, link);
        shared.open.fetch_sub(1, Ordering::SeqCst);
        if !goes_on? {
            return Ok(());
        }
    }
    Ok(())
}

/// Gives the answer; true when the connection goes on.
fn give<S: Read + Write>(answer: &Answer, link: &mut Link<S>) -> io::Result<bool> {
    let wire = wire(answer);
    let mut send = |bytes: &[u8]| link.stream.write_all(bytes).and_then(|()| link.stream.flush());
    match answer.manner {
        Manner::Whole | Manner::Chunked => send(&wire)?,
        Manner::ByteByByte => wire.iter().try_for_each(|byte| send(&[*byte]))?,
        Manner::Slow(pause) => {
            for piece in wire.chunks(wire.len().div_ceil(10)) {
                send(piece)?;
                std::thread::sleep(pause);
            }
        }
        Manner::CloseHalfWay => {
            send(&wire[..wire.len() / 2])?;
            return Ok(false);
        }
        Manner::Hang => {
            // Until the agent goes away.
            while link.read(&mut [0; 1024])? > 0 {}
            return Ok(false);
        }
    }
    Ok(true)
}

fn wire(answer: &Answer) -> Vec<u8> {
    let mut wire = format!("HTTP/1.1 {} Scripted\r\nContent-Type: application/json\r\n", answer.status);
    if answer.manner != Manner::Chunked {
        wire += &format!("Content-Length: {}\r\n\r\n", answer.body.len());
        return [wire.as_bytes(), &answer.body].concat();
    }
    let mut wire = (wire + "Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in answer.body.chunks(CHUNK_BYTES) {
        wire.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        wire.extend_from_slice(chunk);
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    wire
}
