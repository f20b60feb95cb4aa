//! What is kept of the samples of one context while its bucket is read.

use std::collections::HashSet;
use std::rc::Rc;

use foldhash::fast::RandomState;

use super::values::Values;
use super::weighted::Weighted;
use super::wrapper::HistogramOptions;
use crate::metric::{Elements, Number, Value};

/// A summary that samples are added to one by one.
#[derive(Debug, Clone, PartialEq)]
pub enum Accumulator {
    /// The sum of the values.
    Sum {
        /// Integers stay integers.
        sum: Number,
        /// Earliest timestamp.
        first_s: f64,
    },
    /// The value with the latest timestamp; of equal ones the first in queue order.
    Last {
        /// That value.
        value: Number,
        /// Its timestamp.
        last_s: f64,
        /// Earliest timestamp.
        first_s: f64,
    },
    /// Distinct elements.
    Distinct {
        /// As [`Elements`] describes them.
        elements: HashSet<Box<[u8]>, RandomState>,
        /// Earliest timestamp.
        first_s: f64,
    },
    /// Every value, for quantiles.
    Values {
        /// All of them.
        values: Values,
        /// Earliest timestamp.
        first_s: f64,
        /// What is sent of them, where a rule says so.
        summaries: Option<Rc<HistogramOptions>>,
    },
    /// Every value with its weight, for quantiles of what was sampled.
    Weighted {
        /// All of them.
        values: Weighted,
        /// Earliest timestamp.
        first_s: f64,
        /// What is sent of them, where a rule says so.
        summaries: Option<Rc<HistogramOptions>>,
    },
    /// Sum and number of samples.
    Average {
        /// Sum of the values.
        sum: Number,
        /// How many.
        samples: u64,
        /// Latest timestamp.
        last_s: f64,
    },
    /// The sum, stamped with the latest timestamp.
    SumLast {
        /// Integers stay integers.
        sum: Number,
        /// Latest timestamp.
        last_s: f64,
    },
}

/// The value has a shape the context's type does not take: a list where a number belongs, or the reverse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mismatch;

impl Accumulator {
    /// An empty sum stamped with the earliest timestamp.
    pub fn sum() -> Accumulator {
        Accumulator::Sum { sum: Number::Int(0), first_s: f64::INFINITY }
    }

    /// The last value, not yet known.
    pub fn last() -> Accumulator {
        Accumulator::Last { value: Number::Int(0), last_s: f64::NEG_INFINITY, first_s: f64::INFINITY }
    }

    /// No elements yet.
    pub fn distinct() -> Accumulator {
        Accumulator::Distinct { elements: HashSet::default(), first_s: f64::INFINITY }
    }

    /// No values yet.
    pub fn values() -> Accumulator {
        Accumulator::Values { values: Values::default(), first_s: f64::INFINITY, summaries: None }
    }

    /// No values with weights yet.
    pub fn weighted() -> Accumulator {
        Accumulator::Weighted { values: Weighted::default(), first_s: f64::INFINITY, summaries: None }
    }

    /// An average over nothing yet.
    pub fn average() -> Accumulator {
        Accumulator::Average { sum: Number::Int(0), samples: 0, last_s: f64::NEG_INFINITY }
    }

    /// An empty sum stamped with the latest timestamp.
    pub fn sum_last() -> Accumulator {
        Accumulator::SumLast { sum: Number::Int(0), last_s: f64::NEG_INFINITY }
    }

    /// Has these sent of a histogram; anything else has no summaries.
    pub fn summarised(mut self, by_rule: Option<&Rc<HistogramOptions>>) -> Accumulator {
        if let Accumulator::Values { summaries, .. } | Accumulator::Weighted { summaries, .. } = &mut self {
            *summaries = by_rule.cloned();
        }
        self
    }

    /// As [`Accumulator::add`], for values that come in order: of equal timestamps the last one counts. One stands for
    /// `weight` values where that matters: in what becomes quantiles or an average.
    ///
    /// # Errors
    /// [`Mismatch`]; the accumulator is as it was.
    pub fn add_in_order(
        &mut self,
        value: Value<'_>,
        weight: f64,
        timestamp_s: f64,
    ) -> Result<usize, Mismatch> {
        match (&mut *self, value) {
            (Accumulator::Values { values, first_s, summaries }, Value::Number(_)) if weight != 1.0 => {
                let (values, first_s) = (Weighted::from_values(values), *first_s);
                *self = Accumulator::Weighted { values, first_s, summaries: summaries.take() };
                self.add_in_order(value, weight, timestamp_s)
            }
            (Accumulator::Weighted { values, first_s, .. }, Value::Number(n)) => {
                *first_s = first_s.min(timestamp_s);
                Ok(values.add(n.as_f64(), weight))
            }
            (Accumulator::Last { value, last_s, first_s }, Value::Number(n)) if timestamp_s >= *last_s => {
                (*value, *last_s) = (n, timestamp_s);
                *first_s = first_s.min(timestamp_s);
                Ok(0)
            }
            (Accumulator::Average { sum, samples, last_s }, Value::Number(n)) if weight != 1.0 => {
                *sum = *sum + Number::Float(n.as_f64() * weight.floor());
                *samples = samples.saturating_add(weight as u64);
                *last_s = last_s.max(timestamp_s);
                Ok(0)
            }
            _ => self.add(value, timestamp_s),
        }
    }

