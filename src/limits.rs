//! Every bound in the program, what happens at it, and what counts the loss.
//!
//! A bound that is reached costs what its comment says and nothing else; what is dropped is counted in
//! [`crate::telemetry`] under the reason named here.

/// Keys read from a queue at a time. One chunk of values is held in memory while it is parsed.
pub const CHUNK_KEYS: usize = 500;

/// Estimated memory of the accumulators of one bucket. Beyond it what was read so far is committed as a
/// part of the bucket: sums stay exact, a gauge or histogram of that bucket gets more than one point.
pub const BUCKET_BYTES_MAX: usize = 12 << 20;

/// Contexts in one bucket; the same rule as [`BUCKET_BYTES_MAX`].
pub const BUCKET_CONTEXTS_MAX: usize = 20_000;

/// Series that one command of a transaction stores; a transaction is written piece by piece, each after
/// the replies to the one before.
pub const STORE_SERIES_MAX: usize = 250;

/// Readings and self-metrics waiting for Redis. The oldest is dropped, reason `outbox_full`.
pub const OUTBOX_SERIES_MAX: usize = 5_000;

/// Readings waiting for a believable clock. The oldest is dropped, reason `clock`.
pub const UNSTAMPED_MAX: usize = 2_000;

/// Bytes of wrapped records merged into one batch; what is left waits for the next batch.
pub const BATCH_BYTES_MAX: usize = 2 << 20;

/// Keys removed by one acknowledging transaction (more where a single series has more).
pub const ACKNOWLEDGE_KEYS_MAX: usize = 1_000;

/// Series written into the compressor in one slice of work.
pub const PAYLOAD_SERIES_PER_SLICE: usize = 200;

/// Entries in one request of logs; Datadog's own bound.
pub const LOG_ENTRIES_MAX: usize = 1_000;

/// Bytes of one request of logs before compression, below Datadog's 5 MB; what is left waits for the next one.
pub const LOG_BODY_BYTES_MAX: usize = 4_000_000;

/// Bytes of one log entry; Datadog's own bound. The longest fields of a longer one are cut, reason
/// `log_truncated`; where that is not enough it is dropped, reason `log_too_large`.
pub const LOG_ENTRY_BYTES_MAX: usize = 1_000_000;

/// A field of a log that is no longer than this is not cut.
pub const LOG_FIELD_BYTES_UNCUT: usize = 1_000;

/// Bytes of a log record in Redis. A longer one is dropped unread, reason `log_too_large`.
pub const LOG_RECORD_BYTES_MAX: usize = 8 << 20;

/// Fields of a log record. One with more is dropped, reason `log_too_large`.
pub const LOG_FIELDS_MAX: usize = 4_096;

/// Bytes of log records read at a time; a single longer one is read alone.
pub const LOG_CHUNK_BYTES_MAX: usize = 1 << 20;

/// Bytes of a body compressed in one slice of work.
pub const PAYLOAD_BYTES_PER_SLICE: usize = 64 << 10;

/// Datadog's bound on an uncompressed metrics payload.
pub const INTAKE_RAW_BYTES_MAX: usize = 62_914_560;

/// Datadog's bound on a compressed metrics payload.
pub const INTAKE_COMPRESSED_BYTES_MAX: usize = 3_200_000;

/// How long after its end a bucket is flushed, so that what was written last is there.
pub const FLUSH_DELAY_S: u32 = 1;

/// How long SIGTERM waits for what is in flight.
pub const SHUTDOWN_S: u64 = 5;

/// How long `run --once` waits for Redis.
pub const ONCE_REDIS_S: u64 = 10;

/// First and longest wait between two attempts at a release.
pub const RELEASE_BACKOFF_S: (f64, f64) = (2.0, 64.0);

/// First and longest wait between two attempts to reach Redis.
pub const REDIS_BACKOFF_S: (f64, f64) = (0.5, 16.0);

/// The longest wait a `Retry-After` can ask for.
pub const RETRY_AFTER_MAX_S: f64 = 600.0;

/// How long Redis may take over the replies to one request.
pub const REDIS_REPLY_S: u64 = 20;

/// The same warning is shown at most once in this time.
pub const WARN_EVERY_S: u64 = 300;

/// A difference between the clocks that counts as a step of the wall clock.
pub const CLOCK_STEP_S: f64 = 1.0;

/// Shortest and longest wait before the first release after the start.
pub const FIRST_RELEASE_S: (f64, f64) = (1.0, 10.0);

/// Sizes of the wrapped queue kept until they are sent. Later ones are left out.
pub const QUEUE_SIZES_MAX: usize = 60;

const _: () = assert!(BATCH_BYTES_MAX * 2 < INTAKE_RAW_BYTES_MAX);
const _: () = assert!(LOG_ENTRY_BYTES_MAX + 2 <= LOG_BODY_BYTES_MAX);
const _: () = assert!(STORE_SERIES_MAX <= OUTBOX_SERIES_MAX);

/// Bytes read from Redis before the loop looks at its other sources.
pub const REDIS_READ_BYTES_PER_TURN: usize = 256 << 10;

/// Exchanges of one collector that wait for a free connection; more are refused.
pub const PLUGIN_QUESTIONS_MAX: usize = 1_024;

/// First and longest wait before a collector's program that ended is started again.
pub const PROGRAM_BACKOFF_S: (f64, f64) = (1.0, 60.0);

/// Longest line of a program's output; the rest of a longer one is dropped.
pub const PROGRAM_LINE_BYTES_MAX: usize = 8 << 10;

/// Output of a program read before the loop looks at its other sources.
pub const PROGRAM_BYTES_PER_TURN: usize = 64 << 10;

/// Output of a program between two readings; one that prints more is started anew, after a wait.
pub const PROGRAM_OUTPUT_BYTES_MAX: usize = 1 << 20;
