//! The intake is gone for hours. What is younger than the TTL when it is back arrives, exactly, as fast as the link
//! takes it; the rest is counted, exactly, and no byte is spent on it.
//!
//! Hours are made of seconds: the intervals are a second long, and the TTL is as much shorter.

mod drain;
mod hours;
mod long;

use crate::support::intake::Request;
use crate::support::json;
use crate::support::store::Store;
use crate::support::unix_time_of;

use std::sync::Arc;

/// How many records were dropped for being too old, as the intake was told.
fn told_expired(requests: &[Arc<Request>]) -> u64 {
    let told: Vec<_> = series_requests(requests).into_iter().filter(|request| request.acknowledged).collect();
    let store = Store::acknowledged(&told);
    let expired =
        store.series("chouette.dropped").into_iter().filter(|(key, _)| key.tags == ["reason:expired"]);
    expired.flat_map(|(_, held)| held.points.values()).sum::<f64>() as u64
}

fn series_requests(requests: &[Arc<Request>]) -> Vec<Arc<Request>> {
    requests.iter().filter(|request| request.path.ends_with("/series")).cloned().collect()
}

/// How old the oldest point of a request was when it came, in seconds.
fn oldest_age_s(request: &Request) -> Option<f64> {
    let points = request.series().iter().flat_map(|series| json::items(json::get(series, "points")));
    let seconds = points.filter_map(|point| json::number(json::items(Some(point)).first()));
    Some(unix_time_of(request.at?) - seconds.reduce(f64::min)?)
}
