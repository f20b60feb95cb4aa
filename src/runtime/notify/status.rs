//! The line that `systemctl status` shows: how the last release of each stream went.
//!
//! ```text
//! metrics 15:04:05 UTC ok, logs 15:04:06 UTC failed: status 503
//! ```

use crate::agent::{PerStream, Stream, Timer};
use crate::release;
use crate::runtime::outlet::Outcome;
use crate::status::one_line;

/// How it goes.
pub(super) struct Status {
    releases: PerStream<Release>,
}

impl Default for Status {
    fn default() -> Status {
        Status { releases: PerStream::each(|_| Release::default()) }
    }
}

/// How the last release of a stream went.
#[derive(Default)]
struct Release {
    /// Empty before the first one.
    line: String,
    verdict: String,
    /// Whether the one under way was told of.
    told: bool,
}

impl Status {
    /// The line.
    pub fn line(&self) -> String {
        let lines = self.releases.iter().map(|release| &release.line[..]);
        let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        if lines.is_empty() { "nothing released yet".to_owned() } else { lines.join(", ") }
    }

    /// A timer fired: those of releases begin one.
    pub fn fired(&mut self, timer: Timer) {
        for stream in Stream::ALL {
            self.releases.of(stream).told &= timer != Timer::Release && timer != stream.retry();
        }
    }

    /// An answer came, or did not. True where the line is to be told: once per release, however many requests it
    /// takes, and again only where it ends otherwise than it began.
    pub fn released(&mut self, stream: Stream, outcome: &Outcome, wall_s: f64) -> bool {
        let (name, release) = (stream.name(), self.releases.of(stream));
        let verdict = verdict(outcome);
        release.line = format!("{name} {} UTC {verdict}", time_of_day(wall_s));
        let changed = release.verdict != verdict;
        release.verdict = verdict;
        !std::mem::replace(&mut release.told, true) || changed
    }
}

/// One line, whatever the peer answered: a line break would begin another message.
fn verdict(outcome: &Outcome) -> String {
    let text = match outcome {
        Ok(answer) if release::outcome(answer.status) == release::Outcome::Accepted => {
            return "ok".to_owned();
        }
        Ok(answer) => format!("failed: status {}", answer.status),
        Err(reason) => format!("failed: {reason}"),
    };
    one_line(&text)
}

fn time_of_day(wall_s: f64) -> String {
    let second = wall_s.max(0.0) as u64 % 86_400;
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Answer;
    use crate::limits::STATUS_CHARS_MAX;

    fn answered(status: u16) -> Outcome {
        Ok(Answer { status, retry_after: None, excerpt: "\n".to_owned() })
    }

    #[test]
    fn once_per_release_and_again_where_it_ends_otherwise() {
        let mut status = Status::default();
        assert_eq!(status.line(), "nothing released yet");
        assert!(status.released(Stream::Metrics, &answered(202), 5.0));
        assert!(!status.released(Stream::Metrics, &answered(202), 6.0), "a backlog takes many requests");
        assert!(status.released(Stream::Metrics, &answered(503), 7.0));
        assert!(status.released(Stream::Logs, &answered(200), 8.0));
        assert_eq!(status.line(), "metrics 00:00:07 UTC failed: status 503, logs 00:00:08 UTC ok");
        status.fired(Timer::Flush);
        assert!(!status.released(Stream::Metrics, &answered(503), 9.0));
        status.fired(Timer::Retry);
        assert!(status.released(Stream::Metrics, &answered(503), 9.0));
        assert!(!status.released(Stream::Logs, &answered(200), 9.0));
        status.fired(Timer::Release);
        assert!(status.released(Stream::Logs, &answered(200), 9.0));
    }

    #[test]
    fn a_verdict_is_one_line() {
        assert_eq!(verdict(&Err("no\nREADY=0".to_owned())), "failed: no READY=0");
        assert_eq!(verdict(&Err("é".repeat(10_000))).chars().count(), STATUS_CHARS_MAX);
        assert_eq!(time_of_day(86_400.0 * 365.0 + 3_725.9), "01:02:05");
        assert_eq!(time_of_day(-1.0), "00:00:00");
    }
}
