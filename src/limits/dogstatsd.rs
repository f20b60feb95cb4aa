//! DogStatsD.

/// Bytes received of a datagram, as Datadog's own agent has it. The last message of a longer one is lost, counted as
/// bad, reason `cut`.
pub const DATAGRAM_BYTES_MAX: usize = 8 << 10;

/// Datagrams received by one call.
pub const DATAGRAMS_PER_CALL: usize = 32;

/// Calls before the loop looks at its other sources, and
pub const CALLS_PER_TURN: usize = 4;

/// bytes after which it does so sooner: large datagrams hold many messages.
pub const BYTES_PER_TURN: usize = 64 << 10;

/// Datagrams at once from which on a socket is looked at by the clock, instead of at each datagram that wakes the
/// program, and
pub const BUSY_DATAGRAMS: usize = 16;

/// how often: the smallest buffers of a kernel hold 500 small datagrams.
pub const BUSY_LOOK_MS: u64 = 1;

/// Bytes of datagrams that the kernel is asked to keep for a socket, unless it allows fewer. What is beyond that is
/// lost, counted as `chouette.dogstatsd.kernel_drops`.
pub const KERNEL_BYTES: usize = 2 << 20;

/// Intervals that wait for a believable clock. The oldest is dropped, reason `clock`.
pub const UNSTAMPED_INTERVALS_MAX: usize = 60;

/// Contexts of an interval that is over made into series in one slice of work.
pub const CONTEXTS_PER_SLICE: usize = 200;

/// Series that wait for Redis beyond which no more are made, as long as Redis takes them.
pub const SERIES_WAITING: usize = 500;

/// Timestamped points that wait for Redis; a new one is dropped beyond it, reason `outbox_full`.
pub const POINTS_WAITING_MAX: usize = 4_000;

/// How often one value of a sampled distribution is sent at most; what it stands for beyond that is counted as dropped,
/// reason `dogstatsd_weight`.
pub const WEIGHT_MAX: u32 = 1_000;

/// Values of a distribution in one record; more go in further ones.
pub const VALUES_PER_RECORD: usize = 2_000;

/// Events and service checks that wait for a believable clock. The oldest is dropped, reason `clock`.
pub const RECORDS_UNSTAMPED_MAX: usize = 100;

/// Metrics watched for the one that has most contexts beyond the bound; which one is exact where it has more of them
/// than one in this many.
pub const OFFENDERS_MAX: usize = 16;

/// How often that one is named, in seconds.
pub const OFFENDER_EVERY_S: u64 = 60;

/// Bytes of a bad message that a warning shows.
pub const SHOWN_BYTES_MAX: usize = 100;
