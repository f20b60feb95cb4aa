//! The embedded queue in Redis' place: it answers the commands that the agent has for the wrapped queues, so that who
//! gives them need not know which of the two it is.
//!
//! Nobody else is there: the lease is given to whoever asks, what is watched is never touched, and a transaction is one
//! request. The raw queue, which other programs fill, is always empty. A command that the agent does not give is
//! answered with nil, which it takes for what it is, an unexpected reply.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Instant;

use super::reply::{score_of, write_score};
use super::spool::operation::{Operation, Outcome};
use super::spool::{Answer, Ask, Dropped, Figures, Rest, Settings, Spool};
use super::{DELIVERED_METRICS, Entry, Listed, Stream, Trace};
use crate::protocol::redis::{Found, Replies, Request, Strings, Value};

/// The embedded queue and the requests it has not answered yet.
#[derive(Debug)]
pub struct Embedded {
    spool: Spool<Ticket>,
    holder: Option<Vec<u8>>,
    /// Requests in their order: their replies are given in that order.
    requests: VecDeque<Awaiting>,
    /// How many were answered before the first of these.
    answered: u64,
    is_saved: Option<bool>,
    /// What was told last.
    told: Figures,
}

/// Which reply of which request an answer belongs to; none for the last word before the end.
type Ticket = Option<(u64, usize)>;

/// A request, and what is known of its replies.
#[derive(Debug, Default)]
struct Awaiting {
    replies: Vec<Reply>,
    packs: bool,
    /// How many answers are to come.
    answers: usize,
}

#[derive(Debug)]
enum Reply {
    Value(Value),
    List(Strings),
}

/// What is to be known of the disk and of what it cost.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// What was dropped.
    pub dropped: Vec<Dropped>,
    /// Bytes written to the disk, in whole pages.
    pub written_bytes: u64,
    /// Frames found damaged, a record each as a rule.
    pub damaged: u64,
    /// Files that end with a write that was cut off.
    pub torn: u64,
    /// Records on the disk now.
    pub disk_records: u64,
    /// Why the disk failed last.
    pub failure: Option<String>,
}

impl Embedded {
    /// See [`Spool::new`].
    pub fn new(settings: Settings, files: Option<&[(u32, u64)]>, seed: u32) -> Embedded {
        Embedded {
            spool: Spool::new(settings, files, seed),
            holder: None,
            requests: VecDeque::new(),
            answered: 0,
            is_saved: None,
            told: Figures::default(),
        }
    }

    /// Takes a request. Its replies come from [`Embedded::take_replies`].
    pub fn send(&mut self, request: &Request, now: Instant) {
        let number = self.answered + self.requests.len() as u64;
        self.requests.push_back(Awaiting { packs: request.packs(), ..Awaiting::default() });
        let mut transaction: Option<Transaction> = None;
        for (at, words) in request.commands().enumerate() {
            let ticket = Some((number, at));
            // What is known at once stands there before an answer may come.
            let (reply, asks) = match (&mut transaction, &words[..]) {
                (none @ None, [b"MULTI"]) => {
                    *none = Some(Transaction::default());
                    (Value::Okay, Vec::new())
                }
                (Some(_), [b"EXEC"]) => transaction.take().unwrap_or_default().commit(),
                (Some(open), words) => (open.queue(words), Vec::new()),
                (None, words) => self.answer(words, request.room().total_bytes_max),
            };
            let reply = match reply {
                // A queue that is not kept here is an empty one.
                Value::Array(items) if items.is_empty() && asks.is_empty() && request.packs() => {
                    Reply::List(Strings::default())
                }
                reply => Reply::Value(reply),
            };
            if let Some(awaiting) = self.requests.back_mut() {
                awaiting.replies.push(reply);
                awaiting.answers += asks.len();
            }
            asks.into_iter().for_each(|ask| self.spool.ask(ticket, ask, now));
        }
        self.take_answers();
    }

    /// The replies to the oldest request, once they are complete.
    pub fn take_replies(&mut self) -> Option<Replies> {
        self.requests.front().filter(|awaiting| awaiting.answers == 0)?;
        let awaiting = self.requests.pop_front()?;
        self.answered += 1;
        let (mut values, mut lists) = (Vec::new(), VecDeque::new());
        for reply in awaiting.replies {
            match reply {
                Reply::Value(value) => values.push(value),
                Reply::List(list) => lists.push_back(list),
            }
        }
        let mut replies = Replies::from(values);
        replies.lists = lists;
        Some(replies)
    }

    /// Goes on: to be called at [`Embedded::deadline`].
    pub fn pump(&mut self, now: Instant) {
        self.spool.pump(now);
        self.take_answers();
    }

