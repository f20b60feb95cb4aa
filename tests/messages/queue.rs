//! The queue: Redis that is not there, is something else or refuses; and the embedded one.

use super::support::agent::{self, API_KEY, Agent, Env};
use super::support::alone::Alone;
use super::support::behaviour::status;
use super::support::bench::{Bench, push_gauge};
use super::support::intake::{Front, Intake};
use super::support::proxy::{RedisProxy, Trouble};
use super::support::queues::{LOGS, RAW, WRAPPED, wrapped_record};
use super::support::redis::{Options, RedisServer};
use super::support::temp::TempDir;
use super::support::{SOON, free_port, unix_now_f64, wait_until};
use super::{SECRET, said, says};

use std::os::unix::net::UnixDatagram;
use std::process::Command;

/// Where the address of Redis is from.
const FROM: &str = "from REDIS_URL, or REDIS_HOST and REDIS_PORT";

/// An agent that is told where Redis is, and has nothing to send.
fn env(redis: &str, changes: &[(&str, &str)]) -> Env {
    let nowhere = Intake::accepting();
    agent::with(agent::env(redis, &nowhere), changes)
}

#[test]
fn an_address_without_a_redis_is_told() {
    let dir = TempDir::new();
    let (port, socket) = (free_port(), dir.join("redis.sock").display().to_string());
    for (url, told) in [
        (
            format!("redis://127.0.0.1:{port}"),
            format!("connect 127.0.0.1:{port}: connection refused ({FROM})"),
        ),
        (format!("unix://{socket}"), format!("connect {socket}: no such file or directory ({FROM})")),
    ] {
        says(&Agent::run(&env(&url, &[])), &format!("WARN redis: {told}"));
    }
    let mut once = Agent::run_once(&env(&format!("redis://127.0.0.1:{port}"), &[]));
    assert_eq!(once.wait(SOON), Some(1), "{}", once.stderr());
    let refused = format!("WARN redis: connect 127.0.0.1:{port}: connection refused ({FROM})");
    assert_eq!(said(&once.stderr()), [&refused, "ERROR redis was not reached within 10 s; nothing was done"]);
}

#[test]
fn something_else_than_a_redis_is_told() {
    let other = Intake::accepting();
    let url = format!("redis://127.0.0.1:{}", other.port());
    for (front, told) in [
        (
            Front::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            "not a reply of Redis (does something else listen there?): a type that is none of RESP2",
        ),
        (Front::Says(b""), "redis closed the connection"),
    ] {
        other.meet_with(front);
        says(&Agent::run(&env(&url, &[])), &format!("WARN redis: {told}"));
    }
}

#[test]
fn a_redis_that_does_not_let_in_is_told_without_the_password() {
    let Some(redis) = RedisServer::start_with(&Options { password: Some("word"), ..Options::default() })
    else {
        return;
    };
    redis.client().run::<()>(&["ACL", "SETUSER", "reader", "on", ">word", "+ping"]);
    let reader = format!("redis://reader:word@127.0.0.1:{}", redis.port);
    let wrong = format!("redis://:{SECRET}@127.0.0.1:{}", redis.port);
    for (url, changes, told) in [
        (
            redis.url(),
            vec![],
            "redis refused: NOAUTH Authentication required. (check REDIS_PASSWORD and REDIS_USERNAME)",
        ),
        (
            wrong,
            vec![],
            "redis refused: WRONGPASS invalid username-password pair or user is disabled. (check REDIS_PASSWORD and REDIS_USERNAME)",
        ),
        (
            redis.url().replace("/0", ""),
            vec![("REDIS_PASSWORD", "word"), ("REDIS_DB", "99")],
            "redis refused: ERR DB index is out of range (check REDIS_DB)",
        ),
    ] {
        says(&Agent::run(&env(&url, &changes)), &format!("WARN redis: {told}"));
    }
    let without_rights = Agent::run(&env(&reader, &[]));
    // Between them Redis says which command, in words that change from version to version.
    let ends = ["WARN redis: redis refused: NOPERM ", " (check the rights of REDIS_USERNAME)"];
    let is_told = |one: &String| one.starts_with(ends[0]) && one.ends_with(ends[1]);
    let log = || said(&without_rights.stderr());
    assert!(wait_until(SOON, || log().iter().any(is_told)), "{:?}", log());
}

#[test]
fn a_queue_that_is_something_else_is_told_with_its_key() {
    let Some(bench) = Bench::new(|_| status(202)) else { return };
    let mut client = bench.redis.client();
    client.run::<()>(&["SET", "chouette:metrics:wrapped.keys", "mine"]);
    let agent = Agent::run(&bench.env_with(&[("COLLECTOR_PLUGINS", "host")]));
    const WRONGTYPE: &str =
        "redis refused: WRONGTYPE Operation against a key holding the wrong kind of value";
    says(&agent, &format!("WARN storing readings: {WRONGTYPE}"));
    says(&agent, &format!("WARN aggregation: {WRONGTYPE}: chouette:metrics:wrapped.keys"));
    says(&agent, &format!("WARN release: {WRONGTYPE}: chouette:metrics:wrapped.keys"));
}

