//! What becomes of single records, and of many.

use crate::Bench;
use crate::support::agent::{API_KEY, Agent};
use crate::support::behaviour::status;
use crate::support::queues::{LOGS, log_record};
use crate::support::store::Store;
use crate::support::{PATIENT, SOON, json, unix_now};

/// The bounds on a request and on one entry of it.
const ENTRIES_MAX: usize = 1000;
const BODY_BYTES_MAX: usize = 4_000_000;
const ENTRY_BYTES_MAX: usize = 1_000_000;

#[test]
fn what_the_log_handler_writes_arrives_with_tags_host_and_untouched_extras() {
    let Some(bench) = Bench::new(|_| status(200)) else {
        return;
    };
    let extras =
        r#", "took": 1.50, "id": 12345678901234567890123, "ratio": 1e-7, "user": {"na\u00efve": [ ]}"#;
    bench.leave(vec![
        log_record(r#"{"text": "opened", "by": "\ud83d\ude00"}"#, &["env:lab", "room:1"], extras),
        log_record(r#"{"text": "closed"}"#, &[], ""),
    ]);
    let env = bench.env(&[("HOST", "shed-1"), ("GLOBAL_TAGS", r#"["site:garden"]"#)]);
    let agent = Agent::run(&env);
    assert!(bench.drained(SOON));

    let requests = bench.logs.requests();
    let [request] = &requests[..] else { panic!("{} requests", requests.len()) };
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/input"));
    for (name, value) in
        [("dd-api-key", API_KEY), ("content-type", "application/json"), ("content-encoding", "deflate")]
    {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    let head = r#""date":"2023-11-14T22:13:20.500000","ddsource":"python","ddtags""#;
    let host = r#""host":"shed-1","hostname":"shed-1""#;
    assert_eq!(
        request.text,
        format!(
            r#"[{{{head}:"env:lab,room:1,site:garden","level":"INFO","message":{{"text": "opened", "by": "\ud83d\ude00"}},"service":"door","took":1.50,"id":12345678901234567890123,"ratio":1e-7,"user":{{"na\u00efve": [ ]}},{host}}},{{{head}:"site:garden","level":"INFO","message":{{"text": "closed"}},"service":"door",{host}}}]"#
        )
    );
    assert!(bench.metric_arrives("chouette.dispatched.logs.bytes"));
    let store = Store::acknowledged(&bench.metrics.requests());
    assert!(json::close(store.sum("chouette.dispatched.logs.number"), 2.0));
    assert!(json::close(store.sum("chouette.dispatched.logs.bytes"), request.body_bytes as f64));
    assert!(!agent.stderr().contains(API_KEY), "the key is in the log");
}

#[test]
fn the_present_api_is_used_where_the_address_names_it() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    bench.leave_numbered(1);
    let url = format!("{}/api/v2/logs", bench.logs.logs_url());
    assert_eq!(Agent::run_once(&bench.env(&[("DATADOG_LOGS_URL", &url)])).wait(SOON), Some(0));
    assert_eq!(bench.logs.requests()[0].path, "/api/v2/logs");
    assert_eq!(bench.waiting(), 0);
}

#[test]
fn odd_records_cost_only_themselves() {
    let Some(bench) = Bench::new(|_| status(200)) else {
        return;
    };
    let at = unix_now() as f64 - 60.0;
    let records: [&[u8]; 14] = [
        br#"{"n": 1, "ddtags": ["a:b", "c:d"]}"#,
        br#"{"n": 2, "ddtags": "a:b,c:d"}"#,
        br#"{"n": 3, "ddtags": null}"#,
        br#"{"n": 4, "ddtags": [1, null, true, ["x"], "a:b"]}"#,
        br#"{"n": 5, "ddtags": 7, "level": {"odd": []}, "date": null}"#,
        br#"{"n": 6, "lone": "\ud800", "n2": NaN, "n3": [Infinity, -Infinity], "say": "NaN"}"#,
        b"{\"n\": 7}\n",
        b"[{\"n\": 100}]",
        b"\"n 101\"",
        b"{\"n\": 102",
        b"{\"n\": 103, \"message\": \"\xff\xfe\"}",
        b"null",
        b"",
        br#"{"n": 8, "host": "own", "x": 1, "x": 2}"#,
    ];
    let mut client = bench.redis.client();
    for (i, record) in records.iter().enumerate() {
        client.push(LOGS, &format!("log-{i:02}"), Some(at), Some(record));
    }
    client.push(LOGS, "log-without-value", Some(at), None);
    let _agent = Agent::run(&bench.env(&[("HOST", "pi")]));
    assert!(bench.drained(SOON));
    let requests = bench.logs.requests();
    let [request] = &requests[..] else { panic!("{} requests", requests.len()) };
    let host = r#""host":"pi","hostname":"pi""#;
    let expected = [
        format!(r#"{{"n":1,"ddtags":"a:b,c:d",{host}}}"#),
        format!(r#"{{"n":2,"ddtags":"a:b,c:d",{host}}}"#),
        format!(r#"{{"n":3,{host}}}"#),
        format!(r#"{{"n":4,"ddtags":"1,true,a:b",{host}}}"#),
        format!(r#"{{"n":5,"ddtags":"7","level":{{"odd": []}},"date":null,{host}}}"#),
        format!(r#"{{"n":6,"lone":"\ud800","n2":null,"n3":[null, null],"say":"NaN",{host}}}"#),
        format!(r#"{{"n":7,{host}}}"#),
        r#"{"n":8,"host":"own","x":1,"x":2}"#.to_owned(),
    ];
    assert_eq!(request.text, format!("[{}]", expected.join(",")));
    for (reason, count) in [("malformed_log", 6.0), ("key_without_value", 1.0), ("log_not_finite", 1.0)] {
        assert!(bench.counts_dropped(reason, count), "{reason}");
    }
}

#[test]
fn a_backlog_goes_out_at_once_in_requests_of_a_thousand() {
    let Some(bench) = Bench::new(|_| status(200)) else {
        return;
    };
    bench.leave_numbered(2_500);
    // One release has to do for all of it.
    let _agent = Agent::run(&bench.env(&[("RELEASE_INTERVAL", "3600")]));
    assert!(bench.drained(SOON));
    assert_eq!(bench.numbers(), (0..2_500).collect::<Vec<u64>>(), "each once, in the order of the queue");
    let sizes: Vec<usize> =
        bench.logs.requests().iter().map(|request| json::items(request.json.as_ref()).len()).collect();
    assert!(sizes.len() == 3 && sizes.iter().all(|entries| *entries <= ENTRIES_MAX), "{sizes:?}");
}

#[test]
fn long_records_are_bounded_by_bytes_and_cut() {
    let Some(bench) = Bench::new(|_| status(200)) else {
        return;
    };
    let text = |bytes: usize| json::quote(&"lorem ipsum ".repeat(bytes / 12));
    let mut records: Vec<String> = (0..600).map(|_| log_record(&text(20_000), &[], "")).collect();
    records.push(log_record(&format!("{{\"stack\": {}}}", text(2_500_000)), &[], r#", "after": 1.0"#));
    records.push(log_record(&text(9_000_000), &[], ""));
    bench.leave(records);
    let _agent = Agent::run(&bench.env(&[]));
    assert!(bench.drained(PATIENT));
    let requests = bench.logs.requests();
    let longest = requests.iter().map(|request| request.text.len()).max().unwrap();
    assert!((BODY_BYTES_MAX - 30_000..=BODY_BYTES_MAX).contains(&longest), "{longest}");
    let entries = bench.accepted();
    assert_eq!(entries.len(), 601, "all but the one that is not even read");
    let cut = miniserde::json::to_string(entries.last().unwrap());
    assert!((ENTRY_BYTES_MAX - 1000..=ENTRY_BYTES_MAX + 1000).contains(&cut.len()), "{}", cut.len());
    assert!(
        requests.iter().any(|request| request.text.ends_with(r#""after":1.0,"chouette_truncated":true}]"#))
    );
    assert!(bench.counts_dropped("log_truncated", 1.0) && bench.counts_dropped("log_too_large", 1.0));
}

#[test]
fn logs_older_than_their_time_to_live_are_dropped_and_counted() {
    let Some(bench) = Bench::new(|_| status(200)) else {
        return;
    };
    let old = unix_now() as f64 - 700.0;
    let record = log_record(r#"{"n": 99}"#, &[], "");
    bench.redis.client().fill(
        LOGS,
        "old",
        &[(old, record.clone()), (old + 1.0, record.clone()), (old, record)],
    );
    bench.leave_numbered(3);
    bench.leave_metric("older.than.a.log.may.be");
    let _agent = Agent::run(&bench.env(&[("LOG_TTL", "600"), ("METRIC_TTL", "4000")]));
    assert!(bench.drained(SOON));
    assert_eq!(bench.numbers(), [0, 1, 2]);
    assert!(bench.counts_dropped("expired", 3.0));
}
