//! Records that go out as they are, next to each other: distributions, events and service checks.
//!
//! | records | body | format |
//! |---|---|---|
//! | distributions | `{"series":[{"metric":"a.b","points":[[1600000000,[1,2.5]]],"type":"distribution"},…]}` | <https://docs.datadoghq.com/api/latest/metrics/submit-distribution-points/> |
//! | events | `{"title":"…","text":"…"}`, one to a request | <https://docs.datadoghq.com/api/latest/events/post-an-event/> |
//! | checks | `[{"check":"app.up","status":0},…]` | <https://docs.datadoghq.com/api/latest/service-checks/> |
//!
//! A record is an object of its form already. `tags` gets the global ones, and the configured host is added where there
//! is none; every other field goes out byte for byte.
//!
//! Only distributions are compressed: of the other two the interface does not say that they may be. Like logs, they
//! stand there twice where an acceptance was lost on its way back.

use super::batch::{Batch, Common, Fit, RecordError};
use super::payload::{Payload, PayloadWriter, WholeText, excerpt};
use crate::limits::BATCH_BYTES_MAX;
use crate::metric::Tags;
use crate::metric::json::{self, JsonError, Reader};

/// What is around the records of a body, and between the members of a record.
#[derive(Debug, PartialEq, Eq)]
pub struct Form {
    before: &'static str,
    after: &'static str,
    records_max: usize,
    /// What the host is called.
    host: &'static str,
    is_compressed: bool,
}

/// Distributions.
pub static DISTRIBUTIONS: Form =
    Form { before: "{\"series\":[", after: "]}", records_max: usize::MAX, host: "host", is_compressed: true };

/// Events.
pub static EVENTS: Form = Form { before: "", after: "", records_max: 1, host: "host", is_compressed: false };

/// Service checks.
pub static CHECKS: Form =
    Form { before: "[", after: "]", records_max: usize::MAX, host: "host_name", is_compressed: false };

/// Records under way to one payload.
pub struct ForwardedBatch {
    form: &'static Form,
    common: Common,
    /// The body, but for its end.
    text: Vec<u8>,
    payload: Payload,
}

impl ForwardedBatch {
    /// No records yet.
    pub fn new(form: &'static Form, common: Common) -> ForwardedBatch {
        ForwardedBatch { form, common, text: Vec::new(), payload: Payload::default() }
    }

    /// Appends the object that a record becomes.
    fn write(&mut self, raw: &[u8]) -> Result<(), JsonError> {
        let mut reader = Reader::from_bytes(raw)?;
        reader.enter_object()?;
        let (mut has_host, mut tags) = (false, Tags::none());
        let mut separator = b"{\"";
        while let Some(key) = reader.next_key_text()? {
            let name = key.unescaped();
            if name == "tags" {
                tags = Tags::from_canonical(reader.raw()?);
                continue;
            }
            has_host |= name == self.form.host;
            self.text.extend_from_slice(separator);
            separator = b",\"";
            self.text.extend_from_slice(key.raw().as_bytes());
            self.text.extend_from_slice(b"\":");
            self.text.extend_from_slice(reader.raw()?.as_bytes());
        }
        reader.end()?;
        if let (Some(host), false) = (&self.common.host, has_host) {
            self.text.extend_from_slice(separator);
            separator = b",\"";
            self.text.extend_from_slice(self.form.host.as_bytes());
            self.text.extend_from_slice(b"\":");
            json::write_string(host, &mut self.text);
        }
        let tags = tags.with(&self.common.tags);
        if tags.as_str() != "[]" {
            self.text.extend_from_slice(separator);
            separator = b",\"";
            self.text.extend_from_slice(b"tags\":");
            self.text.extend_from_slice(tags.as_str().as_bytes());
        }
        self.text.extend_from_slice(if separator == b"{\"" { b"{}" } else { b"}" });
        Ok(())
    }
}

impl Batch for ForwardedBatch {
    fn add(&mut self, key: &[u8], raw: &[u8]) -> Result<Fit, RecordError> {
        if self.payload.items >= self.form.records_max || self.text.len() >= BATCH_BYTES_MAX {
            return Ok(Fit::NoRoom);
        }
        let before = self.text.len();
        self.text.extend_from_slice(if self.is_empty() { self.form.before.as_bytes() } else { b"," });
        let start = self.text.len();
        if self.write(raw).is_err() {
            self.text.truncate(before);
            return Err(RecordError::MalformedRecord);
        }
        if self.is_empty() {
            self.payload.first = excerpt(self.text.get(start..).unwrap_or_default());
        }
        self.payload.items += 1;
        self.payload.keys.push(key);
        self.payload.keys.end_group();
        Ok(Fit::Taken)
    }

