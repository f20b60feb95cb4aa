//! A non-blocking socket of either family that counts its bytes.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::path::Path;

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

use super::Received;

#[derive(Debug)]
pub(super) struct Socket {
    kind: Kind,
    sent_bytes: u64,
    received_bytes: u64,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Begins to connect.
    pub(super) fn tcp(peer: SocketAddr) -> io::Result<Socket> {
        Ok(Socket::of(Kind::Tcp(TcpStream::connect(peer)?)))
    }

    /// Connects; this is done at once or not at all.
    pub(super) fn unix(path: &Path) -> io::Result<Socket> {
        Ok(Socket::of(Kind::Unix(UnixStream::connect(path)?)))
    }

    fn of(kind: Kind) -> Socket {
        Socket { kind, sent_bytes: 0, received_bytes: 0 }
    }

    /// Whether the connect has succeeded; `Ok(false)` while it is under way.
    pub(super) fn is_connected(&self) -> io::Result<bool> {
        let Kind::Tcp(stream) = &self.kind else {
            return Ok(true);
        };
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
        match stream.peer_addr() {
            Ok(_) => {
                // What is written here is written whole, so there is nothing to collect.
                stream.set_nodelay(true)?;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(self.source(), token, Interest::READABLE | Interest::WRITABLE)
    }

    pub(super) fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        registry.deregister(self.source())
    }

    /// Bytes sent and received.
    pub(super) fn wire_bytes(&self) -> (u64, u64) {
        (self.sent_bytes, self.received_bytes)
    }

    /// Writes until the kernel takes no more; returns how many bytes it took.
    pub(super) fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            match self.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => taken += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    /// Appends what has come, `budget_bytes` at most.
    pub(super) fn receive(&mut self, into: &mut Vec<u8>, budget_bytes: usize) -> io::Result<Received> {
        let mut buffer = [0; 8 * 1024];
        let mut left = budget_bytes;
        while left > 0 {
            let size = left.min(buffer.len());
            match self.read(buffer.get_mut(..size).unwrap_or_default()) {
                Ok(0) => return Ok(Received::Closed),
                Ok(count) => {
                    left = left.saturating_sub(count);
                    into.extend_from_slice(buffer.get(..count).unwrap_or_default());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(Received::Drained);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Received::More)
    }

    fn source(&mut self) -> &mut dyn Source {
        match &mut self.kind {
            Kind::Tcp(stream) => stream,
            Kind::Unix(stream) => stream,
        }
    }

    fn count_sent(&mut self, written: io::Result<usize>) -> io::Result<usize> {
        let count = written?;
        self.sent_bytes += count as u64;
        Ok(count)
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.kind {
            Kind::Tcp(stream) => stream.read(buffer),
            Kind::Unix(stream) => stream.read(buffer),
        }?;
        self.received_bytes += count as u64;
        Ok(count)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.kind {
            Kind::Tcp(stream) => stream.write(bytes),
            Kind::Unix(stream) => stream.write(bytes),
        };
        self.count_sent(written)
    }

    /// TLS hands over several records at a time; they are to share packets.
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = match &mut self.kind {
            Kind::Tcp(stream) => stream.write_vectored(slices),
            Kind::Unix(stream) => stream.write_vectored(slices),
        };
        self.count_sent(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