    /// Adds one value and gives back by how many bytes the memory grew, roughly.
    ///
    /// # Errors
    /// [`Mismatch`]; the accumulator is as it was.
    pub fn add(&mut self, value: Value<'_>, timestamp_s: f64) -> Result<usize, Mismatch> {
        match (self, value) {
            (Accumulator::Sum { sum, first_s }, Value::Number(n)) => {
                *sum = *sum + n;
                *first_s = first_s.min(timestamp_s);
                Ok(0)
            }
            (Accumulator::Last { value, last_s, first_s }, Value::Number(n)) => {
                if timestamp_s > *last_s {
                    (*value, *last_s) = (n, timestamp_s);
                }
                *first_s = first_s.min(timestamp_s);
                Ok(0)
            }
            (Accumulator::Distinct { elements, first_s }, Value::Set(list)) => {
                *first_s = first_s.min(timestamp_s);
                Ok(add_elements(elements, list))
            }
            (Accumulator::Values { values, first_s, .. }, Value::Number(n)) => {
                *first_s = first_s.min(timestamp_s);
                Ok(values.push(n.as_f64()))
            }
            (Accumulator::Weighted { values, first_s, .. }, Value::Number(n)) => {
                *first_s = first_s.min(timestamp_s);
                Ok(values.add(n.as_f64(), 1.0))
            }
            (Accumulator::Average { sum, samples, last_s }, Value::Number(n)) => {
                *sum = *sum + n;
                *samples += 1;
                *last_s = last_s.max(timestamp_s);
                Ok(0)
            }
            (Accumulator::SumLast { sum, last_s }, Value::Number(n)) => {
                *sum = *sum + n;
                *last_s = last_s.max(timestamp_s);
                Ok(0)
            }
            _ => Err(Mismatch),
        }
    }
}

fn add_elements(elements: &mut HashSet<Box<[u8]>, RandomState>, list: Elements<'_>) -> usize {
    const ENTRY_BYTES: usize = 48;
    let mut grown = 0;
    for element in list.iter() {
        if !elements.contains(element) {
            elements.insert(element.into());
            grown += element.len() + ENTRY_BYTES;
        }
    }
    grown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(n: i128) -> Value<'static> {
        Value::Number(Number::Int(n))
    }

    #[test]
    fn integers_sum_exactly_and_a_mix_becomes_a_double() {
        let mut sum = Accumulator::sum();
        for n in [1i128 << 53, 1, 1] {
            sum.add(int(n), 5.0).unwrap();
        }
        assert_eq!(sum, Accumulator::Sum { sum: Number::Int((1 << 53) + 2), first_s: 5.0 });
        sum.add(Value::Number(Number::Float(0.5)), 4.0).unwrap();
        assert_eq!(sum, Accumulator::Sum { sum: Number::Float(9_007_199_254_740_994.5), first_s: 4.0 });
    }

    #[test]
    fn the_first_of_equal_timestamps_is_the_last_value() {
        let mut last = Accumulator::last();
        for (n, at) in [(1, 8.0), (2, 8.0), (3, 7.0)] {
            last.add(int(n), at).unwrap();
        }
        assert_eq!(last, Accumulator::Last { value: Number::Int(1), last_s: 8.0, first_s: 7.0 });
    }

    #[test]
    fn a_value_of_the_wrong_shape_changes_nothing() {
        let list = Value::Set(Elements::new(b"ab", &[1, 2]));
        let all = [
            Accumulator::sum(),
            Accumulator::last(),
            Accumulator::values(),
            Accumulator::weighted(),
            Accumulator::average(),
            Accumulator::sum_last(),
        ];
        for before in all {
            let mut after = before.clone();
            assert_eq!(after.add(list, 1.0), Err(Mismatch));
            assert_eq!(after, before);
        }
        let mut distinct = Accumulator::distinct();
        assert_eq!(distinct.add(int(1), 1.0), Err(Mismatch));
        assert!(distinct.add(list, 1.0).unwrap() > 0);
        assert_eq!(distinct.add(list, 1.0), Ok(0), "nothing new, nothing grown");
    }

    #[test]
    fn in_order_the_last_counts_and_a_weight_in_quantiles_and_averages_alone() {
        let mut values = Accumulator::values();
        values.add(int(4), 2.0).unwrap();
        values.add_in_order(int(6), 2.0, 1.0).unwrap();
        values.add(int(5), 3.0).unwrap();
        let Accumulator::Weighted { mut values, first_s, .. } = values else { panic!("{values:?}") };
        values.sort();
        assert_eq!(
            (values.values(), values.sum(), first_s),
            (&[(4.0, 1), (5.0, 1), (6.0, 2)][..], 21.0, 1.0)
        );
        let mut average = Accumulator::average();
        average.add_in_order(int(6), 2.5, 1.0).unwrap();
        assert_eq!(average, Accumulator::Average { sum: Number::Float(12.0), samples: 2, last_s: 1.0 });
        let mut last = Accumulator::last();
        for (n, at) in [(1, 8.0), (2, 8.0), (3, 7.0)] {
            last.add_in_order(int(n), 1.0, at).unwrap();
        }
        assert_eq!(last, Accumulator::Last { value: Number::Int(2), last_s: 8.0, first_s: 7.0 });
        for before in [Accumulator::sum(), Accumulator::last(), Accumulator::sum_last()] {
            let (mut plain, mut weighted) = (before.clone(), before);
            plain.add(int(6), 1.0).unwrap();
            weighted.add_in_order(int(6), 2.0, 1.0).unwrap();
            assert_eq!(plain, weighted);
        }
    }
}
