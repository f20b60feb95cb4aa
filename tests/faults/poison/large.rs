//! Records and keys of a size that nobody would hold in memory.

use super::{Board, dropped};
use crate::support::agent::{self, Agent};
use crate::support::behaviour::status;
use crate::support::bench::{arrives, push_gauge};
use crate::support::figures::figure;
use crate::support::intake::Request;
use crate::support::queues::{LOGS, RAW, WRAPPED, raw_record, wrapped_record};
use crate::support::store::Store;
use crate::support::{PATIENT, SOON, json, processes, unix_now, wait_until};

use std::sync::Arc;

const LARGE_BYTES: usize = 64 << 20;
/// What such a value may cost the agent.
const GROWTH_BYTES_MAX: u64 = 8 << 20;

/// A value of 64 MB in `queue` is dropped for `reason` and costs nothing else; how much memory it takes.
fn growth_for(queue: &str, reason: &str, neighbour: &str) -> Option<u64> {
    let board = Board::new(|_| status(202))?;
    let mut agent = Agent::run(&board.env());
    let mut client = board.client();
    push_gauge(&mut client, "ready", 1.0);
    client.push(LOGS, "ready", Some(unix_now() as f64 - 60.0), Some(b"{\"message\": \"ready\"}"));
    assert!(arrives(&board.bench.intake, "ready", SOON));
    assert!(wait_until(SOON, || board.log_texts().contains("ready")));
    let before = processes::peak_bytes(agent.pid());

    let at = unix_now() as f64 - 60.0;
    let large = format!("{{\"message\": \"{}\"}}", "x".repeat(LARGE_BYTES));
    client.push(queue, "large", Some(at), Some(large.as_bytes()));
    client.push(queue, "neighbour", Some(at), Some(neighbour.as_bytes()));
    let counted = |requests: &[Arc<Request>]| dropped(requests).get(&format!("reason:{reason}")) == Some(&1);
    assert!(board.bench.intake.wait_for(PATIENT, counted), "not dropped as {reason}:\n{}", agent.stderr());
    let arrived = || {
        let metrics: String = board.bench.intake.requests().iter().map(|r| r.text.clone()).collect();
        metrics.contains("neighbour") || board.log_texts().contains("neighbour")
    };
    assert!(wait_until(PATIENT, arrived), "{}", agent.stderr());
    assert!(wait_until(SOON, || client.size(queue) == 0));
    assert!(agent.is_running());
    let growth = processes::peak_bytes(agent.pid()) - before;
    figure(
        "poison",
        &format!("peak memory for a value of 64 MB in {queue}"),
        &format!("+{:.1} MB", growth as f64 / 1e6),
    );
    Some(growth)
}

fn is_dropped_unread(queue: &str, reason: &str, neighbour: &str) {
    if let Some(growth) = growth_for(queue, reason, neighbour) {
        assert!(growth < GROWTH_BYTES_MAX, "{} KiB for a value that is dropped", growth >> 10);
    }
}

#[test]
fn a_log_of_64_mb_is_not_read() {
    is_dropped_unread(LOGS, "log_too_large", "{\"message\": \"neighbour\"}");
}

#[test]
fn a_raw_metric_of_64_mb_is_not_read() {
    let neighbour = raw_record("neighbour", "count", "1", unix_now() as f64 - 60.0, &[]);
    is_dropped_unread(RAW, "too_large", &neighbour);
}

#[test]
fn a_wrapped_metric_of_64_mb_costs_only_itself() {
    let neighbour = wrapped_record("neighbour", "count", unix_now() as f64 - 60.0, 1.0, &[]);
    is_dropped_unread(WRAPPED, "too_large", &neighbour);
}

/// More bytes of keys than the agent sends at a time.
#[test]
fn keys_of_a_megabyte_are_passed_one_by_one() {
    const KEYS: usize = 64;
    let Some(board) = Board::new(|_| status(202)) else {
        return;
    };
    let mut client = board.client();
    let at = unix_now() as f64 - 60.0;
    let record = raw_record("good", "count", "1", at, &[]);
    for i in 0..KEYS {
        let key = format!("{i:02}{}", "k".repeat(1_000_000));
        client.push(RAW, &key, Some(at), Some(record.as_bytes()));
        client.push(LOGS, &key, Some(at), Some(format!("{{\"message\": \"log {i}.\"}}").as_bytes()));
    }
    let agent = Agent::run(&agent::with(board.env(), &[("SEND_SELF_METRICS", "false")]));
    let sum = |requests: &[Arc<Request>]| Store::acknowledged(requests).sum("good");
    let all = board.bench.intake.wait_for(SOON, |requests| json::close(sum(requests), KEYS as f64));
    assert!(all, "{} of {KEYS} metrics:\n{}", sum(&board.bench.intake.requests()), agent.stderr());
    assert!(wait_until(SOON, || client.size(LOGS) == 0), "{}", agent.stderr());
    let texts = board.log_texts();
    let peak = processes::peak_bytes(agent.pid()) as f64 / 1e6;
    figure("poison", "peak memory for 64 keys of 1 MB in each of two queues", &format!("{peak:.1} MB"));
    assert!((0..KEYS).all(|i| texts.matches(&format!("\"log {i}.\"")).count() == 1), "{texts}");
}

/// What stands in a key is no line of the log.
#[test]
fn keys_forge_no_log_lines() {
    let Some(board) = Board::new(|_| status(202)) else {
        return;
    };
    let mut client = board.client();
    let at = unix_now() as f64 - 60.0;
    client.push(RAW, "a\nERROR forged\u{1b}[2J", Some(at), Some(b"no JSON"));
    let agent = Agent::run(&agent::with(board.env(), &[("LOG_LEVEL", "DEBUG")]));
    assert!(agent.wait_for_line(SOON, "unusable records"), "{}", agent.stderr());
    let stderr = agent.stderr();
    assert!(!stderr.lines().any(|line| line.starts_with("ERROR forged")), "{stderr}");
    assert!(!stderr.contains('\u{1b}'), "{stderr}");
}
