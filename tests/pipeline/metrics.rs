//! `metrics`: what would be sent, told without sending it, and how near that comes to what is sent.

use crate::Bench;
use crate::support::agent::{API_KEY, Agent, Env};
use crate::support::behaviour::status;
use crate::support::intake::Request;
use crate::support::json::{self, Value};
use crate::support::queues::{RAW, WRAPPED, raw_record, wrapped_record};
use crate::support::temp::TempDir;
use crate::support::{PATIENT, SOON, free_port, unix_now};

use std::sync::Arc;

/// How far a day that was reckoned up may be from what was sent.
const OFF_MAX: f64 = 0.2;

fn without_key(mut env: Env) -> Env {
    env.retain(|(name, _)| name != "API_KEY");
    env
}

/// Exit code, standard output and standard error.
fn tell(arguments: &[&str], env: &Env) -> (Option<i32>, String, String) {
    let mut agent = Agent::spawn(arguments, env);
    let code = agent.wait(SOON);
    (code, agent.stdout(), agent.stderr())
}

/// The members of a list that have this in a field.
fn of<'a>(answer: &'a Value, list: &str, field: &str, text: &str) -> Vec<&'a Value> {
    let rows = json::items(json::get(answer, list)).iter();
    rows.filter(|row| json::text(json::get(row, field)) == Some(text)).collect()
}

fn number(value: &Value, field: &str) -> f64 {
    json::number(json::get(value, field)).unwrap_or_else(|| panic!("no {field}: {value:?}"))
}

#[test]
fn an_estimate_is_near_to_what_the_agent_sends() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    // As often as the defaults have it, but faster: two readings in each release.
    let env = bench.env_with(&[
        ("COLLECTOR_PLUGINS", "host"),
        ("HOST_COLLECTOR_METRICS", "cpu,fs,la,ram,network"),
        ("AGGREGATE_INTERVAL", "1"),
        ("CAPTURE_INTERVAL", "1"),
        ("RELEASE_INTERVAL", "2"),
        ("SEND_SELF_METRICS", "true"),
        ("HOST", "board-1"),
        ("GLOBAL_TAGS", "site:roof"),
    ]);
    let (code, stdout, stderr) = tell(&["metrics", "--json"], &without_key(env.clone()));
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert_eq!(bench.intake.connection_count(), 0, "nothing is sent");
    let answer = json::parse(stdout.trim_end()).unwrap();
    let all = json::get(&answer, "all").unwrap();
    let requests_a_day = number(all, "requests_a_day");
    assert!(json::close(requests_a_day, 43_200.0), "{stdout}");

    // The first releases lack something: what was dispatched before them, a first share of the processor.
    const FIRST: usize = 2;
    const COUNTED: usize = 6;
    let _agent = Agent::run(&env);
    let has_come = |requests: &[Arc<Request>]| requests.len() >= FIRST + COUNTED;
    assert!(bench.intake.wait_for(PATIENT, has_come), "no releases");
    let requests = bench.intake.requests()[FIRST..FIRST + COUNTED].to_vec();
    let mean = |of: fn(&Request) -> usize| {
        requests.iter().map(|request| of(request)).sum::<usize>() as f64 / COUNTED as f64
    };
    let points = |request: &Request| {
        request.series().iter().map(|series| json::items(json::get(series, "points")).len()).sum()
    };
    for (what, reckoned, sent) in [
        ("points", number(all, "points_a_day") / requests_a_day, mean(points)),
        ("bytes of a body", number(all, "compressed_bytes_a_day") / requests_a_day, mean(|r| r.body_bytes)),
    ] {
        println!("{what}: reckoned {reckoned:.1}, sent {sent:.1}");
        assert!((reckoned - sent).abs() <= OFF_MAX * sent, "{what}: reckoned {reckoned}, sent {sent}");
    }

    // What was listed is what came.
    let mut listed: Vec<&str> = json::items(json::get(&answer, "metrics"))
        .iter()
        .filter(|row| number(row, "series") > 0.0)
        .filter_map(|row| json::text(json::get(row, "metric")))
        .collect();
    let mut came: Vec<&str> = requests
        .iter()
        .flat_map(|request| request.series())
        .filter_map(|series| json::text(json::get(series, "metric")))
        .collect();
    listed.sort_unstable();
    came.sort_unstable();
    came.dedup();
    assert_eq!(listed, came);
}

