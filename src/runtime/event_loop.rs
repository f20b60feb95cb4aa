//! The one loop: a single thread, a single poll.
//!
//! Each turn has one order: sources that are ready, each within its budget; timers that are due; one slice
//! of the agent's work; and what all of these asked for. Then it sleeps until the next readiness or
//! deadline, or not at all while a source has more or the agent has work.

mod listening;

use std::io;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use super::child;
use super::clock;
use super::dogstatsd::Datagrams;
use super::identity;
use super::notify::Notifier;
use super::outlet::{Outcome, Outlet};
use super::plugin_io::PluginIo;
use super::probe::Probe;
use super::queue_link::{LinkEvent, QueueLink};
use super::setup::{Parts, Queues};
use super::signals::{Signal, Signals};
use super::spool::{EmbeddedLink, Place};
use super::status::StatusSocket;
use super::timer_wheel::TimerWheel;
use super::tokens::{self, DATAGRAMS, PLUGINS, REDIS, SIGNALS, SPOOL, STATUS};
use crate::agent::{Action, Agent, Event, Mode, PerStream, Stream, Timer};
use crate::release;

const EVENTS_PER_TURN: usize = 64;

/// A timer that fires later than this is told of at DEBUG: something held the loop.
const LATE: Duration = Duration::from_millis(5);

/// Reads the configuration again and makes its parts; `None` keeps the old ones.
pub type Reload<'a> = dyn FnMut() -> Option<Parts> + 'a;

/// The loop and its sources.
pub struct EventLoop {
    poll: Poll,
    signals: Signals,
    timers: TimerWheel<Timer>,
    queues: Box<dyn QueueLink>,
    /// What the embedded queue was made of.
    place: Option<Place>,
    outlets: PerStream<Outlet>,
    plugins: PluginIo,
    datagrams: Datagrams,
    status: StatusSocket,
    agent: Agent,
    notifier: Notifier,
    aggregate_interval_s: u32,
    probe: Option<Probe>,
    exit: Option<u8>,
}

impl EventLoop {
    /// A loop that was not started.
    ///
    /// # Errors
    /// The kernel refuses a poll, a pipe or a socket of DogStatsD.
    pub fn new(parts: Parts, mode: Mode, seed: u64) -> io::Result<EventLoop> {
        let Parts { settings, collectors, servers, files, datagrams, status_socket, queues, intakes } = parts;
        let aggregate_interval_s = settings.aggregate_interval_s;
        let agent = Agent::new(identity::name(seed), settings, collectors, Box::new(files), mode, seed);
        let now = clock::now().mono;
        // A single run flushes once, and ends by itself.
        let notifier = match mode {
            Mode::Forever => Notifier::from_env(now),
            Mode::Once | Mode::DryRun => Notifier::silent(now),
        };
        let (queues, place): (Box<dyn QueueLink>, _) = match queues {
            Queues::Redis(link) => (link, None),
            Queues::Embedded(mut place) => {
                // The files are those of the agent that runs, perhaps.
                place.path = place.path.filter(|_| mode != Mode::DryRun);
                // A file's number is all it is for.
                (Box::new(EmbeddedLink::new(place.clone(), SPOOL, now, seed as u32)), Some(place))
            }
        };
        let poll = Poll::new()?;
        let signals = Signals::install(poll.registry(), SIGNALS)?;
        let (mut status, mut received) = (StatusSocket::none(), Datagrams::none());
        if mode == Mode::Forever {
            let registry = poll.registry();
            received = Datagrams::open(&datagrams, registry, DATAGRAMS).map_err(io::Error::other)?;
            status = StatusSocket::open(status_socket.as_deref(), registry, STATUS);
        }
        Ok(EventLoop {
            poll,
            signals,
            timers: TimerWheel::new(now),
            queues,
            place,
            outlets: intakes.map(|stream, intake| Outlet::new(intake, tokens::intake(stream))),
            plugins: PluginIo::new(servers, PLUGINS),
            datagrams: received,
            status,
            agent,
            notifier,
            aggregate_interval_s,
            probe: Probe::from_environment(),
            exit: None,
        })
    }

