//! `ureq` over memory: [`encode`] runs a request against a peer that says nothing and keeps what was sent,
//! [`decode`] runs a bare request against the bytes received so far and keeps what was understood.
//!
//! Both are ordinary blocking `ureq` calls that cannot block: the transport fails with `WouldBlock` where a socket
//! would wait. The transport interface of `ureq` is outside its promise of compatibility, so its version is pinned.

use std::io::{Error as IoError, ErrorKind, Read as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use ureq::config::Config;
use ureq::http::{self, Uri};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};
use ureq::{Agent, Body, Error};

use super::{HEAD_BYTES_MAX, Method, Request};

/// Size of the buffers a request is copied through.
const BUFFER_BYTES: usize = 8 * 1024;

/// Everything a peer would read; no header beyond those documented at [`Request`].
pub(super) fn encode(request: Request) -> Result<Vec<u8>, Error> {
    let mut builder = http::Request::builder().uri(format!("http://{}{}", request.authority, request.path));
    for (name, value) in &request.headers {
        builder = builder.header(*name, value.as_str());
    }
    let peer = Peer::new(Arc::default(), false);
    // Room for the head, so that the body is copied without the output growing under it.
    lock(&peer.sent).reserve(request.body.len() + 1024);
    let agent = Agent::with_parts(CONFIG.clone(), peer.clone(), NoResolver);
    let outcome = match request.method {
        Method::Get => agent.run(builder.method("GET").body(())?),
        Method::Post => agent.run(builder.method("POST").body(request.body.as_slice())?),
    };
    match outcome {
        Err(error) if would_block(&error) => Ok(std::mem::take(&mut *lock(&peer.sent))),
        Err(error) => Err(error),
        Ok(_) => Err(Error::ConnectionFailed),
    }
}

/// What the bytes received so far amount to.
pub(super) enum Decoded {
    /// The head is not complete.
    PartOfHead,
    /// The head is complete and `head_bytes` long, the body is not complete.
    PartOfBody {
        /// Bytes of the head, with any interim answers in front of it.
        head_bytes: usize,
        /// Bytes of the body where the head says how many.
        body_bytes: Option<u64>,
        /// Whether the body comes in chunks.
        chunked: bool,
    },
    /// All is there.
    Complete {
        /// The head.
        head: http::response::Parts,
        /// The body without its framing.
        body: Vec<u8>,
        /// Bytes that the answer takes up.
        consumed_bytes: usize,
    },
}

/// Parses an answer from its first byte on. `eof`: nothing more will come.
pub(super) fn decode(received: &Arc<Vec<u8>>, eof: bool, body_bytes_max: usize) -> Result<Decoded, Error> {
    let peer = Peer::new(Arc::clone(received), eof);
    let agent = Agent::with_parts(CONFIG.clone(), peer.clone(), NoResolver);
    let answer = match agent.run(http::Request::get("http://localhost/").body(())?) {
        Ok(answer) => answer,
        Err(error) if would_block(&error) => return Ok(Decoded::PartOfHead),
        Err(error) => return Err(error),
    };
    let head_bytes = peer.consumed.load(Ordering::Relaxed);
    let limit = u64::try_from(body_bytes_max).unwrap_or(u64::MAX);
    let (head, body): (_, Body) = answer.into_parts();
    let body_bytes = body.content_length();
    if body_bytes.is_some_and(|bytes| bytes > limit) {
        return Err(Error::BodyExceedsLimit(limit));
    }
    // What can be there of the body is taken at once: a vector that grows is in memory twice while it does.
    let bytes_max = received.len().saturating_sub(head_bytes).min(body_bytes_max);
    let mut bytes = Vec::with_capacity(bytes_max);
    let mut reader = body.into_with_config().limit(limit).reader();
    match reader.read_to_end(&mut bytes).map_err(Error::from) {
        Ok(_) => {
            let body = bytes;
            Ok(Decoded::Complete { head, body, consumed_bytes: peer.consumed.load(Ordering::Relaxed) })
        }
        Err(error) if would_block(&error) => {
            let chunked = body_bytes.is_none() && head.headers.contains_key(http::header::TRANSFER_ENCODING);
            Ok(Decoded::PartOfBody { head_bytes, body_bytes, chunked })
        }
        Err(error) => Err(error),
    }
}

