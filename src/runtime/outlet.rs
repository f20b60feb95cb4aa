//! One stream's way out: its intake, and the connection to it. Without anything to send there is none.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use mio::{Registry, Token};

use super::clock;
use super::http_client::{ExchangeLimits, HttpClient};
use super::setup::Intake;
use crate::agent::{Answer, Stream};
use crate::limits::{SLOWEST_LINK_BYTES_PER_S, TRANSFER_S_MAX};
use crate::protocol::http::{Response, RetryAfter};

/// Bytes of an answer that are kept for the log.
const EXCERPT_BYTES_MAX: usize = 512;

/// Stands where an answer repeats the key.
const MASK: &str = "***";

/// An answer, or why there is none.
pub type Outcome = Result<Answer, String>;

/// An intake and its client.
pub struct Outlet {
    intake: Intake,
    client: HttpClient,
    token: Token,
}

impl Outlet {
    /// Not connected; its tokens are `token` and the next one.
    pub fn new(intake: Intake, token: Token) -> Outlet {
        let client = HttpClient::new(intake.endpoint.clone(), token);
        Outlet { intake, client, token }
    }

    /// Goes on with another intake. True where a request was under way: its answer will not come.
    pub fn replace(&mut self, intake: Intake) -> bool {
        let was_sending = !self.client.is_idle();
        *self = Outlet::new(intake, self.token);
        was_sending
    }

    /// Sends a payload. Only an early failure is told here.
    pub fn post(&mut self, body: Vec<u8>, registry: &Registry, now: Instant) -> Option<Outcome> {
        let limits = limits_for(body.len());
        let started = self.client.start(self.intake.request(body), limits, registry, now);
        started.err().map(|failure| Err(self.intake.located(failure.to_string())))
    }

    /// Prints a body that is not sent, as one line. It waits for whoever reads it: a dry run has nothing else to do.
    ///
    /// # Errors
    /// Standard output cannot be written. A reader that has seen enough, as `head`, is no failure.
    pub fn show(&self, stream: Stream, mut text: Vec<u8>, compressed_bytes: usize) -> io::Result<()> {
        let (name, bytes, address) = (stream.name(), text.len(), self.intake.address());
        log::info!("dry run: {name}, {bytes} bytes, {compressed_bytes} compressed, not sent to {address}");
        make_one_line(&mut text);
        let mut stdout = io::stdout().lock();
        match stdout.write_all(&text).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }

    /// Goes on where the connection is ready or something is due.
    pub fn drive(&mut self, ready: bool, registry: &Registry) -> Option<Outcome> {
        let now = clock::now().mono;
        if !ready && self.deadline().is_none_or(|at| at > now) {
            return None;
        }
        let result = self.client.ready(registry, now)?;
        let answered = result.map(|response| answer_of(response, &self.secrets()));
        Some(answered.map_err(|failure| self.intake.located(failure.to_string())))
    }

    /// What each request carries and no log may show.
    fn secrets(&self) -> Vec<String> {
        let headers = self.intake.request(Vec::new()).headers;
        headers.into_iter().filter(|(name, _)| *name == "DD-API-KEY").map(|(_, value)| value).collect()
    }

    /// When [`Outlet::drive`] is due at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        self.client.deadline()
    }
}

/// The kernel takes a body at once, however slow the link is: what it needs on the slowest link that is
/// reckoned with comes on top, so that a large batch on a poor link arrives instead of being cut off and
/// sent again and again.
fn limits_for(body_bytes: usize) -> ExchangeLimits {
    let transfer_s = (body_bytes as u64 / SLOWEST_LINK_BYTES_PER_S).min(TRANSFER_S_MAX);
    let limits = ExchangeLimits::default();
    ExchangeLimits {
        reused_first_byte_s: limits.reused_first_byte_s + transfer_s,
        total_s: limits.total_s + transfer_s,
        ..limits
    }
}

/// Ends JSON with a line break, its only one. Those that an application has put between the tokens of a log become
/// blanks; inside a string there are none.
fn make_one_line(text: &mut Vec<u8>) {
    text.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    text.push(b'\n');
}

fn answer_of(response: Response, secrets: &[String]) -> Answer {
    let now_s = clock::now().wall_s;
    let retry_after = response.retry_after.map(|retry| match retry {
        RetryAfter::Seconds(seconds) => Duration::from_secs(seconds),
        RetryAfter::Date(at_s) => {
            // By the peer's own clock where it tells it: ours may be wrong.
            let now_s = response.date.map_or(now_s, |date| date as f64);
            Duration::from_secs_f64((at_s as f64 - now_s).clamp(0.0, 86_400.0))
        }
    });
    Answer { status: response.status, retry_after, excerpt: excerpt(&response.body, secrets) }
}

/// The beginning of a body. Whoever answers may repeat what it was sent; that is masked before anything is cut, so
/// that no part of it is left at the end.
fn excerpt(body: &[u8], secrets: &[String]) -> String {
    let mut text = String::from_utf8_lossy(body).into_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret.as_str(), MASK);
    }
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = ends.take_while(|end| *end <= EXCERPT_BYTES_MAX).last().unwrap_or_default();
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_body_gets_the_time_a_slow_link_needs() {
        let usual = ExchangeLimits::default();
        assert_eq!(limits_for(1_000), usual, "what fits a moment");
        let body_bytes = usize::try_from(50 * SLOWEST_LINK_BYTES_PER_S).unwrap();
        assert_eq!(limits_for(body_bytes).total_s, usual.total_s + 50);
        assert_eq!(limits_for(body_bytes).reused_first_byte_s, usual.reused_first_byte_s + 50);
        assert_eq!(limits_for(usize::MAX).total_s, usual.total_s + TRANSFER_S_MAX);
    }

    #[test]
    fn a_body_is_shown_on_one_line() {
        let mut text = b"[{\"message\":{\r\n\"a\":\"\\n\"}}]".to_vec();
        make_one_line(&mut text);
        assert_eq!(text, b"[{\"message\":{  \"a\":\"\\n\"}}]\n");
    }

    #[test]
    fn an_excerpt_shows_no_secret_not_even_a_part() {
        let secrets = ["s3cret".to_owned(), String::new()];
        assert_eq!(excerpt(b"key s3cret, s3cret: unknown", &secrets), "key ***, ***: unknown");
        let long = format!("{}s3cret", "x".repeat(EXCERPT_BYTES_MAX - 3));
        assert_eq!(excerpt(long.as_bytes(), &secrets), "x".repeat(EXCERPT_BYTES_MAX - 3) + MASK);
        assert_eq!(excerpt("ü".repeat(1000).as_bytes(), &[]).len(), EXCERPT_BYTES_MAX);
        assert_eq!(excerpt(b"\xff!", &[]), "\u{FFFD}!");
    }
}
