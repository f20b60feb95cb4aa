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
use crate::queue::look;
use crate::queue::{CLAIMED_METRICS, Queue, QueueError, RAW_METRICS};
use crate::runtime::clock;
use crate::runtime::reading::PluginReader;

/// What is asked beyond the log-in.
const NAMES: [&str; 5] = ["redis memory", "redis disk", "redis role", "redis rights", "queues"];

type Answer = Result<Vec<Value>, String>;

impl Doctor {
    pub(super) fn redis(
        &mut self,
        config: &Config,
        reader: &mut PluginReader,
        is_open: bool,
    ) -> io::Result<()> {
        let mut questions = Request::new();
        questions.push(&cmd("INFO")).push(cmd("CONFIG").arg("GET").arg("save"));
        self.output.begin("redis");
        let answer = match is_open {
            true => ask(reader, questions)?,
            false => Err(String::new()),
        };
        let user = config.redis.username.as_deref().unwrap_or("default");
        let found = match &answer {
            Ok(replies) => {
                let info = text(replies.first()).unwrap_or_default();
                Finding::good(self.foreign(format!("logged in, {}", version(&info))))
            }
            Err(_) if !is_open => Finding::skipped("no connection"),
            Err(reason) => self.refusal(reason, user),
        };
        self.output.end(found);
        let Ok(replies) = answer else {
            NAMES.iter().for_each(|name| self.output.skip(*name, "not logged in"));
            return Ok(());
        };
        self.told_of_itself(&replies);
        self.rights(reader, user)?;
        self.lease(reader)?;
        let raw_s_max = f64::from(config.aggregate_interval_s) * WAITING_INTERVALS + 10.0;
        let sent_s_max = f64::from(config.release_interval_s) * WAITING_INTERVALS + 60.0;
        self.queue(reader, "raw", RAW_METRICS, raw_s_max, Trouble::QueueRaw)?;
        self.queue(reader, "claimed", CLAIMED_METRICS, raw_s_max, Trouble::QueueRaw)?;
        for stream in Stream::ALL {
            self.queue(reader, stream.name(), stream.queue(), sent_s_max, Trouble::QueueUnsent)?;
        }
        Ok(())
    }

    fn refusal(&self, reason: &str, user: &str) -> Finding {
        let detail = self.foreign(reason);
        match judge::redis_failure(reason) {
            Trouble::RedisRights => lacking(detail, user),
            trouble => Finding::bad(detail, trouble),
        }
    }

    fn told_of_itself(&mut self, replies: &[Value]) {
        let Some(info) = text(replies.first()) else {
            let denied = Finding::warning("INFO is denied", Trouble::RedisInfo);
            self.output.tell(NAMES[0].to_owned(), None, denied);
            self.output.skip(NAMES[1], "INFO is denied");
            self.output.skip(NAMES[2], "INFO is denied");
            return;
        };
        let save = match replies.get(1) {
            Some(Value::Array(pair)) => text(pair.get(1)),
            _ => None,
        };
        let found = [memory(&info), disk(&info, save.as_deref()), role(&info)];
        for (name, mut found) in NAMES.iter().zip(found) {
            found.detail = self.foreign(found.detail);
            self.output.tell((*name).to_owned(), None, found);
        }
    }

    fn rights(&mut self, reader: &mut PluginReader, user: &str) -> io::Result<()> {
        self.output.begin(NAMES[3]);
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
        let found = match answer {
            Ok(replies) => rights(&look::refused(&replies), user),
            Err(reason) => self.refusal(&reason, user),
        };
        self.output.end(found);
        Ok(())
    }

    fn lease(&mut self, reader: &mut PluginReader) -> io::Result<()> {
        self.output.begin("agent");
        let answer = ask(reader, look::look_at_lease())?;
        let found = match answer.map(|replies| look::holder(&replies)) {
            Ok(Ok(Some((name, lasts_s)))) => {
                self.agent_runs = true;
                Finding::good(format!("{} is at work here (lease for {lasts_s} s more)", self.foreign(name)))
            }
            Ok(Ok(None)) => Finding::good("none is at work on this Redis"),
            Ok(Err(error)) => Finding::bad(self.foreign(error), Trouble::QueueType),
            Err(reason) => self.refusal(&reason, ""),
        };
        self.output.end(found);
        Ok(())
    }

    fn queue(
        &mut self,
        reader: &mut PluginReader,
        name: &str,
        of: Queue,
        waits_s_max: f64,
        trouble: Trouble,
    ) -> io::Result<()> {
        self.output.begin(format!("queue {name}"));
        let answer = ask(reader, look::look(of))?;
        let held = match answer.map(|replies| look::held(&replies, of)) {
            Ok(Ok(held)) => held,
            Ok(Err(error)) => {
                let is_type = matches!(&error, QueueError::Refused(words) if words.starts_with("WRONGTYPE"));
                let trouble = if is_type { Trouble::QueueType } else { Trouble::RedisRights };
                let found = Finding::bad(self.foreign(error), trouble);
                self.output.end(found);
                return Ok(());
            }
            Err(reason) => {
                let found = self.refusal(&reason, "");
                self.output.end(found);
                return Ok(());
            }
        };
        self.output.end(queue(held, clock::now().wall_s, waits_s_max, trouble));
        Ok(())
    }
}

fn ask(reader: &mut PluginReader, request: Request) -> io::Result<Answer> {
    reader.ask_redis(request, Duration::from_secs(CHECK_S))
}
