//! The collectors, each at its own pace: one that fails, or waits for an answer, holds up no other.

use std::fmt::Display;
use std::time::Instant;

use super::line::{Hold, Owner};
use super::outbox::Outbox;
use super::{Action, Cx};
use crate::collect::{CollectError, Collector, HostFiles, Question, Reading, Reply};
use crate::status::{Document, one_line};

pub(super) struct Collectors {
    slots: Vec<Slot>,
    files: Box<dyn HostFiles>,
    /// Tells the questions of collectors that were replaced from those of the present ones.
    generation: u32,
    /// It is not known yet whether Redis is there: questions to it wait until it is.
    awaits_redis: bool,
}

struct Slot {
    collector: Box<dyn Collector>,
    /// Questions of the reading under way that were not answered.
    open: usize,
    /// Tickets of those among them that Redis is to answer.
    asked_redis: Vec<u32>,
    /// Those that wait for the first word of Redis.
    held: Vec<(u32, Question)>,
    /// What went wrong in the reading under way.
    error: CollectError,
    /// Series of the reading under way.
    series: u64,
    last: Last,
}

/// How the last reading went, for who asks.
#[derive(Default)]
struct Last {
    at: Option<Instant>,
    series: u64,
    failures: u64,
    problem: Option<String>,
}

impl Collectors {
    pub fn new(collectors: Vec<Box<dyn Collector>>, files: Box<dyn HostFiles>) -> Collectors {
        Collectors { slots: slots(collectors), files, generation: 0, awaits_redis: true }
    }

    /// Other collectors, as after a reload. Answers to the old ones' questions are not wanted any more.
    pub fn replace(&mut self, collectors: Vec<Box<dyn Collector>>, files: Box<dyn HostFiles>) {
        self.slots = slots(collectors);
        self.files = files;
        self.generation = self.generation.wrapping_add(1);
        self.awaits_redis = true;
    }

    /// No reading is under way.
    pub fn is_idle(&self) -> bool {
        self.slots.iter().all(|slot| slot.open == 0)
    }

    /// Begins a reading of each collector; one that has not finished the last one skips its turn.
    pub fn begin(&mut self, outbox: &mut Outbox, cx: &mut Cx<'_>) {
        for index in 0..self.slots.len() {
            let Some(slot) = self.slots.get_mut(index) else {
                continue;
            };
            if slot.open > 0 {
                const TEXT: &str = "the reading before has not finished; this turn is skipped";
                slot.failed(&TEXT, cx);
                continue;
            }
            self.read(index, None, outbox, cx);
        }
    }

    /// A reply from the runtime.
    pub fn replied(&mut self, index: usize, ticket: u32, reply: Reply, outbox: &mut Outbox, cx: &mut Cx<'_>) {
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        if matches!(reply, Reply::Http(_) | Reply::Redis(_)) {
            slot.open = slot.open.saturating_sub(1);
        }
        self.read(index, Some((ticket, reply)), outbox, cx);
    }

    /// Lets a collector begin, or go on with a reply, and takes what it has read, asks and could not read.
    fn read(&mut self, index: usize, reply: Option<(u32, Reply)>, outbox: &mut Outbox, cx: &mut Cx<'_>) {
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let mut reading = Reading::new(&*self.files);
        let went = match reply {
            Some((ticket, reply)) => slot.collector.reply(ticket, reply, &mut reading),
            None => slot.collector.begin(&mut reading),
        };
        if let Err(error) = went {
            slot.error.absorb(error);
        }
        let Reading { gauges, questions, .. } = reading;
        slot.series += gauges.len() as u64;
        outbox.push_readings(gauges, cx);
        self.ask(index, questions, outbox, cx);
        self.settle(index, cx);
    }

    /// Replies of Redis to a question.
    pub fn redis_replied(
        &mut self,
        (index, generation, ticket): (usize, u32, u32),
        replies: crate::protocol::redis::Replies,
        outbox: &mut Outbox,
        cx: &mut Cx<'_>,
    ) {
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let Some(asked) = slot.asked_redis.iter().position(|asked| *asked == ticket) else {
            return;
        };
        if generation == self.generation {
            slot.asked_redis.swap_remove(asked);
            self.replied(index, ticket, Reply::Redis(Ok(replies.into_values())), outbox, cx);
        }
    }

