//! The agent against a simulated Redis and intake, with seeded faults: whatever happens in whatever order,
//! each sample is stored exactly once, dropped and counted, or still waiting; and each log arrives at least once
//! before it leaves its queue, or is dropped and counted.

mod intake;
mod logs;
mod redis;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::*;
use crate::aggregate::{HistogramOptions, WRAPPERS};
use crate::collect::DiskSpace;
use crate::queue::{CLAIMED_METRICS, RAW_METRICS, WRAPPED_METRICS};
use intake::FakeIntake;
use logs::Written;
use redis::{FakeRedis, Fault};

const SEEDS: u64 = 10_000;
const STEPS: usize = 60;
const START_S: f64 = 1_700_000_000.0;

struct NoFiles;

impl HostFiles for NoFiles {
    fn read(&self, _: &str) -> std::io::Result<String> {
        Err(std::io::ErrorKind::NotFound.into())
    }
    fn list(&self, _: &str) -> std::io::Result<Vec<String>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
    fn disk_space(&self, _: &str) -> std::io::Result<DiskSpace> {
        Err(std::io::ErrorKind::NotFound.into())
    }
    fn is_foreign(&self) -> bool {
        false
    }
    fn own_file(&self, _: &str) -> std::io::Result<String> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

struct World {
    seed: u64,
    random: Random,
    start: Instant,
    elapsed: Duration,
    clock_offset_s: f64,
    clock_offset_max_s: f64,
    agent: Agent,
    redis: FakeRedis,
    intake: FakeIntake,
    timers: BTreeMap<Timer, Instant>,
    connected: bool,
    posted: PerStream<Option<Vec<u8>>>,
    logs: Written,
    written: f64,
    bad_written: f64,
    records: u64,
    faults: bool,
    /// Late records meet the seconds of others. Then nothing crashes: which seconds were delivered is forgotten.
    crowded: bool,
}

impl World {
    fn new(seed: u64, crowded: bool) -> World {
        let mut random = Random::new(seed);
        let agent = agent(random.next_u64());
        let mut world = World {
            seed,
            random,
            start: Instant::now(),
            elapsed: Duration::ZERO,
            clock_offset_s: 0.0,
            clock_offset_max_s: 0.0,
            agent,
            redis: FakeRedis::default(),
            intake: FakeIntake::default(),
            timers: BTreeMap::new(),
            connected: false,
            posted: PerStream { metrics: None, logs: None },
            logs: Written::default(),
            written: 0.0,
            bad_written: 0.0,
            records: 0,
            faults: true,
            crowded,
        };
        world.event(Event::Started);
        world
    }

    fn now(&self) -> Now {
        let wall_s = START_S + self.elapsed.as_secs_f64() + self.clock_offset_s;
        Now { mono: self.start + self.elapsed, wall_s }
    }

    fn event(&mut self, event: Event) {
        let (now, mut actions) = (self.now(), Vec::new());
        self.agent.handle(event, now, &mut actions);
        self.carry_out(actions);
    }

