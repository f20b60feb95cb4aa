//! A connected socket, bare or under TLS.

use std::io::{self, ErrorKind, Read, Write};

use mio::Registry;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConnection, HandshakeKind, ProtocolVersion};

use super::socket::Socket;
use super::{ConnectionError, Received};
use crate::limits::TLS_WRITE_BYTES;

#[derive(Debug)]
pub(super) struct Stream {
    socket: Socket,
    tls: Option<Tls>,
}

#[derive(Debug)]
struct Tls {
    session: Box<ClientConnection>,
    /// Whether encrypted bytes of ours, not only of the handshake, wait for the socket.
    is_loaded: bool,
}

impl Stream {
    pub(super) fn plain(socket: Socket) -> Stream {
        Stream { socket, tls: None }
    }

    pub(super) fn tls(socket: Socket, mut session: ClientConnection) -> Stream {
        // The bound is ours: nothing is added before what was there is gone.
        session.set_buffer_limit(None);
        Stream { socket, tls: Some(Tls { session: Box::new(session), is_loaded: false }) }
    }

    /// Goes on with the handshake; true once it is over. Its last bytes then wait for the first write.
    pub(super) fn handshake(&mut self) -> Result<bool, ConnectionError> {
        let Stream { socket, tls: Some(tls) } = self else {
            return Ok(true);
        };
        while tls.session.is_handshaking() {
            match tls.session.read_tls(socket) {
                Ok(0) => return Err(ConnectionError::Closed),
                Ok(_) => process(tls, socket)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // Only now, so that what belongs together is sent together.
                    flush(tls, socket)?;
                    return Ok(false);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// Takes as much as the socket does, and under TLS a little more, which a later call (with no bytes, if need
    /// be) passes on.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Stream { socket, tls } = self;
        let Some(tls) = tls else {
            return socket.write_some(bytes);
        };
        let mut taken = 0;
        loop {
            // Whole pieces become whole records, and the first one travels with the end of the handshake.
            let rest = bytes.get(taken..).unwrap_or_default();
            if !tls.is_loaded && !rest.is_empty() {
                let piece = rest.get(..TLS_WRITE_BYTES).unwrap_or(rest);
                taken += tls.session.writer().write(piece)?;
                tls.is_loaded = true;
            }
            if !flush(tls, socket)? || taken == bytes.len() {
                return Ok(taken);
            }
        }
    }

    /// Whether encrypted bytes wait for the socket.
    pub(super) fn is_flush_due(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.session.wants_write())
    }

    /// Appends what has come. An end of the stream that TLS does not announce counts as one all the same: plenty of
    /// servers end like that, and the framing of what is carried tells whether something is missing.
    pub(super) fn receive(
        &mut self,
        into: &mut Vec<u8>,
        budget_bytes: usize,
    ) -> Result<Received, ConnectionError> {
        let Stream { socket, tls } = self;
        let Some(tls) = tls else {
            return Ok(socket.receive(into, budget_bytes)?);
        };
        // Counted before decryption, so that a peer that sends no content uses up the budget as well.
        let mut spent_bytes = 0;
        loop {
            match read_plaintext(&mut tls.session, into) {
                Ok(()) => return Ok(Received::Closed),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    return Ok(Received::Closed);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            if spent_bytes >= budget_bytes {
                return Ok(Received::More);
            }
            match tls.session.read_tls(socket) {
                Ok(count) => {
                    spent_bytes += count;
                    process(tls, socket)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(Received::Drained);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(super) fn wire_bytes(&self) -> (u64, u64) {
        self.socket.wire_bytes()
    }

    pub(super) fn is_resumed(&self) -> Option<bool> {
        let kind = self.tls.as_ref()?.session.handshake_kind()?;
        Some(kind == HandshakeKind::Resumed)
    }

    pub(super) fn agreed(&self) -> Option<(ProtocolVersion, &[CertificateDer<'static>])> {
        let session = &self.tls.as_ref()?.session;
        Some((session.protocol_version()?, session.peer_certificates()?))
    }

    pub(super) fn close(mut self, registry: &Registry) -> io::Result<()> {
        self.socket.deregister(registry)
    }
}

/// Decrypts what was read.
fn process(tls: &mut Tls, socket: &mut Socket) -> Result<(), ConnectionError> {
    match tls.session.process_new_packets() {
        Ok(_) => Ok(()),
        Err(error) => {
            // The peer is told why, if it still listens; our own reason is the one to report.
            let _ = flush(tls, socket);
            Err(error.into())
        }
    }
}

/// Passes encrypted bytes on to the socket; true once there are none left.
fn flush(tls: &mut Tls, socket: &mut Socket) -> io::Result<bool> {
    while tls.session.wants_write() {
        match tls.session.write_tls(socket) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    tls.is_loaded = false;
    Ok(true)
}

/// Takes everything that is decrypted. `Ok` means that the peer has ended the stream.
fn read_plaintext(session: &mut ClientConnection, into: &mut Vec<u8>) -> io::Result<()> {
    let mut buffer = [0; 8 * 1024];
    loop {
        match session.reader().read(&mut buffer)? {
            0 => return Ok(()),
            count => into.extend_from_slice(buffer.get(..count).unwrap_or_default()),
        }
    }
}
