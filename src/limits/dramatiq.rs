//! The plugin `dramatiq`.

/// Most queues that are read; further ones are left out.
pub const QUEUES_MAX: usize = 1_000;

/// Keys that Redis looks at in one step.
pub const SCAN_COUNT: usize = 200;

/// Most steps of a reading: a database with more than a million keys is not searched to its end.
pub const SCAN_STEPS_MAX: usize = 5_000;

/// Longest name of a queue; one with a longer name is passed over.
pub const NAME_BYTES_MAX: usize = 200;
