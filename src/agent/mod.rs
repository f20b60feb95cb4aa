//! The agent without input or output: `(event, now)` → actions.
//!
//! It owns the stages and decides what happens when; the runtime carries the actions out and reports back.
//! Whatever takes long is cut into slices: while [`Agent::has_work`] says so, the loop calls
//! [`Agent::work`] between two looks at its sources.

mod belief;
mod collectors;
mod commit;
mod cx;
mod dogstatsd;
mod event;
mod fetching;
mod flusher;
mod ids;
mod lease;
mod line;
mod loading;
mod once;
mod outbox;
mod past;
mod reading;
mod releaser;
mod removal;
mod schedule;
#[cfg(test)]
mod simulation;
mod spool;
mod status;
mod stream;
mod warnings;

use std::time::Duration;

use crate::collect::{Collector, HostFiles};
use crate::limits::{ONCE_REDIS_S, SHUTDOWN_S};
use crate::protocol::redis::{Replies, Value};
use crate::release::Random;
pub use event::{Action, Answer, Event, Mode, Now, Settings, Timer};
pub use status::Surroundings;
pub use stream::{PerStream, Stream};

use collectors::Collectors;
use cx::{Cx, Shared};
use dogstatsd::Dogstatsd;
use flusher::Flusher;
use lease::Lease;
use line::Owner;
use once::Once;
use outbox::Outbox;
use releaser::Releaser;
use schedule::Schedule;

/// The agent.
pub struct Agent {
    lease: Lease,
    collectors: Collectors,
    flusher: Flusher,
    dogstatsd: Dogstatsd,
    outbox: Outbox,
    /// One for each stream; they share nothing but the line to Redis.
    releasers: PerStream<Releaser>,
    schedule: Schedule,
    once: Option<Once>,
    /// With which status the program ends, once the lease was given back.
    leaving: Option<u8>,
    shared: Shared,
}

impl Agent {
    /// An agent that was not started. `name` tells it apart from others on the same Redis, `seed` makes its record
    /// keys and jitter its own.
    pub fn new(
        name: String,
        settings: Settings,
        collectors: Vec<Box<dyn Collector>>,
        files: Box<dyn HostFiles>,
        mode: Mode,
        seed: u64,
    ) -> Agent {
        let mut random = Random::new(seed);
        Agent {
            lease: Lease::default(),
            collectors: Collectors::new(collectors, files),
            flusher: Flusher::default(),
            dogstatsd: Dogstatsd::default(),
            outbox: Outbox::default(),
            releasers: PerStream::each(|stream| Releaser::new(stream, mode == Mode::DryRun)),
            schedule: Schedule::new(&mut random),
            once: (mode != Mode::Forever).then(Once::default),
            leaving: None,
            shared: Shared::new(name, settings, random, mode == Mode::DryRun),
        }
    }

