//! Logs among the simulated records: those that arrive, those nobody can read, and those the intake refuses.

use std::collections::BTreeMap;

use super::World;
use super::intake::POISON;
use crate::queue::WRAPPED_LOGS;

/// What applications have written.
#[derive(Default)]
pub struct Written {
    /// By key, whether it is one that an intake takes.
    logs: BTreeMap<String, bool>,
}

impl Written {
    /// How many can only be dropped.
    pub fn unacceptable(&self) -> usize {
        self.logs.values().filter(|acceptable| !**acceptable).count()
    }
}

impl World {
    pub(super) fn write_logs(&mut self) {
        for _ in 0..self.random.below(6) {
            let key = format!("log-{}", self.logs.logs.len());
            let (json, acceptable) = match self.random.below(12) {
                0 => ("[1]".to_owned(), false),
                1 => (format!(r#"{{"key": "{key}", "message": "{POISON}"}}"#), false),
                _ => (format!(r#"{{"key": "{key}", "ddtags": ["a:b"], "message": {{"n": 1.0}}}}"#), true),
            };
            let score_s = self.now().wall_s;
            self.redis.write_record(WRAPPED_LOGS, &key, score_s, &json);
            self.logs.logs.insert(key, acceptable);
        }
    }

    /// A log waits, or has arrived, or is one that is dropped; nothing else has arrived.
    pub(super) fn check_logs(&self) {
        let seed = self.seed;
        for (key, acceptable) in &self.logs.logs {
            let (waits, arrived) =
                (self.redis.has_record(WRAPPED_LOGS, key), self.intake.logs.contains_key(key));
            assert_eq!(
                waits,
                !self.redis.removed_logs.contains(key),
                "seed {seed}: {key} is there or removed"
            );
            assert!(waits || arrived || !acceptable, "seed {seed}: {key} is lost");
            assert!(*acceptable || !arrived, "seed {seed}: {key} arrived");
        }
    }
}
