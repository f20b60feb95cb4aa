//! `run --dry-run`: everything but the sending, and Redis stays as it is.

use crate::support::agent::{API_KEY, Agent, Env, program};
use crate::support::behaviour::status;
use crate::support::queues::{LOGS, Sizes};
use crate::support::redis::Client;
use crate::support::store::Store;
use crate::support::{SOON, json, unix_now};
use crate::{Bench, complaints, push_ones, run_until_ready};

use std::collections::BTreeMap;
use std::fs::File;
use std::process::{Command, Stdio};

const DRY_RUN: [&str; 2] = ["run", "--dry-run"];
const SAMPLES: usize = 300;

/// All that may be done to a Redis without changing it.
const READER: [&str; 7] = ["ACL", "SETUSER", "reader", "on", "nopass", "~*", "+@read"];

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
    client.run::<()>(&READER);
    let before = everything(&mut client);

    let mut env = env(&bench);
    env.push(("REDIS_USERNAME".to_owned(), "reader".to_owned()));
    env.push(("REDIS_PASSWORD".to_owned(), "any".to_owned()));
    let mut agent = Agent::spawn(&DRY_RUN, &env);
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
    let ([metrics_shown], [logs]) = (&metrics[..], &logs[..]) else {
        panic!("{stdout}");
    };
    let message = json::items(Some(logs)).first().and_then(|log| json::get(log, "message"));
    assert_eq!(json::text(message.and_then(|message| json::get(message, "text"))), Some("a\nb"));
    let series = json::items(json::get(metrics_shown, "series"));
    let names: Vec<&str> =
        series.iter().filter_map(|series| json::text(json::get(series, "metric"))).collect();
    for name in left.iter().map(String::as_str).chain(["load", "Chouette.host.memory.used"]) {
        assert!(names.contains(&name), "{name}: {names:?}");
    }

    assert!(everything(&mut client) == before, "the lines are no more than a look at it");

    let mut agent = Agent::run_once(&bench.env());
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    assert_eq!((client.sizes(), client.size(LOGS)), (Sizes::EMPTY, 0));
    let requests = bench.intake.requests();
    assert_eq!(requests.iter().filter(|request| request.path.contains("/v1/input")).count(), 1);
    let metrics: Vec<_> =
        requests.into_iter().filter(|request| request.path.contains("/v1/series")).collect();
    let sent = json::parse(&metrics[0].text).unwrap();
    let of_applications = |body: &json::Value| {
        let is_application = |name: &str| name == "load" || left.iter().any(|left| left == name);
        let mut series: Vec<String> = json::items(json::get(body, "series"))
            .iter()
            .filter(|series| json::text(json::get(series, "metric")).is_some_and(is_application))
            .map(|series| format!("{series:?}"))
            .collect();
        series.sort();
        series
    };
    assert_eq!(of_applications(metrics_shown), of_applications(&sent));
    let store = Store::acknowledged(&metrics);
    assert!(json::close(store.sum("load"), SAMPLES as f64));
    assert!(left.iter().all(|name| json::close(store.sum(name), 1.0)));
}

/// Every key and what it holds.
fn everything(client: &mut Client) -> BTreeMap<String, BTreeMap<String, String>> {
    let keys: Vec<String> = client.run(&["KEYS", "*"]);
    assert!(!keys.is_empty());
    let content = |key: String| {
        let content = match key.ends_with(".keys") {
            true => client.run(&["ZRANGE", &key, "0", "-1", "WITHSCORES"]),
            false => client.run(&["HGETALL", &key]),
        };
        (key, content)
    };
    keys.into_iter().map(content).collect()
}

#[test]
fn what_an_agent_had_claimed_is_shown_with_what_came_later() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let mut client = bench.redis.client();
    push_ones(&mut client, "claimed", SAMPLES);
    for part in ["keys", "values"] {
        let (from, to) = (format!("chouette:metrics:raw.{part}"), format!("chouette:metrics:claimed.{part}"));
        client.run::<()>(&["RENAME", &from, &to]);
    }
    push_ones(&mut client, "raw", SAMPLES);
    let before = everything(&mut client);
    let mut agent = Agent::spawn(&DRY_RUN, &env(&bench));
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    let body = json::parse(agent.stdout().lines().next().unwrap()).unwrap();
    let all = json::items(json::get(&body, "series"));
    let loads = all.iter().filter(|series| json::text(json::get(series, "metric")) == Some("load"));
    let points = loads.flat_map(|series| json::items(json::get(series, "points")));
    let sum: f64 = points.filter_map(|point| json::number(json::items(Some(point)).get(1))).sum();
    assert!(json::close(sum, 2.0 * SAMPLES as f64), "{sum}: {}", agent.stdout());
    assert!(everything(&mut client) == before);
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
fn it_looks_on_while_another_agent_works_and_does_not_disturb_it() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let mut other = run_until_ready(&bench, &["run"], &bench.env());
    let mut client = bench.redis.client();
    let holder = client.holder();
    let mut agent = Agent::spawn(&DRY_RUN, &env(&bench));
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    assert!(agent.stdout().contains("Chouette.host.memory.used"), "{}", agent.stdout());
    assert!(other.is_running() && holder.is_some() && client.holder() == holder, "{holder:?}");
    assert!(!format!("{}{}", agent.stderr(), other.stderr()).contains(API_KEY));
}