#[test]
fn what_lies_in_redis_is_told_of_and_stays_as_it_is() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let dir = TempDir::new();
    let rules = r#"[{"match":"app.time","emit":["max"]},{"match":"Chouette.host.la","drop":true},
        {"match":"Chouette.host.memory.*","rename":"ram.$1"}]"#;
    let rules = dir.write("rules.json", rules);
    let mut redis = bench.redis.client();
    let now = unix_now() as f64;
    for n in 0..20 {
        for (metric, kind, tags) in
            [("app.time", "histogram", [("path", "/a")]), ("app.calls", "count", [("path", "/b")])]
        {
            let record = raw_record(metric, kind, &format!("{n}.5"), now, &tags);
            redis.push(RAW, &format!("{metric}-{n}"), Some(now), Some(record.as_bytes()));
        }
    }
    redis.push(RAW, "bad", Some(now), Some(b"no record"));
    let wrapped = wrapped_record("app.left", "rate", now, 1.5, &["a:b"]);
    redis.push(WRAPPED, "left", Some(now), Some(wrapped.as_bytes()));
    let before = (redis.records(RAW), redis.records(WRAPPED), redis.holder());
    redis.run::<()>(&["CONFIG", "RESETSTAT"]);
    let env = bench.env_with(&[
        ("COLLECTOR_PLUGINS", "host,dramatiq"),
        ("METRICS_RULES", &rules.to_string_lossy()),
        ("SEND_SELF_METRICS", "true"),
    ]);
    let (code, stdout, stderr) = tell(&["metrics", "--json"], &without_key(env.clone()));
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let answer = json::parse(stdout.trim_end()).unwrap();
    let row = |metric: &str| {
        let rows = of(&answer, "metrics", "metric", metric);
        assert_eq!(rows.len(), 1, "{metric}: {stdout}");
        let text = |field: &str| json::text(json::get(rows[0], field)).unwrap();
        let tags = json::sorted_texts(json::get(rows[0], "tags"));
        (text("source"), text("type"), text("note"), number(rows[0], "series"), tags.join(" "))
    };
    let one = |source, kind, note, tags: &str| (source, kind, note, 1.0, tags.to_owned());
    let none = |source, kind, note, tags: &str| (source, kind, note, 0.0, tags.to_owned());
    assert_eq!(row("app.time.max"), one("application", "gauge", "at most", "path:/a"));
    assert_eq!(row("app.calls"), one("application", "count", "at most", "path:/b"));
    assert_eq!(row("app.left"), one("application", "rate", "at most", "a:b"));
    assert_eq!(row("ram.used"), one("host", "gauge", "renamed by METRICS_RULES", ""));
    assert_eq!(row("Chouette.host.la"), none("host", "gauge", "dropped by METRICS_RULES", "period:*"));
    assert_eq!(row("Chouette.dramatiq.queue_size"), none("dramatiq", "gauge", "nothing there", "queue:*"));
    assert_eq!(row("chouette.dropped"), one("agent", "count", "", "reason:rule"));

    let stats: String = redis.run(&["INFO", "commandstats"]);
    let reading = ["hmget", "zrange", "exists", "scan", "config"];
    let asked = stats.lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split([':', '|']).next());
    for command in asked {
        assert!(reading.contains(&command), "{command}: {stats}");
    }

    assert_eq!((redis.records(RAW), redis.records(WRAPPED), redis.holder()), before);

    // The same for a person: with the key this time, which is nowhere.
    let (code, stdout, stderr) = tell(&["metrics"], &env);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for part in ["app.time.max", "(renamed by METRICS_RULES)", "On the link: about ", "would save "] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
    assert!(!stdout.contains(API_KEY), "{stdout}");
    assert_eq!(bench.intake.connection_count(), 0);
}

#[test]
fn what_cannot_be_read_is_listed_and_told_by_the_exit_code() {
    let dir = TempDir::new();
    let url = format!("redis://127.0.0.1:{}", free_port());
    let env = |plugins: &str| -> Env {
        [
            ("COLLECTOR_PLUGINS", plugins),
            ("REDIS_URL", &url),
            ("DOCKER_SOCKET_PATH", &dir.join("docker.sock").to_string_lossy()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    };
    let (code, stdout, _) = tell(&["metrics"], &env("docker,host"));
    assert_eq!(code, Some(1));
    let line =
        |part: &str| stdout.lines().find(|line| line.contains(part)).unwrap_or_else(|| panic!("{stdout}"));
    assert!(line("Chouette.docker.memory.usage").ends_with("container:* (could not be read, see below)"));
    assert!(line("Chouette.host.memory.used").contains(" byte "));
    assert!(line("docker: ").contains("docker.sock: no such file or directory"));
    assert!(line("chouette.collector.failed").contains("plugin:docker"));
    assert!(line("What applications send comes on top").contains("connection refused"));

    let (code, stdout, _) = tell(&["metrics", "--json"], &env("host"));
    assert_eq!(code, Some(0), "Redis is no plugin: {stdout}");
}
