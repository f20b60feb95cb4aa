//! The raw queue and the claim on it.
//!
//! The raw pair is renamed to the claimed pair in one transaction, so that it stands still while it is
//! read. Each bucket's series are stored and its keys removed in one transaction; the values go with the
//! claim itself, at the end, which spares a deletion per record.

use std::time::Duration;

use super::lease::{prolong, watch_lease};
use super::wrapped::{Records, store};
use super::{CLAIMED_METRICS, Queue, RAW_METRICS, WRAPPED_METRICS};
use crate::protocol::redis::{Request, cmd};

/// What the queues hold before a flush.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    /// Keys and values of a claim that was not finished.
    pub claimed: (u64, u64),
    /// Raw records.
    pub raw: u64,
    /// The oldest raw record's score.
    pub oldest_raw_s: Option<f64>,
}

/// Prolongs the lease, which must be held, and asks for a [`Survey`]. What an earlier connection has sent and Redis
/// has not seen yet is void from here on: its watch on the lease finds it touched. All keys are
/// asked, so that one of a wrong type is noticed before a transaction half fails on it.
pub fn survey(lease_lasts: Duration) -> Request {
    let mut request = Request::new();
    prolong(&mut request, lease_lasts);
    request
        .push(cmd("ZCARD").arg(CLAIMED_METRICS.keys))
        .push(cmd("HLEN").arg(CLAIMED_METRICS.values))
        .push(cmd("ZRANGE").arg(RAW_METRICS.keys).arg(0).arg(0).arg("WITHSCORES"))
        .push(cmd("HLEN").arg(RAW_METRICS.values))
        .push(cmd("ZCARD").arg(WRAPPED_METRICS.keys))
        .push(cmd("HLEN").arg(WRAPPED_METRICS.values));
    request
}

/// Watches the lease and the claimed pair, and asks whether that exists. [`claim`] or [`discard`] must follow.
pub fn watch_claim(lease_lasts: Duration) -> Request {
    const CLAIMED: [&str; 2] = [CLAIMED_METRICS.keys, CLAIMED_METRICS.values];
    let mut request = Request::new();
    watch_lease(&mut request, lease_lasts, &CLAIMED);
    request.push(cmd("EXISTS").arg(&CLAIMED));
    request
}

/// Renames the raw pair to the claimed pair, unless the claimed pair was touched since [`watch_claim`].
pub fn claim() -> Request {
    let mut request = Request::new();
    request
        .begin()
        .push(cmd("RENAMENX").arg(RAW_METRICS.keys).arg(CLAIMED_METRICS.keys))
        .push(cmd("RENAMENX").arg(RAW_METRICS.values).arg(CLAIMED_METRICS.values))
        .commit();
    request
}

/// Ends a transaction (`in_transaction`) or a watch without effect.
pub fn discard(in_transaction: bool) -> Request {
    let mut request = Request::new();
    request.push(&cmd(if in_transaction { "DISCARD" } else { "UNWATCH" }));
    request
}

/// Asks how many values a queue holds.
pub fn values_size(queue: Queue) -> Request {
    let mut request = Request::new();
    request.push(cmd("HLEN").arg(queue.values));
    request
}

/// Removes the keys of the oldest `count` claimed records.
pub fn remove_first(request: &mut Request, count: u64) {
    if count > 0 {
        request.push(cmd("ZREMRANGEBYRANK").arg(CLAIMED_METRICS.keys).arg(0).arg(count - 1));
    }
}

/// Removes what is left of the claim, values of committed records included.
pub fn finish_claim(request: &mut Request) {
    request.push(cmd("UNLINK").arg(CLAIMED_METRICS.keys).arg(CLAIMED_METRICS.values));
}

/// Puts records of an open bucket back where they came from.
pub fn return_to_raw(request: &mut Request, records: &Records) {
    store(request, RAW_METRICS, records);
}
