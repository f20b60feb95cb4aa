//! `chouette-iot doctor` with the real binary: what it says of each link of the chain, sound or broken, and that each
//! piece of advice is given where it is due.
//!
//! Every secret here holds the word [`MARK`]: no output of any test may show it.
#![allow(clippy::unwrap_used)]

mod complete;
mod intake;
mod local;
mod network;
mod plugins;
mod redis;
mod start;
#[path = "../support/mod.rs"]
mod support;

use chouette_iot::doctor::Trouble;
use std::process::{Command, Output};
use support::agent;
use support::json::{self, Value};

/// Stands in every secret.
const MARK: &str = "hunter2";
const KEY: &str = "key-hunter2-0123456789abcdef";
/// `user:pr0xy-hunter2-pw` as it travels.
const BASIC: &str = "dXNlcjpwcjB4eS1odW50ZXIyLXB3";

/// Variables that lead nowhere, quickly: a test sets those that it is about.
const NOWHERE: [(&str, &str); 4] = [
    ("API_KEY", KEY),
    ("DATADOG_URL", "http://127.0.0.1:1/api"),
    ("DATADOG_LOGS_URL", "http://127.0.0.1:1"),
    ("REDIS_URL", "unix:///nowhere/redis.sock"),
];

/// What was said.
struct Told {
    code: Option<i32>,
    text: String,
    ok: bool,
    checks: Vec<Told1>,
}

/// What was said of one check.
#[derive(Debug)]
struct Told1 {
    name: String,
    state: String,
    detail: String,
    advice: String,
}

impl Told {
    fn of(output: &Output) -> Told {
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        let tree = json::parse(&text).unwrap_or_else(|error| panic!("{error}: {}", errors(output)));
        let word = |check: &Value, name| json::text(json::get(check, name)).unwrap_or_default().to_owned();
        let told = |check: &Value| Told1 {
            name: word(check, "name"),
            state: word(check, "state"),
            detail: word(check, "detail"),
            advice: word(check, "advice"),
        };
        let ok = matches!(json::get(&tree, "ok"), Some(Value::Bool(true)));
        let checks = json::items(json::get(&tree, "checks")).iter().map(told).collect();
        Told { code: output.status.code(), text, ok, checks }
    }

    fn check(&self, name: &str) -> &Told1 {
        self.checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("{name}: {}", self.text))
    }

    fn has(&self, name: &str) -> bool {
        self.checks.iter().any(|check| check.name == name)
    }

    /// That a check ended like this, with these words.
    fn expect(&self, name: &str, state: &str, detail: &str) -> &Told {
        let check = self.check(name);
        assert!(check.state == state && check.detail.contains(detail), "{name} {state} {detail}: {check:?}");
        if state == "good" || state == "skipped" {
            assert_eq!(check.advice, "", "{check:?}");
        }
        self
    }

    /// That a check has failed, and what to do about it.
    fn fails(&self, name: &str, detail: &str, trouble: Trouble) -> &Told {
        self.expect(name, "bad", detail).advises(name, trouble);
        assert_eq!((self.code, self.ok), (Some(1), false), "{}", self.text);
        self
    }

    /// That a check warns, and of what.
    fn warns(&self, name: &str, detail: &str, trouble: Trouble) -> &Told {
        self.expect(name, "warning", detail).advises(name, trouble)
    }

    fn advises(&self, name: &str, trouble: Trouble) -> &Told {
        let check = self.check(name);
        assert!(check.advice.starts_with(trouble.advice()), "{trouble:?}: {check:?}");
        self
    }
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The command with these variables and no others, those of [`NOWHERE`] as far as they are not among them.
fn set(command: &mut Command, vars: &[(&str, &str)]) {
    let others = NOWHERE.iter().filter(|(name, _)| vars.iter().all(|(known, _)| known != name));
    command
        .env_clear()
        .envs(others.copied())
        .envs(vars.iter().copied().filter(|(_, value)| !value.is_empty()));
}

/// Runs a command that runs the doctor, and looks for secrets in all it says.
fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &errors(&output);
    for secret in [MARK, BASIC] {
        assert!(!said.contains(secret), "a secret is told:\n{said}");
    }
    output
}

fn doctor(arguments: &[&str]) -> Command {
    let mut words = agent::program();
    let mut command = Command::new(words.remove(0));
    command.args(words).arg("doctor").args(arguments);
    command
}

/// What is told with these variables.
fn examine(vars: &[(&str, &str)]) -> Told {
    let mut command = doctor(&["--json"]);
    set(&mut command, vars);
    let output = run(&mut command);
    assert_eq!(errors(&output), "");
    Told::of(&output)
}

/// The same started by a program, which is given the doctor's command line at its end; it may set variables itself.
fn examine_by(program: &[&str], vars: &[(&str, &str)]) -> Told {
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).args(agent::program()).args(["doctor", "--json"]);
    set(&mut command, vars);
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    Told::of(&run(&mut command))
}

/// Starts what follows as a user without rights; none, after saying so, where that is not possible.
fn as_nobody() -> Option<Vec<&'static str>> {
    let words = vec!["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let works =
        Command::new(words[0]).args(&words[1..]).arg("true").status().is_ok_and(|status| status.success());
    if !works {
        support::skip("another user needs root and setpriv (util-linux)");
    }
    works.then_some(words)
}
