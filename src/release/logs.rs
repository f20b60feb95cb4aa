//! Log records listed as the entries of one request to the intake of logs.
//!
//! `[{"date":"2020-09-13T12:26:40Z","ddsource":"python","ddtags":"k:v","message":{"text":"hello"}},…]`, in the
//! order of the queue. Format and bounds: <https://docs.datadoghq.com/api/latest/logs/#send-logs>. What
//! becomes of a single record is in `log_entry.rs`.
//!
//! Unlike a point, an entry that is sent again stands there twice: the intake has no key to know it by. That
//! happens only when an acceptance was lost on its way back.

use super::batch::{Batch, Common, Fit, RecordError};
use super::log_entry::EntryWriter;
use super::payload::{Payload, PayloadWriter, WholeText, excerpt};
use crate::limits::{LOG_BODY_BYTES_MAX, LOG_ENTRIES_MAX};

/// Entries under way to one payload.
pub struct LogBatch {
    entries: EntryWriter,
    /// The list, but for its end.
    text: Vec<u8>,
    payload: Payload,
}

impl LogBatch {
    /// No entries yet.
    pub fn new(common: &Common) -> LogBatch {
        LogBatch { entries: EntryWriter::new(common), text: Vec::new(), payload: Payload::default() }
    }
}

impl Batch for LogBatch {
    fn add(&mut self, key: &[u8], raw: &[u8]) -> Result<Fit, RecordError> {
        if self.payload.items >= LOG_ENTRIES_MAX {
            return Ok(Fit::NoRoom);
        }
        let before = self.text.len();
        self.text.push(if self.is_empty() { b'[' } else { b',' });
        let changes = self.entries.write(raw, &mut self.text);
        let fits = self.text.len() < LOG_BODY_BYTES_MAX;
        if changes.is_err() || !fits {
            self.text.truncate(before);
        }
        let changes = changes?;
        if !fits {
            return Ok(Fit::NoRoom);
        }
        self.payload.leave_out("log_truncated", usize::from(changes.truncated));
        self.payload.leave_out("log_not_finite", usize::from(changes.not_finite));
        self.payload.items += 1;
        self.payload.keys.push(key);
        self.payload.keys.end_group();
        Ok(Fit::Taken)
    }

    fn is_empty(&self) -> bool {
        self.payload.items == 0
    }

    fn into_writer(self: Box<Self>) -> PayloadWriter {
        let LogBatch { mut text, mut payload, .. } = *self;
        payload.first = excerpt(text.get(1..).unwrap_or_default());
        text.extend_from_slice(if payload.items == 0 { b"[]" } else { b"]" });
        let text_bytes = text.len();
        PayloadWriter::new(Box::new(WholeText::new(text)), payload, text_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Box<LogBatch> {
        Box::new(LogBatch::new(&Common::default()))
    }

    fn payload(batch: Box<LogBatch>) -> (Payload, Vec<u8>) {
        let mut writer = batch.into_writer();
        let payload = std::iter::from_fn(|| Some(writer.write())).flatten().next().unwrap();
        let text = miniz_oxide::inflate::decompress_to_vec_zlib(&payload.body).unwrap();
        assert_eq!(payload.raw_bytes, text.len());
        (payload, text)
    }

    #[test]
    fn entries_keep_the_order_of_the_queue() {
        let mut batch = batch();
        for i in [3, 1, 2] {
            let raw = format!(r#"{{"message": {i}}}"#);
            assert_eq!(batch.add(format!("key-{i}").as_bytes(), raw.as_bytes()), Ok(Fit::Taken));
        }
        assert_eq!(batch.add(b"key-4", b"[]"), Err(RecordError::MalformedLog));
        let (payload, text) = payload(batch);
        assert_eq!(String::from_utf8_lossy(&text), r#"[{"message":3},{"message":1},{"message":2}]"#);
        assert_eq!(payload.items, 3);
        assert_eq!(payload.keys.keys(0..9).collect::<Vec<_>>(), [b"key-3", b"key-1", b"key-2"]);
        assert!(payload.first.starts_with(r#"{"message":3}"#));
    }

    #[test]
    fn a_body_without_entries_is_an_empty_list() {
        let (payload, text) = payload(batch());
        assert_eq!((payload.items, &text[..]), (0, &b"[]"[..]));
    }

    #[test]
    fn a_request_has_a_thousand_entries() {
        let mut batch = batch();
        for i in 0..LOG_ENTRIES_MAX {
            assert_eq!(batch.add(&i.to_le_bytes(), b"{}"), Ok(Fit::Taken));
        }
        assert_eq!(batch.add(b"next", b"{}"), Ok(Fit::NoRoom));
        assert_eq!(payload(batch).0.items, LOG_ENTRIES_MAX);
    }

    #[test]
    fn a_request_has_four_megabytes_and_ends_before_what_has_no_room() {
        // Nothing that compresses, so that the pieces are seen to be put together again.
        let mut random = crate::release::Random::new(7);
        let mut batch = batch();
        let mut expected = String::new();
        loop {
            let filler: String = (0..20_000).map(|_| char::from(b'a' + random.below(26) as u8)).collect();
            let raw = format!(r#"{{"message":"{filler}"}}"#);
            if batch.add(b"key", raw.as_bytes()) == Ok(Fit::NoRoom) {
                break;
            }
            expected.push_str(if expected.is_empty() { "[" } else { "," });
            expected.push_str(&raw);
        }
        expected.push(']');
        let (payload, text) = payload(batch);
        assert!(payload.raw_bytes <= LOG_BODY_BYTES_MAX);
        assert!(payload.raw_bytes > LOG_BODY_BYTES_MAX - 21_000, "{}", payload.raw_bytes);
        assert!(text == expected.as_bytes());
    }

    #[test]
    fn a_refused_request_is_halved_down_to_single_entries() {
        let mut batch = batch();
        (0..7u8).for_each(|i| assert_eq!(batch.add(&[i], b"{}"), Ok(Fit::Taken)));
        let (mut open, mut single) = (vec![payload(batch).0.keys], Vec::new());
        while let Some(keys) = open.pop() {
            match keys.split() {
                Some((first, second)) => open.extend([second, first]),
                None => single.extend(keys.keys(0..9).map(<[u8]>::to_vec)),
            }
        }
        assert_eq!(single, (0..7u8).map(|i| vec![i]).collect::<Vec<_>>());
    }
}
