//! The plugin `host` through the real binary: what the board's own files say arrives at the intake.
#![allow(clippy::unwrap_used)]

mod support;

use support::agent::{self, Agent, Env};
use support::intake::{Intake, Request};
use support::json::{self, Value};
use support::redis::RedisServer;
use support::store::Store;
use support::temp::TempDir;
use support::{SOON, corpus_cases, unix_now, wait_until};

use std::sync::Arc;

const MEMINFO: &str = "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 500 kB\nBuffers: 50 kB\nCached: 200 kB\nSReclaimable: 50 kB\n";

fn environment(redis: &RedisServer, intake: &Intake, groups: &str) -> Env {
    agent::with(
        agent::env(&redis.url(), intake),
        &[("COLLECTOR_PLUGINS", "host"), ("HOST_COLLECTOR_METRICS", groups), ("HOST", "board-1")],
    )
}

fn has_arrived(requests: &[Arc<Request>], metric: &str) -> bool {
    !Store::acknowledged(requests).series(metric).is_empty()
}

#[test]
fn the_readings_of_this_machine_arrive() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let intake = Intake::accepting();
    let started = unix_now();
    let groups = r#"["cpu", "fs", "la", "ram", "network"]"#;
    let _agent = Agent::run(&agent::with(environment(&redis, &intake, groups), &[("GLOBAL_TAGS", "room:1")]));
    let wanted = [
        "Chouette.host.cpu.percentage",
        "Chouette.host.la",
        "Chouette.host.memory.used",
        "Chouette.host.memory.available",
    ];
    assert!(intake.wait_for(SOON, |requests| { wanted.iter().all(|metric| has_arrived(requests, metric)) }));

    let store = Store::acknowledged(&intake.requests());
    for (key, held) in &store.0 {
        assert!(key.metric.starts_with("Chouette.host."), "{key:?}");
        assert_eq!(
            (held.kind.as_str(), held.interval, key.host.as_deref()),
            ("gauge", None, Some("board-1")),
            "{key:?}"
        );
        assert!(key.tags.contains(&"room:1".to_owned()), "{key:?}");
        assert!(held.points.keys().all(|second| (started..=unix_now()).contains(second)), "{key:?} {held:?}");
        assert!(held.points.values().all(|value| *value >= 0.0), "{key:?} {held:?}");
        let own_tag = match key.metric.trim_start_matches("Chouette.host.").split('.').next().unwrap() {
            "fs" => Some("device:"),
            "la" => Some("period:1m"),
            "network" => Some("iface:"),
            _ => None,
        };
        assert_eq!(key.tags.len(), 1 + usize::from(own_tag.is_some()), "{key:?}");
        assert!(own_tag.is_none_or(|prefix| key.tags.iter().any(|tag| tag.starts_with(prefix))), "{key:?}");
        assert!(!key.tags.contains(&"iface:lo".to_owned()));
    }
    assert!(store.only(wanted[0]).1.points.values().all(|percentage| *percentage <= 100.0));
    assert!(store.only(wanted[3]).1.points.values().all(|bytes| *bytes > 1e6));
}

#[test]
fn the_cases_of_the_corpus_give_their_readings() {
    let cases = corpus_cases("plugins", "host_");
    assert!(cases.len() >= 4, "fixtures are missing: only {} cases", cases.len());
    let Some(redis) = RedisServer::start() else {
        return;
    };
    for (name, case) in &cases {
        eprintln!("case {name}");
        redis.client().run::<()>(&["FLUSHALL"]);
        run_case(case, &redis);
    }
}

