//! For whoever looks at the queues from outside: what a queue holds, who has the lease, and whether the agent may do
//! what it has to.

use super::lease::LEASE;
use super::reply::{first_score, ok, size_of};
use super::{CLAIMED_METRICS, DELIVERED_METRICS, Queue, QueueError, RAW_METRICS, Stream};
use crate::protocol::redis::{Request, Value};

/// What a queue holds.
#[derive(Clone, Copy)]
pub struct Held {
    /// Keys or values, whatever is more.
    pub records: u64,
    /// Score of the oldest key, Unix seconds; infinite where there is none.
    pub oldest_s: f64,
    /// Score of the newest key, Unix seconds; infinite where there is none.
    pub newest_s: f64,
}

/// Asks what a queue holds.
#[inline(never)]
pub fn look(queue: Queue) -> Request {
    let mut request = Request::new();
    request.push_words(&["ZCARD", queue.keys]).push_words(&["HLEN", queue.values]);
    for rank in ["0", "-1"] {
        request.push_words(&["ZRANGE", queue.keys, rank, rank, "WITHSCORES"]);
    }
    request
}

/// The reply to [`look`].
///
/// # Errors
/// See [`QueueError`]; a key of a wrong type is one of them.
#[inline(never)]
pub fn held(replies: &[Value], queue: Queue) -> Result<Held, QueueError> {
    let [keys, values, oldest, newest] = replies else {
        return Err(QueueError::Unexpected("the look at a queue"));
    };
    let mut records = 0;
    for (reply, key) in [(keys, queue.keys), (values, queue.values)] {
        records = size_of(reply).map_err(|error| error.about(key))?.max(records);
    }
    let score = |reply| Ok(first_score(reply)?.unwrap_or(f64::INFINITY));
    Ok(Held { records, oldest_s: score(oldest)?, newest_s: score(newest)? })
}

/// Asks who has the lease, and for how long.
pub fn look_at_lease() -> Request {
    let mut request = Request::new();
    request.push_words(&["GET", LEASE]).push_words(&["PTTL", LEASE]);
    request
}

/// The reply to [`look_at_lease`]: the holder, and the seconds left; none where nobody has it.
///
/// # Errors
/// See [`QueueError`].
pub fn holder(replies: &[Value]) -> Result<Option<(String, i64)>, QueueError> {
    match replies {
        [holder, lasts_ms] => Ok(match (ok(holder)?, ok(lasts_ms)?) {
            (Value::BulkString(name), Value::Int(ms)) => {
                Some((String::from_utf8_lossy(name).into_owned(), ms / 1_000))
            }
            _ => None,
        }),
        _ => Err(QueueError::Unexpected("the look at the lease")),
    }
}

/// Each command of the agent, with what it is given to learn whether it is allowed: `*` is every key, `k` one of a
/// queue, `l` the lease.
///
/// A transaction that nothing is in shows that there can be one; the others stand in a second one.
const ASKED: &str = "\
MULTI
EXEC
WATCH l
UNWATCH
MULTI
EXISTS *
UNLINK *
ZCARD k
ZADD k 0 0
ZRANGE k 0 0
ZRANGEBYSCORE k 0 0
ZREM k 0
ZREMRANGEBYRANK k 0 0
HLEN k
HSET k 0 0
HMGET k 0
HDEL k 0
RENAMENX k k
LRANGE k 0 0
RPUSH k 0
LTRIM k 0 0
GET l
SET l 0
DEL l
PTTL l
PEXPIRE l 1
EVAL return 0
DISCARD
";

/// How many of them come first, see [`rights`]; the last of these begins what is discarded.
const FIRST: usize = 5;

/// What is asked to learn whether the agent may do what it has to, in two requests. Nothing of it takes effect: a
/// server that refuses a command says so when it is queued, and no transaction is carried out that has something in
/// it.
///
/// The requests are sent one after the other, the second one only where [`has_begun`] says so of the reply to the
/// first. They have to go through the same connection.
#[inline(never)]
pub fn rights(is_first: bool) -> Request {
    let mut request = Request::new();
    let mut words = Vec::new();
    for (at, line) in ASKED.lines().enumerate() {
        if (at < FIRST) != is_first {
            continue;
        }
        words.clear();
        for word in line.split(' ') {
            match word {
                "*" => push_keys(&mut words),
                "k" => words.push(RAW_METRICS.keys),
                "l" => words.push(LEASE),
                word => words.push(word),
            }
        }
        request.push_words(&words);
    }
    request
}