    /// When [`Embedded::pump`] is due.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        self.spool.deadline(now)
    }

    /// The next step on the disk; see [`Spool::take_operation`].
    pub fn take_operation(&mut self) -> Option<Operation> {
        self.spool.take_operation()
    }

    /// What became of it: nobody knows, where it is an error.
    pub fn done(&mut self, outcome: Result<Outcome, String>, now: Instant) {
        match outcome {
            Ok(outcome) => self.spool.done(outcome, now),
            Err(reason) => self.spool.lost(reason, now),
        }
        self.take_answers();
    }

    /// Tells how a release of a queue went.
    pub fn released(&mut self, queue: Stream, is_delivered: bool, now: Instant) {
        self.spool.released(queue, is_delivered, now);
    }

    /// Begins to write everything: the end is near.
    pub fn save(&mut self, now: Instant) {
        self.is_saved = None;
        self.spool.ask(None, Ask::Save, now);
        self.take_answers();
    }

    /// Whether everything is on the disk; `None` while it is not known.
    pub fn is_saved(&self) -> Option<bool> {
        self.is_saved
    }

    /// What has happened since the last call, if anything has.
    pub fn take_report(&mut self) -> Option<Report> {
        let (now, told) = (self.spool.figures(), self.told);
        let report = Report {
            dropped: self.spool.take_dropped(),
            written_bytes: now.written_bytes - told.written_bytes,
            damaged: now.damaged - told.damaged,
            torn: now.torn - told.torn,
            disk_records: now.disk_records,
            failure: self.spool.take_failure(),
        };
        let is_news = report != Report { disk_records: told.disk_records, ..Report::default() };
        self.told = now;
        is_news.then_some(report)
    }

    /// What it holds.
    pub fn figures(&self) -> Figures {
        self.spool.figures()
    }

    /// What can be said at once, and what has to be asked.
    fn answer(&mut self, words: &[&[u8]], bytes_max: usize) -> (Value, Vec<Ask>) {
        const NOTHING: Value = Value::Array(Vec::new());
        match words {
            [b"SET", _, name, ..] => {
                self.holder = Some(name.to_vec());
                (Value::Okay, Vec::new())
            }
            [b"GET", _] => (self.holder.clone().map_or(Value::Nil, Value::BulkString), Vec::new()),
            [b"DEL", _] => {
                self.holder = None;
                (Value::Int(1), Vec::new())
            }
            // It lasts as long as the program does.
            [b"PTTL", _] => (Value::Int(-1), Vec::new()),
            [b"PEXPIRE", ..] => (Value::Int(1), Vec::new()),
            [b"WATCH" | b"UNWATCH", ..] => (Value::Okay, Vec::new()),
            [b"LRANGE", key, ..] if *key == DELIVERED_METRICS.as_bytes() => (NOTHING, vec![Ask::Delivered]),
            [b"HLEN", _] => (Value::Int(0), Vec::new()),
            [b"ZCARD", key] => match Stream::of_key(key) {
                Some(queue) => (Value::Nil, vec![Ask::Size(queue)]),
                None => (Value::Int(0), Vec::new()),
            },
            [b"ZRANGE", _, b"-1", ..] => (NOTHING, Vec::new()),
            [b"ZRANGE", key, first, last, ..] => match Stream::of_key(key) {
                Some(queue) => asked(keys_between(queue, first, last)),
                None => (NOTHING, Vec::new()),
            },
            [b"ZRANGEBYSCORE", key, _, before, .., count] => asked(keys_before(key, before, count)),
            [b"HMGET", key, keys @ ..] => {
                asked(Stream::of_key(key).map(|queue| {
                    Ask::Values(queue, keys.iter().map(|key| key.to_vec()).collect(), bytes_max)
                }))
            }
            _ => (Value::Nil, Vec::new()),
        }
    }

    fn take_answers(&mut self) {
        while let Some((ticket, answer)) = self.spool.take_answer() {
            let Some((request, at)) = ticket else {
                self.is_saved = Some(answer == Answer::Saved(true));
                continue;
            };
            let at_request = usize::try_from(request.saturating_sub(self.answered)).unwrap_or(usize::MAX);
            if let Some(awaiting) = self.requests.get_mut(at_request) {
                awaiting.take(at, answer);
            }
        }
    }
}

impl Awaiting {
    fn take(&mut self, at: usize, answer: Answer) {
        self.answers = self.answers.saturating_sub(1);
        let reply = match answer {
            Answer::Size(size) => Value::Int(i64::try_from(size).unwrap_or(i64::MAX)),
            Answer::Delivered(batches) => Value::Array(batches.into_iter().map(Value::BulkString).collect()),
            Answer::Keys(listed, rest) => return self.put(at, Reply::List(listed_strings(&listed, rest))),
            Answer::Values(values) => return self.put(at, Reply::List(values)),
            // The reply of the transaction stands there already.
            Answer::Stored | Answer::Removed { .. } | Answer::Saved(_) => return,
        };
        self.put(at, Reply::Value(reply));
    }

