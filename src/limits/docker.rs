//! The plugin `docker`.

/// Most containers that are read; further ones are left out.
pub const CONTAINERS_MAX: usize = 256;

/// Exchanges under way at once.
pub const PARALLEL: usize = 4;

/// After so many exchanges without an answer, no more containers are asked for in a reading.
pub const SILENCES_MAX: usize = 4;

/// Largest list of containers that is read.
pub const LIST_BYTES_MAX: usize = 4 << 20;

/// Largest statistics of one container that are read.
pub const STATS_BYTES_MAX: usize = 256 << 10;

/// Most characters of a container's name or identifier.
pub const NAME_CHARS_MAX: usize = 200;
