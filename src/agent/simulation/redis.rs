//! As much of Redis as the agent uses, in memory, with one connection and its faults.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::metric::json::Reader;
use crate::protocol::redis::{Codec, Request, Value};
use crate::queue::{Queue, WRAPPED_LOGS, WRAPPED_METRICS};

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// `maxmemory` is reached: whatever needs memory is refused.
    Oom,
    /// A replica: whatever writes is refused.
    ReadOnly,
}

type Args = Vec<Vec<u8>>;

#[derive(Default)]
pub struct FakeRedis {
    sets: BTreeMap<String, BTreeMap<Vec<u8>, f64>>,
    hashes: BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>,
    sent: VecDeque<Vec<Args>>,
    transaction: Option<Vec<Args>>,
    aborted: bool,
    pub fault: Option<Fault>,
    /// Sum of the application's series that were removed from the wrapped queue.
    pub acknowledged: f64,
    /// The same of what was told about dropped records.
    pub acknowledged_drops: f64,
    /// The keys of the logs that were removed from their queue.
    pub removed_logs: BTreeSet<String>,
}

impl FakeRedis {
    pub fn send(&mut self, request: Request) {
        self.sent.push_back(commands(request.bytes()));
    }

    /// Carries out the oldest request under way.
    pub fn execute_next(&mut self) -> Option<Vec<Value>> {
        let commands = self.sent.pop_front()?;
        Some(commands.into_iter().map(|command| parsed(&self.execute(command))).collect())
    }

    pub fn disconnect(&mut self) {
        self.sent.clear();
        self.transaction = None;
        self.aborted = false;
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

    fn execute(&mut self, command: Args) -> Vec<u8> {
        let name = String::from_utf8_lossy(&command[0]).into_owned();
        match (name.as_str(), &mut self.transaction) {
            ("MULTI", open) => {
                assert!(open.is_none(), "nested MULTI");
                *open = Some(Vec::new());
                self.aborted = false;
                b"+OK\r\n".to_vec()
            }
            ("EXEC", open) => {
                let commands = open.take().expect("EXEC without MULTI");
                if self.aborted {
                    return b"-EXECABORT Transaction discarded because of previous errors.\r\n".to_vec();
                }
                let mut reply = format!("*{}\r\n", commands.len()).into_bytes();
                for command in commands {
                    reply.extend(self.run(&command));
                }
                reply
            }
            ("DISCARD" | "UNWATCH" | "WATCH", open) => {
                *open = None;
                b"+OK\r\n".to_vec()
            }
            (_, Some(queue)) => match refusal(self.fault, &name) {
                Some(error) => {
                    self.aborted = true;
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

    fn run(&mut self, command: &Args) -> Vec<u8> {
        let text = |i: usize| String::from_utf8_lossy(&command[i]).into_owned();
        let reply = match text(0).as_str() {
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
    let needs_memory = matches!(name, "ZADD" | "HSET");
    let writes = needs_memory || matches!(name, "ZREM" | "HDEL" | "ZREMRANGEBYRANK" | "RENAMENX" | "UNLINK");
    match fault {
        Some(Fault::Oom) if needs_memory => Some(b"-OOM command not allowed\r\n".to_vec()),
        Some(Fault::ReadOnly) if writes => Some(b"-READONLY You can't write\r\n".to_vec()),
        _ => None,
    }
}

fn parsed(reply: &[u8]) -> Value {
    let (mut codec, mut complete) = (Codec::default(), Vec::new());
    codec.sent(1);
    codec.receive(reply, &mut complete).expect("a reply");
    complete.remove(0).remove(0)
}

fn commands(mut bytes: &[u8]) -> Vec<Args> {
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

fn with_scores(members: impl Iterator<Item = (Vec<u8>, f64)>) -> Vec<u8> {
    list(members.flat_map(|(member, score)| [bulk(&member), bulk(score.to_string().as_bytes())]))
}

fn list(items: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let items: Vec<_> = items.collect();
    let mut out = format!("*{}\r\n", items.len()).into_bytes();
    items.iter().for_each(|item| out.extend_from_slice(item));
    out
}

fn bulk(bytes: &[u8]) -> Vec<u8> {
    let mut out = format!("${}\r\n", bytes.len()).into_bytes();
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
    out
}

fn int(n: usize) -> Vec<u8> {
    format!(":{n}\r\n").into_bytes()
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
