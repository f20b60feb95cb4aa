//! The promises under fault, with the real binary: nothing lost, nothing twice, never stalled.
//!
//! `tests/faults.sh` runs this and prints what was measured. It is no part of a plain `cargo test`: it takes minutes,
//! and its figures want a machine that does nothing else.
#![allow(clippy::unwrap_used)]

mod answers;
mod bounds;
mod clock;
mod crash;
mod embedded;
mod lease;
mod outage;
mod poison;
mod secrets;
mod stalled;
#[path = "../support/mod.rs"]
mod support;
