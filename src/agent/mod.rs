//! The agent without input or output: `(event, now)` → actions.
//!
//! It owns the stages and decides what happens when; the runtime carries the actions out and reports back.
//! Whatever takes long is cut into slices: while [`Agent::has_work`] says so, the loop calls
//! [`Agent::work`] between two looks at its sources.

mod collectors;
mod commit;
mod flusher;
mod ids;
mod line;
mod loading;
mod once;
mod outbox;
mod reading;
mod releaser;
mod removal;
mod schedule;
#[cfg(test)]
mod simulation;
mod warnings;

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::aggregate::Wrapper;
use crate::collect::{Collector, HostFiles, Question, Reply};
use crate::limits::SHUTDOWN_S;
use crate::protocol::redis::{Request, Value};
use crate::queue::Entry;
use crate::release::Random;
use crate::telemetry::{self, Counters, Telemetry};
use collectors::Collectors;
use flusher::Flusher;
use ids::Ids;
use line::{Line, Owner};
use once::Once;
use outbox::Outbox;
use releaser::Releaser;
use schedule::Schedule;
use warnings::Warnings;

/// The time of an event, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Now {
    /// For deadlines.
    pub mono: Instant,
    /// For data: Unix seconds.
    pub wall_s: f64,
}

/// What the runtime reports.
pub enum Event {
    /// Once, before any other.
    Started,
    /// A connection to Redis is ready for requests.
    RedisUp,
    /// The connection failed or could not be made; requests under way are lost.
    RedisDown(String),
    /// The replies to the oldest request under way.
    Replies(Vec<Value>),
    /// The intake answered the last [`Action::Post`], or why it did not.
    Answered(Result<Answer, String>),
    /// The reply to an [`Action::Ask`].
    Replied {
        /// Which collector asked.
        collector: usize,
        /// The ticket of its question.
        ticket: u32,
        /// The reply.
        reply: Reply,
    },
    /// A timer that was armed.
    Timer(Timer),
    /// Release without waiting for the interval or a back-off.
    ReleaseNow,
    /// Another configuration. What the old collectors asked is not to be answered any more.
    Reload(Settings, Vec<Box<dyn Collector>>, Box<dyn HostFiles>),
    /// Finish what is in flight, then exit.
    Stop,
}

/// What the runtime is to do.
#[derive(Debug)]
pub enum Action {
    /// Send a request to Redis.
    Redis(Request),
    /// Ask the world a collector's question: no [`Question::Redis`].
    Ask {
        /// Its place in the list of collectors.
        collector: usize,
        /// Comes back with the reply.
        ticket: u32,
        /// What to ask.
        question: Question,
    },
    /// Send a metrics payload (zlib) to the intake.
    Post(Vec<u8>),
    /// Fire a timer at a time; it replaces the same timer armed before.
    Arm(Timer, Instant),
    /// Forget a timer.
    Disarm(Timer),
    /// End the program with a status.
    Exit(u8),
}

/// The timers of the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// Read the collectors.
    Capture,
    /// Aggregate what is over.
    Flush,
    /// Release.
    Release,
    /// The wait after a failed release is over.
    Retry,
    /// What is in flight has had its time.
    Stop,
}

/// An answer of the intake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// How long the intake asks to wait.
    pub retry_after: Option<Duration>,
    /// The beginning of the body, for the log.
    pub excerpt: String,
}

impl Answer {
    fn excerpt_text(&self) -> String {
        let printable: String = self.excerpt.chars().filter(|c| !c.is_control()).take(200).collect();
        if printable.is_empty() { printable } else { format!(": {printable}") }
    }
}

/// What of the configuration the agent needs.
#[derive(Clone)]
pub struct Settings {
    /// Seconds per bucket.
    pub aggregate_interval_s: u32,
    /// Seconds between readings of the collectors.
    pub capture_interval_s: u32,
    /// Seconds between releases.
    pub release_interval_s: u32,
    /// Seconds after which a series is dropped unsent.
    pub metric_ttl_s: u32,
    /// Most points in one request.
    pub metrics_bulk_size: usize,
    /// Turns samples into series.
    pub wrapper: Rc<dyn Wrapper>,
    /// Added to every series.
    pub global_tags: Vec<String>,
    /// Host name on every series.
    pub host: Option<String>,
    /// Whether the agent's own counters are sent.
    pub send_self_metrics: bool,
    /// A wall clock behind this (Unix seconds) stamps no reading.
    pub clock_believable_from_s: f64,
}

/// How long the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Until it is told to stop.
    Forever,
    /// One capture, aggregation and release.
    Once,
}

