//! The fuzzer's targets with seeded mutations, in the ordinary test suite.
//!
//! Each mutation has a number, which is its seed. `CHOUETTE_MUTATIONS=N` runs so many of each target,
//! `CHOUETTE_MUTATION=N` that one alone. What brings the whole process down leaves its input in
//! `target/tmp/mutation.TARGET`.
#![allow(clippy::unwrap_used)]

mod mutate;
mod originals;
#[path = "../support/mod.rs"]
mod support;
#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::io::{Seek as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Instant;

use mutate::{Random, dictionary, mutated};
use support::figures::figure;
use support::repository;

/// Mutations of each target.
const MUTATIONS: u64 = 20_000;
/// Bytes of an input that a failure shows.
const SHOWN_BYTES_MAX: usize = 4_000;

fn numbers() -> std::ops::Range<u64> {
    let variable = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    match variable("CHOUETTE_MUTATION") {
        Some(number) => number..number + 1,
        None => 0..variable("CHOUETTE_MUTATIONS").unwrap_or(MUTATIONS),
    }
}

/// Runs the seeds as they are, then mutations of them.
fn run(target: &str) {
    let started = Instant::now();
    let originals = originals::originals(target);
    let path = repository("tests/fuzz/dictionaries").join(format!("{target}.dict"));
    let words = dictionary(&std::fs::read_to_string(path).unwrap());
    let trace = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mutation.{target}"));
    let mut trace = std::fs::File::create(trace).unwrap();
    let mut attempt = |what: &str, input: &[u8]| {
        trace.rewind().and_then(|()| trace.set_len(0)).and_then(|()| trace.write_all(input)).unwrap();
        let outcome = catch_unwind(AssertUnwindSafe(|| targets::run(target, input)));
        if outcome.is_err() {
            let shown = input.get(..SHOWN_BYTES_MAX).unwrap_or(input).escape_ascii();
            panic!("target {target}, {what}, {} bytes: \"{shown}\"", input.len());
        }
    };
    for (at, original) in originals.iter().enumerate() {
        attempt(&format!("original {at}"), original);
    }
    let numbers = numbers();
    let count = numbers.end - numbers.start;
    for number in numbers {
        let input = mutated(&mut Random::new(number), &originals, &words);
        attempt(&format!("mutation {number}"), &input);
    }
    let what = format!("{target}, {count} mutations of {} originals", originals.len());
    figure("mutations", &what, &format!("{:.1} s", started.elapsed().as_secs_f64()));
}

/// A test for each target, so that they run side by side.
macro_rules! mutations {
    ($($target:ident)*) => {
        $(#[test]
        fn $target() {
            run(stringify!($target));
        })*

        #[test]
        fn every_target_is_run() {
            let names: Vec<&str> = targets::TARGETS.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, [$(stringify!($target)),*]);
        }
    };
}

mutations! {
    record wrapped log forwarded redis_replies dramatiq tegrastats board kubelet docker http_answer proxy_answer
    env_file url dogstatsd spool certificate
}