    /// Redis can be asked.
    pub fn redis_up(&mut self, outbox: &mut Outbox, cx: &mut Cx<'_>) {
        self.ask_held(outbox, cx);
    }

    /// The connection to Redis is gone: it will not answer.
    pub fn redis_lost(&mut self, outbox: &mut Outbox, cx: &mut Cx<'_>) {
        self.ask_held(outbox, cx);
        for index in 0..self.slots.len() {
            let asked = self.slots.get_mut(index).map(|slot| std::mem::take(&mut slot.asked_redis));
            for ticket in asked.unwrap_or_default() {
                self.replied(index, ticket, no_redis(), outbox, cx);
            }
        }
    }

    fn ask_held(&mut self, outbox: &mut Outbox, cx: &mut Cx<'_>) {
        self.awaits_redis = false;
        for index in 0..self.slots.len() {
            let held = self.slots.get_mut(index).map(|slot| {
                slot.open -= slot.held.len();
                std::mem::take(&mut slot.held)
            });
            self.ask(index, held.unwrap_or_default(), outbox, cx);
        }
    }

    fn ask(&mut self, index: usize, questions: Vec<(u32, Question)>, outbox: &mut Outbox, cx: &mut Cx<'_>) {
        let mut unanswerable = Vec::new();
        for (ticket, question) in questions {
            let Some(slot) = self.slots.get_mut(index) else {
                return;
            };
            match question {
                Question::Redis(request) => {
                    slot.open += 1;
                    if self.awaits_redis && !cx.line.is_up() {
                        slot.held.push((ticket, Question::Redis(request)));
                    } else if cx.line.is_up() {
                        slot.asked_redis.push(ticket);
                        let owner = Owner::Collector(index, self.generation, ticket);
                        cx.line.submit(owner, request, Hold::Free, cx.actions);
                    } else {
                        unanswerable.push(ticket);
                    }
                }
                question => {
                    slot.open += usize::from(matches!(question, Question::Http { .. }));
                    cx.actions.push(Action::Ask { collector: index, ticket, question });
                }
            }
        }
        for ticket in unanswerable {
            self.replied(index, ticket, no_redis(), outbox, cx);
        }
    }

    /// Tells of a reading that has ended.
    fn settle(&mut self, index: usize, cx: &mut Cx<'_>) {
        let Some(slot) = self.slots.get_mut(index).filter(|slot| slot.open == 0) else {
            return;
        };
        slot.last.at = Some(cx.now.mono);
        slot.last.series = std::mem::take(&mut slot.series);
        match std::mem::take(&mut slot.error).into_result() {
            Ok(()) if slot.collector.is_well() => {
                slot.last.problem = None;
                cx.warnings.recovered(slot.collector.name());
            }
            Ok(()) => {}
            Err(error) => slot.failed(&error, cx),
        }
    }

    /// Writes how the last readings went.
    #[inline(never)]
    pub fn tell(&self, now: Instant, document: &mut Document) {
        document.begin("plugins");
        for Slot { collector, last, .. } in &self.slots {
            document.begin(collector.name());
            document.ago("ago_s", last.at, now);
            document.number("series", last.series);
            document.number("failures", last.failures);
            document.text("problem", last.problem.as_deref());
            document.end();
        }
        document.end();
    }
}

impl Slot {
    fn failed(&mut self, error: &dyn Display, cx: &mut Cx<'_>) {
        let name = self.collector.name();
        self.last.failures += 1;
        self.last.problem = Some(one_line(&error.to_string()));
        cx.telemetry.collector_failed(name);
        cx.warnings.warn(name, error, cx.now.mono);
    }
}

fn slots(collectors: Vec<Box<dyn Collector>>) -> Vec<Slot> {
    let slot = |collector| Slot {
        collector,
        open: 0,
        asked_redis: Vec::new(),
        held: Vec::new(),
        error: CollectError::default(),
        series: 0,
        last: Last::default(),
    };
    collectors.into_iter().map(slot).collect()
}

fn no_redis() -> Reply {
    Reply::Redis(Err("no connection to redis".to_owned()))
}
