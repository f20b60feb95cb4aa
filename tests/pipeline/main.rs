//! From Redis to the intake with the real binary: what arrives, and what happens when something on the way breaks.
#![allow(clippy::unwrap_used)]

mod container;
mod dry_run;
mod exactly_once;
mod idle;
mod links;
mod metrics;
mod outcomes;
mod redis_ways;
mod refusals;
mod request;
mod rules;
mod signals;
#[path = "../support/mod.rs"]
mod support;

use support::agent::{self, Agent};
use support::bench::{Bench, arrives, complaints, push_gauge, push_ones, run_until_ready};
