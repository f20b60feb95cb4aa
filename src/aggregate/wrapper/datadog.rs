//! The series Datadog's own agent would make of each type. Every result is stamped with the earliest
//! sample of its bucket.

use super::{HistogramAggregate, HistogramOptions, Wrapper};
use crate::aggregate::accumulator::Accumulator;
use crate::metric::{Context, Number, Point, Series, SeriesKind};

/// The default wrapper.
pub struct Datadog {
    histogram: HistogramOptions,
}

impl Datadog {
    /// Sends these summaries of histograms.
    pub fn new(histogram: &HistogramOptions) -> Datadog {
        Datadog { histogram: histogram.clone() }
    }

    /// `at` is the value at an index of the sorted samples.
    fn wrap_histogram(
        options: &HistogramOptions,
        samples: u64,
        sum: f64,
        at: &dyn Fn(u64) -> Option<f64>,
        interval_s: u32,
        emit: &mut dyn FnMut(&str, SeriesKind, f64),
    ) {
        let end_at = |index: u64| at(index).unwrap_or_default();
        let quantile = |p: f64| quantile(samples, at, p);
        let (samples, last) = (samples as f64, samples.saturating_sub(1));
        for aggregate in &options.aggregates {
            let (kind, value) = match aggregate {
                HistogramAggregate::Max => (SeriesKind::Gauge, end_at(last)),
                HistogramAggregate::Min => (SeriesKind::Gauge, end_at(0)),
                HistogramAggregate::Median => (SeriesKind::Gauge, quantile(0.5)),
                HistogramAggregate::Avg => (SeriesKind::Gauge, sum / samples),
                HistogramAggregate::Sum => (SeriesKind::Gauge, sum),
                HistogramAggregate::Count => (SeriesKind::Rate, samples / f64::from(interval_s)),
            };
            emit(aggregate.as_str(), kind, value);
        }
        for p in &options.percentiles {
            emit(&format!("{}percentile", (p * 100.0).round()), SeriesKind::Gauge, quantile(*p));
        }
    }
}

impl Wrapper for Datadog {
    fn accumulator(&self, kind: &str) -> Option<Accumulator> {
        Some(match kind {
            "count" | "rate" => Accumulator::sum(),
            "gauge" => Accumulator::last(),
            "set" => Accumulator::distinct(),
            "histogram" => Accumulator::values(),
            _ => return None,
        })
    }

    fn wrap(
        &self,
        context: &Context,
        accumulator: Accumulator,
        interval_s: u32,
        emit: &mut dyn FnMut(Series),
    ) {
        let series = |suffix: &str, kind: SeriesKind, value: Number, timestamp: f64| Series {
            name: if suffix.is_empty() {
                context.name.to_string()
            } else {
                [&context.name, ".", suffix].concat()
            },
            kind,
            tags: context.tags.clone(),
            interval_s: (kind != SeriesKind::Gauge).then_some(interval_s),
            point: Point { timestamp, value },
        };
        match accumulator {
            Accumulator::Sum { sum, first_s } if &*context.kind == "rate" => {
                let rate = Number::Float(sum.as_f64() / f64::from(interval_s));
                emit(series("", SeriesKind::Rate, rate, first_s));
            }
            Accumulator::Sum { sum, first_s } => emit(series("", SeriesKind::Count, sum, first_s)),
            Accumulator::Last { value, first_s, .. } => emit(series("", SeriesKind::Gauge, value, first_s)),
            Accumulator::Distinct { elements, first_s } => {
                emit(series("", SeriesKind::Count, Number::Int(elements.len() as i128), first_s));
            }
            Accumulator::Values { mut values, first_s, summaries } => {
                let options = summaries.as_deref().unwrap_or(&self.histogram);
                values.sort();
                let at = |index: u64| values.at(usize::try_from(index).ok()?);
                let (samples, sum) = (values.len() as u64, values.sum());
                Self::wrap_histogram(options, samples, sum, &at, interval_s, &mut |suffix, kind, value| {
                    emit(series(suffix, kind, Number::Float(value), first_s));
                });
            }
            Accumulator::Weighted { mut values, first_s, summaries } => {
                let options = summaries.as_deref().unwrap_or(&self.histogram);
                values.sort();
                let at = |index| values.at(index);
                let (samples, sum) = (values.count(), values.sum());
                Self::wrap_histogram(options, samples, sum, &at, interval_s, &mut |suffix, kind, value| {
                    emit(series(suffix, kind, Number::Float(value), first_s));
                });
            }
            Accumulator::Average { .. } | Accumulator::SumLast { .. } => {}
        }
    }
}

