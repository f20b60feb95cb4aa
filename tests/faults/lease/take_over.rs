//! How long it takes until a standby works, and that no count is lost or doubled by it.

use super::GROUP;
use crate::support::agent::{Agent, Env};
use crate::support::application::{Application, COUNTS, Habits, remembered};
use crate::support::behaviour::status;
use crate::support::bench::Bench;
use crate::support::figures::figure;
use crate::support::{PATIENT, SOON, wait_until};
use chouette_iot::release::Random;
use std::time::{Duration, Instant};

const SEED: u64 = 7;
const INTERVAL: Duration = Duration::from_secs(2);
const ROUNDS: u32 = 8;
/// After a kill -9, and after a SIGTERM.
const KILLED: Duration = INTERVAL.saturating_mul(2);
const GIVEN_BACK: Duration = INTERVAL;
/// For the machine and for what is in flight when the signal comes.
const SLACK: Duration = Duration::from_millis(500);

/// An agent that works and one that stands by.
struct Pair {
    bench: Bench,
    env: Env,
    working: Agent,
    standby: Agent,
}

impl Pair {
    fn start() -> Option<Pair> {
        let bench = Bench::new(|_| status(202))?;
        let interval = INTERVAL.as_secs().to_string();
        // What is acknowledged at any time of an interval renews the lease, too.
        let env = bench.env_with(&[("AGGREGATE_INTERVAL", &interval), ("RELEASE_INTERVAL", &interval)]);
        let working = Agent::run(&env);
        let mut client = bench.redis.client();
        assert!(wait_until(SOON, || client.holder().is_some()), "{}", working.stderr());
        let standby = Agent::run(&env);
        let pair = Pair { bench, env, working, standby };
        pair.says_that_it_stands_by();
        Some(pair)
    }

    fn holder(&self) -> String {
        self.bench.redis.client().holder().expect("somebody holds the lease")
    }

    fn says_that_it_stands_by(&self) {
        let line = format!("lease: agent {} works on this redis; this one,", self.holder());
        assert!(self.standby.wait_for_line(SOON, &line), "no '{line}' in:\n{}", self.standby.stderr());
    }

    /// Ends the one that works, and measures how long it takes until the other does; a new one stands by then.
    fn change(&mut self, end: impl FnOnce(&mut Agent)) -> Duration {
        let before = self.holder();
        let since = Instant::now();
        end(&mut self.working);
        let mut client = self.bench.redis.client();
        assert!(wait_until(SOON, || client.holder().is_some_and(|now| now != before)), "nobody takes over");
        let took = since.elapsed();
        let line = format!("lease: taken over from agent {before}");
        assert!(self.standby.wait_for_line(SOON, &line), "no '{line}' in:\n{}", self.standby.stderr());
        self.working = std::mem::replace(&mut self.standby, Agent::run(&self.env));
        self.says_that_it_stands_by();
        took
    }
}

#[test]
fn a_standby_takes_over_and_all_counts_stay_exact() {
    let Some(mut pair) = Pair::start() else { return };
    let mut random = Random::new(SEED);
    let mut application = Application::start(&pair.bench.redis.socket(), Habits::default(), SEED);
    let mut moment = || Duration::from_secs_f64(random.unit() * INTERVAL.as_secs_f64());
    let mut killed = Vec::new();
    for _ in 0..ROUNDS {
        std::thread::sleep(moment());
        killed.push(pair.change(Agent::kill));
    }
    let mut given_back = Vec::new();
    for _ in 0..ROUNDS {
        std::thread::sleep(moment());
        given_back.push(pair.change(|agent| agent.signal("TERM")));
    }
    let written: u64 = application.stop().sums.values().sum();
    assert!(pair.bench.drained(PATIENT));
    let sum = pair.bench.store().sum(COUNTS);
    let tell = |what: &str, times: &[Duration], bound: Duration| {
        let longest = *times.iter().max().unwrap();
        let median = middle(times);
        figure(
            GROUP,
            what,
            &format!("{longest:.1?} at most, median {median:.1?} of {} (bound {bound:.0?})", times.len()),
        );
        longest
    };
    let longest = tell("a standby works after kill -9, interval 2 s", &killed, KILLED);
    assert!(longest <= KILLED + SLACK, "seed {SEED}: {killed:.1?}");
    let longest = tell("a standby works after SIGTERM, interval 2 s", &given_back, GIVEN_BACK);
    assert!(longest <= GIVEN_BACK + SLACK, "seed {SEED}: {given_back:.1?}");
    figure(
        GROUP,
        "sums through these take-overs",
        &format!("{written} written, {sum} at the intake, difference {} (bound 0)", sum - written as f64),
    );
    assert_eq!(remembered(&mut pair.bench.redis.client()).values().sum::<u64>(), written);
    assert_eq!(sum, written as f64, "seed {SEED}");
}

fn middle(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}
