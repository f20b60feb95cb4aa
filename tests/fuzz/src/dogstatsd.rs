//! Datagrams of DogStatsD, taken apart and read.

use chouette_iot::ingest::dogstatsd::{Message, Metric, Parser, messages};
use chouette_iot::limits::{NAME_BYTES_MAX, TAGS_BYTES_MAX};
use chouette_iot::metric::{Tags, Value};

use super::assert_printable;

const NOW_S: f64 = 1_600_000_005.5;

/// What [`super::TARGETS`] calls `dogstatsd`.
pub fn dogstatsd(data: &[u8]) {
    let mut parser = Parser::default();
    for is_cut in [false, true] {
        let mut bytes = 0;
        for message in messages(data, is_cut) {
            match message {
                Ok(message) => {
                    assert!(!message.is_empty() && !message.contains(&b'\n'));
                    bytes += message.len();
                    check(&mut parser, message);
                }
                Err(error) => {
                    assert!(is_cut, "what is whole has no end that is missing");
                    assert_printable(&error, 100);
                }
            }
        }
        assert!(bytes <= data.len());
    }
}

fn check(parser: &mut Parser, message: &[u8]) {
    // Scratch space that was used before must not show.
    let mut fresh = Parser::default();
    let expected = fresh.parse(message);
    let found = parser.parse(message);
    assert_eq!(found, expected, "a parser that was used before reads something else");
    match found {
        Ok(Message::Metric(metric)) => check_metric(&metric, message),
        Ok(Message::Event(event)) => {
            assert!(!event.title.is_empty());
            assert!(event.title.len() + event.text.len() <= message.len());
            assert!(event.timestamp_s.is_none_or(|at| at > 0));
            check_tags(event.tags);
        }
        Ok(Message::Check(check)) => {
            assert!(!check.name.is_empty() && check.name.len() <= NAME_BYTES_MAX);
            assert!(check.status.number() <= 3);
            assert!(check.timestamp_s.is_none_or(|at| at > 0));
            check_tags(check.tags);
        }
        Err(error) => {
            assert!(error.reason().bytes().all(|b| b.is_ascii_lowercase() || b"_8".contains(&b)));
            assert_printable(&error, 100);
        }
    }
}

fn check_metric(metric: &Metric<'_>, message: &[u8]) {
    assert!(!metric.name.is_empty() && metric.name.len() <= NAME_BYTES_MAX);
    assert!(metric.weight.is_finite() && metric.weight >= 1.0);
    check_tags(metric.tags);
    let mut samples = 0;
    for sample in metric.samples(NOW_S) {
        samples += 1;
        assert_eq!((sample.name, sample.tags), (metric.name, metric.tags));
        assert!(
            sample.timestamp == NOW_S || metric.timestamp_s.is_some_and(|at| at as f64 == sample.timestamp)
        );
        match sample.value {
            Value::Number(value) => assert!(value.is_finite()),
            Value::Set(elements) => assert_eq!(elements.iter().count(), 1),
        }
    }
    assert!(samples >= 1 && samples <= message.len());
}

fn check_tags(text: &str) {
    assert!(text.len() <= TAGS_BYTES_MAX);
    let tags = Tags::from_canonical(text);
    let strings: Vec<_> = tags.iter().collect();
    assert_eq!(Tags::from_strings(&strings), tags, "tags that are not canonical");
    assert!(strings.iter().all(|tag| !tag.is_empty()));
}
