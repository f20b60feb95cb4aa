//! What an outage has left behind, many batches of it, is drained at the speed of the link.

use super::{series_requests, told_expired};
use crate::support::agent::Agent;
use crate::support::behaviour::status;
use crate::support::bench::Bench;
use crate::support::figures::figure;
use crate::support::intake::Request;
use crate::support::queues::{LOGS, WRAPPED, log_record, wrapped_record};
use crate::support::{PATIENT, json, unix_now, wait_until};

use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a backlog may cost in memory, in a debug build.
const PEAK_KIB_MAX: u64 = 40 << 10;

/// Leaves so many series in the wrapped queue, each with one point, over the last ten minutes.
fn leave(bench: &Bench, series: usize) {
    const AT_ONCE: usize = 10_000;
    let base = unix_now() - 600;
    let mut client = bench.redis.client();
    for first in (0..series).step_by(AT_ONCE) {
        let records: Vec<(f64, String)> = (first..series.min(first + AT_ONCE))
            .map(|i| {
                let at = (base + i as u64 * 500 / series as u64) as f64;
                (at, wrapped_record(&format!("left.{}", i % 5_000), "count", at, i as f64, &["from:python"]))
            })
            .collect();
        client.fill(WRAPPED, &format!("left-{first}"), &records);
    }
}

/// Waits until the queue is empty; the seconds from the first request to the last.
fn drain(bench: &Bench, queue: &str) -> f64 {
    let mut client = bench.redis.client();
    assert!(wait_until(2 * PATIENT, || client.size(queue) == 0), "not drained: {} left", client.size(queue));
    let times: Vec<Instant> = bench.intake.requests().iter().filter_map(|request| request.at).collect();
    match (times.first(), times.last()) {
        (Some(first), Some(last)) => (*last - *first).as_secs_f64(),
        _ => panic!("nothing was sent"),
    }
}

#[test]
fn a_backlog_of_many_batches_takes_no_interval_each() {
    const BATCHES: usize = 200;
    const BULK: usize = 50;
    const INTERVAL_S: f64 = 10.0;
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    leave(&bench, BATCHES * BULK);
    let (bulk, interval) = (BULK.to_string(), INTERVAL_S.to_string());
    let changes = [("METRICS_BULK_SIZE", bulk.as_str()), ("RELEASE_INTERVAL", &interval)];
    let _agent = Agent::run(&bench.env_with(&changes));
    let took_s = drain(&bench, WRAPPED);
    let requests = bench.intake.requests().len();
    let value = format!(
        "{took_s:.1} s, {:.0} batches/s; {:.2} intervals of {INTERVAL_S} s (bound 1)",
        requests as f64 / took_s,
        took_s / INTERVAL_S
    );
    figure("outage drain", &format!("{requests} batches of at most {BULK} points"), &value);
    assert!(requests >= BATCHES && took_s < INTERVAL_S, "{value}");
    assert_eq!(bench.intake.connection_count(), 1, "one connection serves them all");
}

#[test]
fn a_large_backlog_needs_little_memory() {
    const SERIES: usize = 200_000;
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    leave(&bench, SERIES);
    let agent = Agent::run(&bench.env());
    let took_s = drain(&bench, WRAPPED);
    let requests = bench.intake.requests();
    let (bytes, points) = requests.iter().fold((0, 0), |(bytes, points), request| {
        let held = request.series().iter().map(|series| json::items(json::get(series, "points")).len());
        (bytes + request.wire_bytes, points + held.sum::<usize>())
    });
    let peak_kib = agent.memory_peak_kib();
    let value = format!(
        "{took_s:.1} s in {} requests, {:.0} points/s, {bytes} bytes on the wire; VmHWM {peak_kib} KiB (bound {PEAK_KIB_MAX})",
        requests.len(),
        points as f64 / took_s
    );
    figure("outage drain", &format!("{SERIES} series left in Redis"), &value);
    assert_eq!(points, SERIES, "each once");
    assert!(peak_kib <= PEAK_KIB_MAX, "{value}");
}

