//! Replies of Redis, read strictly: an unexpected one is an error, never a default.

use std::fmt;

use super::claim::Survey;
use super::lease::{WATCH_REPLIES, guarded};
use super::{CLAIMED_METRICS, RAW_METRICS, WRAPPED_METRICS};
use crate::protocol::redis::{LATER, TOO_LONG, Value};

/// What Redis answered is not what was asked for. Everything is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueError {
    /// An error reply, such as `OOM`, `READONLY`, `LOADING`, `NOAUTH`, `MISCONF` or `WRONGTYPE`.
    Refused(String),
    /// A transaction that was not carried out because a watched key was touched.
    Touched,
    /// The lease is another agent's, or nobody's.
    LeaseLost,
    /// A reply of another shape.
    Unexpected(&'static str),
}

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QueueError::Refused(text) => write!(f, "redis refused: {text}"),
            QueueError::LeaseLost => f.write_str("the lease was lost"),
            QueueError::Touched => f.write_str("another program touched the claimed queue"),
            QueueError::Unexpected(what) => write!(f, "unexpected reply of redis to {what}"),
        }
    }
}

impl std::error::Error for QueueError {}

impl QueueError {
    /// The same error naming the key where its type is what is wrong: Redis does not say which one it is.
    #[must_use]
    pub fn about(self, key: &str) -> QueueError {
        match self {
            QueueError::Refused(text) if text.starts_with("WRONGTYPE") => {
                QueueError::Refused(format!("{text}: {key}"))
            }
            error => error,
        }
    }

    /// Redis is at its `maxmemory`: what needs memory is refused, what frees some is not.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, QueueError::Refused(text) if text.starts_with("OOM "))
    }
}

/// A member of a sorted set and its score.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// The record's key; `None` where it is longer than any that is read.
    pub member: Option<Vec<u8>>,
    /// Unix seconds.
    pub score_s: f64,
}

/// Members in their order, and whether more were asked for than there was room to read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listed {
    /// From the first one on, without a gap.
    pub members: Vec<Scored>,
    /// Whether the list was cut short.
    pub is_cut: bool,
}

/// What a key's value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// The value.
    Value(Vec<u8>),
    /// There is none.
    Nothing,
    /// It is longer than any that is read.
    TooLong,
}

/// A score as Redis reads it back to the same double.
pub(super) fn score_text(score_s: f64) -> String {
    if score_s == f64::INFINITY {
        "+inf".to_owned()
    } else if score_s == f64::NEG_INFINITY {
        "-inf".to_owned()
    } else {
        format!("{score_s}")
    }
}

pub(super) fn ok(value: &Value) -> Result<&Value, QueueError> {
    match value {
        Value::ServerError(error) => {
            let details = error.details().unwrap_or_default();
            Err(QueueError::Refused(format!("{} {details}", error.code()).trim_end().to_owned()))
        }
        value => Ok(value),
    }
}

fn count(value: &Value, what: &'static str) -> Result<u64, QueueError> {
    match ok(value)? {
        Value::Int(n) => u64::try_from(*n).map_err(|_| QueueError::Unexpected(what)),
        _ => Err(QueueError::Unexpected(what)),
    }
}

/// A size, from `ZCARD` or `HLEN`.
///
/// # Errors
/// See [`QueueError`].
pub fn size_of(reply: &Value) -> Result<u64, QueueError> {
    count(reply, "a size")
}

/// The number of claimed keys that exist, from the reply to `watch_claim`.
///
/// # Errors
/// See [`QueueError`]; one is that `name` does not hold the lease.
pub fn claims_there(replies: &[Value], name: &str) -> Result<u64, QueueError> {
    guarded(replies, name, false)?;
    match replies.get(WATCH_REPLIES..) {
        Some([exists]) => count(exists, "EXISTS"),
        _ => Err(QueueError::Unexpected("EXISTS")),
    }
}

