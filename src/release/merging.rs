//! The points of one series on their seconds.
//!
//! Two points of one series on the same second would overwrite each other at Datadog (the last one wins), so they are
//! merged: counts and rates add up, of gauges the later one stays.

use super::delivered::{Delivered, Points};
use crate::metric::{Number, SeriesKind};

/// A point as a record has it, in the order of arrival one behind the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub timestamp_s: f64,
    /// Where its value stands.
    value_start: u32,
    /// The position of the record it came with.
    pub record: u32,
    /// The position of the next one of its series.
    pub next: u32,
    value_len: u8,
}

impl Point {
    /// A point that belongs to nothing yet.
    pub fn new(timestamp_s: f64, value_start: u32, value_len: u8) -> Point {
        Point { timestamp_s, value_start, value_len, record: 0, next: NONE }
    }

    /// The text of its value.
    pub fn value(self, values: &[u8]) -> &[u8] {
        let start = self.value_start as usize;
        values.get(start..start + usize::from(self.value_len)).unwrap_or_default()
    }
}

/// No point.
pub(super) const NONE: u32 = u32::MAX;

/// The points of a series, from its first one on.
pub(super) fn chain(points: &[Point], first: u32) -> impl Iterator<Item = &Point> {
    std::iter::successors(points.get(first as usize), |point| points.get(point.next as usize))
}

/// The records they came with, each once: the points of one stand together.
pub(super) fn records(points: &[Point], first: u32) -> impl Iterator<Item = usize> {
    let mut last = NONE;
    chain(points, first).filter_map(move |point| {
        let is_new = point.record != last;
        last = point.record;
        is_new.then_some(point.record as usize)
    })
}

/// What is sent of a second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Merged {
    pub second: i64,
    /// The value of this point,
    point: Point,
    /// unless several were added up.
    sum: Option<Number>,
}

impl Merged {
    /// A point alone on its second.
    pub fn new(point: Point) -> Merged {
        Merged { second: point.timestamp_s.floor() as i64, point, sum: None }
    }

    fn number(&self, values: &[u8]) -> Number {
        let read = || Number::from_json(std::str::from_utf8(self.point.value(values)).ok()?);
        // What stands there was read before.
        self.sum.or_else(read).unwrap_or(Number::Int(0))
    }

    /// Whether it can be sent: a sum may be infinite.
    pub fn is_finite(&self) -> bool {
        self.sum.is_none_or(Number::is_finite)
    }

    /// Appends the value, a fraction with so many significant digits at most.
    pub fn write_value(&self, values: &[u8], digits_max: Option<u8>, out: &mut Vec<u8>) {
        let text = self.point.value(values);
        let is_fraction = || text.iter().any(|byte| matches!(byte, b'.' | b'e'));
        match digits_max {
            Some(digits) if self.sum.is_some() || is_fraction() => {
                self.number(values).rounded(digits).write_json(out)
            }
            _ => match self.sum {
                Some(sum) => sum.write_json(out),
                None => out.extend_from_slice(text),
            },
        }
    }
}

/// Brings points into the order of their seconds, one a second. They stand there in the order of arrival.
pub(super) fn merge(points: &mut Vec<Merged>, kind: SeriesKind, values: &[u8]) {
    if !points.is_sorted_by_key(|point| point.second) {
        points.sort_by_key(|point| point.second);
    }
    points.dedup_by(|new, taken| {
        let is_same = new.second == taken.second;
        if is_same {
            match kind {
                SeriesKind::Gauge if new.point.timestamp_s < taken.point.timestamp_s => {}
                SeriesKind::Gauge => *taken = *new,
                SeriesKind::Count | SeriesKind::Rate => {
                    taken.sum = Some(taken.number(values) + new.number(values));
                }
            }
        }
        is_same
    });
}

/// Moves counts and rates off the seconds that were delivered before, and hands over what will be delivered.
pub(super) fn avoid(
    points: &mut [Merged],
    delivered: &Delivered,
    series: u64,
    mut delivers: impl FnMut(u64),
) {
    let moves = points.iter().any(|point| delivered.has(series, point.second));
    if !moves {
        return points.iter().for_each(|point| delivers(Delivered::point(series, point.second)));
    }
    let mut taken: Points = points.iter().map(|point| Delivered::point(series, point.second)).collect();
    for point in points.iter_mut() {
        let (free, hash) = delivered.free_second(series, point.second, &taken);
        delivers(hash);
        if free != point.second {
            taken.remove(&Delivered::point(series, point.second));
            taken.insert(hash);
            point.second = free;
        }
    }
    points.sort_by_key(|point| point.second);
}
