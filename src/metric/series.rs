//! What is sent: points of one metric and one tag set.

use super::{Number, Tags, json};

/// How Datadog treats the points of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SeriesKind {
    /// Events within the interval.
    Count,
    /// The last value known.
    Gauge,
    /// Events per second.
    Rate,
}

impl SeriesKind {
    /// The word Datadog's API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            SeriesKind::Count => "count",
            SeriesKind::Gauge => "gauge",
            SeriesKind::Rate => "rate",
        }
    }

    /// The kind an API word names; Datadog calls anything else a gauge, and so does the agent.
    pub fn from_word(word: &str) -> SeriesKind {
        match word {
            "count" => SeriesKind::Count,
            "rate" => SeriesKind::Rate,
            _ => SeriesKind::Gauge,
        }
    }
}

/// One value at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Unix seconds; a fraction is kept until the release.
    pub timestamp: f64,
    /// The value, finite.
    pub value: Number,
}

/// One point of one metric on its way to the wrapped queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Metric name, unescaped.
    pub name: String,
    /// How the point is to be read.
    pub kind: SeriesKind,
    /// Canonical tags.
    pub tags: Tags,
    /// Seconds that the point covers; counts and rates have one.
    pub interval_s: Option<u32>,
    /// The point.
    pub point: Point,
}

impl Series {
    /// A reading of the agent's own: a gauge.
    pub fn gauge(name: &str, tags: Tags, value: Number, timestamp: f64) -> Series {
        Series {
            name: name.to_owned(),
            kind: SeriesKind::Gauge,
            tags,
            interval_s: None,
            point: Point { timestamp, value },
        }
    }

    /// Appends the record that stands in the wrapped queue:
    /// `{"metric":"a.b","tags":["k:v"],"points":[[1600000000.5,1]],"type":"gauge"}`.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let mut timestamp = Vec::new();
        Number::Float(self.point.timestamp).write_json(&mut timestamp);
        self.write_json_at(&timestamp, out);
    }

    /// The same with the text of the point's timestamp.
    pub fn write_json_at(&self, timestamp: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"metric\":");
        json::write_string(&self.name, out);
        out.extend_from_slice(b",\"tags\":");
        out.extend_from_slice(self.tags.as_str().as_bytes());
        out.extend_from_slice(b",\"points\":[[");
        out.extend_from_slice(timestamp);
        out.push(b',');
        self.point.value.write_json(out);
        out.extend_from_slice(b"]],\"type\":\"");
        out.extend_from_slice(self.kind.as_str().as_bytes());
        out.push(b'"');
        if let Some(interval_s) = self.interval_s {
            out.extend_from_slice(b",\"interval\":");
            Number::Int(i128::from(interval_s)).write_json(out);
        }
        out.push(b'}');
    }
}
