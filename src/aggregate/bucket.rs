//! The samples of one interval, merged by context wherever they stand in it.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use foldhash::fast::RandomState;

use super::accumulator::{Accumulator, Mismatch};
use super::wrapper::{HistogramOptions, Wrapper};
use crate::limits::{BUCKET_BYTES_MAX, BUCKET_CONTEXTS_MAX};
use crate::metric::{Context, Sample, Series, Tags};

/// Adds a sample to its accumulator.
type Add<'a> = dyn Fn(&mut Accumulator) -> Result<usize, Mismatch> + 'a;

/// Accumulators by context.
#[derive(Default)]
pub struct Bucket {
    contexts: HashMap<Context, Entry, RandomState>,
    bytes: usize,
    /// The tags of a sample whose tags a rule changes.
    ruled_tags: String,
}

struct Entry {
    accumulator: Accumulator,
    /// Rules leave samples of this very context where they are. Not so where it came to be under a rule for another
    /// one, and samples that bear its name may belong somewhere else.
    is_own: bool,
}

/// Why a readable sample is not aggregated. It costs only itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleError {
    /// The wrapper ignores samples of this type.
    UnknownType,
    /// A list where the type takes a number, or the reverse.
    WrongType,
    /// A rule drops it, as somebody wants it to: nothing to warn about.
    Ruled,
}

impl SampleError {
    /// The word that counts it.
    pub fn reason(self) -> &'static str {
        match self {
            SampleError::UnknownType => "unknown_type",
            SampleError::WrongType => "wrong_type",
            SampleError::Ruled => "rule",
        }
    }
}

impl fmt::Display for SampleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SampleError::UnknownType => "a type the wrapper does not know",
            SampleError::WrongType => "a value of the wrong shape for its type",
            SampleError::Ruled => "a metric that a rule drops",
        })
    }
}

impl std::error::Error for SampleError {}

impl Bucket {
    /// Merges one sample into its context, which is another one where a rule of the wrapper says so. A context that
    /// rules leave alone asks them once.
    ///
    /// # Errors
    /// See [`SampleError`]; the bucket is as it was.
    pub fn add(&mut self, sample: &Sample<'_>, wrapper: &dyn Wrapper) -> Result<(), SampleError> {
        self.add_with(sample, wrapper, &|accumulator| accumulator.add(sample.value, sample.timestamp))
    }

    /// As [`Bucket::add`], for samples that come in order; see [`Accumulator::add_in_order`].
    ///
    /// # Errors
    /// See [`SampleError`]; the bucket is as it was.
    pub fn add_in_order(
        &mut self,
        sample: &Sample<'_>,
        weight: f64,
        wrapper: &dyn Wrapper,
    ) -> Result<(), SampleError> {
        let Sample { value, timestamp, .. } = *sample;
        self.add_with(sample, wrapper, &|accumulator| accumulator.add_in_order(value, weight, timestamp))
    }

    fn add_with(
        &mut self,
        sample: &Sample<'_>,
        wrapper: &dyn Wrapper,
        add: &Add<'_>,
    ) -> Result<(), SampleError> {
        if let Some(entry) = self.contexts.get_mut(sample as &dyn ContextKey)
            && entry.is_own
        {
            self.bytes += add(&mut entry.accumulator).map_err(|_| SampleError::WrongType)?;
            return Ok(());
        }
        let Some(ruling) = wrapper.rules().and_then(|rules| rules.ruling(sample.name)) else {
            return self.merge(sample, true, None, wrapper, add);
        };
        let mut tags = std::mem::take(&mut self.ruled_tags);
        let merged = ruling.apply(sample, &mut tags).and_then(|ruled| {
            let is_own = ContextKey::parts(&ruled) == sample.parts();
            self.merge(&ruled, is_own, ruling.summaries.as_ref(), wrapper, add)
        });
        self.ruled_tags = tags;
        merged
    }