fn run_case(case: &Value, redis: &RedisServer) {
    let input = json::get(case, "input").unwrap();
    let root = TempDir::new();
    if let Some(Value::Object(files)) = json::get(input, "proc") {
        for (path, text) in files {
            root.write(&format!("proc/{path}"), json::text(Some(text)).unwrap());
        }
    }
    let stat = |moment| json::text(json::get(input, moment));
    if let Some(before) = stat("stat_before") {
        root.write("proc/stat", before);
        // Its arrival tells that a whole reading is over.
        root.write("proc/meminfo", MEMINFO);
    }
    let groups = match json::items(json::get(case, "expected"))
        .first()
        .and_then(|first| json::text(json::get(first, "metric")))
    {
        Some(metric) if metric.contains(".network.") => "network",
        Some(metric) if metric.contains(".cpu.") => "cpu,ram",
        _ => "ram",
    };
    let intake = Intake::accepting();
    let env =
        agent::with(environment(redis, &intake, groups), &[("HOST_ROOT", &root.path().to_string_lossy())]);
    let _agent = Agent::run(&env);
    if let Some(after) = stat("stat_after") {
        assert!(intake.wait_for(SOON, |requests| has_arrived(requests, "Chouette.host.memory.used")));
        assert!(
            !has_arrived(&intake.requests(), "Chouette.host.cpu.percentage"),
            "one reading gives no share"
        );
        root.write("proc/stat", after);
    }
    let expected = json::items(json::get(case, "expected"));
    for series in expected {
        let metric = json::text(json::get(series, "metric")).unwrap();
        let tags = json::sorted_texts(json::get(series, "tags"));
        let value = json::number(json::get(series, "value")).unwrap();
        let matches = |requests: &[Arc<Request>]| {
            let store = Store::acknowledged(requests);
            let found = store.series(metric);
            // The first reading counts: those after it see files that stand still.
            found.iter().any(|(key, held)| {
                key.tags == tags
                    && held.points.values().next().is_some_and(|first| json::close(*first, value))
            })
        };
        assert!(
            intake.wait_for(SOON, matches),
            "no {metric} {tags:?} of {value}: {:?}",
            Store::acknowledged(&intake.requests())
        );
    }
    // Beside what is expected only zeros: the corpus leaves interfaces without traffic out, the agent sends them.
    if groups == "network" {
        let store = Store::acknowledged(&intake.requests());
        let more = store.0.iter().filter(|(key, held)| {
            let is_expected = expected.iter().any(|series| {
                json::text(json::get(series, "metric")) == Some(&*key.metric)
                    && json::sorted_texts(json::get(series, "tags")) == key.tags
            });
            !is_expected && held.points.values().any(|value| *value != 0.0)
        });
        assert_eq!(more.collect::<Vec<_>>(), []);
    }
}

#[test]
fn a_zero_is_a_reading() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let root = TempDir::new();
    root.write("proc/loadavg", "0.00 0.00 0.00 1/100 1000\n");
    root.write("proc/net/dev", "Inter-| Receive\n face |bytes\n  eth0: 0 0 0 0 0 0 0 0 5 0 0 0 0 0 0 0\n");
    let intake = Intake::accepting();
    let env = agent::with(
        environment(&redis, &intake, "la,network"),
        &[("HOST_ROOT", &root.path().to_string_lossy())],
    );
    let _agent = Agent::run(&env);
    for metric in ["Chouette.host.la", "Chouette.host.network.bytes.recv"] {
        assert!(intake.wait_for(SOON, |requests| has_arrived(requests, metric)), "{metric}");
        assert!(json::close(Store::acknowledged(&intake.requests()).sum(metric), 0.0));
    }
}

#[test]
fn what_cannot_be_read_costs_only_itself_and_is_said_once() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let root = TempDir::new();
    root.write("proc/loadavg", "0.50 0.40 0.30 1/100 1000\n");
    let intake = Intake::accepting();
    let env = agent::with(
        environment(&redis, &intake, "la,ram"),
        &[("HOST_ROOT", &root.path().to_string_lossy()), ("SEND_SELF_METRICS", "true")],
    );
    let agent = Agent::run(&env);
    let rounds = |requests: &[Arc<Request>]| {
        Store::acknowledged(requests)
            .series("Chouette.host.la")
            .iter()
            .map(|(_, held)| held.points.len())
            .sum::<usize>()
    };
    assert!(intake.wait_for(SOON, |requests| rounds(requests) >= 4));
    assert!(intake.wait_for(SOON, |requests| {
        let store = Store::acknowledged(requests);
        store
            .series("chouette.collector.failed")
            .iter()
            .any(|(key, held)| key.tags.contains(&"plugin:host".to_owned()) && held.kind == "count")
    }));
    let warnings =
        || agent.stderr().lines().filter(|line| line.contains("WARN") && line.contains("host")).count();
    assert_eq!(warnings(), 1, "{}", agent.stderr());

    root.write("proc/meminfo", MEMINFO);
    assert!(intake.wait_for(SOON, |requests| has_arrived(requests, "Chouette.host.memory.used")));
    // 1000 − 100 − 50 − 200 − 50 kB
    let store = Store::acknowledged(&intake.requests());
    assert!(
        store
            .only("Chouette.host.memory.used")
            .1
            .points
            .values()
            .all(|bytes| json::close(*bytes, 600.0 * 1024.0))
    );
    let recovered = || agent.stderr().lines().any(|line| line.contains("INFO") && line.contains("host"));
    assert!(wait_until(SOON, recovered), "recovery is not mentioned");
}
