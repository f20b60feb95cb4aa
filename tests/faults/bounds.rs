//! Every bound driven over, where that takes more than the code beside it: the documented rule holds, and what was
//! dropped is counted. `tests/tidy/bounds.rs` checks that no bound is left out.

mod links;
mod memory;
mod queues;
mod times;
