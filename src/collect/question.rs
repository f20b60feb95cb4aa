//! What a collector may ask the world for, and what comes back: collectors wait for nothing themselves.

use super::{Gauge, HostFiles};
use crate::protocol::{http, redis};

/// What a collector asks for.
#[derive(Debug)]
pub enum Question {
    /// One exchange with the plugin's own server; several may be asked at once and are answered in any
    /// order. Answered by [`Reply::Http`] within the time an exchange may take.
    Http {
        /// The request; the server is the one that the configuration names for the plugin.
        request: http::Request,
        /// A larger body is refused.
        body_bytes_max: usize,
    },
    /// Commands for the agent's own Redis. Answered by [`Reply::Redis`].
    Redis(redis::Request),
    /// Keep this program running from now on; one that ends is started again, with growing waits. Its output
    /// comes as [`Reply::Line`]s, its end as [`Reply::Ended`]. Asking again for the same changes nothing.
    Run(Program),
    /// Kill the program and start it anew at once.
    Restart,
}

/// A program to be kept running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Path of the executable.
    pub path: String,
    /// Its arguments. Its environment is empty.
    pub args: Vec<String>,
}

/// What a question led to.
#[derive(Debug)]
pub enum Reply {
    /// The answer of the server, whatever its status, or why there is none.
    Http(Result<http::Response, String>),
    /// The replies to the commands, in order, or why there are none. A refusal is a reply.
    Redis(Result<Vec<redis::Value>, String>),
    /// A line of the program's output without its end; too long ones are cut.
    Line(Vec<u8>),
    /// The program could not be started, or has ended; it will be started again.
    Ended(String),
}

/// A reading under way: what a collector sees, and where it puts what it found.
pub struct Reading<'a> {
    /// The board's files.
    pub files: &'a dyn HostFiles,
    /// Readings, stamped with the time of the call.
    pub gauges: Vec<Gauge>,
    /// Questions with a number of the collector's choice that comes back with the reply.
    pub questions: Vec<(u32, Question)>,
}

impl<'a> Reading<'a> {
    /// A reading without gauges and questions.
    pub fn new(files: &'a dyn HostFiles) -> Reading<'a> {
        Reading { files, gauges: Vec::new(), questions: Vec::new() }
    }

    /// Asks for something.
    pub fn ask(&mut self, ticket: u32, question: Question) {
        self.questions.push((ticket, question));
    }
}
