//! Bounds of `chouette-iot doctor`, beyond which it asks no further or says less.

/// Seconds that a check may take; one that takes longer has failed.
pub const CHECK_S: u64 = 10;

/// Characters of what a server says that a line shows; the rest is left out.
pub const FOREIGN_CHARS_MAX: usize = 200;

/// Bytes of an answer to the question for the key; a longer one is no answer to it.
pub const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Days before the end of a certificate from which on it is told of.
pub const CERTIFICATE_DAYS: u64 = 14;

/// How far the clock may be off before that is told of, in seconds.
pub const CLOCK_OFF_S: u64 = 10;

/// How far ahead and how far behind the intake accepts, in seconds: what is outside is lost, or stored only where
/// Historical Metrics is switched on (<https://docs.datadoghq.com/metrics/custom_metrics/historical_metrics/>).
pub const CLOCK_WRONG_S: (i64, i64) = (600, 3_600);

/// Intervals after which what waits in a queue should have been taken.
pub const WAITING_INTERVALS: f64 = 4.0;

/// Open files that are enough for the agent with all its plugins.
pub const OPEN_FILES_NEEDED: u64 = 128;
