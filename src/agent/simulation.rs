//! The agent against a simulated Redis and intake, with seeded faults: whatever happens in whatever order,
//! each sample is stored exactly once, dropped and counted, or still waiting; and each log arrives at least once
//! before it leaves its queue, or is dropped and counted.

mod dry_run;
mod host;
mod intake;
mod logs;
mod redis;
mod wire;

use std::time::{Duration, Instant};

use super::*;
use crate::limits::CLOCK_DOUBTED_S;
use crate::queue::{CLAIMED_METRICS, RAW_METRICS, WRAPPED_METRICS};
use host::Host;
pub(super) use host::{agent, settings};
use intake::FakeIntake;
use logs::Written;
use redis::{FakeRedis, Fault};

const SEEDS: u64 = 10_000;
const STEPS: usize = 60;
const START_S: f64 = 1_700_000_000.0;

struct World {
    seed: u64,
    random: Random,
    start: Instant,
    elapsed: Duration,
    clock_offset_s: f64,
    clock_offset_max_s: f64,
    hosts: Vec<Host>,
    redis: FakeRedis,
    intake: FakeIntake,
    logs: Written,
    written: f64,
    bad_written: f64,
    records: u64,
    faults: bool,
    /// Drops may have been counted in memory: Redis had none, or the clock was doubted.
    vague: bool,
    /// An agent has crashed after that.
    forgot: bool,
    /// Late records meet the seconds of others.
    crowded: bool,
}

impl World {
    fn new(seed: u64, hosts: usize, crowded: bool) -> World {
        let mut random = Random::new(seed);
        let hosts = (0..hosts).map(|_| Host::new(&mut random)).collect();
        let mut world = World {
            seed,
            random,
            start: beginning().mono,
            elapsed: Duration::ZERO,
            clock_offset_s: 0.0,
            clock_offset_max_s: 0.0,
            hosts,
            redis: FakeRedis::default(),
            intake: FakeIntake::default(),
            logs: Written::default(),
            written: 0.0,
            bad_written: 0.0,
            records: 0,
            faults: true,
            vague: false,
            forgot: false,
            crowded,
        };
        for host in 0..world.hosts.len() {
            world.event(host, Event::Started);
        }
        world
    }

    fn now(&self) -> Now {
        let wall_s = START_S + self.elapsed.as_secs_f64() + self.clock_offset_s;
        Now { mono: self.start + self.elapsed, wall_s }
    }

    fn any_host(&mut self) -> usize {
        self.random.below(self.hosts.len() as u64) as usize
    }

    fn event(&mut self, host: usize, event: Event) {
        let (now, mut actions) = (self.now(), Vec::new());
        self.hosts[host].agent.handle(event, now, &mut actions);
        self.carry_out(host, actions);
    }

    fn work(&mut self, host: usize) {
        while self.hosts[host].agent.has_work() && !self.hosts[host].sleeps {
            let (now, mut actions) = (self.now(), Vec::new());
            self.hosts[host].agent.work(now, &mut actions);
            self.carry_out(host, actions);
            if self.faults && self.random.below(4) == 0 {
                break;
            }
        }
    }

    fn carry_out(&mut self, host: usize, actions: Vec<Action>) {
        let this = &mut self.hosts[host];
        for action in actions {
            match action {
                Action::Redis(request) => {
                    assert!(this.connected, "a request without a connection");
                    self.redis.send(host, request);
                }
                Action::Post(stream, body) => {
                    let fate = if self.faults { self.random.below(6) } else { 5 };
                    let replaced = this.posted.of(stream).replace(self.intake.take(stream, &body, fate));
                    assert!(replaced.is_none(), "one request of a stream at a time");
                }
                Action::Arm(timer, at) => {
                    this.timers.insert(timer, at);
                }
                Action::Disarm(timer) => {
                    this.timers.remove(&timer);
                }
                Action::Ask { .. } => panic!("there are no collectors"),
                Action::Show { .. } => panic!("it is no dry run"),
                Action::Exit(_) => panic!("nobody asked it to stop"),
            }
        }
    }

