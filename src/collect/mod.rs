//! Collectors: what the agent reads itself. One file each, one row in [`PLUGINS`].

pub mod host;