    /// Merges a sample that rules have seen. `is_own` says that they left its context as it was.
    fn merge(
        &mut self,
        sample: &Sample<'_>,
        is_own: bool,
        summaries: Option<&Rc<HistogramOptions>>,
        wrapper: &dyn Wrapper,
        add: &Add<'_>,
    ) -> Result<(), SampleError> {
        let add_to = |accumulator: &mut Accumulator| add(accumulator).map_err(|_| SampleError::WrongType);
        if let Some(entry) = self.contexts.get_mut(sample as &dyn ContextKey) {
            self.bytes += add_to(&mut entry.accumulator)?;
            entry.is_own |= is_own;
            return Ok(());
        }
        let accumulator = wrapper.accumulator(sample.kind).ok_or(SampleError::UnknownType)?;
        let mut accumulator = accumulator.summarised(summaries);
        let grown = add_to(&mut accumulator)?;
        let context = Context {
            name: sample.name.into(),
            kind: sample.kind.into(),
            tags: Tags::from_canonical(sample.tags),
        };
        const ENTRY_BYTES: usize = size_of::<(Context, Entry)>() * 2;
        self.bytes += grown + ENTRY_BYTES + sample.name.len() + sample.kind.len() + sample.tags.len();
        self.contexts.insert(context, Entry { accumulator, is_own });
        Ok(())
    }

    /// Whether a sample's context is there.
    pub fn has(&self, sample: &Sample<'_>, wrapper: &dyn Wrapper) -> bool {
        if self.contexts.get(sample as &dyn ContextKey).is_some_and(|entry| entry.is_own) {
            return true;
        }
        let Some(ruling) = wrapper.rules().and_then(|rules| rules.ruling(sample.name)) else {
            return self.contexts.contains_key(sample as &dyn ContextKey);
        };
        let mut tags = String::new();
        // One that a rule drops makes no new context.
        ruling
            .apply(sample, &mut tags)
            .map_or(true, |ruled| self.contexts.contains_key(&ruled as &dyn ContextKey))
    }

    /// Whether the bucket has reached the memory it may take.
    pub fn is_full(&self) -> bool {
        self.bytes >= BUCKET_BYTES_MAX || self.contexts.len() >= BUCKET_CONTEXTS_MAX
    }

    /// How many contexts there are.
    pub fn len(&self) -> usize {
        self.contexts.len()
    }

    /// Whether nothing was merged.
    pub fn is_empty(&self) -> bool {
        self.contexts.is_empty()
    }

    /// Takes out the contexts in order, to be wrapped one after the other. The room they had is used again.
    pub fn take_contexts(&mut self) -> Contexts {
        /// The next bucket may be the last one for a while.
        const CONTEXTS_KEPT: usize = 500;
        let accumulated = |(context, entry): (Context, Entry)| (context, entry.accumulator);
        let mut contexts: Vec<_> = self.contexts.drain().map(accumulated).collect();
        contexts.sort_unstable_by(|a, b| b.0.cmp(&a.0));
        self.contexts.shrink_to(CONTEXTS_KEPT);
        self.bytes = 0;
        Contexts { contexts }
    }
}

/// The contexts of a bucket on their way to the queue.
pub struct Contexts {
    /// Last first, so that taking one frees its memory.
    contexts: Vec<(Context, Accumulator)>,
}

impl Contexts {
    /// Wraps the next context. Gives back how many of its series were not finite and left out; `None` when
    /// all contexts were wrapped.
    pub fn wrap_next(
        &mut self,
        wrapper: &dyn Wrapper,
        interval_s: u32,
        emit: &mut dyn FnMut(Series),
    ) -> Option<u64> {
        let (context, accumulator) = self.contexts.pop()?;
        let mut not_finite = 0;
        wrapper.wrap(&context, accumulator, interval_s, &mut |series| {
            if series.point.value.is_finite() {
                emit(series);
            } else {
                not_finite += 1;
            }
        });
        Some(not_finite)
    }

    /// Takes the next context as it is.
    pub fn take_next(&mut self) -> Option<(Context, Accumulator)> {
        self.contexts.pop()
    }

    /// How many contexts are left.
    pub fn len(&self) -> usize {
        self.contexts.len()
    }

    /// Whether all contexts were wrapped.
    pub fn is_empty(&self) -> bool {
        self.contexts.is_empty()
    }
}

/// A context as the map sees it, owned or borrowed from a sample: a look-up allocates nothing.
trait ContextKey {
    fn parts(&self) -> (&str, &str, &str);
}

impl ContextKey for Context {
    fn parts(&self) -> (&str, &str, &str) {
        (&self.name, &self.kind, self.tags.as_str())
    }
}

impl ContextKey for Sample<'_> {
    fn parts(&self) -> (&str, &str, &str) {
        (self.name, self.kind, self.tags)
    }
}

