//! The socket that tells how the agent goes: whoever connects gets the document of [`crate::status`], and the end of
//! it. Nothing is asked, so that `socat - UNIX-CONNECT:/run/chouette-iot/status.sock` will do as well.
//!
//! Nothing waits: the document is smaller than what the kernel keeps for a socket, so it is written at once, or not at
//! all. What somebody does not read takes the kernel's memory, so a connection is kept until its other end is closed,
//! and there are [`CONNECTIONS_MAX`] of them at most; nobody is woken by the closing, it is looked at when the next
//! one asks. While nobody asks there is nothing but a socket that listens.

pub mod address;
pub mod client;
pub mod machine;
mod peer;

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Instant;

use mio::net::{UnixListener, UnixStream};
use mio::{Interest, Registry, Token};

use super::socket_file::{self, Kind, SocketFile};
use crate::limits::status::{ACCEPTS_PER_TURN, CONNECTIONS_MAX, DOCUMENT_BYTES_MAX, HELD_S};

/// Only the agent's user, and root.
const MODE: u32 = 0o600;
/// Of the directory, where it has to be made: others may have sockets in it.
const DIRECTORY_MODE: u32 = 0o755;

const KIND: Kind<UnixListener> = Kind {
    bind: |path| UnixListener::bind(path),
    // One that has no room for another connection has somebody, too.
    is_open: |path| match UnixStream::connect(path) {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    },
};

/// The socket, if there is one.
pub struct StatusSocket {
    path: Option<String>,
    listener: Option<UnixListener>,
    /// Removes the path at the end. Without it the socket is an abstract one.
    file: Option<SocketFile>,
    /// There may be somebody of whom nobody will tell.
    has_more: bool,
    /// Those that have their answer, oldest first.
    answered: Vec<(UnixStream, Instant)>,
}

impl StatusSocket {
    /// No socket.
    pub fn none() -> StatusSocket {
        StatusSocket { path: None, listener: None, file: None, has_more: false, answered: Vec::new() }
    }

    /// Opens it at a path, if there is one. That it cannot be opened is told of, and the agent goes on.
    #[inline(never)]
    pub fn open(path: Option<&str>, registry: &Registry, token: Token) -> StatusSocket {
        let mut status = StatusSocket { path: path.map(str::to_owned), ..StatusSocket::none() };
        if let Some(path) = path
            && let Err(error) = status.listen(path, registry, token)
        {
            log::warn!("STATUS_SOCKET {path}: {error}; chouette-iot status cannot ask this agent");
        }
        status
    }

    fn listen(&mut self, path: &str, registry: &Registry, token: Token) -> io::Result<()> {
        let (mut listener, file) = listen(path)?;
        registry.register(&mut listener, token, Interest::READABLE)?;
        (self.listener, self.file) = (Some(listener), file);
        Ok(())
    }

    /// Where it was to be opened.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Whether [`StatusSocket::serve`] may find somebody.
    pub fn has_more(&self) -> bool {
        self.has_more
    }

    /// Answers those who have connected with what `document` says, as many as one turn has time for.
    #[inline(never)]
    pub fn serve(&mut self, is_ready: bool, now: Instant, document: &mut dyn FnMut() -> String) {
        // What was told of a socket that is closed by now counts for nothing.
        self.has_more = (self.has_more || is_ready) && self.listener.is_some();
        let Some(listener) = self.listener.as_ref().filter(|_| self.has_more) else { return };
        let mut text = None;
        for _ in 0..ACCEPTS_PER_TURN {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                // It went away before it was answered.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => {
                    if error.kind() != io::ErrorKind::WouldBlock {
                        log::debug!("status: {error}");
                    }
                    self.has_more = false;
                    return;
                }
            };
            let may_know = self.file.is_some() || peer::is_trusted(&stream);
            if may_know && has_room(&mut self.answered, now) {
                let text = text.get_or_insert_with(&mut *document);
                if answer(&stream, text.as_bytes()).is_ok() {
                    self.answered.push((stream, now));
                }
            }
        }
    }
}

/// Writes all of it, and its end; an error where it does not fit.
fn answer(mut stream: &UnixStream, text: &[u8]) -> io::Result<()> {
    if text.len() > DOCUMENT_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    stream.write_all(text)?;
    stream.shutdown(Shutdown::Write)
}

/// Forgets those who have gone, and the oldest one where it has had its time.
fn has_room(answered: &mut Vec<(UnixStream, Instant)>, now: Instant) -> bool {
    let mut place = 0;
    while let Some((stream, _)) = answered.get(place) {
        if is_closed(stream) {
            answered.remove(place);
        } else {
            place += 1;
        }
    }
    if answered.len() >= CONNECTIONS_MAX
        && let Some((_, at)) = answered.first()
        && now.saturating_duration_since(*at).as_secs() >= HELD_S
    {
        answered.remove(0);
    }
    answered.len() < CONNECTIONS_MAX
}

#[inline(never)]
fn is_closed(mut stream: &UnixStream) -> bool {
    // What it says counts for nothing.
    match stream.read(&mut [0; 64]) {
        Ok(bytes) => bytes == 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}

#[inline(never)]
fn listen(path: &str) -> io::Result<(UnixListener, Option<SocketFile>)> {
    make_directory(Path::new(path));
    let failure = match socket_file::open(Path::new(path), MODE, &KIND) {
        Ok((listener, file)) => return Ok((listener, Some(file))),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
        Err(error) => error,
    };
    let name = address::stand_in(path);
    match address::abstract_address(&name).and_then(|address| UnixListener::bind_addr(&address)) {
        Ok(listener) => {
            log::info!("STATUS_SOCKET {path}: {failure}; @{name} stands in");
            Ok((listener, None))
        }
        Err(error) => Err(io::Error::other(format!("{failure}; @{name}: {error}"))),
    }
}

/// The directory of the path; opening the socket tells where that fails.
fn make_directory(path: &Path) {
    if let Some(directory) = path.parent()
        && fs::create_dir(directory).is_ok()
    {
        let _ = fs::set_permissions(directory, fs::Permissions::from_mode(DIRECTORY_MODE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_document_fits_what_the_kernel_keeps_and_a_longer_one_is_not_sent() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        assert!(answer(&ours, &vec![b'x'; DOCUMENT_BYTES_MAX + 1]).is_err());
        answer(&ours, &vec![b'x'; DOCUMENT_BYTES_MAX]).unwrap();
        let mut read = Vec::new();
        theirs.read_to_end(&mut read).unwrap();
        assert_eq!(read.len(), DOCUMENT_BYTES_MAX, "all of it and its end, though nobody read meanwhile");
    }

    #[test]
    fn connections_that_nobody_reads_are_few_and_the_oldest_makes_room_after_a_while() {
        let now = Instant::now();
        let (mut answered, mut others) = (Vec::new(), Vec::new());
        for _ in 0..CONNECTIONS_MAX {
            assert!(has_room(&mut answered, now));
            let (ours, theirs) = UnixStream::pair().unwrap();
            answer(&ours, b"{}").unwrap();
            answered.push((ours, now));
            others.push(theirs);
        }
        let later = now + Duration::from_secs(HELD_S);
        assert!(!has_room(&mut answered, later - Duration::from_millis(1)));
        assert!(has_room(&mut answered, later));
        assert_eq!(answered.len(), CONNECTIONS_MAX - 1);
        others.clear();
        assert!(has_room(&mut answered, now));
        assert_eq!(answered.len(), 0, "those that have gone");
    }
}
