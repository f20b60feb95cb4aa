//! The body of a request, streamed through the compressor: zlib, `Content-Encoding: deflate`.

use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, compress_to_output, create_comp_flags_from_zip_params,
};

use super::keys::KeyList;
use crate::telemetry::Counters;

/// Best compression that miniz offers without its slowest searches: a byte on the link costs more than
/// the cycles.
const LEVEL: i32 = 9;

/// A positive number asks miniz for the zlib header.
const ZLIB: i32 = 15;

/// A finished body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payload {
    /// zlib, unless its form goes as it is.
    pub body: Vec<u8>,
    /// Bytes before compression.
    pub raw_bytes: usize,
    /// Bytes of `body`, known when it is finished.
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
            *self.left_out.entry(reason.into()).or_default() += count as u64;
        }
    }
}

/// The text of a body, piece by piece.
pub(super) trait Source {
    /// Appends one slice of work to `text` and notes in `payload` what it holds; false when it was the last.
    fn write(&mut self, text: &mut Vec<u8>, payload: &mut Payload) -> bool;
}

/// Compresses a batch piece by piece.
pub struct PayloadWriter {
    source: Box<dyn Source>,
    /// None where the body goes as it is.
    compressor: Option<Box<CompressorOxide>>,
    text: Vec<u8>,
    payload: Payload,
}

impl PayloadWriter {
    /// Begins a body. `payload` holds what is known of it beforehand.
    pub(super) fn new(source: Box<dyn Source>, payload: Payload) -> PayloadWriter {
        let flags = create_comp_flags_from_zip_params(LEVEL, ZLIB, 0);
        let compressor = Box::new(CompressorOxide::new(flags));
        PayloadWriter { source, compressor: Some(compressor), text: Vec::new(), payload }
    }

    /// The same for a body that is not compressed.
    pub(super) fn plain(source: Box<dyn Source>, payload: Payload) -> PayloadWriter {
        PayloadWriter { source, compressor: None, text: Vec::new(), payload }
    }

    /// Does one slice of the work; gives the payload when it is finished, `None` while there is more to do.
    pub fn write(&mut self) -> Option<Payload> {
        let more = self.source.write(&mut self.text, &mut self.payload);
        self.compress(if more { TDEFLFlush::None } else { TDEFLFlush::Finish });
        (!more).then(|| std::mem::take(&mut self.payload))
    }

    fn compress(&mut self, flush: TDEFLFlush) {
        let body = &mut self.payload.body;
        self.payload.raw_bytes += self.text.len();
        // The callback never refuses, and the flags are valid: all input is consumed.
        match &mut self.compressor {
            Some(compressor) => drop(compress_to_output(compressor, &self.text, flush, |bytes| {
                body.extend_from_slice(bytes);
                true
            })),
            None => body.extend_from_slice(&self.text),
        }
        self.text.clear();
    }
}
