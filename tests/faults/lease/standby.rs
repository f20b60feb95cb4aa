//! What an agent does and does not do while it is not its turn.

use super::GROUP;
use crate::support::agent::{self, Agent};
use crate::support::behaviour::status;
use crate::support::bench::{Bench, arrives, push_gauge, push_ones};
use crate::support::figures::figure;
use crate::support::intake::Intake;
use crate::support::store::Store;
use crate::support::{PATIENT, SOON, unix_now, wait_until};
use chouette_iot::queue::LEASE;
use std::time::{Duration, Instant};

const READING: &str = "Chouette.host.la";
/// So long it must be seen to do nothing: intervals are one second.
const WATCHED: Duration = Duration::from_secs(5);
/// A reading is stamped with the second it was taken in, and the test looks at the clock a moment later.
const SECOND: u64 = 1;

#[test]
fn a_standby_takes_no_readings_and_releases_nothing() {
    let Some(bench) = Bench::new(|_| status(202)) else { return };
    let mut client = bench.redis.client();
    let mut working = Agent::run(&bench.env());
    assert!(wait_until(SOON, || client.holder().is_some()));
    let intake = Intake::accepting();
    let env = agent::with(
        agent::env(&bench.redis.url(), &intake),
        &[("COLLECTOR_PLUGINS", "host"), ("HOST_COLLECTOR_METRICS", r#"["la"]"#)],
    );
    let standby = Agent::run(&env);
    assert!(standby.wait_for_line(SOON, "stands by: it reads, aggregates and releases nothing"));
    let stands_by_since = unix_now();
    push_ones(&mut client, "meanwhile", 1_000);
    std::thread::sleep(WATCHED);
    assert!(arrives(&bench.intake, "load", SOON), "the other one works");
    assert_eq!(intake.requests().len(), 0, "released by a standby");
    assert_eq!(bench.store().series(READING), [], "stored by a standby");
    let killed = unix_now();
    working.kill();
    assert!(arrives(&intake, READING, SOON), "{}", standby.stderr());
    let store = Store::acknowledged(&intake.requests());
    let (_, readings) = store.series(READING)[0];
    let idle = stands_by_since + SECOND..killed;
    let taken: Vec<u64> = readings.points.keys().copied().filter(|second| idle.contains(second)).collect();
    figure(
        GROUP,
        "readings and requests of a standby",
        &format!("{} and 0 in {} s (bound 0)", taken.len(), killed - stands_by_since),
    );
    assert_eq!(taken, [0; 0], "read by a standby");
    assert_eq!(bench.store().sum("load"), 1_000.0);
}

/// Its own interval is short, so it does not wait for long; the lease lasts.
#[test]
fn once_gives_up_where_another_agent_works() {
    let Some(bench) = Bench::new(|_| status(202)) else { return };
    let mut client = bench.redis.client();
    let lasting = [("AGGREGATE_INTERVAL", "3600"), ("RELEASE_INTERVAL", "3600")];
    let mut working = Agent::run(&bench.env_with(&lasting));
    assert!(wait_until(SOON, || client.holder().is_some()));
    let holder = client.holder().unwrap();
    push_gauge(&mut client, "left", 1.0);
    let before = (client.sizes(), bench.intake.requests().len());
    let started = Instant::now();
    let mut once = Agent::run_once(&bench.env());
    assert_eq!(once.wait(SOON), Some(1), "{}", once.stderr());
    let took = started.elapsed();
    let line = format!("agent {holder} works on this redis; nothing was done");
    let errors: Vec<String> =
        once.stderr().lines().filter(|line| line.contains("ERROR")).map(str::to_owned).collect();
    assert!(matches!(&errors[..], [error] if error.contains(&line)), "{}", once.stderr());
    assert_eq!((client.sizes(), bench.intake.requests().len()), before, "something was done");
    assert_eq!(client.holder(), Some(holder));
    figure(GROUP, "run --once beside another agent", &format!("exit 1 after {took:.1?}, nothing changed"));
    working.signal("TERM");
    assert_eq!(working.wait(SOON), Some(0), "{}", working.stderr());
    let mut once = Agent::run_once(&bench.env());
    assert_eq!(once.wait(SOON), Some(0), "{}", once.stderr());
    assert!(arrives(&bench.intake, "left", SOON));
}

#[test]
fn a_wrong_type_where_the_lease_should_be_is_named() {
    let Some(bench) = Bench::new(|_| status(202)) else { return };
    let mut client = bench.redis.client();
    client.run::<()>(&["RPUSH", LEASE, "what is this"]);
    push_gauge(&mut client, "left", 1.0);
    let agent = Agent::run(&bench.env());
    assert!(agent.wait_for_line(SOON, "WRONGTYPE"), "{}", agent.stderr());
    let says = |line: &str| line.contains("WRONGTYPE") && line.contains(LEASE);
    assert!(agent.stderr().lines().any(says), "which key is it?\n{}", agent.stderr());
    assert_eq!(client.run::<Vec<String>>(&["LRANGE", LEASE, "0", "-1"]), ["what is this"], "left alone");
    client.run::<()>(&["DEL", LEASE]);
    assert!(arrives(&bench.intake, "left", PATIENT), "{}", agent.stderr());
}
