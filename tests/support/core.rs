//! The agent without its loop: events in, actions out, at the test's own time, against a real Redis.
//!
//! What takes minutes or days on a clock takes none here, and every action can be looked at.

use super::json::{self, Value};
use super::redis::RedisServer;
use chouette_iot::agent::{Action, Agent, Answer, Event, Mode, Now, Settings, Stream, Surroundings, Timer};
use chouette_iot::aggregate::{HistogramOptions, WRAPPERS};
use chouette_iot::collect::{CollectError, Collector, Gauge, Reading};
use chouette_iot::metric::{Number, Tags};
use chouette_iot::protocol::redis::{Codec, Found, Replies, Request, Strings};
use chouette_iot::runtime::host_root::HostRoot;
use std::collections::{BTreeMap, VecDeque};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Where the clock of a test begins.
pub const START_S: f64 = 1_700_000_000.0;

/// Intervals of ten seconds, limits as they are by default.
pub fn settings() -> Settings {
    Settings {
        aggregate_interval_s: 10,
        capture_interval_s: 10,
        release_interval_s: 10,
        metric_ttl_s: 14_400,
        metrics_bulk_size: 100_000,
        log_ttl_s: 64_800,
        logs_bulk_size: chouette_iot::limits::LOG_ENTRIES_MAX,
        wrapper: (WRAPPERS[0].build)(&HistogramOptions::default()).into(),
        global_tags: Vec::new(),
        value_digits: None,
        dogstatsd_contexts_max: None,
        host: None,
        send_self_metrics: true,
        clock_believable_from_s: 0.0,
    }
}

/// A collector with so many gauges in each reading.
pub struct Many(pub usize);

impl Collector for Many {
    fn name(&self) -> &'static str {
        "many"
    }

    fn begin(&mut self, reading: &mut Reading<'_>) -> Result<(), CollectError> {
        let gauge = |n| Gauge { name: "many", tags: Tags::none(), value: Number::Int(n) };
        reading.gauges.extend((0..self.0).map(|n| gauge(n as i128)));
        Ok(())
    }
}

/// One command the agent has sent.
#[derive(Debug)]
pub struct Command {
    pub name: String,
    /// The name among them.
    pub arguments: usize,
    /// Of the strings in its reply, where that is a list of them.
    pub reply_bytes: usize,
}

/// The agent and what surrounds it.
pub struct Core {
    agent: Agent,
    redis: Option<(UnixStream, Codec)>,
    pub now: Now,
    /// The timers that are armed.
    pub timers: BTreeMap<Timer, Instant>,
    /// Payloads that wait for an answer.
    pub posts: VecDeque<(Stream, Vec<u8>)>,
    /// Everything Redis was asked, in order.
    pub commands: Vec<Command>,
    /// The longest request, in bytes.
    pub request_bytes_max: usize,
    pub exit: Option<u8>,
}

impl Core {
    /// An agent that has just started, without Redis.
    pub fn start(settings: Settings, collectors: Vec<Box<dyn Collector>>, mode: Mode, wall_s: f64) -> Core {
        let agent = Agent::new(
            "core".to_owned(),
            settings,
            collectors,
            Box::new(HostRoot::new("/nonexistent")),
            mode,
            7,
        );
        let mut core = Core {
            agent,
            redis: None,
            now: Now { mono: Instant::now(), wall_s },
            timers: BTreeMap::new(),
            posts: VecDeque::new(),
            commands: Vec::new(),
            request_bytes_max: 0,
            exit: None,
        };
        core.tell(Event::Started);
        core
    }

    pub fn connect(&mut self, server: &RedisServer) {
        self.redis = Some((UnixStream::connect(server.socket()).unwrap(), Codec::default()));
        self.tell(Event::RedisUp);
    }

    /// Hands over an event and carries out all that follows, but for payloads, which wait.
    pub fn tell(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        loop {
            let mut actions = Vec::new();
            match events.pop_front() {
                Some(event) => self.agent.handle(event, self.now, &mut actions),
                None if self.agent.has_work() => self.agent.work(self.now, &mut actions),
                None => return,
            }
            for action in actions {
                match action {
                    Action::Redis(request) => {
                        let replies = self.ask_redis(&request);
                        events.push_back(Event::Replies(replies));
                    }
                    Action::Post(stream, body) => self.posts.push_back((stream, body)),
                    Action::Arm(timer, at) => drop(self.timers.insert(timer, at)),
                    Action::Disarm(timer) => drop(self.timers.remove(&timer)),
                    Action::Exit(status) => self.exit = Some(status),
                    Action::Ask { .. } => panic!("no collector here asks"),
                    Action::Show { .. } => panic!("it is no dry run"),
                }
            }
        }
    }

