//! Signals as events of the loop: a handler sets a flag and writes a byte into a pipe.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::{flag, low_level::pipe};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM, SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
    /// SIGUSR1.
    ReleaseNow,
    /// SIGCHLD.
    ChildEnded,
}

/// The signals the program listens to. Process 1 of a container gets only signals that it handles, so
/// these work there too.
pub struct Signals {
    pipe: UnixStream,
    flags: Vec<(Signal, Arc<AtomicBool>)>,
}

impl Signals {
    /// Installs the handlers.
    ///
    /// # Errors
    /// The pipe or a handler could not be made.
    pub fn install(registry: &Registry, token: Token) -> io::Result<Signals> {
        let (mut pipe, writer) = UnixStream::pair()?;
        registry.register(&mut pipe, token, Interest::READABLE)?;
        let wanted = [
            (SIGTERM, Signal::Stop),
            (SIGINT, Signal::Stop),
            (SIGHUP, Signal::Reload),
            (SIGUSR1, Signal::ReleaseNow),
            (SIGCHLD, Signal::ChildEnded),
        ];
        let writer = std::os::unix::net::UnixStream::from(std::os::fd::OwnedFd::from(writer));
        let mut flags = Vec::new();
        for (number, signal) in wanted {
            let raised = Arc::new(AtomicBool::new(false));
            // The flag first: when the byte arrives it is set.
            flag::register(number, Arc::clone(&raised))?;
            pipe::register(number, writer.try_clone()?)?;
            flags.push((signal, raised));
        }
        Ok(Signals { pipe, flags })
    }

    /// What was asked for since the last call.
    pub fn take(&mut self) -> Vec<Signal> {
        let mut bytes = [0; 64];
        while matches!(self.pipe.read(&mut bytes), Ok(n) if n > 0) {}
        self.flags
            .iter()
            .filter(|(_, raised)| raised.swap(false, Ordering::SeqCst))
            .map(|(signal, _)| *signal)
            .collect()
    }
}
