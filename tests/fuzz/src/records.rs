//! Raw records, a line each: read, merged, summarised, and taken by the batch at the other end.

use std::collections::BTreeMap;

use chouette_iot::aggregate::{Bucket, HistogramAggregate, HistogramOptions, WRAPPERS, Wrapper};
use chouette_iot::ingest::record::RecordParser;
use chouette_iot::limits::{NAME_BYTES_MAX, TAGS_BYTES_MAX};
use chouette_iot::metric::{Number, Sample, Series, SeriesKind, Tags, Value};
use chouette_iot::release::{Batch, Common, Fit, SeriesBatch};
use miniserde::json;

use super::{assert_printable, elements, member, number, parsed};

const SCORE_S: f64 = 1_600_000_005.5;
const INTERVAL_S: u32 = 10;
const RECORDS_MAX: usize = 64;

/// What [`super::TARGETS`] calls `record`.
pub fn record(data: &[u8]) {
    let all = [Max, Min, Median, Avg, Sum, Count];
    use HistogramAggregate::{Avg, Count, Max, Median, Min, Sum};
    let histogram = HistogramOptions { aggregates: all.to_vec(), percentiles: vec![0.0, 0.95, 1.0] };
    let wrappers: Vec<_> = WRAPPERS.iter().map(|row| (row.build)(&histogram)).collect();
    let mut buckets: Vec<(Bucket, Counts)> = wrappers.iter().map(|_| Default::default()).collect();
    let mut parser = RecordParser::default();
    for raw in data.split(|byte| *byte == b'\n').take(RECORDS_MAX) {
        // Scratch space that was used before must not show.
        let mut fresh = RecordParser::default();
        let expected = fresh.parse(raw, SCORE_S);
        let found = parser.parse(raw, SCORE_S);
        assert_eq!(found, expected, "a parser that was used before reads something else");
        match found {
            Ok(sample) => {
                check_sample(&sample, raw);
                for (wrapper, (bucket, counts)) in wrappers.iter().zip(&mut buckets) {
                    match bucket.add(&sample, &**wrapper) {
                        Ok(()) => counts.add(&sample),
                        Err(error) => assert_printable(&error, 100),
                    }
                }
            }
            Err(error) => {
                assert!(error.reason().bytes().all(|b| b.is_ascii_lowercase() || b"_8".contains(&b)));
                assert_printable(&error, 200);
            }
        }
    }
    for (wrapper, (bucket, counts)) in wrappers.iter().zip(buckets) {
        check_series(bucket, &**wrapper, counts);
    }
}

/// The sums of the counts that are integers, by name and tags; none where that cannot be told.
#[derive(Default)]
struct Counts(BTreeMap<(String, String), Option<i128>>);

impl Counts {
    fn add(&mut self, sample: &Sample<'_>) {
        if sample.kind == "count" || sample.kind == "set" {
            let sum = self.0.entry((sample.name.to_owned(), sample.tags.to_owned())).or_insert(Some(0));
            *sum = match (*sum, sample.value) {
                (Some(sum), Value::Number(Number::Int(n))) => sum.checked_add(n),
                _ => None,
            };
        }
    }
}

fn check_sample(sample: &Sample<'_>, raw: &[u8]) {
    assert!(sample.timestamp.is_finite());
    assert!(sample.name.len() <= NAME_BYTES_MAX && sample.kind.len() <= NAME_BYTES_MAX);
    assert!(sample.tags.len() <= TAGS_BYTES_MAX);
    let tags = Tags::from_canonical(sample.tags);
    let strings: Vec<_> = tags.iter().collect();
    assert_eq!(Tags::from_strings(&strings), tags, "tags that are not canonical");
    match sample.value {
        Value::Number(value) => assert!(value.is_finite()),
        Value::Set(set) => {
            assert!(set.iter().all(|element| !element.is_empty()));
            assert!(set.iter().map(<[u8]>::len).sum::<usize>() <= 5 * raw.len(), "more than what was there");
        }
    }
    // What another parser takes for JSON has the same name and type there.
    let text = std::str::from_utf8(raw).expect("a record is UTF-8");
    if let Ok(other) = json::from_str::<json::Value>(text) {
        for (field, found) in [("metric", sample.name), ("type", sample.kind)] {
            match member(&other, field) {
                Some(json::Value::String(text)) => assert_eq!(text, found, "{field}"),
                other => panic!("{field} is {other:?}"),
            }
        }
    }
}

fn check_series(mut bucket: Bucket, wrapper: &dyn Wrapper, counts: Counts) {
    let expected_contexts = bucket.len();
    let mut batch = SeriesBatch::new(Common::default(), Default::default());
    let mut contexts = bucket.take_contexts();
    let mut contexts_wrapped = 0;
    let mut text = Vec::new();
    loop {
        let mut emitted = Vec::new();
        let Some(not_finite) = contexts.wrap_next(wrapper, INTERVAL_S, &mut |series| emitted.push(series))
        else {
            break;
        };
        contexts_wrapped += 1;
        assert!(emitted.len() as u64 + not_finite > 0, "a context that became nothing");
        for series in emitted {
            text.clear();
            series.write_json(&mut text);
            check_written(&series, &text);
            assert_eq!(batch.add(b"key", &text), Ok(Fit::Taken), "what is stored cannot be released");
            let key = (series.name.clone(), series.tags.as_str().to_owned());
            let sum = counts.0.get(&key).copied().flatten().map(Number::Int);
            if series.kind == SeriesKind::Count && sum.is_some() && !key.0.ends_with(".count") {
                assert_eq!(Some(series.point.value), sum, "a sum that is not exact");
            }
        }
    }
    assert_eq!(contexts_wrapped, expected_contexts);
}

/// The record of the wrapped queue says what the series is, to another parser too.
pub fn check_written(series: &Series, text: &[u8]) {
    let value = parsed(text);
    match member(&value, "metric") {
        Some(json::Value::String(name)) => assert_eq!(name, &series.name),
        other => panic!("metric is {other:?}"),
    }
    let tags: Vec<_> = elements(member(&value, "tags")).iter().collect();
    assert_eq!(tags.len(), series.tags.iter().count());
    let [point] = elements(member(&value, "points")) else {
        panic!("not one point: {value:?}");
    };
    let [timestamp, reading] = elements(Some(point)) else {
        panic!("no point: {point:?}");
    };
    assert!(is_close(number(timestamp), series.point.timestamp));
    assert!(is_close(number(reading), series.point.value.as_f64()));
    assert_eq!(member(&value, "interval").is_some(), series.kind != SeriesKind::Gauge);
}

/// The other parser rounds more than once.
fn is_close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(f64::MIN_POSITIVE / f64::EPSILON)
}