    /// What the agent tells of itself, with this much time for Redis and a flush.
    pub fn status(&self, is_alive: bool, patience: Duration) -> Value {
        let around = Surroundings {
            process: 1,
            storage: "redis",
            is_alive,
            patience,
            resident_bytes: None,
            memory_bytes_max: None,
            spool: None,
        };
        json::parse(&self.agent.status(self.now, &around)).unwrap()
    }

    /// Answers the oldest payload; its stream and what it holds.
    pub fn answer(&mut self, answer: Result<u16, &str>) -> (Stream, String) {
        self.answer_with(answer, None)
    }

    pub fn answer_with(
        &mut self,
        answer: Result<u16, &str>,
        retry_after: Option<Duration>,
    ) -> (Stream, String) {
        let (stream, body) = self.posts.pop_front().expect("a payload waits");
        let full = |status| Answer { status, retry_after, excerpt: String::new() };
        self.tell(Event::Answered(stream, answer.map(full).map_err(str::to_owned)));
        let text = miniz_oxide::inflate::decompress_to_vec_zlib(&body).unwrap();
        (stream, String::from_utf8(text).unwrap())
    }

    /// Fires every timer of the time that passes.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now.mono + time;
        while let Some((timer, at)) = self.next_timer().filter(|(_, at)| *at <= end) {
            self.set_clock(at.max(self.now.mono));
            self.timers.remove(&timer);
            self.tell(Event::Timer(timer));
        }
        self.set_clock(end);
    }

    /// How long until a timer fires.
    pub fn wait_s(&self, timer: Timer) -> f64 {
        let at = self.timers.get(&timer).unwrap_or_else(|| panic!("{timer:?} is not armed"));
        at.saturating_duration_since(self.now.mono).as_secs_f64()
    }

    fn next_timer(&self) -> Option<(Timer, Instant)> {
        self.timers.iter().map(|(timer, at)| (*timer, *at)).min_by_key(|(_, at)| *at)
    }

    fn set_clock(&mut self, mono: Instant) {
        self.now.wall_s += (mono - self.now.mono).as_secs_f64();
        self.now.mono = mono;
    }

    fn ask_redis(&mut self, request: &Request) -> Replies {
        let bytes = request.bytes();
        let (stream, codec) = self.redis.as_mut().expect("Redis is there");
        self.request_bytes_max = self.request_bytes_max.max(bytes.len());
        let mut sender = stream.try_clone().unwrap();
        let sent = bytes.to_vec();
        // Both at once: Redis replies while it still reads.
        let writing = std::thread::spawn(move || sender.write_all(&sent).unwrap());
        codec.sent(request);
        let (mut complete, mut chunk) = (Vec::new(), vec![0; 64 << 10]);
        while complete.is_empty() {
            let read = stream.read(&mut chunk).unwrap();
            assert!(read > 0, "Redis closed the connection");
            codec.receive(&chunk[..read], &mut complete).unwrap();
        }
        writing.join().unwrap();
        let replies = complete.remove(0);
        let mut lists = replies.lists.iter();
        let mut list_bytes = |name: &str| match name {
            "HMGET" | "ZRANGE" | "ZRANGEBYSCORE" if request.packs() => lists.next().map_or(0, bytes_of),
            _ => 0,
        };
        self.commands.extend(commands(bytes).into_iter().map(|(name, arguments)| Command {
            reply_bytes: list_bytes(&name),
            name,
            arguments,
        }));
        replies
    }
}

fn bytes_of(list: &Strings) -> usize {
    let bytes = |found| if let Found::Value(bytes) = found { bytes.len() } else { 0 };
    list.iter().map(bytes).sum()
}

/// Name and number of arguments of each command in a request.
fn commands(mut bytes: &[u8]) -> Vec<(String, usize)> {
    fn line<'a>(bytes: &mut &'a [u8]) -> &'a str {
        let end = bytes.windows(2).position(|pair| pair == b"\r\n").unwrap();
        let line = std::str::from_utf8(&bytes[..end]).unwrap();
        *bytes = &bytes[end + 2..];
        line
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let arguments: usize = line(&mut bytes)[1..].parse().unwrap();
        let mut name = String::new();
        for argument in 0..arguments {
            let length: usize = line(&mut bytes)[1..].parse().unwrap();
            if argument == 0 {
                name = String::from_utf8(bytes[..length].to_vec()).unwrap();
            }
            bytes = &bytes[length + 2..];
        }
        found.push((name, arguments));
    }
    found
}
