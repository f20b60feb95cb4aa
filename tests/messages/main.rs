//! Every message as a new user meets it: the real program, a mistake or a trouble, and the whole line that it says.
//!
//! The tables are to be read: does a line say what is wrong, where, and what to do?
#![allow(clippy::unwrap_used)]

mod command_line;
mod configuration;
mod env_file;
mod files;
mod network;
mod plugins;
mod proxies;
mod queue;
mod receiving;
mod rules;
#[path = "../support/mod.rs"]
mod support;

use support::agent::Agent;
use support::{SOON, wait_until};

/// What the test's key is; no line may hold it.
const SECRET: &str = "s3cret-word-of-the-test";
/// One mistake, and what stands before it.
const ONE: &str = "chouette-iot: 1 mistake in the configuration:\n  ";

/// Runs the program to its end with these arguments and variables, and no others: the exit code and what it wrote.
fn run(arguments: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut agent = Agent::spawn(arguments, &env);
    let code = agent.wait(SOON);
    (code, agent.stdout(), agent.stderr())
}

/// Runs a program that is to refuse its work: its words, all on standard error. A secret is in none of them.
fn refusal(arguments: &[&str], env: &[(&str, &str)]) -> String {
    let (code, stdout, stderr) = run(arguments, env);
    assert_eq!((code, &*stdout), (Some(2), ""), "{arguments:?} {env:?}: {stderr}");
    assert!(!stderr.contains(SECRET), "{stderr}");
    stderr
}

/// The warnings and errors of a log, without time and place. One of several lines is one.
fn said(log: &str) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for line in log.lines() {
        let entry = line.split_once("Z ").filter(|(time, _)| time.starts_with('2') && time.len() == 23);
        match entry.and_then(|(_, rest)| rest.split_once(" [")) {
            Some((level, rest)) => {
                let text = rest.split_once("] ").map_or(rest, |(_, text)| text);
                said.push(format!("{} {text}", level.trim()));
            }
            None => said.last_mut().unwrap().extend(["\n", line]),
        }
    }
    said.retain(|entry| entry.starts_with("WARN ") || entry.starts_with("ERROR "));
    said
}

/// Waits until an agent has said just this.
fn says(agent: &Agent, entry: &str) {
    let is_said = wait_until(SOON, || said(&agent.stderr()).iter().any(|one| one == entry));
    assert!(is_said, "not said: {entry}\nbut: {:#?}", said(&agent.stderr()));
    assert!(!agent.stderr().contains(SECRET), "{}", agent.stderr());
}
