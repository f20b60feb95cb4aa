//! What stands in frames: records, removals, and which points the intake has.
//!
//! | kind | payload |
//! |---|---|
//! | 1 record | queue: 1 byte, score: 8 (IEEE 754), length of the key: 2, key, value |
//! | 2 told record | as a record; counts only once the removal behind it is there |
//! | 3 removal | batches kept: 4, ranges: 4, of each number of the file, from, to: 4 each; a batch of delivered points |
//! | 4 copy of a removal | its ranges alone: what was removed stays so when the removal itself is damaged |
//! | 5 delivered points | batches, each after its length: 4; takes the place of all before |
//!
//! A range of offsets removes the records whose frames begin in it. A range of a later file than the one it stands in
//! counts for nothing: that file was not there yet.

use std::ops::Range;

use super::frame::{HEAD_BYTES, Reader, Writer};

pub(super) const RECORD: u8 = 1;
pub(super) const TOLD: u8 = 2;
const REMOVAL: u8 = 3;
const REMOVAL_COPY: u8 = 4;
const DELIVERED: u8 = 5;

/// Queue, score and length of the key.
const RECORD_HEAD_BYTES: usize = 11;

/// Offsets of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Removed {
    pub segment: u32,
    pub offsets: Range<u32>,
}

/// A record in a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Record<'a> {
    pub offset: u32,
    pub queue: u8,
    pub score_s: f64,
    pub key: &'a [u8],
    pub value: &'a [u8],
}

/// Batches of delivered points, newest last.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum DeliveredPoints<'a> {
    /// One more, and how many are kept with it.
    More(&'a [u8], usize),
    /// All there are.
    All(Vec<&'a [u8]>),
}

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Contents<'a> {
    pub records: Vec<Record<'a>>,
    pub removed: Vec<Removed>,
    pub delivered: Vec<DeliveredPoints<'a>>,
    /// What could not be read: about a record each.
    pub damaged: u64,
    pub torn: bool,
}

/// Bytes of the frame of a record.
pub(super) fn frame_bytes(key_and_value_bytes: usize) -> usize {
    HEAD_BYTES + RECORD_HEAD_BYTES + key_and_value_bytes
}

/// Appends a record whose key and value stand together.
pub(super) fn write_record(
    writer: &mut Writer,
    kind: u8,
    queue: u8,
    score_s: f64,
    (key_bytes, key_and_value): (usize, &[u8]),
) -> u32 {
    let mut payload = Vec::with_capacity(RECORD_HEAD_BYTES + key_and_value.len());
    payload.push(queue);
    payload.extend_from_slice(&score_s.to_le_bytes());
    payload.extend_from_slice(&u16::try_from(key_bytes).unwrap_or(u16::MAX).to_le_bytes());
    payload.extend_from_slice(key_and_value);
    writer.push(kind, &payload)
}

/// Appends a removal and its copy.
pub(super) fn write_removal(writer: &mut Writer, removed: &[Removed], delivered: Option<(&[u8], usize)>) {
    let (batch, kept) = delivered.unwrap_or_default();
    let mut ranges = le(removed.len()).to_vec();
    for Removed { segment, offsets } in removed {
        for number in [*segment, offsets.start, offsets.end] {
            ranges.extend_from_slice(&number.to_le_bytes());
        }
    }
    writer.push(REMOVAL, &[&le(kept), &ranges[..], batch].concat());
    writer.push(REMOVAL_COPY, &ranges);
}

/// Appends all delivered points that are remembered.
pub(super) fn write_delivered<'a>(writer: &mut Writer, batches: impl Iterator<Item = &'a [u8]>) {
    let payload: Vec<u8> = batches.flat_map(|batch| [&le(batch.len()), batch].concat()).collect();
    writer.push(DELIVERED, &payload);
}

fn le(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes()
}

/// Reads a file, whatever it holds.
pub(super) fn read(segment: u32, bytes: &[u8]) -> Contents<'_> {
    let mut contents = Contents::default();
    // What is told stands before the removal that it tells of.
    let mut told = Vec::new();
    let mut reader = Reader::new(segment, bytes);
    for frame in reader.by_ref() {
        let is_understood = match frame.kind {
            RECORD => record(frame.offset, frame.payload).map(|record| contents.records.push(record)),
            TOLD => record(frame.offset, frame.payload).map(|record| told.push(record)),
            REMOVAL | REMOVAL_COPY => {
                contents.records.append(&mut told);
                removal(segment, frame.kind, frame.payload, &mut contents)
            }
            DELIVERED => batches(frame.payload).map(|all| {
                contents.delivered.push(DeliveredPoints::All(all));
            }),
            _ => None,
        };
        if frame.kind != TOLD {
            told.clear();
        }
        contents.damaged += u64::from(is_understood.is_none());
    }
    contents.damaged += reader.damaged;
    contents.torn = reader.torn;
    contents
}

