//! What a release looks like on the wire.

use crate::support::agent::{API_KEY, Agent, with};
use crate::support::behaviour::Behaviour;
use crate::support::behaviour::{answer, status};
use crate::support::intake::Intake;
use crate::support::queues::{RAW, Sizes, WRAPPED, raw_record, wrapped_record};
use crate::support::store::Store;
use crate::support::tls::Pki;
use crate::support::{SOON, json, unix_now, wait_until};
use crate::{Bench, arrives, push_gauge, run_until_ready};

use std::collections::BTreeSet;

/// The start of a closed bucket of ten seconds.
fn closed_bucket() -> f64 {
    ((unix_now() / 10 - 6) * 10) as f64
}

#[test]
fn once_delivers_what_applications_left() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let base = closed_bucket();
    let mut client = bench.redis.client();
    let samples = [("count", "2", 1.25), ("gauge", "-7.5", 1.5), ("count", "3", 2.5), ("count", "7", 11.75)];
    for (i, (kind, value, offset)) in samples.iter().enumerate() {
        let record =
            raw_record(&format!("app.{kind}"), kind, value, base + offset, &[("b", "2"), ("a", "1")]);
        client.push(RAW, &format!("key-{i}"), Some(base + offset), Some(record.as_bytes()));
    }
    let changes =
        [("AGGREGATE_INTERVAL", "10"), ("HOST", "board-7"), ("GLOBAL_TAGS", r#"["env:test", "rack:1"]"#)];
    let mut agent = Agent::run_once(&bench.env_with(&changes));
    assert_eq!(agent.wait(SOON), Some(0));
    assert_eq!(client.sizes(), Sizes::EMPTY);

    let requests = bench.intake.requests();
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/api/v1/series"));
    assert_eq!(request.header("dd-api-key"), Some(API_KEY));
    assert_eq!(request.header("content-encoding"), Some("deflate"));
    assert!(request.header("content-type").is_some_and(|kind| kind.starts_with("application/json")));
    assert_eq!(request.series().len(), 2, "points of one series belong in one object: {}", request.text);

    let store = bench.store();
    let second = base as u64;
    let (key, held) = store.only("app.count");
    assert_eq!(key.host.as_deref(), Some("board-7"));
    assert_eq!(key.tags, ["a:1", "b:2", "env:test", "rack:1"]);
    assert_eq!((held.kind.as_str(), held.interval), ("count", Some(10)));
    assert_eq!(held.points.clone().into_iter().collect::<Vec<_>>(), [(second + 1, 5.0), (second + 11, 7.0)]);
    let (_, held) = store.only("app.gauge");
    assert_eq!((held.kind.as_str(), held.interval), ("gauge", None));
    assert_eq!(held.points.clone().into_iter().collect::<Vec<_>>(), [(second + 1, -7.5)]);
}

#[test]
fn nothing_to_deliver_is_no_failure_and_no_request() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let mut agent = Agent::run_once(&bench.env());
    assert_eq!(agent.wait(SOON), Some(0));
    assert_eq!(bench.intake.requests().len(), 0);
}

#[test]
fn points_of_one_second_add_up_and_a_gauge_keeps_the_later() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let base = closed_bucket();
    let points = [
        ("app.count", "count", 0.0, 2.0),
        ("app.count", "count", 0.5, 3.0),
        ("app.rate", "rate", 0.0, 0.5),
        ("app.rate", "rate", 0.25, 0.25),
        ("app.gauge", "gauge", 0.25, 1.0),
        ("app.gauge", "gauge", 0.75, 9.0),
        ("app.gauge", "gauge", 1.0, 4.0),
    ];
    let records: Vec<(f64, String)> = points
        .iter()
        .map(|(metric, kind, offset, value)| {
            (base + offset, wrapped_record(metric, kind, base + offset, *value, &["k:v"]))
        })
        .collect();
    bench.redis.client().fill(WRAPPED, "left", &records);
    assert_eq!(Agent::run_once(&bench.env()).wait(SOON), Some(0));
    let store = bench.store();
    let second = base as u64;
    let points = |metric| store.only(metric).1.points.clone().into_iter().collect::<Vec<_>>();
    assert_eq!(points("app.count"), [(second, 5.0)]);
    assert_eq!(points("app.rate"), [(second, 0.75)]);
    assert_eq!(points("app.gauge"), [(second, 9.0), (second + 1, 4.0)]);
}

#[test]
fn integers_beyond_a_double_arrive_exactly() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let base = closed_bucket();
    let mut client = bench.redis.client();
    for (key, value) in [("a", "9007199254740993"), ("b", "0"), ("c", "2")] {
        client.push(RAW, key, Some(base), Some(raw_record("big", "count", value, base, &[]).as_bytes()));
    }
    assert_eq!(Agent::run_once(&bench.env()).wait(SOON), Some(0));
    assert!(
        bench.intake.requests()[0].text.contains("9007199254740995"),
        "{}",
        bench.intake.requests()[0].text
    );
}

#[test]
fn a_backlog_drains_without_waiting_for_the_release_interval() {
    const SERIES: usize = 25_000;
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let env = bench.env_with(&[("RELEASE_INTERVAL", "3600"), ("METRICS_BULK_SIZE", "10000")]);
    let agent = run_until_ready(&bench, &["run"], &env);
    let names: BTreeSet<String> = bench.leave_series(SERIES).into_iter().collect();
    agent.signal("USR1");
    assert!(bench.drained(SOON), "{:?}", bench.redis.client().sizes());
    let store = bench.store();
    let arrived: BTreeSet<&str> = store.names();
    assert!(names.iter().all(|name| arrived.contains(name.as_str())), "a series is missing");
    let requests = bench.intake.requests();
    assert!(requests.len() >= 3, "{} requests", requests.len());
    assert!(requests.iter().all(|request| request.series().len() <= 10_000));
    assert_eq!(bench.intake.connection_count(), 1, "the connection is kept");
}

