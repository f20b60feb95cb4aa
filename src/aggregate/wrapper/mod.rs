//! Wrappers: which series the samples of a bucket become. One file each, one row in [`WRAPPERS`].

pub mod datadog;
pub mod distribution;
pub mod simple;

use std::rc::Rc;

use super::accumulator::Accumulator;
use super::rules::Rules;
use crate::metric::{Context, Series};

/// Turns the samples of a context into series.
pub trait Wrapper {
    /// What to keep of samples of this type; `None` for a type that is ignored.
    fn accumulator(&self, kind: &str) -> Option<Accumulator>;

    /// Gives the series of one context to `emit`. Values may be infinite where sums overflowed; the
    /// caller drops those.
    fn wrap(
        &self,
        context: &Context,
        accumulator: Accumulator,
        interval_s: u32,
        emit: &mut dyn FnMut(Series),
    );

    /// The rules that samples, and readings of the board, pass first.
    fn rules(&self) -> Option<&Rc<Rules>> {
        None
    }
}

/// A row of the table of wrappers.
pub struct Row {
    /// The value of `METRICS_WRAPPER`.
    pub name: &'static str,
    /// What it does, for `--help`.
    pub summary: &'static str,
    /// Makes one.
    pub build: fn(&HistogramOptions) -> Box<dyn Wrapper>,
}

/// Every wrapper there is; the first is the default.
pub static WRAPPERS: &[Row] = &[
    Row {
        name: "datadog",
        summary: "what Datadog's own agent makes of each type",
        build: |options| Box::new(datadog::Datadog::new(options)),
    },
    Row {
        name: "simple",
        summary: "sums of counts, averages of everything else",
        build: |_| Box::new(simple::Simple),
    },
];

/// A summary of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistogramAggregate {
    /// `NAME.max`
    Max,
    /// `NAME.median`
    Median,
    /// `NAME.avg`
    Avg,
    /// `NAME.count`, a rate
    Count,
    /// `NAME.min`
    Min,
    /// `NAME.sum`
    Sum,
}

impl HistogramAggregate {
    /// All of them with the words that name them.
    pub const WORDS: [(&'static str, HistogramAggregate); 6] = [
        ("max", HistogramAggregate::Max),
        ("median", HistogramAggregate::Median),
        ("avg", HistogramAggregate::Avg),
        ("count", HistogramAggregate::Count),
        ("min", HistogramAggregate::Min),
        ("sum", HistogramAggregate::Sum),
    ];

    /// The word and the suffix of the metric's name.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, a)| *a == self).map_or("", |(word, _)| word)
    }
}

/// Which summaries of a histogram are sent.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramOptions {
    /// Sent in this order.
    pub aggregates: Vec<HistogramAggregate>,
    /// Each within 0 and 1.
    pub percentiles: Vec<f64>,
}

impl Default for HistogramOptions {
    fn default() -> Self {
        use HistogramAggregate::{Avg, Count, Max, Median};
        HistogramOptions { aggregates: vec![Max, Median, Avg, Count], percentiles: vec![0.95] }
    }
}
