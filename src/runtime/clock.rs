//! The only place that asks what time it is.

use std::io;
use std::mem::MaybeUninit;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::agent::Now;
use nix::libc::{adjtimex, timex};

/// When this binary was built, Unix seconds. A clock behind it has not been set.
pub const BUILD_EPOCH_S: &str = env!("CHOUETTE_BUILD_EPOCH_S");

/// Both clocks. A wall clock before 1970 reads as 1970.
pub fn now() -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { mono: Instant::now(), wall_s: wall.as_secs_f64() }
}

/// [`BUILD_EPOCH_S`] as a number.
pub fn build_epoch_s() -> f64 {
    BUILD_EPOCH_S.parse().unwrap_or_default()
}

/// Most that the kernel takes its clock to be wrong, in microseconds: what is set from outside grows by 500 ppm, and
/// at 16 seconds nothing keeps the clock right. Nothing is changed, and no right is needed.
///
/// # Errors
/// What the kernel says; a filter of system calls may forbid the question.
// The only call of its kind: `nix` has no wrapper for it.
#[expect(unsafe_code, reason = "no crate that is there wraps adjtimex")]
pub fn error_us() -> io::Result<u64> {
    let mut state = MaybeUninit::<timex>::zeroed();
    // SAFETY: it is a structure of numbers, for which zeros are valid, and `modes`, being zero, asks for no change.
    let (outcome, state) = unsafe { (adjtimex(state.as_mut_ptr()), state.assume_init()) };
    if outcome < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(u64::try_from(state.maxerror).unwrap_or(u64::MAX))
}