    fn put(&mut self, at: usize, reply: Reply) {
        debug_assert!(self.packs || matches!(reply, Reply::Value(_)), "lists are asked for packed");
        if let Some(place) = self.replies.get_mut(at) {
            *place = reply;
        }
    }
}

fn asked(ask: Option<Ask>) -> (Value, Vec<Ask>) {
    (Value::Nil, ask.into_iter().collect())
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn keys_between(queue: Stream, first: &[u8], last: &[u8]) -> Option<Ask> {
    let (rank, last): (usize, usize) = (number(first)?, number(last)?);
    Some(Ask::Keys { queue, rank, count: (last + 1).saturating_sub(rank), before_s: None })
}

fn keys_before(key: &[u8], before: &[u8], count: &[u8]) -> Option<Ask> {
    let before_s = score_of(before.strip_prefix(b"(")?)?;
    let queue = Stream::of_key(key)?;
    Some(Ask::Keys { queue, rank: 0, count: number(count)?, before_s: Some(before_s) })
}

/// Keys with their scores; where there is no room for those that follow, it ends with one that finds none.
fn listed_strings(listed: &Listed, rest: Rest) -> Strings {
    let (mut strings, mut score) = (Strings::with_capacity(listed.len() * 2 + 2), Vec::new());
    for at in 0..listed.len() {
        let (Some(key), Some(score_s)) = (listed.key(at), listed.score_s(at)) else { continue };
        score.clear();
        write_score(score_s, &mut score);
        strings.push(key);
        strings.push(&score);
    }
    if rest == Rest::Later {
        strings.push_missing(Found::Later);
        strings.push_missing(Found::Later);
    }
    strings
}

/// A transaction that is being told.
#[derive(Debug, Default)]
struct Transaction {
    commands: usize,
    removed: Option<(Stream, Vec<Vec<u8>>)>,
    stored: Vec<(Stream, Vec<Entry>)>,
    delivered: Option<(Vec<u8>, usize)>,
    is_refused: bool,
}

impl Transaction {
    /// Takes a command. One that is not known refuses all of them.
    fn queue(&mut self, words: &[&[u8]]) -> Value {
        if self.push(words).is_none() {
            self.is_refused = true;
            return Value::Nil;
        }
        Value::SimpleString("QUEUED".to_owned())
    }

    fn push(&mut self, words: &[&[u8]]) -> Option<()> {
        match words {
            [b"ZREM", key, keys @ ..] => {
                let keys = keys.iter().map(|key| key.to_vec()).collect();
                self.removed = Some((Stream::of_key(key)?, keys));
            }
            [b"HDEL", ..] => {}
            [b"ZADD", key, pairs @ ..] => {
                let entry = |pair: &[&[u8]]| match pair {
                    [score, key] => Some(Entry {
                        key: String::from_utf8_lossy(key).into_owned(),
                        score_s: score_of(score)?,
                        json: Vec::new(),
                    }),
                    _ => None,
                };
                let entries = pairs.chunks(2).map(entry).collect::<Option<_>>()?;
                self.stored.push((Stream::of_key(key)?, entries));
            }
            [b"HSET", key, pairs @ ..] => {
                let queue = Stream::of_key(key)?;
                let (_, entries) = self.stored.iter_mut().find(|(stored, _)| *stored == queue)?;
                // In the order of the keys; see `store`.
                for (entry, pair) in entries.iter_mut().zip(pairs.chunks(2)) {
                    entry.json = pair.last()?.to_vec();
                }
            }
            [b"RPUSH", _, batch] => self.delivered = Some((batch.to_vec(), usize::MAX)),
            [b"LTRIM", _, first, _] => self.delivered.as_mut()?.1 = number(first.strip_prefix(b"-")?)?,
            _ => return None,
        }
        self.commands += 1;
        Some(())
    }

    /// The reply to `EXEC`, and what has to be asked before it may be given.
    fn commit(self) -> (Value, Vec<Ask>) {
        if self.is_refused {
            return (Value::Nil, Vec::new());
        }
        let reply = Value::Array(vec![Value::Int(1); self.commands]);
        let Some((queue, keys)) = self.removed else {
            return (
                reply,
                self.stored.into_iter().map(|(queue, entries)| Ask::Store(queue, entries)).collect(),
            );
        };
        let told = self.stored.into_iter().flat_map(|(_, entries)| entries).collect();
        (reply, vec![Ask::Remove(queue, keys, Trace { told, delivered: self.delivered })])
    }
}
