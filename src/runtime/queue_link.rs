//! What the loop needs of the place where the queues are: Redis ([`super::redis_link`]), or this process and its disk
//! ([`super::spool`]).

use std::time::Instant;

use mio::Registry;

use crate::agent::Stream;
use crate::protocol::redis::{Replies, Request};
use crate::queue::embedded::Report;
use crate::queue::spool::{Figures, Settings};

/// What a link reports.
#[derive(Debug)]
pub enum LinkEvent {
    /// Requests can be sent.
    Up,
    /// The connection is lost or was not made; an attempt follows by itself.
    Down(String),
    /// The replies to the oldest request.
    Replies(Replies),
    /// What the embedded queue has to tell.
    Report(Report),
}

/// A way to the queues. It owns the token it was made with and the next one.
pub trait QueueLink {
    /// Sends a request; while it is down that is dropped, which [`LinkEvent::Down`] has told.
    fn send(&mut self, request: &Request, now: Instant, events: &mut Vec<LinkEvent>);

    /// Goes on after readiness, at a deadline, or when [`QueueLink::has_more`] says so.
    fn drive(&mut self, registry: &Registry, now: Instant, events: &mut Vec<LinkEvent>);

    /// Whether there is something to do that no readiness will tell of.
    fn has_more(&self) -> bool;

    /// When [`QueueLink::drive`] is due at the latest.
    fn deadline(&self) -> Option<Instant>;

    /// Tells how a release went.
    fn released(&mut self, _stream: Stream, _is_delivered: bool, _now: Instant) {}

    /// What it holds, and its bounds, where that is known at once.
    fn held(&self) -> Option<(Figures, Settings)> {
        None
    }

    /// The end is near: what is in memory alone is to outlive the process. From the last word on there is little time.
    fn save(&mut self, _is_last: bool, _now: Instant) {}

    /// Whether it does, or never will.
    fn is_saved(&self, _now: Instant) -> bool {
        true
    }
}
