//! Chouette-IoT: a metrics agent and system monitor for small boards, compatible with Datadog.
//!
//! # The line a datum travels
//!
//! ```text
//! application ─► Redis: raw queue ─► claimed ─► Sample ─► Bucket by Context ─► flush ─► Series
//!                                                                                         │
//! board ─► collector: Gauge ──────────────────────────────────────────────────────────────┤
//!                                                                                         ▼
//! Datadog ◄─ Payload ◄─ Batch ◄─────────────────────────────────────── Redis: wrapped queues
//!    └─ Outcome: acknowledged, split, or kept                                             ▲
//!                                                                      application: logs ──┘
//! ```
//!
//! # The map
//!
//! | module | what it is for |
//! |---|---|
//! | [`metric`] | the vocabulary: sample, context, tags, series, numbers, JSON text; imports nothing of ours |
//! | [`protocol`] | Redis, HTTP and addresses as pure codecs: bytes in, bytes out |
//! | [`ingest`] | raw bytes → sample, or why not |
//! | [`aggregate`] | samples → bucket → series, by one of the wrappers |
//! | [`collect`] | the plugins that read the board |
//! | [`queue`] | the queues in Redis: claim, store, take, acknowledge, expire; and the embedded one in its place |
//! | [`release`] | wrapped records → batch → payload → outcome; back-off |
//! | [`agent`] | what happens when: `(event, now)` → actions, without input or output |
//! | [`estimate`] | what a configuration sends a day, and what that costs on the link |
//! | [`runtime`] | the loop, sockets, processes, files and clocks |
//! | [`config`], [`cli`] | the table of variables, the command line |
//! | [`status`] | what the agent tells of itself to who asks, and how a person reads it |
//! | [`doctor`] | what the command of that name says: verdicts, lines, what to do |
//! | [`telemetry`], [`limits`] | what the agent counts about itself; every bound there is |
//!
//! # The rules
//!
//! 1. Only `runtime` and `main.rs` touch the world: mio, sockets, files, processes, signals, clocks.
//! 2. Imports point one way: `runtime` → `agent` → the stages (`ingest`, `aggregate`, `collect`, `queue`,
//!    `release`) → `protocol`, `metric`. Stages do not know each other. `tests/tidy.rs` checks both.
//! 3. Time is a parameter: an `Instant` for deadlines, Unix seconds for data, never mixed.
//! 4. Nothing in the loop waits, and what takes long is cut into slices.
//! 5. Bytes from outside never panic, and cost at most themselves. Everything has a bound in [`limits`],
//!    and what a bound drops is counted in [`telemetry`].
//! 6. A record leaves its queue only in the transaction that stores what became of it, or tells that it was
//!    dropped; a series or log only when Datadog has it.
//! 7. No secret in a log line, an error, an address or a process list.

pub mod agent;
pub mod aggregate;
pub mod cli;
pub mod collect;
pub mod config;
pub mod doctor;
pub mod estimate;
pub mod ingest;
pub mod limits;
pub mod metric;
pub mod protocol;
pub mod queue;
pub mod release;
pub mod runtime;
pub mod status;
pub mod telemetry;
