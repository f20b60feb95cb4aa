//! What arrived, compared with what was written.

use super::world::Tally;
use crate::support::application::{
    CONTEXT, COUNTS, Sums, Written, remembered, remembered_late, remembered_logs,
};
use crate::support::intake::{Intake, Request};
use crate::support::json;
use crate::support::queues::{LOGS, Sizes};
use crate::support::redis::Client;
use crate::support::store::Store;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Everything that can be said of a world at its end.
#[derive(Debug, Default)]
pub struct Outcome {
    pub seed: u64,
    pub tally: Tally,
    pub written: Written,
    /// By Redis, which may have lost some of what it had said yes to.
    pub remembered: Sums,
    pub remembered_late: Sums,
    /// At the intake, where a lost answer meant that the request was stored, and where it did not.
    pub stored: Sums,
    pub acknowledged: Sums,
    /// Points that were sent in more than one request.
    pub points_again: usize,
    /// Logs that Redis remembers, that the intake has, and that it has more than once.
    pub logs: usize,
    pub logs_missing: usize,
    pub logs_again: usize,
}

impl Outcome {
    /// None while anything is under way.
    pub fn of_drained(client: &mut Client, intake: &Intake, written: &Written) -> Option<Outcome> {
        if client.sizes() != Sizes::EMPTY || client.size(LOGS) > 0 {
            return None;
        }
        let (logs, metrics): (Vec<_>, Vec<_>) =
            intake.requests().into_iter().partition(|request| request.path.contains("input"));
        let stored = Store::stored(&metrics);
        let points: usize =
            metrics.iter().filter(|request| request.stored).map(|request| points(request)).sum();
        let mut outcome = Outcome {
            written: written.clone(),
            remembered: remembered(client),
            remembered_late: remembered_late(client),
            points_again: points - stored.point_count(),
            stored: sums(&stored),
            acknowledged: sums(&Store::acknowledged(&metrics)),
            ..Outcome::default()
        };
        outcome.count_logs(&logs, &remembered_logs(client));
        Some(outcome)
    }

    fn count_logs(&mut self, requests: &[Arc<Request>], remembered: &[String]) {
        let mut arrived: BTreeMap<&str, usize> = BTreeMap::new();
        for request in requests.iter().filter(|request| request.acknowledged) {
            for entry in json::items(request.json.as_ref()) {
                let message = json::text(json::get(entry, "message")).unwrap_or_default();
                *arrived.entry(message).or_default() += 1;
            }
        }
        self.logs = remembered.len();
        self.logs_missing = remembered.iter().filter(|log| !arrived.contains_key(log.as_str())).count();
        self.logs_again = arrived.values().filter(|times| **times > 1).count();
    }

    /// Nothing lost, nothing twice, to the unit, and Redis lost nothing either.
    pub fn is_exact(&self) -> &Outcome {
        assert_eq!(self.remembered, self.written_sums(), "seed {}: Redis lost something", self.seed);
        self.is_what_redis_remembers()
    }

    /// What the intake has is what Redis remembers.
    pub fn is_what_redis_remembers(&self) -> &Outcome {
        assert_eq!(self.stored, self.remembered, "seed {}: at the intake, and written", self.seed);
        assert_eq!(self.acknowledged, self.remembered, "seed {}: at the intake, and written", self.seed);
        assert_eq!(self.logs_missing, 0, "seed {}: logs are missing", self.seed);
        self
    }

    /// What the intake has is what Redis remembers, and perhaps late records that Redis forgot after they had been
    /// sent.
    pub fn is_what_redis_remembers_or_late(&self) -> &Outcome {
        for view in [&self.stored, &self.acknowledged] {
            for (context, least) in &self.remembered {
                let of = |sums: &Sums| sums.get(context).copied().unwrap_or_default();
                let forgotten = of(&self.written.late_sums).saturating_sub(of(&self.remembered_late));
                let (sum, most) = (of(view), least + forgotten);
                assert!(
                    (*least..=most).contains(&sum),
                    "seed {}: {context}: {sum} is not in {least}..={most}: {} lost or {} twice",
                    self.seed,
                    least.saturating_sub(sum),
                    sum.saturating_sub(most)
                );
            }
        }
        assert_eq!(self.logs_missing, 0, "seed {}: logs are missing", self.seed);
        self
    }

    fn written_sums(&self) -> Sums {
        assert_eq!(self.written.unknown, 0, "the application lost its connection");
        self.written.sums.clone()
    }
}

/// Several worlds as one line of figures, with the bound of the difference.
pub fn told(outcomes: &[Outcome], bound: &str) -> String {
    let total = |of: &dyn Fn(&Outcome) -> u64| outcomes.iter().map(of).sum::<u64>();
    let sum = |sums: &Sums| sums.values().sum::<u64>();
    let (written, remembered) = (total(&|o| sum(&o.written.sums)), total(&|o| sum(&o.remembered)));
    let stored = total(&|o| sum(&o.stored));
    let mut text = format!(
        "{} kills of the agent ({} amid a claim), {} of Redis, {} SIGTERM; {} records ({} late): {written} written, \
         {stored} at the intake, difference to what Redis remembers {} (bound {bound}); {} points sent again",
        total(&|o| o.tally.kills),
        total(&|o| o.tally.amid_claim),
        total(&|o| o.tally.redis_kills),
        total(&|o| o.tally.terms),
        total(&|o| o.written.records),
        total(&|o| o.written.late),
        stored.abs_diff(remembered),
        total(&|o| o.points_again as u64),
    );
    let unknown = total(&|o| o.written.unknown);
    if total(&|o| o.tally.redis_kills) > 0 {
        text += &format!(
            "; Redis' own loss {} of {written} acknowledged ({unknown} writes without a reply)",
            written.saturating_sub(remembered)
        );
    }
    if total(&|o| o.logs as u64) > 0 {
        text += &format!(
            "; {} logs, {} missing (bound 0), {} twice",
            total(&|o| o.logs as u64),
            total(&|o| o.logs_missing as u64),
            total(&|o| o.logs_again as u64)
        );
    }
    text
}

fn points(request: &Request) -> usize {
    request.series().iter().map(|series| json::items(json::get(series, "points")).len()).sum()
}

fn sums(store: &Store) -> Sums {
    let mut sums = Sums::new();
    for (key, held) in store.series(COUNTS) {
        let tag = key.tags.iter().find_map(|tag| tag.strip_prefix(CONTEXT)?.strip_prefix(':'));
        let sum: f64 = held.points.values().sum();
        *sums.entry(tag.unwrap_or_default().to_owned()).or_default() += sum as u64;
    }
    sums
}
