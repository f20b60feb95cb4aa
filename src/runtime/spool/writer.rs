//! The agent's end: starts the child, hands over an operation, and takes its outcome.

use std::ffi::OsStr;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};

use super::child::ARGUMENT;
use super::directory::Directory;
use crate::limits::spool::{OPERATION_S, WRITER_IDLE_S};
use crate::queue::spool::operation::{Operation, Outcome};
use crate::runtime::child::bury;

/// Writes into a directory through a child process. It has one operation at a time.
#[derive(Debug)]
pub struct Writer {
    program: PathBuf,
    directory: Directory,
    token: Token,
    child: Option<Running>,
}

#[derive(Debug)]
struct Running {
    /// `None` once it was seen off.
    process: Option<std::process::Child>,
    socket: UnixStream,
    sending: Vec<u8>,
    received: Vec<u8>,
    /// Whether an outcome is awaited, and until when; else until when it is kept.
    is_busy: bool,
    deadline: Instant,
}

impl Writer {
    /// A writer without a child; `program` is [`crate::runtime::resolver::THIS_PROGRAM`] outside tests. Readiness is
    /// reported under `token`.
    pub fn new(program: PathBuf, directory: Directory, token: Token) -> Writer {
        Writer { program, directory, token, child: None }
    }

    /// Begins an operation. Its outcome comes from [`Writer::drive`].
    ///
    /// # Errors
    /// The child cannot be started or has gone away; nothing was done.
    pub fn begin(&mut self, operation: &Operation, registry: &Registry, now: Instant) -> io::Result<()> {
        if self.child.is_none() {
            self.child = Some(self.start(registry, now)?);
        }
        if let Some(child) = &mut self.child {
            child.sending.extend(operation.encode());
            child.is_busy = true;
            child.deadline = now + Duration::from_secs(OPERATION_S);
            if let Err(error) = child.send() {
                self.end(registry);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Goes on: to be called on readiness of the token and at [`Writer::deadline`].
    ///
    /// # Errors
    /// The child has gone away or takes too long, and what became of the operation is not known.
    pub fn drive(&mut self, registry: &Registry, now: Instant) -> io::Result<Option<Outcome>> {
        let Some(child) = &mut self.child else { return Ok(None) };
        let outcome = child.send().and_then(|()| child.receive());
        match outcome {
            Ok(Some(outcome)) => {
                child.is_busy = false;
                child.deadline = now + Duration::from_secs(WRITER_IDLE_S);
                Ok(Some(outcome))
            }
            Ok(None) if now < child.deadline => Ok(None),
            Ok(None) => {
                let is_busy = child.is_busy;
                self.end(registry);
                if is_busy { Err(io::ErrorKind::TimedOut.into()) } else { Ok(None) }
            }
            Err(error) => {
                let is_busy = child.is_busy;
                self.end(registry);
                if is_busy { Err(error) } else { Ok(None) }
            }
        }
    }

    /// When [`Writer::drive`] is due at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        self.child.as_ref().map(|child| child.deadline)
    }

    /// The process id of the child, while there is one.
    pub fn child_id(&self) -> Option<u32> {
        self.child.as_ref()?.process.as_ref().map(std::process::Child::id)
    }

    fn start(&self, registry: &Registry, now: Instant) -> io::Result<Running> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let directory = self.directory.handle.try_clone()?;
        let process = Command::new(&self.program)
            .arg(OsStr::new(ARGUMENT))
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(directory))
            .stderr(Stdio::null())
            // What the terminal tells the agent is not for the child.
            .process_group(0)
            .spawn()?;
        let mut child = Running {
            process: Some(process),
            socket: UnixStream::from_std(ours),
            sending: Vec::new(),
            received: Vec::new(),
            is_busy: false,
            deadline: now,
        };
        registry.register(&mut child.socket, self.token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(child)
    }

    /// Ends the child at once.
    fn end(&mut self, registry: &Registry) {
        if let Some(mut child) = self.child.take() {
            // Closing the descriptor does the same.
            let _ = registry.deregister(&mut child.socket);
            child.process.take().into_iter().for_each(bury);
        }
    }
}

impl Running {
    fn send(&mut self) -> io::Result<()> {
        while !self.sending.is_empty() {
            match self.socket.write(&self.sending) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => drop(self.sending.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // What was needed for one long message is given back.
        self.sending = Vec::new();
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Option<Outcome>> {
        let mut buffer = [0; 16 << 10];
        // One answer at most is on its way, as long as a file.
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.received.extend_from_slice(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let outcome = Outcome::decode(&mut self.received);
        outcome.map_err(|_| io::Error::other("garbled answer"))
    }
}

impl Drop for Running {
    /// What is being written is written to its end.
    fn drop(&mut self) {
        if !self.is_busy {
            self.process.take().into_iter().for_each(bury);
        }
    }
}
