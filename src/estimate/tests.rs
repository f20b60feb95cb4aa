//! Plans of a few series, and what a day of them comes to.

use std::rc::Rc;

use super::day::{Case, Day};
use super::table::Estimate;
use super::*;
use crate::agent::Settings;
use crate::aggregate::rules::{Glob, Rename, Rule, Ruled, Rules};
use crate::aggregate::{HistogramOptions, WRAPPERS};
use crate::collect::plugin;
use crate::limits::estimate::{RECORDS_MAX, RELEASES_MAX};
use crate::metric::json::Reader;
use crate::protocol::redis::Strings;

const NOW_S: u64 = 1_800_000_000;

fn settings(aggregate_s: u32, capture_s: u32, release_s: u32) -> Settings {
    Settings {
        aggregate_interval_s: aggregate_s,
        capture_interval_s: capture_s,
        release_interval_s: release_s,
        metric_ttl_s: 3600,
        metrics_bulk_size: 10_000,
        log_ttl_s: 3600,
        logs_bulk_size: 1000,
        wrapper: (WRAPPERS[0].build)(&HistogramOptions::default()).into(),
        global_tags: vec!["room:shed".to_owned()],
        value_digits: None,
        dogstatsd_contexts_max: None,
        host: Some("board-1".to_owned()),
        send_self_metrics: true,
        clock_believable_from_s: 0.0,
    }
}

fn load(value: f64) -> Gauge {
    Gauge {
        name: "Chouette.host.la",
        tags: Tags::from_strings(&["period:1m"]),
        value: Number::from_f64(value).unwrap(),
    }
}

fn plan(settings: &Settings) -> Plan {
    let mut plan = Plan::new(&["host"]);
    plan.add_readings(plugin("host").unwrap(), vec![load(0.25)], settings);
    plan.add_readings(plugin("host").unwrap(), vec![load(0.5)], settings);
    plan.add_own(settings, &|_| true);
    plan
}

fn day(plan: &Plan, settings: &Settings) -> Day {
    Case::new(plan, settings, NOW_S).day()
}

fn near(a: f64, b: f64, share: f64) -> bool {
    (a - b).abs() <= share * b
}

#[test]
fn points_and_requests_follow_the_intervals() {
    for ((aggregate_s, capture_s, release_s), points, requests) in [
        // A reading, the size of the queue, and two figures of what was dispatched.
        ((10, 30, 60), 2880.0 + 3.0 * 1440.0, 1440.0),
        ((10, 45, 60), 1920.0 + 3.0 * 1440.0, 1440.0),
        ((10, 30, 300), 2880.0 + 3.0 * 288.0, 288.0),
        ((10, 3600, 60), 24.0 + 3.0 * 1440.0, 1440.0),
        // What three releases dispatched is told at once.
        ((30, 30, 10), 2880.0 + 8640.0 + 2.0 * 2880.0, 8640.0),
    ] {
        let settings = settings(aggregate_s, capture_s, release_s);
        let day = day(&plan(&settings), &settings);
        assert!(
            near(day.points, points, 0.001) && near(day.requests, requests, 0.001),
            "{release_s}: {day:?}"
        );
        assert!(day.wire_bytes > day.body_bytes + 499.0 * requests, "{day:?}");
    }
}

