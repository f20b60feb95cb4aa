//! What an intake's answer means for the batch that was sent.
//!
//! The statuses and what Datadog's own agent does with them:
//! <https://github.com/DataDog/datadog-agent/blob/main/comp/forwarder/defaultforwarder/transaction/transaction.go>.
//! Unlike it, a 403 keeps the data: a key that is corrected later must find it.

/// What becomes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Stored at the intake: acknowledge.
    Accepted,
    /// Something in the batch is unacceptable: split it until the culprit is alone.
    Split,
    /// The key is not accepted: keep everything, say it loudly.
    KeyRefused,
    /// Try again later.
    Retry,
}

/// The outcome of an HTTP status.
pub fn outcome(status: u16) -> Outcome {
    match status {
        200..=299 => Outcome::Accepted,
        400 | 413 => Outcome::Split,
        401 | 403 => Outcome::KeyRefused,
        _ => Outcome::Retry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_2xx_acknowledges_and_only_400_and_413_can_drop() {
        for status in 0..=999 {
            let expected = match status {
                200..=299 => Outcome::Accepted,
                400 | 413 => Outcome::Split,
                401 | 403 => Outcome::KeyRefused,
                _ => Outcome::Retry,
            };
            assert_eq!(outcome(status), expected, "{status}");
        }
        for status in [302, 404, 408, 429, 500, 502, 503, 504] {
            assert_eq!(outcome(status), Outcome::Retry, "{status}");
        }
    }
}
