//! Whose turn it is: of several agents on one Redis only the holder of the lease reads, aggregates and releases.
//!
//! It is taken when Redis is there, renewed with each flush, and given back at the end. Who stands by asks for it with
//! each flush too, and when it ends: its holder's transactions renew it at any time of an interval. An agent that was
//! suspended finds it in other hands: its transactions are refused ([`queue::guard`]), and it stands by. What counts
//! locally ([`Holding::is_held`]) ends earlier than it does at Redis, so that nobody goes on by mistake.

use std::time::{Duration, Instant};

use super::line::{Hold, Owner};
use super::{Cx, Settings};
use crate::limits::{LEASE_INTERVALS, LEASE_S_MIN};
use crate::protocol::redis::{Request, Value};
use crate::queue::{self, LeaseReply, QueueError};
use crate::status::Document;

/// A lease is asked for so long after its end: Redis counts whole milliseconds.
const AFTER_ITS_END: Duration = Duration::from_millis(10);

/// Asks for the lease; what came of it is in [`Holding`].
#[derive(Default)]
pub(super) struct Lease {
    run: u32,
    /// When the request under way was sent, and what it asks.
    asked: Option<(Instant, Asked)>,
    /// When another agent's will be over, unless it is renewed until then.
    free_at: Option<Instant>,
}

/// Whose turn it is, as far as this agent knows.
pub(super) struct Holding {
    name: String,
    state: State,
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    /// Nobody has been asked yet, or what was known is out of date.
    Unknown,
    Held {
        until: Instant,
    },
    /// Redis has no memory for a lease. Releasing, which frees some, may be done by anybody; nothing else is done.
    NoMemory,
    StandingBy {
        holder: String,
    },
    /// A dry run needs none: it changes nothing.
    Looking,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Asked {
    Take,
    Look,
    Renew,
    GiveBack,
}

impl Holding {
    /// `name` tells agents apart, and tells a person which one works.
    pub fn new(name: String) -> Holding {
        Holding { name, state: State::Unknown }
    }

    /// Who this agent is.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this agent may aggregate.
    pub fn is_held(&self, now: Instant) -> bool {
        matches!(self.state, State::Held { until } if now < until)
    }

    /// Whether this agent may release, or show what it would.
    pub fn may_release(&self, now: Instant) -> bool {
        matches!(self.state, State::NoMemory | State::Looking) || self.is_held(now)
    }

    /// Whether this is a dry run, which sees all and changes nothing.
    pub fn is_looking(&self) -> bool {
        self.state == State::Looking
    }

    /// Whether nobody can hold it.
    pub fn is_impossible(&self) -> bool {
        self.state == State::NoMemory
    }

    /// Who works instead of this agent.
    pub fn stands_by_for(&self) -> Option<&str> {
        match &self.state {
            State::StandingBy { holder } => Some(holder),
            _ => None,
        }
    }

    /// What is known is out of date: the connection is gone, or a transaction found another holder.
    pub fn doubt(&mut self) {
        self.state = State::Unknown;
    }

    /// Writes whose turn it is.
    #[inline(never)]
    pub fn tell(&self, now: Instant, document: &mut Document) {
        let (state, holder) = match &self.state {
            State::Held { .. } if self.is_held(now) => ("held", Some(&self.name)),
            State::Held { .. } | State::Unknown | State::Looking => ("unknown", None),
            State::NoMemory => ("no_memory", None),
            State::StandingBy { holder } => ("standby", Some(holder)),
        };
        document.begin("lease");
        document.text("name", Some(&self.name));
        document.text("state", Some(state));
        document.text("holder", holder.map(String::as_str));
        document.end();
    }

    fn change(&mut self, new: State) {
        match (&self.state, &new) {
            (State::StandingBy { holder: known }, State::StandingBy { holder }) if known == holder => {}
            (_, State::StandingBy { holder }) => log::warn!(
                "lease: agent {holder} works on this redis; this one, {}, stands by: it reads, aggregates and releases nothing",
                self.name
            ),
            (State::StandingBy { holder }, State::Held { .. }) => {
                log::info!("lease: taken over from agent {holder}");
            }
            (State::Unknown, State::Held { .. }) => log::debug!("lease: taken by agent {}", self.name),
            _ => {}
        }
        self.state = new;
    }
}

/// How long the lease lasts: an agent that is gone is followed by another one within two intervals.
pub(super) fn lasts(settings: &Settings) -> Duration {
    Duration::from_secs_f64((f64::from(settings.aggregate_interval_s) * LEASE_INTERVALS).max(LEASE_S_MIN))
}

impl Lease {
    /// Takes or renews it, unless a request is under way.
    pub fn ask(&mut self, cx: &mut Cx<'_>) {
        if self.asked.is_some() || cx.holding.is_looking() {
            return;
        }
        if cx.is_dry_run {
            return self.submit(queue::look_at_lease(), Asked::Look, cx);
        }
        let lasts = lasts(cx.settings);
        if cx.holding.is_held(cx.now.mono) {
            self.submit(queue::renew_lease(lasts), Asked::Renew, cx);
        } else {
            self.submit(queue::take_lease(&cx.holding.name, lasts), Asked::Take, cx);
        }
    }

