//! The agent against a simulated Redis and intake, with seeded faults: whatever happens in whatever order,
//! each sample is stored exactly once, dropped and counted, or still waiting.

mod redis;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::*;
use crate::aggregate::{HistogramOptions, WRAPPERS};
use crate::collect::DiskSpace;
use crate::metric::json::Reader;
use crate::queue::{CLAIMED_METRICS, RAW_METRICS, WRAPPED_METRICS};
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

/// What an intake stores: for each series and second the last value.
#[derive(Default)]
struct FakeIntake {
    stored: BTreeMap<(String, i64), f64>,
}

impl FakeIntake {
    fn store(&mut self, body: &[u8]) {
        let text = miniz_oxide::inflate::decompress_to_vec_zlib(body).expect("a zlib body");
        let mut reader = Reader::from_bytes(&text).expect("UTF-8");
        reader.enter_object().unwrap();
        while reader.next_key().unwrap().is_some() {
            reader.enter_list().unwrap();
            while reader.next_element().unwrap() {
                self.store_series(&mut reader);
            }
        }
    }

    fn store_series(&mut self, reader: &mut Reader<'_>) {
        let (mut name, mut tags, mut points) = (String::new(), String::new(), Vec::new());
        reader.enter_object().unwrap();
        while let Some(key) = reader.next_key().unwrap() {
            match &*key {
                "metric" => name = reader.text().unwrap().into_owned(),
                "tags" => tags = reader.raw().unwrap().to_owned(),
                "points" => {
                    reader.enter_list().unwrap();
                    while reader.next_element().unwrap() {
                        reader.enter_list().unwrap();
                        assert!(reader.next_element().unwrap());
                        let second = reader.number().unwrap();
                        assert!(matches!(second, crate::metric::Number::Int(_)), "whole seconds");
                        assert!(reader.next_element().unwrap());
                        points.push((second.as_f64() as i64, reader.number().unwrap().as_f64()));
                        assert!(!reader.next_element().unwrap());
                    }
                }
                _ => reader.skip().unwrap(),
            }
        }
        for (second, value) in points {
            self.stored.insert((format!("{name}{tags}"), second), value);
        }
    }

    fn sum(&self, prefix: &str) -> f64 {
        self.stored.iter().filter(|((series, _), _)| series.starts_with(prefix)).map(|(_, value)| value).sum()
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
    posted: Option<Vec<u8>>,
    written: f64,
    bad_written: f64,
    records: u64,
    faults: bool,
}

impl World {
    fn new(seed: u64) -> World {
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
            posted: None,
            written: 0.0,
            bad_written: 0.0,
            records: 0,
            faults: true,
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
                Action::Post(body) => {
                    assert!(self.posted.is_none(), "one request at a time");
                    self.posted = Some(body);
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
                    // Timestamps of their own: a late record must not meet the second of another.
                    let stamp = START_S + self.records as f64;
                    format!(
                        r#"{{"metric":"app","type":"count","value":{value},"timestamp":{stamp},"tags":{{"n":{}}}}}"#,
                        self.random.below(3)
                    )
                }
            };
            self.redis.write_record(&key, score_s, &json);
        }
    }

    fn step(&mut self) {
        match self.random.below(20) {
            0..=2 => self.write(),
            3..=9 => self.redis_answers(),
            10..=11 => self.intake_answers(),
            12..=16 => self.time_passes(),
            17 => self.connection_changes(),
            18 if self.random.below(8) == 0 => self.crash(),
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

    fn intake_answers(&mut self) {
        let Some(body) = self.posted.take() else {
            return;
        };
        let answer = |status| Answer { status, retry_after: None, excerpt: String::new() };
        let result = match if self.faults { self.random.below(6) } else { 5 } {
            0 => Ok(answer(503)),
            1 => Err("no answer".to_owned()),
            2 => {
                // Stored, but the answer is lost: the same points come again and overwrite themselves.
                self.intake.store(&body);
                Err("connection reset".to_owned())
            }
            3 => Ok(answer(403)),
            _ => {
                self.intake.store(&body);
                Ok(answer(202))
            }
        };
        self.event(Event::Answered(result));
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
        if let Some(body) = self.posted.take()
            && self.random.below(2) == 0
        {
            self.intake.store(&body);
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
            self.intake_answers();
            self.time_passes();
            self.work();
            self.check();
            if self.redis.acknowledged == self.written && self.redis.is_drained() && self.posted.is_none() {
                break;
            }
        }
        let seed = self.seed;
        assert_eq!(self.redis.acknowledged, self.written, "seed {seed}: acknowledged");
        assert_eq!(self.intake.sum("app"), self.written, "seed {seed}: at the intake");
        assert!(self.redis.is_drained(), "seed {seed}: raw and claimed are empty");
        for _ in 0..40 {
            self.time_passes();
            self.redis_answers();
            self.intake_answers();
            self.work();
        }
        assert_eq!(self.redis.acknowledged_drops, self.bad_written, "seed {seed}: counted as dropped");
    }
}

fn agent(seed: u64) -> Agent {
    let settings = Settings {
        aggregate_interval_s: 10,
        capture_interval_s: 30,
        release_interval_s: 20,
        metric_ttl_s: 1_000_000,
        metrics_bulk_size: 7,
        wrapper: (WRAPPERS[0].build)(&HistogramOptions::default()).into(),
        global_tags: Vec::new(),
        host: None,
        send_self_metrics: true,
        clock_believable_from_s: 0.0,
    };
    Agent::new(settings, Vec::new(), Box::new(NoFiles), Mode::Forever, seed)
}

fn simulate(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.finish();
    }
}

#[test]
fn each_sample_is_stored_once_whatever_happens() {
    simulate(0..SEEDS / 2);
}

#[test]
fn each_sample_is_stored_once_whatever_else_happens() {
    simulate(SEEDS / 2..SEEDS);
}