/// The value at index (n−1)·p of so many sorted values, interpolated between its neighbours.
fn quantile(samples: u64, at: &dyn Fn(u64) -> Option<f64>, p: f64) -> f64 {
    let Some(last) = samples.checked_sub(1) else {
        return 0.0;
    };
    let index = p.clamp(0.0, 1.0) * last as f64;
    let (below, share) = (index.floor(), index.fract());
    let low = at(below as u64).unwrap_or_default();
    if share == 0.0 {
        return low;
    }
    let high = at(below as u64 + 1).unwrap_or(low);
    // Not low + (high − low)·share: the difference of two large values overflows.
    low * (1.0 - share) + high * share
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{Tags, Value};

    fn quantile(sorted: &[f64], p: f64) -> f64 {
        super::quantile(sorted.len() as u64, &|index| sorted.get(index as usize).copied(), p)
    }

    #[test]
    fn a_sampled_value_counts_as_often_as_it_stands_for() {
        use HistogramAggregate::{Avg, Count, Max, Median, Min, Sum};
        let options =
            HistogramOptions { aggregates: vec![Max, Min, Median, Avg, Sum, Count], percentiles: vec![0.95] };
        let context = Context { name: "h".into(), kind: "histogram".into(), tags: Tags::none() };
        let mut values = Accumulator::values();
        for (value, weight) in [(1, 1.0), (5, 10.0), (30, 1.0)] {
            values.add_in_order(Value::Number(Number::Int(value)), weight, 3.0).unwrap();
        }
        let mut found = Vec::new();
        Datadog::new(&options).wrap(&context, values, 10, &mut |s| found.push(s.point.value.as_f64()));
        let percentile = found.pop().unwrap();
        assert!((percentile - (5.0 * 0.55 + 30.0 * 0.45)).abs() < 1e-9, "between the last two: {percentile}");
        assert_eq!(found, [30.0, 1.0, 5.0, 81.0 / 12.0, 81.0, 1.2]);
    }

    #[test]
    fn quantiles_are_interpolated() {
        assert_eq!(quantile(&[7.0], 0.95), 7.0);
        assert_eq!(quantile(&[1.0, 3.0, 5.0], 0.5), 3.0);
        assert!((quantile(&[1.0, 3.0, 5.0], 0.95) - 4.8).abs() < 1e-12);
        assert_eq!(quantile(&[-f64::MAX, f64::MAX], 0.5), 0.0);
        assert_eq!(quantile(&[1.0, 2.0], 1.0), 2.0);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }

    #[test]
    fn a_percentile_is_named_by_its_rounded_share() {
        let options =
            HistogramOptions { aggregates: vec![], percentiles: vec![0.29, 0.57, 0.58, 0.999, 1.0] };
        let context = Context { name: "h".into(), kind: "histogram".into(), tags: Tags::none() };
        let mut names = Vec::new();
        let mut values = Accumulator::values();
        values.add(Value::Number(Number::Int(1)), 0.0).expect("a number");
        Datadog::new(&options).wrap(&context, values, 10, &mut |s| names.push(s.name));
        assert_eq!(
            names,
            ["h.29percentile", "h.57percentile", "h.58percentile", "h.100percentile", "h.100percentile"]
        );
    }
}