/// Built once: the defaults look for proxies in the environment. Every header that can be left out is.
static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    Config::builder()
        .proxy(None)
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("chouette-iot/", env!("CARGO_PKG_VERSION")))
        .accept("")
        .accept_encoding("")
        .timeout_await_100(None)
        .max_response_header_size(HEAD_BYTES_MAX)
        .input_buffer_size(BUFFER_BYTES)
        .output_buffer_size(BUFFER_BYTES)
        .max_idle_connections(0)
        .build()
});

fn would_block(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == ErrorKind::WouldBlock)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The far end: what it says is known from the start, what is said to it is kept.
#[derive(Debug, Clone)]
struct Peer {
    received: Arc<Vec<u8>>,
    eof: bool,
    consumed: Arc<AtomicUsize>,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Peer {
    fn new(received: Arc<Vec<u8>>, eof: bool) -> Peer {
        Peer { received, eof, consumed: Arc::default(), sent: Arc::default() }
    }
}

impl Connector for Peer {
    type Out = Memory;

    fn connect(&self, _details: &ConnectionDetails, _chained: Option<()>) -> Result<Option<Memory>, Error> {
        Ok(Some(Memory {
            peer: self.clone(),
            handed_over_bytes: 0,
            progress: false,
            scratch: vec![0; BUFFER_BYTES],
            output: vec![0; BUFFER_BYTES],
        }))
    }
}

/// A transport that is also its own buffers, so that the answer is parsed where it lies.
#[derive(Debug)]
struct Memory {
    peer: Peer,
    handed_over_bytes: usize,
    progress: bool,
    scratch: Vec<u8>,
    output: Vec<u8>,
}

impl Transport for Memory {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self
    }

    fn transmit_output(&mut self, amount: usize, _timeout: NextTimeout) -> Result<(), Error> {
        let bytes = self.output.get(..amount).unwrap_or(&self.output);
        lock(&self.peer.sent).extend_from_slice(bytes);
        Ok(())
    }

    fn await_input(&mut self, _timeout: NextTimeout) -> Result<bool, Error> {
        let rest = self.peer.received.get(self.handed_over_bytes..).unwrap_or_default();
        if !rest.is_empty() {
            // `ureq` takes whatever stands behind an interim answer for a part of its head, and judges its size.
            self.handed_over_bytes += interim_bytes(rest).unwrap_or(rest.len());
            return Ok(true);
        }
        let kind = if self.peer.eof { ErrorKind::UnexpectedEof } else { ErrorKind::WouldBlock };
        Err(Error::Io(IoError::from(kind)))
    }

    fn is_open(&mut self) -> bool {
        false
    }
}

impl Buffers for Memory {
    fn output(&mut self) -> &mut [u8] {
        &mut self.output
    }

    fn input(&self) -> &[u8] {
        let consumed = self.peer.consumed.load(Ordering::Relaxed);
        self.peer.received.get(consumed..self.handed_over_bytes).unwrap_or_default()
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        &mut []
    }

    fn input_appended(&mut self, _amount: usize) {}

    fn input_consume(&mut self, amount: usize) {
        self.progress = amount > 0;
        self.peer.consumed.fetch_add(amount, Ordering::Relaxed);
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        (&mut self.scratch, &mut self.output)
    }

    fn can_use_input(&self) -> bool {
        self.progress && !self.input().is_empty()
    }
}

/// The length of an interim answer (status 1xx) that stands at the beginning, whole. It has no body.
fn interim_bytes(bytes: &[u8]) -> Option<usize> {
    let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let (_, head) = bytes.split_at(blank);
    if !head.starts_with(b"HTTP/1.") || head.get(8..10) != Some(b" 1") {
        return None;
    }
    let mut line_ends = 0;
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        line_ends += line.len();
        if matches!(line, b"\n" | b"\r\n") {
            return Some(blank + line_ends);
        }
    }
    None
}

/// There is nothing to look up.
#[derive(Debug)]
struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(
        &self,
        _uri: &Uri,
        _config: &Config,
        _timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        Ok(self.empty())
    }
}
