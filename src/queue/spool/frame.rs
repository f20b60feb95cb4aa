//! Frames: how anything stands in a file of the spool.
//!
//! ```text
//! fb fe | kind: 1 byte | length of the payload: 3 | CRC-32: 4 | payload          all numbers little-endian
//! ```
//!
//! The checksum covers kind, length, payload, and where the frame stands: number of the file and offset. So what a
//! deleted file left behind on the card is no frame of another one, and bytes inside a payload are none either. Where
//! a frame is damaged the next one is looked for byte by byte; the mark does not occur in UTF-8.

/// Bytes before the payload.
pub const HEAD_BYTES: usize = 10;

/// The longest payload that the length has room for.
pub const PAYLOAD_BYTES_MAX: usize = (1 << 24) - 1;

const MARK: [u8; 2] = [0xfb, 0xfe];

/// CRC-32 as in zlib, four bits at a time.
const TABLE: [u32; 16] = {
    let mut table = [0; 16];
    let mut at = 0;
    while at < 16 {
        let mut value = at as u32;
        let mut bit = 0;
        while bit < 4 {
            value = if value & 1 == 1 { value >> 1 ^ 0xedb8_8320 } else { value >> 1 };
            bit += 1;
        }
        table[at] = value;
        at += 1;
    }
    table
};

fn crc32(parts: &[&[u8]]) -> u32 {
    let step = |crc: u32, bits: u32| {
        let entry = TABLE.get(((crc ^ bits) & 15) as usize).copied().unwrap_or_default();
        crc >> 4 ^ entry
    };
    let bytes = parts.iter().flat_map(|part| part.iter());
    !bytes.fold(!0, |crc, byte| step(step(crc, u32::from(*byte)), u32::from(*byte >> 4)))
}

fn checksum(segment: u32, offset: u32, kind_and_length: &[u8], payload: &[u8]) -> u32 {
    crc32(&[&segment.to_le_bytes(), &offset.to_le_bytes(), kind_and_length, payload])
}

/// Frames on their way into a file.
#[derive(Debug)]
pub struct Writer {
    segment: u32,
    at: usize,
    bytes: Vec<u8>,
}

impl Writer {
    /// Begins at an offset of a file.
    pub fn new(segment: u32, at: usize) -> Writer {
        Writer { segment, at, bytes: Vec::new() }
    }

    /// The file, and where it began.
    pub fn start(&self) -> (u32, u32) {
        (self.segment, u32::try_from(self.at).unwrap_or(u32::MAX))
    }

    /// Where the next frame stands.
    pub fn offset(&self) -> usize {
        self.at + self.bytes.len()
    }

    /// Appends a frame and gives its offset.
    pub fn push(&mut self, kind: u8, payload: &[u8]) -> u32 {
        let offset = u32::try_from(self.offset()).unwrap_or(u32::MAX);
        let [a, b, c, _] = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
        let head = [kind, a, b, c];
        self.bytes.extend_from_slice(&MARK);
        self.bytes.extend_from_slice(&head);
        self.bytes.extend_from_slice(&checksum(self.segment, offset, &head, payload).to_le_bytes());
        self.bytes.extend_from_slice(payload);
        offset
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// An intact frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Where it stands.
    pub offset: u32,
    /// What it is.
    pub kind: u8,
    /// Its payload.
    pub payload: &'a [u8],
}

/// The intact frames of a file.
#[derive(Debug)]
pub struct Reader<'a> {
    segment: u32,
    bytes: &'a [u8],
    at: usize,
    /// Gaps between frames: a damaged frame each, as a rule.
    pub damaged: u64,
    /// Whether the file ends with what is no frame: a write that was cut off, or a last frame that is damaged.
    pub torn: bool,
}

impl<'a> Reader<'a> {
    /// Reads the contents of a file.
    pub fn new(segment: u32, bytes: &'a [u8]) -> Reader<'a> {
        Reader { segment, bytes, at: 0, damaged: 0, torn: false }
    }

    fn frame_at(&self, at: usize) -> Option<Frame<'a>> {
        let rest = self.bytes.get(at..)?;
        let (mark, rest) = rest.split_first_chunk::<2>()?;
        let (head, rest) = rest.split_first_chunk::<4>()?;
        let (crc, rest) = rest.split_first_chunk::<4>()?;
        if *mark != MARK {
            return None;
        }
        let [kind, a, b, c] = *head;
        let payload = rest.get(..u32::from_le_bytes([a, b, c, 0]) as usize)?;
        let offset = u32::try_from(at).ok()?;
        let is_intact = checksum(self.segment, offset, head, payload) == u32::from_le_bytes(*crc);
        is_intact.then_some(Frame { offset, kind, payload })
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        let start = self.at;
        while self.at < self.bytes.len() {
            if let Some(frame) = self.frame_at(self.at) {
                self.damaged += u64::from(self.at > start);
                self.at += HEAD_BYTES + frame.payload.len();
                return Some(frame);
            }
            let next = self.bytes.get(self.at + 1..).unwrap_or_default();
            self.at = match next.iter().position(|byte| *byte == MARK[0]) {
                Some(skipped) => self.at + 1 + skipped,
                None => self.bytes.len(),
            };
        }
        self.torn |= self.at > start;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_zlib() {
        assert_eq!(crc32(&[b"1234", b"56789"]), 0xcbf4_3926);
    }

    fn three() -> Vec<u8> {
        let mut writer = Writer::new(7, 0);
        for (kind, payload) in [(1, &b"first"[..]), (2, b""), (3, b"third \xfb\xfe and more")] {
            writer.push(kind, payload);
        }
        writer.into_bytes()
    }

    #[test]
    fn frames_read_back_as_they_were_written() {
        let bytes = three();
        let mut reader = Reader::new(7, &bytes);
        let kinds: Vec<_> = reader.by_ref().map(|frame| (frame.kind, frame.payload.len())).collect();
        assert_eq!(kinds, [(1, 5), (2, 0), (3, 17)]);
        assert_eq!((reader.damaged, reader.torn), (0, false));
    }

    #[test]
    fn a_frame_counts_only_where_it_was_written() {
        let bytes = three();
        assert_eq!(Reader::new(8, &bytes).count(), 0, "another file");
        let moved = [&b"x"[..], &bytes].concat();
        assert_eq!(Reader::new(7, &moved).count(), 0, "another offset");
    }

    #[test]
    fn any_flipped_bit_costs_one_frame_and_is_told() {
        let bytes = three();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let mut reader = Reader::new(7, &damaged);
            assert_eq!(reader.by_ref().count(), 2, "bit {bit}");
            assert_eq!(reader.damaged + u64::from(reader.torn), 1, "bit {bit}");
        }
    }
}
