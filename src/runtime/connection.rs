//! One byte stream to a peer, dialled and driven without waiting:
//!
//! ```text
//! Resolving → Connecting → (Tunnelling through a proxy) → (Handshaking) → Open
//! ```
//!
//! TCP or a unix socket, plain or under TLS. Each phase has its deadline, and a name with several addresses gets
//! one attempt at each. Two tokens belong to a connection: its own for the socket, the next one for the resolver's
//! pipe. Readiness is reported on edges, so whoever is told [`Received::More`] must ask again by itself.
//!
//! A TLS handshake ends with bytes of ours. They are held back for a moment so that they share a packet with the
//! first request: after [`Progress::Open`], write or flush.

mod dial;
mod error;
mod socket;
mod stream;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use std::{fmt, mem, vec};

use mio::{Registry, Token};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ProtocolVersion};

use self::dial::Step;
pub use self::error::{ConnectionError, Phase};
use self::socket::Socket;
use self::stream::Stream;
pub use super::child::Received;
use super::proxy::Proxy;
use super::resolver::{Lookup, THIS_PROGRAM};
use crate::limits::{CONNECT_S, CONNECT_WITH_ALTERNATIVE_S, PROXY_S, SEND_QUEUE_BYTES_MAX, TLS_S};

/// Where a peer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A name or an address, and a port.
    Tcp {
        /// Name, IPv4 address or IPv6 address with or without brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// A socket in the file system.
    Unix(PathBuf),
}

/// A peer and the way to it.
#[derive(Clone)]
pub struct Endpoint {
    /// Where the peer is.
    pub address: Address,
    /// TLS, for a peer with a name or an address. Share one configuration, so that sessions are resumed.
    pub tls: Option<Arc<ClientConfig>>,
    /// A proxy on the way; not used for unix sockets.
    pub proxy: Option<Proxy>,
    /// The program that answers look-ups: this one, outside tests.
    pub resolver: &'static Path,
}

impl Endpoint {
    /// A peer without TLS and proxy.
    pub fn new(address: Address) -> Endpoint {
        Endpoint { address, tls: None, proxy: None, resolver: Path::new(THIS_PROGRAM) }
    }

    /// A peer reached over TCP.
    pub fn tcp(host: &str, port: u16) -> Endpoint {
        Endpoint::new(Address::Tcp { host: host.to_owned(), port })
    }

    /// A peer behind a unix socket.
    pub fn unix(path: impl Into<PathBuf>) -> Endpoint {
        Endpoint::new(Address::Unix(path.into()))
    }
}

/// What a call of [`Connection::drive`] led to.
#[derive(Debug)]
pub enum Progress {
    /// Nothing new; also the answer of a connection that was open before.
    Waiting,
    /// The connection has just been opened: write or flush now, then receive.
    Open,
    /// There will be no connection. Drop it.
    Failed(ConnectionError),
}

/// A connection. Dropping it closes it.
pub struct Connection {
    endpoint: Endpoint,
    token: Token,
    state: State,
    deadline: Option<Instant>,
    queue: Vec<u8>,
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum Stage {
    /// The name is looked up.
    Resolving,
    /// An address is tried.
    Connecting,
    /// A proxy was asked.
    Tunnelling,
    /// TLS has begun.
    Handshaking,
    /// Bytes can flow.
    Open,
    /// There is no connection, and there will be none.
    Over,
}

enum State {
    Resolving(Lookup),
    Connecting {
        socket: Socket,
        peer: SocketAddr,
        others: vec::IntoIter<SocketAddr>,
    },
    Tunnelling {
        socket: Socket,
        request: Vec<u8>,
        answer: Vec<u8>,
    },
    /// TLS, or a unix socket whose opening is still to be told.
    Handshaking(Stream),
    Open(Stream),
    /// To be told at the next opportunity.
    Failed(ConnectionError),
    Over,
}

impl Connection {
    /// Begins to dial. A failure, even an immediate one, is told by the next [`Connection::drive`].
    pub fn dial(endpoint: &Endpoint, token: Token, registry: &Registry, now: Instant) -> Connection {
        let mut connection = Connection {
            endpoint: endpoint.clone(),
            token,
            state: State::Over,
            deadline: None,
            queue: Vec::new(),
        };
        connection.state = connection.begin(registry, now).unwrap_or_else(|error| {
            connection.deadline = Some(now);
            State::Failed(error)
        });
        connection
    }

    /// Goes on dialling. Call it on readiness of either token and at the deadline.
    pub fn drive(&mut self, registry: &Registry, now: Instant) -> Progress {
        if self.is_open() {
            return Progress::Waiting;
        }
        loop {
            let state = mem::replace(&mut self.state, State::Over);
            match self.step(state, registry, now) {
                Ok(Step::Wait(state)) => {
                    self.state = state;
                    return Progress::Waiting;
                }
                Ok(Step::Next(state)) => self.state = state,
                Err(error) => {
                    self.deadline = None;
                    return Progress::Failed(error);
                }
            }
            if self.is_open() {
                self.deadline = None;
                return match self.flush_queue() {
                    Ok(()) => Progress::Open,
                    Err(error) => {
                        self.state = State::Over;
                        Progress::Failed(error)
                    }
                };
            }
        }
    }