/// The reply to `survey`.
///
/// # Errors
/// See [`QueueError`]; a key of a wrong type is one of them.
pub fn survey_of(replies: &[Value]) -> Result<Survey, QueueError> {
    let [prolonged, claimed_keys, claimed_values, oldest, raw_values, wrapped_keys, wrapped_values] = replies
    else {
        return Err(QueueError::Unexpected("the survey"));
    };
    ok(prolonged)?;
    let size = |value, queue_key: &str| size_of(value).map_err(|error| error.about(queue_key));
    size(wrapped_keys, WRAPPED_METRICS.keys)?;
    size(wrapped_values, WRAPPED_METRICS.values)?;
    size(raw_values, RAW_METRICS.values)?;
    let oldest = scored_members(oldest).map_err(|error| error.about(RAW_METRICS.keys))?;
    Ok(Survey {
        claimed: (size(claimed_keys, CLAIMED_METRICS.keys)?, size(claimed_values, CLAIMED_METRICS.values)?),
        oldest_raw_s: oldest.members.first().map(|s| s.score_s),
    })
}

/// Members with scores, from `ZRANGE … WITHSCORES`.
///
/// # Errors
/// See [`QueueError`].
pub fn scored_members(reply: &Value) -> Result<Listed, QueueError> {
    const WHAT: QueueError = QueueError::Unexpected("ZRANGE WITHSCORES");
    let Value::Array(items) = ok(reply)? else {
        return Err(WHAT);
    };
    let mut listed = Listed::default();
    for pair in items.chunks(2) {
        let [member, score] = pair else {
            return Err(WHAT);
        };
        if is_left(member, LATER) || is_left(score, LATER) {
            listed.is_cut = true;
            break;
        }
        let member = match member {
            Value::BulkString(member) => Some(member.clone()),
            member if is_left(member, TOO_LONG) => None,
            _ => return Err(WHAT),
        };
        let Value::BulkString(score) = score else {
            return Err(WHAT);
        };
        let score_s = std::str::from_utf8(score).ok().and_then(|s| s.parse().ok()).ok_or(WHAT)?;
        listed.members.push(Scored { member, score_s });
    }
    Ok(listed)
}

/// Whether the sieve left this in place of something.
fn is_left(value: &Value, code: &str) -> bool {
    matches!(value, Value::ServerError(error) if error.code() == code)
}

/// The values of `HMGET`, in the order of the keys. Where there was no room for all of them, the last ones are
/// missing and have to be asked for again.
///
/// # Errors
/// See [`QueueError`].
pub fn values_of(reply: Value, keys: usize) -> Result<Vec<Found>, QueueError> {
    const WHAT: QueueError = QueueError::Unexpected("HMGET");
    ok(&reply)?;
    let Value::Array(items) = reply else {
        return Err(WHAT);
    };
    if items.len() != keys {
        return Err(WHAT);
    }
    let found = |item| match item {
        Value::BulkString(bytes) => Ok(Found::Value(bytes)),
        Value::Nil => Ok(Found::Nothing),
        item if is_left(&item, TOO_LONG) => Ok(Found::TooLong),
        _ => Err(WHAT),
    };
    items.into_iter().take_while(|item| !is_left(item, LATER)).map(found).collect()
}

/// Checks that the commands of an unfinished transaction were accepted.
///
/// # Errors
/// See [`QueueError`].
pub fn queued(replies: &[Value]) -> Result<(), QueueError> {
    replies.iter().try_for_each(|reply| ok(reply).map(|_| ()))
}

/// Checks a request that ends with `EXEC` and gives back the results of the transaction's commands.
///
/// # Errors
/// See [`QueueError`]. A command that failed inside the transaction is an error too, though the others
/// took effect.
pub fn transaction(replies: &[Value]) -> Result<&[Value], QueueError> {
    queued(replies)?;
    match replies.last() {
        Some(Value::Array(results)) => queued(results).map(|()| &results[..]),
        Some(Value::Nil) => Err(QueueError::Touched),
        _ => Err(QueueError::Unexpected("EXEC")),
    }
}

