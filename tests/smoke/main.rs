//! A binary built for a board, as the board would run it: alone in a file system, on its oldest processor, past 2038.
//!
//! `cross/smoke.sh` runs this for each target, together with the tests of the corpus and of the plugin `host`. The
//! binary is `CHOUETTE_TEST_BINARY`, what stands in for its processor `CHOUETTE_TEST_EMULATOR`.
#![allow(clippy::unwrap_used)]

mod namespaces;
mod once;
mod root;
#[path = "../support/mod.rs"]
mod support;
mod wide;
