//! How late the loop is, measured inside it: a timer of 10 ms, in debug builds only, and there only where the
//! variable `CHOUETTE_PROBE` is set. Once a second it says what was worst, and at the end of the whole run:
//!
//! ```text
//! probe: worst lateness 12.3 ms, 1.1 ms without waiting for a processor
//! probe: the whole run: worst lateness 31.8 ms, 2.4 ms without waiting for a processor
//! ```
//!
//! On a busy machine every program is late. The kernel knows how long this one could have run and was not let
//! (`/proc/self/schedstat`); the second figure leaves that out. It leaves out 10 ms too many at most: what was
//! waited since the timer was armed, not since it was due.

#[cfg(debug_assertions)]
pub use measuring::Probe;

/// There is none in a release build: this type has no values.
#[cfg(not(debug_assertions))]
pub enum Probe {}

#[cfg(not(debug_assertions))]
impl Probe {
    /// None.
    pub fn from_environment() -> Option<Probe> {
        None
    }

    /// Never called.
    pub fn deadline(&self) -> std::time::Instant {
        match *self {}
    }

    /// Never called.
    pub fn tick(&mut self) {
        match *self {}
    }
}

#[cfg(debug_assertions)]
mod measuring {
    use std::fmt;
    use std::fs::File;
    use std::os::unix::fs::FileExt as _;
    use std::time::{Duration, Instant};

    use crate::runtime::clock;

    const VARIABLE: &str = "CHOUETTE_PROBE";
    const EVERY: Duration = Duration::from_millis(10);
    const TELL_EVERY: Duration = Duration::from_secs(1);

    /// The timer and what it has seen.
    pub struct Probe {
        due: Instant,
        tell_at: Instant,
        second: Worst,
        run: Worst,
        schedstat: Option<File>,
        /// As of the last tick.
        waited: Duration,
    }

    #[derive(Clone, Copy, Default)]
    struct Worst {
        lateness: Duration,
        own: Duration,
    }

    impl Probe {
        /// A probe where one is wanted.
        pub fn from_environment() -> Option<Probe> {
            std::env::var_os(VARIABLE)?;
            let now = clock::now().mono;
            let mut probe = Probe {
                due: now + EVERY,
                tell_at: now + TELL_EVERY,
                second: Worst::default(),
                run: Worst::default(),
                schedstat: File::open("/proc/self/schedstat").ok(),
                waited: Duration::ZERO,
            };
            probe.waited = probe.waited_so_far();
            Some(probe)
        }

        /// When [`Probe::tick`] is due.
        pub fn deadline(&self) -> Instant {
            self.due
        }

        /// To be called whenever the loop fires its timers.
        pub fn tick(&mut self) {
            let now = clock::now().mono;
            let Some(lateness) = now.checked_duration_since(self.due) else { return };
            let waited = self.waited_so_far();
            let own = lateness.saturating_sub(waited.saturating_sub(self.waited));
            self.waited = waited;
            self.second = self.second.or(Worst { lateness, own });
            if now >= self.tell_at {
                log::info!("probe: {}", self.second);
                self.run = self.run.or(self.second);
                self.second = Worst::default();
                self.tell_at = now + TELL_EVERY;
            }
            self.due = now + EVERY;
        }

        /// How long this process, since it began, was ready to run and did not.
        fn waited_so_far(&self) -> Duration {
            let mut bytes = [0; 64];
            let read = self.schedstat.as_ref().and_then(|file| file.read_at(&mut bytes, 0).ok());
            // Time run, time waited, turns: `8228271253 131533410 59`.
            let text = std::str::from_utf8(bytes.get(..read.unwrap_or_default()).unwrap_or_default());
            let nanos = text.unwrap_or_default().split(' ').nth(1).and_then(|nanos| nanos.parse().ok());
            nanos.map_or(self.waited, Duration::from_nanos)
        }
    }

    impl Drop for Probe {
        fn drop(&mut self) {
            log::info!("probe: the whole run: {}", self.run.or(self.second));
        }
    }

    impl Worst {
        fn or(self, other: Worst) -> Worst {
            Worst { lateness: self.lateness.max(other.lateness), own: self.own.max(other.own) }
        }
    }

    impl fmt::Display for Worst {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
            let (lateness, own) = (ms(self.lateness), ms(self.own));
            write!(f, "worst lateness {lateness:.1} ms, {own:.1} ms without waiting for a processor")
        }
    }
}
