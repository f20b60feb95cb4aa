//! Counts are summed, everything else is averaged. Every result is stamped with the latest sample.

use super::Wrapper;
use crate::aggregate::accumulator::Accumulator;
use crate::metric::{Context, Number, Point, Series, SeriesKind};

/// The wrapper without types: whatever is not a count is averaged, words it has never heard included.
pub struct Simple;

impl Wrapper for Simple {
    fn accumulator(&self, kind: &str) -> Option<Accumulator> {
        Some(if kind == "count" { Accumulator::sum_last() } else { Accumulator::average() })
    }

    fn wrap(
        &self,
        context: &Context,
        accumulator: Accumulator,
        interval_s: u32,
        emit: &mut dyn FnMut(Series),
    ) {
        let count = |name: String, value: Number, timestamp: f64| Series {
            name,
            kind: SeriesKind::Count,
            tags: context.tags.clone(),
            interval_s: Some(interval_s),
            point: Point { timestamp, value },
        };
        match accumulator {
            Accumulator::SumLast { sum, last_s } => emit(count(context.name.to_string(), sum, last_s)),
            Accumulator::Average { sum, samples, last_s } => {
                let average = Number::Float(sum.as_f64() / samples as f64);
                emit(Series::gauge(&context.name, context.tags.clone(), average, last_s));
                emit(count(format!("{}.count", context.name), Number::Int(i128::from(samples)), last_s));
            }
            _ => {}
        }
    }
}
