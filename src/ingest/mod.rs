//! Raw bytes → `Sample`.
pub mod record;
