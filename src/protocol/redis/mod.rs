//! The Redis protocol (RESP2) over bytes: requests are packed, replies are parsed as they trickle in and
//! matched in order. The `redis` crate is the codec; sockets, time-outs and reconnecting are the caller's.
//!
//! Format: <https://redis.io/docs/latest/develop/reference/protocol-spec/>.
//!
//! The parser limits neither the size of a reply nor what it allocates for one, so a sieve before it keeps out what
//! a request has no [`Room`] for, and whatever is no RESP2. After an error the connection must be dropped: where the next reply starts is unknown.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};

pub use redis::{Cmd, ErrorKind, Value, cmd};

mod sieve;

pub use sieve::{LATER, Room, TOO_LONG};

use crate::limits::REPLY_BYTES_MAX;
use sieve::Sieve;

/// What a request has room for that asks for nothing large.
const USUAL_ROOM: Room = Room { bulk_bytes_max: REPLY_BYTES_MAX, total_bytes_max: REPLY_BYTES_MAX };

/// Commands that are written together and whose replies are handed back together.
#[derive(Default, Clone, PartialEq, Eq)]
pub struct Request {
    bytes: Vec<u8>,
    replies: usize,
    room: Option<Room>,
}

/// Without what is sent, which may be a password.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} commands, {} bytes)", self.replies, self.bytes.len())
    }
}

impl Request {
    /// A request without a command.
    pub fn new() -> Request {
        Request::default()
    }

    /// Appends a command.
    pub fn push(&mut self, command: &Cmd) -> &mut Request {
        command.write_packed_command(&mut self.bytes);
        self.replies += 1;
        self
    }

    /// Appends `MULTI`.
    pub fn begin(&mut self) -> &mut Request {
        self.push(&cmd("MULTI"))
    }

    /// Appends `EXEC`.
    pub fn commit(&mut self) -> &mut Request {
        self.push(&cmd("EXEC"))
    }

    /// Bounds the replies.
    pub fn limit(&mut self, room: Room) -> &mut Request {
        self.room = Some(room);
        self
    }

    /// How much is read of the replies.
    pub fn room(&self) -> Room {
        self.room.unwrap_or(USUAL_ROOM)
    }

    /// The packed commands.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many replies will come.
    pub fn replies(&self) -> usize {
        self.replies
    }
}

/// What came back cannot be a reply.
#[derive(Debug)]
pub struct CodecError(String);

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a reply of Redis: {}", self.0)
    }
}

impl std::error::Error for CodecError {}

/// Matches the replies of one connection to the requests sent on it.
#[derive(Default)]
pub struct Codec {
    sieve: Sieve,
    parser: redis::Parser,
    pending: VecDeque<Pending>,
}

struct Pending {
    expected: usize,
    got: Vec<Value>,
}

impl Codec {
    /// Notes that a request with so many replies was sent. At least one.
    pub fn sent(&mut self, replies: usize) {
        self.sent_with(replies, USUAL_ROOM);
    }

    /// The same with bounds of its own.
    pub fn sent_with(&mut self, replies: usize, room: Room) {
        self.sieve.expect(replies.max(1), room);
        self.pending.push_back(Pending { expected: replies.max(1), got: Vec::with_capacity(replies) });
    }

    /// Requests whose replies are not complete.
    pub fn in_flight(&self) -> usize {
        self.pending.len()
    }

    /// Takes bytes as they came and appends the replies of each request that is complete now.
    ///
    /// # Errors
    /// The bytes are no reply, or one that nothing was sent for.
    pub fn receive(&mut self, bytes: &[u8], complete: &mut Vec<Vec<Value>>) -> Result<(), CodecError> {
        let Codec { sieve, parser, pending } = self;
        sieve.sift(bytes, &mut |bytes| parse(parser, pending, bytes, complete))
    }
}

fn parse(
    parser: &mut redis::Parser,
    pending: &mut VecDeque<Pending>,
    bytes: &[u8],
    complete: &mut Vec<Vec<Value>>,
) -> Result<(), CodecError> {
    let mut feed = Feed(bytes);
    loop {
        match parser.parse_value(&mut feed) {
            Ok(value) => {
                let Some(first) = pending.front_mut() else {
                    return Err(CodecError("a reply nothing was sent for".to_owned()));
                };
                first.got.push(value);
                if first.got.len() == first.expected {
                    complete.extend(pending.pop_front().map(|p| p.got));
                }
            }
            // `is_timeout` is how the crate calls `WouldBlock`: the feed has run dry.
            Err(error) if error.is_timeout() => return Ok(()),
            Err(error) => return Err(CodecError(error.to_string())),
        }
    }
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

    const REPLIES: &[u8] = b"+OK\r\n*2\r\n$3\r\nfoo\r\n*-1\r\n:42\r\n-OOM command not allowed\r\n$-1\r\n*1\r\n*2\r\n$0\r\n\r\n+1.5\r\n";

    fn all_at(step: usize) -> Vec<Vec<Value>> {
        let mut codec = Codec::default();
        codec.sent(2);
        codec.sent(3);
        codec.sent(1);
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
        assert_eq!(whole.iter().map(Vec::len).collect::<Vec<_>>(), [2, 3, 1]);
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
        codec.sent(1);
        let mut complete = Vec::new();
        for piece in bytes.chunks(7) {
            codec.receive(piece, &mut complete).expect("well-formed reply");
        }
        let Some(Value::Array(values)) = complete.pop().and_then(|mut r| r.pop()) else { panic!("no array") };
        assert_eq!(values.len(), 1000);
        assert_eq!(values[999], Value::BulkString("value-999".repeat(20).into_bytes()));
    }

    #[test]
    fn what_nobody_asked_to_be_large_is_not_read() {
        let long = format!("${}\r\n{}\r\n", REPLY_BYTES_MAX + 1, "a".repeat(REPLY_BYTES_MAX + 1));
        let mut codec = Codec::default();
        codec.sent(1);
        let mut complete = Vec::new();
        codec.receive(long.as_bytes(), &mut complete).expect("a reply");
        assert!(matches!(&complete[0][0], Value::ServerError(error) if error.code() == TOO_LONG));
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        for bytes in [&b"HTTP/1.1 200 OK\r\n\r\n"[..], b"$abc\r\n", b"+OK\r\n+OK\r\n"] {
            let mut codec = Codec::default();
            codec.sent(1);
            assert!(codec.receive(bytes, &mut Vec::new()).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn commands_are_packed_as_they_are_pushed() {
        let mut request = Request::new();
        request.begin().push(cmd("ZREM").arg("k").arg(&b"\xff\n"[..])).commit();
        assert_eq!(
            request.bytes(),
            b"*1\r\n$5\r\nMULTI\r\n*3\r\n$4\r\nZREM\r\n$1\r\nk\r\n$2\r\n\xff\n\r\n*1\r\n$4\r\nEXEC\r\n"
        );
        assert_eq!(request.replies(), 3);
    }
}
