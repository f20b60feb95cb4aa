//! Names become addresses in a child process, because the C library's resolver waits for its servers.
//!
//! The child is this program again, with a hidden argument: `chouette-iot __resolve api.datadoghq.com 443`. It
//! prints one address a line, or what went wrong:
//!
//! ```text
//! 3.233.158.24:443                      error Name or service not known
//! [2600:1f18:63f7:b900::1]:443
//! ```
//!
//! So `/etc/hosts`, search domains and `ndots` count as for any other program, and a dead name server costs a
//! deadline instead of the loop. Nothing is cached: a connection that lives needs no address.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::time::{Duration, Instant};

use mio::{Registry, Token};

use super::child::{Child, Received, Spawn};
use crate::limits::{ADDRESSES_MAX, RESOLVE_S, RESOLVER_ANSWER_BYTES_MAX};

/// Where this program is, also after its file was replaced.
pub const THIS_PROGRAM: &str = "/proc/self/exe";

const ARGUMENT: &str = "__resolve";
/// Variables that the C library's resolver reads.
const ENVIRONMENT: [&str; 2] = ["LOCALDOMAIN", "RES_OPTIONS"];

/// A look-up under way.
#[derive(Debug)]
pub struct Lookup {
    child: Child,
    host: String,
    answer: Vec<u8>,
    deadline: Instant,
}

/// Why a name has no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResolveError {
    /// The resolver's answer.
    Refused {
        /// The name.
        host: String,
        /// The resolver's words.
        what: String,
    },
    /// The child could not be run or said nothing sensible.
    Child {
        /// The name.
        host: String,
        /// What happened.
        what: String,
    },
    /// The deadline passed.
    TimedOut {
        /// The name.
        host: String,
    },
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResolveError::Refused { host, what } => write!(f, "name {host}: {what}"),
            ResolveError::Child { host, what } => {
                write!(f, "name {host}: resolver process: {what}")
            }
            ResolveError::TimedOut { host } => {
                write!(f, "name {host}: no answer within {RESOLVE_S} s")
            }
        }
    }
}

impl std::error::Error for ResolveError {}

impl Lookup {
    /// Starts a look-up; `program` is [`THIS_PROGRAM`] outside tests. Its answer is reported under `token`.
    pub fn start(
        host: &str,
        port: u16,
        program: &Path,
        token: Token,
        registry: &Registry,
        now: Instant,
    ) -> Result<Lookup, ResolveError> {
        let port = port.to_string();
        let passed: Vec<(&str, OsString)> =
            ENVIRONMENT.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))).collect();
        let environment: Vec<(&str, &OsStr)> =
            passed.iter().map(|(name, value)| (*name, value.as_os_str())).collect();
        let spawn = Spawn {
            program,
            arguments: &[OsStr::new(ARGUMENT), OsStr::new(host), OsStr::new(&port)],
            environment: &environment,
            inherit_stderr: false,
        };
        let child = Child::spawn(spawn, token, registry).map_err(|error| ResolveError::Child {
            host: host.to_owned(),
            what: not_started(program, &error),
        })?;
        let deadline = now + Duration::from_secs(RESOLVE_S);
        Ok(Lookup { child, host: host.to_owned(), answer: Vec::new(), deadline })
    }

    /// Goes on; `None` while there is no answer. Call it on readiness of the token and at the deadline.
    pub fn drive(&mut self, now: Instant) -> Option<Result<Vec<SocketAddr>, ResolveError>> {
        match self.child.receive(&mut self.answer, RESOLVER_ANSWER_BYTES_MAX) {
            Err(error) => Some(Err(self.broken(&error.to_string()))),
            Ok(_) if self.answer.len() >= RESOLVER_ANSWER_BYTES_MAX => {
                Some(Err(self.broken("answer too long")))
            }
            Ok(Received::Closed) => Some(self.addresses()),
            Ok(Received::More) => None,
            Ok(Received::Drained) if now >= self.deadline => {
                Some(Err(ResolveError::TimedOut { host: self.host.clone() }))
            }
            Ok(Received::Drained) => None,
        }
    }

    /// When [`Lookup::drive`] is due at the latest.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Ends the look-up, answered or not.
    pub fn close(self, registry: &Registry) {
        self.child.close(registry);
    }

    fn addresses(&self) -> Result<Vec<SocketAddr>, ResolveError> {
        let answer = String::from_utf8_lossy(&self.answer);
        if let Some(what) = answer.strip_prefix("error ") {
            let what = what.lines().next().unwrap_or_default().to_owned();
            return Err(ResolveError::Refused { host: self.host.clone(), what });
        }
        let addresses: Option<Vec<SocketAddr>> = answer.lines().map(|line| line.parse().ok()).collect();
        match addresses {
            Some(addresses) if addresses.is_empty() => Err(self.broken("no answer")),
            Some(addresses) => Ok(alternate(addresses)),
            None => Err(self.broken("unreadable answer")),
        }
    }

    fn broken(&self, what: &str) -> ResolveError {
        ResolveError::Child { host: self.host.clone(), what: what.to_owned() }
    }
}

