//! Answers that are too long, too slow, or not HTTP.

use super::{Case, Run, all, side_by_side};
use crate::support::behaviour::{Behaviour, Flow};

use chouette_iot::release::Random;

use std::time::Duration;

/// Pieces of a large answer.
const PIECE: usize = 64 << 10;
const PIECES: usize = 100 * (1 << 20) / PIECE;
/// Seconds that an exchange may take in all.
const EXCHANGE_S: f64 = 20.0;
const LONG: &str = "HTTP/1.1 202 Accepted\r\nX-Patience: all\r\nContent-Length: 0\r\n\r\n";

/// 100 MB after this head, in pieces of this.
fn large(name: &str, head: &str, piece: Vec<u8>, tail: &str) -> Case {
    let (head, tail) = (head.into(), tail.into());
    Case::new(
        name,
        Behaviour::Flow(Flow { head, piece, times: PIECES, tail, closes: true, ..Flow::default() }),
    )
}

fn chunk() -> Vec<u8> {
    [format!("{PIECE:x}\r\n").as_bytes(), &[b'x'; PIECE], b"\r\n"].concat()
}

#[test]
fn a_hundred_megabytes_are_not_read() {
    let plain = vec![b'x'; PIECE];
    let length = PIECES * PIECE;
    let cases = [
        large(
            "100 MB with its length",
            &format!("HTTP/1.1 202 A\r\nContent-Length: {length}\r\n\r\n"),
            plain.clone(),
            "",
        ),
        large(
            "100 MB in chunks",
            "HTTP/1.1 202 A\r\nTransfer-Encoding: chunked\r\n\r\n",
            chunk(),
            "0\r\n\r\n",
        ),
        large("100 MB until the close", "HTTP/1.1 202 A\r\n\r\n", plain.clone(), ""),
        large("500 with 100 MB", "HTTP/1.1 500 A\r\n\r\n", plain.clone(), ""),
        large("400 with 100 MB", "HTTP/1.1 400 A\r\n\r\n", plain, ""),
    ];
    all("large", &cases, Case::is_kept);
}

#[test]
fn a_head_of_a_megabyte_is_not_read() {
    let head = |name: &str, head: &str, piece: Vec<u8>| {
        let times = (1 << 20) / piece.len();
        let tail = b"\r\nContent-Length: 0\r\n\r\n".to_vec();
        Case::new(name, Behaviour::Flow(Flow { head: head.into(), piece, times, tail, ..Flow::default() }))
    };
    let cases = [
        head("a header of 1 MB", "HTTP/1.1 202 A\r\nX-Pad: ", vec![b'x'; 4096]),
        head("headers of 1 MB in all", "HTTP/1.1 202 A\r\nX: y", b"\r\nX-Pad: 0123456789abcdef".repeat(64)),
        head("a status line of 1 MB", "HTTP/1.1 202 ", vec![b'x'; 4096]),
    ];
    all("large", &cases, Case::is_kept);
}

/// Whoever is slow is waited for, up to the limit of an exchange.
#[test]
fn a_byte_per_second() {
    let slow = |name: &str, text: &str, accepts: bool| {
        let flow = Flow { byte_every: Some(Duration::from_secs(1)), accepts, ..Flow::of(text) };
        Case { lasting_s: EXCHANGE_S, attempts: 2, ..Case::new(name, Behaviour::Flow(flow)) }
    };
    let short = slow("an answer of 16 bytes, one a second", "HTTP/1.1 204\r\n\r\n", true);
    let long = slow("an answer of 60 bytes, one a second", LONG, false);
    let plain = Case::of_status(202);
    let runs: [(&str, Run); 3] = [
        ("202, for comparison", Box::new(|| plain.is_accepted())),
        (&short.name, Box::new(|| short.is_accepted())),
        (&long.name, Box::new(|| long.is_kept())),
    ];
    side_by_side("slow", runs);
}

#[test]
fn garbage_is_no_answer() {
    let seed = 0x5EED;
    let mut random = Random::new(seed);
    let noise: Vec<u8> = (0..1 << 20).map(|_| random.next_u64().to_le_bytes()[7]).collect();
    let flow =
        |name: &str, bytes: &[u8]| Case::new(name, Behaviour::Flow(Flow { closes: true, ..Flow::of(bytes) }));
    let cases = [
        flow(&format!("1 MB of noise, seed {seed:#x}"), &noise),
        flow("zeros", &[0; 4096]),
        flow("SSH", b"SSH-2.0-OpenSSH_9.2p1\r\n"),
        flow("a page without a head", b"<html><body>Log in to the network</body></html>\n\n"),
        flow("HTTP/2", b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0d"),
        flow("HTTP/3.7", b"HTTP/3.7 202 Accepted\r\nContent-Length: 0\r\n\r\n"),
        flow("a length that is no number", b"HTTP/1.1 202 A\r\nContent-Length: many\r\n\r\n{}"),
        flow("a length below zero", b"HTTP/1.1 202 A\r\nContent-Length: -1\r\n\r\n{}"),
        flow(
            "a chunk of nonsense",
            b"HTTP/1.1 202 A\r\nTransfer-Encoding: chunked\r\n\r\nowl\r\n{}\r\n0\r\n\r\n",
        ),
        flow("a status of four digits", b"HTTP/1.1 2020 A\r\nContent-Length: 0\r\n\r\n"),
    ];
    all("garbage", &cases, Case::is_kept);
}