    /// Whether bytes can flow.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// How far it is.
    pub fn stage(&self) -> Stage {
        match &self.state {
            State::Resolving(_) => Stage::Resolving,
            State::Connecting { .. } => Stage::Connecting,
            State::Tunnelling { .. } => Stage::Tunnelling,
            State::Handshaking(_) => Stage::Handshaking,
            State::Open(_) => Stage::Open,
            State::Failed(_) | State::Over => Stage::Over,
        }
    }

    /// What was agreed on with the peer of an open TLS connection: the version, and the certificates it has shown.
    pub fn tls(&self) -> Option<(ProtocolVersion, &[CertificateDer<'static>])> {
        match &self.state {
            State::Open(stream) => stream.agreed(),
            _ => None,
        }
    }

    /// When [`Connection::drive`] is due at the latest; `None` once open.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Takes as many of `bytes` as the socket does and returns how many; the rest is to be offered again on
    /// readiness. With no bytes, a flush. Before the connection is open it takes none.
    pub fn write(&mut self, bytes: &[u8]) -> Result<usize, ConnectionError> {
        self.flush_queue()?;
        match &mut self.state {
            State::Open(stream) if self.queue.is_empty() => Ok(stream.write(bytes)?),
            _ => Ok(0),
        }
    }

    /// Sends all of `bytes`, now as far as possible and the rest by later flushes, also where the connection is
    /// still being dialled. Returns what [`Connection::flush`] does.
    pub fn send(&mut self, bytes: &[u8]) -> Result<usize, ConnectionError> {
        let taken = self.write(bytes)?;
        let rest = bytes.get(taken..).unwrap_or_default();
        if self.queue.len().saturating_add(rest.len()) > SEND_QUEUE_BYTES_MAX {
            return Err(ConnectionError::QueueFull);
        }
        self.queue.extend_from_slice(rest);
        Ok(self.unsent_bytes())
    }

    /// Sends what is left over from earlier, as far as the socket takes it. Returns how many bytes are still unsent,
    /// of which there are none only where the answer is 0.
    pub fn flush(&mut self) -> Result<usize, ConnectionError> {
        self.write(&[])?;
        Ok(self.unsent_bytes())
    }

    /// Appends what has come, about `budget_bytes` at most. A connection that is not open yet is drained.
    pub fn receive(&mut self, into: &mut Vec<u8>, budget_bytes: usize) -> Result<Received, ConnectionError> {
        match &mut self.state {
            State::Open(stream) => stream.receive(into, budget_bytes),
            State::Over | State::Failed(_) => Ok(Received::Closed),
            _ => Ok(Received::Drained),
        }
    }

    /// Bytes on the wire, sent and received, since the connection was made; without TCP's own.
    pub fn wire_bytes(&self) -> (u64, u64) {
        match &self.state {
            State::Open(stream) | State::Handshaking(stream) => stream.wire_bytes(),
            State::Connecting { socket, .. } | State::Tunnelling { socket, .. } => socket.wire_bytes(),
            State::Resolving(_) | State::Failed(_) | State::Over => (0, 0),
        }
    }

    /// Whether an open TLS connection resumed an earlier session; `None` without TLS.
    pub fn is_resumed(&self) -> Option<bool> {
        match &self.state {
            State::Open(stream) => stream.is_resumed(),
            _ => None,
        }
    }

    /// Closes at once; what is unsent stays so. TLS is not told: that would be bytes nobody acts on.
    pub fn close(self, registry: &Registry) {
        // Closing a descriptor takes it out of the loop as well, so errors change nothing.
        let _ = match self.state {
            State::Resolving(lookup) => {
                lookup.close(registry);
                Ok(())
            }
            State::Connecting { mut socket, .. } | State::Tunnelling { mut socket, .. } => {
                socket.deregister(registry)
            }
            State::Handshaking(stream) | State::Open(stream) => stream.close(registry),
            State::Failed(_) | State::Over => Ok(()),
        };
    }

    fn unsent_bytes(&self) -> usize {
        let buffered = match &self.state {
            State::Open(stream) => usize::from(stream.is_flush_due()),
            _ => 0,
        };
        self.queue.len() + buffered
    }

    fn flush_queue(&mut self) -> Result<(), ConnectionError> {
        if let State::Open(stream) = &mut self.state
            && !self.queue.is_empty()
        {
            let taken = stream.write(&self.queue)?;
            self.queue.drain(..taken);
        }
        Ok(())
    }
}

/// Without the settings of TLS, which are long.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("address", &self.address)
            .field("is_tls", &self.tls.is_some())
            .field("proxy", &self.proxy)
            .finish_non_exhaustive()
    }
}

/// Without what is to be sent, which may hold a password.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("endpoint", &self.endpoint)
            .field("stage", &self.stage())
            .field("queue_bytes", &self.queue.len())
            .finish_non_exhaustive()
    }
}
