//! Bounds of what is written to reckon up a day of a configuration.

/// Records; of more, every so-many-th series stands for all. Nothing is lost by it that would be counted.
pub const RECORDS_MAX: usize = 10_000;

/// Releases, where intervals do not divide each other; as many stand for all.
pub const RELEASES_MAX: u64 = 60;
