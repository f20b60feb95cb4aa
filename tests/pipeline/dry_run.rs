//! `run --once --dry-run`: everything but the sending.

use crate::support::agent::{API_KEY, Agent, Env, program};
use crate::support::behaviour::status;
use crate::support::queues::{LOGS, Sizes};
use crate::support::store::Store;
use crate::support::{SOON, json, repository, unix_now};
use crate::{Bench, complaints, push_ones, run_until_ready};

use std::fs::{self, File};
use std::process::{Command, Stdio};

const DRY_RUN: [&str; 3] = ["run", "--once", "--dry-run"];
const SAMPLES: usize = 300;

/// As somebody has it who only wants to see: no key.
fn env(bench: &Bench) -> Env {
    let mut env = bench.env_with(&[("COLLECTOR_PLUGINS", "host")]);
    env.retain(|(name, _)| name != "API_KEY");
    env
}

/// The exit code and the log of a dry run that prints there.
fn printing_to(output: impl Into<Stdio>, env: &Env) -> (Option<i32>, String) {
    let mut words = program();
    let mut command = Command::new(words.remove(0));
    command.args(words).args(DRY_RUN).env_clear().envs(env.iter().cloned());
    let ended = command.stdin(Stdio::null()).stdout(output).stderr(Stdio::piped()).spawn().unwrap();
    let ended = ended.wait_with_output().unwrap();
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

#[test]
fn the_first_command_of_the_readme_needs_nothing_but_the_program() {
    const PROGRAM: &str = "./target/release/chouette-iot";
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    let is_shown = |line: &&str| line.contains(PROGRAM) && line.contains("--dry-run");
    let (variables, words) = readme.lines().find(is_shown).unwrap().split_once(PROGRAM).unwrap();
    let env: Env = variables
        .split_whitespace()
        .map(|variable| variable.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut agent = Agent::spawn(&words.split_whitespace().collect::<Vec<_>>(), &env);
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    assert_eq!(complaints(&agent.stderr()), Vec::<&str>::new());
    let body = json::parse(agent.stdout().trim_end()).unwrap();
    let first = json::items(json::get(&body, "series"));
    let names: Vec<_> = first.iter().filter_map(|series| json::text(json::get(series, "metric"))).collect();
    assert!(names.contains(&"Chouette.host.memory.used"), "{names:?}");
}

#[test]
fn it_prints_what_the_next_run_sends() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let mut client = bench.redis.client();
    let left = bench.leave_series(20);
    push_ones(&mut client, "load", SAMPLES);
    // As an application may write it: on several lines.
    let log = "{\"message\": {\r\n  \"text\": \"a\\nb\"\n}}\n";
    client.push(LOGS, "log", Some(unix_now() as f64), Some(log.as_bytes()));

    let mut agent = Agent::spawn(&DRY_RUN, &env(&bench));
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    assert_eq!(complaints(&agent.stderr()), Vec::<&str>::new());
    assert_eq!(bench.intake.connection_count(), 0);
    let path = format!("{}/v1/series", bench.intake.url());
    assert!(agent.stderr().contains(&format!("not sent to {path}")), "{}", agent.stderr());

    let stdout = agent.stdout();
    assert!(stdout.ends_with('\n'));
    let bodies: Vec<json::Value> = stdout.lines().map(|line| json::parse(line).unwrap()).collect();
    let (metrics, logs): (Vec<_>, Vec<_>) =
        bodies.iter().partition(|body| json::get(body, "series").is_some());
    let ([metrics], [logs]) = (&metrics[..], &logs[..]) else {
        panic!("{stdout}");
    };
    let message = json::items(Some(logs)).first().and_then(|log| json::get(log, "message"));
    assert_eq!(json::text(message.and_then(|message| json::get(message, "text"))), Some("a\nb"));
    let series = json::items(json::get(metrics, "series"));
    let names: Vec<&str> =
        series.iter().filter_map(|series| json::text(json::get(series, "metric"))).collect();
    for name in left.iter().map(String::as_str).chain(["load", "Chouette.host.memory.used"]) {
        assert!(names.contains(&name), "{name}: {names:?}");
    }

    // All of it is still there: the lines are no more than a look at it.
    let Sizes { raw, claimed, wrapped } = client.sizes();
    assert_eq!((raw, claimed, client.size(LOGS)), (0, 0, 1));
    assert!(wrapped >= series.len(), "{wrapped} of {}", series.len());
    assert_eq!(client.holder(), None, "the lease is given back");

    let mut agent = Agent::run_once(&bench.env());
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    assert_eq!((client.sizes(), client.size(LOGS)), (Sizes::EMPTY, 0));
    let requests = bench.intake.requests();
    assert_eq!(requests.iter().filter(|request| request.path.contains("/v1/input")).count(), 1);
    let metrics: Vec<_> =
        requests.into_iter().filter(|request| request.path.contains("/v1/series")).collect();
    assert!(stdout.lines().any(|line| line == metrics[0].text), "byte for byte what was shown");
    let store = Store::acknowledged(&metrics);
    assert!(json::close(store.sum("load"), SAMPLES as f64));
    assert!(left.iter().all(|name| json::close(store.sum(name), 1.0)));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    bench.leave_series(5);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let (code, stderr) = printing_to(writer, &env(&bench));
    assert_eq!((code, complaints(&stderr)), (Some(0), Vec::new()), "{stderr}");
    assert!(bench.redis.client().sizes().wrapped >= 5);
}

#[test]
fn a_full_disk_is_one_and_costs_nothing() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    bench.leave_series(5);
    let (code, stderr) = printing_to(File::create("/dev/full").unwrap(), &env(&bench));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("standard output: "), "{stderr}");
    assert!(bench.redis.client().sizes().wrapped >= 5);
}

#[test]
fn it_keeps_its_hands_off_a_redis_that_another_agent_works_on() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let mut other = run_until_ready(&bench, &["run"], &bench.env());
    let mut client = bench.redis.client();
    let holder = client.holder();
    let mut agent = Agent::spawn(&DRY_RUN, &env(&bench));
    assert_eq!(agent.wait(SOON), Some(1), "{}", agent.stderr());
    assert!(agent.stderr().contains("works on this redis"), "{}", agent.stderr());
    assert_eq!(agent.stdout(), "");
    assert!(other.is_running() && holder.is_some() && client.holder() == holder, "{holder:?}");
    assert!(!format!("{}{}", agent.stderr(), other.stderr()).contains(API_KEY));
}
