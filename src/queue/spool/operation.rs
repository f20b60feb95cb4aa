//! What is to be done with files, as values, and how it passes through the pipe of the child that does it.
//!
//! A message is its length in four bytes (little-endian), a letter, and what the letter calls for.

use crate::limits::spool::MESSAGE_BYTES_MAX;

/// One step. It is carried out wholly, and on the disk, before it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Give the contents of a file.
    Read(u32),
    /// Write at an offset of a file, which ends there, and sync. The file is made where there is none.
    Append {
        /// Number of the file.
        segment: u32,
        /// Where.
        at: u32,
        /// What.
        bytes: Vec<u8>,
        /// Whether it is refused where the disk has little room left.
        keeps_room: bool,
    },
    /// Cut a file to a length and sync. Nothing where there is none.
    Truncate(u32, u32),
    /// Remove a file. Nothing where there is none.
    Delete(u32),
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The contents of a file.
    Contents(Vec<u8>),
    /// Done.
    Done,
    /// The disk has little room left; nothing was written.
    NoRoom,
    /// Part of it may have been done.
    Failed(String),
}

/// What came through the pipe is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Garbled;

impl Operation {
    /// As a message.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Operation::Read(segment) => message(b'r', &[&segment.to_le_bytes()]),
            Operation::Append { segment, at, bytes, keeps_room } => {
                let letter = if *keeps_room { b'a' } else { b'A' };
                message(letter, &[&segment.to_le_bytes(), &at.to_le_bytes(), bytes])
            }
            Operation::Truncate(segment, at) => message(b't', &[&segment.to_le_bytes(), &at.to_le_bytes()]),
            Operation::Delete(segment) => message(b'd', &[&segment.to_le_bytes()]),
        }
    }

    /// Takes the first message of a buffer, if it is there whole.
    ///
    /// # Errors
    /// See [`Garbled`].
    pub fn decode(buffer: &mut Vec<u8>) -> Result<Option<Operation>, Garbled> {
        let Some((letter, body)) = taken(buffer)? else { return Ok(None) };
        let (segment, rest) = body.split_first_chunk().ok_or(Garbled)?;
        let segment = u32::from_le_bytes(*segment);
        let at = || rest.split_first_chunk().ok_or(Garbled).map(|(at, _)| u32::from_le_bytes(*at));
        Ok(Some(match letter {
            b'r' => Operation::Read(segment),
            b'a' | b'A' => Operation::Append {
                segment,
                at: at()?,
                bytes: rest.get(4..).unwrap_or_default().to_vec(),
                keeps_room: letter == b'a',
            },
            b't' => Operation::Truncate(segment, at()?),
            b'd' => Operation::Delete(segment),
            _ => return Err(Garbled),
        }))
    }
}

impl Outcome {
    /// As a message.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Outcome::Contents(bytes) => message(b'c', &[bytes]),
            Outcome::Done => message(b'o', &[]),
            Outcome::NoRoom => message(b'n', &[]),
            Outcome::Failed(text) => message(b'f', &[text.as_bytes()]),
        }
    }

    /// Takes the first message of a buffer, if it is there whole.
    ///
    /// # Errors
    /// See [`Garbled`].
    pub fn decode(buffer: &mut Vec<u8>) -> Result<Option<Outcome>, Garbled> {
        let Some((letter, body)) = taken(buffer)? else { return Ok(None) };
        Ok(Some(match letter {
            b'c' => Outcome::Contents(body),
            b'o' => Outcome::Done,
            b'n' => Outcome::NoRoom,
            b'f' => Outcome::Failed(String::from_utf8_lossy(&body).into_owned()),
            _ => return Err(Garbled),
        }))
    }
}

fn message(letter: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let bytes = u32::try_from(body.len() + 1).unwrap_or(u32::MAX);
    [&bytes.to_le_bytes()[..], &[letter], &body].concat()
}

fn taken(buffer: &mut Vec<u8>) -> Result<Option<(u8, Vec<u8>)>, Garbled> {
    let Some((bytes, rest)) = buffer.split_first_chunk::<4>() else { return Ok(None) };
    let bytes = u32::from_le_bytes(*bytes) as usize;
    if bytes > MESSAGE_BYTES_MAX {
        return Err(Garbled);
    }
    let Some(message) = rest.get(..bytes) else { return Ok(None) };
    let (letter, body) = message.split_first().ok_or(Garbled)?;
    let taken = (*letter, body.to_vec());
    buffer.drain(..4 + bytes);
    Ok(Some(taken))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_pass_in_pieces_of_any_size() {
        let bytes = vec![7; 300];
        let operations = [
            Operation::Read(9),
            Operation::Append { segment: 1, at: 2, bytes, keeps_room: true },
            Operation::Append { segment: 1, at: 302, bytes: Vec::new(), keeps_room: false },
            Operation::Truncate(1, 20),
            Operation::Delete(u32::MAX),
        ];
        let sent: Vec<u8> = operations.iter().flat_map(Operation::encode).collect();
        for piece in [1, 7, 4096] {
            let (mut buffer, mut received) = (Vec::new(), Vec::new());
            for piece in sent.chunks(piece) {
                buffer.extend_from_slice(piece);
                while let Some(operation) = Operation::decode(&mut buffer).unwrap() {
                    received.push(operation);
                }
            }
            assert_eq!(received, operations);
        }
        let outcomes =
            [Outcome::Contents(vec![1]), Outcome::Done, Outcome::NoRoom, Outcome::Failed("EIO".into())];
        for outcome in outcomes {
            let mut buffer = outcome.encode();
            assert_eq!(Outcome::decode(&mut buffer), Ok(Some(outcome)));
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let too_long = u32::try_from(MESSAGE_BYTES_MAX + 1).unwrap().to_le_bytes();
        for garbage in [&too_long[..], &[0; 4], &[1, 0, 0, 0, b'?'], &[1, 0, 0, 0, b'r']] {
            assert_eq!(Operation::decode(&mut garbage.to_vec()), Err(Garbled), "{garbage:?}");
        }
    }
}