/// The agent.
pub struct Agent {
    collectors: Collectors,
    flusher: Flusher,
    outbox: Outbox,
    releaser: Releaser,
    schedule: Schedule,
    once: Option<Once>,
    shared: Shared,
}

/// What every stage needs.
struct Shared {
    settings: Settings,
    line: Line,
    telemetry: Telemetry,
    warnings: Warnings,
    random: Random,
    ids: Ids,
    stopping: bool,
}

/// What the stages share while an event is handled.
struct Cx<'a> {
    now: Now,
    settings: &'a Settings,
    line: &'a mut Line,
    telemetry: &'a mut Telemetry,
    warnings: &'a mut Warnings,
    random: &'a mut Random,
    ids: &'a mut Ids,
    actions: &'a mut Vec<Action>,
    stopping: bool,
}

impl Cx<'_> {
    /// The records that tell what a transaction drops.
    fn told_of(&mut self, dropped: &Counters) -> Vec<Entry> {
        if !self.settings.send_self_metrics {
            return Vec::new();
        }
        let interval_s = self.settings.aggregate_interval_s;
        self.ids.entries(&telemetry::dropped_series(dropped, interval_s, self.now.wall_s))
    }
}

impl Shared {
    fn cx<'a>(&'a mut self, now: Now, actions: &'a mut Vec<Action>) -> Cx<'a> {
        Cx {
            now,
            settings: &self.settings,
            line: &mut self.line,
            telemetry: &mut self.telemetry,
            warnings: &mut self.warnings,
            random: &mut self.random,
            ids: &mut self.ids,
            actions,
            stopping: self.stopping,
        }
    }
}

impl Agent {
    /// An agent that was not started. `seed` makes its record keys and jitter its own.
    pub fn new(
        settings: Settings,
        collectors: Vec<Box<dyn Collector>>,
        files: Box<dyn HostFiles>,
        mode: Mode,
        seed: u64,
    ) -> Agent {
        let mut random = Random::new(seed);
        Agent {
            collectors: Collectors::new(collectors, files),
            flusher: Flusher::default(),
            outbox: Outbox::default(),
            releaser: Releaser::new(),
            schedule: Schedule::new(&mut random),
            once: (mode == Mode::Once).then(Once::default),
            shared: Shared {
                settings,
                line: Line::default(),
                telemetry: Telemetry::default(),
                warnings: Warnings::default(),
                ids: Ids::new(&mut random),
                random,
                stopping: false,
            },
        }
    }

    /// Takes an event and appends what is to be done.
    pub fn handle(&mut self, event: Event, now: Now, actions: &mut Vec<Action>) {
        if self.schedule.clock_stepped(now) && self.runs_on_schedule() {
            self.schedule.arm_all(&self.shared.settings, now, actions);
        }
        match event {
            Event::Started => self.started(now, actions),
            Event::RedisUp => self.redis_up(now, actions),
            Event::RedisDown(reason) => self.redis_down(&reason, now, actions),
            Event::Replies(replies) => self.replied(replies, now, actions),
            Event::Answered(answer) => self.releaser.answered(answer, &mut self.shared.cx(now, actions)),
            Event::Timer(timer) => self.fired(timer, now, actions),
            Event::ReleaseNow => {
                log::info!("release asked for");
                self.releaser.start_now(&mut self.shared.cx(now, actions));
            }
            Event::Reload(settings, collectors, files) => {
                self.shared.settings = settings;
                self.collectors.replace(collectors, files);
                if self.runs_on_schedule() {
                    self.schedule.arm_all(&self.shared.settings, now, actions);
                    self.capture(now, actions);
                }
            }
            Event::Replied { collector, ticket, reply } => {
                let cx = &mut self.shared.cx(now, actions);
                self.collectors.replied(collector, ticket, reply, &mut self.outbox, cx);
                self.outbox.store(cx);
            }
            Event::Stop => self.stop(now, actions),
        }
        self.after(now, actions);
    }

    /// Whether [`Agent::work`] has something to do.
    pub fn has_work(&self) -> bool {
        self.flusher.has_work() || self.releaser.has_work()
    }

    /// Does one slice of the work at hand.
    pub fn work(&mut self, now: Now, actions: &mut Vec<Action>) {
        self.flusher.work(&mut self.shared.cx(now, actions));
        self.releaser.work(&mut self.shared.cx(now, actions));
        self.after(now, actions);
    }

    fn runs_on_schedule(&self) -> bool {
        self.once.is_none() && !self.shared.stopping
    }

    fn started(&mut self, now: Now, actions: &mut Vec<Action>) {
        match &self.once {
            Some(once) => once.begin(now, actions),
            None => {
                self.schedule.arm_all(&self.shared.settings, now, actions);
                self.schedule.arm_first_release(&self.shared.settings, &mut self.shared.random, now, actions);
            }
        }
        self.capture(now, actions);
    }