    /// Takes an event and appends what is to be done.
    pub fn handle(&mut self, event: Event, now: Now, actions: &mut Vec<Action>) {
        if self.schedule.clock_stepped(now) {
            self.shared.belief.clock_set();
            self.dogstatsd.close_all(&mut self.shared.cx(now, actions));
            if self.runs_on_schedule() {
                self.schedule.arm_all(&self.shared.settings, now, actions);
            }
        }
        match event {
            Event::Started => self.started(now, actions),
            Event::RedisUp => self.redis_up(now, actions),
            Event::RedisDown(reason) => self.redis_down(&reason, now, actions),
            Event::Replies(replies) => self.replied(replies, now, actions),
            Event::Spool(report) => spool::reported(&report, &mut self.shared.cx(now, actions)),
            Event::Answered(stream, answer) => {
                self.releasers.of(stream).answered(answer, &mut self.shared.cx(now, actions));
            }
            Event::Shown(stream) => self.releasers.of(stream).shown(),
            Event::Timer(timer) => self.fired(timer, now, actions),
            Event::ReleaseNow => {
                log::info!("release asked for");
                self.release_now(now, actions);
            }
            Event::Reload(settings, collectors, files) => {
                self.dogstatsd.close_all(&mut self.shared.cx(now, actions));
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

    /// Takes a datagram of DogStatsD; one that was longer than this was cut. It asks for no action: what it says goes
    /// on with the next flush.
    pub fn receive(&mut self, datagram: &[u8], is_cut: bool, now: Now) {
        let mut actions = Vec::new();
        self.dogstatsd.receive(datagram, is_cut, &mut self.outbox, &mut self.shared.cx(now, &mut actions));
    }

    /// The kernel had no room for so many datagrams.
    pub fn datagrams_dropped(&mut self, count: u64) {
        self.shared.telemetry.dogstatsd_kernel_drops(count);
    }

    /// Whether [`Agent::work`] has something to do.
    pub fn has_work(&self) -> bool {
        self.flusher.has_work()
            || self.releasers.iter().any(Releaser::has_work)
            || self.dogstatsd.has_work(&self.outbox)
    }

    /// Does one slice of the work at hand.
    pub fn work(&mut self, now: Now, actions: &mut Vec<Action>) {
        if self.dogstatsd.has_work(&self.outbox) {
            self.dogstatsd.work(&mut self.outbox, &mut self.shared.cx(now, actions));
        }
        self.flusher.work(&mut self.shared.cx(now, actions));
        for releaser in self.releasers.iter_mut() {
            releaser.work(&mut self.shared.cx(now, actions));
        }
        self.after(now, actions);
    }

    fn release_now(&mut self, now: Now, actions: &mut Vec<Action>) {
        for releaser in self.releasers.iter_mut() {
            releaser.start_now(&mut self.shared.cx(now, actions));
        }
    }

    fn runs_on_schedule(&self) -> bool {
        self.once.is_none() && !self.shared.stopping
    }

    fn started(&mut self, now: Now, actions: &mut Vec<Action>) {
        self.shared.belief.started(now);
        self.shared.past.started(now.mono);
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
        self.shared.past.connected(now.mono);
        self.shared.warnings.recovered("redis");
        self.lease.ask(&mut self.shared.cx(now, actions));
        for releaser in self.releasers.iter_mut() {
            releaser.connected(&mut self.shared.cx(now, actions));
        }
        self.collectors.redis_up(&mut self.outbox, &mut self.shared.cx(now, actions));
    }

    /// What the lease says; aggregation begins with it.
    fn leased(&mut self, run: u32, replies: &[Value], now: Now, actions: &mut Vec<Action>) {
        let cx = &mut self.shared.cx(now, actions);
        match self.lease.replied(run, replies, cx) {
            Ok(true) if !cx.stopping => {
                self.releasers.iter_mut().for_each(|releaser| releaser.new_term(cx));
                self.outbox.store(cx);
                self.flusher.new_term(cx);
            }
            Ok(_) => {}
            Err(error) => cx.warnings.warn("lease", &error, cx.now.mono),
        }
        if cx.holding.stands_by_for().is_some() {
            cx.past.flush_may_wait(now.mono);
        }
        if let Some(at) = self.lease.ask_at().filter(|_| self.runs_on_schedule()) {
            actions.push(Action::Arm(Timer::Lease, at));
        }
    }

    fn redis_down(&mut self, reason: &str, now: Now, actions: &mut Vec<Action>) {
        self.shared.line.lost();
        self.shared.past.disconnected(reason, now.mono);
        self.flusher.lost();
        self.outbox.lost();
        self.releasers.iter_mut().for_each(Releaser::disconnected);
        let cx = &mut self.shared.cx(now, actions);
        self.lease.lost(cx);
        cx.warnings.warn("redis", &reason, now.mono);
        self.collectors.redis_lost(&mut self.outbox, cx);
    }

    fn replied(&mut self, replies: Replies, now: Now, actions: &mut Vec<Action>) {
        match self.shared.line.completed() {
            Some(Owner::Lease(run)) => self.leased(run, &replies, now, actions),
            Some(Owner::Flush(run)) => self.flusher.replied(run, replies, &mut self.shared.cx(now, actions)),
            Some(Owner::Outbox(run)) => self.outbox.replied(run, &replies, &mut self.shared.cx(now, actions)),
            Some(Owner::Release(stream, run)) => {
                self.releasers.of(stream).replied(run, replies, &mut self.shared.cx(now, actions));
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
            return self.out_of_time(actions);
        }
        if timer == Timer::Lease && self.once.is_some() {
            return self.poll_lease(now, actions);
        }
        if !self.runs_on_schedule() {
            return;
        }
        match timer {
            Timer::Capture => self.capture(now, actions),
            Timer::Flush => {
                self.self_metrics(now, actions);
                self.shared.past.dropped(self.shared.telemetry.dropped_total(), now.mono);
                self.dogstatsd.close(&mut self.outbox, &mut self.shared.cx(now, actions));
                self.outbox.store(&mut self.shared.cx(now, actions));
                self.lease.ask(&mut self.shared.cx(now, actions));
                self.flusher.start(&mut self.shared.cx(now, actions));
            }
            Timer::Release => {
                for releaser in self.releasers.iter_mut() {
                    releaser.start(&mut self.shared.cx(now, actions));
                }
            }
            Timer::Retry
            | Timer::RetryLogs
            | Timer::RetryDistributions
            | Timer::RetryEvents
            | Timer::RetryChecks => {
                for stream in Stream::ALL.into_iter().filter(|stream| stream.retry() == timer) {
                    self.releasers.of(stream).start(&mut self.shared.cx(now, actions));
                }
            }
            Timer::Lease => self.lease.ask(&mut self.shared.cx(now, actions)),
            Timer::Stop => {}
        }
        self.schedule.arm(timer, &self.shared.settings, now, actions);
    }

    fn out_of_time(&mut self, actions: &mut Vec<Action>) {
        match self.shared.holding.stands_by_for() {
            Some(holder) => log::error!("agent {holder} works on this redis; nothing was done"),
            None => {
                if self.once.is_some() && !self.shared.line.is_up() {
                    log::error!("redis was not reached within {ONCE_REDIS_S} s; nothing was done");
                    return actions.push(Action::Exit(1));
                }
                log::warn!(
                    "stopped waiting for what is in flight; it is kept and finished at the next start"
                );
                let records = self.outbox.len();
                if records > 0 {
                    log::error!("{records} records could not be stored, and end with the program");
                }
            }
        }
        actions.push(Action::Exit(u8::from(self.once.is_some())));
    }

    fn capture(&mut self, now: Now, actions: &mut Vec<Action>) {
        let cx = &mut self.shared.cx(now, actions);
        if cx.holding.stands_by_for().is_some() {
            return;
        }
        self.collectors.begin(&mut self.outbox, cx);
        self.outbox.store(cx);
    }

    fn self_metrics(&mut self, now: Now, actions: &mut Vec<Action>) {
        let cx = &mut self.shared.cx(now, actions);
        if cx.is_clock_believable() {
            let series = cx.telemetry.take(cx.settings.aggregate_interval_s, now.wall_s);
            if cx.settings.send_self_metrics {
                self.outbox.push(&series, cx);
            }
        }
    }

    fn stop(&mut self, now: Now, actions: &mut Vec<Action>) {
        if self.shared.stopping {
            actions.push(Action::Exit(0));
            return;
        }
        log::info!("stopping");
        self.shared.stopping = true;
        self.releasers.iter_mut().for_each(Releaser::stop);
        self.dogstatsd.close_all(&mut self.shared.cx(now, actions));
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
        if self.shared.stopping && self.is_settled(now) {
            self.leaving.get_or_insert(0);
        }
        let ends = actions.iter().any(|action| matches!(action, Action::Exit(_)));
        if let Some(status) = self.leaving
            && !ends
            && self.lease.give_back(&mut self.shared.cx(now, actions))
        {
            actions.push(Action::Exit(status));
        }
    }

    /// Nothing is in flight that could still be finished.
    fn is_settled(&self, now: Now) -> bool {
        let is_up = self.shared.line.is_up();
        let may_store = is_up && self.shared.holding.is_held(now.mono);
        let redis_done =
            !may_store || (self.flusher.is_idle() && self.dogstatsd.is_drained() && self.outbox.is_settled());
        redis_done
            && self.releasers.iter().all(|releaser| releaser.is_idle() || !is_up && !releaser.is_sending())
    }
}