/// Every key there is.
fn push_keys(words: &mut Vec<&'static str>) {
    words.push(LEASE);
    words.push(DELIVERED_METRICS);
    for queue in [RAW_METRICS, CLAIMED_METRICS] {
        words.push(queue.keys);
        words.push(queue.values);
    }
    for stream in Stream::ALL {
        let queue = stream.queue();
        words.push(queue.keys);
        words.push(queue.values);
    }
}

/// Whether the transaction has begun that nothing is carried out of.
pub fn has_begun(replies: &[Value]) -> bool {
    matches!(replies, [Value::Okay, Value::Array(_), _, _, Value::Okay])
}

/// The command of a line of [`ASKED`].
fn name(line: &'static str) -> &'static str {
    line.split(' ').next().unwrap_or_default()
}

/// What was refused of [`rights`], by the replies to both requests, the second ones empty where only the first was
/// sent: the commands, and the words to the first of them; both empty where nothing was.
#[inline(never)]
pub fn refused(first: &[Value], second: &[Value]) -> (String, String) {
    let (mut names, mut why) = (String::new(), String::new());
    for (at, line) in ASKED.lines().enumerate() {
        let reply = if at < FIRST { first.get(at) } else { second.get(at - FIRST) };
        let Some(Err(QueueError::Refused(words))) = reply.map(ok) else { continue };
        if why.is_empty() {
            why = words;
        }
        names.push_str(if names.is_empty() { "" } else { ", " });
        names.push_str(name(line));
        // Without the first command nothing is learnt of the others.
        if at == 0 {
            break;
        }
    }
    (names, why)
}

/// The rights as the rules of an access list have them: `~chouette:* +exec … +discard`.
pub fn access_rules() -> String {
    let mut rules = String::from("~chouette:*");
    // The first one comes again.
    for line in ASKED.lines().skip(1) {
        rules.push_str(" +");
        rules.push_str(name(line));
    }
    rules.make_ascii_lowercase();
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Every command that these sources send.
    fn sent() -> BTreeSet<String> {
        let sources = [
            include_str!("claim.rs"),
            include_str!("lease.rs"),
            include_str!("wrapped.rs"),
            include_str!("../runtime/setup.rs"),
        ];
        let text = sources.concat();
        let quoted = |after: &str| {
            let found = text.split(after).skip(1).filter_map(|rest| rest.split('"').next());
            found.filter(|name| name.chars().all(|c| c.is_ascii_uppercase())).map(str::to_owned).collect()
        };
        let all: [BTreeSet<String>; 4] =
            [quoted("cmd(\""), quoted("push_many(&[\""), quoted("{ \""), quoted("else { \"")];
        all.into_iter().flatten().collect()
    }

    #[test]
    fn whatever_the_agent_sends_is_asked_for() {
        let mut needed = sent();
        assert!(needed.len() > 20, "{needed:?}");
        needed.extend(["MULTI", "EXEC"].map(str::to_owned));
        // What a log-in consists of is there for everybody, or was answered already.
        for name in ["AUTH", "SELECT", "PING"] {
            needed.remove(name);
        }
        let known: BTreeSet<String> = ASKED.lines().map(|line| name(line).to_owned()).collect();
        assert_eq!(known, needed);
        let rules = access_rules();
        assert!(known.iter().all(|name| rules.contains(&format!(" +{}", name.to_ascii_lowercase()))));
    }

    #[test]
    fn replies_are_those_of_the_commands_asked_for() {
        let (begins, queues) = (rights(true), rights(false));
        let words = |request: &Request| {
            let names = request.commands().map(|words| String::from_utf8_lossy(words[0]).into_owned());
            names.collect::<Vec<_>>()
        };
        let sent: Vec<String> = [words(&begins), words(&queues)].concat();
        assert_eq!(sent, ASKED.lines().map(name).collect::<Vec<_>>());
        assert_eq!(begins.replies(), FIRST);
        let all = queues.commands().next().unwrap();
        assert_eq!(all.len(), 1 + 2 * (2 + Stream::ALL.len()) + 2);
        let begun = [Value::Okay, Value::Array(Vec::new()), Value::Okay, Value::Okay, Value::Okay];
        assert!(has_begun(&begun));
        assert!(!has_begun(&begun[..4]));
        assert_eq!(refused(&begun, &[]), (String::new(), String::new()));
    }
}