#[test]
fn a_batch_holds_no_more_points_than_configured() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    bench.leave_series(1000);
    let _agent = Agent::run(&bench.env_with(&[("METRICS_BULK_SIZE", "100")]));
    assert!(bench.drained(SOON));
    let requests = bench.intake.requests();
    assert!(requests.iter().all(|request| request.series().len() <= 100));
    assert_eq!(
        requests.iter().map(|request| request.series().len()).sum::<usize>(),
        1000,
        "each series once"
    );
}

#[test]
fn what_is_older_than_the_ttl_is_removed_and_counted() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let old = unix_now() as f64 - 3600.0;
    let records: Vec<(f64, String)> =
        (0..7).map(|i| (old, wrapped_record(&format!("old.{i}"), "gauge", old, 1.0, &[]))).collect();
    bench.redis.client().fill(WRAPPED, "old", &records);
    bench.leave_series(3);
    let _agent = Agent::run(&bench.env_with(&[("METRIC_TTL", "600"), ("SEND_SELF_METRICS", "true")]));
    assert!(
        bench
            .intake
            .wait_for(SOON, |requests| json::close(Store::stored(requests).sum("chouette.dropped"), 7.0))
    );
    let store = bench.store();
    assert!(
        store
            .series("chouette.dropped")
            .iter()
            .all(|(key, _)| key.tags.iter().any(|tag| tag.starts_with("reason:")))
    );
    assert!(store.names().contains("left.2"));
    assert!(
        !store.names().iter().any(|name| name.starts_with("old.")),
        "no byte is spent on what is too old"
    );
    let mut client = bench.redis.client();
    assert!(wait_until(SOON, || client.records(WRAPPED).iter().all(|record| !record.contains("old."))));
}

#[test]
fn the_agent_reports_on_itself() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    bench.leave_series(5);
    let _agent = Agent::run(&bench.env_with(&[("SEND_SELF_METRICS", "true")]));
    assert!(bench.intake.wait_for(SOON, |requests| {
        let store = Store::acknowledged(requests);
        let names = store.names();
        store.sum("chouette.dispatched.metrics.number") >= 5.0
            && store.sum("chouette.dispatched.metrics.bytes") > 0.0
            && names.contains("chouette.queued.metrics")
    }));
    let store = bench.store();
    assert_eq!(store.series("chouette.dispatched.metrics.number")[0].1.kind, "count");
    assert_eq!(store.series("chouette.queued.metrics")[0].1.kind, "gauge");
    assert!(store.series("chouette.queued.metrics")[0].1.points.values().any(|value| *value >= 5.0));
}

#[test]
fn tls_trusts_the_authority_that_ssl_cert_file_names() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let pki = Pki::new();
    let secure = Intake::start_tls(&pki, |_| status(202));
    bench.leave_series(10);
    let env = bench.env_with(&[("DATADOG_URL", &secure.url_of("localhost"))]);

    let mut stranger = Agent::run_once(&env);
    assert_eq!(stranger.wait(SOON), Some(1));
    assert_eq!(bench.redis.client().sizes().wrapped, 10, "kept, as nothing was delivered");
    assert_eq!(secure.requests().len(), 0);
    assert!(stranger.stderr().to_lowercase().contains("certificate"), "{}", stranger.stderr());

    for host in ["localhost", "127.0.0.1"] {
        bench.leave_series(10);
        let ca_file = pki.ca_file();
        let changes =
            [("DATADOG_URL", secure.url_of(host)), ("SSL_CERT_FILE", ca_file.to_string_lossy().into_owned())];
        let changes = changes.each_ref().map(|(name, value)| (*name, value.as_str()));
        assert_eq!(Agent::run_once(&with(env.clone(), &changes)).wait(SOON), Some(0), "{host}");
        assert_eq!(bench.redis.client().sizes(), Sizes::EMPTY);
    }
    assert_eq!(Store::acknowledged(&secure.requests()).names().len(), 10);
}

#[test]
fn a_tls_session_is_taken_up_again() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let pki = Pki::new();
    let secure = Intake::start_tls(&pki, |_| Behaviour::AnswerThenClose(answer(202)));
    let ca_file = pki.ca_file();
    let env =
        bench.env_with(&[("DATADOG_URL", &secure.url()), ("SSL_CERT_FILE", &ca_file.to_string_lossy())]);
    let _agent = Agent::run(&env);
    let mut client = bench.redis.client();
    for metric in ["first", "second", "third"] {
        push_gauge(&mut client, metric, 1.0);
        assert!(arrives(&secure, metric, SOON), "{metric}");
    }
    let requests = secure.requests();
    assert!(
        requests.iter().skip(1).all(|request| request.resumed),
        "later connections resume the session of the first"
    );
}

#[test]
fn one_connection_serves_many_releases() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let _agent = Agent::run(&bench.env());
    let mut client = bench.redis.client();
    for metric in ["first", "second", "third"] {
        push_gauge(&mut client, metric, 1.0);
        assert!(arrives(&bench.intake, metric, SOON), "{metric}");
    }
    assert_eq!(bench.intake.connection_count(), 1);
}
