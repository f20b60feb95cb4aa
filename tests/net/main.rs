//! Connections and exchanges against servers of our own on the loopback interface, through a real poll.

#![allow(clippy::unwrap_used)] // the helpers of tests are tests, which clippy cannot see

mod children;
mod client;
mod dialling;
mod resolving;
mod reuse;
mod support;
mod tunnels;
mod under_tls;
