//! A Redis that takes no more: what leaves it frees memory, so releasing goes on, and nothing that is held is lost.

use crate::support::agent::{self, Agent};
use crate::support::behaviour::status;
use crate::support::bench::{Bench, push_ones};
use crate::support::figures::figure;
use crate::support::intake::Intake;
use crate::support::queues::{LOGS, RAW, WRAPPED, wrapped_record};
use crate::support::redis::{Client, Options, RedisServer};
use crate::support::store::Store;
use crate::support::{PATIENT, SOON, json, unix_now, wait_until};

const SERIES: usize = 2_000;
const LOG_COUNT: usize = 500;
const SAMPLES: usize = 1_000;

fn used_bytes(client: &mut Client) -> u64 {
    let info: String = client.run(&["INFO", "memory"]);
    info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().trim().parse().unwrap()
}

fn bench() -> Option<Bench> {
    let arguments = ["--maxmemory", "64mb", "--maxmemory-policy", "noeviction"];
    let redis = RedisServer::start_with(&Options { arguments: &arguments, ..Options::default() })?;
    Some(Bench { redis, intake: Intake::start(|_| status(503)) })
}

/// From now on every command that may need memory is refused.
fn fill_up(client: &mut Client) {
    let half = (used_bytes(client) / 2).to_string();
    client.run::<()>(&["CONFIG", "SET", "maxmemory", &half]);
    let refused = client.attempt::<()>(&["SET", "anything", "x"]).unwrap_err().to_string();
    assert!(refused.contains("OOM"), "{refused}");
}

#[test]
fn releasing_goes_on_and_nothing_is_lost() {
    let Some(bench) = bench() else {
        return;
    };
    let logs = Intake::start(|_| status(503));
    let mut client = bench.redis.client();
    let names = bench.leave_series(SERIES);
    let at = unix_now() as f64 - 60.0;
    let records: Vec<(f64, String)> =
        (0..LOG_COUNT).map(|i| (at, format!("{{\"message\": \"log {i}.\"}}"))).collect();
    client.fill(LOGS, "log", &records);
    push_ones(&mut client, "load", SAMPLES);
    fill_up(&mut client);
    let before = used_bytes(&mut client);
    let env = bench.env_with(&[
        ("DATADOG_LOGS_URL", &logs.logs_url()),
        ("SEND_SELF_METRICS", "true"),
        ("COLLECTOR_PLUGINS", "host"),
        ("HOST_COLLECTOR_METRICS", "la"),
    ]);
    let agent = Agent::run(&env);
    assert!(agent.wait_for_line(PATIENT, "OOM"), "{}", agent.stderr());
    bench.intake.behave(|_| status(202));
    logs.behave(|_| status(202));

    assert!(wait_until(PATIENT, || client.size(LOGS) == 0), "the logs wait:\n{}", agent.stderr());
    assert!(wait_until(PATIENT, || client.size(WRAPPED) == 0), "the series wait:\n{}", agent.stderr());
    let store = Store::acknowledged(&bench.intake.requests());
    assert!(names.iter().all(|name| json::close(store.sum(name), 1.0)), "each series arrives");
    let sizes = client.sizes();
    assert_eq!(sizes.raw + sizes.claimed, SAMPLES, "what cannot be stored stays where it is");
    let freed = before.saturating_sub(used_bytes(&mut client));
    assert!(freed > 0);
    figure(
        "bounds",
        "Redis at maxmemory: memory freed by releasing",
        &format!("{:.2} MB", freed as f64 / 1e6),
    );

    client.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    let counted = || json::close(Store::acknowledged(&bench.intake.requests()).sum("load"), SAMPLES as f64);
    assert!(wait_until(PATIENT, counted), "{}", agent.stderr());
    let texts: String = logs.requests().iter().filter(|r| r.acknowledged).map(|r| r.text.clone()).collect();
    assert!((0..LOG_COUNT).all(|i| texts.matches(&format!("\"log {i}.\"")).count() == 1), "each log once");
    // The readings of that time were held in memory.
    let readings = || {
        let store = Store::acknowledged(&bench.intake.requests());
        store.series("Chouette.host.la").iter().map(|(_, held)| held.points.len()).sum::<usize>()
    };
    assert!(wait_until(SOON, || readings() >= 3), "{} readings", readings());
}

/// Dropping stores a counter, which Redis refuses: it is told later, and what expired goes all the same.
#[test]
fn what_expires_or_cannot_be_read_goes_too() {
    let Some(bench) = bench() else {
        return;
    };
    let mut client = bench.redis.client();
    let old = (unix_now() - 600) as f64;
    let record = |name: &str| wrapped_record(name, "count", old, 1.0, &[]);
    let expired: Vec<(f64, String)> = (0..50).map(|_| (old, record("expired"))).collect();
    client.fill(WRAPPED, "expired", &expired);
    let new = (unix_now() - 30) as f64;
    let unreadable: Vec<(f64, String)> = (0..20).map(|_| (new, "no JSON".to_owned())).collect();
    client.fill(WRAPPED, "unreadable", &unreadable);
    let left = bench.leave_series(20);
    fill_up(&mut client);
    bench.intake.behave(|_| status(202));
    let env = agent::with(bench.env(), &[("METRIC_TTL", "300"), ("SEND_SELF_METRICS", "true")]);
    let agent = Agent::run(&env);
    assert!(
        wait_until(SOON, || client.size(WRAPPED) == 0),
        "{} wait:\n{}",
        client.size(WRAPPED),
        agent.stderr()
    );
    client.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    let of_reason = |reason: &str| {
        let store = Store::acknowledged(&bench.intake.requests());
        let series = store.series("chouette.dropped");
        let sums = series.iter().filter(|(key, _)| key.tags == [format!("reason:{reason}")]);
        sums.flat_map(|(_, held)| held.points.values().copied().collect::<Vec<_>>()).sum::<f64>()
    };
    let told = || json::close(of_reason("expired"), 50.0) && json::close(of_reason("malformed_series"), 20.0);
    assert!(
        wait_until(PATIENT, told),
        "{} and {}:\n{}",
        of_reason("expired"),
        of_reason("malformed_series"),
        agent.stderr()
    );
    let store = Store::acknowledged(&bench.intake.requests());
    assert!(left.iter().all(|name| json::close(store.sum(name), 1.0)));
    assert_eq!(client.size(RAW), 0);
}
