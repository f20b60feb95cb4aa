//! Every case of the corpus through the real binary: what the server says, and what arrives.

use crate::docker::LIST;
use crate::kubelet::{Pki, variables};
use crate::script::{Answer, Manner, Server, ok};
use crate::support::agent::{self, Agent};
use crate::support::json::{self, Value};
use crate::support::temp::TempDir;
use crate::support::{SOON, corpus_cases};
use crate::{Bench, failures};

/// Own cases of each plugin; a corpus beside the repository has more.
const CASES_MIN: usize = 1;

fn run_cases(plugin: &str, run: impl Fn(&Bench, &Value, &[(&str, &str)]) -> String) {
    let cases = corpus_cases("plugins", &format!("{plugin}_"));
    assert!(cases.len() >= CASES_MIN, "fixtures are missing");
    for (name, case) in &cases {
        let Some(bench) = Bench::new() else {
            return;
        };
        eprintln!("case {name}");
        let env: Vec<(&str, &str)> = match json::get(case, "env") {
            Some(Value::Object(env)) => {
                env.iter().map(|(name, value)| (name.as_str(), json::text(Some(value)).unwrap())).collect()
            }
            _ => Vec::new(),
        };
        let log = run(&bench, case, &env);
        check(&bench, plugin, case, &log);
    }
}

/// One reading with these variables; what the agent wrote.
fn read_once(bench: &Bench, plugin: &str, env: &[(&str, &str)], more: &[(&str, &str)]) -> String {
    let mut agent = Agent::run_once(&agent::with(bench.env(plugin, env), more));
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    agent.stderr()
}

fn check(bench: &Bench, plugin: &str, case: &Value, log: &str) {
    let mut found = bench.store().0;
    for series in json::items(json::get(case, "expected")) {
        let metric = json::text(json::get(series, "metric")).unwrap();
        let tags = json::sorted_texts(json::get(series, "tags"));
        let value = json::number(json::get(series, "value")).unwrap();
        let key = found.keys().find(|key| key.metric == metric && key.tags == tags).cloned();
        let key = key.unwrap_or_else(|| panic!("no {metric} {tags:?}: {found:?}\n{log}"));
        let held = found.remove(&key).unwrap();
        assert!(held.points.values().all(|point| json::close(*point, value)), "{key:?} {held:?}");
        assert_eq!(held.kind, "gauge");
    }
    // The corpus leaves out what is zero; a zero is sent.
    found.retain(|key, held| {
        !key.metric.starts_with("chouette.") && held.points.values().any(|value| *value != 0.0)
    });
    assert!(found.is_empty(), "more than expected: {found:?}");
    if let Some(failed) = json::get(case, "failed") {
        assert!(matches!(failed, Value::Bool(true)));
        assert_eq!(failures(&bench.intake.requests(), plugin), 1.0, "{log}");
    }
}

#[test]
fn k8s_cases() {
    let pki = Pki::new();
    run_cases("k8s", |bench, case, env| {
        let body =
            miniserde::json::to_string(json::get(json::get(case, "input").unwrap(), "response").unwrap());
        let server = Server::tls(pki.asking(), move |_| ok(body.as_str()));
        let own = variables(&server, &pki);
        let own: Vec<(&str, &str)> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
        read_once(bench, "k8s", env, &own)
    });
}

#[test]
fn docker_cases() {
    run_cases("docker", |bench, case, env| {
        let input = json::get(case, "input").unwrap();
        let text = |value: &Value| miniserde::json::to_string(value);
        let list = json::get(input, "list").unwrap();
        let status = if matches!(list, Value::Array(_)) { 200 } else { 400 };
        let list = ok(text(list)).with(status, Manner::Chunked);
        let stats = match json::get(input, "stats") {
            Some(Value::Object(stats)) => stats.iter().map(|(id, stats)| (id.clone(), text(stats))).collect(),
            _ => Vec::new(),
        };
        let answer = move |path: &str| -> Answer {
            if path == LIST {
                return list.clone();
            }
            let wanted = |id: &str| path == format!("/containers/{id}/stats?stream=false&one-shot=true");
            match stats.iter().find(|(id, _)| wanted(id)) {
                Some((_, stats)) => ok(stats.as_str()),
                None => ok(r#"{"message":"No such container"}"#).with(404, Manner::Whole),
            }
        };
        let dir = TempDir::new();
        let socket = dir.join("docker.sock");
        let _server = Server::unix(&socket, move |request| answer(&request.path));
        read_once(bench, "docker", env, &[("DOCKER_SOCKET_PATH", &socket.to_string_lossy())])
    });
}

#[test]
fn dramatiq_cases() {
    run_cases("dramatiq", |bench, case, env| {
        let mut redis = bench.redis.client();
        let input = json::get(case, "input").unwrap();
        if let Some(Value::Object(hashes)) = json::get(input, "hashes") {
            for (key, size) in hashes {
                for n in 0..json::integer(Some(size)).unwrap() {
                    redis.run::<()>(&["HSET", key, &n.to_string(), "message"]);
                }
            }
        }
        if let Some(Value::Object(texts)) = json::get(input, "texts") {
            for (key, text) in texts {
                redis.run::<()>(&["SET", key, json::text(Some(text)).unwrap()]);
            }
        }
        read_once(bench, "dramatiq", env, &[])
    });
}
