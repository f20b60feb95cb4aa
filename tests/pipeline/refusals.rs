//! A Redis that is there and refuses: everything is kept, the log says why, and it goes on when the reason is gone.

use crate::support::agent::{self, Agent};
use crate::support::behaviour::status;
use crate::support::intake::Intake;
use crate::support::queues::Sizes;
use crate::support::redis::{Client, Options, RedisServer};
use crate::support::store::Store;
use crate::support::{PATIENT, SOON, free_port, json, wait_until};
use crate::{Bench, arrives, push_gauge, push_ones};

const SAMPLES: usize = 2000;

/// Breaks Redis while the agent runs, waits until the agent has complained with `word`, mends Redis.
fn goes_through(
    word: &str,
    break_it: impl FnOnce(&RedisServer, &mut Client),
    mend_it: impl FnOnce(&mut Client),
) {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let mut agent = Agent::run(&bench.env());
    let mut client = bench.redis.client();
    push_gauge(&mut client, "ready", 1.0);
    assert!(arrives(&bench.intake, "ready", SOON));
    assert!(bench.drained(SOON));

    // Stopped, so that it does not see the samples before Redis is broken, which then takes no more of them.
    agent.signal("STOP");
    push_ones(&mut client, "load", SAMPLES);
    break_it(&bench.redis, &mut client);
    agent.signal("CONT");
    assert!(agent.wait_for_line(PATIENT, word), "the log does not say {word}");
    let sizes = client.sizes();
    assert_eq!(sizes.raw + sizes.claimed, SAMPLES, "{sizes:?}");
    assert_eq!(sizes.wrapped, 0);
    assert!(agent.is_running());

    mend_it(&mut client);
    assert!(bench.drained(PATIENT), "{:?}", client.sizes());
    assert!(json::close(bench.store().sum("load"), SAMPLES as f64));
    assert!(!agent.stderr().contains("panicked"));
}

#[test]
fn out_of_memory() {
    goes_through(
        "OOM",
        |_, client| client.run(&["CONFIG", "SET", "maxmemory", "1"]),
        |client| client.run(&["CONFIG", "SET", "maxmemory", "0"]),
    );
}

#[test]
fn a_replica_that_may_only_be_read() {
    let nobody = free_port().to_string();
    goes_through(
        "READONLY",
        |_, client| client.run(&["REPLICAOF", "127.0.0.1", &nobody]),
        |client| client.run(&["REPLICAOF", "NO", "ONE"]),
    );
}

#[test]
fn a_password_that_was_set_meanwhile() {
    goes_through(
        "NOAUTH",
        |_, client| {
            client.run::<()>(&["CONFIG", "SET", "requirepass", "new"]);
            client.run::<()>(&["CLIENT", "KILL", "TYPE", "normal"]);
        },
        |client| client.run(&["CONFIG", "SET", "requirepass", ""]),
    );
}

#[test]
fn a_disk_that_cannot_be_written() {
    goes_through(
        "MISCONF",
        |redis, client| {
            std::fs::remove_dir_all(redis.data_dir()).unwrap();
            client.run::<()>(&["CONFIG", "SET", "save", "3600 1000000"]);
            client.run::<()>(&["BGSAVE"]);
            let failed =
                || client.run::<String>(&["INFO", "persistence"]).contains("rdb_last_bgsave_status:err");
            assert!(wait_until(SOON, failed));
        },
        |client| client.run(&["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"]),
    );
}

#[test]
fn a_redis_that_is_still_loading() {
    let Some(mut redis) = RedisServer::start_with(&Options::default()) else {
        return;
    };
    let intake = Intake::accepting();
    let mut client = redis.client();
    // Keys large enough that Redis looks after its clients between any two of them.
    let ballast = "x".repeat(4096);
    for i in 0..300 {
        client.run::<()>(&["SET", &format!("ballast-{i}"), &ballast]);
    }
    push_ones(&mut client, "load", SAMPLES);
    client.run::<()>(&["SAVE"]);
    redis.stop();
    let slow = [
        "--key-load-delay",
        "20000",
        "--loading-process-events-interval-bytes",
        "1024",
        "--rdbcompression",
        "no",
    ];
    redis.arguments.extend(slow.map(str::to_owned));
    redis.launch();
    let agent = Agent::run(&agent::env(&redis.url(), &intake));
    assert!(agent.wait_for_line(PATIENT, "LOADING"), "the log does not say LOADING");
    let arrived = |requests: &[_]| json::close(Store::acknowledged(requests).sum("load"), SAMPLES as f64);
    assert!(intake.wait_for(PATIENT, arrived));
    let mut client = redis.client();
    assert!(wait_until(SOON, || client.sizes() == Sizes::EMPTY));
}
