//! Bounds of the embedded queue. What they drop is counted under the reasons named here.

/// Bytes after which a file of the spool is complete and the next one begins; what is dropped for want of room on the
/// disk is dropped by the file.
pub const SEGMENT_BYTES: usize = 64 << 10;

/// Bytes of a file that are read. Only one transaction more than [`SEGMENT_BYTES`] is written; what is beyond this is
/// not ours.
pub const SEGMENT_FILE_BYTES_MAX: usize = 2 << 20;

/// Bytes of key and value of one record. A longer one is not kept, reason `too_large`.
pub const RECORD_BYTES_MAX: usize = 256 << 10;

/// What a record takes in memory beside its key and value, about.
pub const RECORD_OVERHEAD_BYTES: usize = 136;

/// The part of the memory bound at which the queue goes to disk: three of four. At the bound itself the oldest record
/// is dropped, reason `spool_memory_full`.
pub const MEMORY_NEAR: (usize, usize) = (3, 4);

/// What stays free of the disk and of its inodes: one of ten. Where less is free nothing is added to the disk.
pub const FREE_SHARE: u64 = 10;

/// How long a full disk is left alone.
pub const NO_ROOM_S: u64 = 60;

/// First and longest wait after a failure of the disk.
pub const DISK_BACKOFF_S: (f64, f64) = (0.2, 60.0);

/// How often the last word before the end is tried to be written.
pub const SAVE_TRIES: u32 = 3;

/// How long the disk may take over one operation; then what is in memory goes on without it.
pub const OPERATION_S: u64 = 30;

/// How long the child that writes waits for more before it ends.
pub const WRITER_IDLE_S: u64 = 2;

/// How long the end of the program waits for the last word to be on the disk. A container is given ten seconds, of which
/// what is in flight has five.
pub const SAVE_S: u64 = 4;

/// How long a directory is left alone that another agent has.
pub const DIRECTORY_RETRY_S: u64 = 2;

/// Bytes of one message between the agent and the child.
pub const MESSAGE_BYTES_MAX: usize = SEGMENT_FILE_BYTES_MAX + (64 << 10);

/// What a flash card writes at least.
pub const PAGE_BYTES: u64 = 4096;

const _: () = assert!(SEGMENT_BYTES + 4 * RECORD_BYTES_MAX < SEGMENT_FILE_BYTES_MAX);
