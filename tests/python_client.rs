//! The real Python client, the real agent and a real intake: what an application pushes stands in VictoriaMetrics,
//! and the board's own readings beside it.
#![allow(clippy::unwrap_used)]

mod support;

use support::agent::{self, Agent};
use support::intake::Intake;
use support::json::{self, Value};
use support::redis::RedisServer;
use support::temp::TempDir;
use support::{PATIENT, SOON, find_program, free_port, repository, skip, unix_now, wait_until};

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const INTERVAL_S: u64 = 5;

/// VictoriaMetrics on a port of the kernel's choice; it ends on drop.
struct VictoriaMetrics {
    child: Child,
    port: u16,
    dir: TempDir,
}

impl VictoriaMetrics {
    fn start() -> Option<VictoriaMetrics> {
        const TRIES: u32 = 5;
        let Some(program) = find_program("victoria-metrics") else {
            skip("victoria-metrics is not installed");
            return None;
        };
        for _ in 0..TRIES {
            let (dir, port) = (TempDir::new(), free_port());
            let child = Command::new(&program)
                .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
                .arg(format!("-storageDataPath={}", dir.join("data").display()))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(std::fs::File::create(dir.join("log")).unwrap())
                .spawn()
                .unwrap();
            let mut server = VictoriaMetrics { child, port, dir };
            let healthy = wait_until(SOON, || {
                server.child.try_wait().unwrap().is_some() || server.get("/health").is_some()
            });
            if healthy && server.child.try_wait().unwrap().is_none() {
                return Some(server);
            }
            eprintln!("{}", std::fs::read_to_string(server.dir.join("log")).unwrap_or_default());
        }
        panic!("victoria-metrics does not start");
    }

    /// The body of an answer of 200.
    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
        // HTTP/1.0: the body comes in one piece and ends with the connection.
        write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.split(' ').nth(1).is_some_and(|status| status.starts_with('2')).then(|| body.to_owned())
    }

    /// All that can be read back.
    fn export(&self) -> BTreeMap<String, Vec<Exported>> {
        self.get("/internal/force_flush");
        let lines = self.get("/api/v1/export?match[]=%7B__name__!=%22%22%7D").unwrap_or_default();
        let mut series: BTreeMap<String, Vec<Exported>> = BTreeMap::new();
        for line in lines.lines() {
            let exported = Exported::parse(&json::parse(line).unwrap());
            series.entry(exported.labels["__name__"].clone()).or_default().push(exported);
        }
        series
    }
}

