//! What the agent tells of itself.

/// Bytes of the document. A longer one, which there should never be, is not sent.
pub const DOCUMENT_BYTES_MAX: usize = 32 << 10;

/// Reasons of drops that are told apart; what was dropped for further ones is added up as `other`.
pub const REASONS_MAX: usize = 48;

/// Connections that have their answer and were not closed by those who asked. A further one is closed without an
/// answer,
pub const CONNECTIONS_MAX: usize = 8;

/// unless the oldest has had this time, in seconds: that one is let go then.
pub const HELD_S: u64 = 10;

/// Connections accepted before the loop looks at its other sources.
pub const ACCEPTS_PER_TURN: usize = 16;

/// How long the answer may take, in seconds; then the agent counts as one that does not answer.
pub const ANSWER_S: u64 = 5;

/// Seconds between two looks of `status --watch`.
pub const WATCH_EVERY_S: u64 = 2;

/// Minutes that are remembered.
pub const HOUR_MINUTES: usize = 60;

/// How long releases of a stream may fail before the pipeline counts as one that does not advance, in seconds,
pub const FAILING_S_MIN: u64 = 300;

/// or so many intervals, where that is longer.
pub const FAILING_INTERVALS: u32 = 3;
