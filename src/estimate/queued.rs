//! What applications have left in Redis, as far as it is looked at: raw records as the aggregator would merge them, and
//! wrapped ones.

use super::{APPLICATION, Pace, Plan};
use crate::agent::Settings;
use crate::aggregate::Bucket;
use crate::ingest::record::RecordParser;
use crate::metric::json::{JsonError, Reader};
use crate::metric::{Number, Point, Series, SeriesKind, Tags};
use crate::protocol::redis::{Found, Strings};

impl Plan {
    /// Takes raw records. What cannot be read, or what a rule drops, is passed over.
    pub fn add_raw(&mut self, records: &Strings, settings: &Settings) {
        let mut parser = RecordParser::default();
        let wrapper = &*settings.wrapper;
        // Two halves, so that values are seen to change.
        for half in [0, 1] {
            let mut bucket = Bucket::default();
            for record in
                values(records).skip(half * records.len().div_ceil(2)).take(records.len().div_ceil(2))
            {
                if let Ok(sample) = parser.parse(record, 1.0) {
                    let _ = bucket.add(&sample, wrapper);
                }
            }
            let mut contexts = bucket.take_contexts();
            let mut emit = |series| self.add(APPLICATION, series, Pace::Flush, None);
            while contexts.wrap_next(wrapper, settings.aggregate_interval_s, &mut emit).is_some() {}
        }
    }

    /// Takes wrapped records, but for series of another source that is known already.
    pub fn add_wrapped(&mut self, records: &Strings) {
        for record in values(records) {
            let Ok(series) = wrapped(record) else { continue };
            let is_known = |source, name: &str| source != APPLICATION && name == series.name;
            let known = self.flows.iter().any(|flow| is_known(flow.source, &flow.series.name));
            if !known && !self.absent.iter().any(|absent| is_known(absent.source, &absent.name)) {
                self.add(APPLICATION, series, Pace::Flush, None);
            }
        }
    }
}

fn values(records: &Strings) -> impl Iterator<Item = &[u8]> {
    records.iter().filter_map(|found| match found {
        Found::Value(value) => Some(value),
        _ => None,
    })
}

/// `{"metric":"a.b","tags":["k:v"],"points":[[1600000000.5,1]],"type":"gauge"}`, the first point only.
fn wrapped(record: &[u8]) -> Result<Series, JsonError> {
    let mut reader = Reader::from_bytes(record)?;
    let mut series = Series::gauge("", Tags::none(), Number::Int(0), 0.0);
    reader.enter_object()?;
    while let Some(key) = reader.next_key()? {
        match key.as_ref() {
            "metric" => series.name = reader.text()?.into_owned(),
            "type" => series.kind = SeriesKind::from_word(&reader.text()?),
            "interval" => {
                series.interval_s = reader.number_or_skip()?.map(|interval| interval.as_f64() as u32)
            }
            "tags" => {
                let mut tags = Vec::new();
                if reader.enter_list_or_skip()? {
                    while reader.next_element()? {
                        tags.push(reader.text()?.into_owned());
                    }
                }
                series.tags = Tags::from_strings(&tags);
            }
            "points" => series.point = first_point(reader.raw()?)?,
            _ => reader.skip()?,
        }
    }
    Ok(series)
}

fn first_point(points: &str) -> Result<Point, JsonError> {
    let mut reader = Reader::new(points);
    reader.enter_list()?;
    reader.next_element()?;
    reader.enter_list()?;
    reader.next_element()?;
    let timestamp = reader.number()?.as_f64();
    reader.next_element()?;
    Ok(Point { timestamp, value: reader.number()? })
}
