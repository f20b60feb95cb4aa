//! The plugin `docker` and a scripted engine that answers in every manner.

use crate::script::{Answer, Manner, Server, ok};
use crate::support::agent::Agent;
use crate::support::http::RawRequest;
use crate::support::temp::TempDir;
use crate::support::{SOON, json};
use crate::{Bench, failures, has_arrived};

use std::time::Duration;

const MEMORY: &str = "Chouette.docker.memory.usage";
const CPU: &str = "Chouette.docker.cpu.usage";
pub const LIST: &str = "/containers/json";

/// An engine with so many containers; the n-th is called `cN`, has `1000 + n` bytes and `n` nanoseconds.
pub fn engine(count: usize, manner: Manner) -> impl Fn(&RawRequest) -> Answer + Send + Sync + 'static {
    move |request| {
        let answer = if request.path == LIST {
            let entry = |n| format!(r#"{{"Id":"id{n}","Names":["/c{n}"],"State":"running"}}"#);
            ok(format!("[{}]", (0..count).map(entry).collect::<Vec<_>>().join(",")))
        } else {
            match container(&request.path) {
                Some(n) => ok(format!(
                    r#"{{"name":"/c{n}","memory_stats":{{"usage":{}}},"cpu_stats":{{"cpu_usage":{{"total_usage":{n}}}}}}}"#,
                    1000 + n
                )),
                None => ok(r#"{"message":"page not found"}"#).with(404, Manner::Whole),
            }
        };
        answer.in_manner(manner)
    }
}

/// The number of the container whose statistics a path asks for.
fn container(path: &str) -> Option<usize> {
    let id = path.strip_prefix("/containers/id")?.strip_suffix("/stats?stream=false&one-shot=true")?;
    id.parse().ok()
}

/// Starts the agent for one reading of this engine; the names of the containers that arrived whole.
fn containers_of(bench: &Bench, socket: &str) -> Vec<String> {
    let mut agent = Agent::run_once(&bench.env("docker", &[("DOCKER_SOCKET_PATH", socket)]));
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    let store = bench.store();
    let cpu = store.series(CPU);
    let mut names = Vec::new();
    for (key, held) in store.series(MEMORY) {
        let name = key.tags[0].strip_prefix("container:").unwrap();
        let n: usize = name.strip_prefix('c').unwrap().parse().unwrap();
        assert!(held.points.values().all(|bytes| json::close(*bytes, (1000 + n) as f64)), "{key:?} {held:?}");
        let (_, nanoseconds) = cpu.iter().find(|(other, _)| other.tags == key.tags).unwrap();
        assert!(nanoseconds.points.values().all(|ns| json::close(*ns, n as f64)), "{key:?} {nanoseconds:?}");
        names.push(name.to_owned());
    }
    assert_eq!(cpu.len(), names.len());
    names.sort();
    names
}

#[test]
fn readings_are_the_same_however_the_engine_answers() {
    for manner in
        [Manner::Whole, Manner::Chunked, Manner::ByteByByte, Manner::Slow(Duration::from_millis(20))]
    {
        let Some(bench) = Bench::new() else {
            return;
        };
        let dir = TempDir::new();
        let socket = dir.join("docker.sock");
        let server = Server::unix(&socket, engine(6, manner));
        let found = containers_of(&bench, &socket.to_string_lossy());
        assert_eq!(found, ["c0", "c1", "c2", "c3", "c4", "c5"], "{manner:?}");
        let requests = server.requests();
        assert_eq!(requests.len(), 7);
        assert!(requests.iter().all(|r| r.method == "GET" && r.header("host") == Some("docker")));
        assert!((1..=4).contains(&server.most_open()), "{} at once", server.most_open());
        assert_eq!(failures(&bench.intake.requests(), "docker"), 0.0);
    }
}

#[test]
fn containers_are_asked_for_in_parallel_and_not_all_at_once() {
    let Some(bench) = Bench::new() else {
        return;
    };
    let dir = TempDir::new();
    let socket = dir.join("docker.sock");
    let server = Server::unix(&socket, engine(40, Manner::Slow(Duration::from_millis(10))));
    assert_eq!(containers_of(&bench, &socket.to_string_lossy()).len(), 40);
    assert_eq!(server.most_open(), 4);
}

#[test]
fn a_container_that_vanishes_costs_only_itself() {
    let Some(bench) = Bench::new() else {
        return;
    };
    let dir = TempDir::new();
    let socket = dir.join("docker.sock");
    let whole = engine(5, Manner::Whole);
    let _server = Server::unix(&socket, move |request| match container(&request.path) {
        Some(1) => ok(r#"{"message":"No such container: id1"}"#).with(404, Manner::Whole),
        Some(2) => ok("{}"),
        _ => whole(request),
    });
    assert_eq!(containers_of(&bench, &socket.to_string_lossy()), ["c0", "c3", "c4"]);
    assert_eq!(failures(&bench.intake.requests(), "docker"), 0.0);
}

#[test]
fn an_answer_cut_half_way_costs_only_its_container() {
    let Some(bench) = Bench::new() else {
        return;
    };
    let dir = TempDir::new();
    let socket = dir.join("docker.sock");
    let whole = engine(5, Manner::Whole);
    let _server = Server::unix(&socket, move |request| match container(&request.path) {
        Some(3) => whole(request).in_manner(Manner::CloseHalfWay),
        _ => whole(request),
    });
    assert_eq!(containers_of(&bench, &socket.to_string_lossy()), ["c0", "c1", "c2", "c4"]);
    assert_eq!(failures(&bench.intake.requests(), "docker"), 1.0);
}

#[test]
fn an_engine_that_fails_is_told_of_once_and_recovers() {
    let Some(bench) = Bench::new() else {
        return;
    };
    let dir = TempDir::new();
    let socket = dir.join("docker.sock");
    let env = bench.env("docker,host", &[("DOCKER_SOCKET_PATH", &socket.to_string_lossy())]);
    let agent = Agent::run(&env);
    assert!(bench.intake.wait_for(SOON, |requests| failures(requests, "docker") >= 2.0));
    assert!(has_arrived(&bench.intake.requests(), "Chouette.host.la"));
    let warnings = || agent.stderr().lines().filter(|line| line.contains("WARN")).count();
    assert_eq!(warnings(), 1, "{}", agent.stderr());
    assert!(agent.stderr().contains(&*socket.to_string_lossy()), "{}", agent.stderr());

    let server = Server::unix(&socket, |_| ok(r#"{"message":"starting"}"#).with(503, Manner::CloseHalfWay));
    assert!(agent.wait_for_line(SOON, "connection closed after"), "{}", agent.stderr());
    server.behave(|_| ok(r#"{"message":"starting"}"#).with(503, Manner::Whole));
    assert!(agent.wait_for_line(SOON, "/containers/json: answered 503: starting"), "{}", agent.stderr());
    server.behave(engine(2, Manner::Whole));
    assert!(bench.intake.wait_for(SOON, |requests| has_arrived(requests, MEMORY)));
    assert!(agent.wait_for_line(SOON, "docker: works again"), "{}", agent.stderr());
}
