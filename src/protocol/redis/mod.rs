//! The Redis protocol (RESP2) over bytes: requests are packed, replies are parsed as they trickle in and
//! matched in order. The `redis` crate is the codec; sockets, time-outs and reconnecting are the caller's.
//!
//! Format: <https://redis.io/docs/latest/develop/reference/protocol-spec/>.
//!
//! The parser limits neither the size of a reply nor what it allocates for one, so a sieve before it keeps out what
//! a request has no [`Room`] for, and whatever is no RESP2. Lists of strings, which are nearly all of what comes, go by
//! the parser and are handed over packed ([`Strings`]) where the request says so. After an error the connection must be
//! dropped: where the next reply starts is unknown.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};
use std::ops::Deref;

pub use redis::{Cmd, ErrorKind, Value, cmd};

mod commands;
mod framing;
mod request;
mod sieve;
mod spare;
mod strings;

pub use request::{Arguments, Request, Room};
pub use sieve::TOO_LONG;
pub use strings::{Found, Strings};

use sieve::{Passed, Sieve};

/// What came back cannot be a reply.
#[derive(Debug)]
pub struct CodecError(String);

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a reply of Redis (does something else listen there?): {}", self.0)
    }
}

impl std::error::Error for CodecError {}

/// The replies to one request.
///
/// As a slice it is the replies that are not packed, all of them where the request does not [`Request::pack`].
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Replies {
    values: Vec<Value>,
    /// Packed lists, in their order.
    pub lists: VecDeque<Strings>,
}

impl Deref for Replies {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.values
    }
}

impl From<Vec<Value>> for Replies {
    fn from(values: Vec<Value>) -> Replies {
        Replies { values, lists: VecDeque::new() }
    }
}

impl Replies {
    /// The replies, none of which may be packed.
    pub fn into_values(self) -> Vec<Value> {
        self.values
    }

    fn count(&self) -> usize {
        self.values.len() + self.lists.len()
    }
}

/// Matches the replies of one connection to the requests sent on it.
#[derive(Default)]
pub struct Codec {
    sieve: Sieve,
    parser: redis::Parser,
    pending: Pending,
}

/// Requests whose replies are due, oldest first: how many replies, and those that came.
type Pending = VecDeque<(usize, Replies)>;

impl Codec {
    /// Notes that a request was sent. One without a command has no reply.
    pub fn sent(&mut self, request: &Request) {
        if request.replies() > 0 {
            self.sieve.expect(request.replies(), request.room(), request.packs());
            self.pending.push_back((request.replies(), Replies::default()));
        }
    }

    /// Requests whose replies are not complete.
    pub fn in_flight(&self) -> usize {
        self.pending.len()
    }

    /// Takes bytes as they came and appends the replies of each request that is complete now.
    ///
    /// # Errors
    /// The bytes are no reply, or one that nothing was sent for.
    pub fn receive(&mut self, bytes: &[u8], complete: &mut Vec<Replies>) -> Result<(), CodecError> {
        let Codec { sieve, parser, pending } = self;
        sieve.sift(bytes, &mut |passed| match passed {
            Passed::Bytes(bytes) => parse(parser, pending, bytes, complete),
            Passed::List(strings) => came(pending, complete, |replies| replies.lists.push_back(strings)),
        })
    }
}

fn parse(
    parser: &mut redis::Parser,
    pending: &mut Pending,
    bytes: &[u8],
    complete: &mut Vec<Replies>,
) -> Result<(), CodecError> {
    if bytes.is_empty() {
        return Ok(());
    }
    let mut feed = Feed(bytes);
    loop {
        match parser.parse_value(&mut feed) {
            Ok(value) => came(pending, complete, |replies| replies.values.push(value))?,
            // `is_timeout` is how the crate calls `WouldBlock`: the feed has run dry.
            Err(error) if error.is_timeout() => return Ok(()),
            Err(error) => return Err(CodecError(error.to_string())),
        }
    }
}

/// A reply has come, and perhaps it is a request's last.
fn came(
    pending: &mut Pending,
    complete: &mut Vec<Replies>,
    add: impl FnOnce(&mut Replies),
) -> Result<(), CodecError> {
    let Some((expected, replies)) = pending.front_mut() else {
        return Err(CodecError("a reply nothing was sent for".to_owned()));
    };
    add(replies);
    if replies.count() == *expected {
        complete.extend(pending.pop_front().map(|(_, replies)| replies));
    }
    Ok(())
}

/// A reader that says `WouldBlock` when it has run dry: `Ok(0)` would mean the end of the stream.
struct Feed<'a>(&'a [u8]);

