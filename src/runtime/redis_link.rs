//! The connection to Redis, kept: dialled, logged in, and dialled again with growing waits when it is lost.
//!
//! It is up when the log-in was answered, so that a server that is still loading, wants a password or is
//! no Redis never gets a request of the agent's.

use std::time::{Duration, Instant};

use mio::{Registry, Token};

use super::connection::{Connection, Endpoint, Progress, Received};
use super::queue_link::{LinkEvent, QueueLink};
use crate::limits::{REDIS_BACKOFF_S, REDIS_READ_BYTES_PER_TURN, REDIS_REPLY_S, SCRATCH_BYTES_KEPT};
use crate::protocol::redis::{Codec, Replies, Request, Value};
use crate::release::{Backoff, Random};

/// The link. It owns `token` and the next one.
pub struct RedisLink {
    endpoint: Endpoint,
    log_in: Request,
    token: Token,
    state: State,
    backoff: Backoff,
    random: Random,
    /// More may be read without waiting for readiness.
    more: bool,
}

enum State {
    Waiting { until: Instant },
    Dialling(Connection),
    LoggingIn(Session),
    Up(Session),
}

struct Session {
    connection: Connection,
    codec: Codec,
    /// What has come in a turn; its memory is used again.
    received: Vec<u8>,
    /// When the oldest reply under way is overdue.
    reply_due: Option<Instant>,
}

impl RedisLink {
    /// A link that dials at the first [`RedisLink::drive`].
    pub fn new(endpoint: Endpoint, log_in: Request, token: Token, now: Instant, seed: u64) -> RedisLink {
        RedisLink {
            endpoint,
            log_in,
            token,
            state: State::Waiting { until: now },
            backoff: Backoff::new(REDIS_BACKOFF_S),
            random: Random::new(seed),
            more: false,
        }
    }

    /// The way to Redis.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn advance(
        &mut self,
        registry: &Registry,
        now: Instant,
        events: &mut Vec<LinkEvent>,
    ) -> Result<(), String> {
        if let State::Waiting { until } = self.state {
            if until > now {
                return Ok(());
            }
            self.state = State::Dialling(Connection::dial(&self.endpoint, self.token, registry, now));
        }
        if let State::Dialling(connection) = &mut self.state {
            match connection.drive(registry, now) {
                Progress::Waiting => return Ok(()),
                Progress::Failed(error) => return Err(error.to_string()),
                Progress::Open => self.log_in(now)?,
            }
        }
        let (State::LoggingIn(session) | State::Up(session)) = &mut self.state else {
            return Ok(());
        };
        let mut complete = Vec::new();
        self.more = session.receive(now, &mut complete)?;
        for replies in complete {
            match &self.state {
                State::LoggingIn(_) => self.logged_in(&replies, now, events)?,
                _ => events.push(LinkEvent::Replies(replies)),
            }
        }
        Ok(())
    }

    fn log_in(&mut self, now: Instant) -> Result<(), String> {
        let State::Dialling(connection) = std::mem::replace(&mut self.state, State::Waiting { until: now })
        else {
            return Ok(());
        };
        let mut session =
            Session { connection, codec: Codec::default(), received: Vec::new(), reply_due: None };
        session.send(&self.log_in, now)?;
        self.state = State::LoggingIn(session);
        Ok(())
    }

    fn logged_in(
        &mut self,
        replies: &[Value],
        now: Instant,
        events: &mut Vec<LinkEvent>,
    ) -> Result<(), String> {
        crate::queue::queued(replies).map_err(|error| error.to_string())?;
        match std::mem::replace(&mut self.state, State::Waiting { until: now }) {
            State::LoggingIn(session) => self.state = State::Up(session),
            other => self.state = other,
        }
        self.backoff.reset();
        events.push(LinkEvent::Up);
        Ok(())
    }

    fn fail(&mut self, reason: String, now: Instant, events: &mut Vec<LinkEvent>) {
        let wait = self.backoff.failed(&mut self.random);
        // Dropping the connection closes it.
        self.state = State::Waiting { until: now + wait };
        self.more = false;
        events.push(LinkEvent::Down(reason));
    }
}

impl QueueLink for RedisLink {
    fn send(&mut self, request: &Request, now: Instant, events: &mut Vec<LinkEvent>) {
        let State::Up(session) = &mut self.state else {
            return;
        };
        if let Err(reason) = session.send(request, now) {
            self.fail(reason, now, events);
        }
    }

    fn drive(&mut self, registry: &Registry, now: Instant, events: &mut Vec<LinkEvent>) {
        self.more = false;
        if let Err(reason) = self.advance(registry, now, events) {
            self.fail(reason, now, events);
        }
    }

    fn has_more(&self) -> bool {
        self.more
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Waiting { until } => Some(*until),
            State::Dialling(connection) => connection.deadline(),
            State::LoggingIn(session) | State::Up(session) => session.reply_due,
        }
    }
}

impl Session {
    fn send(&mut self, request: &Request, now: Instant) -> Result<(), String> {
        self.codec.sent(request);
        self.reply_due.get_or_insert(now + Duration::from_secs(REDIS_REPLY_S));
        self.connection.send(request.bytes()).map(|_| ()).map_err(|error| error.to_string())
    }

    /// Reads what has come, within a turn's budget; true when there is more.
    fn receive(&mut self, now: Instant, complete: &mut Vec<Replies>) -> Result<bool, String> {
        self.connection.flush().map_err(|error| error.to_string())?;
        self.received.clear();
        self.received.shrink_to(SCRATCH_BYTES_KEPT);
        let received = self
            .connection
            .receive(&mut self.received, REDIS_READ_BYTES_PER_TURN)
            .map_err(|error| error.to_string())?;
        self.codec.receive(&self.received, complete).map_err(|error| error.to_string())?;
        if !self.received.is_empty() {
            // Redis is alive: a large reply may take as long as it keeps coming.
            let due = now + Duration::from_secs(REDIS_REPLY_S);
            self.reply_due = (self.codec.in_flight() > 0).then_some(due);
        }
        match received {
            Received::Closed => Err("redis closed the connection".to_owned()),
            Received::More => Ok(true),
            Received::Drained if self.reply_due.is_some_and(|due| due <= now) => {
                Err(format!("redis did not reply within {REDIS_REPLY_S} s"))
            }
            Received::Drained => Ok(false),
        }
    }
}
