//! x
pub mod host_root;
