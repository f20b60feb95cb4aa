//! Replies of Redis, read strictly: an unexpected one is an error, never a default.

use std::fmt;

use super::claim::Survey;
use super::lease::{WATCH_REPLIES, guarded};
use super::{CLAIMED_METRICS, RAW_METRICS, WRAPPED_METRICS};
use crate::metric::Number;
use crate::protocol::redis::{Found, Replies, Strings, Value};

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

/// Record keys and their scores, in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listed {
    keys: Strings,
    scores_s: Vec<f64>,
    /// Whether more were asked for than there was room to read.
    pub is_cut: bool,
}

impl Listed {
    /// Room for so many.
    pub fn with_capacity(keys: usize) -> Listed {
        Listed { keys: Strings::with_capacity(keys), scores_s: Vec::with_capacity(keys), is_cut: false }
    }

    /// Appends a key, `None` for one that is longer than any that is read, and its score in Unix seconds.
    pub fn push(&mut self, key: Option<&[u8]>, score_s: f64) {
        self.keys.push_missing(key.map_or(Found::TooLong, Found::Value));
        self.scores_s.push(score_s);
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.scores_s.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.scores_s.is_empty()
    }

    /// The key at a position; `None` for one that is longer than any that is read, too.
    #[inline(always)]
    pub fn key(&self, at: usize) -> Option<&[u8]> {
        match self.keys.get(at) {
            Some(Found::Value(key)) => Some(key),
            _ => None,
        }
    }

    /// The score at a position, Unix seconds.
    #[inline(always)]
    pub fn score_s(&self, at: usize) -> Option<f64> {
        self.scores_s.get(at).copied()
    }

    /// The keys that are short enough to be named.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|at| self.key(at))
    }
}