    /// An application writes a few records.
    fn write(&mut self) {
        self.clock_offset_max_s = self.clock_offset_max_s.max(self.clock_offset_s);
        for _ in 0..self.random.below(8) {
            let late_s = [0.0, 0.0, 0.0, 3.0, 25.0][self.random.below(5) as usize];
            let score_s = self.now().wall_s - late_s;
            self.records += 1;
            let key = format!("record-{}", self.records);
            let json = match self.random.below(12) {
                0 => {
                    self.bad_written += 1.0;
                    "{not json".to_owned()
                }
                _ => {
                    let value = 1 + self.random.below(100);
                    self.written += value as f64;
                    let second = if self.crowded { self.records % 5 } else { self.records };
                    let stamp = START_S + second as f64;
                    format!(
                        r#"{{"metric":"app","type":"count","value":{value},"timestamp":{stamp},"tags":{{"n":{}}}}}"#,
                        self.random.below(3)
                    )
                }
            };
            self.redis.write_record(RAW_METRICS, &key, score_s, &json);
        }
    }

    fn step(&mut self) {
        let host = self.any_host();
        match self.random.below(20) {
            0..=1 => self.write(),
            2 => self.write_logs(),
            3..=9 => self.redis_answers(host),
            10 => self.intake_answers(host, Stream::Metrics),
            11 => self.intake_answers(host, Stream::Logs),
            12..=16 => self.time_passes(),
            17 => self.connection_changes(host),
            18 => match self.random.below(8) {
                0 => self.crash(host),
                1 | 2 if self.hosts.len() > 1 => self.hosts[host].sleeps ^= true,
                // Without a lease, two agents may send different sums of one second.
                2..5 if self.hosts.len() == 1 || !self.crowded => {
                    self.redis.fault = Some(Fault::Oom);
                    self.vague = true;
                }
                _ => self.redis.fault = Some(Fault::ReadOnly),
            },
            _ if self.random.below(8) == 0 => {
                self.clock_offset_s += [3600.0, -3600.0, 0.5, 7.0][self.random.below(4) as usize];
                self.vague = true;
            }
            _ => self.redis.fault = None,
        }
        self.work(host);
        self.check();
    }

    fn redis_answers(&mut self, host: usize) {
        self.redis.now = self.elapsed;
        for _ in 0..1 + self.random.below(3) {
            if self.hosts[host].sleeps {
                break;
            }
            match self.redis.execute_next(host) {
                Some(replies) => self.event(host, Event::Replies(replies)),
                None => break,
            }
            self.work(host);
        }
    }

    fn intake_answers(&mut self, host: usize, stream: Stream) {
        if self.hosts[host].sleeps {
            return;
        }
        if let Some(result) = self.hosts[host].posted.of(stream).take() {
            self.event(host, Event::Answered(stream, result));
        }
    }

    fn time_passes(&mut self) {
        self.elapsed += Duration::from_millis(self.random.below(4000));
        self.redis.now = self.elapsed;
        let now = self.now().mono;
        for host in 0..self.hosts.len() {
            while !self.hosts[host].sleeps
                && let Some((timer, _)) = self.hosts[host].timers.iter().find(|(_, at)| **at <= now)
            {
                let timer = *timer;
                self.hosts[host].timers.remove(&timer);
                self.event(host, Event::Timer(timer));
                self.work(host);
            }
        }
    }

    fn connection_changes(&mut self, host: usize) {
        if self.hosts[host].sleeps {
            return;
        }
        if self.hosts[host].connected {
            self.cut_connection(host);
            self.event(host, Event::RedisDown("gone".to_owned()));
        } else {
            self.hosts[host].connected = true;
            self.event(host, Event::RedisUp);
        }
    }

    fn cut_connection(&mut self, host: usize) {
        // Some of what was sent was carried out, without anybody hearing of it.
        for _ in 0..self.random.below(3) {
            self.redis.execute_next(host);
        }
        self.redis.disconnect(host);
        self.hosts[host].connected = false;
    }

