//! One connection to one server, kept alive between exchanges, one exchange at a time.
//!
//! An idle connection is used again without a look-up, and one that its peer has closed is dropped without a word.
//! A connection that was used before may turn out to be dead only after the request was sent: where it breaks, or
//! stays silent, before a single byte of the answer, the exchange is tried once more on a fresh one. On a fresh
//! one it has a total time and no second attempt; back-off belongs to the caller.

mod failure;

use std::time::{Duration, Instant};

use mio::{Registry, Token};

pub use self::failure::Failure;
use super::connection::{Connection, ConnectionError, Endpoint, Progress, Received};
use crate::limits::{BODY_BYTES_MAX, RECEIVE_BUDGET_BYTES, SEND_BUDGET_BYTES};
use crate::protocol::http::{Exchange, Need, Request, Response};

/// How long an exchange may take and how large its answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExchangeLimits {
    /// Seconds without progress until the first byte of the answer, on a connection that was used before.
    pub reused_first_byte_s: u64,
    /// Seconds in all, dialling included; they begin anew with the second attempt.
    pub total_s: u64,
    /// Largest body of the answer.
    pub body_bytes_max: usize,
}

impl Default for ExchangeLimits {
    fn default() -> Self {
        ExchangeLimits { reused_first_byte_s: 5, total_s: 20, body_bytes_max: BODY_BYTES_MAX }
    }
}

/// A client of one server.
#[derive(Debug)]
pub struct HttpClient {
    endpoint: Endpoint,
    token: Token,
    connection: Option<Connection>,
    pending: Option<Pending>,
    /// Something is to be done without waiting for readiness.
    again: Option<Instant>,
    /// Wire bytes of the connections that are gone.
    sent_bytes: u64,
    received_bytes: u64,
}

/// An exchange under way.
#[derive(Debug)]
struct Pending {
    exchange: Exchange,
    limits: ExchangeLimits,
    /// Bytes of the request that the connection has taken.
    sent_bytes: usize,
    /// On a connection that was used before: when its silence is taken for its end.
    first_byte_due: Option<Instant>,
    due: Instant,
}

impl HttpClient {
    /// A client without a connection. Its tokens are `token` and the next one.
    pub fn new(endpoint: Endpoint, token: Token) -> HttpClient {
        HttpClient {
            endpoint,
            token,
            connection: None,
            pending: None,
            again: None,
            sent_bytes: 0,
            received_bytes: 0,
        }
    }

    /// Begins an exchange; one that is under way is given up. The outcome, be it an early failure, comes from
    /// [`HttpClient::ready`].
    pub fn start(
        &mut self,
        request: Request,
        limits: ExchangeLimits,
        registry: &Registry,
        now: Instant,
    ) -> Result<(), Failure> {
        if self.pending.is_some() {
            self.reset();
        }
        let exchange = Exchange::new(request, limits.body_bytes_max)?;
        self.drop_if_not_idle();
        let first_byte_due = self.connection.is_some().then(|| after(now, limits.reused_first_byte_s));
        if self.connection.is_none() {
            self.connection = Some(Connection::dial(&self.endpoint, self.token, registry, now));
        }
        self.pending = Some(Pending {
            exchange,
            limits,
            sent_bytes: 0,
            first_byte_due,
            due: after(now, limits.total_s),
        });
        self.again = Some(now);
        Ok(())
    }

    /// Goes on. Call it on readiness of either token and at the deadline; between exchanges as well, so that an end
    /// of the connection is noticed.
    pub fn ready(&mut self, registry: &Registry, now: Instant) -> Option<Result<Response, Failure>> {
        self.again = None;
        if self.pending.is_none() {
            self.drop_if_not_idle();
            return None;
        }
        loop {
            match self.advance(registry, now) {
                Ok(None) => return None,
                Ok(Some(response)) => {
                    if !response.keep_alive || !self.is_request_sent() {
                        self.drop_connection();
                    }
                    self.pending = None;
                    return Some(Ok(response));
                }
                Err(failure) => {
                    self.drop_connection();
                    if !self.retries(registry, now) {
                        self.pending = None;
                        return Some(Err(failure));
                    }
                }
            }
        }
    }

    /// When [`HttpClient::ready`] is due at the latest; `None` between exchanges.
    pub fn deadline(&self) -> Option<Instant> {
        let pending = self.pending.as_ref()?;
        let dialling = self.connection.as_ref().and_then(Connection::deadline);
        let first_byte = pending.first_byte_due.filter(|_| pending.exchange.received_bytes() == 0);
        [self.again, dialling, first_byte, Some(pending.due)].into_iter().flatten().min()
    }

    /// Whether an exchange can begin without giving another one up.
    pub fn is_idle(&self) -> bool {
        self.pending.is_none()
    }

    /// Whether there is a connection, open or being dialled.
    pub fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Whether the connection resumed a TLS session; `None` without TLS or connection.
    pub fn is_resumed(&self) -> Option<bool> {
        self.connection.as_ref()?.is_resumed()
    }