fn record(offset: u32, payload: &[u8]) -> Option<Record<'_>> {
    let (queue, rest) = payload.split_first()?;
    let (score, rest) = rest.split_first_chunk::<8>()?;
    let (key_bytes, rest) = rest.split_first_chunk::<2>()?;
    let (key, value) = rest.split_at_checked(usize::from(u16::from_le_bytes(*key_bytes)))?;
    Some(Record { offset, queue: *queue, score_s: f64::from_le_bytes(*score), key, value })
}

fn removal<'a>(file: u32, kind: u8, payload: &'a [u8], contents: &mut Contents<'a>) -> Option<()> {
    let (kept, payload) = match kind {
        REMOVAL => number(payload)?,
        _ => (0, payload),
    };
    let (ranges, payload) = number(payload)?;
    let bytes = (ranges as usize).checked_mul(12)?;
    let (ranges, batch) = payload.split_at_checked(bytes)?;
    for range in ranges.chunks_exact(12) {
        let (segment, range) = number(range)?;
        let (start, range) = number(range)?;
        let (end, _) = number(range)?;
        if segment <= file {
            contents.removed.push(Removed { segment, offsets: start..end });
        }
    }
    if !batch.is_empty() {
        contents.delivered.push(DeliveredPoints::More(batch, kept as usize));
    }
    Some(())
}

fn batches(mut payload: &[u8]) -> Option<Vec<&[u8]>> {
    let mut batches = Vec::new();
    while !payload.is_empty() {
        let (bytes, rest) = number(payload)?;
        let (batch, rest) = rest.split_at_checked(bytes as usize)?;
        batches.push(batch);
        payload = rest;
    }
    Some(batches)
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::new(3, 0);
        let first = write_record(&mut writer, RECORD, 1, -1.5, (3, b"keyvalue"));
        assert_eq!(writer.offset(), frame_bytes(8));
        let removed = [Removed { segment: 2, offsets: 10..90 }, Removed { segment: 3, offsets: 0..1 }];
        let told = write_record(&mut writer, TOLD, 0, 7.0, (1, b"k"));
        write_removal(&mut writer, &removed, Some((b"12345678", 4)));
        write_delivered(&mut writer, [&b"a"[..], b"", b"bc"].into_iter());
        let bytes = writer.into_bytes();
        let contents = read(3, &bytes);
        let record = |offset, queue, score_s, key, value| Record { offset, queue, score_s, key, value };
        let records = [record(first, 1, -1.5, &b"key"[..], &b"value"[..]), record(told, 0, 7.0, b"k", b"")];
        assert_eq!(contents.records, records);
        assert_eq!(contents.removed, [&removed[..], &removed[..]].concat(), "and the copy");
        let all = DeliveredPoints::All(vec![b"a", b"", b"bc"]);
        assert_eq!(contents.delivered, [DeliveredPoints::More(b"12345678", 4), all]);
        assert_eq!((contents.damaged, contents.torn), (0, false));
    }

    #[test]
    fn a_removal_cannot_be_of_what_comes_after_it() {
        let mut writer = Writer::new(3, 0);
        let removed = [2, 3, 4].map(|segment| Removed { segment, offsets: 0..90 });
        write_removal(&mut writer, &removed, None);
        let bytes = writer.into_bytes();
        assert_eq!(read(3, &bytes).removed, [&removed[..2], &removed[..2]].concat(), "and the copy");
    }

    #[test]
    fn what_is_told_counts_only_with_its_removal() {
        let mut writer = Writer::new(3, 0);
        write_record(&mut writer, TOLD, 0, 7.0, (1, b"k"));
        let cut = writer.offset();
        write_removal(&mut writer, &[], None);
        let bytes = writer.into_bytes();
        assert_eq!(read(3, &bytes).records.len(), 1);
        assert!(read(3, &bytes[..cut]).records.is_empty());
        // The removal is damaged, its copy is not.
        let mut damaged = bytes.clone();
        damaged[cut + HEAD_BYTES] ^= 1;
        assert_eq!(read(3, &damaged).records.len(), 1);
    }
}
