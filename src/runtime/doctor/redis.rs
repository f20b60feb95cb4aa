//! Redis: what it tells of itself, what it lets the agent do, and what its queues hold.

use std::time::Duration;

use super::Doctor;
use crate::agent::Stream;
use crate::config::Config;
use crate::doctor::redis::{disk, lacking, memory, queue, rights, role, text, version};
use crate::doctor::{Finding, Trouble, judge};
use crate::limits::doctor::{CHECK_S, WAITING_INTERVALS};
use crate::protocol::redis::{Request, Value};
use crate::queue::{CLAIMED_METRICS, Queue, QueueError, RAW_METRICS, look};
use crate::runtime::clock;
use crate::runtime::reading::PluginReader;

/// What Redis tells of itself, and what is asked then.
const TOLD: [&str; 3] = ["redis memory", "redis disk", "redis role"];
const ASKED: [&str; 3] = ["redis rights", "agent", "queues"];

/// Queues that are told of even where they are empty.
const ALWAYS: [&str; 3] = ["raw", "metrics", "logs"];

/// Seconds on top of the intervals after which what waits should be gone: a flush or a release takes its time.
const GRACE_S: (f64, f64) = (10.0, 60.0);

impl Doctor {
    #[inline(never)]
    pub(super) fn redis(&mut self, config: &Config, reader: &mut PluginReader, is_open: bool) {
        let why = match is_open {
            true => "not logged in",
            false => "no connection",
        };
        let told = match is_open {
            true => self.log_in(reader),
            false => {
                self.output.skip("redis", "", why);
                None
            }
        };
        let Some(replies) = told else {
            for name in [TOLD, ASKED].as_flattened() {
                self.output.skip(name, "", why);
            }
            return;
        };
        self.told_of_itself(&replies);
        // Whoever waited in vain does not wait again.
        let _ = self.rights(reader) && self.lease(reader) && self.queues(config, reader);
    }

    /// Asks Redis. No reply is the end of the check: the connection is lost, or silent. Nothing more is asked then.
    #[inline(never)]
    fn ask(&mut self, reader: &mut PluginReader, request: Request) -> Option<Vec<Value>> {
        let answer = reader.ask_redis(request, Duration::from_secs(CHECK_S));
        let reason = match answer {
            Ok(Ok(replies)) => return Some(replies),
            Ok(Err(reason)) => reason,
            Err(error) => error.to_string(),
        };
        let detail = self.foreign(&reason);
        self.output.end(match judge::redis_failure(&reason) {
            Trouble::RedisRights => lacking(detail, &self.user),
            trouble => Finding::bad(detail, trouble),
        });
        None
    }

    fn log_in(&mut self, reader: &mut PluginReader) -> Option<Vec<Value>> {
        self.output.begin("redis", "");
        let mut questions = Request::new();
        questions.push_words(&["INFO"]).push_words(&["CONFIG", "GET", "save"]);
        let replies = self.ask(reader, questions)?;
        let info = text(replies.first()).unwrap_or_default();
        let detail = ["logged in, ", &version(&info)].concat();
        self.output.end(Finding::good(self.foreign(&detail)));
        Some(replies)
    }

    #[inline(never)]
    fn told_of_itself(&mut self, replies: &[Value]) {
        let [of_memory, of_disk, of_role] = TOLD;
        let Some(info) = text(replies.first()) else {
            self.output.tell(of_memory, None, Finding::warning("INFO is denied", Trouble::RedisInfo));
            self.output.skip(of_disk, "", "INFO is denied");
            self.output.skip(of_role, "", "INFO is denied");
            return;
        };
        let save = match replies.get(1) {
            Some(Value::Array(pair)) => text(pair.get(1)),
            _ => None,
        };
        self.tell(of_memory, memory(&info));
        self.tell(of_disk, disk(&info, save.as_deref()));
        self.tell(of_role, role(&info));
    }

    fn tell(&mut self, name: &str, mut found: Finding) {
        found.detail = self.foreign(&found.detail);
        self.output.tell(name, None, found);
    }

    #[inline(never)]
    fn rights(&mut self, reader: &mut PluginReader) -> bool {
        self.output.begin(ASKED[0], "");
        let Some(first) = self.ask(reader, look::rights(true)) else { return false };
        let mut second = Vec::new();
        if look::has_begun(&first) {
            let Some(replies) = self.ask(reader, look::rights(false)) else { return false };
            second = replies;
        }
        let (names, words) = look::refused(&first, &second);
        self.output.end(rights(&names, &words, &self.user));
        true
    }

    #[inline(never)]
    fn lease(&mut self, reader: &mut PluginReader) -> bool {
        self.output.begin(ASKED[1], "");
        let Some(replies) = self.ask(reader, look::look_at_lease()) else { return false };
        let found = match look::holder(&replies) {
            Ok(Some((name, lasts_s))) => {
                self.agent_runs = true;
                let name = self.foreign(&name);
                Finding::good(format!("{name} is at work here, with a lease for {lasts_s} s"))
            }
            Ok(None) => Finding::good("none is at work on this Redis"),
            Err(error) => self.unreadable(&error),
        };
        self.output.end(found);
        true
    }

    #[inline(never)]
    fn queues(&mut self, config: &Config, reader: &mut PluginReader) -> bool {
        let after = |interval_s: u32, grace_s| f64::from(interval_s) * WAITING_INTERVALS + grace_s;
        let raw = (after(config.aggregate_interval_s, GRACE_S.0), Trouble::QueueRaw);
        let unsent = (after(config.release_interval_s, GRACE_S.1), Trouble::QueueUnsent);
        if !self.queue(reader, "raw", RAW_METRICS, raw)
            || !self.queue(reader, "claimed", CLAIMED_METRICS, raw)
        {
            return false;
        }
        for stream in Stream::ALL {
            if !self.queue(reader, stream.name(), stream.queue(), unsent) {
                return false;
            }
        }
        true
    }

    #[inline(never)]
    fn queue(
        &mut self,
        reader: &mut PluginReader,
        name: &str,
        of: Queue,
        (waits_s_max, trouble): (f64, Trouble),
    ) -> bool {
        self.output.begin("queue ", name);
        let Some(replies) = self.ask(reader, look::look(of)) else { return false };
        let found = match look::held(&replies, of) {
            // Most have no use for these: an empty one is passed over.
            Ok(held) if held.records == 0 && !ALWAYS.contains(&name) => {
                self.output.give_up();
                return true;
            }
            Ok(held) => queue(held, clock::now().wall_s, waits_s_max, trouble),
            Err(error) => self.unreadable(&error),
        };
        self.output.end(found);
        true
    }

    /// A refusal that is told of among the rights, too, or a key that is no queue.
    #[inline(never)]
    fn unreadable(&self, error: &QueueError) -> Finding {
        let text = self.foreign(error);
        match judge::redis_failure(&text) {
            Trouble::QueueType => Finding::bad(text, Trouble::QueueType),
            _ => Finding::skipped(&text),
        }
    }
}