    /// Gives up the exchange under way and closes the connection.
    pub fn reset(&mut self) {
        self.pending = None;
        self.again = None;
        self.drop_connection();
    }

    /// Bytes sent on the wire by all connections so far, TLS and the proxy included.
    pub fn bytes_sent(&self) -> u64 {
        self.sent_bytes + self.connection.as_ref().map_or(0, |connection| connection.wire_bytes().0)
    }

    /// Bytes received, counted in the same way.
    pub fn bytes_received(&self) -> u64 {
        self.received_bytes + self.connection.as_ref().map_or(0, |connection| connection.wire_bytes().1)
    }

    /// One step of the exchange: dial, write, read, look at the time.
    fn advance(&mut self, registry: &Registry, now: Instant) -> Result<Option<Response>, Failure> {
        let (Some(connection), Some(pending)) = (&mut self.connection, &mut self.pending) else {
            return Ok(None);
        };
        if !connection.is_open() {
            match connection.drive(registry, now) {
                Progress::Open => {}
                Progress::Waiting => {
                    return pending.check_time(now, "opening a connection").map(|()| None);
                }
                Progress::Failed(error) => return Err(error.into()),
            }
        }
        let written = pending.write(connection, now);
        // Where writing failed, the peer may have said why before it hung up.
        let mut bytes = Vec::new();
        let received = connection.receive(&mut bytes, RECEIVE_BUDGET_BYTES);
        let mut need = pending.exchange.input(&bytes);
        if need == Need::More && matches!(received, Ok(Received::Closed)) {
            need = pending.exchange.eof();
        }
        match need {
            Need::Done(mut response) => {
                // Of an end that was seen already, no further event would tell.
                response.keep_alive &= matches!(received, Ok(Received::Drained));
                return Ok(Some(response));
            }
            Need::Failed(error) => return Err(error.into()),
            Need::More => {}
        }
        // A budget was used up rather than the socket: no readiness will be reported.
        if received? == Received::More || written? {
            self.again = Some(now);
        }
        let waiting_for = match (pending.is_sent(), pending.exchange.received_bytes()) {
            (false, _) => "sending the request",
            (true, 0) => "waiting for the answer",
            (true, _) => "receiving the answer",
        };
        pending.check_time(now, waiting_for).map(|()| None)
    }

    /// Begins the second attempt where there is to be one.
    fn retries(&mut self, registry: &Registry, now: Instant) -> bool {
        let Some(pending) = &mut self.pending else {
            return false;
        };
        if pending.exchange.received_bytes() > 0 || pending.first_byte_due.take().is_none() {
            return false;
        }
        pending.sent_bytes = 0;
        pending.due = after(now, pending.limits.total_s);
        self.connection = Some(Connection::dial(&self.endpoint, self.token, registry, now));
        true
    }

    /// Between exchanges a peer has nothing to say: whatever comes is the end, or not meant for us.
    fn drop_if_not_idle(&mut self) {
        let mut bytes = Vec::new();
        let is_idle = self.connection.as_mut().is_none_or(|connection| {
            matches!(connection.receive(&mut bytes, RECEIVE_BUDGET_BYTES), Ok(Received::Drained))
        });
        if !is_idle || !bytes.is_empty() {
            self.drop_connection();
        }
    }

    fn is_request_sent(&mut self) -> bool {
        let is_flushed =
            self.connection.as_mut().is_some_and(|connection| matches!(connection.flush(), Ok(0)));
        is_flushed && self.pending.as_ref().is_some_and(Pending::is_sent)
    }

    fn drop_connection(&mut self) {
        (self.sent_bytes, self.received_bytes) = (self.bytes_sent(), self.bytes_received());
        self.connection = None;
    }
}

impl Pending {
    /// Offers the connection what it has not taken yet; true where the budget cut that short. Progress puts off the
    /// verdict that the connection is dead.
    fn write(&mut self, connection: &mut Connection, now: Instant) -> Result<bool, ConnectionError> {
        let output = self.exchange.output();
        let end = output.len().min(self.sent_bytes + SEND_BUDGET_BYTES);
        let piece = output.get(self.sent_bytes..end).unwrap_or_default();
        let taken = connection.write(piece)?;
        let is_cut_short = taken == piece.len() && end < output.len();
        self.sent_bytes += taken;
        if taken > 0
            && let Some(due) = &mut self.first_byte_due
        {
            *due = after(now, self.limits.reused_first_byte_s);
        }
        Ok(is_cut_short)
    }

    fn is_sent(&self) -> bool {
        self.sent_bytes == self.exchange.output().len()
    }

    fn check_time(&self, now: Instant, waiting_for: &'static str) -> Result<(), Failure> {
        let is_silent = self.exchange.received_bytes() == 0;
        let limit_s = if self.first_byte_due.is_some_and(|due| is_silent && now >= due) {
            self.limits.reused_first_byte_s
        } else if now >= self.due {
            self.limits.total_s
        } else {
            return Ok(());
        };
        Err(Failure::TimedOut { waiting_for, limit_s })
    }
}

fn after(now: Instant, seconds: u64) -> Instant {
    now + Duration::from_secs(seconds)
}
