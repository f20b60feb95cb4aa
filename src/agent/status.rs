//! How it goes, as a document: made when somebody asks, out of what each part knows. What is in it, and how it is read,
//! is said in [`crate::status`].

use std::time::{Duration, Instant};

use super::{Agent, Now};
use crate::limits::status::{FAILING_INTERVALS, FAILING_S_MIN};
use crate::queue::spool::{Figures, Settings};
use crate::status::Document;
use crate::status::units::push_duration;

/// What the runtime knows.
pub struct Surroundings {
    /// The number of the process.
    pub process: u32,
    /// Where records are kept: `redis` or `embedded`.
    pub storage: &'static str,
    /// Whether the loop turns: where it does not, a new start may help.
    pub is_alive: bool,
    /// How long Redis may be away, and a flush that ends well.
    pub patience: Duration,
    /// Memory of this process, bytes.
    pub resident_bytes: Option<u64>,
    /// How much it may have, bytes.
    pub memory_bytes_max: Option<u64>,
    /// What the embedded queue holds, and its bounds.
    pub spool: Option<(Figures, Settings)>,
}

impl Agent {
    /// How it goes: a JSON object of about 3 kB.
    #[inline(never)]
    pub fn status(&self, now: Now, around: &Surroundings) -> String {
        let mut document = Document::default();
        let shared = &self.shared;
        let reason = self.why_it_does_not_advance(now, around);
        document.text("version", Some(env!("CARGO_PKG_VERSION")));
        document.number("pid", u64::from(around.process));
        document.number("time_s", now.wall_s as u64);
        document.ago("uptime_s", shared.past.start(), now.mono);
        document.flag("advances", reason.is_none());
        document.flag("alive", around.is_alive);
        document.text("reason", reason.as_deref());
        document.flag("clock_believed", shared.belief.is_believable(now, &shared.settings));
        shared.holding.tell(now.mono, &mut document);
        shared.past.tell(around.storage, self.outbox.len(), now.mono, &mut document);
        document.begin("streams");
        for releaser in self.releasers.iter() {
            releaser.tell(now.mono, &shared.settings, &mut document);
        }
        document.end();
        self.collectors.tell(now.mono, &mut document);
        shared.telemetry.tell_drops(&mut document);
        document.begin("dogstatsd");
        if let Some(contexts_max) = shared.settings.dogstatsd_contexts_max {
            shared.telemetry.tell_dogstatsd(&mut document);
            document.number("contexts", self.dogstatsd.contexts() as u64);
            document.number("contexts_max", contexts_max as u64);
        }
        document.end();
        tell_spool(around, &mut document);
        document.begin("memory");
        document.known("rss_bytes", around.resident_bytes);
        document.known("max_bytes", around.memory_bytes_max);
        document.end();
        shared.past.tell_figures(now, &mut document);
        document.finish()
    }

    /// What is wrong with the whole pipeline, if anything is. Who stands by does what it is to do.
    #[inline(never)]
    fn why_it_does_not_advance(&self, now: Now, around: &Surroundings) -> Option<String> {
        let past = &self.shared.past;
        if !around.is_alive {
            return Some("the loop or redis does not go on".to_owned());
        }
        if let Some((since, problem)) = past.away_since() {
            return too_long(now.mono, since, around.patience, [around.storage, " is away for ", problem]);
        }
        if let Some((since, problem)) = past.flush_awaited() {
            let is_full = self.shared.holding.is_impossible();
            let problem = problem.unwrap_or(if is_full { "redis has no memory left" } else { "none ends" });
            let reason = too_long(now.mono, since, around.patience, ["", "no flush for ", problem]);
            if reason.is_some() {
                return reason;
            }
        }
        let interval = Duration::from_secs(u64::from(self.shared.settings.release_interval_s));
        let patience = Duration::from_secs(FAILING_S_MIN).max(interval * FAILING_INTERVALS);
        for releaser in self.releasers.iter() {
            if let Some((stream, since, problem)) = releaser.failing() {
                let words = [stream.name(), " are not delivered for ", problem];
                let reason = too_long(now.mono, since, patience, words);
                if reason.is_some() {
                    return reason;
                }
            }
        }
        None
    }
}

/// Says so where something lasts longer than there is patience for it: what, since when, and why.
#[inline(never)]
fn too_long(now: Instant, since: Instant, patience: Duration, words: [&str; 3]) -> Option<String> {
    let time = now.saturating_duration_since(since);
    if time <= patience {
        return None;
    }
    let [who, what, problem] = words;
    let mut out = who.to_owned();
    out.push_str(what);
    push_duration(&mut out, time.as_secs());
    out.push_str(": ");
    out.push_str(problem);
    Some(out)
}

fn tell_spool(around: &Surroundings, document: &mut Document) {
    document.begin("spool");
    if let Some((figures, settings)) = &around.spool {
        for (key, number) in [
            ("memory_records", figures.memory_records),
            ("memory_bytes", figures.memory_bytes),
            ("memory_bytes_max", settings.memory_bytes_max as u64),
            ("disk_records", figures.disk_records),
            ("disk_bytes", figures.disk_bytes),
            ("disk_bytes_max", settings.disk_bytes_max),
            ("written_bytes", figures.written_bytes),
        ] {
            document.number(key, number);
        }
    }
    document.end();
}
