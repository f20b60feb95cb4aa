//! Every bound in the program, what happens at it, and what counts the loss.
//!
//! A bound that is reached costs what its comment says and nothing else; what is dropped is counted in
//! [`crate::telemetry`] under the reason named here.

/// Keys read from a queue at a time. One chunk of values is held in memory while it is parsed.
pub const CHUNK_KEYS: usize = 500;

/// Bytes of record keys after which a request ends: keys may be of any length.
pub const REQUEST_KEY_BYTES_MAX: usize = 256 << 10;

/// Bytes of the keys of one batch; what is left waits for the next one.
pub const BATCH_KEY_BYTES_MAX: usize = 4 << 20;

/// How many values the first chunk asks for: how long they are is not known yet.
pub const FIRST_CHUNK_KEYS: usize = 50;

/// Estimated memory of the accumulators of one bucket. Beyond it what was read so far is committed as a
/// part of the bucket: sums stay exact, a gauge or histogram of that bucket gets more than one point.
pub const BUCKET_BYTES_MAX: usize = 12 << 20;

/// Contexts in one bucket; the same rule as [`BUCKET_BYTES_MAX`].
pub const BUCKET_CONTEXTS_MAX: usize = 20_000;

/// Series that one command of a transaction stores; a transaction is written piece by piece, each after
/// the replies to the one before.
pub const STORE_SERIES_MAX: usize = 250;

/// Bytes of records after which a piece of a transaction ends: of series to be stored, or of records put
/// back into the raw queue.
pub const STORE_BYTES_MAX: usize = 1 << 20;

/// How far the timestamp of a record may be from its score, in seconds; one that is further off is taken for wrong,
/// and the score for right. A day: clients with a clock in another time zone are let be.
pub const STAMP_OFF_S_MAX: f64 = 86_400.0;

/// Percentiles of a histogram.
pub const PERCENTILES_MAX: usize = 100;

/// Bytes of the file of rules; a longer one is a mistake in the configuration.
pub const RULES_FILE_BYTES_MAX: usize = 64 << 10;

/// Rules in that file; more are a mistake in the configuration, too.
pub const RULES_MAX: usize = 256;

/// Stars in the pattern of a rule: `$1` to `$9`. More are a mistake.
pub const RULE_STARS_MAX: usize = 9;

/// Bytes of the name that a rule gives, before stars are filled in. A longer one is a mistake. A metric whose new name
/// would get longer than [`NAME_BYTES_MAX`] keeps its own.
pub const RENAME_BYTES_MAX: usize = 200;

/// Names for which is remembered what the rules make of them. Beyond it all are forgotten, and matched anew.
pub const RULED_NAMES_MAX: usize = 1_024;

/// Bytes of such a name and of its new one; what is longer is matched each time.
pub const RULED_NAME_BYTES_MAX: usize = 512;

/// Canonical tags of one record; a record with more is dropped, reason `too_large`.
pub const TAGS_BYTES_MAX: usize = 16 << 10;

/// Bytes of a record that is remembered as a template for those to come; one with more is read anew each time.
pub const TEMPLATE_BYTES_MAX: usize = 1 << 10;

/// Templates that are remembered; another one takes the place of an older.
pub const TEMPLATES_MAX: usize = 1 << 10;

/// Bytes of all templates; at the bound all are forgotten, and learned again.
pub const TEMPLATES_BYTES_MAX: usize = 256 << 10;

/// Readings and self-metrics waiting for Redis. The oldest is dropped, reason `outbox_full`.
pub const OUTBOX_SERIES_MAX: usize = 5_000;

/// Bytes of distributions that wait for Redis, and of events, and of service checks. The oldest is dropped, reason
/// `outbox_full`.
pub const OUTBOX_BYTES_MAX: usize = 1 << 20;

/// Readings waiting for a believable clock. The oldest is dropped, reason `clock`.
pub const UNSTAMPED_MAX: usize = 2_000;

/// Bytes of wrapped records merged into one batch; what is left waits for the next batch.
pub const BATCH_BYTES_MAX: usize = 2 << 20;

/// Delivered points of counts and rates that are remembered; the oldest are forgotten.
pub const DELIVERED_POINTS_MAX: usize = 4_096;

/// How many seconds a late point is moved at most.
pub const SECONDS_MOVED_MAX: i64 = 600;

/// Keys removed by one acknowledging transaction (more where a single series has more).
pub const ACKNOWLEDGE_KEYS_MAX: usize = 1_000;

/// Age at which an unsent service check is dropped, in seconds: the intake takes no older ones. Reason `expired`.
pub const CHECK_TTL_S: u32 = 600;

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

/// Bytes of a body compressed in one slice of work, before compression.
pub const PAYLOAD_BYTES_PER_SLICE: usize = 8 << 10;

/// Datadog's bound on an uncompressed metrics payload.
pub const INTAKE_RAW_BYTES_MAX: usize = 62_914_560;

/// Datadog's bound on a compressed metrics payload.
pub const INTAKE_COMPRESSED_BYTES_MAX: usize = 3_200_000;

