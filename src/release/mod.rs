//! Wrapped records → `Batch` → `Payload` → `Outcome`.
//!
//! There are three kinds of [`batch`]: [`series`] merges the points of one series, [`logs`] makes a list of
//! entries, [`forwarded`] a body of records that go as they are. [`payload`] streams either through the compressor, [`mod@outcome`] says what an answer means,
//! [`backoff`] how long to wait. The order of the steps is in [`crate::agent`].

pub mod backoff;
pub mod batch;
pub mod delivered;
pub mod forwarded;
pub mod keys;
mod log_entry;
pub mod logs;
mod merging;
pub mod outcome;
pub mod payload;
mod record;
pub mod series;
mod words;

pub use backoff::{Backoff, Random};
pub use batch::{Batch, Common, Fit, RecordError};
pub use delivered::Delivered;
pub use forwarded::ForwardedBatch;
pub use keys::KeyList;
pub use logs::LogBatch;
pub use outcome::{Outcome, outcome};
pub use payload::{Payload, PayloadWriter};
pub use record::read_series;
pub use series::SeriesBatch;