#[test]
fn what_is_read_once_an_hour_counts_once_an_hour() {
    static BOARD: Plugin = Plugin {
        name: "board",
        summary: "",
        metrics: &[MetricDoc::new("wear", &["disk"], "percent", HOURLY_GROUP)],
        build: |_| unreachable!(),
    };
    let settings = settings(10, 30, 60);
    let mut plan = Plan::new(&["board"]);
    let wear = Gauge { name: "wear", tags: Tags::none(), value: Number::Int(1) };
    plan.add_readings(&BOARD, vec![wear], &settings);
    assert!(near(day(&plan, &settings).points, 24.0, 0.001));
    let json = Estimate::new(&plan, &settings, NOW_S).json();
    assert!(json.contains(r#""series":1,"points_a_day":24}"#), "{json}");
}

#[test]
fn intervals_that_never_meet_are_followed_for_a_while() {
    let settings = settings(7, 101, 61);
    const { assert!(7 * 101 > RELEASES_MAX) };
    let day = day(&plan(&settings), &settings);
    let points = 86_400.0 / 101.0 + 3.0 * 86_400.0 / 61.0;
    assert!(near(day.points, points, 0.02), "{day:?}, {points}");
}

#[test]
fn of_many_series_some_stand_for_all() {
    let settings = settings(10, 10, 60);
    let count = RECORDS_MAX * 2;
    let mut all = Plan::new(&["host"]);
    for n in 0..count {
        let tags = Tags::from_strings(&[format!("n:{n}")]);
        all.add("host", Series::gauge("a", tags, Number::Int(n as i128), 0.0), Pace::Capture, None);
    }
    let day = day(&all, &settings);
    assert!(near(day.points, count as f64 * 8640.0, 0.01), "{day:?}");
    // 12 requests of 10,000 points at most in each release.
    assert!(near(day.requests, 1440.0 * 12.0, 0.1), "{day:?}");
}

#[test]
fn longer_releases_fewer_digits_and_fewer_series_cost_less() {
    let settings = settings(10, 30, 60);
    let mut plan = plan(&settings);
    for value in [0.123_456_789_012_345_6, 7.123_456_789_012_345] {
        plan.add(
            APPLICATION,
            Series::gauge("app", Tags::none(), Number::Float(value), 0.0),
            Pace::Flush,
            None,
        );
    }
    let estimate = Estimate::new(&plan, &settings, NOW_S);
    let text = estimate.text();
    for setting in ["RELEASE_INTERVAL=300", "VALUE_DIGITS=6", "SEND_SELF_METRICS=false"] {
        assert!(text.contains(&format!("{setting} would save ")), "{text}");
    }
    let own =
        Settings { value_digits: Some(6), release_interval_s: 300, send_self_metrics: false, ..settings };
    let quiet = Estimate::new(&plan, &own, NOW_S).text();
    assert!(!quiet.contains("would save"), "{quiet}");
}

#[test]
fn rules_drop_and_rename_readings_and_drops_are_told() {
    let mut settings = settings(10, 30, 60);
    let rule = |pattern: &str| Rule::new(Glob::new(pattern));
    let drops = Rule { drops: true, ..rule("Chouette.host.la") };
    let renames =
        Rule { rename: Some(Rename::parse("ram.$1", 1).unwrap()), ..rule("Chouette.host.memory.*") };
    let wrapper = (WRAPPERS[0].build)(&HistogramOptions::default());
    settings.wrapper = Rc::new(Ruled::new(wrapper, Rc::new(Rules::new(vec![drops, renames]))));
    let host = plugin("host").unwrap();
    let mut plan = Plan::new(&["host"]);
    let memory = Gauge { name: "Chouette.host.memory.used", tags: Tags::none(), value: Number::Int(7) };
    plan.add_readings(host, vec![load(1.0), memory], &settings);
    plan.note_absent(host, &|doc| doc.group == "la" || doc.group == "ram", true, &settings);
    plan.add_own(&settings, &|_| false);
    let sent: Vec<_> = plan.flows.iter().map(|flow| (flow.series.name.as_str(), flow.pace)).collect();
    let own = [telemetry::DISPATCHED_METRICS_BYTES, telemetry::DISPATCHED_METRICS_NUMBER];
    assert_eq!(sent[0], ("ram.used", Pace::Capture));
    assert_eq!(
        sent[1..3],
        [(telemetry::COLLECTOR_FAILED, Pace::Told), own.map(|name| (name, Pace::Delivery))[0]]
    );
    assert!(sent.contains(&(telemetry::DROPPED, Pace::Told)), "{sent:?}");
    let absent: Vec<_> =
        plan.absent.iter().map(|absent| (absent.series.name.as_str(), absent.note)).collect();
    assert_eq!(
        absent,
        [("Chouette.host.la", "dropped by METRICS_RULES"), ("ram.available", "could not be read, see below")]
    );
    assert!(Estimate::new(&plan, &settings, NOW_S).text().contains("(renamed by METRICS_RULES)"));
}

#[test]
fn every_metric_of_the_agents_own_is_known() {
    let source = include_str!("../telemetry.rs");
    let names = source.lines().filter_map(|line| line.strip_prefix("pub const ")?.split('"').nth(1));
    let names: Vec<_> = names.collect();
    assert!(names.len() >= 12, "{names:?}");
    for name in names {
        assert!(OWN.iter().any(|own| own.doc.name == name), "{name}");
    }
    let silent = Settings { send_self_metrics: false, ..settings(10, 30, 60) };
    let plan = plan(&silent);
    assert_eq!((plan.flows.len(), plan.absent.len()), (1, 0));
}

#[test]
fn records_of_applications_become_the_series_they_will_be() {
    let settings = settings(10, 30, 60);
    let mut plan = plan(&settings);
    let strings = |records: &[&str]| {
        let mut strings = Strings::default();
        records.iter().for_each(|record| strings.push(record.as_bytes()));
        strings
    };
    let raw = r#"{"metric":"app.x","type":"histogram","value":1.5,"timestamp":1,"tags":{"b":1,"a":true}}"#;
    plan.add_raw(
        &strings(&[raw, "no record", raw, r#"{"metric":"y","type":"odd","value":1,"timestamp":1}"#]),
        &settings,
    );
    plan.add_wrapped(&strings(&[
        r#"{"metric":"app.w","tags":["b:1","a:2"],"points":[[1600000000.5,2.5],[1,1]],"type":"rate","interval":10}"#,
        r#"{"metric":"Chouette.host.la","tags":[],"points":[[1,1]],"type":"gauge"}"#,
        r#"{"metric":"chouette.dropped","tags":[],"points":[[1,1]],"type":"count"}"#,
        r#"{"metric":"app.v","points":[]}"#,
        "[]",
    ]));
    let found: Vec<_> =
        plan.flows.iter().filter(|flow| flow.source == APPLICATION).map(|flow| &flow.series).collect();
    let names: Vec<_> = found.iter().map(|series| series.name.as_str()).collect();
    let summaries = ["app.w", "app.x.95percentile", "app.x.avg", "app.x.count", "app.x.max", "app.x.median"];
    assert_eq!(names, summaries);
    assert_eq!((found[0].tags.as_str(), found[0].interval_s), (r#"["a:2","b:1"]"#, Some(10)));
    assert_eq!(found[0].point.value, Number::Float(2.5));
    assert_eq!(found[1].tags.as_str(), r#"["a:True","b:1"]"#);
}

#[test]
fn text_is_aligned_and_json_is_json() {
    let settings = settings(10, 30, 60);
    let mut plan = plan(&settings);
    plan.notes.push("host: \"odd\"\\".to_owned());
    let estimate = Estimate::new(&plan, &settings, NOW_S);
    let text = estimate.text();
    let heading = text.lines().find(|line| line.starts_with("SOURCE")).unwrap();
    let (at, _) = text
        .lines()
        .find(|line| line.contains("Chouette.host.la"))
        .unwrap()
        .match_indices("period:1m")
        .next()
        .unwrap();
    assert_eq!(heading.find("TAGS"), Some(at), "{text}");
    assert!(text.lines().all(|line| line.trim_end() == line), "{text}");
    assert!(text.contains("On every series: host:board-1, room:shed\n"), "{text}");
    let json = estimate.json();
    let mut reader = Reader::new(&json);
    reader.skip().unwrap();
    reader.end().unwrap();
    assert!(json.ends_with("}\n") && json.lines().count() == 1);
    assert!(json.contains(r#""metric":"Chouette.host.la","type":"gauge","unit":"runnable tasks","note":"","tags":["period:1m"],"series":1,"points_a_day":2880}"#), "{json}");
    assert!(json.contains(r#""notes":["host: \"odd\"\\"]"#), "{json}");
}