/// Names the file: where `/proc` or `/dev` is not mounted, `not found` alone would puzzle.
fn not_started(program: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("needs {} and /dev/null: {error}", program.display()),
        _ => format!("{}: {error}", program.display()),
    }
}

/// The address that `host` is, where it is one; brackets around an IPv6 address are allowed.
pub fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

/// To be called first in `main`: where this process is the child of a look-up, answers it and returns true, and the
/// process is to end.
pub fn answered_as_child() -> bool {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|argument| argument != ARGUMENT) {
        return false;
    }
    let (host, port) = (arguments.next().unwrap_or_default(), arguments.next().unwrap_or_default());
    let answer = match port.to_str().and_then(|port| port.parse().ok()) {
        Some(port) => child_main(&host.to_string_lossy(), port),
        None => "error bad port\n".to_owned(),
    };
    // Where nobody listens any more there is nobody to tell.
    let _ = std::io::stdout().write_all(answer.as_bytes());
    true
}

/// The answer of the child. It waits as long as the C library does.
fn child_main(host: &str, port: u16) -> String {
    match (host, port).to_socket_addrs() {
        Ok(addresses) => addresses.take(ADDRESSES_MAX).map(|address| format!("{address}\n")).collect(),
        Err(error) => {
            let text = error.to_string();
            // The standard library puts its own words in front of the C library's.
            let what =
                text.rsplit_once("lookup address information: ").map_or(text.as_str(), |(_, what)| what);
            format!("error {}\n", what.replace(['\n', '\r'], " "))
        }
    }
}

/// Lets the families take turns, beginning with the resolver's first choice, as RFC 8305 asks: where one of them
/// leads nowhere, the second attempt already goes the other way.
fn alternate(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v4 = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().take(ADDRESSES_MAX).partition(|address| address.is_ipv4() == first_is_v4);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut mixed = Vec::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return mixed;
        }
        mixed.extend(pair.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals() {
        assert_eq!(literal("127.0.0.1"), Some("127.0.0.1".parse().unwrap()));
        assert_eq!(literal("::1"), literal("[::1]"));
        assert!(literal("::1").is_some());
        for name in ["", "localhost", "127.1", "[127.0.0.1", "1.2.3.4.5"] {
            assert_eq!(literal(name), None, "{name}");
        }
    }

    #[test]
    fn families_take_turns() {
        let parse =
            |text: &str| -> Vec<SocketAddr> { text.split(' ').map(|one| one.parse().unwrap()).collect() };
        assert_eq!(
            alternate(parse("[::1]:1 [::2]:1 [::3]:1 1.1.1.1:1 2.2.2.2:1")),
            parse("[::1]:1 1.1.1.1:1 [::2]:1 2.2.2.2:1 [::3]:1")
        );
        assert_eq!(alternate(parse("1.1.1.1:1 [::1]:1")), parse("1.1.1.1:1 [::1]:1"));
        assert_eq!(alternate(vec![]), vec![]);
    }

    #[test]
    fn the_child_answers_with_addresses() {
        assert_eq!(child_main("127.0.0.1", 80), "127.0.0.1:80\n");
        assert_eq!(child_main("::1", 80), "[::1]:80\n");
        assert!(child_main("a\0b", 80).starts_with("error "));
    }
}
