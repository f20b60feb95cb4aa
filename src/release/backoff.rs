//! How long to wait after failures: doubling, with jitter, so that a fleet does not come back at once.

use std::time::Duration;

/// Doubling waits. A success takes two doublings off instead of all, as Datadog's own agent does, so that
/// an intake that answers now and then is not hammered.
#[derive(Debug, Clone)]
pub struct Backoff {
    first_s: f64,
    max_s: f64,
    failures: u32,
}

impl Backoff {
    /// Waits from `first_s` to `max_s`.
    pub fn new((first_s, max_s): (f64, f64)) -> Backoff {
        Backoff { first_s, max_s, failures: 0 }
    }

    /// Notes a failure and gives the wait: uniform between half of the current step and all of it.
    pub fn failed(&mut self, random: &mut Random) -> Duration {
        let step_s = (self.first_s * 2f64.powi(self.failures.min(32) as i32)).min(self.max_s);
        if step_s < self.max_s {
            self.failures += 1;
        }
        Duration::from_secs_f64(step_s * (0.5 + 0.5 * random.unit()))
    }

    /// Notes a success.
    pub fn succeeded(&mut self) {
        self.failures = self.failures.saturating_sub(2);
    }

    /// Begins anew: what failed is known to be well.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Whether the last attempts failed.
    #[cfg(test)]
    fn is_failing(&self) -> bool {
        self.failures > 0
    }
}

/// Pseudo-random numbers (xorshift64*) for jitter and record keys; not for secrets.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Random {
        // A state of zero would stay zero; the constant also mixes small seeds.
        Random(seed ^ 0x9E37_79B9_7F4A_7C15 | 1)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Uniform in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `0..n`; 0 for an empty range.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next_u64().checked_rem(n).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_shrink_by_two_steps() {
        let (mut backoff, mut random) = (Backoff::new((2.0, 64.0)), Random::new(7));
        for step_s in [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 64.0, 64.0] {
            let wait_s = backoff.failed(&mut random).as_secs_f64();
            assert!((step_s / 2.0..=step_s).contains(&wait_s), "{wait_s} for a step of {step_s}");
        }
        backoff.succeeded();
        let wait_s = backoff.failed(&mut random).as_secs_f64();
        assert!((8.0..=16.0).contains(&wait_s), "{wait_s}");
        for _ in 0..4 {
            backoff.succeeded();
        }
        assert!(!backoff.is_failing());
    }

    #[test]
    fn random_numbers_fill_their_range() {
        let mut random = Random::new(0);
        let units: Vec<f64> = (0..10_000).map(|_| random.unit()).collect();
        let mean = units.iter().sum::<f64>() / units.len() as f64;
        assert!(units.iter().all(|u| (0.0..1.0).contains(u)) && (0.48..0.52).contains(&mean), "mean {mean}");
        assert_eq!(random.below(0), 0);
    }
}
