//! As much of Redis as the agent uses, in memory, with its connections and faults.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::wire::{bulk, commands, int, list, replies_to, with_scores};
use crate::metric::json::Reader;
use crate::protocol::redis::{Replies, Request};
use crate::queue::{LEASE, Queue, WRAPPED_LOGS, WRAPPED_METRICS};

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// `maxmemory` is reached: whatever needs memory is refused.
    Oom,
    /// A replica: whatever writes is refused.
    ReadOnly,
}

pub type Args = Vec<Vec<u8>>;

const OUT_OF_MEMORY: &[u8] = b"-OOM command not allowed\r\n";
const NEEDS_MEMORY: [&str; 4] = ["ZADD", "HSET", "SET", "RPUSH"];
const WRITES: [&str; 13] = [
    "EVAL",
    "ZADD",
    "HSET",
    "SET",
    "RPUSH",
    "LTRIM",
    "PEXPIRE",
    "DEL",
    "ZREM",
    "HDEL",
    "ZREMRANGEBYRANK",
    "RENAMENX",
    "UNLINK",
];

/// One client's connection.
#[derive(Default)]
struct Session {
    sent: VecDeque<Request>,
    transaction: Option<Vec<Args>>,
    watched: BTreeMap<String, u64>,
    aborted: bool,
}

#[derive(Default)]
pub struct FakeRedis {
    sets: BTreeMap<String, BTreeMap<Vec<u8>, f64>>,
    hashes: BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>,
    lists: BTreeMap<String, Vec<Vec<u8>>>,
    lease: Option<(Vec<u8>, Duration)>,
    /// How often each key was written; a watch compares.
    versions: BTreeMap<String, u64>,
    sessions: BTreeMap<usize, Session>,
    /// What time it is, for what expires.
    pub now: Duration,
    pub fault: Option<Fault>,
    /// Sum of the application's series that were removed from the wrapped queue.
    pub acknowledged: f64,
    /// The same of what was told about dropped records.
    pub acknowledged_drops: f64,
    /// The keys of the logs that were removed from their queue.
    pub removed_logs: BTreeSet<String>,
}

impl FakeRedis {
    pub fn send(&mut self, client: usize, request: Request) {
        self.sessions.entry(client).or_default().sent.push_back(request);
    }

    /// Carries out the oldest request of a client under way.
    pub fn execute_next(&mut self, client: usize) -> Option<Replies> {
        let request = self.sessions.entry(client).or_default().sent.pop_front()?;
        let commands = commands(request.bytes()).into_iter();
        let bytes: Vec<u8> = commands.flat_map(|command| self.execute(client, command)).collect();
        Some(replies_to(&request, &bytes))
    }

    pub fn disconnect(&mut self, client: usize) {
        self.sessions.remove(&client);
    }

    pub fn write_record(&mut self, queue: Queue, key: &str, score_s: f64, json: &str) {
        self.sets.entry(queue.keys.into()).or_default().insert(key.into(), score_s);
        self.hashes.entry(queue.values.into()).or_default().insert(key.into(), json.into());
    }

    /// Whether a record has both its key and its value.
    pub fn has_record(&self, queue: Queue, key: &str) -> bool {
        let has_key = self.sets.get(queue.keys).is_some_and(|set| set.contains_key(key.as_bytes()));
        has_key && self.hashes.get(queue.values).is_some_and(|hash| hash.contains_key(key.as_bytes()))
    }

    /// The sum of the values of readable raw records that still have a key.
    pub fn sum_of_records(&self, queue: Queue) -> f64 {
        self.records(queue).filter_map(|json| field(json, "value")).sum()
    }

    /// The sum of the points of series of one name.
    pub fn sum_of_series(&self, queue: Queue, name: &str) -> f64 {
        self.records(queue).map(|json| series_value(json, name)).sum()
    }