    /// Kill -9 and a new start.
    fn crash(&mut self, host: usize) {
        self.cut_connection(host);
        self.forgot |= self.vague;
        self.hosts[host] = Host::new(&mut self.random);
        self.event(host, Event::Started);
    }

    /// Nothing is lost or counted twice inside Redis: what was written is raw, claimed, wrapped, or was
    /// acknowledged after the intake had it.
    fn check(&self) {
        let waiting = self.redis.sum_of_records(RAW_METRICS) + self.redis.sum_of_records(CLAIMED_METRICS);
        let wrapped = self.redis.sum_of_series(WRAPPED_METRICS, "app");
        let seen = waiting + wrapped + self.redis.acknowledged;
        assert_eq!(seen, self.written, "seed {}: {waiting} waiting, {wrapped} wrapped", self.seed);
        self.check_logs();
    }

    /// Redis and the intakes do all they were asked to.
    fn all_answer(&mut self) {
        for host in 0..self.hosts.len() {
            self.redis_answers(host);
            self.intake_answers(host, Stream::Metrics);
            self.intake_answers(host, Stream::Logs);
            self.work(host);
        }
    }

    /// Everything works again: all there is must arrive.
    fn finish(&mut self) {
        self.faults = false;
        self.redis.fault = None;
        for host in 0..self.hosts.len() {
            self.hosts[host].sleeps = false;
            if !self.hosts[host].connected {
                self.connection_changes(host);
            }
        }
        // Records that were stamped before the clock was set back are in the future until it has passed them.
        self.clock_offset_s = self.clock_offset_max_s + 60.0;
        for _ in 0..400 {
            self.all_answer();
            self.time_passes();
            self.check();
            let is_quiet = self.hosts.iter().all(|host| host.posted.iter().all(Option::is_none));
            if self.redis.acknowledged == self.written && self.redis.is_drained() && is_quiet {
                break;
            }
        }
        let seed = self.seed;
        assert_eq!(self.redis.acknowledged, self.written, "seed {seed}: acknowledged");
        assert_eq!(self.intake.sum("app"), self.written, "seed {seed}: at the intake");
        assert!(self.redis.is_drained(), "seed {seed}: raw and claimed metrics and logs are empty");
        // A clock that was doubted is believed by now.
        self.elapsed += Duration::from_secs(CLOCK_DOUBTED_S);
        let dropped = self.bad_written + self.logs.unacceptable() as f64;
        for _ in 0..200 {
            self.time_passes();
            self.all_answer();
            if self.redis.acknowledged_drops == dropped {
                break;
            }
        }
        let told = self.redis.acknowledged_drops;
        let exact = told == dropped;
        // What is counted in memory is lost with it; and while two agents take turns, it may be stored twice.
        let excused = self.forgot && told < dropped || self.vague && self.hosts.len() > 1;
        assert!(exact || excused, "seed {seed}: {told} of {dropped} counted");
    }
}

/// When a simulation begins.
fn beginning() -> Now {
    Now { mono: Instant::now(), wall_s: START_S }
}

fn simulate(seeds: std::ops::Range<u64>, hosts: usize, crowded: bool) {
    for seed in seeds {
        let mut world = World::new(seed, hosts, crowded);
        for _ in 0..STEPS * hosts {
            world.step();
        }
        world.finish();
    }
}

#[test]
fn each_sample_is_stored_once_whatever_happens() {
    simulate(0..SEEDS / 2, 1, false);
}

#[test]
fn two_agents_on_one_redis_count_nothing_twice() {
    simulate(SEEDS / 2..SEEDS * 7 / 10, 2, false);
}

#[test]
fn sums_stay_exact_where_late_records_meet_delivered_seconds() {
    simulate(0..SEEDS / 5, 1, true);
}

#[test]
fn sums_stay_exact_there_with_two_agents_too() {
    simulate(0..SEEDS / 10, 2, true);
}
