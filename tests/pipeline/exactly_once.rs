//! Whatever is cut, and wherever: each sample counts once.

use crate::support::agent::Agent;
use crate::support::behaviour::status;
use crate::support::proxy::{RedisProxy, Trouble};
use crate::support::queues::{RAW, raw_record};
use crate::support::{PATIENT, SOON, json, unix_now, wait_until};
use crate::{Bench, arrives, push_gauge, push_ones};

use std::time::{Duration, Instant};

const SAMPLES: usize = 30_000;

/// SIGTERM gives what is in flight five seconds; the rest is for the machine.
const TERM_LIMIT: Duration = Duration::from_secs(6);

fn assert_counted_once(bench: &Bench, samples: usize) {
    assert!(bench.drained(PATIENT), "{:?}", bench.redis.client().sizes());
    let sum = bench.store().sum("load");
    assert!(json::close(sum, samples as f64), "{sum} of {samples} samples");
}

/// Where in its work the agent is hit.
#[derive(Debug, Clone, Copy)]
enum Moment {
    Claimed,
    Stored,
    Sent,
}

impl Moment {
    const ALL: [Moment; 3] = [Moment::Claimed, Moment::Stored, Moment::Sent];

    fn wait(self, bench: &Bench) {
        let mut client = bench.redis.client();
        let deadline = Instant::now() + SOON;
        // Without a pause: the moments are short.
        while Instant::now() < deadline {
            let sizes = client.sizes();
            let reached = match self {
                Moment::Claimed => sizes.claimed > 0,
                Moment::Stored => sizes.wrapped > 0,
                Moment::Sent => !bench.intake.requests().is_empty(),
            };
            if reached {
                return;
            }
        }
        panic!("the agent never came to {self:?}");
    }
}

#[test]
fn over_a_power_cut() {
    for moment in Moment::ALL {
        let Some(bench) = Bench::new(|_| status(202)) else {
            return;
        };
        let env = bench.env_with(&[("METRICS_BULK_SIZE", "100")]);
        push_ones(&mut bench.redis.client(), "before", SAMPLES);
        let mut agent = Agent::run(&env);
        moment.wait(&bench);
        agent.kill();
        push_ones(&mut bench.redis.client(), "after", 1000);
        let _successor = Agent::run(&env);
        eprintln!("killed at {moment:?}");
        assert_counted_once(&bench, SAMPLES + 1000);
    }
}

#[test]
fn over_a_sigterm_in_the_middle_of_work() {
    for moment in Moment::ALL {
        let Some(bench) = Bench::new(|_| status(202)) else {
            return;
        };
        let env = bench.env_with(&[("METRICS_BULK_SIZE", "100")]);
        push_ones(&mut bench.redis.client(), "before", SAMPLES);
        let mut agent = Agent::run(&env);
        moment.wait(&bench);
        let asked = Instant::now();
        agent.signal("TERM");
        assert_eq!(agent.wait(SOON), Some(0), "{moment:?}");
        assert!(asked.elapsed() <= TERM_LIMIT, "{moment:?}: it took {:?}", asked.elapsed());
        let _successor = Agent::run(&env);
        eprintln!("ended at {moment:?}");
        assert_counted_once(&bench, SAMPLES);
    }
}

/// The agent behind a proxy that spoils `EXEC` some times.
fn over_trouble_with_exec(trouble: Trouble) {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let proxy = RedisProxy::start(&bench.redis.socket());
    proxy.set(trouble);
    push_ones(&mut bench.redis.client(), "load", SAMPLES / 3);
    let mut agent = Agent::run(&bench.env_with(&[("REDIS_URL", &proxy.url())]));
    assert!(wait_until(PATIENT, || proxy.is_spent()), "it did not come to the trouble");
    assert_counted_once(&bench, SAMPLES / 3);
    assert!(agent.is_running());
}

#[test]
fn when_the_replies_to_commits_are_lost() {
    over_trouble_with_exec(Trouble::LoseReply { command: "EXEC", times: 4 });
}

#[test]
fn when_commits_do_not_reach_redis() {
    over_trouble_with_exec(Trouble::LoseCommand { command: "EXEC", times: 4 });
}

#[test]
fn when_redis_answers_byte_by_byte() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let proxy = RedisProxy::start(&bench.redis.socket());
    proxy.set(Trouble::Trickle);
    push_ones(&mut bench.redis.client(), "load", 100);
    // The lease of an interval of one second would be over before such an answer is.
    let _agent = Agent::run(&bench.env_with(&[("REDIS_URL", &proxy.url()), ("AGGREGATE_INTERVAL", "10")]));
    assert_counted_once(&bench, 100);
}

#[test]
fn when_redis_stops_answering() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let proxy = RedisProxy::start(&bench.redis.socket());
    let mut agent = Agent::run(&bench.env_with(&[("REDIS_URL", &proxy.url())]));
    let mut client = bench.redis.client();
    push_gauge(&mut client, "ready", 1.0);
    assert!(arrives(&bench.intake, "ready", SOON));
    proxy.set(Trouble::Hang);
    push_ones(&mut client, "load", 1000);
    // Only connections made from now on are good again; the agent has to notice that its own is dead.
    let hanging = proxy.commands().len();
    assert!(wait_until(SOON, || proxy.commands().len() > hanging));
    proxy.set(Trouble::None);
    assert_counted_once(&bench, 1000);
    assert!(agent.is_running());
}

#[test]
fn when_records_keep_coming_in() {
    const ROUNDS: usize = 20;
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let _agent = Agent::run(&bench.env());
    let mut client = bench.redis.client();
    for round in 0..ROUNDS {
        let now = unix_now() as f64;
        let record = raw_record("load", "count", "1", now, &[("round", &round.to_string())]);
        let records: Vec<(f64, String)> = (0..50).map(|_| (now, record.clone())).collect();
        client.fill(RAW, &format!("round-{round}"), &records);
        // The next round is written while this one is aggregated or waits in an open bucket.
        let seen = bench.intake.requests().len();
        bench.intake.wait_for(Duration::from_millis(300), |requests| requests.len() > seen);
    }
    assert_counted_once(&bench, ROUNDS * 50);
}
