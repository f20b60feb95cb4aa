//! Chouette-IoT: a metrics agent and system monitor for small boards.
pub mod agent;
pub mod aggregate;
pub mod cli;
pub mod collect;
pub mod config;
pub mod ingest;
pub mod limits;
pub mod metric;
pub mod protocol;
pub mod queue;
pub mod release;
pub mod runtime;
pub mod telemetry;
