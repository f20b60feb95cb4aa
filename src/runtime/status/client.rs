//! `chouette-iot status`: asks the agent that runs on this machine.
//!
//! Ends with 0 where the pipeline advances (`--alive`: where a new start would not help), with 1 where it does not or
//! nobody answers. `--watch` asks again and again, also while nobody answers, until it is stopped or nobody reads what
//! it prints.

use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::poll::{PollTimeout, poll};

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
pub fn run(path: &str, question: Question) -> bool {
    let mut out = io::stdout();
    let Terminal { is_there, in_colour } = terminal::of_standard_output();
    let look = Look { is_coloured: in_colour, with_hour: question.watches };
    loop {
        let answer = ask(path).and_then(|document| shown(document, question, look));
        let (text, verdict) = match answer {
            Ok(answer) => answer,
            Err(problem) if question.watches => (format!("chouette-iot: {problem}\n"), false),
            Err(problem) => {
                let _ = writeln!(io::stderr(), "chouette-iot: {problem}");
                return false;
            }
        };
        let begin = if question.watches && is_there && !question.is_json { HOME } else { "" };
        let written = out.write_all((begin.to_owned() + &text).as_bytes()).and_then(|()| out.flush());
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
    let text = view::text(object, look);
    document.push('\n');
    Ok((if question.is_json { document } else { text }, verdict))
}

/// The document of the agent that answers for a path, or why there is none and what to do.
fn ask(path: &str) -> Result<String, String> {
    let name = address::stand_in(path);
    // Without waiting: an agent that hangs may have no room for another connection.
    let stream = mio::net::UnixStream::connect(path).or_else(|error| {
        let address = address::abstract_address(&name).ok();
        let stood_in = address.and_then(|address| mio::net::UnixStream::connect_addr(&address).ok());
        stood_in.filter(peer::is_trusted).ok_or_else(|| nobody(path, &error))
    })?;
    match read(UnixStream::from(OwnedFd::from(stream))) {
        Ok(document) if document.is_empty() => {
            Err(format!("the agent at {path} did not answer: too many ask, or it is another user's"))
        }
        Ok(document) => Ok(document),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(format!(
            "the agent at {path} did not answer within {ANSWER_S} s: it hangs, or is stopped; start it anew"
        )),
        Err(error) => Err(format!("the agent at {path} did not answer: {error}")),
    }
}

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
fn read(mut stream: UnixStream) -> io::Result<String> {
    let deadline = Instant::now() + Duration::from_secs(ANSWER_S);
    stream.set_nonblocking(false)?;
    let (mut document, mut chunk) = (Vec::new(), [0; 4096]);
    while document.len() <= DOCUMENT_BYTES_MAX {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => document.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    String::from_utf8(document).map_err(|_| io::ErrorKind::InvalidData.into())
}
