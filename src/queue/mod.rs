//! The queues in Redis: their names, and the commands that claim, store, take, acknowledge and expire; and the
//! lease, which says whose turn it is. Where there is no Redis, [`embedded`] answers these commands out of a [`spool`].
//!
//! A queue is a pair of keys that applications and the agent write in one transaction: a sorted set of
//! record keys scored with Unix seconds, and a hash from record key to JSON. Everything here packs
//! commands or reads replies; what to do next is decided in [`crate::agent`].

mod claim;
pub mod embedded;
mod lease;
pub mod look;
mod reply;
pub mod spool;
mod stream;
mod wrapped;

pub use claim::{
    Survey, claim, discard, finish_claim, remove_first, return_to_raw, survey, values_size, watch_claim,
};
pub use lease::{
    LEASE, LeaseReply, give_back_lease, guard, guarded, lease_of, look_at_lease, renew_lease, renewed,
    take_lease,
};
pub use reply::{
    Listed, QueueError, claimed_now, claims_there, listed, queued, size_of, survey_of, transaction, values_of,
};
pub use stream::Stream;
pub use wrapped::{
    Entry, Records, Trace, acknowledge, acknowledge_without_memory, expired_keys, fitting, key_chunk,
    next_chunk_keys, queue_size, store, value_chunk,
};

/// The two keys of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// Sorted set: record key → Unix seconds.
    pub keys: &'static str,
    /// Hash: record key → JSON.
    pub values: &'static str,
}

/// What applications measured.
pub const RAW_METRICS: Queue =
    Queue { keys: "chouette:metrics:raw.keys", values: "chouette:metrics:raw.values" };

/// Raw metrics that the aggregator took for itself.
pub const CLAIMED_METRICS: Queue =
    Queue { keys: "chouette:metrics:claimed.keys", values: "chouette:metrics:claimed.values" };

/// Series ready to be released.
pub const WRAPPED_METRICS: Queue =
    Queue { keys: "chouette:metrics:wrapped.keys", values: "chouette:metrics:wrapped.values" };

/// Which points the intake has, as a list of packed batches; see [`crate::release::delivered`].
pub const DELIVERED_METRICS: &str = "chouette:metrics:delivered";

/// Distributions of DogStatsD ready to be released.
pub const WRAPPED_DISTRIBUTIONS: Queue =
    Queue { keys: "chouette:distributions:wrapped.keys", values: "chouette:distributions:wrapped.values" };

/// Events of DogStatsD ready to be released.
pub const WRAPPED_EVENTS: Queue =
    Queue { keys: "chouette:events:wrapped.keys", values: "chouette:events:wrapped.values" };

/// Service checks of DogStatsD ready to be released.
pub const WRAPPED_CHECKS: Queue =
    Queue { keys: "chouette:checks:wrapped.keys", values: "chouette:checks:wrapped.values" };

/// Log records ready to be released.
pub const WRAPPED_LOGS: Queue =
    Queue { keys: "chouette:logs:wrapped.keys", values: "chouette:logs:wrapped.values" };
