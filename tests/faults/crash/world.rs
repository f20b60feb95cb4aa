//! One Redis, one intake, an application that never stops writing, and an agent that is ended again and again.

use crate::support::agent::{self, Agent, Env};
use crate::support::application::{Application, Habits};
use crate::support::behaviour::{Behaviour, status};
use crate::support::intake::{Intake, Request};
use crate::support::proxy::{RedisProxy, Trouble};
use crate::support::queues::CLAIMED;
use crate::support::redis::{Client, Options, RedisServer};
use crate::support::{SOON, wait_until};
use chouette_iot::release::Random;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::outcome::Outcome;

/// The link to Redis is slow, so that a moment chosen at random is in the middle of work.
const COMMAND_TAKES: Duration = Duration::from_millis(3);
/// The intake takes this long over a request at most.
const REQUEST_TAKES_MS_MAX: u64 = 40;
/// After each kind of beginning, how long it is at most until the moment has come: a turn of the loop and a half; a
/// claim that is read and committed; an answer and its acknowledgement.
const MOMENT_MS_MAX: [u64; 3] = [1_500, 300, 100];
/// How long Redis is away at most.
const AWAY_MS_MAX: u64 = 500;
/// Between two requests of the operator to release at once, when all is to arrive.
const NUDGE_EVERY: Duration = Duration::from_secs(1);

/// How a world differs from the others.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    pub seed: u64,
    /// Whether Redis writes each change to disk before it replies, or every second.
    pub syncs_always: bool,
    /// Of how many requests one is stored, and its answer lost; none for 0.
    pub lost_answer_one_in: u64,
    /// What a power cut takes of the latest writes at most, in milliseconds.
    pub unsynced_ms_max: u64,
    pub habits: Habits,
}

/// What was done to it.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Of the agent.
    pub kills: u64,
    pub redis_kills: u64,
    pub terms: u64,
    /// While a claim was under way.
    pub amid_claim: u64,
}

/// What a disk has of an append-only file.
pub struct Synced {
    at: Instant,
    bytes: u64,
    file: PathBuf,
}

pub struct World {
    plan: Plan,
    redis: RedisServer,
    intake: Intake,
    proxy: RedisProxy,
    application: Application,
    random: Random,
    agent: Option<Agent>,
    /// Who has held the lease and is no more.
    gone: BTreeSet<String>,
    pub tally: Tally,
}

impl World {
    /// With an agent that works. None where there is no Redis.
    pub fn start(plan: Plan) -> Option<World> {
        let sync = if plan.syncs_always { "always" } else { "everysec" };
        let redis = RedisServer::start_with(&Options {
            append_only: true,
            arguments: &["--appendfsync", sync],
            ..Options::default()
        })?;
        let proxy = RedisProxy::start(&redis.socket());
        proxy.set(Trouble::Slow(COMMAND_TAKES));
        let mut world = World {
            intake: Intake::start(script(&plan)),
            application: Application::start(&redis.socket(), plan.habits.clone(), plan.seed),
            random: Random::new(plan.seed ^ 1),
            proxy,
            redis,
            agent: None,
            gone: BTreeSet::new(),
            tally: Tally::default(),
            plan,
        };
        world.start_agent();
        Some(world)
    }

    fn env(&self) -> Env {
        agent::env(&self.proxy.url(), &self.intake)
    }

    /// Starts the agent and waits until it is its turn.
    pub fn start_agent(&mut self) {
        self.agent = Some(Agent::run(&self.env()));
        let (redis, gone) = (&self.redis, &self.gone);
        let works = wait_until(SOON, || redis.client().holder().is_some_and(|name| !gone.contains(&name)));
        assert!(works, "seed {}: the new agent does not begin to work", self.plan.seed);
    }

    /// Waits until something of the intake's has been heard.
    pub fn goes_on(&self) {
        let before = self.intake.requests().len();
        let goes_on = self.intake.wait_for(SOON, |requests| requests.len() > before);
        assert!(goes_on, "seed {}: nothing is released any more", self.plan.seed);
    }

    /// Waits for a moment of the seed's choice.
    pub fn moment(&mut self) {
        let kind = self.random.below(3) as usize;
        match kind {
            0 => {}
            1 => drop(wait_until(SOON, || self.client().size(CLAIMED) > 0)),
            _ => self.goes_on(),
        }
        self.pause(MOMENT_MS_MAX[kind]);
    }