    pub fn is_drained(&self) -> bool {
        !self.sets.keys().chain(self.hashes.keys()).any(|key| !key.starts_with("chouette:metrics:wrapped"))
    }

    fn records(&self, queue: Queue) -> impl Iterator<Item = &[u8]> {
        let values = self.hashes.get(queue.values);
        let keys = self.sets.get(queue.keys).into_iter().flat_map(BTreeMap::keys);
        keys.filter_map(move |key| values?.get(key)).map(Vec::as_slice)
    }

    fn execute(&mut self, client: usize, command: Args) -> Vec<u8> {
        if self.lease.as_ref().is_some_and(|(_, until)| *until <= self.now) {
            self.lease = None;
            self.touch(LEASE);
        }
        let mut session = self.sessions.remove(&client).unwrap_or_default();
        let reply = self.in_session(&mut session, command);
        self.sessions.insert(client, session);
        reply
    }

    fn in_session(&mut self, session: &mut Session, command: Args) -> Vec<u8> {
        let name = String::from_utf8_lossy(&command[0]).into_owned();
        match (name.as_str(), &mut session.transaction) {
            ("MULTI", open) => {
                assert!(open.is_none(), "nested MULTI");
                *open = Some(Vec::new());
                session.aborted = false;
                b"+OK\r\n".to_vec()
            }
            ("EXEC", open) => {
                let commands = open.take().expect("EXEC without MULTI");
                let watched = std::mem::take(&mut session.watched);
                if session.aborted {
                    return b"-EXECABORT Transaction discarded because of previous errors.\r\n".to_vec();
                }
                if watched.iter().any(|(key, version)| self.version(key) != *version) {
                    return b"*-1\r\n".to_vec();
                }
                let mut reply = format!("*{}\r\n", commands.len()).into_bytes();
                for command in commands {
                    reply.extend(self.run(&command));
                }
                reply
            }
            ("WATCH", None) => {
                for key in &command[1..] {
                    let key = String::from_utf8_lossy(key).into_owned();
                    let version = self.version(&key);
                    session.watched.entry(key).or_insert(version);
                }
                b"+OK\r\n".to_vec()
            }
            ("DISCARD" | "UNWATCH", open) => {
                *open = None;
                session.watched.clear();
                b"+OK\r\n".to_vec()
            }
            // Without memory nothing is queued, not even what would free some.
            (_, Some(_)) if self.fault == Some(Fault::Oom) => {
                session.aborted = true;
                OUT_OF_MEMORY.to_vec()
            }
            (_, Some(queue)) => match refusal(self.fault, &name) {
                Some(error) => {
                    session.aborted = true;
                    error
                }
                None => {
                    queue.push(command);
                    b"+QUEUED\r\n".to_vec()
                }
            },
            (_, None) => refusal(self.fault, &name).unwrap_or_else(|| self.run(&command)),
        }
    }

    fn version(&self, key: &str) -> u64 {
        self.versions.get(key).copied().unwrap_or_default()
    }

    fn touch(&mut self, key: &str) {
        *self.versions.entry(key.to_owned()).or_default() += 1;
    }

