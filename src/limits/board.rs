//! The plugin `board`.

/// Most sensors, zones, cooling devices, clocks, disks or interfaces of one kind that are looked at; further ones are
/// left out, and the error says so.
pub const ENTRIES_MAX: usize = 256;

/// Most characters of a name that goes into a tag; what is beyond is cut off.
pub const NAME_CHARS_MAX: usize = 64;

/// Most containers that are read; further ones are left out, and the error says so.
pub const CONTAINERS_MAX: usize = 128;

/// Most control groups that are searched for containers; the others are left out, and the error says so.
pub const GROUPS_MAX: usize = 512;

/// How deep below the root of the control groups containers are searched for. Those of a user stand at 5.
pub const DEPTH_MAX: usize = 8;