    /// Runs until the agent ends; gives its exit status.
    ///
    /// # Errors
    /// The poll itself fails.
    pub fn run(&mut self, reload: &mut Reload<'_>) -> io::Result<u8> {
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        self.tell(Event::Started);
        self.notifier.ready(self.aggregate_interval_s, clock::now().mono);
        while self.exit.is_none() {
            match self.poll.poll(&mut events, self.time_to_sleep()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => events.clear(),
                result => result?,
            }
            let ready =
                |token: Token| events.iter().any(|e| e.token() == token || e.token().0 == token.0 + 1);
            let (signals, queues) = (ready(SIGNALS), ready(REDIS) || ready(SPOOL));
            let intakes = Stream::ALL.map(|stream| (stream, ready(tokens::intake(stream))));
            let datagrams =
                [DATAGRAMS, Token(DATAGRAMS.0 + 1)].map(|token| events.iter().any(|e| e.token() == token));
            if signals {
                self.take_signals(reload);
            }
            self.drive_datagrams(datagrams);
            self.drive_queues(queues);
            intakes.into_iter().for_each(|(stream, ready)| self.drive_outlet(stream, ready));
            self.drive_plugins(events.iter().any(|e| self.plugins.owns(e.token())));
            self.fire_timers();
            self.work();
            self.tell_status(events.iter().any(|e| e.token() == STATUS));
            self.notifier.turned(clock::now().mono);
        }
        self.notifier.stopping(clock::now().mono);
        self.save(&mut events)?;
        Ok(self.exit.unwrap_or_default())
    }

    /// What is in memory alone is written before the end.
    fn save(&mut self, events: &mut Events) -> io::Result<()> {
        self.queues.save(true, clock::now().mono);
        loop {
            self.drive_queues(true);
            if self.queues.is_saved(clock::now().mono) {
                return Ok(());
            }
            let deadline = self.queues.deadline().filter(|_| !self.queues.has_more());
            let wait = deadline.map_or(Duration::ZERO, |at| at.saturating_duration_since(clock::now().mono));
            match self.poll.poll(events, Some(wait)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => events.clear(),
                result => result?,
            }
        }
    }

    fn drive_queues(&mut self, ready: bool) {
        if ready || self.queues.has_more() || is_due(self.queues.deadline()) {
            let mut events = Vec::new();
            self.queues.drive(self.poll.registry(), clock::now().mono, &mut events);
            self.tell_of_queues(events);
        }
    }

    fn tell_of_queues(&mut self, events: Vec<LinkEvent>) {
        for event in events {
            self.notifier.redis(!matches!(event, LinkEvent::Down(_)), clock::now().mono);
            self.tell(match event {
                LinkEvent::Up => Event::RedisUp,
                LinkEvent::Down(reason) => Event::RedisDown(reason),
                LinkEvent::Replies(replies) => Event::Replies(replies),
                LinkEvent::Report(report) => Event::Spool(report),
            });
        }
    }

    fn drive_outlet(&mut self, stream: Stream, ready: bool) {
        let outcome = self.outlets.of(stream).drive(ready, self.poll.registry());
        self.tell_of_outlet(stream, outcome);
    }

    fn tell_of_outlet(&mut self, stream: Stream, outcome: Option<Outcome>) {
        if let Some(outcome) = outcome {
            let now = clock::now();
            self.notifier.released(stream, &outcome, now.wall_s, now.mono);
            self.queues.released(stream, is_progress(&outcome), now.mono);
            self.tell(Event::Answered(stream, outcome));
        }
    }

    fn drive_plugins(&mut self, ready: bool) {
        if ready || self.plugins.has_more() || is_due(self.plugins.deadline()) {
            let mut events = Vec::new();
            self.plugins.drive(self.poll.registry(), clock::now().mono, &mut events);
            events.into_iter().for_each(|event| self.tell(event));
        }
    }

    fn fire_timers(&mut self) {
        if let Some(probe) = &mut self.probe {
            probe.tick();
        }
        while let Some((timer, late)) = self.timers.pop_due(clock::now().mono) {
            if late > LATE {
                log::debug!("timer {timer:?} is {} ms late", late.as_millis());
            }
            self.notifier.fired(timer, clock::now().mono);
            self.tell(Event::Timer(timer));
        }
    }

    fn work(&mut self) {
        if self.agent.has_work() {
            let mut actions = Vec::new();
            self.agent.work(clock::now(), &mut actions);
            self.carry_out(actions);
        }
    }

    fn take_signals(&mut self, reload: &mut Reload<'_>) {
        for signal in self.signals.take() {
            match signal {
                Signal::Stop => {
                    self.notifier.stopping(clock::now().mono);
                    self.take_last_datagrams();
                    self.queues.save(false, clock::now().mono);
                    self.tell(Event::Stop);
                }
                Signal::ReleaseNow => self.tell(Event::ReleaseNow),
                Signal::Reload => {
                    self.notifier.reloading(clock::now().mono);
                    self.reload(reload());
                    self.notifier.ready(self.aggregate_interval_s, clock::now().mono);
                }
                Signal::ChildEnded => {
                    child::reap();
                }
            }
        }
    }

