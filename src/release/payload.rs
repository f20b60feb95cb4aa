//! The body of a request, streamed through the compressor: zlib, `Content-Encoding: deflate`.

use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, compress_to_output, create_comp_flags_from_zip_params,
};

use super::keys::KeyList;
use crate::limits::PAYLOAD_BYTES_PER_SLICE;
use crate::telemetry::Counters;

/// How far the compressor searches for repetitions: in a body of so many bytes at most, at so many places. What all
/// bodies but those of a backlog have is searched as far as it pays at all, since a byte on the link costs more than
/// the cycles. A large body would take most of a release's time for the last hundredth of its bytes; in the largest,
/// with more series than points of each, there is nothing to be found further on.
const PROBES: [(usize, u32); 3] = [(128 << 10, 768), (512 << 10, 128), (usize::MAX, 64)];

/// The best level that is not greedy; [`PROBES`] stand in for its own.
const LEVEL: i32 = 9;

/// The part of the flags that are probes.
const PROBES_MASK: u32 = 0xfff;

/// A positive number asks miniz for the zlib header.
const ZLIB: i32 = 15;

/// A finished body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payload {
    /// zlib, unless its form goes as it is or [`PayloadWriter::keep_text`] was asked for.
    pub body: Vec<u8>,
    /// Bytes before compression.
    pub raw_bytes: usize,
    /// Bytes that are sent.
    pub compressed_bytes: usize,
    /// Series or log entries in the body.
    pub items: usize,
    /// Points of all series.
    pub points: usize,
    /// What had to be left out of the items, by reason; it counts when the payload is delivered.
    pub left_out: Counters,
    /// Name of the first series or beginning of the first log, to tell what was refused when it is alone.
    pub first: String,
    /// Points that [`super::Delivered`] is to remember, each with the position of its series' first key: they are
    /// acknowledged together.
    pub delivers: Vec<(usize, u64)>,
    /// The records it was made of.
    pub keys: KeyList,
}

impl Payload {
    /// Counts what had to be left out.
    pub(super) fn leave_out(&mut self, reason: &'static str, count: usize) {
        if count > 0 {
            *self.left_out.entry(reason.into()) += count as u64;
        }
    }
}

/// The text of a body, piece by piece.
pub(super) trait Source {
    /// Does about a slice of work, which may append to `text`, and notes in `payload` what it holds; false when it
    /// was the last.
    fn write(&mut self, text: &mut Vec<u8>, payload: &mut Payload) -> bool;
}

/// A text that is there as a whole.
pub(super) struct WholeText {
    text: Vec<u8>,
    done: usize,
}

impl WholeText {
    pub fn new(text: Vec<u8>) -> WholeText {
        WholeText { text, done: 0 }
    }
}

impl Source for WholeText {
    fn write(&mut self, text: &mut Vec<u8>, _: &mut Payload) -> bool {
        let end = self.text.len().min(self.done + PAYLOAD_BYTES_PER_SLICE);
        text.extend_from_slice(self.text.get(self.done..end).unwrap_or_default());
        self.done = end;
        end < self.text.len()
    }
}

/// The beginning of a record, as [`Payload::first`] has it.
pub(super) fn excerpt(record: &[u8]) -> String {
    /// What a warning shows.
    const CHARS_MAX: usize = 200;
    // A character has four bytes at most.
    let beginning = record.get(..record.len().min(4 * CHARS_MAX)).unwrap_or_default();
    String::from_utf8_lossy(beginning).chars().take(CHARS_MAX).collect()
}

/// Compresses a batch piece by piece.
pub struct PayloadWriter {
    source: Box<dyn Source>,
    /// None where the body goes as it is.
    compressor: Option<Box<CompressorOxide>>,
    keeps_text: bool,
    text: Vec<u8>,
    /// How much of `text` is compressed.
    done: usize,
    /// Whether the source has more text.
    more: bool,
    payload: Payload,
}

impl PayloadWriter {
    /// Begins a body of about so many bytes before compression. `payload` holds what is known of it beforehand.
    pub(super) fn new(source: Box<dyn Source>, payload: Payload, text_bytes: usize) -> PayloadWriter {
        let probes = PROBES.iter().find(|(bytes_max, _)| text_bytes <= *bytes_max);
        let flags = create_comp_flags_from_zip_params(LEVEL, ZLIB, 0) & !PROBES_MASK;
        let flags = flags | probes.map_or(0, |(_, probes)| *probes);
        let compressor = Some(Box::new(CompressorOxide::new(flags)));
        PayloadWriter { compressor, ..PayloadWriter::plain(source, payload) }
    }

    /// The same for a body that is not compressed.
    pub(super) fn plain(source: Box<dyn Source>, payload: Payload) -> PayloadWriter {
        let (text, keeps_text) = (Vec::new(), false);
        PayloadWriter { source, compressor: None, keeps_text, text, done: 0, more: true, payload }
    }

    /// Makes the body what was to be compressed; how many bytes that would be sent as is counted all the same.
    pub fn keep_text(&mut self) {
        self.keeps_text = true;
    }

    /// Does one slice of the work; gives the payload when it is finished, `None` while there is more to do.
    pub fn write(&mut self) -> Option<Payload> {
        if self.more && self.done == self.text.len() {
            self.text.clear();
            self.done = 0;
            self.more = self.source.write(&mut self.text, &mut self.payload);
            self.payload.raw_bytes += self.text.len();
            if self.more && self.text.is_empty() {
                // The source had other work to do.
                return None;
            }
        }
        let end = self.text.len().min(self.done + PAYLOAD_BYTES_PER_SLICE);
        let is_last = !self.more && end == self.text.len();
        let slice = self.text.get(self.done..end).unwrap_or_default();
        let Payload { body, compressed_bytes, .. } = &mut self.payload;
        let keeps_text = self.keeps_text;
        let flush = if is_last { TDEFLFlush::Finish } else { TDEFLFlush::None };
        // The callback never refuses, and the flags are valid: all input is consumed.
        match &mut self.compressor {
            Some(compressor) => drop(compress_to_output(compressor, slice, flush, |bytes| {
                *compressed_bytes += bytes.len();
                if !keeps_text {
                    body.extend_from_slice(bytes);
                }
                true
            })),
            None => *compressed_bytes += slice.len(),
        }
        if keeps_text || self.compressor.is_none() {
            body.extend_from_slice(slice);
        }
        self.done = end;
        is_last.then(|| std::mem::take(&mut self.payload))
    }
}
