//! A wrapped queue: what is ready to be released.

use super::reply::write_score;
use super::{DELIVERED_METRICS, Queue, WRAPPED_METRICS};
use crate::limits::{CHUNK_KEYS, FIRST_CHUNK_KEYS, REPLY_BYTES_MAX, REQUEST_KEY_BYTES_MAX};
use crate::protocol::redis::{Arguments, Request, Room, cmd};

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

/// Records on their way into a queue, packed as the commands that store them need them. Storing the same ones again
/// changes nothing.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Records {
    keys: Arguments,
    values: Arguments,
    score: Vec<u8>,
}

impl Records {
    /// Appends a record with its score in Unix seconds.
    pub fn push(&mut self, key: &[u8], score_s: f64, value: &[u8]) {
        let mut score = std::mem::take(&mut self.score);
        score.clear();
        write_score(score_s, &mut score);
        self.push_scored(key, &score, value);
        self.score = score;
    }

    /// The same with the text of a finite score.
    pub fn push_scored(&mut self, key: &[u8], score: &[u8], value: &[u8]) {
        self.keys.push(score);
        self.keys.push(key);
        self.values.push(key);
        self.values.push(value);
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.values.len() / 2
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Bytes that storing them takes.
    pub fn bytes(&self) -> usize {
        self.keys.bytes() + self.values.bytes()
    }
}

impl<'a> Extend<&'a Entry> for Records {
    fn extend<I: IntoIterator<Item = &'a Entry>>(&mut self, entries: I) {
        entries.into_iter().for_each(|entry| self.push(entry.key.as_bytes(), entry.score_s, &entry.json));
    }
}

/// Appends the commands that store records; part of a transaction.
pub fn store(request: &mut Request, queue: Queue, records: &Records) {
    if !records.is_empty() {
        request
            .push_many(&["ZADD", queue.keys], &records.keys)
            .push_many(&["HSET", queue.values], &records.values);
    }
}

/// Asks for keys older than `cutoff_s`.
pub fn expired_keys(queue: Queue, cutoff_s: f64, count: usize) -> Request {
    let mut request = Request::new();
    let mut before = b"(".to_vec();
    write_score(cutoff_s, &mut before);
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
    request.pack();
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
    request.push(cmd("ZRANGE").arg(queue.keys).arg(rank).arg(rank + count - 1).arg("WITHSCORES")).pack();
}

/// Asks for the values of keys, at least one, none longer than `value_bytes_max`; those that find no room are asked
/// for again.
pub fn value_chunk<'a>(
    request: &mut Request,
    queue: Queue,
    keys: impl Iterator<Item = &'a [u8]>,
    value_bytes_max: usize,
) {
    request
        .push_many(&["HMGET", queue.values], &keys.collect())
        .pack()
        .limit(Room { bulk_bytes_max: value_bytes_max, total_bytes_max: REPLY_BYTES_MAX });
}

/// How many of the keys fit one request, `keys_max` at most: keys may be of any length. At least one.
pub fn fitting<'a>(keys: impl Iterator<Item = &'a [u8]>, keys_max: usize) -> usize {
    let mut bytes = 0;
    let fits = |(at, key): &(usize, &[u8])| {
        bytes += key.len();
        *at == 0 || bytes <= REQUEST_KEY_BYTES_MAX
    };
    keys.take(keys_max).enumerate().take_while(fits).count()
}

/// How many values to ask for next, after so many came of those asked for: fewer where there was no room for all,
/// else more.
pub fn next_chunk_keys(asked: usize, came: usize) -> usize {
    if came < asked { came.max(1) } else { (asked * 2).clamp(FIRST_CHUNK_KEYS, CHUNK_KEYS) }
}

/// What a removal leaves behind; nothing as a rule.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trace {
    /// Metrics that tell of it.
    pub told: Vec<Entry>,
    /// A packed batch of delivered points to be remembered, and how many batches are kept with it.
    pub delivered: Option<(Vec<u8>, usize)>,
}

/// Removes records in one transaction that also stores the trace they leave. There must be at least one key.
pub fn acknowledge<'a>(queue: Queue, keys: impl Iterator<Item = &'a [u8]>, trace: &Trace) -> Request {
    let keys: Arguments = keys.collect();
    let mut told = Records::default();
    told.extend(&trace.told);
    let mut request = Request::new();
    request.begin().push_many(&["ZREM", queue.keys], &keys).push_many(&["HDEL", queue.values], &keys);
    store(&mut request, WRAPPED_METRICS, &told);
    if let Some((batch, kept)) = &trace.delivered {
        let first = format!("-{kept}");
        request
            .push(cmd("RPUSH").arg(DELIVERED_METRICS).arg(&batch[..]))
            .push(cmd("LTRIM").arg(DELIVERED_METRICS).arg(first).arg(-1));
    }
    request.commit();
    request
}

/// Removes records at once where Redis has no memory for a transaction: then it queues no command, but a script that
/// needs none is carried out.
pub fn acknowledge_without_memory<'a>(queue: Queue, keys: impl Iterator<Item = &'a [u8]>) -> Request {
    const SCRIPT: &str =
        "redis.call('ZREM', KEYS[1], unpack(ARGV)) return redis.call('HDEL', KEYS[2], unpack(ARGV))";
    let mut eval = cmd("EVAL");
    eval.arg(SCRIPT).arg(2).arg(queue.keys).arg(queue.values);
    for key in keys {
        eval.arg(key);
    }
    let mut request = Request::new();
    request.push(&eval).push(&cmd("UNWATCH"));
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_keys_go_in_small_requests() {
        let long = vec![0; REQUEST_KEY_BYTES_MAX];
        let keys =
            |list: &[usize]| list.iter().map(|bytes| long.get(..*bytes).unwrap_or(&long)).collect::<Vec<_>>();
        let fits = |list: &[usize]| fitting(keys(list).into_iter(), 4);
        assert_eq!(fits(&[36; 9]), 4, "as many as were asked for");
        assert_eq!(fits(&[usize::MAX, 1]), 1, "one that is too long goes alone");
        assert_eq!(fits(&[100, REQUEST_KEY_BYTES_MAX / 2, REQUEST_KEY_BYTES_MAX / 2]), 2);
        assert_eq!(fits(&[]), 0);
    }

    #[test]
    fn chunks_shrink_to_what_had_room_and_grow_again() {
        assert_eq!(next_chunk_keys(50, 50), 100);
        assert_eq!(next_chunk_keys(CHUNK_KEYS, CHUNK_KEYS), CHUNK_KEYS);
        assert_eq!(next_chunk_keys(500, 3), 3);
        assert_eq!(next_chunk_keys(3, 0), 1);
        assert_eq!(next_chunk_keys(3, 3), FIRST_CHUNK_KEYS);
    }
}