    fn work(&mut self) {
        while self.agent.has_work() {
            let (now, mut actions) = (self.now(), Vec::new());
            self.agent.work(now, &mut actions);
            self.carry_out(actions);
            if self.faults && self.random.below(4) == 0 {
                break;
            }
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Redis(request) => {
                    assert!(self.connected, "a request without a connection");
                    self.redis.send(request);
                }
                Action::Post(stream, body) => {
                    let replaced = self.posted.of(stream).replace(body);
                    assert!(replaced.is_none(), "one request of a stream at a time");
                }
                Action::Arm(timer, at) => {
                    self.timers.insert(timer, at);
                }
                Action::Disarm(timer) => {
                    self.timers.remove(&timer);
                }
                Action::Ask { .. } => panic!("there are no collectors"),
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
        match self.random.below(20) {
            0..=1 => self.write(),
            2 => self.write_logs(),
            3..=9 => self.redis_answers(),
            10 => self.intake_answers(Stream::Metrics),
            11 => self.intake_answers(Stream::Logs),
            12..=16 => self.time_passes(),
            17 => self.connection_changes(),
            18 if self.random.below(8) == 0 && !self.crowded => self.crash(),
            18 => self.redis.fault = Some([Fault::Oom, Fault::ReadOnly][self.random.below(2) as usize]),
            _ if self.random.below(8) == 0 => {
                self.clock_offset_s += [3600.0, -3600.0, 0.5, 7.0][self.random.below(4) as usize];
            }
            _ => self.redis.fault = None,
        }
        self.work();
        self.check();
    }

    fn redis_answers(&mut self) {
        for _ in 0..1 + self.random.below(3) {
            match self.redis.execute_next() {
                Some(replies) => self.event(Event::Replies(replies)),
                None => break,
            }
            self.work();
        }
    }

    fn intake_answers(&mut self, stream: Stream) {
        let Some(body) = self.posted.of(stream).take() else {
            return;
        };
        let refused = stream == Stream::Logs && FakeIntake::refuses(&body);
        let answer = |status| Answer { status, retry_after: None, excerpt: String::new() };
        let result = match if self.faults { self.random.below(6) } else { 5 } {
            0 => Ok(answer(503)),
            1 => Err("no answer".to_owned()),
            2 => {
                // Stored, but the answer is lost: the same points come again and overwrite themselves.
                if !refused {
                    self.intake.store(stream, &body);
                }
                Err("connection reset".to_owned())
            }
            3 => Ok(answer(403)),
            _ if refused => Ok(answer(400)),
            _ => {
                self.intake.store(stream, &body);
                Ok(answer(202))
            }
        };
        self.event(Event::Answered(stream, result));
    }

    fn time_passes(&mut self) {
        self.elapsed += Duration::from_millis(self.random.below(4000));
        let now = self.now().mono;
        while let Some((timer, _)) = self.timers.iter().find(|(_, at)| **at <= now).map(|(t, at)| (*t, *at)) {
            self.timers.remove(&timer);
            self.event(Event::Timer(timer));
            self.work();
        }
    }

    fn connection_changes(&mut self) {
        if self.connected {
            // Some of what was sent was carried out, without anybody hearing of it.
            for _ in 0..self.random.below(3) {
                self.redis.execute_next();
            }
            self.redis.disconnect();
            self.connected = false;
            self.event(Event::RedisDown("gone".to_owned()));
        } else {
            self.connected = true;
            self.event(Event::RedisUp);
        }
    }

    /// Kill -9 and a new start.
    fn crash(&mut self) {
        for _ in 0..self.random.below(3) {
            self.redis.execute_next();
        }
        self.redis.disconnect();
        for stream in [Stream::Metrics, Stream::Logs] {
            if let Some(body) = self.posted.of(stream).take()
                && self.random.below(2) == 0
                && !FakeIntake::refuses(&body)
            {
                self.intake.store(stream, &body);
            }
        }
        self.agent = agent(self.random.next_u64());
        self.timers.clear();
        self.connected = false;
        self.event(Event::Started);
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

    /// The intakes do all they were asked to.
    fn intakes_answer(&mut self) {
        self.intake_answers(Stream::Metrics);
        self.intake_answers(Stream::Logs);
    }

    /// Everything works again: all there is must arrive.
    fn finish(&mut self) {
        self.faults = false;
        self.redis.fault = None;
        if !self.connected {
            self.connection_changes();
        }
        // Records that were stamped before the clock was set back are in the future until it has passed them.
        self.clock_offset_s = self.clock_offset_max_s + 60.0;
        for _ in 0..400 {
            self.redis_answers();
            self.intakes_answer();
            self.time_passes();
            self.work();
            self.check();
            let is_quiet = self.posted.iter().all(Option::is_none);
            if self.redis.acknowledged == self.written && self.redis.is_drained() && is_quiet {
                break;
            }
        }
        let seed = self.seed;
        assert_eq!(self.redis.acknowledged, self.written, "seed {seed}: acknowledged");
        assert_eq!(self.intake.sum("app"), self.written, "seed {seed}: at the intake");
        assert!(self.redis.is_drained(), "seed {seed}: raw and claimed metrics and logs are empty");
        for _ in 0..40 {
            self.time_passes();
            self.redis_answers();
            self.intakes_answer();
            self.work();
        }
        let dropped = self.bad_written + self.logs.unacceptable() as f64;
        assert_eq!(self.redis.acknowledged_drops, dropped, "seed {seed}: counted as dropped");
    }
}

pub(super) fn agent(seed: u64) -> Agent {
    let settings = Settings {
        aggregate_interval_s: 10,
        capture_interval_s: 30,
        release_interval_s: 20,
        metric_ttl_s: 1_000_000,
        metrics_bulk_size: 7,
        log_ttl_s: 1_000_000,
        logs_bulk_size: 5,
        wrapper: (WRAPPERS[0].build)(&HistogramOptions::default()).into(),
        global_tags: Vec::new(),
        host: None,
        send_self_metrics: true,
        clock_believable_from_s: 0.0,
    };
    Agent::new(settings, Vec::new(), Box::new(NoFiles), Mode::Forever, seed)
}

fn simulate(seeds: std::ops::Range<u64>, crowded: bool) {
    for seed in seeds {
        let mut world = World::new(seed, crowded);
        for _ in 0..STEPS {
            world.step();
        }
        world.finish();
    }
}

#[test]
fn each_sample_is_stored_once_whatever_happens() {
    simulate(0..SEEDS / 2, false);
}

#[test]
fn each_sample_is_stored_once_whatever_else_happens() {
    simulate(SEEDS / 2..SEEDS, false);
}

#[test]
fn sums_stay_exact_where_late_records_meet_delivered_seconds() {
    simulate(0..SEEDS / 5, true);
}
