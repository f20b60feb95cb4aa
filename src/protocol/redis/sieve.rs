//! Keeps what is too long out of the replies: the parser takes whatever comes, and anybody can put 64 MB under a key.
//!
//! It follows the framing of the protocol, without copying, and lets through what a request has room for. A bulk
//! string beyond that is passed over as it comes, and an error stands in its place: [`TOO_LONG`] where it is longer
//! than any that is wanted, [`LATER`] where there is no more room, so that it has to be asked for again.
//!
//! A list of strings that is to be packed does not go to the parser: following the framing is all there is to it.

use std::collections::VecDeque;

use super::framing::{HEADER_BYTES_MAX, bad_length, header_of, line_end, pack, whole_string};
use super::{CodecError, Found, Room, Strings};
use crate::limits::{CHUNK_KEYS, REPLY_DEPTH_MAX, REPLY_ELEMENTS_MAX, REPLY_LINE_BYTES_MAX};

/// The code of the error in place of what is too long.
pub const TOO_LONG: &str = "TOOLONG";
/// The code of the error in place of what found no room.
const LATER: &str = "LATER";

/// What is left of the replies to one request.
#[derive(Debug)]
struct Expected {
    replies: usize,
    room: Room,
    /// Whether lists of strings are packed.
    packs: bool,
    taken_bytes: usize,
    is_full: bool,
}

/// What the sieve lets through.
pub(super) enum Passed<'a> {
    /// Bytes for the parser.
    Bytes(&'a [u8]),
    /// A whole list.
    List(Strings),
}

