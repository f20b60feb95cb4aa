//! Datadog's own client, with its buffers on.

use super::*;
use std::process::Command;
use support::{repository, skip};

/// The interpreter that has the client.
fn python() -> Option<PathBuf> {
    let path = std::env::var_os("CHOUETTE_TEST_PYTHON")
        .map_or_else(|| repository("target/venv/bin/python"), PathBuf::from);
    let has_client = Command::new(&path).args(["-c", "import datadog"]).output();
    if has_client.is_ok_and(|output| output.status.success()) {
        return Some(path);
    }
    skip(&format!("{} has no datadog; tests/run.sh installs it", path.display()));
    None
}

#[test]
fn what_the_client_sends_by_udp_arrives() {
    let (Some(python), Some(scene)) = (python(), Scene::new(Intake::accepting())) else { return };
    let port = scene.port.to_string();
    arrives(&scene, &python, &["udp", &port]);
}

#[test]
fn what_the_client_sends_to_the_unix_socket_arrives() {
    let (Some(python), Some(scene)) = (python(), Scene::new(Intake::accepting())) else { return };
    let path = scene.socket().display().to_string();
    arrives(&scene, &python, &["unix", &path]);
}

fn arrives(scene: &Scene, python: &std::path::Path, way: &[&str]) {
    // Long enough for all to be in one interval, or two.
    let agent = scene.run(&[("AGGREGATE_INTERVAL", "2"), ("HOST", "board"), ("GLOBAL_TAGS", "fleet:blue")]);
    let sent =
        Command::new(python).arg(repository("tests/python/dogstatsd_all.py")).args(way).output().unwrap();
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    scene.wait_for_sum("dsd.count", 6.0);
    scene.wait_for_sum("dsd.past", 4.0);
    let found = |path: &str| wait_until(SOON, || !scene.accepted(path).is_empty());
    assert!(found("/v1/distribution_points") && found("/v1/events") && found("/v1/check_run"));

    let count = series(scene, "dsd.count");
    assert_eq!(json::text(json::get(&count, "type")), Some("count"));
    assert_eq!(json::integer(json::get(&count, "interval")), Some(2));
    assert_eq!(json::text(json::get(&count, "host")), Some("board"));
    assert_eq!(json::sorted_texts(json::get(&count, "tags")), ["fleet:blue", "rack:7", "site:lab"]);
    assert!(last(scene, "dsd.gauge") == -7.25 && last(scene, "dsd.set") <= 2.0);
    for metric in ["dsd.histogram.max", "dsd.histogram.count", "dsd.histogram.95percentile", "dsd.timing.avg"]
    {
        let _ = series(scene, metric);
    }

    let values: Vec<f64> = scene
        .accepted("/v1/distribution_points")
        .iter()
        .flat_map(|request| request.series().to_vec())
        .flat_map(|series| json::items(json::get(&series, "points")).to_vec())
        .flat_map(|point| json::items(json::items(Some(&point)).get(1)).to_vec())
        .map(|value| json::number(Some(&value)).unwrap())
        .collect();
    assert_eq!(values, [1.0, 2.0, 3.0, 4.0, 5.0]);

    let [event] = &scene.accepted("/v1/events")[..] else { panic!("one event") };
    assert_eq!(event.header("content-encoding"), None);
    let event = event.json.as_ref().unwrap();
    for (name, expected) in [
        ("title", "A title"),
        ("text", "two\nlines, ümlaut"),
        ("alert_type", "warning"),
        ("aggregation_key", "k"),
        ("priority", "low"),
        ("source_type_name", "tests"),
        ("host", "board"),
    ] {
        assert_eq!(json::text(json::get(event, name)), Some(expected), "{name}");
    }
    assert_eq!(json::sorted_texts(json::get(event, "tags")), ["fleet:blue", "room:shed", "site:lab"]);
    assert!(json::integer(json::get(event, "date_happened")).is_some());

    let checks = scene.accepted("/v1/check_run");
    let [check] = json::items(checks[0].json.as_ref()) else { panic!("one check") };
    assert_eq!(json::text(json::get(check, "check")), Some("dsd.check"));
    assert_eq!(json::integer(json::get(check, "status")), Some(2));
    assert_eq!(json::text(json::get(check, "host_name")), Some("pi"));
    assert_eq!(json::text(json::get(check, "message")), Some("stuck"));
    assert!(
        !agent.stderr().contains("ERROR") && !agent.stderr().contains("bad messages"),
        "{}",
        agent.stderr()
    );
}

/// A series of that name.
fn series(scene: &Scene, metric: &str) -> Value {
    let find = || {
        let requests = scene.accepted("/v1/series");
        requests.iter().flat_map(|request| request.series()).find(|series| is_named(series, metric)).cloned()
    };
    assert!(wait_until(SOON, || find().is_some()), "{metric}");
    find().unwrap()
}

/// The last point of that name.
fn last(scene: &Scene, metric: &str) -> f64 {
    let points = json::items(json::get(&series(scene, metric), "points")).to_vec();
    json::number(json::items(points.last()).get(1)).unwrap()
}
