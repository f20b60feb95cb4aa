//! Raw bytes → `Sample`.
//!
//! An application leaves a JSON object in the raw queue for each reading; [`record::RecordParser`] turns it
//! into a [`crate::metric::Sample`], or says why it cannot be one. [`dogstatsd`] reads the datagrams of applications
//! that speak that protocol.

pub mod dogstatsd;
pub mod record;

mod error;
#[cfg(test)]
mod hostile;
mod python;
mod set;
mod template;
#[cfg(test)]
mod tests;
