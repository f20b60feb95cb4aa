//! The collector question by question, and its document with bytes changed at random.

use super::*;
use crate::collect::fake::{FakeBoard, Random, answer};
use crate::limits::k8s::{NAME_CHARS_MAX, PODS_MAX};
use crate::metric::json::Reader;

const ALL_GROUPS: &str = include_str!("../../../tests/fixtures/plugins/k8s_all_groups.json");
const ODD_PODS: &str = include_str!("../../../tests/fixtures/plugins/k8s_odd_pods.json");

/// The value of a member of a member, as it stands.
fn member<'a>(text: &'a str, path: &[&str]) -> &'a str {
    path.iter().fold(text, |text, wanted| {
        let mut reader = Reader::new(text);
        reader.enter_object().unwrap();
        loop {
            let key = reader.next_key().unwrap().unwrap_or_else(|| panic!("no {wanted}"));
            if key == *wanted {
                return reader.raw().unwrap();
            }
            reader.skip().unwrap();
        }
    })
}

fn groups_of(case: &str) -> Groups {
    Groups::from_json(&Reader::new(member(case, &["env", "K8S_METRICS"])).text().unwrap()).unwrap()
}

fn collector(groups: Groups, token_path: Option<&str>) -> K8s {
    let token_path = token_path.map(str::to_owned);
    K8s::new(&Options { authority: "10.0.0.5:10250".to_owned(), token_path, groups })
}

/// What a reply leads to: the gauges as lines, and the error.
fn take(k8s: &mut K8s, reply: Reply) -> (Vec<String>, String) {
    let board = FakeBoard::default();
    let mut reading = Reading::new(&board);
    let result = k8s.reply(0, reply, &mut reading);
    assert!(reading.questions.is_empty());
    let line = |g: &crate::collect::Gauge| {
        let name = g.name.strip_prefix("Chouette.k8s.").unwrap();
        format!("{name} {} {}", g.tags.as_str(), g.value.python_str())
    };
    (reading.gauges.iter().map(line).collect(), result.err().map(|e| e.to_string()).unwrap_or_default())
}

fn document(text: &str) -> (Vec<String>, String) {
    take(&mut collector(Groups::default(), None), answer(200, text.as_bytes()))
}

#[test]
fn a_reading_is_one_request() {
    let board = FakeBoard::default();
    let mut reading = Reading::new(&board);
    assert_eq!(collector(Groups::default(), None).begin(&mut reading), Ok(()));
    let [(0, Question::Http { request, body_bytes_max: SUMMARY_BYTES_MAX })] = &reading.questions[..] else {
        panic!("{:?}", reading.questions);
    };
    assert_eq!(*request, Request::get("10.0.0.5:10250", "/stats/summary"));
}

#[test]
fn the_token_is_read_for_each_request_and_never_shown() {
    let mut k8s = collector(Groups::default(), Some("/run/token"));
    for token in ["first.t0ken", "second.t0ken\n"] {
        let board = FakeBoard::new(&[("/run/token", token)]);
        let mut reading = Reading::new(&board);
        assert_eq!(k8s.begin(&mut reading), Ok(()));
        let [(_, Question::Http { request, .. })] = &reading.questions[..] else {
            panic!("{:?}", reading.questions);
        };
        assert_eq!(request.headers, [("Authorization", format!("Bearer {}", token.trim()))]);
        let shown = format!("{:?} {k8s:?}", reading.questions);
        assert!(!shown.contains("t0ken"), "{shown}");
    }
    for (text, problem) in [
        ("", "/run/token: it holds no token"),
        (
            "one.t0ken\ntwo.t0ken",
            "/run/token: it holds more than one token, or none: a header cannot carry it",
        ),
        ("t0ken\u{7f}", "/run/token: it holds more than one token, or none: a header cannot carry it"),
    ] {
        let board = FakeBoard::new(&[("/run/token", text)]);
        let mut reading = Reading::new(&board);
        assert_eq!(k8s.begin(&mut reading).unwrap_err().to_string(), problem);
        assert!(reading.questions.is_empty());
    }
    let board = FakeBoard::default();
    let mut reading = Reading::new(&board);
    assert_eq!(k8s.begin(&mut reading).unwrap_err().to_string(), "/run/token: entity not found");
}

