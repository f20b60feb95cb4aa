//! Redis: what it tells of itself, what it lets the agent do, and what its queues hold.

use std::io;
use std::time::Duration;

use super::Doctor;
use crate::agent::Stream;
use crate::config::Config;
use crate::doctor::redis::{disk, lacking, memory, queue, rights, role, text, version};
use crate::doctor::{Finding, Trouble, judge};
use crate::limits::doctor::{CHECK_S, WAITING_INTERVALS};
use crate::protocol::redis::{Request, Value, cmd};
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

type Answer = Result<Vec<Value>, String>;

impl Doctor {
    pub(super) fn redis(
        &mut self,
        config: &Config,
        reader: &mut PluginReader,
        is_open: bool,
    ) -> io::Result<()> {
        let user = config.redis.username.as_deref().unwrap_or("default");
        let why = match is_open {
            true => "not logged in",
            false => "no connection",
        };
        let told = match is_open {
            true => self.log_in(reader, user)?,
            false => {
                self.output.skip("redis", why);
                None
            }
        };
        let Some(replies) = told else {
            TOLD.iter().chain(&ASKED).for_each(|name| self.output.skip(name, why));
            return Ok(());
        };
        self.told_of_itself(&replies);
        // Whoever waited in vain does not wait again.
        let _ = self.rights(reader, user)? && self.lease(reader)? && self.queues(config, reader)?;
        Ok(())
    }

    fn log_in(&mut self, reader: &mut PluginReader, user: &str) -> io::Result<Option<Vec<Value>>> {
        self.output.begin("redis");
        let mut questions = Request::new();
        questions.push(&cmd("INFO")).push(cmd("CONFIG").arg("GET").arg("save"));
        match ask(reader, questions)? {
            Ok(replies) => {
                let info = text(replies.first()).unwrap_or_default();
                self.output.end(Finding::good(self.foreign(format!("logged in, {}", version(&info)))));
                Ok(Some(replies))
            }
            Err(reason) => {
                self.refused(&reason, user);
                Ok(None)
            }
        }
    }

    /// There was no reply: the connection is lost, or silent. Nothing more is asked.
    fn refused(&mut self, reason: &str, user: &str) -> bool {
        let detail = self.foreign(reason);
        self.output.end(match judge::redis_failure(reason) {
            Trouble::RedisRights => lacking(detail, user),
            trouble => Finding::bad(detail, trouble),
        });
        false
    }

    fn told_of_itself(&mut self, replies: &[Value]) {
        let Some(info) = text(replies.first()) else {
            let [first, others @ ..] = TOLD;
            self.output.tell(first, None, Finding::warning("INFO is denied", Trouble::RedisInfo));
            others.iter().for_each(|name| self.output.skip(name, "INFO is denied"));
            return;
        };
        let save = match replies.get(1) {
            Some(Value::Array(pair)) => text(pair.get(1)),
            _ => None,
        };
        let found = [memory(&info), disk(&info, save.as_deref()), role(&info)];
        for (name, mut found) in TOLD.iter().zip(found) {
            found.detail = self.foreign(found.detail);
            self.output.tell(name, None, found);
        }
    }

    fn rights(&mut self, reader: &mut PluginReader, user: &str) -> io::Result<bool> {
        self.output.begin(ASKED[0]);
        let [begins, queues] = look::rights();
        let mut answer = ask(reader, begins)?;
        if let Ok(begun) = &mut answer
            && look::has_begun(begun)
        {
            match ask(reader, queues)? {
                Ok(queued) => begun.extend(queued),
                Err(reason) => answer = Err(reason),
            }
        }
        Ok(match answer {
            Ok(replies) => {
                self.output.end(rights(&look::refused(&replies), user));
                true
            }
            Err(reason) => self.refused(&reason, user),
        })
    }

    fn lease(&mut self, reader: &mut PluginReader) -> io::Result<bool> {
        self.output.begin(ASKED[1]);
        let answer = ask(reader, look::look_at_lease())?;
        let found = match answer.map(|replies| look::holder(&replies)) {
            Ok(Ok(Some((name, lasts_s)))) => {
                self.agent_runs = true;
                Finding::good(format!("{} is at work here, with a lease for {lasts_s} s", self.foreign(name)))
            }
            Ok(Ok(None)) => Finding::good("none is at work on this Redis"),
            Ok(Err(error)) => self.unreadable(&error),
            Err(reason) => return Ok(self.refused(&reason, "")),
        };
        self.output.end(found);
        Ok(true)
    }

    fn queues(&mut self, config: &Config, reader: &mut PluginReader) -> io::Result<bool> {
        let after = |interval_s: u32, grace_s| f64::from(interval_s) * WAITING_INTERVALS + grace_s;
        let raw = (after(config.aggregate_interval_s, GRACE_S.0), Trouble::QueueRaw);
        let unsent = (after(config.release_interval_s, GRACE_S.1), Trouble::QueueUnsent);
        let streams = Stream::ALL.map(|stream| (stream.name(), stream.queue(), unsent));
        let raw = [("raw", RAW_METRICS, raw), ("claimed", CLAIMED_METRICS, raw)];
        for (name, queue, waits) in raw.into_iter().chain(streams) {
            if !self.queue(reader, name, queue, waits)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn queue(
        &mut self,
        reader: &mut PluginReader,
        name: &str,
        of: Queue,
        (waits_s_max, trouble): (f64, Trouble),
    ) -> io::Result<bool> {
        self.output.begin(&format!("queue {name}"));
        let answer = ask(reader, look::look(of))?;
        let found = match answer.map(|replies| look::held(&replies, of)) {
            // Most have no use for these: an empty one is passed over.
            Ok(Ok(held)) if held.records == 0 && !ALWAYS.contains(&name) => {
                self.output.give_up();
                return Ok(true);
            }
            Ok(Ok(held)) => queue(held, clock::now().wall_s, waits_s_max, trouble),
            Ok(Err(error)) => self.unreadable(&error),
            Err(reason) => return Ok(self.refused(&reason, "")),
        };
        self.output.end(found);
        Ok(true)
    }

    /// A refusal that is told of among the rights, too, or a key that is no queue.
    fn unreadable(&self, error: &QueueError) -> Finding {
        let text = error.to_string();
        match judge::redis_failure(&text) {
            Trouble::QueueType => Finding::bad(self.foreign(text), Trouble::QueueType),
            _ => Finding::skipped(&self.foreign(text)),
        }
    }
}

fn ask(reader: &mut PluginReader, request: Request) -> io::Result<Answer> {
    reader.ask_redis(request, Duration::from_secs(CHECK_S))
}
