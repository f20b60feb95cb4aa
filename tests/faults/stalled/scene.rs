//! An agent under a fault: what goes on meanwhile, what must have come of it, and how late its loop was.

use crate::support::agent::{Agent, Env};
use crate::support::behaviour::status;
use crate::support::bench::Bench;
use crate::support::figures::figure;
use crate::support::queues::{CLAIMED, RAW, raw_record};
use crate::support::redis::Client;
use crate::support::store::Store;
use crate::support::{PATIENT, SOON, find_program, wait_until};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How late a timer may be without the machine's help.
pub const OWN_LATENESS_MS_MAX: f64 = 50.0;
/// How long a fault lasts: longer than any deadline of a connection but that of Redis, and an attempt after it.
pub const FAULT: Duration = Duration::from_secs(25);

const NUDGE_EVERY: Duration = Duration::from_secs(1);
const PUSH_EVERY: Duration = Duration::from_millis(250);
/// A record waits for the end of its second, one more, and the turn of the loop.
const RAW_AGE_S_MAX: f64 = 6.0;
/// Readings are taken every second.
const READING_GAP_S_MAX: u64 = 3;
const COUNTS: &str = "app.events";
const READING: &str = "Chouette.host.la";

/// An agent that aggregates, reads the board and releases, all of it every second.
pub struct Scene {
    pub bench: Bench,
    pub agent: Agent,
    client: Client,
    pushed: usize,
    raw_age_s: f64,
}

impl Scene {
    /// With an intake that accepts everything. None where there is no Redis.
    pub fn start(changes: &[(&str, &str)]) -> Option<Scene> {
        let bench = Bench::new(|_| status(202))?;
        Some(Scene::with(bench, changes))
    }

    /// With this Redis and intake, and these variables changed.
    pub fn with(bench: Bench, changes: &[(&str, &str)]) -> Scene {
        let agent = Agent::start(&mut command(&env(&bench, changes)));
        Scene::of(bench, agent)
    }

    /// With an agent that runs already.
    pub fn of(bench: Bench, agent: Agent) -> Scene {
        let client = bench.redis.client();
        Scene { bench, agent, client, pushed: 0, raw_age_s: 0.0 }
    }

    /// Goes on writing counts for so long; they must go on being aggregated.
    pub fn live(&mut self, duration: Duration) {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            self.push();
            self.raw_age_s = self.raw_age_s.max(self.oldest_age_s());
            assert!(
                self.raw_age_s <= RAW_AGE_S_MAX,
                "a record has waited {:.1} s for its aggregation",
                self.raw_age_s
            );
            std::thread::sleep(PUSH_EVERY);
        }
        assert!(self.agent.is_running());
    }

    /// Waits until no record is overdue.
    pub fn catches_up(&mut self) {
        let caught_up = wait_until(SOON, || self.oldest_age_s() <= RAW_AGE_S_MAX);
        assert!(caught_up, "a record has waited {:.1} s for its aggregation", self.oldest_age_s());
    }

    fn push(&mut self) {
        let now = wall_s();
        let record = raw_record(COUNTS, "count", "1", now, &[]);
        self.client.push(RAW, &format!("count-{}", self.pushed), Some(now), Some(record.as_bytes()));
        self.pushed += 1;
    }

    /// How long ago the oldest record that is not aggregated was written.
    fn oldest_age_s(&mut self) -> f64 {
        let mut oldest = |queue: &str| -> Option<f64> {
            let keys = format!("{queue}.keys");
            let first: Vec<String> = self.client.run(&["ZRANGE", &keys, "0", "0", "WITHSCORES"]);
            first.get(1).map(|score| score.parse().unwrap())
        };
        let oldest = [oldest(RAW), oldest(CLAIMED)].into_iter().flatten().reduce(f64::min);
        oldest.map_or(0.0, |score| wall_s() - score)
    }

    /// Waits until the agent has said so, since that shows that the fault was one.
    pub fn hears(&self, text: &str) {
        assert!(self.agent.wait_for_line(SOON, text), "the fault was not felt: {text}");
    }

    /// The fault is over: everything must arrive. Ends the agent.
    pub fn arrives_and_ends(&mut self) {
        // Instead of waiting for the end of a back-off.
        let mut nudge_at = Instant::now();
        let arrived = wait_until(PATIENT, || {
            if Instant::now() >= nudge_at {
                self.agent.signal("USR1");
                nudge_at = Instant::now() + NUDGE_EVERY;
            }
            self.acknowledged() >= self.pushed as f64
        });
        assert!(arrived, "{} of {} counts have arrived", self.acknowledged(), self.pushed);
        self.agent.signal("TERM");
        assert_eq!(self.agent.wait(SOON), Some(0));
        let store = self.bench.store();
        assert_eq!(store.sum(COUNTS), self.pushed as f64, "nothing lost, nothing twice");
        let readings = store.series(READING).into_iter().flat_map(|(_, held)| held.points.keys().copied());
        let gap_s = longest_gap_s(readings.collect());
        assert!(gap_s <= READING_GAP_S_MAX, "the board was not read for {gap_s} s");
    }

    fn acknowledged(&self) -> f64 {
        Store::acknowledged(&self.bench.intake.requests()).sum(COUNTS)
    }

    /// Checks and tells of the lateness, as the log has it.
    pub fn tell_lateness(&self, fault: &str, log: &str) {
        let more = format!("raw records {:.1} s old (bound {RAW_AGE_S_MAX} s)", self.raw_age_s);
        tell_lateness(fault, log, &more);
    }

    /// Both of the above.
    pub fn ends_well(&mut self, fault: &str) {
        self.arrives_and_ends();
        self.tell_lateness(fault, &self.agent.stderr());
    }
}

