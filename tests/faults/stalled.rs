//! Whatever the network does, the loop goes on: measured by a probe inside it.
//!
//! Each fault gets a network namespace, a Redis, an intake and an agent of its own ([`scene`]). While it lasts, counts
//! go on being written and aggregated and the board goes on being read; when it is over, all of it arrives, each count
//! once; and from start to end no timer was late by more than 50 ms on the agent's own account.

mod everything;
mod gate;
mod links;
mod plugins;
mod redis;
mod scene;
mod spool;
mod stderr;
