//! Wrapped records → `Batch` → `Payload` → `Outcome`.
//!
//! [`batch`] merges the points of one series, [`payload`] streams a batch through the compressor,
//! [`mod@outcome`] says what an answer means, [`backoff`] how long to wait. The order of the steps is in
//! [`crate::agent`].

pub mod backoff;
pub mod batch;
pub mod keys;
pub mod outcome;
pub mod payload;
mod record;

pub use backoff::{Backoff, Random};
pub use batch::{Batch, RecordError};
pub use keys::KeyList;
pub use outcome::{Outcome, outcome};
pub use payload::{Payload, PayloadWriter};
