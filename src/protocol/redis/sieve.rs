//! Keeps what is too long out of the replies: the parser takes whatever comes, and anybody can put 64 MB under a key.
//!
//! It follows the framing of the protocol, without copying, and lets through what a request has room for. A bulk
//! string beyond that is passed over as it comes, and an error stands in its place: [`TOO_LONG`] where it is longer
//! than any that is wanted, [`LATER`] where there is no more room, so that it has to be asked for again.

use std::collections::VecDeque;

use super::CodecError;
use crate::limits::{REPLY_DEPTH_MAX, REPLY_ELEMENTS_MAX, REPLY_LINE_BYTES_MAX};

/// The code of the error in place of what is too long.
pub const TOO_LONG: &str = "TOOLONG";
/// The code of the error in place of what found no room.
pub const LATER: &str = "LATER";

/// Most bytes of the header of a bulk string or array.
const HEADER_BYTES_MAX: usize = 32;

/// How much a request wants to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Longest bulk string.
    pub bulk_bytes_max: usize,
    /// Bytes of all bulk strings of one reply; the first one is read even where it alone has more.
    pub total_bytes_max: usize,
}

/// What is left of the replies to one request.
#[derive(Debug)]
struct Expected {
    replies: usize,
    room: Room,
    taken_bytes: usize,
    is_full: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum State {
    /// At the first byte of an element.
    #[default]
    Start,
    /// Within a line that is an element by itself; so many bytes of it have come, and whether the last was `\r`.
    Line(usize, bool),
    /// Within the header of a bulk string or array.
    Header,
    /// Within a bulk string; so many bytes are left.
    Bulk(usize),
    /// Within one that is passed over.
    Skip(usize),
}

/// Follows the replies on one connection.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    expected: VecDeque<Expected>,
    state: State,
    /// Elements that open arrays still lack, outermost first.
    open: Vec<usize>,
    /// The beginning of a header whose end has not come.
    header: Vec<u8>,
}

impl Sieve {
    /// A request with so many replies, at least one, was sent.
    pub fn expect(&mut self, replies: usize, room: Room) {
        self.expected.push_back(Expected { replies, room, taken_bytes: 0, is_full: false });
    }

    /// Gives `pass` what the parser is to see of `bytes`, in order.
    pub fn sift(
        &mut self,
        bytes: &[u8],
        pass: &mut impl FnMut(&[u8]) -> Result<(), CodecError>,
    ) -> Result<(), CodecError> {
        let (mut from, mut at) = (0, 0);
        let run = |from: usize, at: usize| bytes.get(from..at).unwrap_or_default();
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match self.state {
                State::Start if matches!(rest.first(), Some(b'$' | b'*')) => self.state = State::Header,
                State::Start if matches!(rest.first(), Some(b'+' | b'-' | b':')) => {
                    self.state = State::Line(0, false)
                }
                State::Start => return Err(CodecError("a type that is none of RESP2".to_owned())),
                State::Line(seen, after_cr) => at += self.follow_line(rest, seen, after_cr)?,
                State::Bulk(left) => {
                    at += left.min(rest.len());
                    self.state = State::Bulk(left.saturating_sub(rest.len()));
                    self.end_if_whole(left, rest.len())?;
                }
                State::Skip(left) => {
                    at += left.min(rest.len());
                    from = at;
                    self.state = State::Skip(left.saturating_sub(rest.len()));
                    self.end_if_whole(left, rest.len())?;
                }
                State::Header => match line_end(rest) {
                    Some(end) if self.header.is_empty() => {
                        let instead = self.judge(rest.get(..end).unwrap_or_default())?;
                        if let Some(instead) = instead {
                            pass(run(from, at))?;
                            pass(instead.as_bytes())?;
                            from = at + end;
                        }
                        at += end;
                    }
                    end => {
                        pass(run(from, at))?;
                        at += end.unwrap_or(rest.len());
                        from = at;
                        self.go_on_with_header(
                            rest.get(..end.unwrap_or(rest.len())).unwrap_or_default(),
                            pass,
                        )?;
                    }
                },
            }
        }
        pass(run(from, at))
    }

    /// A header that comes in pieces is held back until its end has come.
    fn go_on_with_header(
        &mut self,
        piece: &[u8],
        pass: &mut impl FnMut(&[u8]) -> Result<(), CodecError>,
    ) -> Result<(), CodecError> {
        self.header.extend_from_slice(piece);
        if self.header.len() > HEADER_BYTES_MAX {
            return Err(bad_length());
        }
        if !self.header.ends_with(b"\n") {
            return Ok(());
        }
        let header = std::mem::take(&mut self.header);
        match self.judge(&header)? {
            Some(instead) => pass(instead.as_bytes()),
            None => pass(&header),
        }
    }

    fn follow_line(&mut self, rest: &[u8], seen: usize, after_cr: bool) -> Result<usize, CodecError> {
        let end = line_end(rest);
        let line = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        if seen + line.len() > REPLY_LINE_BYTES_MAX {
            return Err(CodecError("a line without end".to_owned()));
        }
        if end.is_none() {
            self.state = State::Line(seen + line.len(), line.ends_with(b"\r"));
        } else if line.ends_with(b"\r\n") || line == b"\n" && after_cr {
            self.end_element()?;
        } else {
            return Err(CodecError("a line that ends without \\r".to_owned()));
        }
        Ok(line.len())
    }

    /// Takes in a header; gives the error that stands for what follows if that is passed over.
    fn judge(&mut self, header: &[u8]) -> Result<Option<String>, CodecError> {
        if header.len() > HEADER_BYTES_MAX {
            return Err(bad_length());
        }
        let (kind, length) = header_of(header)?;
        let Ok(length) = usize::try_from(length) else {
            // There is none.
            return self.end_element().map(|()| None);
        };
        if kind == b'*' {
            if length > REPLY_ELEMENTS_MAX || self.open.len() >= REPLY_DEPTH_MAX {
                return Err(CodecError(format!(
                    "an array of {length} elements, {} deep",
                    self.open.len() + 1
                )));
            }
            self.open.push(length);
            self.state = State::Start;
            if length == 0 {
                self.open.pop();
                self.end_element()?;
            }
            return Ok(None);
        }
        let expected = self.expected.front_mut().ok_or_else(unasked)?;
        let whole = length.saturating_add(2);
        if length > expected.room.bulk_bytes_max {
            self.state = State::Skip(whole);
            return Ok(Some(format!("-{TOO_LONG} {length} bytes\r\n")));
        }
        let taken_bytes = expected.taken_bytes + length;
        expected.is_full |= expected.taken_bytes > 0 && taken_bytes > expected.room.total_bytes_max;
        if expected.is_full {
            self.state = State::Skip(whole);
            return Ok(Some(format!("-{LATER} {length} bytes\r\n")));
        }
        expected.taken_bytes = taken_bytes;
        self.state = State::Bulk(whole);
        Ok(None)
    }

    fn end_if_whole(&mut self, left: usize, came: usize) -> Result<(), CodecError> {
        if came >= left { self.end_element() } else { Ok(()) }
    }

    /// An element is complete, and with it the arrays it is the last one of.
    fn end_element(&mut self) -> Result<(), CodecError> {
        self.state = State::Start;
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return Ok(());
            }
            self.open.pop();
        }
        let expected = self.expected.front_mut().ok_or_else(unasked)?;
        expected.replies -= 1;
        (expected.taken_bytes, expected.is_full) = (0, false);
        if expected.replies == 0 {
            self.expected.pop_front();
        }
        Ok(())
    }
}

