//! For whoever looks at the queues from outside: what a queue holds, who has the lease, and whether the agent may do
//! what it has to.

use super::lease::LEASE;
use super::reply::{first_score, ok, size_of};
use super::{CLAIMED_METRICS, DELIVERED_METRICS, Queue, QueueError, RAW_METRICS, Stream};
use crate::protocol::redis::{Request, Value, cmd};

/// What a queue holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Held {
    /// Keys or values, whatever is more.
    pub records: u64,
    /// Score of the oldest key, Unix seconds.
    pub oldest_s: Option<f64>,
    /// Score of the newest key, Unix seconds.
    pub newest_s: Option<f64>,
}

/// Asks what a queue holds.
pub fn look(queue: Queue) -> Request {
    let mut request = Request::new();
    let ends = |rank: i32| {
        let mut range = cmd("ZRANGE");
        range.arg(queue.keys).arg(rank).arg(rank).arg("WITHSCORES");
        range
    };
    request.push(cmd("ZCARD").arg(queue.keys)).push(cmd("HLEN").arg(queue.values));
    request.push(&ends(0)).push(&ends(-1));
    request
}

/// The reply to [`look`].
///
/// # Errors
/// See [`QueueError`]; a key of a wrong type is one of them.
pub fn held(replies: &[Value], queue: Queue) -> Result<Held, QueueError> {
    let [keys, values, oldest, newest] = replies else {
        return Err(QueueError::Unexpected("the look at a queue"));
    };
    let records = size_of(keys).map_err(|error| error.about(queue.keys))?;
    let values = size_of(values).map_err(|error| error.about(queue.values))?;
    Ok(Held { records: records.max(values), oldest_s: first_score(oldest)?, newest_s: first_score(newest)? })
}

/// Asks who has the lease, and for how long.
pub fn look_at_lease() -> Request {
    let mut request = Request::new();
    request.push(cmd("GET").arg(LEASE)).push(cmd("PTTL").arg(LEASE));
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

/// Every key there is.
fn keys() -> impl Iterator<Item = &'static str> {
    let queues = [RAW_METRICS, CLAIMED_METRICS].into_iter().chain(Stream::ALL.map(Stream::queue));
    queues.flat_map(|queue| [queue.keys, queue.values]).chain([DELIVERED_METRICS, LEASE])
}

/// Each command of the agent that can stand in a transaction, once, and what it is given: `*` is all keys, `k` and `v`
/// are the raw queue's, `c` is that of the claimed keys, `d` that of what was delivered, `l` the lease.
const IN_TRANSACTION: &str = "\
EXISTS *
UNLINK *
ZCARD k
ZADD k 0 0
ZRANGE k 0 0
ZRANGEBYSCORE k 0 0
ZREM k 0
ZREMRANGEBYRANK k 0 0
HLEN v
HSET v 0 0
HMGET v 0
HDEL v 0
RENAMENX k c
LRANGE d 0 0
RPUSH d 0
LTRIM d 0 0
GET l
SET l 0
DEL l
PTTL l
PEXPIRE l 1
EVAL return 0
";

/// The others.
pub const AROUND: [&str; 5] = ["WATCH", "UNWATCH", "MULTI", "EXEC", "DISCARD"];

/// What is asked to learn whether the agent may do what it has to. Nothing of it takes effect: a server that refuses
/// a command says so when it is queued, and no transaction is carried out that has something in it.
///
/// The requests are sent one after the other, the second one only where [`has_begun`] says so of the reply to the
/// first. They all have to go through the same connection.
pub fn rights() -> [Request; 2] {
    let (mut begins, mut queues) = (Request::new(), Request::new());
    begins.push(cmd("WATCH").arg(LEASE)).push(&cmd("UNWATCH")).begin().commit().begin();
    for line in IN_TRANSACTION.lines() {
        let mut words = line.split(' ');
        let mut command = cmd(words.next().unwrap_or_default());
        for word in words {
            match word {
                "*" => command.arg(keys().collect::<Vec<_>>()),
                "k" => command.arg(RAW_METRICS.keys),
                "v" => command.arg(RAW_METRICS.values),
                "c" => command.arg(CLAIMED_METRICS.keys),
                "d" => command.arg(DELIVERED_METRICS),
                "l" => command.arg(LEASE),
                word => command.arg(word),
            };
        }
        queues.push(&command);
    }
    queues.push(&cmd("DISCARD"));
    [begins, queues]
}

/// Whether the transaction has begun that nothing is carried out of.
pub fn has_begun(replies: &[Value]) -> bool {
    matches!(replies, [_, _, Value::Okay, Value::Array(_), Value::Okay])
}

/// Who is asked for a right, by [`rights`]: the commands in the order of the replies.
fn asked() -> impl Iterator<Item = &'static str> {
    ["WATCH", "UNWATCH", "MULTI", "EXEC", "MULTI"].into_iter().chain(names()).chain(["DISCARD"])
}

fn names() -> impl Iterator<Item = &'static str> {
    IN_TRANSACTION.lines().filter_map(|line| line.split(' ').next())
}

/// What was refused of [`rights`], by the replies to both requests, or to the first: the command, and the words.
pub fn refused(replies: &[Value]) -> Vec<(&'static str, String)> {
    let words = |(name, reply): (&'static str, &Value)| match ok(reply) {
        Err(QueueError::Refused(words)) => Some((name, words)),
        _ => None,
    };
    asked().zip(replies).filter_map(words).collect()
}

/// The rights as the rules of an access list have them: `~chouette:* +watch … +eval`.
pub fn access_rules() -> String {
    let mut rules = "~chouette:*".to_owned();
    for name in names().chain(AROUND) {
        rules.push_str(" +");
        rules.push_str(&name.to_ascii_lowercase());
    }
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
        let known: BTreeSet<String> = names().chain(AROUND).map(str::to_owned).collect();
        assert_eq!(known, needed);
        let rules = access_rules();
        assert!(known.iter().all(|name| rules.contains(&format!(" +{}", name.to_ascii_lowercase()))));
    }

    #[test]
    fn replies_are_those_of_the_commands_asked_for() {
        let [begins, queues] = rights();
        let words = |request: &Request| {
            let names = request.commands().map(|words| String::from_utf8_lossy(words[0]).into_owned());
            names.collect::<Vec<_>>()
        };
        let sent: Vec<String> = [words(&begins), words(&queues)].concat();
        assert_eq!(sent, asked().collect::<Vec<_>>());
        let all = queues.commands().next().unwrap();
        assert_eq!(all.len(), 1 + 2 * (2 + Stream::ALL.len()) + 2);
        let begun = [Value::Okay, Value::Okay, Value::Okay, Value::Array(Vec::new()), Value::Okay];
        assert!(has_begun(&begun));
        assert!(!has_begun(&begun[..4]));
        assert!(refused(&begun).is_empty());
    }
}
