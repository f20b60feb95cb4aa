//! What becomes of wrapped records, told by the body; the merging is compared with a plain model of it.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::limits::BATCH_BYTES_MAX;
use crate::metric::{Number, json};
use crate::release::backoff::Random;

fn batch() -> SeriesBatch {
    SeriesBatch::new(Common::default(), Default::default())
}

fn body(batch: SeriesBatch) -> (Payload, String) {
    let mut writer = Box::new(batch).into_writer();
    let payload = std::iter::from_fn(|| Some(writer.write())).flatten().next().unwrap();
    let text = miniz_oxide::inflate::decompress_to_vec_zlib(&payload.body).unwrap();
    assert_eq!(payload.raw_bytes, text.len());
    (payload, String::from_utf8(text).unwrap())
}

fn record(name: &str, kind: &str, timestamp: &str, value: &str) -> String {
    format!(r#"{{"metric":"{name}","tags":["k:v"],"points":[[{timestamp},{value}]],"type":"{kind}"}}"#)
}

fn sent(batch: SeriesBatch, records: &[String]) -> String {
    let mut batch = batch;
    for (i, record) in records.iter().enumerate() {
        assert_eq!(batch.add(i.to_string().as_bytes(), record.as_bytes()), Ok(Fit::Taken), "{record}");
    }
    body(batch).1
}

#[test]
fn a_series_has_all_of_its_points_and_what_is_common() {
    let common = Common { host: Some("p\"i".to_owned()), tags: vec!["a:1".to_owned(), "z:1".to_owned()] };
    let batch = SeriesBatch::new(common, Default::default());
    let records = [
        r#"{"metric": "b", "tags": ["k:v"], "points": [[20.5, 1.50]], "type": "rate", "interval": 10}"#,
        r#"{"metric":"a","tags":[],"points":[[7,1]],"type":"gauge","interval":10}"#,
        r#"{"type":"rate","metric":"\u0062","interval":10.0,"tags":["k:v","k:v"],"points":[[10,2],[30,3e0]]}"#,
    ];
    let expected = concat!(
        r#"{"series":[{"metric":"a","type":"gauge","host":"p\"i","tags":["a:1","z:1"],"points":[[7,1]]},"#,
        r#"{"metric":"b","type":"rate","interval":10,"host":"p\"i","tags":["a:1","k:v","z:1"],"#,
        r#""points":[[10,2],[20,1.5],[30,3]]}]}"#
    );
    assert_eq!(sent(batch, &records.map(str::to_owned)), expected);
    assert_eq!(body(super::tests::batch()).1, r#"{"series":[]}"#);
}

#[test]
fn series_are_one_by_name_tags_kind_and_interval() {
    let records = [
        r#"{"metric":"m","tags":["k:v"],"points":[[1,1]],"type":"count","interval":10}"#,
        r#"{"metric":"m","tags":["k:v"],"points":[[1,1]],"type":"count","interval":60}"#,
        r#"{"metric":"m","tags":["k:v"],"points":[[1,1]],"type":"rate","interval":10}"#,
        r#"{"metric":"m","tags":[],"points":[[1,1]],"type":"count","interval":10}"#,
        r#"{"metric":"n","tags":["k:v"],"points":[[1,1]],"type":"count","interval":10}"#,
    ];
    let text = sent(batch(), &records.map(str::to_owned));
    assert_eq!(text.matches("\"metric\"").count(), records.len(), "{text}");
}

#[test]
fn merging_does_what_a_plain_model_does() {
    let seed = 3;
    let mut random = Random::new(seed);
    let mut batch = batch();
    /// By series and second: timestamp and value.
    type Model = BTreeMap<(String, &'static str), BTreeMap<i64, (f64, Number)>>;
    let mut model = Model::new();
    let mut keys: BTreeMap<(String, &'static str), BTreeSet<String>> = BTreeMap::new();
    for i in 0..5_000 {
        let series = (format!("m{}", random.below(40)), ["count", "gauge", "rate"][random.below(3) as usize]);
        let timestamp = random.below(400) as f64 / 4.0 - 20.0;
        let value = match random.below(3) {
            0 => Number::Int(random.below(1_000).into()),
            1 => Number::Float(random.below(100_000) as f64 / 100.0),
            _ => Number::Float(random.unit()),
        };
        let (mut at, mut text) = (Vec::new(), Vec::new());
        Number::Float(timestamp).write_json(&mut at);
        value.write_json(&mut text);
        let [at, text] = [at, text].map(|bytes| String::from_utf8(bytes).unwrap());
        // As it is read: what ends in `.0` is written as an integer.
        let value = Number::from_json(&text).unwrap();
        let key = format!("key-{i}");
        let raw = record(&series.0, series.1, &at, &text);
        assert_eq!(batch.add(key.as_bytes(), raw.as_bytes()), Ok(Fit::Taken), "{raw}");
        keys.entry(series.clone()).or_default().insert(key);
        let points = model.entry(series.clone()).or_default();
        let second = timestamp.floor() as i64;
        let merged = match points.get(&second) {
            Some((earlier, known)) if series.1 == "gauge" && timestamp < *earlier => (*earlier, *known),
            Some((earlier, known)) if series.1 != "gauge" => (*earlier, *known + value),
            _ => (timestamp, value),
        };
        points.insert(second, merged);
    }
    let mut expected: Vec<String> = Vec::new();
    for ((name, kind), points) in &model {
        let points: Vec<String> = points
            .iter()
            .map(|(second, (_, value))| {
                let mut text = Vec::new();
                value.write_json(&mut text);
                format!("[{second},{}]", String::from_utf8(text).unwrap())
            })
            .collect();
        let points = points.join(",");
        expected.push(format!(r#"{{"metric":"{name}","type":"{kind}","tags":["k:v"],"points":[{points}]}}"#));
    }
    let (payload, text) = body(batch);
    let inner = text.strip_prefix("{\"series\":[").and_then(|text| text.strip_suffix("]}")).unwrap();
    let mut found: Vec<String> =
        inner.split("},{").map(|one| format!("{{{}}}", one.trim_matches(['{', '}']))).collect();
    let names = |list: &[String]| {
        list.iter().map(|one| one.split(',').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(names(&found).is_sorted(), "in the order of names");
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "seed {seed}");

    let groups: usize = model.len();
    assert_eq!((payload.items, payload.keys.len()), (groups, 5_000));
    let mut from = 0;
    let mut groups = BTreeSet::new();
    while from < payload.keys.len() {
        let range = payload.keys.whole_groups(from, 1, usize::MAX);
        from = range.end;
        let keys: BTreeSet<String> =
            payload.keys.keys(range).map(|key| String::from_utf8(key.to_vec()).unwrap()).collect();
        groups.insert(keys);
    }
    assert_eq!(groups, keys.into_values().collect(), "the keys of each series are a group");
}

#[test]
fn counts_leave_delivered_seconds_and_gauges_do_not() {
    let delivered = Rc::new(RefCell::new(Delivered::default()));
    let batch = || SeriesBatch::new(Common::default(), Rc::clone(&delivered));
    let mut first = batch();
    for record in [record("c", "count", "10", "1"), record("g", "gauge", "10", "1")] {
        first.add(b"key", record.as_bytes()).unwrap();
    }
    let (payload, _) = body(first);
    assert_eq!(payload.delivers.len(), 1, "only the count");
    delivered.borrow_mut().remember(payload.delivers.into_iter().map(|(_, point)| point).collect());

    let late = ["10.5", "11", "12", "40"].map(|at| record("c", "count", at, "1"));
    let text = sent(batch(), &[&late[..], &[record("g", "gauge", "10", "2")]].concat());
    assert!(text.contains("[[11,1],[12,1],[13,1],[40,1]]"), "{text}");
    assert!(text.contains("[[10,2]]"), "{text}");
}

#[test]
fn a_sum_that_is_not_finite_is_left_out_and_counted() {
    let mut batch = batch();
    for at in ["1.0", "1.5", "2"] {
        batch.add(b"key", record("c", "count", at, "1.7e308").as_bytes()).unwrap();
    }
    let (payload, text) = body(batch);
    assert!(text.contains("\"points\":[[2,1.7e308]]"), "{text}");
    assert_eq!((payload.points, payload.left_out.get("not_finite")), (1, Some(&1)));
}

#[test]
fn fractions_are_rounded_where_digits_are_asked_for() {
    let records =
        [("1", "33.333333333333336"), ("2", "123456789"), ("3", "1234567.25"), ("3.5", "1e-7"), ("4", "0.5")]
            .map(|(at, value)| record("c", "count", at, value));
    let rounded = sent(batch().with_value_digits(Some(6)), &records);
    assert!(rounded.contains("[[1,33.3333],[2,123456789],[3,1234570],[4,0.5]]"), "{rounded}");
    let whole = sent(batch(), &records);
    assert!(whole.contains("[[1,33.333333333333336],[2,123456789],[3,1234567.2500001],[4,0.5]]"), "{whole}");
}

#[test]
fn a_batch_is_full_when_its_bytes_are_and_keeps_what_it_has() {
    let mut batch = batch();
    let long = record(&"n".repeat(BATCH_BYTES_MAX / 4), "gauge", "1", "2");
    assert_eq!(batch.add(b"bad", b"{}"), Err(RecordError::MalformedSeries));
    assert!(batch.is_empty(), "what cannot be read leaves nothing");
    while batch.add(b"key", long.as_bytes()) == Ok(Fit::Taken) {}
    let (payload, text) = body(batch);
    assert_eq!((payload.items, payload.points, payload.keys.len()), (1, 1, 4));
    assert!(payload.first.starts_with("nnn") && text.contains("[[1,2]]"));
}

#[test]
fn the_text_that_is_kept_is_what_would_have_been_compressed() {
    let make = || {
        let mut batch = batch();
        for i in 0..500 {
            batch.add(b"key", record(&format!("app.{i}"), "gauge", "1", "2").as_bytes()).unwrap();
        }
        batch
    };
    let (sent, text) = body(make());
    let mut writer = Box::new(make()).into_writer();
    writer.keep_text();
    let kept = std::iter::from_fn(|| Some(writer.write())).flatten().next().unwrap();
    assert_eq!((kept.compressed_bytes, sent.compressed_bytes), (sent.body.len(), sent.body.len()));
    assert_eq!((kept.raw_bytes, String::from_utf8(kept.body).unwrap()), (text.len(), text));
}

#[test]
fn a_body_of_many_series_is_written_in_slices_and_reads_back() {
    let mut batch = batch();
    let count = 3_000;
    for i in 0..count {
        batch
            .add(b"key", record(&format!("app.metric{i}"), "gauge", "1", &i.to_string()).as_bytes())
            .unwrap();
    }
    let mut writer = Box::new(batch).into_writer();
    let mut slices = 1;
    while writer.write().is_none() {
        slices += 1;
    }
    assert!(slices > count * 60 / PAYLOAD_BYTES_PER_SLICE, "{slices}");

    let mut names = Vec::new();
    json::write_string("x", &mut names);
    assert_eq!(unescaped(br#"a\"b""#), "a\"b");
}
