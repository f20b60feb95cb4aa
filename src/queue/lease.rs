//! The lease: of several agents on one Redis, one works and the others stand by.
//!
//! It is a key with the holder's name that expires unless it is renewed. A transaction that would count something
//! twice watches it: where it has changed hands meanwhile, as after a suspend, Redis does not carry that
//! transaction out. Pattern: <https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/>; what is
//! protected lives in the same Redis, so a single instance is enough.

use std::time::Duration;

use super::reply::{first_score, ok};
use super::{DELIVERED_METRICS, QueueError, WRAPPED_METRICS};
use crate::protocol::redis::{Cmd, Request, Value, cmd};

/// The holder's name.
pub const LEASE: &str = "chouette:lease";

/// What Redis says about the lease, and what a new holder has to know.
#[derive(Debug, Clone, PartialEq)]
pub struct LeaseReply {
    /// Who holds it.
    pub holder: Option<String>,
    /// How long it still lasts; none where nobody has it, or where it does not end.
    pub lasts: Option<Duration>,
    /// Redis has no memory for it.
    pub no_memory: bool,
    /// Packed points that were delivered, batch by batch.
    pub delivered: Vec<Vec<u8>>,
    /// The latest score in the wrapped queue, Unix seconds.
    pub newest_s: Option<f64>,
}

/// Takes the lease if it is free, and asks whose it is, for how long, and for what a new holder has to know.
pub fn take_lease(name: &str, lasts: Duration) -> Request {
    let mut set = cmd("SET");
    asked_with(set.arg(LEASE).arg(name).arg("NX").arg("PX").arg(millis(lasts)))
}

/// Asks the same and takes nothing.
pub fn look_at_lease() -> Request {
    asked_with(cmd("GET").arg(LEASE))
}

fn asked_with(first: &Cmd) -> Request {
    let mut request = Request::new();
    request
        .push(first)
        .push(cmd("LRANGE").arg(DELIVERED_METRICS).arg(0).arg(-1))
        .push(cmd("ZRANGE").arg(WRAPPED_METRICS.keys).arg(-1).arg(-1).arg("WITHSCORES"))
        .push(cmd("GET").arg(LEASE))
        .push(cmd("PTTL").arg(LEASE));
    request
}

/// Prolongs the lease and asks whose it is. Where it is somebody else's by now, theirs is prolonged, which delays
/// others and harms nobody.
pub fn renew_lease(lasts: Duration) -> Request {
    let mut request = Request::new();
    prolong(&mut request, lasts);
    request.push(cmd("GET").arg(LEASE));
    request
}

/// Gives the lease back.
pub fn give_back_lease() -> Request {
    let mut request = Request::new();
    request.push(cmd("DEL").arg(LEASE));
    request
}

/// Begins a transaction that only the holder may carry out: watches the lease and asks whose it is. `MULTI` or
/// `UNWATCH` must follow.
pub fn guard(lasts: Duration) -> Request {
    let mut request = Request::new();
    watch_lease(&mut request, lasts, &[]);
    request
}

/// The same as a part of a request; other keys are watched too.
pub(super) fn watch_lease(request: &mut Request, lasts: Duration, others: &[&str]) {
    prolong(request, lasts);
    request.push(cmd("WATCH").arg(LEASE).arg(others)).push(cmd("GET").arg(LEASE));
}

/// How many replies come before those to what follows [`watch_lease`] in a request.
pub(super) const WATCH_REPLIES: usize = 3;

/// Checks the reply to [`guard`]. `or_free` lets it pass where nobody has the lease, too.
///
/// # Errors
/// Somebody else has it.
pub fn guarded(replies: &[Value], name: &str, or_free: bool) -> Result<(), QueueError> {
    let Some([prolonged, watched, holder]) = replies.get(..WATCH_REPLIES) else {
        return Err(QueueError::Unexpected("the lease"));
    };
    ok(watched)?;
    if or_free && *holder == Value::Nil {
        return Ok(());
    }
    is_held(prolonged, holder, name)
}

/// Checks the reply to [`renew_lease`].
///
/// # Errors
/// Somebody else has the lease, or nobody.
pub fn renewed(replies: &[Value], name: &str) -> Result<(), QueueError> {
    let [prolonged, holder] = replies else {
        return Err(QueueError::Unexpected("the lease"));
    };
    is_held(prolonged, holder, name)
}

fn is_held(prolonged: &Value, holder: &Value, name: &str) -> Result<(), QueueError> {
    ok(prolonged)?;
    match ok(holder)? {
        Value::BulkString(holder) if holder == name.as_bytes() => Ok(()),
        _ => Err(QueueError::LeaseLost),
    }
}