impl<'a> Borrow<dyn ContextKey + 'a> for Context {
    fn borrow(&self) -> &(dyn ContextKey + 'a) {
        self
    }
}

impl Hash for dyn ContextKey + '_ {
    /// As the derived `Hash` of [`Context`] does it: field by field.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (name, kind, tags) = self.parts();
        name.hash(state);
        kind.hash(state);
        tags.hash(state);
    }
}

impl PartialEq for dyn ContextKey + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for dyn ContextKey + '_ {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::wrapper::WRAPPERS;
    use crate::metric::{Elements, Number, Value};

    fn sample(name: &'static str, kind: &'static str, value: Value<'static>) -> Sample<'static> {
        Sample { name, kind, tags: "[\"a:1\"]", value, timestamp: 5.0 }
    }

    fn wrapped(mut bucket: Bucket, wrapper: &dyn Wrapper) -> (Vec<Series>, u64) {
        let (mut series, mut contexts) = (Vec::new(), bucket.take_contexts());
        let mut dropped = 0;
        while let Some(not_finite) = contexts.wrap_next(wrapper, 10, &mut |s| series.push(s)) {
            dropped += not_finite;
        }
        assert!(contexts.is_empty());
        (series, dropped)
    }

    #[test]
    fn equal_contexts_merge_and_come_out_in_order() {
        let wrapper = (WRAPPERS[0].build)(&HistogramOptions::default());
        let mut bucket = Bucket::default();
        for (name, kind) in [("b", "count"), ("a", "gauge"), ("b", "count"), ("a", "count")] {
            bucket.add(&sample(name, kind, Value::Number(Number::Int(2))), &*wrapper).unwrap();
        }
        let (series, dropped) = wrapped(bucket, &*wrapper);
        let seen: Vec<_> = series.iter().map(|s| (s.name.as_str(), s.kind.as_str(), s.point.value)).collect();
        assert_eq!(
            seen,
            [("a", "count", Number::Int(2)), ("a", "gauge", Number::Int(2)), ("b", "count", Number::Int(4))]
        );
        assert_eq!(dropped, 0);
    }

    #[test]
    fn a_sample_that_does_not_fit_costs_only_itself() {
        let wrapper = (WRAPPERS[0].build)(&HistogramOptions::default());
        let mut bucket = Bucket::default();
        let list = Value::Set(Elements::new(b"x", &[1]));
        assert_eq!(bucket.add(&sample("a", "count", list), &*wrapper), Err(SampleError::WrongType));
        assert_eq!(bucket.add(&sample("a", "timer", list), &*wrapper), Err(SampleError::UnknownType));
        assert!(bucket.is_empty(), "no context without a sample");
    }

    #[test]
    fn a_sum_beyond_doubles_is_dropped_and_counted() {
        let wrapper = (WRAPPERS[0].build)(&HistogramOptions::default());
        let mut bucket = Bucket::default();
        for _ in 0..2 {
            bucket.add(&sample("a", "count", Value::Number(Number::Float(f64::MAX))), &*wrapper).unwrap();
        }
        assert_eq!(wrapped(bucket, &*wrapper), (vec![], 1));
    }

    #[test]
    fn memory_is_bounded_by_contexts_and_by_bytes() {
        let wrapper = (WRAPPERS[0].build)(&HistogramOptions::default());
        let mut bucket = Bucket::default();
        let mut samples = 0;
        while !bucket.is_full() {
            bucket.add(&sample("h", "histogram", Value::Number(Number::Int(1))), &*wrapper).unwrap();
            samples += 1;
        }
        // A histogram keeps each value, and a vector that doubles may be half empty.
        let kept_bytes = samples * size_of::<f64>();
        assert!((BUCKET_BYTES_MAX / 2..=BUCKET_BYTES_MAX).contains(&kept_bytes), "{kept_bytes} bytes");
        assert!((1_000_000..=3_000_000).contains(&samples), "{samples} samples of one histogram");
        let mut bucket = Bucket::default();
        for i in 0..BUCKET_CONTEXTS_MAX {
            assert!(!bucket.is_full());
            let name = format!("metric{i}");
            bucket
                .add(&Sample { name: &name, ..sample("", "count", Value::Number(Number::Int(1))) }, &*wrapper)
                .unwrap();
        }
        assert!(bucket.is_full());
    }
}
