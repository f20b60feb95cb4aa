//! A program that is kept running, and its output cut into lines.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Instant;

use mio::{Registry, Token};

use crate::collect::{Program, Reply};
use crate::limits::{
    PROGRAM_BACKOFF_S, PROGRAM_BYTES_PER_TURN, PROGRAM_LINE_BYTES_MAX, PROGRAM_OUTPUT_BYTES_MAX,
};
use crate::release::{Backoff, Random};
use crate::runtime::child::{Child, Received, Spawn};

pub(super) struct Runner {
    token: Token,
    wanted: Option<Program>,
    ticket: u32,
    child: Option<Child>,
    start_at: Option<Instant>,
    backoff: Backoff,
    random: Random,
    line: Vec<u8>,
    /// The line is too long: what follows to its end is dropped.
    skipping: bool,
    /// Output since [`Runner::keep`] was last called.
    output_bytes: usize,
    more: bool,
}

impl Runner {
    pub fn new(token: Token) -> Runner {
        Runner {
            token,
            wanted: None,
            ticket: 0,
            child: None,
            start_at: None,
            backoff: Backoff::new(PROGRAM_BACKOFF_S),
            random: Random::new(token.0 as u64),
            line: Vec::new(),
            skipping: false,
            output_bytes: 0,
            more: false,
        }
    }

    /// Wants this program to run from now on.
    pub fn keep(&mut self, program: Program, ticket: u32, now: Instant) {
        self.output_bytes = 0;
        self.ticket = ticket;
        if self.wanted.as_ref() != Some(&program) {
            self.wanted = Some(program);
            self.restart(now);
        }
    }

    /// Ends what runs and starts it anew.
    pub fn restart(&mut self, now: Instant) {
        self.stop();
        self.start_at = self.wanted.as_ref().map(|_| now);
    }

    pub fn drive(&mut self, registry: &Registry, now: Instant, tell: &mut impl FnMut(u32, Reply)) {
        self.more = false;
        if self.start_at.is_some_and(|at| at <= now) {
            self.start(registry, now, tell);
        }
        let Some(child) = &mut self.child else { return };
        let mut bytes = Vec::new();
        let received = child.receive(&mut bytes, PROGRAM_BYTES_PER_TURN);
        self.output_bytes += bytes.len();
        if !bytes.is_empty() {
            self.backoff.succeeded();
        }
        self.cut(&bytes, tell);
        match received {
            _ if self.output_bytes > PROGRAM_OUTPUT_BYTES_MAX => {
                self.ended("it prints without end", now, tell)
            }
            Ok(Received::Drained) => {}
            Ok(Received::More) => self.more = true,
            Ok(Received::Closed) => self.ended("it has ended", now, tell),
            Err(error) => self.ended(&error.to_string(), now, tell),
        }
    }

    pub fn has_more(&self) -> bool {
        self.more
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.start_at
    }

    fn start(&mut self, registry: &Registry, now: Instant, tell: &mut impl FnMut(u32, Reply)) {
        self.start_at = None;
        let Some(program) = &self.wanted else { return };
        let arguments: Vec<&OsStr> = program.args.iter().map(OsStr::new).collect();
        let path = Path::new(&program.path);
        let spawn = Spawn { program: path, arguments: &arguments, environment: &[], inherit_stderr: false };
        match Child::spawn(spawn, self.token, registry) {
            Ok(child) => self.child = Some(child),
            Err(error) => self.ended(&format!("cannot start {}: {error}", path.display()), now, tell),
        }
    }

    /// Dropping the child kills it, and it is collected when it is dead.
    fn stop(&mut self) {
        self.child = None;
        self.line.clear();
        self.skipping = false;
        self.more = false;
    }

    fn ended(&mut self, reason: &str, now: Instant, tell: &mut impl FnMut(u32, Reply)) {
        self.stop();
        self.output_bytes = 0;
        self.start_at = Some(now + self.backoff.failed(&mut self.random));
        tell(self.ticket, Reply::Ended(reason.to_owned()));
    }

