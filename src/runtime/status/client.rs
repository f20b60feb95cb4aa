//! `chouette-iot status`: asks the agent that runs on this machine.
//!
//! Ends with 0 where the pipeline advances (`--alive`: where a new start would not help), with 1 where it does not or
//! nobody answers. `--watch` asks again and again, also while nobody answers, until it is stopped or nobody reads what
//! it prints.

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use mio::net::UnixStream;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{address, peer};
use crate::limits::status::{ANSWER_S, DOCUMENT_BYTES_MAX, WATCH_EVERY_S};
use crate::runtime::terminal::{self, Terminal};
use crate::status::Object;
use crate::status::view::{self, Look};

/// What is asked for.
#[derive(Clone, Copy)]
pub struct Question {
    /// The document as it is, instead of text.
    pub is_json: bool,
    /// Again and again.
    pub watches: bool,
    /// The verdict is whether a new start would help.
    pub alive: bool,
}

/// Cursor home, and everything after it away.
const HOME: &str = "\x1b[H\x1b[J";

/// Asks, prints, and tells whether the verdict is good.
#[inline(never)]
pub fn run(path: &str, question: Question) -> bool {
    let Terminal { is_there, in_colour } = terminal::of_standard_output();
    let look = Look { is_coloured: in_colour, with_hour: question.watches };
    loop {
        let (mut text, verdict) = match ask(path).and_then(|document| shown(document, question, look)) {
            Ok(answer) => answer,
            Err(problem) => {
                let text = ["chouette-iot: ", &problem, "\n"].concat();
                if !question.watches {
                    let _ = io::stderr().write_all(text.as_bytes());
                    return false;
                }
                (text, false)
            }
        };
        if question.watches && is_there && !question.is_json {
            text.insert_str(0, HOME);
        }
        // With the last line, all of it has gone out.
        let written = io::stdout().write_all(text.as_bytes());
        if !question.watches || written.is_err() {
            return verdict;
        }
        // Nothing is waited for but the time.
        let _ = poll(&mut [], PollTimeout::from((WATCH_EVERY_S * 1_000) as u16));
    }
}

/// The answer as it is printed, and the verdict.
fn shown(mut document: String, question: Question, look: Look) -> Result<(String, bool), String> {
    let object = Object::new(&document).map_err(|error| {
        format!("the answer of the agent cannot be read: {error}; is it of another version?")
    })?;
    let verdict = object.flag(if question.alive { "alive" } else { "advances" });
    if !question.is_json {
        return Ok((view::text(object, look), verdict));
    }
    document.push('\n');
    Ok((document, verdict))
}

/// The document of the agent that answers for a path, or why there is none and what to do.
#[inline(never)]
fn ask(path: &str) -> Result<String, String> {
    // Without waiting: an agent that hangs may have no room for another connection.
    let stream = match UnixStream::connect(path) {
        Ok(stream) => stream,
        Err(error) => stand_in(path).ok_or_else(|| nobody(path, &error))?,
    };
    let problem = match read(stream) {
        Ok(document) if !document.is_empty() => return Ok(document),
        Ok(_) => "too many ask, or it is another user's".to_owned(),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            return Err(format!(
                "the agent at {path} did not answer within {ANSWER_S} s: it hangs, or is stopped; start it anew"
            ));
        }
        Err(error) => error.to_string(),
    };
    Err(["the agent at ", path, " did not answer: ", &problem].concat())
}

/// The socket that stands in for a path, of an agent that may be trusted.
fn stand_in(path: &str) -> Option<UnixStream> {
    let address = address::abstract_address(&address::stand_in(path)).ok()?;
    let stream = UnixStream::connect_addr(&address).ok()?;
    peer::is_trusted(&stream).then_some(stream)
}

#[inline(never)]
fn nobody(path: &str, error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "ask as root, or as the user of the agent (sudo chouette-iot status)"
        }
        io::ErrorKind::WouldBlock => "it hangs, or is stopped; start it anew",
        _ => {
            "is it running, on this machine, as this user, with the same STATUS_SOCKET? (--env-file names its file)"
        }
    };
    format!("no agent answers at {path}: {error}; {advice}")
}

/// Reads to the end, within [`ANSWER_S`].
#[inline(never)]
fn read(mut stream: UnixStream) -> io::Result<String> {
    let deadline = Instant::now() + Duration::from_secs(ANSWER_S);
    let (mut document, mut chunk) = (Vec::new(), [0; 4096]);
    while document.len() <= DOCUMENT_BYTES_MAX {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::from(left.as_millis() as u16);
        if left.is_zero() || poll(&mut [PollFd::new(stream.as_fd(), PollFlags::POLLIN)], timeout) == Ok(0) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => document.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(error) => return Err(error),
        }
    }
    String::from_utf8(document).map_err(|_| io::ErrorKind::InvalidData.into())
}
