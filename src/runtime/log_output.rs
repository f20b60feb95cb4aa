//! Log lines on standard error that never hold the loop, whoever reads them.
//!
//! `simple_logger` decides what is logged and makes the lines behind the time stamps, but it prints them with
//! `eprintln!`, which waits where nobody empties a pipe, and panics where its reader is gone or a disk is full. So while
//! it prints, standard error is a pipe of ours. The line is then passed on if that can be done at once, and otherwise
//! dropped; the next line that can be written is preceded by their number. A file is always said to be ready: a disk
//! that hangs is waited for.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

    /// What `simple_logger` makes of a record, behind the time. The pipe is empty before and after, and takes more than a line.
    fn line(&self, record: &Record<'_>) -> io::Result<Vec<u8>> {
        let mut message = record.args().to_string();
        cut(&mut message);
        let builder = &mut Record::builder();
        let builder = builder.metadata(record.metadata().clone());
        dup2_stderr(&self.writer)?;
        self.logger.log(&builder.args(format_args!("{message}")).build());
        dup2_stderr(&self.stderr)?;
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut line = stamp(since_epoch).into_bytes();
        let begin = line.len();
        line.resize(begin + 2 * LOG_MESSAGE_BYTES_MAX, 0);
        let length = (&self.reader).read(line.get_mut(begin..).unwrap_or_default())?;
        line.truncate(begin + length);
        Ok(line)
    }
}

/// `2024-02-29T23:59:59.123Z `, in UTC.
fn stamp(since_epoch: Duration) -> String {
    let seconds = since_epoch.as_secs();
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let milliseconds = since_epoch.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z ")
}

/// Year, month and day that are so many days after 1970-01-01, by years that begin in March so that the leap day comes
/// last: [`civil_from_days`](https://howardhinnant.github.io/date_algorithms.html#civil_from_days).
fn date(days: u64) -> (u64, u64, u64) {
    // 719,468 days lie between 0000-03-01 and 1970-01-01; the calendar repeats itself after 146,097.
    let (centuries, day) = ((days + 719_468) / 146_097, (days + 719_468) % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let year = year + centuries * 400;
    if month < 10 { (year, month + 3, day_of_month) } else { (year + 1, month - 9, day_of_month) }
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
    fn a_stamp_is_utc_with_milliseconds() {
        for (milliseconds, text) in [
            (0, "1970-01-01T00:00:00.000Z "),
            (784_111_777_049, "1994-11-06T08:49:37.049Z "),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z "),
            (2_147_483_648_001, "2038-01-19T03:14:08.001Z "),
            (253_402_300_799_500, "9999-12-31T23:59:59.500Z "),
        ] {
            assert_eq!(stamp(Duration::from_millis(milliseconds)), text);
        }
    }

    #[test]
    fn every_day_of_400_years_follows_the_one_before() {
        let mut expected = (1970, 1, 1);
        for days in 0..146_097 {
            assert_eq!(date(days), expected);
            let (year, month, day) = expected;
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 => 28 + u64::from(is_leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            expected = match (month, day == last) {
                (_, false) => (year, month, day + 1),
                (12, true) => (year + 1, 1, 1),
                (_, true) => (year, month + 1, 1),
            };
        }
        assert_eq!(expected, (2370, 1, 1));
    }

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