    /// When it should be asked for although no interval is over; told once.
    pub fn ask_at(&mut self) -> Option<Instant> {
        self.free_at.take()
    }

    /// Gives it back, so that another agent need not wait until it runs out. True once there is nothing to wait for.
    pub fn give_back(&mut self, cx: &mut Cx<'_>) -> bool {
        if cx.line.is_up() && self.asked.is_none() && cx.holding.is_held(cx.now.mono) {
            self.submit(queue::give_back_lease(), Asked::GiveBack, cx);
        }
        !cx.line.is_up() || self.asked.is_none()
    }

    /// The connection is gone: whose it is has to be asked again.
    pub fn lost(&mut self, cx: &mut Cx<'_>) {
        self.run = self.run.wrapping_add(1);
        self.asked = None;
        if cx.holding.stands_by_for().is_none() {
            cx.holding.doubt();
        }
    }

    /// True when the lease is this agent's from now on, or a dry run may begin.
    pub fn replied(&mut self, run: u32, replies: &[Value], cx: &mut Cx<'_>) -> Result<bool, QueueError> {
        let Some((asked_at, asked)) = self.asked.take_if(|_| run == self.run) else {
            return Ok(false);
        };
        let until = asked_at + lasts(cx.settings);
        match asked {
            Asked::Take => {
                let reply = queue::lease_of(replies).map_err(|error| error.about(queue::LEASE))?;
                let is_ours = taken(&reply, until, cx);
                self.free_at = cx
                    .holding
                    .stands_by_for()
                    .and(reply.lasts)
                    .map(|lasts| cx.now.mono + lasts + AFTER_ITS_END);
                return Ok(is_ours);
            }
            Asked::Look => {
                let reply = queue::lease_of(replies).map_err(|error| error.about(queue::LEASE))?;
                cx.holding.change(State::Looking);
                told(&reply, cx);
                return Ok(true);
            }
            Asked::GiveBack => cx.holding.doubt(),
            Asked::Renew => match queue::renewed(replies, &cx.holding.name) {
                Ok(()) => {
                    cx.warnings.recovered("lease");
                    cx.holding.change(State::Held { until });
                }
                Err(QueueError::LeaseLost) => {
                    cx.holding.doubt();
                    self.ask(cx);
                }
                Err(error) => return Err(error),
            },
        }
        Ok(false)
    }

    fn submit(&mut self, request: Request, asked: Asked, cx: &mut Cx<'_>) {
        if cx.line.is_up() {
            self.asked = Some((cx.now.mono, asked));
            cx.line.submit(Owner::Lease(self.run), request, Hold::Free, cx.actions);
        }
    }
}

/// True when the lease is this agent's.
fn taken(reply: &LeaseReply, until: Instant, cx: &mut Cx<'_>) -> bool {
    let new = match &reply.holder {
        Some(holder) if *holder == cx.holding.name => State::Held { until },
        Some(holder) => State::StandingBy { holder: holder.clone() },
        None if reply.no_memory => State::NoMemory,
        None => State::Unknown,
    };
    if new == State::NoMemory {
        const TEXT: &str =
            "redis is at its maxmemory and refuses with OOM: only releasing, which frees some, goes on";
        cx.warnings.warn("lease", &TEXT, cx.now.mono);
    }
    cx.holding.change(new);
    if !cx.holding.may_release(cx.now.mono) {
        return false;
    }
    told(reply, cx);
    true
}

fn told(reply: &LeaseReply, cx: &mut Cx<'_>) {
    cx.delivered.borrow_mut().replace(&reply.delivered);
    cx.belief.told_of(reply.newest_s, cx.now);
}

#[cfg(test)]
mod tests {
    use super::super::simulation;
    use super::*;

    #[test]
    fn a_lease_is_over_within_two_intervals_but_not_at_once() {
        let lasts_with =
            |aggregate_interval_s| lasts(&Settings { aggregate_interval_s, ..simulation::settings() });
        assert_eq!(lasts_with(10), Duration::from_secs_f64(10.0 * LEASE_INTERVALS));
        assert!(lasts_with(10) < Duration::from_secs(20));
        assert_eq!(lasts_with(1), Duration::from_secs_f64(LEASE_S_MIN));
    }

    #[test]
    fn what_counts_here_ends_with_the_time_it_was_asked_for() {
        let now = Instant::now();
        let mut holding = Holding::new("me".to_owned());
        assert!(!holding.is_held(now) && !holding.may_release(now));
        holding.change(State::Held { until: now + Duration::from_secs(3) });
        assert!(holding.is_held(now) && !holding.is_held(now + Duration::from_secs(3)));
        holding.change(State::NoMemory);
        assert!(holding.may_release(now) && !holding.is_held(now) && holding.is_impossible());
        holding.change(State::StandingBy { holder: "you".to_owned() });
        assert_eq!(holding.stands_by_for(), Some("you"));
        assert!(!holding.may_release(now));
    }
}
