//! An outage longer than the TTL, with an application that goes on writing at full rate.

use super::{oldest_age_s, told_expired};
use crate::support::agent::Agent;
use crate::support::behaviour::status;
use crate::support::bench::Bench;
use crate::support::figures::figure;
use crate::support::intake::Request;
use crate::support::monitor::Monitor;
use crate::support::producer::{Producer, Sums, arrived};
use crate::support::queues::WRAPPED;
use crate::support::store::Store;
use crate::support::{PATIENT, SOON, unix_time_of, wait_until};

use std::sync::Arc;
use std::time::{Duration, Instant};

/// Four hours of an agent that releases every minute and aggregates every ten seconds, and more.
const OUTAGE: Duration = Duration::from_secs(36);
const TTL_S: f64 = 15.0;
const CONTEXTS: usize = 150;
const RECORDS: usize = 4;
/// Small enough for a backlog of many batches.
const BULK: usize = 50;
/// A point's second is the beginning of its own, and looking for what has expired takes a moment.
const SLACK_S: f64 = 2.0;

/// How the intake is gone, and comes back.
struct Outage {
    name: &'static str,
    begin: fn(&mut Bench),
    end: fn(&mut Bench),
}

/// How many of the agent's own records, those left out that tell of drops, were stored and never arrived.
fn own_missing(monitor: &Monitor, store: &Store) -> usize {
    let stored = monitor.commands(&["HSET", &format!("{WRAPPED}.values")]);
    let records = stored.iter().flat_map(|seen| seen.text.split(r#"{\"metric\":\""#).skip(1));
    let own =
        records.filter(|record| record.starts_with("chouette.") && !record.starts_with("chouette.dropped"));
    let has_arrived = |record: &str| {
        let name = record.split('\\').next().unwrap();
        let second = record.split("points\\\":[[").nth(1).unwrap().split([',', '.']).next().unwrap();
        let second: u64 = second.parse().unwrap();
        store.series(name).iter().any(|(_, held)| held.points.contains_key(&second))
    };
    own.filter(|record| !has_arrived(record)).count()
}

fn check(outage: &Outage) {
    let Some(mut bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let monitor = Monitor::start(&bench.redis);
    let ttl = format!("{TTL_S}");
    let bulk = BULK.to_string();
    let changes = [
        ("METRIC_TTL", ttl.as_str()),
        ("METRICS_BULK_SIZE", &bulk),
        ("SEND_SELF_METRICS", "true"),
        ("LOG_LEVEL", "DEBUG"),
    ];
    let agent = Agent::run(&bench.env_with(&changes));
    let producer = Producer::start(&bench.redis, CONTEXTS, RECORDS);
    assert!(bench.intake.wait_for(SOON, |requests| requests.len() > 5), "nothing is sent before the outage");

    (outage.begin)(&mut bench);
    std::thread::sleep(OUTAGE);
    let ended = Instant::now();
    (outage.end)(&mut bench);
    let backlog = bench.redis.client().size(WRAPPED);
    // The wait after the last failure may be a minute by now.
    agent.signal("USR1");
    let caught_up = || bench.redis.client().size(WRAPPED) < 3 * CONTEXTS;
    assert!(wait_until(SOON, caught_up), "the backlog is not drained");
    let drained = Instant::now();
    let drain_s = (drained - ended).as_secs_f64();
    let written = producer.finish();
    assert!(bench.drained(PATIENT), "{:?}", bench.redis.client().sizes());

    let after = |request: &Arc<Request>| request.acknowledged && request.at >= Some(ended);
    let requests = bench.intake.requests();
    let missing = missing(&bench.store(), &written);
    let youngest_s = missing.iter().map(|(_, second)| *second).max().expect("some have expired") as f64;
    // What waits for its batch can reach its end during the drain.
    let drained_s = unix_time_of(drained);
    assert!(
        youngest_s <= drained_s - TTL_S,
        "all was sent by {drained_s:.3}, and {youngest_s:.3} is not there"
    );
    let oldest_s = missing.iter().map(|(_, second)| *second).min().unwrap_or_default() as f64;
    let most = (youngest_s - oldest_s + 1.0) as usize * CONTEXTS;
    assert!(missing.len() <= most && missing.len() > most / 2, "{} of {most}", missing.len());

    // What tells of drops is stored, and must arrive, after what it tells of has gone.
    let own_expired = || own_missing(&monitor, &bench.store());
    let told = || told_expired(&bench.intake.requests()) as usize;
    let all_told = wait_until(SOON, || told() == missing.len() + own_expired());
    assert!(all_told, "{} records and {} of its own missing, {} told", missing.len(), own_expired(), told());

    let ages = requests.iter().filter_map(|request| oldest_age_s(request));
    let oldest_sent_s = ages.fold(0.0, f64::max);
    assert!(oldest_sent_s <= TTL_S + SLACK_S, "a point of {oldest_sent_s:.1} s was sent");
    let batches = requests.iter().filter(|request| after(request) && request.at <= Some(drained)).count();
    let group = format!("outage {}", outage.name);
    figure(
        &group,
        &format!("{} s, TTL {TTL_S} s", OUTAGE.as_secs()),
        &format!(
            "written {}, delivered {}, expired {} and {} of its own, counted {}; oldest point sent {oldest_sent_s:.1} s",
            written.len(),
            written.len() - missing.len(),
            missing.len(),
            own_expired(),
            told(),
        ),
    );
    figure(
        &group,
        &format!("drain of {backlog} records, {batches} batches"),
        &format!(
            "{drain_s:.1} s with all that came meanwhile, {:.0} batches/s (an interval is 1 s; bound {} s)",
            batches as f64 / drain_s,
            batches / 4,
        ),
    );
    assert!(drain_s < (batches / 4) as f64, "{batches} batches took {drain_s:.1} s");
}

/// Contexts and seconds that were written and are not there. Those that are there must be exact.
fn missing(store: &Store, written: &Sums) -> Vec<(String, u64)> {
    let arrived = arrived(store);
    let wrong: Vec<_> = arrived.iter().filter(|(at, sum)| written.get(*at) != Some(*sum)).take(5).collect();
    assert!(wrong.is_empty(), "not what was written: {wrong:?}");
    written.keys().filter(|at| !arrived.contains_key(*at)).cloned().collect()
}

#[test]
fn what_is_young_enough_arrives_after_refused_connections() {
    check(&Outage {
        name: "refused",
        begin: |bench| bench.intake.leave(),
        end: |bench| bench.intake.come_back(),
    });
}

#[test]
fn what_is_young_enough_arrives_after_an_outage_behind_the_front() {
    check(&Outage {
        name: "503",
        begin: |bench| bench.intake.behave(|_| status(503)),
        end: |bench| bench.intake.behave(|_| status(202)),
    });
}