fn bad_length() -> CodecError {
    CodecError("a length that is no number".to_owned())
}

fn unasked() -> CodecError {
    CodecError("a reply nothing was sent for".to_owned())
}

/// The length of the first line, its end included.
fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1)
}

/// `$12\r\n` → `$` and 12.
fn header_of(header: &[u8]) -> Result<(u8, i64), CodecError> {
    let number = header.get(1..header.len().saturating_sub(2)).unwrap_or_default();
    let number = std::str::from_utf8(number).ok().and_then(|text| text.parse().ok());
    match (header.first(), number, header.ends_with(b"\r\n")) {
        (Some(kind), Some(number), true) => Ok((*kind, number)),
        _ => Err(bad_length()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room { bulk_bytes_max: 8, total_bytes_max: 10 };

    fn sifted(replies: usize, bytes: &[u8], step: usize) -> Result<String, CodecError> {
        let (mut sieve, mut out) = (Sieve::default(), Vec::new());
        sieve.expect(replies, ROOM);
        for piece in bytes.chunks(step) {
            sieve.sift(piece, &mut |bytes| {
                out.extend_from_slice(bytes);
                Ok(())
            })?;
        }
        assert!(sieve.expected.is_empty() && sieve.open.is_empty(), "{sieve:?}");
        Ok(String::from_utf8(out).expect("UTF-8"))
    }

    fn at_every_step(replies: usize, bytes: &[u8]) -> String {
        let whole = sifted(replies, bytes, bytes.len()).expect("replies");
        for step in 1..bytes.len() {
            assert_eq!(sifted(replies, bytes, step).expect("replies"), whole, "pieces of {step} bytes");
        }
        whole
    }

    #[test]
    fn what_has_room_passes_as_it_is() {
        let bytes = b"+OK\r\n*3\r\n$4\r\nab\r\n\r\n$-1\r\n*0\r\n:42\r\n-ERR no\r\n*-1\r\n*1\r\n*2\r\n$0\r\n\r\n:7\r\n";
        assert_eq!(at_every_step(6, bytes).as_bytes(), bytes);
    }

    #[test]
    fn what_is_too_long_is_passed_over() {
        let bytes = b"*3\r\n$9\r\n123456789\r\n$2\r\nab\r\n$-1\r\n+OK\r\n";
        assert_eq!(at_every_step(2, bytes), "*3\r\n-TOOLONG 9 bytes\r\n$2\r\nab\r\n$-1\r\n+OK\r\n");
    }

    #[test]
    fn what_finds_no_room_and_all_after_it_comes_later() {
        let bytes = b"*4\r\n$6\r\n123456\r\n$5\r\n12345\r\n$1\r\na\r\n$-1\r\n";
        let expected = "*4\r\n$6\r\n123456\r\n-LATER 5 bytes\r\n-LATER 1 bytes\r\n$-1\r\n";
        assert_eq!(at_every_step(1, bytes), expected);
    }

    #[test]
    fn what_is_no_protocol_is_refused() {
        let endless = [b"+".to_vec(), vec![b'a'; REPLY_LINE_BYTES_MAX + 1]].concat();
        let deep = b"*1\r\n".repeat(REPLY_DEPTH_MAX + 1);
        let wide = format!("*{}\r\n", REPLY_ELEMENTS_MAX + 1).into_bytes();
        let padded = [b"$".to_vec(), vec![b'0'; HEADER_BYTES_MAX], b"1\r\n".to_vec()].concat();
        for bytes in [
            &b"$abc\r\n"[..],
            b"+a\r,\n",
            &padded,
            b"$1\n",
            b"+OK\r\n+OK\r\n",
            &endless,
            &deep,
            &wide,
            &[b'$'; 99],
        ] {
            assert!(
                sifted(1, bytes, 7).is_err(),
                "{}",
                String::from_utf8_lossy(&bytes[..bytes.len().min(40)])
            );
        }
    }
}