/// How long after its end a bucket is flushed, so that what was written last is there.
pub const FLUSH_DELAY_S: u32 = 1;

/// How long SIGTERM waits for what is in flight.
pub const SHUTDOWN_S: u64 = 5;

/// How long `run --once` waits for Redis, and readings for its word on whether the clock is behind it.
pub const ONCE_REDIS_S: u64 = 10;

/// First and longest wait between two attempts at a release.
pub const RELEASE_BACKOFF_S: (f64, f64) = (2.0, 64.0);

/// First and longest wait between two attempts to reach Redis.
pub const REDIS_BACKOFF_S: (f64, f64) = (0.5, 16.0);

/// The longest wait a `Retry-After` can ask for.
pub const RETRY_AFTER_MAX_S: f64 = 600.0;

/// How long Redis may take over the replies to one request.
pub const REDIS_REPLY_S: u64 = 20;

/// Texts of warnings that are remembered for a topic; the oldest is forgotten.
pub const WARNINGS_PER_TOPIC_MAX: usize = 8;

/// The same warning is shown at most once in this time.
pub const WARN_EVERY_S: u64 = 300;

/// A difference between the clocks that counts as a step of the wall clock.
pub const CLOCK_STEP_S: f64 = 1.0;

/// How many intervals the lease on Redis lasts: where its holder is gone, another agent takes it at the end of its
/// second interval at the latest.
pub const LEASE_INTERVALS: f64 = 1.5;

/// The shortest lease, in seconds: the longest transaction on a slow board has to fit.
pub const LEASE_S_MIN: f64 = 3.0;

/// How far the clock has to be behind what Redis holds for readings to wait until it is set, in seconds.
pub const CLOCK_BEHIND_S: f64 = 60.0;

/// What is further ahead than this says nothing: it was stamped by a wrong clock itself. A week, in seconds.
pub const CLOCK_BEHIND_S_MAX: f64 = 604_800.0;

/// How long such a clock is doubted where nobody sets it, in seconds.
pub const CLOCK_DOUBTED_S: u64 = 600;

/// What a `Retry-After` is prolonged by at most, as a share of it and in seconds: it is told to a whole fleet.
pub const RETRY_AFTER_JITTER: (f64, f64) = (0.25, 15.0);

/// Shortest and longest wait before the first release after the start.
pub const FIRST_RELEASE_S: (f64, f64) = (1.0, 10.0);

/// Sizes of the wrapped queue kept until they are sent. Later ones are left out.
pub const QUEUE_SIZES_MAX: usize = 60;

const _: () = assert!(BATCH_BYTES_MAX * 2 < INTAKE_RAW_BYTES_MAX);
const _: () = assert!(BATCH_BYTES_MAX < INTAKE_COMPRESSED_BYTES_MAX);
const _: () = assert!(LOG_ENTRY_BYTES_MAX + 2 <= LOG_BODY_BYTES_MAX);
const _: () = assert!(STORE_SERIES_MAX <= OUTBOX_SERIES_MAX);

/// Buffers of requests and replies that are kept to be used again.
pub const SPARE_BUFFERS_MAX: usize = 6;

/// Bytes of a buffer that is kept; a larger one is given back at once.
pub const SPARE_BUFFER_BYTES_MAX: usize = 128 << 10;

/// Bytes read from Redis before the loop looks at its other sources.
pub const REDIS_READ_BYTES_PER_TURN: usize = 64 << 10;

/// Bytes of strings in one reply of Redis that are read; what is beyond that is passed over and asked for again.
pub const REPLY_BYTES_MAX: usize = 1 << 20;

/// Longest line in a reply of Redis; a longer one costs the connection.
pub const REPLY_LINE_BYTES_MAX: usize = 64 << 10;

/// Most elements of an array in a reply of Redis, and how deep arrays may stand in each other; what is beyond that
/// costs the connection.
pub const REPLY_ELEMENTS_MAX: usize = 1 << 20;

/// See [`REPLY_ELEMENTS_MAX`].
pub const REPLY_DEPTH_MAX: usize = 8;

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

// Raw records

/// Longest record that is read; a longer one is refused unseen.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// Longest name of a metric, and longest type, unescaped. Datadog takes 200 characters.
pub const NAME_BYTES_MAX: usize = 4096;

/// Most tags of one record.
pub const TAGS_MAX: usize = 1024;

/// Deepest nesting of lists and objects inside the value of one tag.
pub const TAG_NESTING_MAX: usize = 32;

/// What each scratch buffer keeps from one record to the next; what an unusual one needed more is given back.
pub const SCRATCH_BYTES_KEPT: usize = 64 << 10;

// Redis, HTTP and addresses

/// Most bytes that the head of an answer may have.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Most bytes that the body of an answer may have where the caller names no other bound.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Most bytes of an address.
pub const URL_BYTES_MAX: usize = 2048;

/// Most bytes of a host name, as in DNS.
pub const HOST_BYTES_MAX: usize = 253;

// The board

/// Most interfaces that are read; further ones are left out, and the error says so.
pub const INTERFACES_MAX: usize = 256;

/// Most characters of a bad value that an error repeats.
pub const VALUE_CHARS_MAX: usize = 40;

