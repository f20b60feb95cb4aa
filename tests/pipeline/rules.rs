//! Rules of one's own on the way from Redis, and from a collector, to the intake.

use crate::support::behaviour::status;
use crate::support::queues::{RAW, raw_record};
use crate::support::redis::Client;
use crate::support::temp::TempDir;
use crate::support::{SOON, unix_now, wait_until};
use crate::{Agent, Bench, arrives, complaints};

const RULES: &str = r#"[
    {"match": "app.*.latency", "type": "histogram", "emit": ["max", "p99", "count"]},
    {"match": "debug.*", "drop": true},
    {"match": "hits.*", "drop_tags": ["request_id"], "rename": "shop.$1"},
    {"match": "Chouette.host.la", "drop_tags": ["period"], "rename": "board.load"},
    {"match": "Chouette.*", "drop": true}
]"#;

/// Pushes a record for each value, all of one second that is over.
fn push(client: &mut Client, metric: &str, kind: &str, values: &[(i32, &str)]) {
    let second = unix_now() as f64 - 30.0;
    let record = |(value, id): &(i32, &str)| {
        let tags = [("door", "front"), ("request_id", *id)];
        (second, raw_record(metric, kind, &value.to_string(), second, &tags))
    };
    client.fill(RAW, metric, &values.iter().map(record).collect::<Vec<_>>());
}

/// Waits until a file was read again.
fn hang_up(agent: &Agent, expected: &str) {
    let before = agent.stderr().len();
    agent.signal("HUP");
    let log = || agent.stderr().get(before..).unwrap_or_default().to_owned();
    assert!(wait_until(SOON, || log().contains(expected)), "{expected}: {}", log());
}

#[test]
fn records_and_readings_follow_the_rules_and_a_broken_file_keeps_the_old_ones() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let dir = TempDir::new();
    let file = dir.write("rules.json", RULES);
    let changes = [
        ("METRICS_RULES", &*file.to_string_lossy()),
        ("COLLECTOR_PLUGINS", "host"),
        ("HOST_COLLECTOR_METRICS", "la,ram"),
        ("SEND_SELF_METRICS", "true"),
    ];
    let mut agent = Agent::run(&bench.env_with(&changes));
    let mut client = bench.redis.client();
    push(&mut client, "app.x.latency", "gauge", &[(1, "a"), (2, "a"), (9, "a")]);
    push(&mut client, "debug.noise", "count", &[(1, "a"), (1, "b")]);
    push(&mut client, "hits.left", "count", &[(1, "a"), (2, "b"), (4, "c")]);
    let reason = "\"reason:rule\"";
    for metric in ["app.x.latency.count", "shop.left", "board.load"] {
        assert!(arrives(&bench.intake, metric, SOON), "{metric}");
    }
    assert!(bench.intake.wait_for(SOON, |requests| requests.iter().any(|r| r.text.contains(reason))));
    let store = bench.store();
    let values = |metric: &str| {
        let (key, held) = store.only(metric);
        (key.tags.join(" "), held.kind.clone(), held.points.values().copied().collect::<Vec<f64>>())
    };
    let hits = ("door:front".to_owned(), "count".to_owned(), vec![7.0]);
    assert_eq!(values("shop.left"), hits, "contexts that differ in a dropped tag are one");
    assert_eq!(values("app.x.latency.max").2, [9.0]);
    assert_eq!(values("app.x.latency.count").1, "rate");
    assert_eq!(values("board.load").0, "", "the reading has lost its tag");
    let names: Vec<&str> = store.names().into_iter().filter(|name| !name.starts_with("chouette.")).collect();
    let latency = ["app.x.latency.99percentile", "app.x.latency.count", "app.x.latency.max"];
    assert_eq!(names, [&latency[..], &["board.load", "shop.left"]].concat());
    assert_eq!(complaints(&agent.stderr()), Vec::<&str>::new(), "what a rule drops is nothing to warn about");

    dir.write("rules.json", &RULES.replace("shop.$1", "eu.$1").replace("board.load", "board.load.1m"));
    hang_up(&agent, "rules 5");
    push(&mut client, "hits.changed", "count", &[(1, "a"), (2, "b")]);
    for metric in ["eu.changed", "board.load.1m"] {
        assert!(arrives(&bench.intake, metric, SOON), "{metric}");
    }

    dir.write("rules.json", &RULES.replace("shop.$1", "us.$1").replace("\"drop\": true", "\"drp\": true"));
    hang_up(&agent, "the configuration stays as it was");
    let log = agent.stderr();
    let told = "rule 2 (match \"debug.*\"): no field is called \"drp\", did you mean \"drop\"?";
    assert!(log.contains(told) && log.contains("rule 5 (match \"Chouette.*\")"), "{log}");
    push(&mut client, "hits.broken", "count", &[(1, "a")]);
    assert!(arrives(&bench.intake, "eu.broken", SOON), "the rules before are not in force any more");
    assert!(agent.is_running());
    agent.signal("TERM");
    assert_eq!(agent.wait(SOON), Some(0));
}
