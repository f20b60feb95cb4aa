//! Answers of servers and of proxies, in pieces.

use chouette_iot::limits::{HEAD_BYTES_MAX, PROXY_ANSWER_BYTES_MAX};
use chouette_iot::protocol::http::{Exchange, Need, Request, Response, RetryAfter};
use chouette_iot::runtime::proxy::{ProxyError, tunnel_stands};

use super::assert_printable;

/// The last second of the year 9999, which may be a leap second.
const DATE_S_MAX: u64 = 253_402_300_800;
/// Enough to go beyond the bound of a head.
const STREAM_BYTES_MAX: usize = HEAD_BYTES_MAX + 1024;

/// What [`super::TARGETS`] calls `http_answer`. Its first byte says how the rest is cut and how large a body may be.
pub fn http_answer(data: &[u8]) {
    let Some((seed, stream)) = data.split_first() else {
        return;
    };
    let stream = stream.get(..STREAM_BYTES_MAX).unwrap_or(stream);
    let body_bytes_max = [0, 7, 100, 100_000][usize::from(seed / 4 % 4)];
    let whole = answer([stream].into_iter(), body_bytes_max);
    let cut = answer(super::pieces(stream, *seed), body_bytes_max);
    match (whole, cut) {
        // What follows an answer is seen only where it came along with it.
        (Need::Done(whole), Need::Done(cut)) => {
            assert_eq!(whole, Response { keep_alive: whole.keep_alive, ..cut });
            assert!(whole.body.len() <= body_bytes_max);
            assert!(whole.status == 101 || (200..1000).contains(&whole.status), "{}", whole.status);
            assert!(whole.date.is_none_or(|second| second <= DATE_S_MAX));
        }
        (Need::Failed(whole), Need::Failed(cut)) => {
            assert_printable(&whole, 1_000);
            assert_printable(&cut, 1_000);
        }
        (whole, cut) => panic!("{whole:?} in one piece, {cut:?} in several"),
    }
    for value in stream.split(|byte| matches!(byte, b':' | b'\n')) {
        if let Some(RetryAfter::Date(second)) = std::str::from_utf8(value).ok().and_then(RetryAfter::parse) {
            assert!(second <= DATE_S_MAX, "{second}");
        }
    }
}

/// What an exchange makes of a stream that ends.
fn answer<'a>(stream: impl Iterator<Item = &'a [u8]>, body_bytes_max: usize) -> Need {
    let mut exchange = Exchange::new(Request::get("h", "/"), body_bytes_max).unwrap();
    for piece in stream {
        match exchange.input(piece) {
            Need::More => {}
            over => return over,
        }
    }
    match exchange.eof() {
        Need::More => panic!("more is wanted of a stream that has ended"),
        over => over,
    }
}

/// What [`super::TARGETS`] calls `proxy_answer`.
pub fn proxy_answer(data: &[u8]) {
    let data = data.get(..PROXY_ANSWER_BYTES_MAX + 16).unwrap_or(data);
    let whole = tunnel_stands(data);
    if let Err(error) = &whole {
        assert_printable(error, 100);
    }
    // As it would be read if each line came on its own.
    let ends = data.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let first = ends.chain([data.len()]).find_map(|end| match tunnel_stands(&data[..end]) {
        Ok(false) => None,
        decided => Some((end, decided)),
    });
    match first {
        None => assert_eq!(whole, Ok(false)),
        Some((end, Ok(true))) if end < data.len() => {
            assert!(matches!(whole, Err(ProxyError::Answer(_))), "{whole:?} though more was said");
        }
        Some((_, Err(ProxyError::Answer(_)))) => assert!(whole.is_err(), "{whole:?}"),
        Some((_, decided)) => assert_eq!(whole, decided),
    }
    if whole == Ok(true) {
        assert!(data.starts_with(b"HTTP/1.") && data.ends_with(b"\r\n\r\n"));
    }
    assert!(data.len() < PROXY_ANSWER_BYTES_MAX || whole != Ok(false), "it never ends");
}