#[test]
fn all_groups_give_all_metrics() {
    let mut k8s = collector(groups_of(ALL_GROUPS), None);
    let body = member(ALL_GROUPS, &["input", "response"]);
    let (lines, error) = take(&mut k8s, answer(200, body.as_bytes()));
    assert_eq!(error, "");
    let expected = "\
pod.cpu.usageNanoCores [\"namespace:shop\",\"pod_name:web-7d4b9-2x\"] 0
pod.memory.usageBytes [\"namespace:shop\",\"pod_name:web-7d4b9-2x\"] 52428800
pod.cpu.usageNanoCores [\"namespace:monitoring\",\"pod_name:node-exporter-x1\"] 2500000
pod.memory.rssBytes [\"namespace:monitoring\",\"pod_name:node-exporter-x1\"] 9437184
pod.memory.usageBytes [\"namespace:monitoring\",\"pod_name:node-exporter-x1\"] 12582912
pod.network.rxBytes [\"namespace:monitoring\",\"pod_name:node-exporter-x1\"] 18446744073709551615
pod.network.txBytes [\"namespace:monitoring\",\"pod_name:node-exporter-x1\"] 0
pods.running [] 3
node.cpu.usageNanoCores [\"node_name:orin-3\"] 707000000
node.cpu.usageCoreNanoSeconds [\"node_name:orin-3\"] 460154106646
node.memory.rssBytes [\"node_name:orin-3\"] 844783616
node.memory.usageBytes [\"node_name:orin-3\"] 2397286400
node.memory.availableBytes [\"node_name:orin-3\"] 0
node.memory.workingSetBytes [\"node_name:orin-3\"] 1546526720
node.network.rxBytes [\"node_name:orin-3\"] 5000
node.network.txBytes [\"node_name:orin-3\"] 6000
node.fs.availableBytes [\"node_name:orin-3\"] 9003261952
node.fs.usedBytes [\"node_name:orin-3\"] 20996751360
node.fs.inodesFree [\"node_name:orin-3\"] 1600584";
    assert_eq!(lines, expected.lines().collect::<Vec<_>>());
    let sent = |metric: &MetricDoc| expected.contains(metric.name.strip_prefix("Chouette.k8s.").unwrap());
    assert!(METRICS.iter().all(sent));
}

#[test]
fn an_odd_pod_costs_only_itself() {
    let mut k8s = collector(groups_of(ODD_PODS), None);
    let body = member(ODD_PODS, &["input", "response"]);
    let (lines, error) = take(&mut k8s, answer(200, body.as_bytes()));
    let expected = ["pod.memory.usageBytes [\"namespace:odd\",\"pod_name:half\"] 4096", "pods.running [] 5"];
    assert_eq!(lines, expected);
    assert_eq!(error, "pods: 3 without name or namespace");
}

#[test]
fn a_node_without_pods_has_zero() {
    for pods in ["[]", "null"] {
        let (lines, error) = document(&format!(r#"{{"pods":{pods},"node":{{"nodeName":"n"}}}}"#));
        assert_eq!((lines, error), (vec!["pods.running [] 0".to_owned()], String::new()));
    }
    assert_eq!(document("{}"), (vec![], String::new()));
    assert_eq!(document(r#"{"pods":3}"#).1, "pods: they are no list");
    let (lines, error) = document(r#"{"node":{"fs":{"inodesFree":1}}}"#);
    assert_eq!((lines, error), (vec![], "node: it has no name".to_owned()));
}

#[test]
fn what_came_before_a_fault_counts() {
    let whole = r#"{"node":{"nodeName":"n","fs":{"inodesFree":7}},"pods":[{"podRef""#;
    let (lines, error) = document(whole);
    assert_eq!(lines, ["node.fs.inodesFree [\"node_name:n\"] 7"]);
    assert_eq!(error, "10.0.0.5:10250/stats/summary: not JSON at byte 64");
    let mut k8s = collector(Groups::default(), None);
    let (lines, error) = take(&mut k8s, answer(200, b"{\"node\xff\":1}"));
    assert_eq!((lines.len(), error.as_str()), (0, "10.0.0.5:10250/stats/summary: not UTF-8 at byte 6"));
}

#[test]
fn too_many_pods_are_counted_and_left_out() {
    let pod = r#"{"podRef":{"name":"p","namespace":"n"},"cpu":{"usageNanoCores":1}}"#;
    let body = format!(r#"{{"pods":[{}]}}"#, vec![pod; PODS_MAX + 7].join(","));
    let (lines, error) = document(&body);
    assert_eq!(lines.len(), PODS_MAX + 1);
    assert_eq!(lines[PODS_MAX], format!("pods.running [] {}", PODS_MAX + 7));
    assert_eq!(error, format!("pods: only the first {PODS_MAX} are read"));
    let long = "x".repeat(NAME_CHARS_MAX + 9);
    let (lines, _) = document(&body.replacen("\"p\"", &format!("\"{long}\""), 1));
    assert!(lines[0].contains(&format!("pod_name:{}\"", &long[..NAME_CHARS_MAX])), "{}", lines[0]);
}

#[test]
fn a_refusal_says_what_to_look_at() {
    let mut k8s = collector(Groups::default(), None);
    for (status, told) in [
        (
            401,
            "answered 401: it does not know the client; see K8S_TOKEN_PATH or K8S_CERT_PATH and K8S_KEY_PATH",
        ),
        (403, "answered 403: the token or certificate is not allowed to get nodes/stats"),
        (500, "answered 500"),
        (301, "answered 301"),
    ] {
        let (lines, error) = take(&mut k8s, answer(status, b"{\"pods\":[]}"));
        assert!(lines.is_empty());
        assert_eq!(error, format!("10.0.0.5:10250/stats/summary: {told}"));
    }
    let (_, error) = take(&mut k8s, Reply::Http(Err("too late".to_owned())));
    assert_eq!(error, "10.0.0.5:10250/stats/summary: too late");
}

#[test]
fn mutated_documents_never_panic() {
    const MUTATIONS: u64 = 20_000;
    let groups = groups_of(ALL_GROUPS);
    let board = FakeBoard::default();
    let documents = [ALL_GROUPS, ODD_PODS].map(|case| member(case, &["input", "response"]));
    for seed in 1..=MUTATIONS {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let which = random.below(documents.len());
        let body = random.mutate(documents[which]);
        let mut reading = Reading::new(&board);
        let _ = collector(groups.clone(), None).reply(0, answer(200, body.as_bytes()), &mut reading);
        for gauge in &reading.gauges {
            let is_known = METRICS.iter().any(|metric| metric.name == gauge.name);
            assert!(is_known && gauge.value.is_finite(), "seed {seed}: {gauge:?}");
        }
    }
}