    fn run(&mut self, command: &Args) -> Vec<u8> {
        let text = |i: usize| String::from_utf8_lossy(&command[i]).into_owned();
        if WRITES.contains(&text(0).as_str()) {
            command[1..].iter().for_each(|key| self.touch(&String::from_utf8_lossy(key)));
        }
        let reply = match text(0).as_str() {
            "SET" | "PEXPIRE" | "PTTL" | "GET" | "DEL" => self.run_on_lease(command),
            "RPUSH" => {
                self.lists.entry(text(1)).or_default().push(command[2].clone());
                int(0)
            }
            "LTRIM" => {
                let kept: usize = text(2)[1..].parse().unwrap();
                let list = self.lists.entry(text(1)).or_default();
                list.drain(..list.len().saturating_sub(kept));
                int(0)
            }
            "LRANGE" => list(self.lists.get(&text(1)).into_iter().flatten().map(|item| bulk(item))),
            "ZRANGE" if text(2) == "-1" => with_scores(self.ordered(&text(1)).into_iter().last().into_iter()),
            "ZCARD" => int(self.sets.get(&text(1)).map_or(0, BTreeMap::len)),
            "HLEN" => int(self.hashes.get(&text(1)).map_or(0, BTreeMap::len)),
            "EXISTS" => int(command[1..].iter().filter(|k| self.exists(&String::from_utf8_lossy(k))).count()),
            "ZRANGE" => self.zrange(&text(1), text(2).parse().unwrap(), text(3).parse().unwrap()),
            "ZRANGEBYSCORE" => {
                self.range_by_score(&text(1), text(3)[1..].parse().unwrap(), text(7).parse().unwrap())
            }
            "HMGET" => {
                let empty = BTreeMap::new();
                let hash = self.hashes.get(&text(1)).unwrap_or(&empty);
                list(
                    command[2..].iter().map(|field| hash.get(field).map_or(b"$-1\r\n".to_vec(), |v| bulk(v))),
                )
            }
            "HSTRLEN" => {
                let value = self.hashes.get(&text(1)).and_then(|hash| hash.get(&command[2]));
                int(value.map_or(0, Vec::len))
            }
            "ZADD" => {
                let set = self.sets.entry(text(1)).or_default();
                for pair in command[2..].chunks(2) {
                    set.insert(pair[1].clone(), String::from_utf8_lossy(&pair[0]).parse().unwrap());
                }
                int(0)
            }
            "HSET" => {
                let hash = self.hashes.entry(text(1)).or_default();
                for pair in command[2..].chunks(2) {
                    hash.insert(pair[0].clone(), pair[1].clone());
                }
                int(0)
            }
            "EVAL" => {
                let (keys, values) = (text(3), text(4));
                self.acknowledge(&keys, &command[5..]);
                self.remove_members(&keys, &command[5..]);
                let hash = self.hashes.entry(values).or_default();
                command[5..].iter().for_each(|field| {
                    hash.remove(field);
                });
                int(0)
            }
            "ZREM" => {
                self.acknowledge(&text(1), &command[2..]);
                self.remove_members(&text(1), &command[2..])
            }
            "HDEL" => {
                let hash = self.hashes.entry(text(1)).or_default();
                int(command[2..].iter().filter(|field| hash.remove(*field).is_some()).count())
            }
            "ZREMRANGEBYRANK" => {
                let count: usize = text(3).parse::<usize>().unwrap() + 1;
                let first: Vec<_> = self.ordered(&text(1)).into_iter().take(count).map(|(m, _)| m).collect();
                self.remove_members(&text(1), &first)
            }
            "RENAMENX" => return self.rename(&text(1), text(2)),
            "UNLINK" => {
                for key in &command[1..] {
                    let key = String::from_utf8_lossy(key).into_owned();
                    self.sets.remove(&key);
                    self.hashes.remove(&key);
                }
                int(0)
            }
            other => panic!("the agent sent {other}, which the simulation does not know"),
        };
        self.sets.retain(|_, set| !set.is_empty());
        self.hashes.retain(|_, hash| !hash.is_empty());
        reply
    }

    fn run_on_lease(&mut self, command: &Args) -> Vec<u8> {
        let text = |i: usize| String::from_utf8_lossy(&command[i]).into_owned();
        assert_eq!(text(1), LEASE);
        let lasts = |i: usize| Duration::from_millis(text(i).parse().unwrap());
        match text(0).as_str() {
            "SET" if self.lease.is_some() => b"$-1\r\n".to_vec(),
            "SET" => {
                self.lease = Some((command[2].clone(), self.now + lasts(5)));
                b"+OK\r\n".to_vec()
            }
            "PEXPIRE" => {
                let until = self.now + lasts(2);
                int(self.lease.as_mut().map(|lease| lease.1 = until).into_iter().count())
            }
            "PTTL" => {
                let left = self.lease.as_ref().map(|(_, until)| until.saturating_sub(self.now));
                left.map_or(b":-2\r\n".to_vec(), |left| int(left.as_millis() as usize))
            }
            "DEL" => int(self.lease.take().into_iter().count()),
            _ => self.lease.as_ref().map_or(b"$-1\r\n".to_vec(), |(holder, _)| bulk(holder)),
        }
    }

