//! Readings of the plugins without the agent: for commands that tell a person what a plugin reads, or why it does not.
//!
//! Collectors, servers and the link to Redis are the agent's own. All plugins are read at once, in bounded time, and
//! one that hangs costs only itself. Nothing is stamped, stored or counted. A reader can be asked again: what a
//! plugin keeps for its next reading is there, and a program it has started still runs. A Redis that could not be
//! reached is not tried again.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use mio::{Events, Poll};

use super::host_root::HostRoot;
use super::plugin_io::{PluginIo, Server};
use super::queue_link::{LinkEvent, QueueLink as _};
use super::redis_link::RedisLink;
use super::{child, clock, tokens};
use crate::agent::Event;
use crate::collect::{CollectError, Collector, Gauge, Question, Reading, Reply};
use crate::protocol::redis::{Replies, Request, Value};

const EVENTS_PER_TURN: usize = 64;

/// What one plugin has read.
#[derive(Debug)]
pub struct PluginReading {
    /// Its name.
    pub plugin: &'static str,
    /// What was read, also where some of it could not be.
    pub gauges: Vec<Gauge>,
    /// What could not be read, or that it did not answer in time.
    pub problem: Option<CollectError>,
    /// From the beginning of the reading to its end.
    pub took: Duration,
}

/// Reads plugins, and asks Redis for whoever reads them.
pub struct PluginReader {
    poll: Poll,
    slots: Vec<Slot>,
    files: HostRoot,
    plugins: PluginIo,
    redis: Option<RedisLink>,
    known: Known,
    /// Whom Redis owes replies, in order.
    asked: VecDeque<Asker>,
    /// What waits for the first word of Redis.
    held: Vec<(Asker, Request)>,
    /// The answer to [`PluginReader::ask_redis`].
    answer: Option<Result<Replies, String>>,
    /// Replies that are there and were not handed over.
    events: Vec<Event>,
}

struct Slot {
    collector: Box<dyn Collector>,
    /// Questions that were not answered.
    open: usize,
    /// A program runs for it, which tells something at a time of its own.
    awaits_program: bool,
    gauges: Vec<Gauge>,
    problem: Option<CollectError>,
    /// When the reading has ended.
    ended_at: Option<Instant>,
}

/// What is known of Redis.
enum Known {
    Nothing,
    Up,
    Down(String),
}

/// Who asks Redis.
#[derive(Clone, Copy)]
enum Asker {
    Caller,
    Collector { index: usize, ticket: u32 },
}

impl PluginReader {
    /// A reader that has not read, with the servers in the order of the collectors.
    ///
    /// # Errors
    /// The kernel refuses a poll.
    #[inline(never)]
    pub fn new(
        collectors: Vec<Box<dyn Collector>>,
        servers: Vec<Option<Server>>,
        files: HostRoot,
        redis: Option<RedisLink>,
    ) -> io::Result<PluginReader> {
        let mut slots = Vec::new();
        for collector in collectors {
            slots.push(Slot {
                collector,
                open: 0,
                awaits_program: false,
                gauges: Vec::new(),
                problem: None,
                ended_at: None,
            });
        }
        let known = match redis {
            Some(_) => Known::Nothing,
            None => Known::Down("it is not used".to_owned()),
        };
        Ok(PluginReader {
            poll: Poll::new()?,
            slots,
            files,
            plugins: PluginIo::new(servers, tokens::PLUGINS),
            redis,
            known,
            asked: VecDeque::new(),
            held: Vec::new(),
            answer: None,
            events: Vec::new(),
        })
    }

    /// One reading of each plugin, in their order, within this time. A plugin that had not finished its last one
    /// goes on with that.
    ///
    /// # Errors
    /// The poll itself fails.
    #[inline(never)]
    pub fn read(&mut self, within: Duration) -> io::Result<Vec<PluginReading>> {
        let began = clock::now().mono;
        for index in 0..self.slots.len() {
            if let Some(slot) = self.slots.get_mut(index).filter(|slot| slot.open == 0) {
                slot.ended_at = None;
                self.go_on(index, None);
            }
        }
        self.run(began + within, &|reader| reader.slots.iter().all(|slot| slot.ended_at.is_some()))?;
        Ok(self.slots.iter_mut().map(|slot| slot.take(began, within)).collect())
    }

    /// Asks Redis something; the replies in order, or why there are none. A refusal is a reply.
    ///
    /// # Errors
    /// The poll itself fails.
    pub fn ask_redis(
        &mut self,
        request: Request,
        within: Duration,
    ) -> io::Result<Result<Vec<Value>, String>> {
        Ok(self.ask_redis_packed(request, within)?.map(Replies::into_values))
    }

    /// The same for a request that has lists packed.
    ///
    /// # Errors
    /// The poll itself fails.
    pub fn ask_redis_packed(
        &mut self,
        request: Request,
        within: Duration,
    ) -> io::Result<Result<Replies, String>> {
        let ends = clock::now().mono + within;
        self.answer = None;
        self.submit(Asker::Caller, request);
        self.run(ends, &|reader| reader.answer.is_some())?;
        let silent = || Err(format!("no answer within {} s", within.as_secs()));
        Ok(self.answer.take().unwrap_or_else(silent))
    }

    /// Lets time pass. What comes meanwhile is taken.
    ///
    /// # Errors
    /// The poll itself fails.
    pub fn rest_until(&mut self, ends: Instant) -> io::Result<()> {
        self.run(ends, &|_| false)
    }

