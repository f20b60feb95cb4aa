//! What Redis is asked, as it happens: a connection that does nothing but `MONITOR`.

use super::redis::RedisServer;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

/// One command that Redis has carried out.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Seconds of the clock of this machine, whatever the agent takes the time to be.
    pub at_s: f64,
    /// The command and its arguments as Redis shows them: quoted, quotes within them escaped.
    pub text: String,
}

/// Records commands until it is dropped.
pub struct Monitor {
    stream: UnixStream,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Monitor {
    /// Begins to record; every later command is seen. Not for a server with a password.
    pub fn start(server: &RedisServer) -> Monitor {
        let mut stream = UnixStream::connect(server.socket()).unwrap();
        stream.write_all(b"MONITOR\r\n").unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "+OK");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                shared.lock().unwrap().extend(parse(&line));
            }
        });
        Monitor { stream, seen }
    }

    /// The commands so far that begin like this: words without quotes, whatever their case.
    pub fn commands(&self, words: &[&str]) -> Vec<Seen> {
        let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        let beginning = quoted.join(" ").to_lowercase();
        let begins = |seen: &&Seen| {
            seen.text.get(..beginning.len()).is_some_and(|text| text.to_lowercase() == beginning)
        };
        self.seen.lock().unwrap().iter().filter(begins).cloned().collect()
    }

    /// When commands that begin like this were carried out, from a time on.
    pub fn times_s(&self, words: &[&str], from_s: f64) -> Vec<f64> {
        self.commands(words).iter().map(|seen| seen.at_s).filter(|at_s| *at_s >= from_s).collect()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// `+1700000000.123456 [0 unix:/tmp/x] "ZCARD" "some:key"`
fn parse(line: &str) -> Option<Seen> {
    let (at, rest) = line.strip_prefix('+')?.split_once(' ')?;
    let (_, text) = rest.split_once("] ")?;
    Some(Seen { at_s: at.parse().ok()?, text: text.to_owned() })
}
