//! The benchmark: what a board pays for the agent, in one table.
//!
//! `tests/bench/run.sh` builds what this needs and runs it; `README.md` beside it tells what is measured and how.
#![allow(clippy::unwrap_used)]

mod aggregate;
mod dogstatsd;
mod instructions;
mod load;
mod minutes;
mod plot;
mod process;
mod release;
mod settings;
#[path = "../support/mod.rs"]
mod support;
mod table;

use settings::{Settings, USAGE};
use std::process::{Command, ExitCode};
use table::Table;

/// Set inside the network namespace that the whole benchmark runs in.
const INSIDE: &str = "CHOUETTE_BENCH_INSIDE";

fn main() -> ExitCode {
    let settings = match Settings::from_arguments() {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if std::env::var_os(INSIDE).is_none()
        && let Some(code) = enter_namespace()
    {
        return code;
    }
    if settings.instructions {
        return if instructions::check(&settings) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    measure(&settings);
    ExitCode::SUCCESS
}

/// Runs this program again in a network namespace with nothing but a loopback interface; none where that is impossible.
fn enter_namespace() -> Option<ExitCode> {
    const WAYS: [&[&str]; 2] = [&["--net"], &["--map-root-user", "--net"]];
    let command = |way: &[&str], script: &str| {
        let mut command = Command::new("unshare");
        command.args(way).args(["--", "sh", "-c", script, "sh"]);
        command
    };
    let way = WAYS.into_iter().find(|way| {
        command(way, "ip link set lo up 2>/dev/null").status().is_ok_and(|status| status.success())
    })?;
    let status = command(way, "ip link set lo up && exec \"$@\"")
        .arg(std::env::current_exe().ok()?)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .status()
        .ok()?;
    Some(ExitCode::from(status.code().map_or(1, |code| code as u8)))
}

/// A part of the benchmark, which adds its lines to the table.
type Part = fn(&Settings, &mut Table);

const PARTS: [(&str, Part); 8] = [
    ("start", release::start),
    ("aggregate", aggregate::orders),
    ("backlogs", |settings, table| plot::write(&aggregate::backlogs(settings, table))),
    ("peak", aggregate::peak),
    ("histogram", aggregate::histogram),
    ("release", release::release),
    ("dogstatsd", dogstatsd::dogstatsd),
    ("minutes", minutes::minutes),
];

fn measure(settings: &Settings) {
    let mut table = Table::default();
    for (name, part) in PARTS.iter().filter(|(name, _)| settings.wants(name)) {
        eprintln!("{name}");
        part(settings, &mut table);
    }
    println!("{}", table.render());
}