/// A score as Redis reads it back to the same double.
pub(super) fn write_score(score_s: f64, out: &mut Vec<u8>) {
    if score_s == f64::INFINITY {
        out.extend_from_slice(b"+inf");
    } else if score_s == f64::NEG_INFINITY {
        out.extend_from_slice(b"-inf");
    } else {
        Number::Float(score_s).write_json(out);
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
    let oldest_raw_s = first_score(oldest).map_err(|error| error.about(RAW_METRICS.keys))?;
    Ok(Survey {
        claimed: (size(claimed_keys, CLAIMED_METRICS.keys)?, size(claimed_values, CLAIMED_METRICS.values)?),
        raw: size(raw_values, RAW_METRICS.values)?,
        oldest_raw_s,
    })
}

/// The score of the only member, from `ZRANGE … 0 0 WITHSCORES`.
pub(super) fn first_score(reply: &Value) -> Result<Option<f64>, QueueError> {
    const WHAT: QueueError = QueueError::Unexpected("ZRANGE WITHSCORES");
    match ok(reply)? {
        Value::Array(items) => match &items[..] {
            [] => Ok(None),
            [_, Value::BulkString(score)] => score_of(score).map(Some).ok_or(WHAT),
            _ => Err(WHAT),
        },
        _ => Err(WHAT),
    }
}

/// A score as Redis writes it: `1600000000.5`, `inf`, `-inf`.
#[inline(always)]
pub(super) fn score_of(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let finite = || Number::from_json(text).map(Number::as_f64);
    match text.as_bytes().last() {
        Some(b'0'..=b'9') => finite(),
        _ => text.parse().ok(),
    }
}

/// The next packed list among the replies to [`super::key_chunk`], [`super::expired_keys`] or [`super::value_chunk`].
fn next_list(replies: &mut Replies, what: &'static str) -> Result<Strings, QueueError> {
    queued(replies)?;
    replies.lists.pop_front().ok_or(QueueError::Unexpected(what))
}

/// The keys with their scores that [`super::key_chunk`] or [`super::expired_keys`] asked for: the next list among the
/// replies.
///
/// # Errors
/// See [`QueueError`]. An error among the replies is one, whichever command it is about.
pub fn listed(replies: &mut Replies) -> Result<Listed, QueueError> {
    const WHAT: &str = "ZRANGE WITHSCORES";
    let strings = next_list(replies, WHAT)?;
    let mut listed = Listed::with_capacity(strings.len() / 2);
    if !strings.len().is_multiple_of(2) {
        return Err(QueueError::Unexpected(WHAT));
    }
    for at in (0..strings.len()).step_by(2) {
        let key = match (strings.get(at), strings.get(at + 1)) {
            (Some(Found::Later), _) | (_, Some(Found::Later)) => {
                listed.is_cut = true;
                break;
            }
            (Some(Found::Value(key)), _) => Some(key),
            (Some(Found::TooLong), _) => None,
            _ => return Err(QueueError::Unexpected(WHAT)),
        };
        let score_s = match strings.get(at + 1) {
            Some(Found::Value(score)) => score_of(score),
            _ => None,
        };
        listed.push(key, score_s.ok_or(QueueError::Unexpected(WHAT))?);
    }
    Ok(listed)
}

/// The values that [`super::value_chunk`] asked for, in the order of the keys: the next list among the replies. Those
/// from the first [`Found::Later`] on have to be asked for again: `(values, how many came)`.
///
/// # Errors
/// See [`QueueError`].
pub fn values_of(replies: &mut Replies, keys: usize) -> Result<(Strings, usize), QueueError> {
    const WHAT: &str = "HMGET";
    let values = next_list(replies, WHAT)?;
    if values.len() != keys {
        return Err(QueueError::Unexpected(WHAT));
    }
    let came = values.iter().position(|found| found == Found::Later).unwrap_or(keys);
    Ok((values, came))
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
    use crate::protocol::redis::{Codec, Request, Room, cmd};

    fn replies(request: &Request, bytes: &[u8]) -> Replies {
        let (mut codec, mut complete) = (Codec::default(), Vec::new());
        codec.sent(request);
        codec.receive(bytes, &mut complete).expect("a reply");
        complete.remove(0)
    }

    fn parsed(bytes: &[u8]) -> Value {
        replies(Request::new().push(&cmd("PING")), bytes).into_values().remove(0)
    }

    fn packed(bytes: &[u8]) -> Replies {
        let mut request = Request::new();
        request.push(&cmd("ZRANGE")).pack().limit(Room { bulk_bytes_max: 30, total_bytes_max: 40 });
        replies(&request, bytes)
    }

    #[test]
    fn refusals_are_told_as_redis_words_them() {
        let oom = parsed(b"-OOM command not allowed when used memory > 'maxmemory'.\r\n");
        let error = queued(&[Value::Okay, oom]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "redis refused: OOM command not allowed when used memory > 'maxmemory'."
        );
        let touched = transaction(&[Value::Okay, parsed(b"*-1\r\n")]).unwrap_err();
        assert_eq!(touched.to_string(), "another program touched the claimed queue");
        let other = transaction(&[Value::Okay, parsed(b"+QUEUED\r\n")]).unwrap_err();
        assert_eq!(other.to_string(), "unexpected reply of redis to EXEC");
        let failed = parsed(b"*2\r\n:1\r\n-WRONGTYPE Operation against a key\r\n");
        assert!(transaction(&[Value::Okay, failed]).is_err());
    }

    #[test]
    fn scores_keep_their_value() {
        let bytes = b"*4\r\n$1\r\na\r\n$18\r\n1600000000.0156250\r\n$1\r\nb\r\n$3\r\ninf\r\n";
        let listed = listed(&mut packed(bytes)).expect("pairs");
        let text = |at| {
            let mut text = Vec::new();
            write_score(listed.score_s(at).unwrap(), &mut text);
            String::from_utf8(text).unwrap()
        };
        assert_eq!((text(0).as_str(), text(1).as_str()), ("1600000000.015625", "+inf"));
        assert_eq!(listed.keys().collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!((listed.len(), listed.score_s(2)), (2, None));
        assert_eq!(first_score(&parsed(b"*2\r\n$1\r\na\r\n$3\r\n1.5\r\n")), Ok(Some(1.5)));
        assert_eq!(first_score(&parsed(b"*0\r\n")), Ok(None));
    }

    #[test]
    fn a_list_of_another_shape_is_an_error() {
        for bytes in
            [&b"*1\r\n$1\r\na\r\n"[..], b"*2\r\n$1\r\na\r\n$1\r\nx\r\n", b"*-1\r\n", b"-WRONGTYPE no\r\n"]
        {
            assert!(listed(&mut packed(bytes)).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
        assert!(values_of(&mut packed(b"-WRONGTYPE no\r\n"), 1).is_err());
        assert!(values_of(&mut packed(b"*1\r\n$1\r\na\r\n"), 2).is_err());
    }

    #[test]
    fn what_the_sieve_left_out_is_told_apart() {
        let long = "a".repeat(31);
        let text = format!(
            "*6\r\n$31\r\n{long}\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n$30\r\n{}\r\n$30\r\n{0}\r\n",
            "c".repeat(30)
        );
        let listed = listed(&mut packed(text.as_bytes())).expect("pairs");
        assert_eq!((listed.key(0), listed.key(1), listed.len()), (None, Some(&b"b"[..]), 2));
        assert!(listed.is_cut);
        let text =
            format!("*4\r\n$30\r\n{}\r\n$31\r\n{long}\r\n$-1\r\n$11\r\n12345678901\r\n", "c".repeat(30));
        let (values, came) = values_of(&mut packed(text.as_bytes()), 4).expect("values");
        assert_eq!((values.get(1), values.get(2), came), (Some(Found::TooLong), Some(Found::Nothing), 3));
    }

    #[test]
    fn a_claim_of_half_a_queue_is_no_error() {
        let replies = |exec: &[u8]| vec![Value::Okay, Value::Okay, Value::Okay, parsed(exec)];
        assert_eq!(claimed_now(&replies(b"*2\r\n:1\r\n-ERR no such key\r\n")), Ok((true, false)));
        assert_eq!(claimed_now(&replies(b"*2\r\n:1\r\n:1\r\n")), Ok((true, true)));
        assert_eq!(claimed_now(&replies(b"*-1\r\n")), Err(QueueError::Touched));
        assert!(claimed_now(&replies(b"*2\r\n:1\r\n-READONLY no\r\n")).is_err());
        assert!(claimed_now(&replies(b"-EXECABORT discarded\r\n")).is_err());
    }
}