    /// Everything the new configuration may have changed is made anew; what was under way is repeated.
    fn reload(&mut self, parts: Option<Parts>) {
        let Some(parts) = parts else { return };
        self.aggregate_interval_s = parts.settings.aggregate_interval_s;
        const REASON: &str = "connecting anew with the new configuration";
        let outlets = &mut self.outlets;
        let was_sending = parts.intakes.map(|stream, intake| outlets.of(stream).replace(intake));
        let was_sending = was_sending.map(|stream, was_sending| was_sending.then_some(stream));
        for stream in was_sending.iter().copied().flatten() {
            self.tell(Event::Answered(stream, Err(REASON.to_owned())));
        }
        self.move_queues(parts.queues, REASON);
        self.plugins = PluginIo::new(parts.servers, PLUGINS);
        self.reopen(&parts.datagrams);
        self.reopen_status(parts.status_socket.as_deref());
        self.tell(Event::Reload(parts.settings, parts.collectors, Box::new(parts.files)));
    }

    fn move_queues(&mut self, queues: Queues, reason: &str) {
        match (queues, &self.place) {
            (Queues::Redis(link), None) => {
                self.notifier.redis(false, clock::now().mono);
                self.tell(Event::RedisDown(reason.to_owned()));
                self.queues = link;
            }
            (Queues::Embedded(new), Some(place)) if new == *place => {}
            _ => log::warn!("CHOUETTE_STORAGE_TYPE and SPOOL_* count from the next start on"),
        }
    }

    fn tell(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.agent.handle(event, clock::now(), &mut actions);
        self.carry_out(actions);
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        let (mut queue_events, mut plugin_events, mut shown) = (Vec::new(), Vec::new(), Vec::new());
        let mut asked = false;
        for action in actions {
            let now = clock::now().mono;
            match action {
                Action::Redis(request) => self.queues.send(&request, now, &mut queue_events),
                Action::Post(stream, body) => self.post(stream, body, now),
                Action::Show { stream, text, compressed_bytes } => {
                    shown.push(match self.outlets.of(stream).show(stream, text, compressed_bytes) {
                        Ok(()) => Event::Shown(stream),
                        Err(error) => Event::Answered(stream, Err(format!("standard output: {error}"))),
                    });
                }
                Action::Ask { collector, ticket, question } => {
                    self.plugins.ask(collector, ticket, question, now, &mut plugin_events);
                    asked = true;
                }
                Action::Arm(timer, at) => self.timers.insert(timer, at),
                Action::Disarm(timer) => self.timers.cancel(timer),
                Action::Exit(status) => self.exit = Some(status),
            }
        }
        self.tell_of_queues(queue_events);
        plugin_events.into_iter().chain(shown).for_each(|event| self.tell(event));
        if asked {
            self.drive_plugins(true);
        }
    }

    fn post(&mut self, stream: Stream, body: Vec<u8>, now: Instant) {
        let failure = self.outlets.of(stream).post(body, self.poll.registry(), now);
        self.tell_of_outlet(stream, failure);
    }

    /// `None` is for ever: only a signal or a peer wakes the loop then.
    fn time_to_sleep(&self) -> Option<Duration> {
        if self.agent.has_work()
            || self.queues.has_more()
            || self.plugins.has_more()
            || self.datagrams.has_more()
            || self.status.has_more()
        {
            return Some(Duration::ZERO);
        }
        let deadlines = [
            self.timers.next_deadline(),
            self.queues.deadline(),
            self.outlets.iter().filter_map(Outlet::deadline).min(),
            self.plugins.deadline(),
            self.datagrams.deadline(),
            self.notifier.deadline(),
            self.probe.as_ref().map(Probe::deadline),
        ];
        let next = deadlines.into_iter().flatten().min()?;
        Some(next.saturating_duration_since(clock::now().mono))
    }
}

fn is_due(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|at| at <= clock::now().mono)
}

/// Whether an answer lets the queue go on: the intake has the records, or refused them for good.
fn is_progress(outcome: &Outcome) -> bool {
    use crate::release::Outcome::{Accepted, Split};
    outcome.as_ref().is_ok_and(|answer| matches!(release::outcome(answer.status), Accepted | Split))
}
