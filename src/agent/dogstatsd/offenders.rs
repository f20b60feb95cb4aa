//! Which metric has most of the samples that are dropped, in bounded memory: the names that come most often, by Misra
//! and Gries (<https://en.wikipedia.org/wiki/Misra%E2%80%93Gries_summary>).

use std::time::{Duration, Instant};

use crate::limits::dogstatsd::{OFFENDER_EVERY_S, OFFENDERS_MAX};

/// See the module.
#[derive(Default)]
pub(super) struct Offenders {
    names: Vec<(String, u64)>,
    dropped: u64,
    told: Option<Instant>,
}

impl Offenders {
    /// A sample of this metric was dropped.
    pub fn note(&mut self, name: &str) {
        self.dropped += 1;
        if let Some((_, count)) = self.names.iter_mut().find(|(known, _)| known == name) {
            *count += 1;
        } else if self.names.len() < OFFENDERS_MAX {
            self.names.push((name.to_owned(), 1));
        } else {
            self.names.iter_mut().for_each(|(_, count)| *count -= 1);
            self.names.retain(|(_, count)| *count > 0);
        }
    }

    /// What a warning says, when it is time for one.
    pub fn report(&mut self, contexts_max: usize, now: Instant) -> Option<String> {
        const EVERY: Duration = Duration::from_secs(OFFENDER_EVERY_S);
        let is_early = self.told.is_some_and(|told| now.saturating_duration_since(told) < EVERY);
        if self.dropped == 0 || is_early {
            return None;
        }
        let worst = self.names.iter().max_by_key(|(_, count)| *count);
        let worst = worst.map(|(name, _)| format!(", most of them of {name:?}")).unwrap_or_default();
        let dropped = self.dropped;
        *self = Offenders { told: Some(now), ..Offenders::default() };
        Some(format!(
            "{dropped} samples of new contexts dropped, beyond DOGSTATSD_CONTEXTS_MAX={contexts_max}{worst}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_is_named_once_a_minute_among_however_many() {
        let (mut offenders, start) = (Offenders::default(), Instant::now());
        assert_eq!(offenders.report(5, start), None);
        for i in 0..10_000 {
            offenders.note(&format!("once.{i}"));
            if i % 3 == 0 {
                offenders.note("often");
            }
        }
        assert!(offenders.names.len() <= OFFENDERS_MAX);
        let text = offenders.report(5, start).unwrap_or_default();
        assert!(
            text.starts_with("13334 samples") && text.ends_with("=5, most of them of \"often\""),
            "{text}"
        );
        offenders.note("again");
        assert_eq!(offenders.report(5, start + Duration::from_secs(OFFENDER_EVERY_S - 1)), None);
        let text = offenders.report(5, start + Duration::from_secs(OFFENDER_EVERY_S)).unwrap_or_default();
        assert!(text.starts_with("1 samples") && text.ends_with("\"again\""), "{text}");
    }
}