    fn cut(&mut self, bytes: &[u8], tell: &mut impl FnMut(u32, Reply)) {
        let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            let room = PROGRAM_LINE_BYTES_MAX - self.line.len().min(PROGRAM_LINE_BYTES_MAX);
            if !self.skipping {
                self.line.extend(piece.iter().take(room));
            }
            let is_complete = pieces.peek().is_some();
            let is_too_long = !self.skipping && piece.len() > room;
            if (is_complete && !self.skipping) || is_too_long {
                tell(self.ticket, Reply::Line(std::mem::take(&mut self.line)));
            }
            self.skipping = !is_complete && (self.skipping || is_too_long);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut runner, mut out) = (Runner::new(Token(1)), Vec::new());
        for piece in pieces {
            runner.cut(piece, &mut |_, reply| match reply {
                Reply::Line(line) => out.push(line),
                other => panic!("{other:?}"),
            });
        }
        out
    }

    #[test]
    fn lines_are_the_same_however_output_is_cut() {
        assert_eq!(lines(&[b"a\nbc\n\nd"]), [&b"a"[..], b"bc", b""]);
        assert_eq!(lines(&[b"a", b"\n", b"b", b"c\n", b"\nd", b""]), [&b"a"[..], b"bc", b""]);
    }

    #[test]
    fn a_line_without_end_is_cut_once() {
        let long = vec![b'x'; PROGRAM_LINE_BYTES_MAX + 1];
        assert_eq!(lines(&[&long, &long, b"tail\nnext\n"]), [&long[1..], b"next"]);
        assert_eq!(lines(&[&long[1..], b"\n"]), [&long[1..]], "just as long as it may be");
    }

    /// What comes back while `program` is kept for so many turns of a loop with a clock of its own.
    fn keep(path: &str, turns: usize) -> (Vec<Reply>, Vec<f64>) {
        let poll = mio::Poll::new().unwrap();
        let mut runner = Runner::new(Token(1));
        let (mut replies, mut waits) = (Vec::new(), Vec::new());
        let mut now = Instant::now();
        runner.keep(Program { path: path.to_owned(), args: Vec::new() }, 7, now);
        for _ in 0..turns {
            let before = replies.len();
            runner.drive(poll.registry(), now, &mut |ticket, reply| {
                assert_eq!(ticket, 7);
                replies.push(reply);
            });
            if replies[before..].iter().any(|reply| matches!(reply, Reply::Ended(_))) {
                let at = runner.deadline().unwrap();
                waits.push((at - now).as_secs_f64());
                now = at;
            }
        }
        (replies, waits)
    }

    #[test]
    fn a_program_that_prints_without_end_is_started_anew_after_a_wait() {
        let mut turns = 1_000;
        let (replies, waits) = loop {
            let (replies, waits) = keep("/usr/bin/yes", turns);
            if !waits.is_empty() {
                break (replies, waits);
            }
            turns *= 4;
        };
        let first_end = replies.iter().position(|reply| matches!(reply, Reply::Ended(_))).unwrap();
        assert!(
            matches!(&replies[first_end], Reply::Ended(why) if why == "it prints without end"),
            "{:?}",
            replies[first_end]
        );
        // `y` and the end of the line, each a reply.
        let printed_bytes = 2 * first_end;
        let most_bytes = PROGRAM_OUTPUT_BYTES_MAX + PROGRAM_BYTES_PER_TURN + 4096;
        assert!((PROGRAM_OUTPUT_BYTES_MAX..=most_bytes).contains(&printed_bytes), "{printed_bytes}");
        assert!((PROGRAM_BACKOFF_S.0 / 2.0..=PROGRAM_BACKOFF_S.0).contains(&waits[0]), "{waits:?}");
    }

    #[test]
    fn waits_grow_to_their_bound() {
        let (_, waits) = keep("/nonexistent/program", 20);
        assert_eq!(waits.len(), 20);
        assert!(waits.iter().all(|wait| *wait <= PROGRAM_BACKOFF_S.1), "{waits:?}");
        assert!(waits[10..].iter().all(|wait| *wait >= PROGRAM_BACKOFF_S.1 / 2.0), "{waits:?}");
    }
}
