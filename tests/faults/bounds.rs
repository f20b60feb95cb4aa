//! Each bound of `limits.rs` driven over: the documented rule, and the counter.