    fn acknowledge(&mut self, key: &str, members: &[Vec<u8>]) {
        if key == WRAPPED_LOGS.keys {
            let keys = members.iter().map(|member| String::from_utf8_lossy(member).into_owned());
            self.removed_logs.extend(keys);
        }
        if key != WRAPPED_METRICS.keys {
            return;
        }
        let (set, hash) = (self.sets.get(key), self.hashes.get(WRAPPED_METRICS.values));
        let there = members.iter().filter(|m| set.is_some_and(|set| set.contains_key(*m)));
        for json in there.filter_map(|m| hash?.get(m)) {
            self.acknowledged += series_value(json, "app");
            self.acknowledged_drops += series_value(json, "chouette.dropped");
        }
    }

    fn remove_members(&mut self, key: &str, members: &[Vec<u8>]) -> Vec<u8> {
        let set = self.sets.entry(key.to_owned()).or_default();
        int(members.iter().filter(|member| set.remove(*member).is_some()).count())
    }

    fn exists(&self, key: &str) -> bool {
        self.sets.contains_key(key) || self.hashes.contains_key(key)
    }

    fn ordered(&self, key: &str) -> Vec<(Vec<u8>, f64)> {
        let mut members: Vec<_> =
            self.sets.get(key).into_iter().flatten().map(|(m, s)| (m.clone(), *s)).collect();
        members.sort_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
        members
    }

    fn zrange(&self, key: &str, first: usize, last: usize) -> Vec<u8> {
        with_scores(self.ordered(key).into_iter().skip(first).take(last + 1 - first))
    }

    fn range_by_score(&self, key: &str, before: f64, count: usize) -> Vec<u8> {
        with_scores(self.ordered(key).into_iter().filter(|(_, score)| *score < before).take(count))
    }

    fn rename(&mut self, from: &str, to: String) -> Vec<u8> {
        if !self.exists(from) {
            return b"-ERR no such key\r\n".to_vec();
        }
        if self.exists(&to) {
            return int(0);
        }
        if let Some(set) = self.sets.remove(from) {
            self.sets.insert(to, set);
        } else if let Some(hash) = self.hashes.remove(from) {
            self.hashes.insert(to, hash);
        }
        int(1)
    }
}

fn refusal(fault: Option<Fault>, name: &str) -> Option<Vec<u8>> {
    match fault {
        Some(Fault::Oom) if NEEDS_MEMORY.contains(&name) => Some(OUT_OF_MEMORY.to_vec()),
        Some(Fault::ReadOnly) if WRITES.contains(&name) => Some(b"-READONLY You can't write\r\n".to_vec()),
        _ => None,
    }
}

fn field(json: &[u8], name: &str) -> Option<f64> {
    let mut reader = Reader::from_bytes(json).ok()?;
    reader.enter_object().ok()?;
    let mut found = None;
    while let Some(key) = reader.next_key().ok()? {
        match key == name {
            true => found = reader.number_or_skip().ok()?.map(|n| n.as_f64()),
            false => reader.skip().ok()?,
        }
    }
    found
}

fn series_value(json: &[u8], name: &str) -> f64 {
    let text = String::from_utf8_lossy(json);
    if !text.starts_with(&format!("{{\"metric\":\"{name}\"")) {
        return 0.0;
    }
    let points = text.split_once("\"points\":[[").map_or("", |(_, rest)| rest);
    points.split([',', ']']).nth(1).and_then(|value| value.parse().ok()).unwrap_or_default()
}