#[test]
fn a_full_redis_is_told() {
    let Some(bench) = Bench::new(|_| status(202)) else { return };
    bench.redis.client().run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let agent = Agent::run(&bench.env());
    const FULL: &str = "WARN lease: redis is at its maxmemory and refuses with OOM: only releasing, which frees some, goes on";
    says(&agent, FULL);
}

#[test]
fn another_agent_on_the_same_redis_is_told() {
    let Some(bench) = Bench::new(|_| status(202)) else { return };
    let _first = Agent::run(&bench.env());
    let mut client = bench.redis.client();
    assert!(wait_until(SOON, || client.holder().is_some()));
    let holder = client.holder().unwrap();
    let second = Agent::run(&bench.env());
    let line = format!(
        "WARN lease: agent {holder} works on this redis; this one, NAME, stands by: it reads, aggregates and releases nothing"
    );
    let begin = line.split_once("NAME").unwrap().0.to_owned();
    assert!(wait_until(SOON, || said(&second.stderr()).iter().any(|one| one.starts_with(&begin))));
    let mut once = Agent::run_once(&bench.env());
    assert_eq!(once.wait(super::support::PATIENT), Some(1), "{}", once.stderr());
    let last = format!("ERROR agent {holder} works on this redis; nothing was done");
    assert_eq!(said(&once.stderr()).pop(), Some(last));
}

#[test]
fn a_redis_that_goes_away_in_between_is_told() {
    let Some(bench) = Bench::new(|_| status(202)) else { return };
    push_gauge(&mut bench.redis.client(), "left", 1.0);
    let proxy = RedisProxy::start(&bench.redis.socket());
    proxy.set(Trouble::LoseReply { command: "EXEC", times: 1 });
    let mut once = Agent::run_once(&bench.env_with(&[("REDIS_URL", &proxy.url())]));
    assert_eq!(once.wait(SOON), Some(1), "{}", once.stderr());
    assert_eq!(
        said(&once.stderr()),
        [
            "WARN redis: redis closed the connection",
            "ERROR redis was lost on the way; what it holds is kept for the next run"
        ]
    );
}

#[test]
fn what_a_redis_that_hangs_costs_at_the_end_is_told() {
    let Some(bench) = Bench::new(|_| status(202)) else { return };
    let proxy = RedisProxy::start(&bench.redis.socket());
    let dir = TempDir::new();
    let socket = dir.join("dogstatsd");
    let changes = [("REDIS_URL", &*proxy.url()), ("DOGSTATSD_SOCKET", socket.to_str().unwrap())];
    let mut agent = Agent::run(&bench.env_with(&changes));
    let mut client = bench.redis.client();
    assert!(wait_until(SOON, || client.holder().is_some() && socket.exists()), "{}", agent.stderr());
    proxy.set(Trouble::Hang);
    UnixDatagram::unbound().unwrap().send_to(b"last:1|c", &socket).unwrap();
    agent.signal("TERM");
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    const TOLD: [&str; 2] = [
        "WARN stopped waiting for what is in flight; it is kept and finished at the next start",
        "ERROR 1 records could not be stored, and end with the program",
    ];
    assert_eq!(said(&agent.stderr()), TOLD);
}

#[test]
fn records_that_cannot_be_used_are_told_by_an_example() {
    let Some(bench) = Bench::new(|_| status(202)) else { return };
    let mut client = bench.redis.client();
    let now = unix_now_f64() - 30.0;
    let raw = [
        ("{\"metric\": \"a\"", "not JSON at byte 14"),
        ("[1]", "the record is not an object"),
        ("{\"metric\": \"a\", \"type\": \"count\", \"timestamp\": 1}", "value is missing"),
        (
            "{\"metric\": 7, \"type\": \"count\", \"timestamp\": 1, \"value\": 1}",
            "metric is a number, expected text",
        ),
        (
            "{\"metric\": \"a\", \"type\": \"count\", \"timestamp\": 1, \"value\": NaN}",
            "value is not a finite number",
        ),
        (
            "{\"metric\": \"a\", \"type\": \"meter\", \"timestamp\": 1, \"value\": 1}",
            "a type the wrapper does not know",
        ),
        (
            "{\"metric\": \"a\", \"type\": \"count\", \"timestamp\": 1, \"value\": [1]}",
            "a value of the wrong shape for its type",
        ),
    ];
    for (n, (record, _)) in raw.iter().enumerate() {
        client.push(RAW, &format!("raw-{n}"), Some(now), Some(record.as_bytes()));
    }
    let wrapped = [
        ("{\"metric\": \"a\"}", "not a wrapped metric"),
        (
            "{\"metric\": \"a\", \"type\": \"gauge\", \"tags\": [], \"points\": [[1600000000, NaN]]}",
            "a point that is not a finite number",
        ),
    ];
    for (n, (record, _)) in wrapped.iter().enumerate() {
        client.push(WRAPPED, &format!("wrapped-{n}"), Some(now), Some(record.as_bytes()));
    }
    client.push(LOGS, "log", Some(now), Some(b"[]"));
    let agent = Agent::run(&bench.env());
    for (_, told) in raw {
        says(
            &agent,
            &format!(
                "WARN unusable records: such as {told}; they are dropped, each told of with LOG_LEVEL=DEBUG"
            ),
        );
    }
    for (_, told) in wrapped {
        says(&agent, &format!("WARN unusable series: {told}"));
    }
    says(&agent, "WARN unusable log: a log that is no JSON object");
}

