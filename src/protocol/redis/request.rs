//! Commands on their way to Redis, and how much is read of what they are answered.

use std::fmt;

use super::{Cmd, framing, spare};
use crate::limits::REPLY_BYTES_MAX;

/// How much a request wants to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Longest bulk string.
    pub bulk_bytes_max: usize,
    /// Bytes of all bulk strings of one reply; the first one is read even where it alone has more.
    pub total_bytes_max: usize,
}

/// What a request has room for that asks for nothing large.
const USUAL_ROOM: Room = Room { bulk_bytes_max: REPLY_BYTES_MAX, total_bytes_max: REPLY_BYTES_MAX };

/// Commands that are written together and whose replies are handed back together.
#[derive(Default, Clone, PartialEq, Eq)]
pub struct Request {
    bytes: Vec<u8>,
    replies: usize,
    room: Option<Room>,
    packs: bool,
}

/// Without what is sent, which may be a password.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} commands, {} bytes)", self.replies, self.bytes.len())
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        spare::give(std::mem::take(&mut self.bytes));
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

    /// Appends a command of so many words.
    pub fn push_words(&mut self, words: &[&str]) -> &mut Request {
        framing::write_header(b'*', words.len(), &mut self.bytes);
        words.iter().for_each(|word| framing::write_string(word.as_bytes(), &mut self.bytes));
        self.replies += 1;
        self
    }

    /// Appends a command with many arguments.
    ///
    /// ```
    /// use chouette_iot::protocol::redis::{Arguments, Request};
    ///
    /// let mut request = Request::new();
    /// request.push_many(&["DEL"], &Arguments::from_iter([&b"a"[..], b"bc"]));
    /// assert_eq!(request.bytes(), b"*3\r\n$3\r\nDEL\r\n$1\r\na\r\n$2\r\nbc\r\n");
    /// ```
    pub fn push_many(&mut self, command: &[&str], arguments: &Arguments) -> &mut Request {
        if self.bytes.capacity() < arguments.bytes.len() {
            let small = std::mem::replace(&mut self.bytes, spare::take());
            self.bytes.extend_from_slice(&small);
        }
        framing::write_header(b'*', command.len() + arguments.count, &mut self.bytes);
        command.iter().for_each(|word| framing::write_string(word.as_bytes(), &mut self.bytes));
        self.bytes.extend_from_slice(&arguments.bytes);
        self.replies += 1;
        self
    }

    /// Appends `MULTI`.
    pub fn begin(&mut self) -> &mut Request {
        self.push_words(&["MULTI"])
    }

    /// Appends `EXEC`.
    pub fn commit(&mut self) -> &mut Request {
        self.push_words(&["EXEC"])
    }

    /// Bounds the replies.
    pub fn limit(&mut self, room: Room) -> &mut Request {
        self.room = Some(room);
        self
    }

    /// Has lists of strings among the replies handed over packed.
    pub fn pack(&mut self) -> &mut Request {
        self.packs = true;
        self
    }

    /// Whether lists of strings are handed over packed.
    pub fn packs(&self) -> bool {
        self.packs
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

/// Many arguments of a command, packed as they came. `Cmd` keeps a copy and a place of each before it packs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    bytes: Vec<u8>,
    count: usize,
}

impl Default for Arguments {
    fn default() -> Arguments {
        Arguments { bytes: spare::take(), count: 0 }
    }
}

impl Drop for Arguments {
    fn drop(&mut self) {
        spare::give(std::mem::take(&mut self.bytes));
    }
}

impl Arguments {
    /// Appends one.
    pub fn push(&mut self, argument: &[u8]) {
        framing::write_string(argument, &mut self.bytes);
        self.count += 1;
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of all, their framing included.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

impl<'a> FromIterator<&'a [u8]> for Arguments {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(all: I) -> Arguments {
        let mut arguments = Arguments::default();
        all.into_iter().for_each(|argument| arguments.push(argument));
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::redis::cmd;

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