/// Whether a record with this number is in a request.
fn numbers(requests: &[Arc<Request>]) -> Vec<usize> {
    let accepted = requests.iter().filter(|request| request.acknowledged && request.path.ends_with("/input"));
    let of = |request: &Arc<Request>| -> Vec<usize> {
        let entries = json::items(request.json.as_ref()).iter();
        entries.filter_map(|entry| json::integer(json::get(entry, "number")).map(|n| n as usize)).collect()
    };
    let mut found: Vec<usize> = accepted.flat_map(of).collect();
    found.sort_unstable();
    found
}

#[test]
fn logs_older_than_their_ttl_are_counted_and_the_rest_arrives() {
    const LOGS_WRITTEN: usize = 6_000;
    const TTL_S: usize = 20;
    /// Seconds over which they were written; as many more are within the TTL at first.
    const WRITTEN_S: usize = 30;
    let Some(bench) = Bench::new(|request| status(if request.path.ends_with("/input") { 503 } else { 202 }))
    else {
        return;
    };
    let end = unix_now() as usize;
    let at = |i: usize| (end - WRITTEN_S) as f64 + (i * WRITTEN_S) as f64 / LOGS_WRITTEN as f64;
    let records: Vec<(f64, String)> = (0..LOGS_WRITTEN)
        .map(|i| (at(i), log_record("\"knock\"", &[], &format!(", \"number\": {i}"))))
        .collect();
    bench.redis.client().fill(LOGS, "log", &records);
    let ttl = TTL_S.to_string();
    let agent = Agent::run(&bench.env_with(&[("LOG_TTL", ttl.as_str()), ("SEND_SELF_METRICS", "true")]));
    // More of them grow too old while the intake is away.
    let refused =
        |requests: &[Arc<Request>]| requests.iter().filter(|r| r.path.ends_with("/input")).count() >= 3;
    assert!(bench.intake.wait_for(PATIENT, refused));
    bench.intake.behave(|_| status(202));
    let back = Instant::now();
    agent.signal("USR1");
    let mut client = bench.redis.client();
    assert!(wait_until(PATIENT, || client.size(LOGS) == 0), "{} logs are left", client.size(LOGS));
    let drain_s = back.elapsed().as_secs_f64();

    let requests = bench.intake.requests();
    let delivered = numbers(&requests);
    let expired = LOGS_WRITTEN - delivered.len();
    assert_eq!(delivered, (expired..LOGS_WRITTEN).collect::<Vec<_>>(), "the younger ones, each once");
    assert!(expired > LOGS_WRITTEN * (WRITTEN_S - TTL_S) / WRITTEN_S, "{expired}");
    let told = || told_expired(&bench.intake.requests()) as usize;
    assert!(wait_until(PATIENT, || told() == expired), "{expired} expired, {} told", told());
    let oldest_s = requests.iter().filter(|request| request.path.ends_with("/input")).map(|request| {
        let first =
            json::items(request.json.as_ref()).iter().find_map(|e| json::integer(json::get(e, "number")));
        crate::support::unix_time_of(request.at.unwrap()) - at(first.unwrap() as usize)
    });
    let oldest_s = oldest_s.fold(0.0, f64::max);
    let value = format!(
        "written {LOGS_WRITTEN}, delivered {}, expired and counted {expired}, drained in {drain_s:.1} s; oldest sent {oldest_s:.1} s",
        delivered.len()
    );
    figure("outage logs", &format!("LOG_TTL {TTL_S} s"), &value);
    assert!(oldest_s < TTL_S as f64 + 1.5, "{value}");
    assert!(series_requests(&requests).iter().all(|request| request.acknowledged));
    assert!(Duration::from_secs_f64(drain_s) < Duration::from_secs(10), "{value}");
}
