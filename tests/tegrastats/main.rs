//! The plugin `tegrastats`: every field of every line there is, and programs that do what they should not.
#![allow(clippy::unwrap_used)]

mod lines;
mod programs;
#[path = "../support/mod.rs"]
mod support;
