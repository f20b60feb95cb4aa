//! `Sample`s of one interval → `Series`: merged by context, summarised by the wrapper.
//!
//! [`bucket`] holds the accumulators of one interval, [`accumulator`] what is kept of a context's samples, [`values`]
//! and [`weighted`] all values of a histogram, [`wrapper`] which series become of them, [`rules`] what one's own rules
//! change of samples before that.

pub mod accumulator;
pub mod bucket;
pub mod rules;
pub mod values;
pub mod weighted;
pub mod wrapper;

pub use accumulator::Accumulator;
pub use bucket::{Bucket, Contexts, SampleError};
pub use weighted::Weighted;
pub use wrapper::{HistogramAggregate, HistogramOptions, WRAPPERS, Wrapper};

/// The bucket a score belongs to: score ÷ interval, rounded down.
///
/// The division may round up to the next bucket when the score is the last double below its edge; the
/// edge itself is an exact integer and decides.
pub fn bucket_of(score_s: f64, interval_s: u32) -> i64 {
    let interval = f64::from(interval_s);
    let index = (score_s / interval).floor();
    let index = if score_s < index * interval { index - 1.0 } else { index };
    index as i64
}

/// The end of a bucket, Unix seconds; it does not belong to the bucket.
pub fn bucket_end_s(index: i64, interval_s: u32) -> f64 {
    (index as f64 + 1.0) * f64::from(interval_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_belongs_to_the_bucket_it_begins() {
        for (score, interval, bucket) in [
            (0.0, 10, 0),
            (9.999999, 10, 0),
            (10.0, 10, 1),
            (-0.5, 10, -1),
            (1_600_000_009.999_999_8, 10, 160_000_000),
            (1_600_000_010.0, 10, 160_000_001),
            (f64::INFINITY, 10, i64::MAX),
        ] {
            assert_eq!(bucket_of(score, interval), bucket, "{score} / {interval}");
        }
        for interval in [3u32, 7, 10, 49, 60] {
            for index in (1..2_000_000_000).step_by(19_999_999) {
                let edge = f64::from(interval) * index as f64;
                assert_eq!(bucket_of(edge, interval), index);
                assert_eq!(
                    bucket_of(edge.next_down(), interval),
                    index - 1,
                    "just below {edge} / {interval}"
                );
                assert_eq!(bucket_end_s(index - 1, interval), edge);
            }
        }
    }
}
