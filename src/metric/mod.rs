//! The vocabulary every stage speaks: what a datum is on its way from a raw record to a payload.
//!
//! `Sample` (one reading of an application) → `Context` (what makes samples one series) → `Series` of `Point`s.
//! This module imports nothing else of the crate.

pub mod context;
pub mod json;
pub mod number;
pub mod sample;
pub mod series;
pub mod sorted;
pub mod tags;

pub use context::Context;
pub use number::Number;
pub use sample::{Elements, Sample, Value};
pub use series::{Point, Series, SeriesKind};
pub use sorted::{SortedMap, SortedSet};
pub use tags::Tags;