/// Takes what the sieve lets through.
pub(super) trait Pass: FnMut(Passed<'_>) -> Result<(), CodecError> {}
impl<F: FnMut(Passed<'_>) -> Result<(), CodecError>> Pass for F {}

/// What a header says of what follows it.
enum Judgement {
    /// It goes on as it is, to the parser or into the list.
    Taken,
    /// An element of a list, which has to be packed, begins.
    Packed,
    /// It is passed over; this stands for it.
    PassedOver { code: &'static str, bytes: usize },
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
    /// The list that is being packed.
    packing: Option<Strings>,
}

impl Sieve {
    /// A request with so many replies, at least one, was sent.
    pub fn expect(&mut self, replies: usize, room: Room, packs: bool) {
        self.expected.push_back(Expected { replies, room, packs, taken_bytes: 0, is_full: false });
    }

    /// Gives `pass` what comes out of `bytes`, in order.
    pub fn sift(&mut self, bytes: &[u8], pass: &mut impl Pass) -> Result<(), CodecError> {
        // Bytes from `from` on are for the parser and were not passed yet.
        let (mut from, mut at) = (0, 0);
        let run = |from: usize, at: usize| Passed::Bytes(bytes.get(from..at).unwrap_or_default());
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match self.state {
                State::Start => match self.pack_whole(rest) {
                    0 => self.start(rest)?,
                    packed => {
                        at += packed;
                        from = at;
                    }
                },
                State::Line(seen, after_cr) => at += self.follow_line(rest, seen, after_cr)?,
                State::Bulk(left) => {
                    let came = left.min(rest.len());
                    at += came;
                    if let Some(list) = &mut self.packing {
                        pack(list, rest.get(..came).unwrap_or_default(), left)?;
                        from = at;
                    }
                    self.state = State::Bulk(left - came);
                    self.end_if_whole(left, came, pass)?;
                }
                State::Skip(left) => {
                    let came = left.min(rest.len());
                    at += came;
                    from = at;
                    self.state = State::Skip(left - came);
                    self.end_if_whole(left, came, pass)?;
                }
                State::Header => {
                    let end = line_end(rest);
                    let piece = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
                    if end.is_some() && self.header.is_empty() {
                        // Where it is passed on, it goes with what is around it.
                        let judgement = self.judge(piece)?;
                        if !matches!(judgement, Judgement::Taken) {
                            pass(run(from, at))?;
                            from = at + piece.len();
                        }
                        at += piece.len();
                        self.carry_out(judgement, &[], pass)?;
                    } else {
                        pass(run(from, at))?;
                        at += piece.len();
                        from = at;
                        self.go_on_with_header(piece, pass)?;
                    }
                }
            }
        }
        pass(run(from, at))
    }

    /// Packs strings as long as the next one has come whole, has room, and is not the list's last; tells how many bytes
    /// they took. What this passes by is left to the slower way.
    fn pack_whole(&mut self, rest: &[u8]) -> usize {
        let (Some(list), Some(expected), Some(left)) =
            (&mut self.packing, self.expected.front_mut(), self.open.last_mut())
        else {
            return 0;
        };
        let mut at = 0;
        while *left > 1
            && let Some((text, bytes)) = whole_string(rest.get(at..).unwrap_or_default())
        {
            let taken_bytes = expected.taken_bytes + text.len();
            if text.len() > expected.room.bulk_bytes_max || taken_bytes > expected.room.total_bytes_max {
                break;
            }
            expected.taken_bytes = taken_bytes;
            list.push(text);
            *left -= 1;
            at += bytes;
        }
        at
    }

    fn start(&mut self, rest: &[u8]) -> Result<(), CodecError> {
        self.state = match rest.first() {
            Some(b'$') => State::Header,
            _ if self.packing.is_some() => {
                return Err(CodecError("a list with what is no string".to_owned()));
            }
            Some(b'*') => State::Header,
            Some(b'+' | b'-' | b':') => State::Line(0, false),
            _ => return Err(CodecError("a type that is none of RESP2".to_owned())),
        };
        Ok(())
    }

    /// A header that comes in pieces is held back until its end has come.
    fn go_on_with_header(&mut self, piece: &[u8], pass: &mut impl Pass) -> Result<(), CodecError> {
        self.header.extend_from_slice(piece);
        if self.header.len() > HEADER_BYTES_MAX {
            return Err(bad_length());
        }
        if !self.header.ends_with(b"\n") {
            return Ok(());
        }
        let header = std::mem::take(&mut self.header);
        let judgement = self.judge(&header)?;
        self.carry_out(judgement, &header, pass)
    }

    fn carry_out(
        &mut self,
        judgement: Judgement,
        header: &[u8],
        pass: &mut impl Pass,
    ) -> Result<(), CodecError> {
        match judgement {
            Judgement::Taken => pass(Passed::Bytes(header))?,
            Judgement::Packed => {}
            Judgement::PassedOver { code, bytes } => {
                pass(Passed::Bytes(format!("-{code} {bytes} bytes\r\n").as_bytes()))?;
            }
        }
        // An empty list, or one whose last element is none.
        self.hand_over_list(pass)
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

    /// Takes in a header.
    fn judge(&mut self, header: &[u8]) -> Result<Judgement, CodecError> {
        if header.len() > HEADER_BYTES_MAX {
            return Err(bad_length());
        }
        let (kind, length) = header_of(header)?;
        let Some(length) = length else {
            let judgement = self.note_missing(Found::Nothing).unwrap_or(Judgement::Taken);
            return self.end_element().map(|()| judgement);
        };
        if kind == b'*' {
            return self.open_array(length);
        }
        let expected = self.expected.front_mut().ok_or_else(unasked)?;
        let whole = length.saturating_add(2);
        if length > expected.room.bulk_bytes_max {
            self.state = State::Skip(whole);
            let instead = Judgement::PassedOver { code: TOO_LONG, bytes: length };
            return Ok(self.note_missing(Found::TooLong).unwrap_or(instead));
        }
        let taken_bytes = expected.taken_bytes + length;
        expected.is_full |= expected.taken_bytes > 0 && taken_bytes > expected.room.total_bytes_max;
        if expected.is_full {
            self.state = State::Skip(whole);
            let instead = Judgement::PassedOver { code: LATER, bytes: length };
            return Ok(self.note_missing(Found::Later).unwrap_or(instead));
        }
        expected.taken_bytes = taken_bytes;
        self.state = State::Bulk(whole);
        Ok(if self.packing.is_some() { Judgement::Packed } else { Judgement::Taken })
    }

    fn open_array(&mut self, length: usize) -> Result<Judgement, CodecError> {
        if length > REPLY_ELEMENTS_MAX || self.open.len() >= REPLY_DEPTH_MAX {
            return Err(CodecError(format!("an array of {length} elements, {} deep", self.open.len() + 1)));
        }
        let expected = self.expected.front().ok_or_else(unasked)?;
        let is_packed = expected.packs && self.open.is_empty();
        if is_packed {
            self.packing = Some(Strings::with_capacity(length.min(CHUNK_KEYS)));
        }
        self.open.push(length);
        self.state = State::Start;
        if length == 0 {
            self.open.pop();
            self.end_element()?;
        }
        Ok(if is_packed { Judgement::Packed } else { Judgement::Taken })
    }

    /// Within a list that is packed, notes an element that is not there.
    fn note_missing(&mut self, missing: Found<'_>) -> Option<Judgement> {
        self.packing.as_mut()?.push_missing(missing);
        Some(Judgement::Packed)
    }

    fn end_if_whole(&mut self, left: usize, came: usize, pass: &mut impl Pass) -> Result<(), CodecError> {
        if came < left {
            return Ok(());
        }
        self.end_element()?;
        self.hand_over_list(pass)
    }

    /// If the last element of a list has come.
    fn hand_over_list(&mut self, pass: &mut impl Pass) -> Result<(), CodecError> {
        if self.open.is_empty()
            && let Some(list) = self.packing.take()
        {
            return pass(Passed::List(list));
        }
        Ok(())
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

fn unasked() -> CodecError {
    CodecError("a reply nothing was sent for".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room { bulk_bytes_max: 8, total_bytes_max: 10 };

    fn sifted(replies: usize, bytes: &[u8], step: usize) -> Result<String, CodecError> {
        let (mut sieve, mut out) = (Sieve::default(), Vec::new());
        sieve.expect(replies, ROOM, false);
        for piece in bytes.chunks(step) {
            sieve.sift(piece, &mut |passed| {
                let Passed::Bytes(bytes) = passed else { panic!("a packed list") };
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
        let array = |length: usize, depth: usize| format!("an array of {length} elements, {depth} deep");
        let (too_deep, too_wide) = (array(1, REPLY_DEPTH_MAX + 1), array(REPLY_ELEMENTS_MAX + 1, 1));
        const LENGTH: &str = "a length that is no number";
        for (bytes, why) in [
            (&b"$abc\r\n"[..], LENGTH),
            (b"+a\r,\n", "a line that ends without \\r"),
            (&padded, LENGTH),
            (b"$1\n", LENGTH),
            (b"+OK\r\n+OK\r\n", "a reply nothing was sent for"),
            (&endless, "a line without end"),
            (&deep, &too_deep),
            (&wide, &too_wide),
            (&[b'$'; 99], LENGTH),
        ] {
            let CodecError(told) = sifted(1, bytes, 7).unwrap_err();
            assert_eq!(told, why, "{}", String::from_utf8_lossy(&bytes[..bytes.len().min(40)]));
        }
    }
}
