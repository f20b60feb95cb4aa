//! The one connection to Redis, shared by the stages.
//!
//! Requests of different stages are pipelined in the order they were submitted. A transaction may span
//! several requests; while one is open, the line is held and the others wait.

use std::collections::VecDeque;

use super::{Action, Stream};
use crate::protocol::redis::Request;

/// Who gets the replies. The number tells a stage's runs apart, so that replies to a run that was given up
/// are not taken for those of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Lease(u32),
    Flush(u32),
    Outbox(u32),
    Release(Stream, u32),
    /// A question of a collector: which one, of which generation, and its ticket.
    Collector(usize, u32, u32),
}

/// Whether the line stays reserved after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// The request leaves a transaction or a watch open.
    Keep,
    /// It does not.
    Free,
}

#[derive(Default)]
pub(super) struct Line {
    up: bool,
    in_flight: VecDeque<Owner>,
    waiting: VecDeque<(Owner, Request, Hold)>,
    held_by: Option<Owner>,
}

impl Line {
    pub fn is_up(&self) -> bool {
        self.up
    }

    pub fn connected(&mut self) {
        *self = Line { up: true, ..Line::default() };
    }

    /// Forgets everything; the stages are told by the caller.
    pub fn lost(&mut self) {
        *self = Line::default();
    }

    pub fn submit(&mut self, owner: Owner, request: Request, hold: Hold, actions: &mut Vec<Action>) {
        if !self.up {
            return;
        }
        if self.held_by.is_some_and(|holder| holder != owner) {
            self.waiting.push_back((owner, request, hold));
            return;
        }
        self.send(owner, request, hold, actions);
        while let Some((owner, request, hold)) = self.next_waiting() {
            self.send(owner, request, hold, actions);
        }
    }

    /// The first request that may be sent: where the line is held, the holder's.
    fn next_waiting(&mut self) -> Option<(Owner, Request, Hold)> {
        let may_go =
            |(owner, ..): &(Owner, Request, Hold)| self.held_by.is_none_or(|holder| holder == *owner);
        let first = self.waiting.iter().position(may_go)?;
        self.waiting.remove(first)
    }

    /// Whose replies have come: the oldest request's.
    pub fn completed(&mut self) -> Option<Owner> {
        self.in_flight.pop_front()
    }

    fn send(&mut self, owner: Owner, request: Request, hold: Hold, actions: &mut Vec<Action>) {
        self.held_by = (hold == Hold::Keep).then_some(owner);
        self.in_flight.push_back(owner);
        actions.push(Action::Redis(request));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::redis::cmd;

    fn request(word: &str) -> Request {
        let mut request = Request::new();
        request.push(&cmd(word));
        request
    }

    fn sent(actions: &[Action]) -> Vec<String> {
        let word = |action: &Action| match action {
            Action::Redis(request) => {
                String::from_utf8_lossy(request.bytes()).split("\r\n").nth(2).map(str::to_owned)
            }
            _ => None,
        };
        actions.iter().filter_map(word).collect()
    }

    #[test]
    fn nobody_writes_into_the_transaction_of_another() {
        let (mut line, mut actions) = (Line::default(), Vec::new());
        line.connected();
        line.submit(Owner::Flush(1), request("MULTI"), Hold::Keep, &mut actions);
        line.submit(Owner::Release(Stream::Metrics, 1), request("ZRANGE"), Hold::Free, &mut actions);
        line.submit(Owner::Outbox(1), request("ZADD"), Hold::Free, &mut actions);
        line.submit(Owner::Flush(1), request("HSET"), Hold::Keep, &mut actions);
        assert_eq!(sent(&actions), ["MULTI", "HSET"]);
        line.submit(Owner::Flush(1), request("EXEC"), Hold::Free, &mut actions);
        assert_eq!(sent(&actions), ["MULTI", "HSET", "EXEC", "ZRANGE", "ZADD"]);
        let owners: Vec<_> = std::iter::from_fn(|| line.completed()).collect();
        assert_eq!(owners[2..], [Owner::Flush(1), Owner::Release(Stream::Metrics, 1), Owner::Outbox(1)]);
    }

    #[test]
    fn a_waiting_transaction_holds_the_line_in_its_turn() {
        let (mut line, mut actions) = (Line::default(), Vec::new());
        line.connected();
        line.submit(Owner::Flush(1), request("MULTI"), Hold::Keep, &mut actions);
        line.submit(Owner::Release(Stream::Metrics, 1), request("WATCH"), Hold::Keep, &mut actions);
        line.submit(Owner::Outbox(1), request("ZADD"), Hold::Free, &mut actions);
        line.submit(Owner::Flush(1), request("EXEC"), Hold::Free, &mut actions);
        assert_eq!(sent(&actions), ["MULTI", "EXEC", "WATCH"]);
        line.submit(Owner::Release(Stream::Metrics, 1), request("UNWATCH"), Hold::Free, &mut actions);
        assert_eq!(sent(&actions), ["MULTI", "EXEC", "WATCH", "UNWATCH", "ZADD"]);
    }

    #[test]
    fn who_gives_up_while_waiting_does_not_keep_the_line() {
        let (mut line, mut actions) = (Line::default(), Vec::new());
        line.connected();
        line.submit(Owner::Outbox(1), request("MULTI"), Hold::Keep, &mut actions);
        line.submit(Owner::Flush(1), request("WATCH"), Hold::Keep, &mut actions);
        line.submit(Owner::Release(Stream::Logs, 1), request("ZCARD"), Hold::Free, &mut actions);
        line.submit(Owner::Flush(1), request("UNWATCH"), Hold::Free, &mut actions);
        line.submit(Owner::Outbox(1), request("EXEC"), Hold::Free, &mut actions);
        assert_eq!(sent(&actions), ["MULTI", "EXEC", "WATCH", "UNWATCH", "ZCARD"]);
    }
}