/// Whether a claim took keys and values. A rename of what is not there is refused inside the transaction,
/// which is no error: a queue may hold keys without values or the reverse.
///
/// # Errors
/// See [`QueueError`].
pub fn claimed_now(replies: &[Value]) -> Result<(bool, bool), QueueError> {
    let Some((results, queuing)) = replies.split_last() else {
        return Err(QueueError::Unexpected("EXEC"));
    };
    queued(queuing)?;
    let renamed = |result: &Value| match result {
        Value::Int(n) => Ok(*n == 1),
        Value::ServerError(error) if error.details().is_some_and(|d| d.contains("no such key")) => Ok(false),
        other => ok(other).and(Err(QueueError::Unexpected("RENAMENX"))),
    };
    match results {
        Value::Array(results) => match &results[..] {
            [keys, values] => Ok((renamed(keys)?, renamed(values)?)),
            _ => Err(QueueError::Unexpected("EXEC")),
        },
        Value::Nil => Err(QueueError::Touched),
        other => ok(other).and(Err(QueueError::Unexpected("EXEC"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::redis::{Codec, cmd};

    fn parsed(bytes: &[u8]) -> Value {
        let (mut codec, mut complete) = (Codec::default(), Vec::new());
        codec.sent(1);
        codec.receive(bytes, &mut complete).expect("a reply");
        complete.remove(0).remove(0)
    }

    #[test]
    fn refusals_are_told_as_redis_words_them() {
        let oom = parsed(b"-OOM command not allowed when used memory > 'maxmemory'.\r\n");
        let error = queued(&[Value::Okay, oom]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "redis refused: OOM command not allowed when used memory > 'maxmemory'."
        );
        assert_eq!(transaction(&[Value::Okay, Value::Nil]), Err(QueueError::Touched));
        let failed = parsed(b"*2\r\n:1\r\n-WRONGTYPE Operation against a key\r\n");
        assert!(transaction(&[Value::Okay, failed]).is_err());
    }

    #[test]
    fn scores_keep_their_value() {
        let members = scored_members(&parsed(
            b"*4\r\n$1\r\na\r\n$18\r\n1600000000.0156250\r\n$1\r\nb\r\n$3\r\ninf\r\n",
        ));
        let members = members.expect("pairs").members;
        assert_eq!(score_text(members[0].score_s), "1600000000.015625");
        assert_eq!(score_text(members[1].score_s), "+inf");
        assert!(scored_members(&parsed(b"*1\r\n$1\r\na\r\n")).is_err());
        assert!(scored_members(&parsed(b"*2\r\n$1\r\na\r\n$1\r\nx\r\n")).is_err());
    }

    #[test]
    fn what_the_sieve_left_out_is_told_apart() {
        let listed = scored_members(&parsed(
            b"*6\r\n-TOOLONG 9 bytes\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n-LATER 3 bytes\r\n-LATER 1 bytes\r\n",
        ));
        let listed = listed.expect("pairs");
        let members: Vec<_> = listed.members.iter().map(|s| s.member.as_deref()).collect();
        assert_eq!((members, listed.is_cut), (vec![None, Some(&b"b"[..])], true));
        let values = parsed(b"*4\r\n$1\r\na\r\n-TOOLONG 9 bytes\r\n$-1\r\n-LATER 1 bytes\r\n");
        let found = values_of(values, 4).expect("values");
        assert_eq!(found, [Found::Value(b"a".to_vec()), Found::TooLong, Found::Nothing]);
        assert!(values_of(parsed(b"*1\r\n-WRONGTYPE no\r\n"), 1).is_err());
    }

    #[test]
    fn a_claim_of_half_a_queue_is_no_error() {
        let replies = |exec: &[u8]| vec![Value::Okay, Value::Okay, Value::Okay, parsed(exec)];
        assert_eq!(claimed_now(&replies(b"*2\r\n:1\r\n-ERR no such key\r\n")), Ok((true, false)));
        assert_eq!(claimed_now(&replies(b"*2\r\n:1\r\n:1\r\n")), Ok((true, true)));
        assert_eq!(claimed_now(&replies(b"*-1\r\n")), Err(QueueError::Touched));
        assert!(claimed_now(&replies(b"*2\r\n:1\r\n-READONLY no\r\n")).is_err());
        assert!(claimed_now(&replies(b"-EXECABORT discarded\r\n")).is_err());
        let _ = cmd("PING");
    }
}
