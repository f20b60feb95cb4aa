//! What the intakes of both streams store.

use std::collections::BTreeMap;

use crate::agent::{Answer, Stream};
use crate::metric::json::Reader;

/// A request that holds this is refused.
pub const POISON: &str = "poison";

#[derive(Default)]
pub struct FakeIntake {
    /// For each series and second the last value.
    stored: BTreeMap<(String, i64), f64>,
    /// How often each log arrived, by its key.
    pub logs: BTreeMap<String, u32>,
}

impl FakeIntake {
    /// Stores a body or not, as `fate` has it, and says what the agent will hear of it.
    pub fn take(&mut self, stream: Stream, body: &[u8], fate: u64) -> Result<Answer, String> {
        let text = inflated(body);
        let refused = stream == Stream::Logs && text.contains(POISON);
        let answer = |status| Ok(Answer { status, retry_after: None, excerpt: String::new() });
        match fate {
            0 => answer(503),
            1 => Err("no answer".to_owned()),
            2 => {
                // Stored, but the answer is lost: the same points come again and overwrite themselves.
                if !refused {
                    self.store(stream, &text);
                }
                Err("connection reset".to_owned())
            }
            3 => answer(403),
            _ if refused => answer(400),
            _ => {
                self.store(stream, &text);
                answer(202)
            }
        }
    }

    fn store(&mut self, stream: Stream, text: &str) {
        match stream {
            Stream::Metrics => self.store_metrics(text),
            Stream::Logs => self.store_logs(text),
            Stream::Distributions | Stream::Events | Stream::Checks => {}
        }
    }

    fn store_logs(&mut self, text: &str) {
        let mut reader = Reader::new(text);
        reader.enter_list().unwrap();
        while reader.next_element().unwrap() {
            reader.enter_object().unwrap();
            while let Some(field) = reader.next_key().unwrap() {
                match &*field {
                    "key" => *self.logs.entry(reader.text().unwrap().into_owned()).or_default() += 1,
                    _ => reader.skip().unwrap(),
                }
            }
        }
        reader.end().unwrap();
    }

    fn store_metrics(&mut self, text: &str) {
        let mut reader = Reader::new(text);
        reader.enter_object().unwrap();
        while reader.next_key().unwrap().is_some() {
            reader.enter_list().unwrap();
            while reader.next_element().unwrap() {
                self.store_series(&mut reader);
            }
        }
    }

    fn store_series(&mut self, reader: &mut Reader<'_>) {
        let (mut name, mut tags, mut points) = (String::new(), String::new(), Vec::new());
        reader.enter_object().unwrap();
        while let Some(key) = reader.next_key().unwrap() {
            match &*key {
                "metric" => name = reader.text().unwrap().into_owned(),
                "tags" => tags = reader.raw().unwrap().to_owned(),
                "points" => {
                    reader.enter_list().unwrap();
                    while reader.next_element().unwrap() {
                        reader.enter_list().unwrap();
                        assert!(reader.next_element().unwrap());
                        let second = reader.number().unwrap();
                        assert!(matches!(second, crate::metric::Number::Int(_)), "whole seconds");
                        assert!(reader.next_element().unwrap());
                        points.push((second.as_f64() as i64, reader.number().unwrap().as_f64()));
                        assert!(!reader.next_element().unwrap());
                    }
                }
                _ => reader.skip().unwrap(),
            }
        }
        for (second, value) in points {
            self.stored.insert((format!("{name}{tags}"), second), value);
        }
    }

    pub fn sum(&self, prefix: &str) -> f64 {
        self.stored.iter().filter(|((series, _), _)| series.starts_with(prefix)).map(|(_, value)| value).sum()
    }
}

fn inflated(body: &[u8]) -> String {
    let text = miniz_oxide::inflate::decompress_to_vec_zlib(body).expect("a zlib body");
    String::from_utf8(text).expect("UTF-8")
}