/// Reads the reply to [`take_lease`] or [`look_at_lease`].
///
/// # Errors
/// See [`QueueError`].
pub fn lease_of(replies: &[Value]) -> Result<LeaseReply, QueueError> {
    let [set, delivered, newest, holder, lasts_ms] = replies else {
        return Err(QueueError::Unexpected("the lease"));
    };
    let holder = match ok(holder)? {
        Value::BulkString(holder) => Some(String::from_utf8_lossy(holder).into_owned()),
        _ => None,
    };
    // A lease that is there needs no memory.
    let no_memory = holder.is_none() && matches!(ok(set), Err(error) if error.is_out_of_memory());
    if holder.is_none() && !no_memory {
        ok(set)?;
    }
    let lasts = match ok(lasts_ms)? {
        Value::Int(ms) => u64::try_from(*ms).ok().map(Duration::from_millis),
        _ => return Err(QueueError::Unexpected("the lease")),
    };
    // What a new holder should know is of no use where it cannot be read.
    let newest_s = first_score(newest).unwrap_or_default();
    Ok(LeaseReply { holder, lasts, no_memory, delivered: batches(delivered), newest_s })
}

fn batches(reply: &Value) -> Vec<Vec<u8>> {
    let Value::Array(items) = reply else {
        return Vec::new();
    };
    let bytes = |item: &Value| match item {
        Value::BulkString(bytes) => Some(bytes.clone()),
        _ => None,
    };
    items.iter().filter_map(bytes).collect()
}

pub(super) fn prolong(request: &mut Request, lasts: Duration) {
    request.push(cmd("PEXPIRE").arg(LEASE).arg(millis(lasts)));
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::redis::{Codec, Replies};

    fn replies(bytes: &[u8], count: usize) -> Replies {
        let (mut codec, mut complete) = (Codec::default(), Vec::new());
        let mut request = Request::new();
        for _ in 0..count {
            request.push(&cmd("PING"));
        }
        codec.sent(&request);
        codec.receive(bytes, &mut complete).expect("replies");
        complete.remove(0)
    }

    #[test]
    fn the_holder_is_who_the_key_names() {
        let taken =
            replies(b"+OK\r\n*1\r\n$2\r\nab\r\n*2\r\n$1\r\nk\r\n$2\r\n17\r\n$2\r\nme\r\n:3000\r\n", 5);
        let reply = lease_of(&taken).expect("a lease");
        assert_eq!(reply.holder.as_deref(), Some("me"));
        assert_eq!((reply.delivered, reply.newest_s), (vec![b"ab".to_vec()], Some(17.0)));
        let other = replies(b"$-1\r\n*0\r\n*0\r\n$3\r\nyou\r\n:250\r\n", 5);
        let reply = lease_of(&other).expect("a lease");
        assert_eq!((reply.holder.as_deref(), reply.lasts), (Some("you"), Some(Duration::from_millis(250))));
    }

    #[test]
    fn redis_may_have_no_room_for_a_lease() {
        let full = lease_of(&replies(b"-OOM command not allowed\r\n*0\r\n*0\r\n$-1\r\n:-2\r\n", 5))
            .expect("a reply");
        assert!(full.no_memory && full.holder.is_none() && full.lasts.is_none());
        let held = lease_of(&replies(b"-OOM command not allowed\r\n*0\r\n*0\r\n$2\r\nme\r\n:9\r\n", 5))
            .expect("a reply");
        assert!(!held.no_memory);
        assert!(lease_of(&replies(b"-READONLY replica\r\n*0\r\n*0\r\n$-1\r\n:-2\r\n", 5)).is_err());
        assert!(lease_of(&replies(b"$-1\r\n*0\r\n*0\r\n-WRONGTYPE a list\r\n:-1\r\n", 5)).is_err());
    }

    #[test]
    fn only_the_holder_passes_the_guard() {
        assert_eq!(guarded(&replies(b":1\r\n+OK\r\n$2\r\nme\r\n", 3), "me", false), Ok(()));
        assert_eq!(
            guarded(&replies(b":1\r\n+OK\r\n$3\r\nyou\r\n", 3), "me", false),
            Err(QueueError::LeaseLost)
        );
        assert_eq!(guarded(&replies(b":0\r\n+OK\r\n$-1\r\n", 3), "me", false), Err(QueueError::LeaseLost));
        assert_eq!(guarded(&replies(b":0\r\n+OK\r\n$-1\r\n", 3), "me", true), Ok(()));
        assert_eq!(
            guarded(&replies(b":1\r\n+OK\r\n$3\r\nyou\r\n", 3), "me", true),
            Err(QueueError::LeaseLost)
        );
        assert!(guarded(&replies(b":0\r\n+OK\r\n", 2), "me", false).is_err());
        assert_eq!(renewed(&replies(b":1\r\n$2\r\nme\r\n", 2), "me"), Ok(()));
        assert_eq!(renewed(&replies(b":0\r\n$-1\r\n", 2), "me"), Err(QueueError::LeaseLost));
    }
}
