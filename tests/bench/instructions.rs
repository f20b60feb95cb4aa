//! Instructions that the agent executes for 1,000 records and for 1,000 series: callgrind counts them, so that the
//! figure is nearly the same on every machine, however busy.
//!
//! Differences of whole runs of `run --once`, so that start and end do not count. Aggregation: a run over raw records
//! whose release the intake refuses, less a run over the series which that left. Release: a run over wrapped records,
//! less one with nothing to do.

use crate::load::{self, Order};
use crate::settings::Settings;
use crate::support::agent::{Agent, Env};
use crate::support::behaviour::status;
use crate::support::bench::Bench;
use crate::support::queues::{RAW, WRAPPED};
use crate::support::{PATIENT, find_program, repository};
use crate::table::Samples;
use std::process::Command;

const RECORDS: usize = 20_000;
const SERIES: usize = 10_000;
/// The lease on Redis lasts as long, and under valgrind everything is slow.
const BUCKET_S: usize = 60;
const FILE: &str = "tests/bench/instructions";
/// A figure that is this many times the committed one fails.
const WORSE_MAX: f64 = 1.05;

/// Measures, and compares with the committed figures or writes them; false when one is worse.
pub fn check(settings: &Settings) -> bool {
    let mut agrees = true;
    let mut lines = String::new();
    let known = std::fs::read_to_string(repository(FILE)).unwrap_or_default();
    for (name, what, counts) in [
        ("aggregate", "1,000 records", aggregation(settings)),
        ("release", "1,000 series", release(settings)),
    ] {
        let measured = counts.least();
        let spread = (counts.greatest() - measured) / measured * 100.0;
        let committed = known.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        let ratio = committed.map_or(f64::NAN, |committed| measured / committed);
        println!(
            "{name}: {measured:.0} instructions for {what}, spread {spread:.2} % over {} runs, {ratio:.3} × committed",
            counts.0.len()
        );
        lines.push_str(&format!("{name} {measured:.0}\n"));
        let is_worse = ratio.is_nan() || ratio > WORSE_MAX;
        if is_worse && !settings.write {
            println!("{name}: more than {WORSE_MAX} × what {FILE} says, {}", committed.unwrap_or_default());
            agrees = false;
        }
    }
    if settings.write {
        std::fs::write(repository(FILE), lines).unwrap();
    }
    agrees
}

fn aggregation(settings: &Settings) -> Samples {
    let Some(bench) = Bench::new(|_| status(503)) else { return Samples::default() };
    load::raw_by(&bench.redis, "records", RECORDS, Order::Random, BUCKET_S);
    let env = bench.env_with(&[("AGGREGATE_INTERVAL", &BUCKET_S.to_string())]);
    let counts = (0..settings.rounds).map(|_| {
        load::stage(&bench.redis, "records", RAW);
        let whole = instructions(settings, &env, 1);
        let release = instructions(settings, &env, 1);
        load::remove(&mut bench.redis.client(), WRAPPED);
        (whole - release) / (RECORDS as f64 / 1e3)
    });
    Samples(counts.collect())
}

fn release(settings: &Settings) -> Samples {
    let Some(bench) = Bench::new(|_| status(202)) else { return Samples::default() };
    load::wrapped(&bench.redis, "queue", 400, SERIES / 400);
    let env = bench.env_with(&[("AGGREGATE_INTERVAL", &BUCKET_S.to_string())]);
    let counts = (0..settings.rounds).map(|_| {
        let nothing = instructions(settings, &env, 0);
        load::stage(&bench.redis, "queue", WRAPPED);
        (instructions(settings, &env, 0) - nothing) / (SERIES as f64 / 1e3)
    });
    Samples(counts.collect())
}

/// What one `run --once` executes, which has to end with this code.
fn instructions(settings: &Settings, env: &Env, code: i32) -> f64 {
    let valgrind = find_program("valgrind").expect("valgrind is installed");
    let mut command = Command::new(valgrind);
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(&settings.binary);
    command.args(["run", "--once"]).env_clear().envs(env.iter().map(|(name, value)| (name, value)));
    let mut agent = Agent::start(&mut command);
    assert_eq!(agent.wait(PATIENT), Some(code), "{}", agent.stderr());
    // `==123== Collected : 4567`
    let errors = agent.stderr();
    let line = errors.lines().find_map(|line| line.split_once("Collected :"));
    line.and_then(|(_, count)| count.trim().parse().ok()).unwrap_or_else(|| panic!("no count:\n{errors}"))
}
