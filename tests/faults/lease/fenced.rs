//! An agent that was suspended in the middle of work, and goes on after another one has taken over.

use super::GROUP;
use crate::support::agent::{self, Agent};
use crate::support::behaviour::status;
use crate::support::bench::{Bench, push_ones};
use crate::support::figures::figure;
use crate::support::proxy::{RedisProxy, Trouble};
use crate::support::queues::CLAIMED;
use crate::support::{PATIENT, SOON, wait_until};
use chouette_iot::release::Random;
use std::time::Duration;

const SEEDS: [u64; 2] = [11, 12];
const ROUNDS: usize = 10;
const RECORDS: usize = 30_000;
/// The link to Redis is slow, so that a claim takes a second.
const COMMAND_TAKES: Duration = Duration::from_millis(2);
/// From the claim on until the agent is stopped, and from the take-over on until it goes on.
const MOMENT_MS_MAX: u64 = 1_000;

struct Fenced {
    bench: Bench,
    agents: [Agent; 2],
    /// Which of the agents works.
    working: usize,
    random: Random,
    /// Stops amid a claim.
    amid_claim: usize,
}

impl Fenced {
    fn start(seed: u64) -> Option<(Fenced, RedisProxy)> {
        let bench = Bench::new(|_| status(202))?;
        let proxy = RedisProxy::start(&bench.redis.socket());
        proxy.set(Trouble::Slow(COMMAND_TAKES));
        let env = agent::with(bench.env(), &[("REDIS_URL", &proxy.url())]);
        let first = Agent::run(&env);
        let mut client = bench.redis.client();
        assert!(wait_until(SOON, || client.holder().is_some()), "{}", first.stderr());
        let second = Agent::run(&env);
        assert!(second.wait_for_line(SOON, "stands by"), "{}", second.stderr());
        let random = Random::new(seed);
        Some((Fenced { bench, agents: [first, second], working: 0, random, amid_claim: 0 }, proxy))
    }

    fn pause(&mut self) {
        std::thread::sleep(Duration::from_micros(self.random.below(MOMENT_MS_MAX * 1_000)));
    }

    fn round(&mut self, number: usize) {
        let mut client = self.bench.redis.client();
        push_ones(&mut client, &format!("round-{number}"), RECORDS);
        assert!(wait_until(SOON, || client.size(CLAIMED) > 0));
        self.pause();
        let stopped = self.working;
        let before = client.holder();
        self.agents[stopped].signal("STOP");
        self.amid_claim += usize::from(client.size(CLAIMED) > 0);
        assert!(wait_until(SOON, || client.holder().is_some_and(|now| Some(now) != before)));
        self.pause();
        let said = stood_by(&self.agents[stopped]);
        self.agents[stopped].signal("CONT");
        let stands_by = wait_until(SOON, || stood_by(&self.agents[stopped]) > said);
        assert!(stands_by, "it goes on as if nothing had been:\n{}", self.agents[stopped].stderr());
        self.working = 1 - stopped;
        assert!(self.bench.drained(PATIENT), "{:?}", client.sizes());
    }
}

fn stood_by(agent: &Agent) -> usize {
    agent.stderr().matches(", stands by:").count()
}

#[test]
fn an_agent_that_was_suspended_amid_work_counts_nothing_twice() {
    let live = |seed| {
        let (mut fenced, _proxy) = Fenced::start(seed)?;
        for number in 0..ROUNDS {
            fenced.round(number);
            let (sum, expected) = (fenced.bench.store().sum("load"), (RECORDS * (number + 1)) as f64);
            assert_eq!(sum, expected, "seed {seed}, round {number}");
        }
        Some(fenced)
    };
    let ended: Option<Vec<Fenced>> = std::thread::scope(|scope| {
        let threads: Vec<_> = SEEDS.into_iter().map(|seed| scope.spawn(move || live(seed))).collect();
        threads.into_iter().map(|thread| thread.join().expect("as its thread says")).collect()
    });
    let Some(ended) = ended else { return };
    let stops = ROUNDS * ended.len();
    let sum: f64 = ended.iter().map(|fenced| fenced.bench.store().sum("load")).sum();
    let void = |fenced: &Fenced| {
        let logs = fenced.agents.iter().map(Agent::stderr).collect::<String>();
        logs.matches("touched the claimed queue").count() + logs.matches("the lease was lost").count()
    };
    let amid: usize = ended.iter().map(|fenced| fenced.amid_claim).sum();
    figure(
        GROUP,
        "suspended for longer than the lease, then continued",
        &format!(
            "{stops} times, {amid} amid a claim of {RECORDS} records; {} refusals told; {} written, {sum} at the \
             intake (difference {}, bound 0)",
            ended.iter().map(void).sum::<usize>(),
            stops * RECORDS,
            sum - (stops * RECORDS) as f64
        ),
    );
    assert!(amid * 2 > stops, "too few stops amid a claim to show anything: {amid} of {stops}");
}
