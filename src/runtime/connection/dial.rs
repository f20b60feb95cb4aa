//! The phases of dialling, one function each.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::vec;

use mio::{Registry, Token};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;

use super::socket::Socket;
use super::stream::Stream;
use super::{
    Address, CONNECT_S, CONNECT_WITH_ALTERNATIVE_S, Connection, ConnectionError, Endpoint, PROXY_S, Phase,
    Received, State, TLS_S,
};
use crate::limits::PROXY_ANSWER_BYTES_MAX;
use crate::runtime::proxy::{Proxy, ProxyError, tunnel_stands};
use crate::runtime::resolver::{Lookup, literal};

/// Where a phase has led to.
pub(super) enum Step {
    /// It is not over.
    Wait(State),
    /// The next phase begins.
    Next(State),
}

impl Connection {
    pub(super) fn begin(&mut self, registry: &Registry, now: Instant) -> Result<State, ConnectionError> {
        let (host, port) = match (&self.endpoint.address, &self.endpoint.proxy) {
            (Address::Unix(path), _) => {
                let mut socket = Socket::unix(path)
                    .map_err(|error| ConnectionError::Connect { peer: path.display().to_string(), error })?;
                socket.register(registry, self.token)?;
                self.deadline = Some(now);
                return Ok(State::Handshaking(Stream::plain(socket)));
            }
            (Address::Tcp { .. }, Some(proxy)) => (&proxy.host, proxy.port),
            (Address::Tcp { host, port }, None) => (host, *port),
        };
        if let Some(ip) = literal(host) {
            let only = vec![SocketAddr::new(ip, port)];
            return self.connect(only.into_iter(), None, registry, now);
        }
        let token = Token(self.token.0 + 1);
        let lookup = Lookup::start(host, port, self.endpoint.resolver, token, registry, now)?;
        self.deadline = Some(lookup.deadline());
        Ok(State::Resolving(lookup))
    }

    pub(super) fn step(
        &mut self,
        state: State,
        registry: &Registry,
        now: Instant,
    ) -> Result<Step, ConnectionError> {
        match state {
            State::Resolving(mut lookup) => match lookup.drive(now) {
                None => Ok(Step::Wait(State::Resolving(lookup))),
                Some(answer) => {
                    lookup.close(registry);
                    self.connect(answer?.into_iter(), None, registry, now).map(Step::Next)
                }
            },
            State::Connecting { socket, peer, others } => {
                self.connecting(socket, peer, others, registry, now)
            }
            State::Tunnelling { socket, request, answer } => self.tunnelling(socket, request, answer, now),
            State::Handshaking(mut stream) => match stream.handshake() {
                Err(error) => Err(error),
                Ok(true) => Ok(Step::Next(State::Open(stream))),
                Ok(false) => {
                    self.check_deadline(now, Phase::Tls, TLS_S)?;
                    Ok(Step::Wait(State::Handshaking(stream)))
                }
            },
            State::Open(stream) => Ok(Step::Wait(State::Open(stream))),
            State::Failed(error) => Err(error),
            State::Over => Err(ConnectionError::Closed),
        }
    }

    /// Tries the next of these addresses; `before` is what became of the one before.
    fn connect(
        &mut self,
        mut addresses: vec::IntoIter<SocketAddr>,
        before: Option<ConnectionError>,
        registry: &Registry,
        now: Instant,
    ) -> Result<State, ConnectionError> {
        let mut failure = before.unwrap_or(ConnectionError::Closed);
        while let Some(peer) = addresses.next() {
            let attempt = Socket::tcp(peer).and_then(|mut socket| {
                socket.register(registry, self.token)?;
                Ok(socket)
            });
            match attempt {
                Ok(socket) => {
                    self.deadline = Some(now + Duration::from_secs(connect_s(&addresses)));
                    return Ok(State::Connecting { socket, peer, others: addresses });
                }
                Err(error) => failure = ConnectionError::Connect { peer: peer.to_string(), error },
            }
        }
        Err(failure)
    }