    fn redis_up(&mut self, now: Now, actions: &mut Vec<Action>) {
        self.shared.line.connected();
        self.shared.warnings.recovered("redis");
        self.outbox.store(&mut self.shared.cx(now, actions));
        self.releaser.connected(&mut self.shared.cx(now, actions));
        self.collectors.redis_up(&mut self.outbox, &mut self.shared.cx(now, actions));
        if !self.shared.stopping {
            self.flusher.start(&mut self.shared.cx(now, actions));
        }
    }

    fn redis_down(&mut self, reason: &str, now: Now, actions: &mut Vec<Action>) {
        self.shared.line.lost();
        self.flusher.lost();
        self.outbox.lost();
        self.releaser.lost();
        let cx = &mut self.shared.cx(now, actions);
        cx.warnings.warn("redis", &reason, now.mono);
        self.collectors.redis_lost(&mut self.outbox, cx);
    }

    fn replied(&mut self, replies: Vec<Value>, now: Now, actions: &mut Vec<Action>) {
        match self.shared.line.completed() {
            Some(Owner::Flush(run)) => self.flusher.replied(run, replies, &mut self.shared.cx(now, actions)),
            Some(Owner::Outbox(run)) => self.outbox.replied(run, &replies, &mut self.shared.cx(now, actions)),
            Some(Owner::Release(run)) => {
                self.releaser.replied(run, replies, &mut self.shared.cx(now, actions))
            }
            Some(Owner::Collector(index, generation, ticket)) => {
                let asked = (index, generation, ticket);
                let cx = &mut self.shared.cx(now, actions);
                self.collectors.redis_replied(asked, replies, &mut self.outbox, cx);
                self.outbox.store(cx);
            }
            None => {}
        }
    }

    fn fired(&mut self, timer: Timer, now: Now, actions: &mut Vec<Action>) {
        if timer == Timer::Stop {
            let undelivered = self.once.is_some();
            log::warn!("stopped waiting for what is in flight; it is kept and finished at the next start");
            actions.push(Action::Exit(u8::from(undelivered)));
            return;
        }
        if !self.runs_on_schedule() {
            return;
        }
        match timer {
            Timer::Capture => self.capture(now, actions),
            Timer::Flush => {
                self.self_metrics(now, actions);
                self.outbox.store(&mut self.shared.cx(now, actions));
                self.flusher.start(&mut self.shared.cx(now, actions));
            }
            Timer::Release | Timer::Retry => self.releaser.start(&mut self.shared.cx(now, actions)),
            Timer::Stop => {}
        }
        self.schedule.arm(timer, &self.shared.settings, now, actions);
    }

    fn capture(&mut self, now: Now, actions: &mut Vec<Action>) {
        let cx = &mut self.shared.cx(now, actions);
        self.collectors.begin(&mut self.outbox, cx);
        self.outbox.store(cx);
    }

    fn self_metrics(&mut self, now: Now, actions: &mut Vec<Action>) {
        let series = self.shared.telemetry.take(self.shared.settings.aggregate_interval_s, now.wall_s);
        let believable = now.wall_s >= self.shared.settings.clock_believable_from_s;
        if self.shared.settings.send_self_metrics && believable {
            self.outbox.push(&series, &mut self.shared.cx(now, actions));
        }
    }

    fn stop(&mut self, now: Now, actions: &mut Vec<Action>) {
        if self.shared.stopping {
            actions.push(Action::Exit(0));
            return;
        }
        log::info!("stopping");
        self.shared.stopping = true;
        self.releaser.stop();
        self.self_metrics(now, actions);
        self.outbox.store(&mut self.shared.cx(now, actions));
        actions.push(Action::Arm(Timer::Stop, now.mono + Duration::from_secs(SHUTDOWN_S)));
    }

    /// What follows once the stages have settled.
    fn after(&mut self, now: Now, actions: &mut Vec<Action>) {
        if let Some(mut once) = self.once.take() {
            self.advance_once(&mut once, now, actions);
            self.once = Some(once);
        }
        if self.shared.stopping && self.is_settled() && !actions.iter().any(|a| matches!(a, Action::Exit(_)))
        {
            actions.push(Action::Exit(0));
        }
    }

    /// Nothing is in flight that could still be finished.
    fn is_settled(&self) -> bool {
        let redis_done = !self.shared.line.is_up() || (self.flusher.is_idle() && self.outbox.is_settled());
        redis_done && (self.releaser.is_idle() || !self.shared.line.is_up() && !self.releaser.is_sending())
    }
}
