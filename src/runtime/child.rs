//! Child processes: their output arrives through a pipe in the loop, and none is ever left behind as a zombie.
//!
//! A child gets no standard input and only the environment it is given. Whatever becomes of a [`Child`], dropping
//! it is enough: a process that still runs is killed, and [`reap`] collects it once it is dead. Call [`reap`] when
//! `SIGCHLD` arrives, or on any turn of the loop. Not done here: deadlines, and killing what a child has started.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::limits::UNREAPED_CHILDREN_MAX;
use mio::unix::pipe;
use mio::{Interest, Registry, Token};

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Spawn<'a> {
    /// The program, looked up in `PATH` where it is a bare name.
    pub program: &'a Path,
    /// Its arguments.
    pub arguments: &'a [&'a OsStr],
    /// Its whole environment.
    pub environment: &'a [(&'a str, &'a OsStr)],
    /// Whether its standard error is ours; otherwise it is dropped.
    pub inherit_stderr: bool,
}

/// How a read ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// There is no more for now; readiness will be reported.
    Drained,
    /// The budget is used up: call again on the next turn, no readiness will be reported.
    More,
    /// The peer has ended the stream.
    Closed,
}

/// A running child and the pipe of its standard output.
#[derive(Debug)]
pub struct Child {
    /// `None` once its exit status is known.
    process: Option<std::process::Child>,
    stdout: pipe::Receiver,
}

impl Child {
    /// Starts a child whose output is reported under `token`.
    pub fn spawn(spawn: Spawn<'_>, token: Token, registry: &Registry) -> io::Result<Child> {
        if reap() >= UNREAPED_CHILDREN_MAX {
            return Err(io::Error::other("too many killed children have not ended"));
        }
        let mut process = Command::new(spawn.program)
            .args(spawn.arguments)
            .env_clear()
            .envs(spawn.environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(if spawn.inherit_stderr { Stdio::inherit() } else { Stdio::null() })
            .spawn()?;
        let Some(stdout) = process.stdout.take() else {
            bury(process);
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        // From here on the drop of `child` cleans up.
        let mut child = Child { process: Some(process), stdout: stdout.into() };
        child.stdout.set_nonblocking(true)?;
        registry.register(&mut child.stdout, token, Interest::READABLE)?;
        Ok(child)
    }

    /// Appends what the child has written, about `budget_bytes` at most.
    pub fn receive(&mut self, into: &mut Vec<u8>, budget_bytes: usize) -> io::Result<Received> {
        let mut buffer = [0; 4096];
        let mut received_bytes = 0;
        while received_bytes < budget_bytes {
            match self.stdout.read(&mut buffer) {
                Ok(0) => return Ok(Received::Closed),
                Ok(count) => {
                    received_bytes += count;
                    into.extend_from_slice(buffer.get(..count).unwrap_or_default());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Received::Drained);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Received::More)
    }

    /// The exit status, once the child has ended. It may end a moment after its output does.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let Some(process) = &mut self.process else {
            return Ok(None);
        };
        let status = process.try_wait()?;
        if status.is_some() {
            self.process = None;
        }
        Ok(status)
    }

    /// The process id, while the child has not been waited for.
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().map(std::process::Child::id)
    }

    /// Ends the child at once and takes its pipe out of the loop.
    pub fn close(mut self, registry: &Registry) {
        // Closing the descriptor does the same, so an error changes nothing.
        let _ = registry.deregister(&mut self.stdout);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            bury(process);
        }
    }
}

/// Collects the children that were dropped and have ended since; returns how many have not.
pub fn reap() -> usize {
    let mut graveyard = graveyard();
    // An error means that there is no such child any more.
    graveyard.retain_mut(|process| matches!(process.try_wait(), Ok(None)));
    graveyard.len()
}

/// Children that are killed and not yet collected. One list for the process, as the kernel has it, so that a drop
/// anywhere can reach it.
static GRAVEYARD: Mutex<Vec<std::process::Child>> = Mutex::new(Vec::new());

fn graveyard() -> MutexGuard<'static, Vec<std::process::Child>> {
    GRAVEYARD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends a process, and sees to it that it is collected.
pub(super) fn bury(mut process: std::process::Child) {
    // Fails only where the child has been waited for already.
    let _ = process.kill();
    if matches!(process.try_wait(), Ok(None)) {
        graveyard().push(process);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mio::{Events, Poll};

    use super::*;

    fn shell<'a>(arguments: &'a [&'a OsStr], environment: &'a [(&'a str, &'a OsStr)]) -> Spawn<'a> {
        Spawn { program: Path::new("/bin/sh"), arguments, environment, inherit_stderr: false }
    }

    /// Turns the loop until the child closes its output.
    fn output_of(child: &mut Child, poll: &mut Poll) -> Vec<u8> {
        let mut output = Vec::new();
        let mut events = Events::with_capacity(4);
        for _ in 0..100 {
            match child.receive(&mut output, 10).unwrap() {
                Received::Closed => return output,
                Received::More => {}
                Received::Drained => {
                    // Being interrupted is no failure.
                    let _ = poll.poll(&mut events, Some(Duration::from_secs(5)));
                }
            }
        }
        panic!("output never ended: {output:?}");
    }

    #[test]
    fn output_environment_and_status() {
        let mut poll = Poll::new().unwrap();
        let script = OsStr::new("echo \"$A-$HOME\"; cat; echo lost >&2; printf end; exit 3");
        let arguments = [OsStr::new("-c"), script];
        let environment = [("A", OsStr::new("b"))];
        let mut child = Child::spawn(shell(&arguments, &environment), Token(7), poll.registry()).unwrap();
        assert_eq!(output_of(&mut child, &mut poll), b"b-\nend");
        // The output ends when the process does, or just before.
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            std::thread::yield_now();
        };
        assert_eq!(status.code(), Some(3));
        assert_eq!(child.id(), None);
        child.close(poll.registry());
    }

    #[test]
    fn a_dropped_child_is_killed_and_reaped() {
        let poll = Poll::new().unwrap();
        let arguments = [OsStr::new("-c"), OsStr::new("exec sleep 1000")];
        let child = Child::spawn(shell(&arguments, &[]), Token(0), poll.registry()).unwrap();
        let entry = format!("/proc/{}", child.id().unwrap());
        assert!(Path::new(&entry).exists());
        drop(child);
        for _ in 0..10_000_000 {
            reap();
            if !Path::new(&entry).exists() {
                return;
            }
            std::thread::yield_now();
        }
        panic!("{entry} is still there");
    }

    #[test]
    fn a_missing_program_is_an_error() {
        let poll = Poll::new().unwrap();
        let spawn = Spawn {
            program: Path::new("/nonexistent/program"),
            arguments: &[],
            environment: &[],
            inherit_stderr: false,
        };
        let error = Child::spawn(spawn, Token(0), poll.registry()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
