//! The parts of the harness that only compute.

use crate::support::http::read_request;
use crate::support::intake::Request;
use crate::support::store::{Store, problems};
use crate::support::{json, wait_until};

use std::sync::Arc;
use std::time::Duration;

#[test]
fn waiting_has_a_bound() {
    let mut looks = 0;
    assert!(!wait_until(Duration::from_millis(50), || {
        looks += 1;
        false
    }));
    assert!(looks > 1);
}

#[test]
fn numbers_compare_with_a_tolerance() {
    assert!(json::close(1e25, 10_000_000_000_000_000_000_000_000.0));
    assert!(json::close(0.1 + 0.2, 0.3));
    assert!(!json::close(1.0, 1.000_001));
    assert!(!json::close(0.0, 1e-12));
    let big =
        json::parse("[9223372036854775808, 10000000000000000000000000, -1, {\"$float\": \"nan\"}]").unwrap();
    let numbers: Vec<Option<f64>> =
        json::items(Some(&big)).iter().map(|value| json::number(Some(value))).collect();
    assert_eq!(numbers[..3], [Some(9_223_372_036_854_775_808.0), Some(1e25), Some(-1.0)]);
    assert!(numbers[3].unwrap().is_nan());
}

#[test]
fn requests_follow_each_other_on_one_connection() {
    let mut wire: &[u8] = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc\
        POST /b HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n";
    let mut buffer = Vec::new();
    let first = read_request(&mut wire, &mut buffer).unwrap().unwrap();
    assert_eq!((first.path.as_str(), first.body.as_slice(), first.wire_bytes), ("/a", &b"abc"[..], 51));
    assert_eq!(first.header("host"), Some("x"));
    let second = read_request(&mut wire, &mut buffer).unwrap().unwrap();
    assert_eq!((second.path.as_str(), second.body.as_slice()), ("/b", &b"def"[..]));
    assert_eq!(read_request(&mut wire, &mut buffer).unwrap(), None);
}

#[test]
fn a_request_cut_short_is_an_error() {
    let mut wire: &[u8] = b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nab";
    assert!(read_request(&mut wire, &mut Vec::new()).is_err());
}

fn request(body: &str, stored: bool, acknowledged: bool) -> Arc<Request> {
    Arc::new(Request {
        json: json::parse(body).ok(),
        text: body.to_owned(),
        stored,
        acknowledged,
        ..Request::default()
    })
}

#[test]
fn the_last_point_of_a_second_wins() {
    let body = |points: &str| {
        format!(
            "{{\"series\":[{{\"metric\":\"a\",\"points\":{points},\"type\":\"count\",\"interval\":1,\"tags\":[\"y:2\",\"x:1\"]}}]}}"
        )
    };
    let requests = [
        request(&body("[[10,1],[11,2]]"), true, false),
        request(&body("[[11,5]]").replace("[\"y:2\",\"x:1\"]", "[\"x:1\",\"y:2\"]"), true, true),
        request(&body("[[12,100]]"), false, false),
    ];
    assert!(json::close(Store::stored(&requests).sum("a"), 6.0));
    assert!(json::close(Store::acknowledged(&requests).sum("a"), 5.0));
    assert_eq!(Store::stored(&requests).only("a").1.points.len(), 2);
}

#[test]
fn what_datadog_would_refuse_is_seen() {
    let bad = [
        "[1]",
        "{\"series\":[{\"points\":[[1,1]],\"type\":\"count\"}]}",
        "{\"series\":[{\"metric\":\"a\",\"points\":[[1.5,1]],\"type\":\"count\"}]}",
        "{\"series\":[{\"metric\":\"a\",\"points\":[[1,1],[1,2]],\"type\":\"count\"}]}",
        "{\"series\":[{\"metric\":\"a\",\"points\":[],\"type\":\"count\"}]}",
        "{\"series\":[{\"metric\":\"a\",\"points\":[[1,NaN]],\"type\":\"count\"}]}",
        "{\"series\":[{\"metric\":\"a\",\"points\":[[1,1]],\"type\":\"count\",\"interval\":1.5}]}",
        "{\"series\":[{\"metric\":\"a\",\"points\":[[1,1]],\"type\":\"set\"}]}",
    ];
    for body in bad {
        assert_eq!(problems(&request(body, true, true)).len(), 1, "{body}");
    }
}
