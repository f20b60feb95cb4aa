//! Clocks that start wrong, step and stand still: nothing fires in a burst, nothing stops, sums stay exact, and nothing
//! is stamped with a time that the clock itself did not believe.
//!
//! The binary runs with a wall clock of the test's own; its monotonic clock is true.

mod doubt;
mod start;
mod steps;
mod suspend;

use crate::support::agent::Agent;
use crate::support::behaviour::status;
use crate::support::bench::Bench;
use crate::support::faketime::FakeClock;
use crate::support::figures::figure;
use crate::support::monitor::Monitor;
use crate::support::queues::{LOGS, RAW, raw_record};
use crate::support::store::Store;
use crate::support::{SOON, unix_now_f64, wait_until};

use std::time::Duration;

/// What the plugin `host` reads here, once in every interval.
const READING: &str = "Chouette.host.la";
/// What a test writes.
const WRITTEN: &str = "written.count";
/// Most seconds between two turns around a step: two intervals, and what the machine adds.
const GAP_S_MAX: f64 = 2.5;

/// An agent with a clock of its own, and all it needs. Every interval is a second.
struct Scene {
    bench: Bench,
    clock: FakeClock,
    monitor: Monitor,
    agent: Agent,
    /// The sum of what was written.
    written: u64,
    records: u64,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.agent.kill();
        FakeClock::clean_up_after(self.agent.pid());
    }
}

impl Scene {
    /// Begins with a clock so far ahead; `prepare` may leave something in Redis before.
    fn begin(
        ahead_s: f64,
        changes: &[(&str, &str)],
        prepare: impl FnOnce(&Bench, &FakeClock),
    ) -> Option<Scene> {
        let bench = Bench::new(|_| status(202))?;
        let clock = FakeClock::new(ahead_s)?;
        let monitor = Monitor::start(&bench.redis);
        prepare(&bench, &clock);
        let always =
            [("COLLECTOR_PLUGINS", "host"), ("HOST_COLLECTOR_METRICS", "la"), ("LOG_LEVEL", "DEBUG")];
        let mut env = bench.env_with(&[&always, changes].concat());
        env.extend(clock.env());
        let agent = Agent::run(&env);
        let scene = Scene { bench, clock, monitor, agent, written: 0, records: 0 };
        assert!(wait_until(SOON, || scene.flushes(0.0).len() > 1), "nothing is aggregated");
        Some(scene)
    }

    /// Lets time pass; an application writes numbered counts, stamped with the clock of the agent.
    fn write_for(&mut self, time: Duration) {
        let mut client = self.bench.redis.client();
        let until_s = unix_now_f64() + time.as_secs_f64();
        while unix_now_f64() < until_s {
            self.records += 1;
            let (number, at) = (self.records, self.clock.now_s());
            let record = raw_record(WRITTEN, "count", &number.to_string(), at, &[]);
            client.push(RAW, &format!("written-{number}"), Some(at), Some(record.as_bytes()));
            self.written += number;
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// When records were looked for to be aggregated, and when to be released, by the true clock.
    fn flushes(&self, from_s: f64) -> Vec<f64> {
        self.monitor.times_s(&["ZCARD", "chouette:metrics:claimed.keys"], from_s)
    }

    fn releases(&self, from_s: f64) -> Vec<f64> {
        self.monitor.times_s(&["ZCARD", &format!("{LOGS}.keys")], from_s)
    }

    /// The seconds that readings are stamped with at the intake.
    fn stamps(&self) -> Vec<u64> {
        let store = self.store();
        store.series(READING).iter().flat_map(|(_, held)| held.points.keys().copied()).collect()
    }

    fn store(&self) -> Store {
        self.bench.store()
    }

    /// Everything that was written has arrived, to the unit.
    fn assert_exact(&self) {
        let exact = || self.store().sum(WRITTEN) as u64 == self.written;
        assert!(wait_until(SOON, exact), "{} arrived of {}", self.store().sum(WRITTEN), self.written);
    }

    /// From a time on, and with so many steps meanwhile, turns came once in a second, and none was left out.
    fn check_turns(&self, what: &str, from_s: f64, steps: usize) {
        let until_s = unix_now_f64();
        let seconds = until_s - from_s;
        let most = seconds.ceil() as usize + 1 + steps;
        let mut told = Vec::new();
        for (name, times) in [("flush", self.flushes(from_s)), ("release", self.releases(from_s))] {
            let edges = [&[from_s][..], &times, &[until_s]].concat();
            let gap_s = edges.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
            told.push(format!("{} turns of {name} (bound {most}), longest pause {gap_s:.1} s", times.len()));
            assert!(
                times.len() <= most,
                "{what}: a burst: {} turns of {name} in {seconds:.1} s",
                times.len()
            );
            assert!(gap_s <= GAP_S_MAX, "{what}: no {name} for {gap_s:.1} s");
        }
        figure("clock", what, &format!("in {seconds:.0} s {}", told.join(", ")));
    }
}
