//! One wrapped metric, as it stands in the wrapped queue:
//! `{"metric": "a.b", "tags": ["k:v"], "points": [[1600000000.5, 1]], "type": "count", "interval": 10}`.

use super::batch::RecordError;
use crate::metric::json::{JsonError, Reader};
use crate::metric::{Number, SeriesKind, Tags};

/// What makes points one series at Datadog, in the order the payload has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    /// Metric name, unescaped.
    pub name: String,
    /// Canonical tags, without the global ones.
    pub tags: Tags,
    /// Count, gauge or rate.
    pub kind: SeriesKind,
    /// Seconds a point covers.
    pub interval_s: Option<u32>,
}

/// A record that was read.
#[derive(Debug, PartialEq)]
pub(super) struct WrappedRecord {
    /// The series its points belong to.
    pub key: SeriesKey,
    /// Unix seconds and value, finite; at least one.
    pub points: Vec<(f64, Number)>,
}

impl From<JsonError> for RecordError {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::NotFinite { .. } => RecordError::NotFinite,
            _ => RecordError::MalformedSeries,
        }
    }
}

impl WrappedRecord {
    /// Reads one record. Fields it does not know are passed over; of a field that stands twice the last
    /// one counts.
    pub fn parse(raw: &[u8]) -> Result<WrappedRecord, RecordError> {
        let (mut name, mut tags, mut kind, mut interval_s) = (None, Tags::none(), None, None);
        let mut points = Vec::new();
        let mut reader = Reader::from_bytes(raw)?;
        reader.enter_object()?;
        while let Some(field) = reader.next_key()? {
            match &*field {
                "metric" => name = Some(reader.text()?.into_owned()),
                "type" => kind = reader.text_or_skip()?.map(|word| SeriesKind::from_word(&word)),
                "interval" => interval_s = reader.number_or_skip()?.and_then(whole_seconds),
                "tags" => tags = read_tags(&mut reader)?,
                "points" => points = read_points(&mut reader)?,
                _ => reader.skip()?,
            }
        }
        reader.end()?;
        let (Some(name), false) = (name, points.is_empty()) else {
            return Err(RecordError::MalformedSeries);
        };
        let kind = kind.unwrap_or(SeriesKind::Gauge);
        Ok(WrappedRecord { key: SeriesKey { name, tags, kind, interval_s }, points })
    }
}

fn whole_seconds(number: Number) -> Option<u32> {
    let seconds = number.as_f64();
    (seconds >= 1.0 && seconds <= f64::from(u32::MAX)).then_some(seconds as u32)
}

/// A list of strings; what is no string in it is left out, and what is no list counts as no tags.
fn read_tags(reader: &mut Reader<'_>) -> Result<Tags, RecordError> {
    let mut tags = Vec::new();
    if reader.enter_list_or_skip()? {
        while reader.next_element()? {
            tags.extend(reader.text_or_skip()?);
        }
    }
    Ok(Tags::from_strings(&tags))
}

/// `[[seconds, value], …]`
fn read_points(reader: &mut Reader<'_>) -> Result<Vec<(f64, Number)>, RecordError> {
    let mut points = Vec::new();
    reader.enter_list()?;
    while reader.next_element()? {
        reader.enter_list()?;
        let mut number = || match reader.next_element()? {
            true => Ok(reader.number()?),
            false => Err(RecordError::MalformedSeries),
        };
        points.push((number()?.as_f64(), number()?));
        if reader.next_element()? {
            return Err(RecordError::MalformedSeries);
        }
    }
    Ok(points)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(raw: &str) -> Result<WrappedRecord, RecordError> {
        WrappedRecord::parse(raw.as_bytes())
    }

    #[test]
    fn records_of_both_programs_are_the_same() {
        let python = r#"{"metric": "a", "tags": ["k:v", "b:1"], "points": [[1600000000.5, 2.0]], "type": "count", "interval": 10}"#;
        let ours =
            r#"{"metric":"a","tags":["b:1","k:v"],"points":[[1600000000.5,2]],"type":"count","interval":10}"#;
        let (python, ours) = (parse(python).unwrap(), parse(ours).unwrap());
        assert_eq!(python.key, ours.key);
        assert_eq!(python.key.interval_s, Some(10));
        assert_eq!(ours.points, [(1_600_000_000.5, Number::Int(2))]);
    }

    #[test]
    fn what_is_missing_has_a_default_and_what_is_odd_is_passed_over() {
        let record =
            parse(r#"{"points":[[1,2],[3,4.5]],"tags":["a:b",5,null],"metric":"m","type":7,"x":{"y":[1]}}"#);
        let record = record.unwrap();
        assert_eq!(record.key.tags.as_str(), r#"["a:b"]"#);
        assert_eq!((record.key.kind, record.key.interval_s), (SeriesKind::Gauge, None));
        assert_eq!(record.points.len(), 2);
    }

    #[test]
    fn what_datadog_would_refuse_is_not_sent() {
        for raw in [
            "",
            "[]",
            "{}",
            r#"{"metric":"m"}"#,
            r#"{"metric":"m","points":[]}"#,
            r#"{"metric":"m","points":[[1]]}"#,
            r#"{"metric":"m","points":[[1,"2"]]}"#,
            r#"{"metric":"m","points":[[1,2,3]]}"#,
            r#"{"metric":5,"points":[[1,2]]}"#,
            r#"{"metric":"m","points":[[1,2]]} x"#,
        ] {
            assert_eq!(parse(raw), Err(RecordError::MalformedSeries), "{raw}");
        }
        for raw in [
            r#"{"metric":"m","points":[[1,NaN]]}"#,
            r#"{"metric":"m","points":[[Infinity,1]]}"#,
            r#"{"metric":"m","points":[[1,1e999]]}"#,
        ] {
            assert_eq!(parse(raw), Err(RecordError::NotFinite), "{raw}");
        }
    }
}
