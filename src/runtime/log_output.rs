//! Log lines on standard error that never hold the loop, whoever reads them.
//!
//! `simple_logger` decides what is logged and makes the lines, but it prints them with `eprintln!`, which waits
//! where nobody empties a pipe, and panics where its reader is gone or a disk is full. So while it prints, standard
//! error is a pipe of ours. The line is then passed on if that can be done at once, and otherwise dropped; the next
//! line that can be written is preceded by their number. A file is always said to be ready: a disk that hangs is
//! waited for.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicU64, Ordering};

use log::{Level, Log, Metadata, Record};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::dup2_stderr;
use simple_logger::SimpleLogger;

use crate::limits::LOG_MESSAGE_BYTES_MAX;

struct LogOutput {
    logger: SimpleLogger,
    stderr: File,
    reader: PipeReader,
    writer: PipeWriter,
    dropped: AtomicU64,
}

/// Logs through `logger` from now on.
///
/// # Errors
/// There is no pipe to be had, or the program logs already.
pub fn start(logger: SimpleLogger) -> io::Result<()> {
    let stderr = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    let (reader, writer) = io::pipe()?;
    let output = LogOutput { logger, stderr, reader, writer, dropped: AtomicU64::new(0) };
    log::set_boxed_logger(Box::new(output)).map_err(io::Error::other)
}

impl Log for LogOutput {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.logger.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let dropped = self.dropped.load(Ordering::Relaxed);
        let caught_up = dropped == 0 || {
            let builder = &mut Record::builder();
            let builder = builder.level(Level::Warn).target(module_path!());
            self.print(&builder.args(format_args!("{dropped} log lines dropped: nobody took them")).build())
        };
        if caught_up && self.print(record) {
            self.dropped.store(0, Ordering::Relaxed);
        } else {
            self.dropped.store(if caught_up { 1 } else { dropped + 1 }, Ordering::Relaxed);
        }
    }

    fn flush(&self) {}
}

impl LogOutput {
    /// Writes a line, unless that would have to wait or fails; true where it is written.
    fn print(&self, record: &Record<'_>) -> bool {
        self.is_ready() && self.line(record).is_ok_and(|line| (&self.stderr).write_all(&line).is_ok())
    }

    /// A pipe whose reader is gone is not.
    fn is_ready(&self) -> bool {
        let mut fds = [PollFd::new(self.stderr.as_fd(), PollFlags::POLLOUT)];
        let is_told = poll(&mut fds, PollTimeout::ZERO).is_ok_and(|count| count > 0);
        is_told && fds.iter().all(|fd| fd.revents() == Some(PollFlags::POLLOUT))
    }

    /// What `simple_logger` makes of a record. The pipe is empty before and after, and takes more than a line.
    fn line(&self, record: &Record<'_>) -> io::Result<Vec<u8>> {
        let mut message = record.args().to_string();
        cut(&mut message);
        let builder = &mut Record::builder();
        let builder = builder.metadata(record.metadata().clone());
        dup2_stderr(&self.writer)?;
        self.logger.log(&builder.args(format_args!("{message}")).build());
        dup2_stderr(&self.stderr)?;
        let mut line = vec![0; 2 * LOG_MESSAGE_BYTES_MAX];
        let length = (&self.reader).read(&mut line)?;
        line.truncate(length);
        Ok(line)
    }
}

/// Cuts a message to what fits a line.
fn cut(message: &mut String) {
    let end = (0..=LOG_MESSAGE_BYTES_MAX).rev().find(|at| message.is_char_boundary(*at));
    message.truncate(end.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_between_two_characters() {
        let mut message = format!("a{}", "ü".repeat(LOG_MESSAGE_BYTES_MAX));
        cut(&mut message);
        assert_eq!(message.len(), LOG_MESSAGE_BYTES_MAX - 1);
        let mut short = "short".to_owned();
        cut(&mut short);
        assert_eq!(short, "short");
    }
}