/// Checks and tells of the lateness, as the log has it, and of something more.
pub fn tell_lateness(fault: &str, log: &str, more: &str) {
    let seconds = lateness(log, "] probe: worst");
    let run = lateness(log, "] probe: the whole run: worst");
    let (worst_ms, own_ms) = *run.last().expect("the probe tells of the whole run");
    let mut own: Vec<f64> = seconds.iter().map(|(_, own_ms)| *own_ms).collect();
    own.sort_by(f64::total_cmp);
    let median_ms = own[own.len() / 2];
    figure(
        "never stalled",
        fault,
        &format!(
            "worst {own_ms:.1} ms late (bound {OWN_LATENESS_MS_MAX} ms), median of {} seconds {median_ms:.1} ms; \
             {worst_ms:.1} ms with waiting for a processor; {more}",
            own.len(),
        ),
    );
    assert!(own_ms <= OWN_LATENESS_MS_MAX, "a timer was {own_ms} ms late");
}

/// What the agent of a scene gets.
pub fn env(bench: &Bench, changes: &[(&str, &str)]) -> Env {
    let own =
        [("CHOUETTE_PROBE", "1"), ("COLLECTOR_PLUGINS", "host"), ("HOST_COLLECTOR_METRICS", r#"["la"]"#)];
    crate::support::agent::with(bench.env_with(&own), changes)
}

/// The agent, before other programs in the queue for a processor where that is permitted.
pub fn command(env: &Env) -> Command {
    let mut command = Command::new(find_program("nice").unwrap());
    command.args(["-n", "-10", env!("CARGO_BIN_EXE_chouette-iot"), "run"]).env_clear();
    command.envs(env.iter().map(|(name, value)| (name, value)));
    command
}

/// How many seconds the probe has told of.
pub fn seconds_told(log: &str) -> usize {
    lateness(log, "] probe: worst").len()
}

/// `… lateness 12.3 ms, 1.1 ms without …` of the lines with this beginning, in milliseconds.
fn lateness(log: &str, beginning: &str) -> Vec<(f64, f64)> {
    let figures = |line: &str| {
        let (_, text) = line.split_once(beginning)?;
        let (worst, own) = text.strip_prefix(" lateness ")?.split_once(" ms, ")?;
        Some((worst.parse().unwrap(), own.split_once(" ms without")?.0.parse().unwrap()))
    };
    log.lines().filter_map(figures).collect()
}

fn longest_gap_s(mut seconds: Vec<u64>) -> u64 {
    seconds.sort_unstable();
    assert!(seconds.len() > 2, "the board was read {} times", seconds.len());
    seconds.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap()
}

fn wall_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}