/// Most mount points of one device that are kept: the shortest ones.
pub const MOUNT_POINTS_TRIED_MAX: usize = 4;

/// Longest mount point that is looked at; the kernel takes no longer path.
pub const MOUNT_POINT_BYTES_MAX: usize = 4096;

/// Most devices that are read; further ones are left out, and the error says so.
pub const DEVICES_MAX: usize = 64;

/// Largest file that is read; a larger one is an error, since half a file can mean the opposite.
pub const BOARD_FILE_BYTES_MAX: u64 = 1 << 20;

pub mod board;

pub mod docker;

pub mod doctor;

pub mod dogstatsd;

pub mod dramatiq;

pub mod estimate;

pub mod k8s;

pub mod spool;

pub mod status;

pub mod tegrastats;

/// Most problems that one error of a collector spells out; further ones are only counted.
pub const PROBLEMS_MAX: usize = 8;

/// Most characters of one problem that are kept.
pub const PROBLEM_CHARS_MAX: usize = 200;

/// Most names in a directory that is listed; a larger one is an error for the same reason.
pub const LIST_NAMES_MAX: usize = 4096;

// Connections and children

/// The slowest link reckoned with, in bytes a second: a poor GPRS connection.
pub const SLOWEST_LINK_BYTES_PER_S: u64 = 4_000;

/// The longest time that is added to an exchange for the transfer of its body, in seconds.
pub const TRANSFER_S_MAX: u64 = 120;

/// Seconds for a connect to the last address left.
pub const CONNECT_S: u64 = 10;

/// Seconds for a connect while another address is left to try.
pub const CONNECT_WITH_ALTERNATIVE_S: u64 = 4;

/// Seconds for the answer of a proxy.
pub const PROXY_S: u64 = 10;

/// Seconds for the TLS handshake.
pub const TLS_S: u64 = 10;

/// Most bytes that a connection keeps for later.
pub const SEND_QUEUE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Most plaintext that is encrypted ahead of the socket: four records of the largest size.
pub const TLS_WRITE_BYTES: usize = 64 * 1024;

/// Most bytes that are received in one turn of the loop.
pub const RECEIVE_BUDGET_BYTES: usize = 64 * 1024;

/// Most bytes that are sent in one turn of the loop, even where the network is faster.
pub const SEND_BUDGET_BYTES: usize = 256 * 1024;

/// Seconds that a look-up may take.
pub const RESOLVE_S: u64 = 10;

/// Most addresses that are kept of an answer.
pub const ADDRESSES_MAX: usize = 16;

/// Most bytes that an answer of the child may have.
pub const RESOLVER_ANSWER_BYTES_MAX: usize = 4096;

/// Most bytes that a proxy's answer may have.
pub const PROXY_ANSWER_BYTES_MAX: usize = 8 * 1024;

/// Sessions remembered by one configuration.
pub const TLS_SESSIONS_MAX: usize = 8;

/// Most bytes that a PEM file may have; a distribution's bundle has a quarter of it.
pub const PEM_BYTES_MAX: u64 = 1024 * 1024;

/// Most children that may be dead to us but not to the kernel; beyond it no child is started.
pub const UNREAPED_CHILDREN_MAX: usize = 32;

// The service manager

/// Messages kept for a manager that has no room for them at the moment; further ones are dropped.
pub const NOTIFICATIONS_MAX: usize = 8;

/// After how long such a message is tried again.
pub const NOTIFICATION_RETRY_S: u64 = 1;

/// Most characters of the result of a release that the manager is shown.
pub const STATUS_CHARS_MAX: usize = 200;

/// Flush intervals that may pass without a flush, or without a reply of a Redis that is connected, before the
/// watchdog is not fed any more,
pub const WATCHDOG_INTERVALS: u32 = 3;

/// and the time on top: a large reply over a slow link may take as long.
pub const WATCHDOG_GRACE_S: u64 = 120;

const _: () = assert!(WATCHDOG_GRACE_S > REDIS_REPLY_S);

/// Bytes of the message of a log line; a longer one is cut. With what stands before it, it fits the page that a pipe
/// has free at least where it says that it can be written to.
pub const LOG_MESSAGE_BYTES_MAX: usize = 3_800;

// A piece of a transaction goes beyond its bound by one context at most, and still fits the send queue.
const _: () = assert!(
    STORE_BYTES_MAX + (PERCENTILES_MAX + 6) * (TAGS_BYTES_MAX + NAME_BYTES_MAX + 256) < SEND_QUEUE_BYTES_MAX
);
const _: () = assert!(STORE_BYTES_MAX + RECORD_BYTES_MAX < SEND_QUEUE_BYTES_MAX);
// A key stands twice in the request that removes it, and one that is longer than the bound stands alone.
const _: () = assert!(2 * REPLY_BYTES_MAX < SEND_QUEUE_BYTES_MAX);
const _: () = assert!(dogstatsd::POINTS_WAITING_MAX < OUTBOX_SERIES_MAX);
const _: () = assert!(dogstatsd::SERIES_WAITING + STORE_SERIES_MAX < OUTBOX_SERIES_MAX);
