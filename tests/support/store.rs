//! What Datadog would hold after a number of requests: of one series, the last point of a second wins.

use super::intake::Request;
use super::json::{self, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Datadog's bounds on one request.
const COMPRESSED_BYTES_MAX: usize = 3_200_000;
const BODY_BYTES_MAX: usize = 62_914_560;

/// What makes points one series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesKey {
    pub metric: String,
    pub host: Option<String>,
    pub tags: Vec<String>,
}

/// One series with its points by second.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Held {
    pub kind: String,
    pub interval: Option<u64>,
    pub points: BTreeMap<u64, f64>,
}

/// The series by what makes them one.
#[derive(Debug, Default)]
pub struct Store(pub BTreeMap<SeriesKey, Held>);

impl Store {
    /// What the intake holds when everything it read whole was stored, even where the answer was lost on its way.
    pub fn stored(requests: &[Arc<Request>]) -> Store {
        Store::of(requests.iter().filter(|request| request.stored))
    }

    /// What the intake holds when only requests it said yes to were stored.
    pub fn acknowledged(requests: &[Arc<Request>]) -> Store {
        Store::of(requests.iter().filter(|request| request.acknowledged))
    }

    /// Either of them; fails unless they are the same.
    pub fn of_both(requests: &[Arc<Request>]) -> Store {
        let (stored, acknowledged) = (Store::stored(requests), Store::acknowledged(requests));
        assert_eq!(stored.0, acknowledged.0, "a point that was sent again must overwrite the same point");
        stored
    }

    fn of<'a>(requests: impl Iterator<Item = &'a Arc<Request>>) -> Store {
        let mut store = Store::default();
        for request in requests {
            assert_eq!(
                problems(request),
                Vec::<String>::new(),
                "request {} is one Datadog refuses",
                request.number
            );
            for series in request.series() {
                store.add(series);
            }
        }
        store
    }

    fn add(&mut self, series: &Value) {
        let key = SeriesKey {
            metric: json::text(json::get(series, "metric")).unwrap_or_default().to_owned(),
            host: json::text(json::get(series, "host")).map(str::to_owned),
            tags: json::sorted_texts(json::get(series, "tags")),
        };
        let held = self.0.entry(key).or_default();
        held.kind = json::text(json::get(series, "type")).unwrap_or("gauge").to_owned();
        held.interval = json::integer(json::get(series, "interval"));
        for point in json::items(json::get(series, "points")) {
            let point = json::items(Some(point));
            if let (Some(second), Some(value)) = (json::integer(point.first()), json::number(point.get(1))) {
                held.points.insert(second, value);
            }
        }
    }

    /// The series of a metric.
    pub fn series(&self, metric: &str) -> Vec<(&SeriesKey, &Held)> {
        self.0.iter().filter(|(key, _)| key.metric == metric).collect()
    }

    /// The one series of a metric.
    pub fn only(&self, metric: &str) -> (&SeriesKey, &Held) {
        match self.series(metric)[..] {
            [one] => one,
            ref several => panic!("{metric}: {} series, not one: {several:?}", several.len()),
        }
    }

    /// All points of a metric added up.
    pub fn sum(&self, metric: &str) -> f64 {
        self.series(metric).iter().flat_map(|(_, held)| held.points.values()).sum()
    }

    pub fn names(&self) -> BTreeSet<&str> {
        self.0.keys().map(|key| key.metric.as_str()).collect()
    }

    /// Points of all series.
    pub fn point_count(&self) -> usize {
        self.0.values().map(|held| held.points.len()).sum()
    }
}

/// What Datadog would object to in a request, or silently get wrong.
pub fn problems(request: &Request) -> Vec<String> {
    let mut found = Vec::new();
    if request.body_bytes > COMPRESSED_BYTES_MAX {
        found.push(format!("{} compressed bytes", request.body_bytes));
    }
    if request.text.len() > BODY_BYTES_MAX {
        found.push(format!("{} bytes", request.text.len()));
    }
    if !matches!(request.json, Some(Value::Object(_))) {
        found.push(format!("no JSON object: {}", request.text.chars().take(200).collect::<String>()));
    }
    for series in request.series() {
        let mut object = |what: &str| found.push(format!("{what}: {}", miniserde::json::to_string(series)));
        if json::text(json::get(series, "metric")).is_none_or(str::is_empty) {
            object("no metric name");
        }
        if !matches!(json::text(json::get(series, "type")), Some("count" | "gauge" | "rate")) {
            object("no type");
        }
        if json::get(series, "interval").is_some_and(|interval| json::integer(Some(interval)).is_none()) {
            object("the interval is no integer");
        }
        let points = json::items(json::get(series, "points"));
        if points.is_empty() {
            object("no points");
        }
        let mut seconds = BTreeSet::new();
        for point in points {
            match json::items(Some(point)) {
                [second, value] if json::number(Some(value)).is_some_and(f64::is_finite) => {
                    match json::integer(Some(second)) {
                        Some(second) if !seconds.insert(second) => object("two points on one second"),
                        Some(_) => {}
                        None => object("the time is no whole second"),
                    }
                }
                _ => object("not a pair of a time and a finite number"),
            }
        }
    }
    found
}
