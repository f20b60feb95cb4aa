//! The ways to a Redis, and a Redis that comes and goes.

use crate::support::agent::{self, Agent, with};
use crate::support::behaviour::status;
use crate::support::intake::Intake;
use crate::support::queues::{RAW, Sizes, raw_record};
use crate::support::redis::{Options, RedisServer};
use crate::support::tls::Pki;
use crate::support::{PATIENT, SOON, unix_now, wait_until};
use crate::{arrives, complaints, push_gauge};

/// No letter of it may be taken for a part of the URL.
const PASSWORD: &str = "p@ss:w/rd%?#";
const PASSWORD_IN_URL: &str = "p%40ss%3Aw%2Frd%25%3F%23";

/// One metric goes from this database to the intake when the agent is told so.
fn delivers(redis: &RedisServer, db: i64, changes: &[(&str, &str)], unset: &[&str]) {
    let intake = Intake::accepting();
    let mut client = redis.client_of_db(db);
    let timestamp = unix_now() as f64 - 30.0;
    let record = raw_record("a.metric", "gauge", "1", timestamp, &[]);
    client.push(RAW, "key", Some(timestamp), Some(record.as_bytes()));
    let mut env = with(agent::env("", &intake), &[("LOG_LEVEL", "DEBUG")]);
    env = with(env, changes);
    env.retain(|(name, _)| !unset.contains(&name.as_str()));
    let mut agent = Agent::run_once(&env);
    assert_eq!(agent.wait(SOON), Some(0), "{changes:?}");
    assert!(arrives(&intake, "a.metric", SOON));
    assert_eq!(client.sizes(), Sizes::EMPTY);
    let stderr = agent.stderr();
    assert!(
        !stderr.contains(PASSWORD) && !stderr.contains(PASSWORD_IN_URL),
        "the password is in the log:\n{stderr}"
    );
}

#[test]
fn a_password_and_a_database() {
    let Some(redis) = RedisServer::start_with(&Options { password: Some(PASSWORD), ..Options::default() })
    else {
        return;
    };
    let port = redis.port.to_string();
    delivers(&redis, 3, &[("REDIS_URL", &format!("redis://:{PASSWORD_IN_URL}@127.0.0.1:{port}/3"))], &[]);
    delivers(
        &redis,
        4,
        &[("REDIS_URL", &format!("redis://default:{PASSWORD_IN_URL}@127.0.0.1:{port}/4"))],
        &[],
    );
    let variables = [
        ("REDIS_HOST", "127.0.0.1"),
        ("REDIS_PORT", &*port),
        ("REDIS_PASSWORD", PASSWORD),
        ("REDIS_DB", "5"),
    ];
    delivers(&redis, 5, &variables, &["REDIS_URL"]);
}

#[test]
fn a_name_instead_of_an_address() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    delivers(
        &redis,
        0,
        &[("REDIS_HOST", "localhost"), ("REDIS_PORT", &redis.port.to_string())],
        &["REDIS_URL"],
    );
}

#[test]
fn a_unix_socket() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let socket = redis.socket().to_string_lossy().into_owned();
    delivers(&redis, 0, &[("REDIS_URL", &format!("unix://{socket}"))], &[]);
    delivers(&redis, 2, &[("REDIS_URL", &format!("unix://{socket}?db=2"))], &[]);
}

#[test]
fn tls_under_a_private_authority() {
    let pki = Pki::new();
    let options = Options { tls: Some(&pki), password: Some(PASSWORD), ..Options::default() };
    let Some(redis) = RedisServer::start_with(&options) else {
        return;
    };
    let ca_file = pki.ca_file().to_string_lossy().into_owned();
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("rediss://:{PASSWORD_IN_URL}@{host}:{}/1", redis.tls_port);
        delivers(&redis, 1, &[("REDIS_URL", &url), ("SSL_CERT_FILE", &ca_file)], &[]);
    }
}

#[test]
fn a_wrong_password_is_said_and_loses_nothing() {
    let Some(redis) = RedisServer::start_with(&Options { password: Some(PASSWORD), ..Options::default() })
    else {
        return;
    };
    let intake = Intake::accepting();
    let mut client = redis.client();
    push_gauge(&mut client, "a.metric", 1.0);
    let url = format!("redis://:wrong@127.0.0.1:{}/0", redis.port);
    let mut agent = Agent::run(&agent::env(&url, &intake));
    assert!(agent.wait_for_line(SOON, "WRONGPASS"));
    assert!(agent.is_running());
    assert_eq!(client.sizes(), Sizes { raw: 1, ..Sizes::EMPTY });
}

#[test]
fn a_redis_that_is_started_later() {
    let Some(mut redis) = RedisServer::prepare(&Options::default()) else {
        return;
    };
    let intake = Intake::accepting();
    for url in [redis.url(), format!("unix://{}", redis.socket().display())] {
        let mut agent = Agent::run(&agent::env(&url, &intake));
        let says_so = || complaints(&agent.stderr()).iter().any(|line| line.to_lowercase().contains("redis"));
        assert!(wait_until(SOON, says_so), "nobody can see why nothing happens");
        assert!(agent.is_running());
        redis.launch();
        push_gauge(&mut redis.client(), &url, 1.0);
        assert!(arrives(&intake, &url, PATIENT), "{url}");
        redis.stop();
    }
}

#[test]
fn once_without_a_redis_fails_within_bounds() {
    let Some(redis) = RedisServer::prepare(&Options::default()) else {
        return;
    };
    let intake = Intake::accepting();
    let mut agent = Agent::run_once(&agent::env(&redis.url(), &intake));
    assert_eq!(agent.wait(PATIENT), Some(1));
    assert!(agent.stderr().to_lowercase().contains("redis"), "{}", agent.stderr());
}

#[test]
fn a_redis_that_restarts() {
    let Some(mut redis) = RedisServer::start_with(&Options { append_only: true, ..Options::default() })
    else {
        return;
    };
    let intake = Intake::start(|_| status(202));
    let mut agent = Agent::run(&agent::env(&redis.url(), &intake));
    push_gauge(&mut redis.client(), "before", 1.0);
    assert!(arrives(&intake, "before", SOON));

    intake.behave(|_| status(503));
    push_gauge(&mut redis.client(), "kept", 1.0);
    let mut client = redis.client();
    assert!(wait_until(SOON, || client.sizes() == Sizes { wrapped: 1, ..Sizes::EMPTY }));
    redis.stop();
    assert!(wait_until(SOON, || complaints(&agent.stderr())
        .iter()
        .any(|line| line.to_lowercase().contains("redis"))));
    redis.launch();
    intake.behave(|_| status(202));
    push_gauge(&mut redis.client(), "after", 1.0);
    assert!(arrives(&intake, "kept", PATIENT));
    assert!(arrives(&intake, "after", PATIENT));
    let mut client = redis.client();
    assert!(wait_until(SOON, || client.sizes() == Sizes::EMPTY));
    assert!(agent.is_running());
}