impl Read for Feed<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.0.read(into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::REPLY_BYTES_MAX;

    const REPLIES: &[u8] = b"+OK\r\n*2\r\n$3\r\nfoo\r\n*-1\r\n:42\r\n-OOM command not allowed\r\n$-1\r\n*1\r\n*2\r\n$0\r\n\r\n+1.5\r\n";

    fn pings(count: usize) -> Request {
        let mut request = Request::new();
        for _ in 0..count {
            request.push(&cmd("PING"));
        }
        request
    }

    /// Why the bytes are not a reply to the request.
    fn refused(request: &Request, bytes: &[u8]) -> String {
        let mut codec = Codec::default();
        codec.sent(request);
        let error = codec.receive(bytes, &mut Vec::new()).unwrap_err().to_string();
        error.strip_prefix("not a reply of Redis (does something else listen there?): ").unwrap().to_owned()
    }

    fn all_at(step: usize) -> Vec<Replies> {
        let mut codec = Codec::default();
        codec.sent(&pings(2));
        codec.sent(&pings(3));
        codec.sent(&pings(1));
        let mut complete = Vec::new();
        for piece in REPLIES.chunks(step) {
            codec.receive(piece, &mut complete).expect("well-formed replies");
        }
        assert_eq!(codec.in_flight(), 0);
        complete
    }

    #[test]
    fn replies_are_the_same_however_they_are_cut() {
        let whole = all_at(REPLIES.len());
        assert_eq!(whole.iter().map(|replies| replies.len()).collect::<Vec<_>>(), [2, 3, 1]);
        assert_eq!(whole[0][0], Value::Okay);
        assert_eq!(whole[0][1], Value::Array(vec![Value::BulkString(b"foo".to_vec()), Value::Nil]));
        assert!(matches!(&whole[1][1], Value::ServerError(e) if e.code() == "OOM"), "{:?}", whole[1][1]);
        for step in 1..20 {
            assert_eq!(all_at(step), whole, "pieces of {step} bytes");
        }
    }

    #[test]
    fn a_large_reply_may_come_in_small_pieces() {
        let mut bytes = b"*1000\r\n".to_vec();
        for i in 0..1000 {
            let text = format!("value-{i}").repeat(20);
            bytes.extend_from_slice(format!("${}\r\n{text}\r\n", text.len()).as_bytes());
        }
        let mut codec = Codec::default();
        codec.sent(&pings(1));
        let mut complete = Vec::new();
        for piece in bytes.chunks(7) {
            codec.receive(piece, &mut complete).expect("well-formed reply");
        }
        let Some(Value::Array(values)) = complete.pop().and_then(|r| r.into_values().pop()) else {
            panic!("no array")
        };
        assert_eq!(values.len(), 1000);
        assert_eq!(values[999], Value::BulkString("value-999".repeat(20).into_bytes()));
    }

    #[test]
    fn what_nobody_asked_to_be_large_is_not_read() {
        let long = format!("${}\r\n{}\r\n", REPLY_BYTES_MAX + 1, "a".repeat(REPLY_BYTES_MAX + 1));
        let mut codec = Codec::default();
        codec.sent(&pings(1));
        let mut complete = Vec::new();
        codec.receive(long.as_bytes(), &mut complete).expect("a reply");
        assert!(matches!(&complete[0][0], Value::ServerError(error) if error.code() == TOO_LONG));
    }

    #[test]
    fn lists_are_packed_where_the_request_says_so() {
        let mut request = pings(4);
        request.pack().limit(Room { bulk_bytes_max: 5, total_bytes_max: 8 });
        let bytes = b":7\r\n*6\r\n$2\r\n\r\n\r\n$-1\r\n$9\r\n123456789\r\n$0\r\n\r\n$5\r\n12345\r\n$4\r\n1234\r\n*0\r\n-ERR no\r\n";
        for step in 1..=bytes.len() {
            let (mut codec, mut complete) = (Codec::default(), Vec::new());
            codec.sent(&request);
            for piece in bytes.chunks(step) {
                codec.receive(piece, &mut complete).expect("well-formed replies");
            }
            assert_eq!(codec.in_flight(), 0);
            let replies = complete.pop().expect("replies");
            assert!(matches!(&replies[..], [Value::Int(7), Value::ServerError(_)]), "{replies:?}");
            let list: Vec<_> = replies.lists[0].iter().collect();
            let value = |text: &'static str| Found::Value(text.as_bytes());
            let expected =
                [value("\r\n"), Found::Nothing, Found::TooLong, value(""), value("12345"), Found::Later];
            assert_eq!(list, expected, "pieces of {step} bytes");
            assert!(replies.lists[1].is_empty() && replies.lists.len() == 2);
        }
        const NO_STRING: &str = "a list with what is no string";
        const TOO_LONG: &str = "a string longer than its length";
        for (bytes, why) in [
            (&b"*1\r\n:1\r\n"[..], NO_STRING),
            (b"*1\r\n*0\r\n", NO_STRING),
            (b"*1\r\n$1\r\nabc", TOO_LONG),
            (b"*1\r\n$1\r\na\rb", TOO_LONG),
        ] {
            assert_eq!(refused(&request, bytes), why, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        for (bytes, why) in [
            (&b"HTTP/1.1 200 OK\r\n\r\n"[..], "a type that is none of RESP2"),
            (b"$abc\r\n", "a length that is no number"),
            (b"+OK\r\n+OK\r\n", "a reply nothing was sent for"),
        ] {
            assert_eq!(refused(&pings(1), bytes), why, "{}", String::from_utf8_lossy(bytes));
        }
    }
}