impl Drop for VictoriaMetrics {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One series as VictoriaMetrics gives it back.
#[derive(Debug)]
struct Exported {
    labels: BTreeMap<String, String>,
    /// Milliseconds and values.
    points: Vec<(u64, f64)>,
}

impl Exported {
    fn parse(line: &Value) -> Exported {
        let Some(Value::Object(metric)) = json::get(line, "metric") else { panic!("no labels: {line:?}") };
        let labels = metric
            .iter()
            .map(|(name, value)| (name.clone(), json::text(Some(value)).unwrap().to_owned()))
            .collect();
        let times =
            json::items(json::get(line, "timestamps")).iter().map(|time| json::integer(Some(time)).unwrap());
        let values =
            json::items(json::get(line, "values")).iter().map(|value| json::number(Some(value)).unwrap());
        Exported { labels, points: times.zip(values).collect() }
    }
}

/// The interpreter that has the client.
fn python() -> Option<PathBuf> {
    let path = std::env::var_os("CHOUETTE_TEST_PYTHON")
        .map_or_else(|| repository("target/venv/bin/python"), PathBuf::from);
    let has_client = Command::new(&path)
        .args(["-c", "import chouette_iot_client._timed"])
        .env("REDIS_HOST", "127.0.0.1")
        .output();
    if has_client.is_ok_and(|output| output.status.success()) {
        return Some(path);
    }
    skip(&format!("{} has no chouette-iot-client; tests/run.sh installs it", path.display()));
    None
}

#[test]
fn what_the_python_client_pushes_stands_in_victoria_metrics() {
    let Some(python) = python() else { return };
    let Some(database) = VictoriaMetrics::start() else {
        return;
    };
    let Some(redis) = RedisServer::start() else {
        return;
    };
    // Only for the settings that all tests share; the agent talks to VictoriaMetrics.
    let unused = Intake::accepting();
    let started = unix_now();
    let changes = [
        ("DATADOG_URL", format!("http://127.0.0.1:{}/datadog/api", database.port)),
        ("AGGREGATE_INTERVAL", INTERVAL_S.to_string()),
        ("HOST", "board-9".to_owned()),
        ("GLOBAL_TAGS", r#"["fleet:blue"]"#.to_owned()),
        ("COLLECTOR_PLUGINS", r#"["host"]"#.to_owned()),
        ("SEND_SELF_METRICS", "true".to_owned()),
    ];
    let changes = changes.each_ref().map(|(name, value)| (*name, value.as_str()));
    let agent = Agent::run(&agent::with(agent::env(&redis.url(), &unused), &changes));

    let bucket = (started / INTERVAL_S - 6) * INTERVAL_S;
    let pushed = Command::new(python)
        .arg(repository("tests/python/push_all_types.py"))
        .arg(bucket.to_string())
        .env("REDIS_HOST", "127.0.0.1")
        .env("REDIS_PORT", redis.port.to_string())
        .output()
        .unwrap();
    assert!(pushed.status.success(), "{}", String::from_utf8_lossy(&pushed.stderr));

    let pushed = expected_of_the_client();
    let own = [
        "Chouette.host.la",
        "Chouette.host.memory.used",
        "Chouette.host.memory.available",
        "Chouette.host.cpu.percentage",
    ];
    let later = ["py.live", "py.timed.count", "chouette.dispatched.metrics.number"];
    let mut held = BTreeMap::new();
    let complete = wait_until(PATIENT, || {
        held = database.export();
        pushed.iter().map(|(name, _)| name).chain(&own).chain(&later).all(|name| held.contains_key(*name))
    });
    assert!(complete, "VictoriaMetrics holds only {:?}", held.keys().collect::<Vec<_>>());

    for (name, value) in pushed {
        let [series] = &held[name][..] else { panic!("{name}: {:?}", held[name]) };
        let labels = [
            ("__name__", name),
            ("fleet", "blue"),
            ("host", "board-9"),
            ("rack", "7"),
            ("site", "lab"),
            ("spare", "True"),
        ];
        assert_eq!(
            series.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>(),
            labels
        );
        let [(at_ms, found)] = series.points[..] else { panic!("{name}: {:?}", series.points) };
        assert_eq!(at_ms, bucket * 1000, "{name}");
        assert!(json::close(found, value), "{name}: {found} instead of {value}");
    }
    assert!(json::close(held["py.live"][0].points[0].1, 4.0));
    for name in own.iter().chain(&later) {
        for series in &held[*name] {
            assert_eq!(
                (series.labels["host"].as_str(), series.labels["fleet"].as_str()),
                ("board-9", "blue"),
                "{name}"
            );
            let now_ms = unix_now() * 1000;
            assert!(
                series.points.iter().all(|(at_ms, _)| (started * 1000..=now_ms).contains(at_ms)),
                "{name}: {series:?}"
            );
        }
    }
    assert_eq!(held["Chouette.host.la"][0].labels["period"], "1m");
    assert_eq!(unused.requests().len(), 0);
    assert!(!agent.stderr().contains("ERROR"), "{}", agent.stderr());
}

/// What the samples of `push_all_types.py` come to in one bucket.
fn expected_of_the_client() -> Vec<(&'static str, f64)> {
    let interval = INTERVAL_S as f64;
    vec![
        ("py.count", 6.5),
        ("py.gauge", -7.25),
        ("py.rate", 30.0 / interval),
        ("py.set", 4.0),
        ("py.histogram.avg", 3.0),
        ("py.histogram.max", 5.0),
        ("py.histogram.median", 3.0),
        ("py.histogram.count", 5.0 / interval),
        ("py.histogram.95percentile", 4.8),
    ]
}
