//! The Redis protocol as the server speaks it.

use super::redis::Args;
use crate::protocol::redis::{Codec, Replies, Request};

pub fn replies_to(request: &Request, bytes: &[u8]) -> Replies {
    let (mut codec, mut complete) = (Codec::default(), Vec::new());
    codec.sent(request);
    codec.receive(bytes, &mut complete).expect("replies");
    complete.remove(0)
}

pub fn commands(mut bytes: &[u8]) -> Vec<Args> {
    let mut line = || {
        let end = bytes.windows(2).position(|w| w == b"\r\n")?;
        let number: usize = std::str::from_utf8(&bytes[1..end]).ok()?.parse().ok()?;
        let marker = bytes[0];
        bytes = &bytes[end + 2..];
        if marker == b'*' {
            return Some((number, Vec::new()));
        }
        let argument = bytes[..number].to_vec();
        bytes = &bytes[number + 2..];
        Some((0, argument))
    };
    let mut all = Vec::new();
    while let Some((count, _)) = line() {
        all.push((0..count).map(|_| line().expect("an argument").1).collect());
    }
    all
}

pub fn with_scores(members: impl Iterator<Item = (Vec<u8>, f64)>) -> Vec<u8> {
    list(members.flat_map(|(member, score)| [bulk(&member), bulk(score.to_string().as_bytes())]))
}

pub fn list(items: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let items: Vec<_> = items.collect();
    let mut out = format!("*{}\r\n", items.len()).into_bytes();
    items.iter().for_each(|item| out.extend_from_slice(item));
    out
}

pub fn bulk(bytes: &[u8]) -> Vec<u8> {
    let mut out = format!("${}\r\n", bytes.len()).into_bytes();
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
    out
}

pub fn int(n: usize) -> Vec<u8> {
    format!(":{n}\r\n").into_bytes()
}
