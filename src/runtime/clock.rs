//! The only place that asks what time it is.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::agent::Now;

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
