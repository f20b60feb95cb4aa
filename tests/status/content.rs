//! What the document says is what happened.

use super::*;
use std::cell::RefCell;
use support::agent::API_KEY;
use support::behaviour::status;
use support::bench::push_ones;
use support::queues::{LOGS, RAW, Sizes, log_record};
use support::unix_now;

const SAMPLES: usize = 500;
const LOGS_LEFT: usize = 7;

#[test]
fn the_numbers_are_those_of_what_was_sent() {
    let Some(scene) = Scene::new(|_| status(202)) else { return };
    let client = RefCell::new(scene.bench.redis.client());
    push_ones(&mut client.borrow_mut(), "ones", SAMPLES);
    let now = unix_now() as f64;
    client.borrow_mut().push(RAW, "bad", Some(now - 60.0), Some(b"no json"));
    let logs: Vec<(f64, String)> = (0..LOGS_LEFT).map(|_| (now, log_record("{}", &[], ""))).collect();
    client.borrow_mut().fill(LOGS, "log", &logs);
    let agent = scene.run(&[("COLLECTOR_PLUGINS", "host"), ("CAPTURE_INTERVAL", "3600")]);
    let accepted = RefCell::new(Vec::new());
    let document = scene.comes(|document| {
        *accepted.borrow_mut() = scene.bench.intake.requests();
        accepted.borrow_mut().retain(|request| request.acknowledged);
        // All of it was sent, and nothing more since the agent was asked.
        number(document, &["today", "requests"]) == Some(accepted.borrow().len() as f64)
            && ["metrics", "logs"]
                .iter()
                .all(|stream| number(document, &["streams", stream, "last", "items"]).is_some())
            && number(document, &["flush", "raw"]) == Some(0.0)
            && client.borrow_mut().sizes() == Sizes::EMPTY
    });
    let accepted = accepted.into_inner();
    let of = |path: &str| accepted.iter().rfind(|request| request.path.ends_with(path)).unwrap();
    let (series, logs) = (of("/series"), of("/input"));
    let points: usize =
        series.series().iter().map(|series| json::items(json::get(series, "points")).len()).sum();
    let stream = |name, field| number(&document, &["streams", name, field]);
    let last = |name, field| number(&document, &["streams", name, "last", field]);
    assert_eq!(last("metrics", "items"), Some(points as f64));
    assert_eq!(last("metrics", "bytes"), Some(series.body_bytes as f64));
    assert_eq!(text(&document, &["streams", "metrics", "last", "answer"]), Some("202"));
    assert_eq!((last("logs", "items"), last("logs", "bytes")), (Some(7.0), Some(logs.body_bytes as f64)));
    assert_eq!((stream("metrics", "queued"), stream("logs", "queued")), (Some(0.0), Some(0.0)));
    assert!(stream("metrics", "delivered_ago_s").is_some_and(|ago_s| ago_s < 30.0));
    let bytes: usize = accepted.iter().map(|request| request.body_bytes).sum();
    assert_eq!(number(&document, &["today", "bytes"]), Some(bytes as f64));
    assert_eq!(number(&document, &["today", "requests"]), Some(accepted.len() as f64));
    let hour = |name| -> f64 {
        let minutes = json::items(Some(at(&document, &["hour", name])));
        assert_eq!(minutes.len(), chouette_iot::limits::status::HOUR_MINUTES);
        minutes.iter().filter_map(|minute| json::number(Some(minute))).sum()
    };
    let items: usize = accepted
        .iter()
        .map(|request| {
            let points = request.series().iter().map(|series| json::items(json::get(series, "points")).len());
            if request.path.ends_with("/series") { points.sum() } else { LOGS_LEFT }
        })
        .sum();
    assert_eq!((hour("bytes"), hour("released")), (bytes as f64, items as f64));
    assert_eq!(number(&document, &["dropped", "not_json"]), Some(1.0), "though self-metrics are off");
    assert_eq!(number(&document, &["pid"]), Some(f64::from(agent.pid())));
    assert_eq!(text(&document, &["version"]), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(text(&document, &["lease", "state"]), Some("held"));
    assert_eq!(text(&document, &["lease", "holder"]), client.borrow_mut().holder().as_deref());
    assert_eq!(text(&document, &["storage", "kind"]), Some("redis"));
    assert!(flag(&document, &["storage", "up"]) && flag(&document, &["clock_believed"]));
    assert!(flag(&document, &["advances"]) && flag(&document, &["alive"]));
    assert!(number(&document, &["plugins", "host", "series"]).is_some_and(|series| series > 2.0));
    assert!(number(&document, &["memory", "rss_bytes"]).is_some_and(|bytes| bytes > 1e6));
    assert_eq!(scene.ask(&[]).status.code(), Some(0));
}

#[test]
fn each_run_of_the_aggregation_is_told_with_its_records() {
    let Some(scene) = Scene::new(|_| status(202)) else { return };
    push_ones(&mut scene.bench.redis.client(), "ones", SAMPLES);
    let _agent = scene.run(&[("AGGREGATE_INTERVAL", "60")]);
    let document = scene.comes(|document| number(document, &["flush", "records"]) == Some(SAMPLES as f64));
    assert!(number(&document, &["flush", "series"]).is_some_and(|series| series >= 50.0));
    assert_eq!(number(&document, &["flush", "raw"]), Some(SAMPLES as f64));
    assert!(matches!(at(&document, &["flush", "problem"]), Value::Null));
}

#[test]
fn drops_that_a_transaction_tells_of_are_counted_as_well() {
    let Some(scene) = Scene::new(|_| status(202)) else { return };
    let mut client = scene.bench.redis.client();
    let old = (unix_now() - 90_000) as f64;
    let logs: Vec<(f64, String)> = (0..LOGS_LEFT).map(|_| (old, log_record("{}", &[], ""))).collect();
    client.fill(LOGS, "log", &logs);
    client.push(RAW, "bad", Some(unix_now() as f64 - 60.0), Some(b"no json"));
    let _agent = scene.run(&[("SEND_SELF_METRICS", "true"), ("DOGSTATSD_CONTEXTS_MAX", "77")]);
    let document = scene.comes(|document| {
        let count = |reason| number(document, &["dropped", reason]);
        count("expired").is_some() && count("not_json").is_some()
    });
    assert_eq!(number(&document, &["dropped", "expired"]), Some(LOGS_LEFT as f64));
    assert_eq!(number(&document, &["dropped", "not_json"]), Some(1.0));
}

#[test]
fn what_dogstatsd_receives_is_counted() {
    let Some(scene) = Scene::new(|_| status(202)) else { return };
    let socket = scene.dir.join("dogstatsd").display().to_string();
    let agent = scene.run(&[
        ("DOGSTATSD_SOCKET", &socket),
        ("DOGSTATSD_CONTEXTS_MAX", "77"),
        ("AGGREGATE_INTERVAL", "3600"),
    ]);
    assert!(agent.wait_for_line(SOON, &format!("receiving on {socket}")));
    let sender = std::os::unix::net::UnixDatagram::unbound().unwrap();
    sender.send_to(b"a:1|c\nb:2|c\nb:3|c\nnonsense", &socket).unwrap();
    let received = |document: &Value, field| number(document, &["dogstatsd", field]);
    let document = scene.comes(|document| received(document, "received") == Some(4.0));
    let bad: f64 = match at(&document, &["dogstatsd", "bad"]) {
        Value::Object(reasons) => reasons.values().filter_map(|count| json::number(Some(count))).sum(),
        _ => 0.0,
    };
    assert_eq!(bad, 1.0);
    assert_eq!(
        (received(&document, "contexts"), received(&document, "contexts_max")),
        (Some(2.0), Some(77.0))
    );
}

#[test]
fn a_failing_plugin_says_why_and_how_often() {
    let Some(scene) = Scene::new(|_| status(202)) else { return };
    let missing = scene.dir.join("docker.sock").display().to_string();
    let _agent = scene.run(&[("COLLECTOR_PLUGINS", "docker"), ("DOCKER_SOCKET_PATH", &missing)]);
    std::fs::write(&missing, "no socket").unwrap();
    let document = scene.comes(|document| {
        number(document, &["plugins", "docker", "failures"]).is_some_and(|failures| failures >= 2.0)
    });
    assert!(text(&document, &["plugins", "docker", "problem"]).is_some(), "no reason");
    assert!(flag(&document, &["advances"]), "a plugin is no pipeline");
    let shown = stdout(&scene.ask(&[]));
    assert!(shown.lines().any(|line| line.starts_with("✗ docker") && line.contains("failures")), "{shown}");
}

#[test]
fn no_secret_is_told() {
    let Some(scene) = Scene::new(|_| status(403)) else { return };
    scene.bench.leave_series(3);
    let (_one, two) =
        (scene.run(&[]), Scene { bench: Bench::new(|_| status(202)).unwrap(), dir: TempDir::new() });
    let document = scene.ask(&["--json"]);
    scene.comes(|document| text(document, &["streams", "metrics", "problem"]).is_some());
    let refused = scene.ask(&["--json"]);
    const PASSWORD: &str = "p4ssword-of-redis";
    let url = format!("redis://user:{PASSWORD}@127.0.0.1:{}/0", two.bench.redis.port);
    let _two = two.run(&[("REDIS_URL", &url), ("HTTPS_PROXY", "http://user:p4ssword-of-proxy@127.0.0.1:1")]);
    two.comes(|document| text(document, &["storage", "problem"]).is_some());
    for output in [document, refused, two.ask(&["--json"]), two.ask(&[]), scene.ask(&[])] {
        let said = stdout(&output) + &stderr(&output);
        for secret in [API_KEY, "p4ssword"] {
            assert!(!said.contains(secret), "{said}");
        }
    }
}

#[test]
fn the_embedded_queue_tells_what_it_holds() {
    let alone = support::alone::Alone::new(|_| status(503));
    let dir = TempDir::new();
    let socket = dir.join("status.sock").display().to_string();
    let _agent = alone.run(&[("STATUS_SOCKET", &socket), ("SPOOL_MEMORY_MAX", "262144")]);
    alone.send("one:1|g");
    let mut held = Value::Null;
    let there = wait_until(SOON, || {
        held = document(&ask(&socket, &["--json"]));
        number(&held, &["spool", "memory_records"]).is_some_and(|records| records >= 1.0)
    });
    assert!(there, "{}", miniserde::json::to_string(&held));
    assert_eq!(text(&held, &["storage", "kind"]), Some("embedded"));
    assert_eq!(number(&held, &["spool", "memory_bytes_max"]), Some(262_144.0));
    assert_eq!(number(&held, &["spool", "disk_records"]), Some(0.0));
}