    fn connecting(
        &mut self,
        socket: Socket,
        peer: SocketAddr,
        others: vec::IntoIter<SocketAddr>,
        registry: &Registry,
        now: Instant,
    ) -> Result<Step, ConnectionError> {
        let failure = match socket.is_connected() {
            Ok(true) => return self.connected(socket, now).map(Step::Next),
            Ok(false) => {
                let phase = Phase::Connect(peer.to_string());
                match self.check_deadline(now, phase, connect_s(&others)) {
                    Ok(()) => {
                        return Ok(Step::Wait(State::Connecting { socket, peer, others }));
                    }
                    Err(timed_out) => timed_out,
                }
            }
            Err(error) => ConnectionError::Connect { peer: peer.to_string(), error },
        };
        // The old socket leaves the loop before the next one takes its token.
        drop(socket);
        self.connect(others, Some(failure), registry, now).map(Step::Next)
    }

    /// The way leads through a proxy, into TLS, or is at its end.
    fn connected(&mut self, socket: Socket, now: Instant) -> Result<State, ConnectionError> {
        match tunnel(&self.endpoint) {
            Some((proxy, host, port)) => {
                let request = proxy.request(host, port);
                self.deadline = Some(now + Duration::from_secs(PROXY_S));
                Ok(State::Tunnelling { socket, request, answer: Vec::new() })
            }
            None => self.secure(socket, now),
        }
    }

    fn tunnelling(
        &mut self,
        mut socket: Socket,
        mut request: Vec<u8>,
        mut answer: Vec<u8>,
        now: Instant,
    ) -> Result<Step, ConnectionError> {
        let name = tunnel(&self.endpoint).map(|(proxy, ..)| format!("{}:{}", proxy.host, proxy.port));
        let name = name.unwrap_or_default();
        let failed = |error| ConnectionError::Proxy { proxy: name.clone(), error };
        let sent = socket.write_some(&request)?;
        request.drain(..sent);
        // One byte beyond the bound is enough to see that it is exceeded.
        let room = PROXY_ANSWER_BYTES_MAX.saturating_sub(answer.len()) + 1;
        let received = socket.receive(&mut answer, room)?;
        if tunnel_stands(&answer).map_err(failed)? {
            return self.secure(socket, now).map(Step::Next);
        }
        if received == Received::Closed {
            return Err(failed(ProxyError::Closed));
        }
        self.check_deadline(now, Phase::Proxy(name.clone()), PROXY_S)?;
        Ok(Step::Wait(State::Tunnelling { socket, request, answer }))
    }

    fn secure(&mut self, socket: Socket, now: Instant) -> Result<State, ConnectionError> {
        let (Some(config), Address::Tcp { host, .. }) = (&self.endpoint.tls, &self.endpoint.address) else {
            return Ok(State::Open(Stream::plain(socket)));
        };
        let name = match literal(host) {
            Some(ip) => ServerName::IpAddress(ip.into()),
            // The dot that makes a name absolute is not part of a certificate's name.
            None => ServerName::try_from(host.trim_end_matches('.').to_owned())
                .map_err(|_| ConnectionError::Name(host.clone()))?,
        };
        let tls = ClientConnection::new(Arc::clone(config), name)?;
        self.deadline = Some(now + Duration::from_secs(TLS_S));
        Ok(State::Handshaking(Stream::tls(socket, tls)))
    }

    fn check_deadline(&self, now: Instant, phase: Phase, limit_s: u64) -> Result<(), ConnectionError> {
        match self.deadline {
            Some(deadline) if now >= deadline => Err(ConnectionError::TimedOut { phase, limit_s }),
            _ => Ok(()),
        }
    }
}

/// The proxy on the way, and the host and port to ask it for.
fn tunnel(endpoint: &Endpoint) -> Option<(&Proxy, &str, u16)> {
    match (&endpoint.proxy, &endpoint.address) {
        (Some(proxy), Address::Tcp { host, port }) => Some((proxy, host, *port)),
        _ => None,
    }
}

fn connect_s(others: &vec::IntoIter<SocketAddr>) -> u64 {
    if others.as_slice().is_empty() { CONNECT_S } else { CONNECT_WITH_ALTERNATIVE_S }
}