    fn is_empty(&self) -> bool {
        self.payload.items == 0
    }

    fn into_writer(self: Box<Self>) -> PayloadWriter {
        let ForwardedBatch { form, mut text, payload, .. } = *self;
        text.extend_from_slice(form.after.as_bytes());
        let text_bytes = text.len();
        let source = Box::new(WholeText::new(text));
        if form.is_compressed {
            PayloadWriter::new(source, payload, text_bytes)
        } else {
            PayloadWriter::plain(source, payload)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common() -> Common {
        Common { host: Some("pi".to_owned()), tags: vec!["z:1".to_owned()] }
    }

    fn body(form: &'static Form, common: Common, records: &[&str]) -> (String, Payload) {
        let mut batch = Box::new(ForwardedBatch::new(form, common));
        for (at, record) in records.iter().enumerate() {
            assert_eq!(batch.add(&at.to_le_bytes(), record.as_bytes()), Ok(Fit::Taken), "{record}");
        }
        let mut writer = batch.into_writer();
        let payload = std::iter::from_fn(|| Some(writer.write())).flatten().next().unwrap();
        let text = if form.is_compressed {
            miniz_oxide::inflate::decompress_to_vec_zlib(&payload.body).unwrap()
        } else {
            payload.body.clone()
        };
        assert_eq!(payload.raw_bytes, text.len());
        (String::from_utf8(text).unwrap(), payload)
    }

    #[test]
    fn each_kind_has_its_form_with_the_tags_and_host_of_all() {
        let record = r#"{"metric":"a","points":[[1,[2,3]]],"type":"distribution","tags":["k:v"]}"#;
        let (text, payload) = body(&DISTRIBUTIONS, common(), &[record, r#"{"metric":"b"}"#]);
        let first =
            r#"{"metric":"a","points":[[1,[2,3]]],"type":"distribution","host":"pi","tags":["k:v","z:1"]}"#;
        assert_eq!(text, format!(r#"{{"series":[{first},{{"metric":"b","host":"pi","tags":["z:1"]}}]}}"#));
        assert_eq!((payload.items, payload.first.as_str()), (2, first));
        let (text, _) = body(&EVENTS, common(), &[r#"{"title":"t","host":"other"}"#]);
        assert_eq!(text, r#"{"title":"t","host":"other","tags":["z:1"]}"#);
        let (text, _) = body(&CHECKS, common(), &[r#"{"check":"c","status":0}"#, r#"{"host_name":"x"}"#]);
        let second = r#"{"host_name":"x","tags":["z:1"]}"#;
        assert_eq!(text, format!(r#"[{{"check":"c","status":0,"host_name":"pi","tags":["z:1"]}},{second}]"#));
        assert_eq!(body(&CHECKS, Common::default(), &["{}", r#"{"tags":[]}"#]).0, "[{},{}]");
    }

    #[test]
    fn a_request_has_one_event_and_what_fits_of_others() {
        let mut events = ForwardedBatch::new(&EVENTS, common());
        assert_eq!(events.add(b"1", b"{}"), Ok(Fit::Taken));
        assert_eq!(events.add(b"2", b"{}"), Ok(Fit::NoRoom));
        let mut checks = ForwardedBatch::new(&CHECKS, common());
        let record = format!(r#"{{"message":"{}"}}"#, "m".repeat(10_000));
        let fits =
            std::iter::from_fn(|| (checks.add(b"1", record.as_bytes()) == Ok(Fit::Taken)).then_some(()))
                .count();
        assert_eq!(
            fits,
            BATCH_BYTES_MAX / (record.len() + r#",,"host_name":"pi","tags":["z:1"]"#.len() - 1) + 1
        );
    }

    #[test]
    fn what_is_no_object_costs_only_itself() {
        let mut batch = Box::new(ForwardedBatch::new(&CHECKS, Common::default()));
        for bad in ["", "[]", "{\"a\":1", "{\"a\":}", "{} x", "\u{1}"] {
            assert_eq!(batch.add(b"1", bad.as_bytes()), Err(RecordError::MalformedRecord), "{bad}");
        }
        assert!(batch.is_empty() && batch.text.is_empty());
        assert_eq!(batch.add(b"1", b"{\"a\":1}"), Ok(Fit::Taken));
        assert_eq!(batch.add(b"1", b"{\"a\":"), Err(RecordError::MalformedRecord));
        assert_eq!(String::from_utf8_lossy(&batch.text), "[{\"a\":1}");
    }
}
