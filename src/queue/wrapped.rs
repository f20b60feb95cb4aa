//! A wrapped queue: what is ready to be released.

use super::reply::score_text;
use super::{Queue, Scored, WRAPPED_METRICS};
use crate::protocol::redis::{Request, cmd};

/// A record on its way into a wrapped queue. Storing the same entry again changes nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The record's key, unique.
    pub key: String,
    /// Unix seconds.
    pub score_s: f64,
    /// The record.
    pub json: Vec<u8>,
}

/// Appends the commands that store entries; part of a transaction.
pub fn store(request: &mut Request, queue: Queue, entries: &[Entry]) {
    if entries.is_empty() {
        return;
    }
    let (mut keys, mut values) = (cmd("ZADD"), cmd("HSET"));
    keys.arg(queue.keys);
    values.arg(queue.values);
    for entry in entries {
        keys.arg(score_text(entry.score_s)).arg(&entry.key);
        values.arg(&entry.key).arg(&entry.json[..]);
    }
    request.push(&keys).push(&values);
}

/// Stores entries in a transaction of their own.
pub fn store_entries(queue: Queue, entries: &[Entry]) -> Request {
    let mut request = Request::new();
    request.begin();
    store(&mut request, queue, entries);
    request.commit();
    request
}

/// Asks for keys older than `cutoff_s`.
pub fn expired_keys(queue: Queue, cutoff_s: f64, count: usize) -> Request {
    let mut request = Request::new();
    let before = format!("({}", score_text(cutoff_s));
    request.push(
        cmd("ZRANGEBYSCORE")
            .arg(queue.keys)
            .arg("-inf")
            .arg(before)
            .arg("WITHSCORES")
            .arg("LIMIT")
            .arg(0)
            .arg(count),
    );
    request
}

/// Asks for the number of records.
pub fn queue_size(queue: Queue) -> Request {
    let mut request = Request::new();
    request.push(cmd("ZCARD").arg(queue.keys));
    request
}

/// Asks for `count` keys from a rank on, oldest first.
pub fn key_chunk(request: &mut Request, queue: Queue, rank: usize, count: usize) {
    request.push(cmd("ZRANGE").arg(queue.keys).arg(rank).arg(rank + count - 1).arg("WITHSCORES"));
}

/// Asks for the values of keys. There must be at least one.
pub fn value_chunk<'a>(request: &mut Request, queue: Queue, keys: impl Iterator<Item = &'a [u8]>) {
    let mut command = cmd("HMGET");
    command.arg(queue.values);
    for key in keys {
        command.arg(key);
    }
    request.push(&command);
}

/// Asks for the lengths of the values of keys, one reply each.
pub fn value_lengths<'a>(queue: Queue, keys: impl Iterator<Item = &'a [u8]>) -> Request {
    let mut request = Request::new();
    for key in keys {
        request.push(cmd("HSTRLEN").arg(queue.values).arg(key));
    }
    request
}

/// Removes records in one transaction, and stores as metrics what is to be told of it. There must be at
/// least one key.
pub fn acknowledge<'a>(queue: Queue, keys: impl Iterator<Item = &'a [u8]>, told: &[Entry]) -> Request {
    let (mut members, mut fields) = (cmd("ZREM"), cmd("HDEL"));
    members.arg(queue.keys);
    fields.arg(queue.values);
    for key in keys {
        members.arg(key);
        fields.arg(key);
    }
    let mut request = Request::new();
    request.begin().push(&members).push(&fields);
    store(&mut request, WRAPPED_METRICS, told);
    request.commit();
    request
}

impl Scored {
    /// The keys of scored members.
    pub fn members(list: &[Scored]) -> impl Iterator<Item = &[u8]> {
        list.iter().map(|scored| &scored.member[..])
    }
}