    /// Turns the loop until something is so, or this moment.
    fn run(&mut self, ends: Instant, is_over: &dyn Fn(&PluginReader) -> bool) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        loop {
            self.turn();
            let now = clock::now().mono;
            if is_over(self) || now >= ends {
                child::reap();
                return Ok(());
            }
            let redis = self.redis.as_ref().filter(|_| self.wants_redis());
            let wait = match self.plugins.has_more() || redis.is_some_and(RedisLink::has_more) {
                true => Duration::ZERO,
                false => {
                    let mut next = self.plugins.deadline().map_or(ends, |at| at.min(ends));
                    if let Some(at) = redis.and_then(|redis| redis.deadline()) {
                        next = next.min(at);
                    }
                    next.saturating_duration_since(now)
                }
            };
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => result?,
            }
        }
    }

    fn turn(&mut self) {
        let now = clock::now().mono;
        self.plugins.drive(self.poll.registry(), now, &mut self.events);
        let mut told = Vec::new();
        if self.wants_redis()
            && let Some(redis) = &mut self.redis
        {
            redis.drive(self.poll.registry(), now, &mut told);
        }
        self.hear(told);
        while !self.events.is_empty() {
            for event in std::mem::take(&mut self.events) {
                if let Event::Replied { collector, ticket, reply } = event {
                    self.reply(collector, ticket, reply);
                }
            }
        }
    }

    fn wants_redis(&self) -> bool {
        !self.held.is_empty() || !self.asked.is_empty()
    }

    fn hear(&mut self, told: Vec<LinkEvent>) {
        for event in told {
            match event {
                LinkEvent::Up => {
                    self.known = Known::Up;
                    for (asker, request) in std::mem::take(&mut self.held) {
                        self.submit(asker, request);
                    }
                }
                LinkEvent::Down(reason) => {
                    self.known = Known::Down(reason);
                    while let Some(asker) = self.asked.pop_front() {
                        self.refuse(asker);
                    }
                    for (asker, _) in std::mem::take(&mut self.held) {
                        self.refuse(asker);
                    }
                }
                LinkEvent::Replies(replies) => {
                    if let Some(asker) = self.asked.pop_front() {
                        self.answered(asker, Ok(replies));
                    }
                }
                LinkEvent::Report(_) => {}
            }
        }
    }

    fn submit(&mut self, asker: Asker, request: Request) {
        match (&self.known, &mut self.redis) {
            (Known::Up, Some(redis)) => {
                let mut told = Vec::new();
                self.asked.push_back(asker);
                redis.send(&request, clock::now().mono, &mut told);
                self.hear(told);
            }
            (Known::Nothing, Some(_)) => self.held.push((asker, request)),
            _ => self.refuse(asker),
        }
    }

    fn refuse(&mut self, asker: Asker) {
        let reason = match &self.known {
            Known::Down(reason) => reason.clone(),
            Known::Nothing | Known::Up => String::new(),
        };
        self.answered(asker, Err(reason));
    }

    fn answered(&mut self, asker: Asker, answer: Result<Replies, String>) {
        match asker {
            Asker::Caller => self.answer = Some(answer),
            Asker::Collector { index: collector, ticket } => {
                let reply = Reply::Redis(answer.map(Replies::into_values));
                self.events.push(Event::Replied { collector, ticket, reply });
            }
        }
    }

    fn reply(&mut self, index: usize, ticket: u32, reply: Reply) {
        if let (Some(slot), Reply::Http(_) | Reply::Redis(_)) = (self.slots.get_mut(index), &reply) {
            slot.open = slot.open.saturating_sub(1);
        }
        self.go_on(index, Some((ticket, reply)));
    }

    /// Lets a collector begin, or go on with a reply, and takes what it has read, asks and could not read.
    fn go_on(&mut self, index: usize, reply: Option<(u32, Reply)>) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let mut reading = Reading::new(&self.files);
        let result = match reply {
            Some((ticket, reply)) => slot.collector.reply(ticket, reply, &mut reading),
            None => slot.collector.begin(&mut reading),
        };
        if let Err(error) = result {
            slot.problem.get_or_insert_default().absorb(error);
        }
        let Reading { gauges, questions, .. } = reading;
        slot.gauges.extend(gauges);
        for (_, question) in &questions {
            match question {
                Question::Http { .. } | Question::Redis(_) => slot.open += 1,
                Question::Run(_) => slot.awaits_program = true,
                _ => {}
            }
        }
        slot.settle();
        for (ticket, question) in questions {
            match question {
                Question::Redis(request) => self.submit(Asker::Collector { index, ticket }, request),
                question => {
                    self.plugins.ask(index, ticket, question, clock::now().mono, &mut self.events);
                }
            }
        }
    }
}

impl Slot {
    /// A program has no last word: whoever awaits one is at the end with the first thing that it told.
    fn settle(&mut self) {
        let told_nothing = self.gauges.is_empty() && self.problem.is_none();
        if self.open == 0 && !(self.awaits_program && told_nothing) {
            self.ended_at.get_or_insert_with(|| clock::now().mono);
        }
    }

    fn take(&mut self, began: Instant, within: Duration) -> PluginReading {
        let plugin = self.collector.name();
        if self.ended_at.is_none() {
            let what = if self.open > 0 { "no answer" } else { "its program has told nothing" };
            let reason = format_args!("{what} within {} s", within.as_secs());
            self.problem.get_or_insert_default().add(plugin, reason);
        }
        PluginReading {
            plugin,
            gauges: std::mem::take(&mut self.gauges),
            problem: self.problem.take(),
            took: self.ended_at.map_or(within, |at| at.saturating_duration_since(began)),
        }
    }
}