#[test]
fn what_is_too_old_is_told() {
    let Some(bench) = Bench::new(|_| status(202)) else { return };
    let then = unix_now_f64() - 7200.0;
    let record = wrapped_record("old", "count", then, 1.0, &[]);
    bench.redis.client().push(WRAPPED, "old", Some(then), Some(record.as_bytes()));
    let env = bench.env_with(&[("METRIC_TTL", "3600")]);
    let mut dry = Agent::spawn(&["run", "--dry-run"], &env);
    assert_eq!(dry.wait(SOON), Some(0), "{}", dry.stderr());
    assert_eq!(said(&dry.stderr()), ["WARN dry run: series older than METRIC_TTL would be dropped unsent"]);
    let mut once = Agent::run_once(&env);
    assert_eq!(once.wait(SOON), Some(0), "{}", once.stderr());
    assert_eq!(said(&once.stderr()), ["WARN series older than METRIC_TTL: dropped unsent"]);
}

#[test]
fn a_clock_that_went_back_is_told() {
    let Some(bench) = Bench::new(|_| status(202)) else { return };
    let ahead = unix_now_f64() + 3600.0;
    let record = wrapped_record("ahead", "count", ahead, 1.0, &[]);
    bench.redis.client().push(WRAPPED, "ahead", Some(ahead), Some(record.as_bytes()));
    let agent = Agent::run(&bench.env());
    let is_told = |one: &String| {
        let behind = one.strip_prefix("WARN the clock is ").and_then(|rest| {
            rest.strip_suffix(" s behind what redis holds: readings wait until it has been set")
        });
        behind
            .and_then(|seconds| seconds.parse().ok())
            .is_some_and(|seconds| (3000..=3600).contains(&seconds))
    };
    assert!(wait_until(SOON, || said(&agent.stderr()).iter().any(is_told)), "{}", agent.stderr());
}

#[test]
fn the_embedded_queue_tells_of_its_directory() {
    let alone = Alone::new(|_| status(500));
    let spool = alone.spool();
    std::fs::write(&spool, "a file").unwrap();
    let place = spool.display();
    let mut agent = alone.run(&[]);
    const FILE: &str = "File exists (os error 17); the queue is in memory alone";
    says(&agent, &format!("ERROR SPOOL_PATH {place}: {FILE}"));
    agent.kill();
    std::fs::remove_file(&spool).unwrap();

    let env_path = alone.dir.join("env");
    let text: Vec<String> = alone.env(&[]).iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    std::fs::write(&env_path, text.concat()).unwrap();
    let first = Agent::spawn(&["run", "--env-file", env_path.to_str().unwrap()], &Env::new());
    alone.is_received_by(&first);
    let other = Agent::run(&agent::with(alone.env(&[]), &[("DOGSTATSD_SOCKET", "")]));
    says(&other, &format!("WARN redis: another agent has {place}"));
    std::fs::write(&env_path, text.concat() + "SPOOL_AFTER=7\n").unwrap();
    first.signal("HUP");
    says(&first, "WARN CHOUETTE_STORAGE_TYPE and SPOOL_* count from the next start on");
    std::fs::write(&env_path, "RELEASE_INTERVAL=soon\nshed\n").unwrap();
    first.signal("HUP");
    let stays = "ERROR the configuration stays as it was: --env-file";
    says(&first, &format!("{stays} {}: line 2: not of the form NAME=value", env_path.display()));
    assert!(!first.stderr().contains(API_KEY));
}

#[test]
fn records_that_end_with_the_program_are_counted() {
    let alone = Alone::new(|_| status(500));
    let mut command = Command::new("sh");
    // No file may hold anything.
    command.args(["-c", "ulimit -f 0; exec \"$0\" run"]).arg(agent::binary());
    let mut agent = Agent::start(command.env_clear().envs(alone.env(&[])));
    alone.is_received_by(&agent);
    alone.send("last:1|c");
    assert!(alone.intake.wait_for(SOON, |requests| !requests.is_empty()), "{}", agent.stderr());
    agent.signal("TERM");
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    let said = said(&agent.stderr());
    assert_eq!(
        said[1..],
        [
            "WARN spool: File too large (os error 27)",
            "ERROR embedded queue: 1 records could not be written, and end with the program",
        ]
    );
}