    fn pause(&mut self, ms_max: u64) {
        std::thread::sleep(Duration::from_micros(self.random.below(ms_max * 1_000)));
    }

    /// Ends the agent as a power cut would.
    pub fn kill_agent(&mut self) {
        self.gone.extend(self.client().holder());
        self.agent = None;
        self.tally.kills += 1;
        self.tally.amid_claim += u64::from(self.client().size(CLAIMED) > 0);
    }

    /// Tells the agent to end, and waits until it has.
    pub fn end_agent(&mut self) {
        let mut agent = self.agent.take().expect("an agent runs");
        self.gone.extend(self.client().holder());
        agent.signal("TERM");
        let seed = self.plan.seed;
        assert_eq!(agent.wait(SOON), Some(0), "seed {seed}: {}", agent.stderr());
        self.tally.terms += 1;
    }

    /// Ends Redis, for a while. What it had told the kernel stays.
    pub fn kill_redis(&mut self) {
        self.redis.stop();
        self.tally.redis_kills += 1;
        self.pause(AWAY_MS_MAX);
        self.redis.launch();
        let client = &mut self.client();
        assert!(wait_until(SOON, || client.attempt::<()>(&["DBSIZE"]).is_ok()), "{}", self.redis.log());
    }

    /// What Redis has written so far is what the disk will keep when the power fails.
    pub fn synced(&self) -> Synced {
        let file = self.append_only_file();
        Synced { at: Instant::now(), bytes: std::fs::metadata(&file).unwrap().len(), file }
    }

    /// Waits until the disk would have to be told of more.
    pub fn writes_on(&mut self) {
        self.pause(self.plan.unsynced_ms_max);
    }

    /// Waits until a claim is there, and in `synced` what was so far; then until something of it is being released.
    pub fn releases_what_is_unsynced(&mut self) -> Synced {
        wait_until(SOON, || self.client().size(CLAIMED) > 0);
        let synced = self.synced();
        self.goes_on();
        self.pause(REQUEST_TAKES_MS_MAX);
        let is_young = synced.at.elapsed() < Duration::from_millis(self.plan.unsynced_ms_max);
        if is_young { synced } else { self.synced() }
    }

    /// Ends Redis, for a while. What it wrote since is gone.
    pub fn cut_power_of_redis(&mut self, synced: &Synced) {
        self.redis.stop();
        File::options().write(true).open(&synced.file).unwrap().set_len(synced.bytes).unwrap();
        self.kill_redis();
    }

    fn append_only_file(&self) -> PathBuf {
        let data = self.redis.data_dir();
        let parts = std::fs::read_dir(data.join("appendonlydir")).into_iter().flatten().flatten();
        let latest =
            parts.map(|entry| entry.path()).find(|path| path.to_string_lossy().ends_with(".incr.aof"));
        latest.unwrap_or_else(|| data.join("appendonly.aof"))
    }

    fn client(&self) -> Client {
        self.redis.client()
    }

    /// The application ends; all that it wrote must arrive. Then the agent ends.
    pub fn settle(mut self) -> Outcome {
        let written = self.application.stop();
        if self.agent.is_none() {
            self.start_agent();
        }
        let mut client = self.client();
        let agent = self.agent.as_ref().expect("an agent runs");
        let mut outcome = None;
        let arrived = wait_until(2 * SOON, || {
            agent.signal("USR1");
            outcome = Outcome::of_drained(&mut client, &self.intake, &written);
            if outcome.is_none() {
                std::thread::sleep(NUDGE_EVERY);
            }
            outcome.is_some()
        });
        assert!(arrived, "seed {}: {:?} are left\n{}", self.plan.seed, client.sizes(), agent.stderr());
        self.end_agent();
        self.tally.terms -= 1;
        let mut outcome = Outcome::of_drained(&mut client, &self.intake, &written).unwrap();
        outcome.seed = self.plan.seed;
        outcome.tally = self.tally.clone();
        outcome
    }
}

/// Takes its time, and loses an answer now and then.
fn script(plan: &Plan) -> impl FnMut(&Request) -> Behaviour + Send + 'static {
    let mut random = Random::new(plan.seed ^ 2);
    let lost_one_in = plan.lost_answer_one_in;
    move |_| {
        std::thread::sleep(Duration::from_millis(random.below(REQUEST_TAKES_MS_MAX)));
        if lost_one_in > 0 && random.below(lost_one_in) == 0 { Behaviour::Reset } else { status(202) }
    }
}
