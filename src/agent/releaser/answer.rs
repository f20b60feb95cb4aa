//! What an answer of the intake does to the batch it answers.

use std::time::Duration;

use super::{Releaser, State, Then};
use crate::agent::cx::Cx;
use crate::agent::removal::Why;
use crate::agent::{Action, Answer};
use crate::limits::{RETRY_AFTER_JITTER, RETRY_AFTER_MAX_S};
use crate::release::{Outcome, Payload, Random, outcome};

impl Releaser {
    /// The intake answered, or did not.
    pub fn answered(&mut self, answer: Result<Answer, String>, cx: &mut Cx<'_>) {
        let State::Sending { payload, since, acknowledges } = std::mem::replace(&mut self.state, State::Idle)
        else {
            return;
        };
        self.history.answered(self.stream, &payload, &answer, cx);
        let took = cx.now.mono.saturating_duration_since(since);
        let answer = match answer {
            Ok(answer) => answer,
            Err(reason) => return self.keep(&payload, &reason, None, cx),
        };
        match outcome(answer.status) {
            Outcome::Accepted => {
                self.accepted(&payload, took, cx);
                if acknowledges {
                    self.remove(payload.keys, Why::Delivered(payload.delivers), Then::NextPart, cx);
                } else {
                    self.give_up();
                }
            }
            Outcome::Split if !acknowledges => self.give_up(),
            Outcome::Split => self.split(payload, &answer, cx),
            Outcome::KeyRefused => {
                let text = format!("the API key was refused (status {}): check API_KEY", answer.status);
                self.keep(&payload, &text, answer.retry_after, cx);
            }
            Outcome::Retry => {
                let mut text = format!("the intake answered {}{}", answer.status, answer.excerpt_text());
                if matches!(answer.status, 300..400 | 404 | 405) {
                    text += "; check ";
                    text += self.stream.address_variable();
                }
                self.keep(&payload, &text, answer.retry_after, cx);
            }
        }
    }

    fn accepted(&mut self, payload: &Payload, took: Duration, cx: &mut Cx<'_>) {
        self.backoff.succeeded();
        cx.warnings.recovered(self.stream.topic());
        self.stream.note_dispatched(payload, cx.telemetry);
        let contents = self.stream.contents(payload);
        let (raw, compressed) = (payload.raw_bytes, payload.compressed_bytes);
        log::info!("released {contents} in {took:.1?}: {raw} bytes, {compressed} compressed");
    }

    fn split(&mut self, payload: Payload, answer: &Answer, cx: &mut Cx<'_>) {
        if payload.items == 1 && self.stream.tells_of_drops(&payload) {
            // To drop it would be one more drop to tell of, for ever: the intake takes nothing at present.
            self.keeps_some = true;
            cx.warnings.warn(self.stream.topic(), &refusal(&payload.first, answer), cx.now.mono);
            self.next_part(cx);
            return;
        }
        if let Some((first, second)) = payload.keys.split() {
            log::debug!("status {}: splitting {}", answer.status, self.stream.contents(&payload));
            self.parts.extend([second, first]);
            self.next_part(cx);
            return;
        }
        let text = refusal(&self.stream.culprit(&payload), answer);
        log::warn!("{}: dropped {text}", self.stream.topic());
        self.remove(payload.keys, Why::Dropped("rejected"), Then::NextPart, cx);
    }

    fn keep(&mut self, payload: &Payload, reason: &str, retry_after: Option<Duration>, cx: &mut Cx<'_>) {
        let wait = self.backoff.failed(cx.random).max(spread(retry_after.unwrap_or_default(), cx.random));
        cx.warnings.warn(self.stream.topic(), &format_args!("{reason}; everything is kept"), cx.now.mono);
        let contents = self.stream.contents(payload);
        log::info!("{contents} wait, next attempt in {:.1} s", wait.as_secs_f64());
        self.try_again_in(wait, cx);
    }

    /// Ends the run; the next one begins after a wait at the earliest.
    pub(super) fn try_again_in(&mut self, wait: Duration, cx: &mut Cx<'_>) {
        self.parts.clear();
        self.finish(false);
        self.retry_at = Some(cx.now.mono + wait);
        cx.actions.push(Action::Arm(self.stream.retry(), cx.now.mono + wait));
    }
}

fn refusal(what: &str, answer: &Answer) -> String {
    format!("{what}, which the intake refuses with {}{}", answer.status, answer.excerpt_text())
}

/// What the intake asks for, and some more: it asks a whole fleet.
fn spread(retry_after: Duration, random: &mut Random) -> Duration {
    let asked_s = retry_after.as_secs_f64().min(RETRY_AFTER_MAX_S);
    let (share, longest_s) = RETRY_AFTER_JITTER;
    Duration::from_secs_f64(asked_s + random.unit() * (asked_s * share).min(longest_s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_that_is_told_one_time_comes_back_spread_over_more() {
        let mut random = Random::new(3);
        let waits: Vec<f64> =
            (0..1_000).map(|_| spread(Duration::from_secs(40), &mut random).as_secs_f64()).collect();
        assert!(waits.iter().all(|wait| (40.0..50.0).contains(wait)));
        let early = waits.iter().filter(|wait| **wait < 41.0).count();
        assert!((50..150).contains(&early), "a tenth of the fleet in each second: {early}");
        assert_eq!(spread(Duration::ZERO, &mut random), Duration::ZERO);
        let longest = RETRY_AFTER_MAX_S + RETRY_AFTER_JITTER.1;
        assert!(spread(Duration::MAX, &mut random).as_secs_f64() <= longest);
    }
}
