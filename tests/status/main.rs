//! `chouette-iot status` and the agent that it asks: the real binary on both sides of the socket.
#![allow(clippy::unwrap_used)]

mod content;
mod crowd;
mod faults;
mod places;
#[path = "../support/mod.rs"]
mod support;
mod verdict;
mod view;

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::agent::{self, Agent, Env};
use support::behaviour::Behaviour;
use support::bench::Bench;
use support::intake::Request;
use support::json::{self, Value};
use support::temp::TempDir;
use support::{SOON, wait_until};

/// Redis, an intake, and a place for the socket.
struct Scene {
    bench: Bench,
    dir: TempDir,
}

impl Scene {
    /// None where there is no Redis.
    fn new(script: impl FnMut(&Request) -> Behaviour + Send + 'static) -> Option<Scene> {
        Some(Scene { bench: Bench::new(script)?, dir: TempDir::new() })
    }

    fn socket(&self) -> PathBuf {
        self.dir.join("status.sock")
    }

    fn env(&self, changes: &[(&str, &str)]) -> Env {
        let socket = self.socket().display().to_string();
        agent::with(self.bench.env_with(&[("STATUS_SOCKET", &socket)]), changes)
    }

    /// An agent that answers.
    fn run(&self, changes: &[(&str, &str)]) -> Agent {
        let agent = Agent::run(&self.env(changes));
        assert!(wait_until(SOON, || listens(&self.socket())), "{}", agent.stderr());
        agent
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        ask(&self.socket().display().to_string(), arguments)
    }

    /// The document, whatever the verdict.
    fn document(&self) -> Value {
        document(&self.ask(&["--json"]))
    }

    /// Waits until the document fits.
    fn comes(&self, fits: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let there = wait_until(SOON, || {
            last = self.document();
            fits(&last)
        });
        assert!(there, "{}", miniserde::json::to_string(&last));
        last
    }
}

/// Whether somebody can connect: the file is there a moment before that.
fn listens(socket: &Path) -> bool {
    UnixStream::connect(socket).is_ok()
}

/// `chouette-iot status`, with nothing but the socket in its environment.
fn ask(socket: &str, arguments: &[&str]) -> Output {
    let mut words = agent::program();
    let mut command = Command::new(words.remove(0));
    command.args(words).arg("status").args(arguments).env_clear().env("STATUS_SOCKET", socket);
    command.output().unwrap()
}

fn document(output: &Output) -> Value {
    let text = stdout(output);
    json::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}{}", stderr(output)))
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What stands at a path of names.
fn at<'a>(document: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(document, |value, name| json::get(value, name).unwrap_or(&Value::Null))
}

fn number(document: &Value, path: &[&str]) -> Option<f64> {
    json::number(Some(at(document, path)))
}

fn text<'a>(document: &'a Value, path: &[&str]) -> Option<&'a str> {
    json::text(Some(at(document, path)))
}

fn flag(document: &Value, path: &[&str]) -> bool {
    matches!(at(document, path), Value::Bool(true))
}
