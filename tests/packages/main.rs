//! What stands in `cross/package`: that the services start, stop and are told how it goes, and that no file names
//! a variable, a field or a setting that is not there.
#![allow(clippy::unwrap_used)]

mod board;
mod env_file;
mod init;
mod install;
mod manifests;
mod notify;
mod scripts;
#[path = "../support/mod.rs"]
mod support;
mod unit;

use std::path::PathBuf;
use std::process::{Command, Output};

use support::{find_program, repository, skip};

/// A file of `cross/package`.
fn package(name: &str) -> PathBuf {
    repository("cross/package").join(name)
}

/// A command of a program, or none after saying that the test cannot run without it.
fn tool(name: &str) -> Option<Command> {
    let program = find_program(name);
    if program.is_none() {
        skip(&format!("{name} is not installed"));
    }
    program.map(Command::new)
}

/// Standard output and standard error, for a message.
fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
