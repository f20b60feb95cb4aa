//! The queues of [Dramatiq](https://dramatiq.io) in the agent's own Redis: how many messages each holds.
//!
//! Dramatiq's Redis broker keeps the messages of the queue `default` in the hash `dramatiq:default.msgs`, those
//! delayed in `dramatiq:default.DQ.msgs` and the dead ones in `dramatiq:default.XQ.msgs`
//! ([its script](https://github.com/Bogdanp/dramatiq/blob/master/dramatiq/brokers/redis/dispatch.lua)); each is a
//! queue of its own here. The keys are found with `SCAN`, a step at a time, and never with `KEYS`, which holds up
//! everybody; their sizes are asked for in one go.
//!
//! Only the agent's own database is looked at, and a queue that is empty has no key and so no reading.

#[cfg(test)]
mod tests;

use super::{CollectError, Collector, Gauge, MetricDoc, Plugin, Question, Reading, Reply};
use crate::limits::dramatiq::{NAME_BYTES_MAX, QUEUES_MAX, SCAN_COUNT, SCAN_STEPS_MAX};
use crate::metric::{Number, SortedSet, Tags};
use crate::protocol::redis::{Request, Value, cmd};

/// The row of the table of plugins.
pub const PLUGIN: Plugin = Plugin {
    name: "dramatiq",
    summary: "the queues of Dramatiq in the agent's Redis: their sizes",
    metrics: METRICS,
    build: |_| Box::new(Dramatiq::default()),
};

const QUEUE_SIZE: &str = "Chouette.dramatiq.queue_size";
const METRICS: &[MetricDoc] =
    &[MetricDoc { name: QUEUE_SIZE, tags: &["queue"], unit: "message", group: "always" }];

const KEY_PREFIX: &str = "dramatiq:";
const KEY_SUFFIX: &str = ".msgs";
const PATTERN: &str = "dramatiq:*.msgs";

const SCAN_TICKET: u32 = 0;
const SIZES_TICKET: u32 = 1;

/// The collector.
#[derive(Debug, Default)]
pub struct Dramatiq {
    /// Names of the queues found so far. `SCAN` may give a key more than once.
    queues: SortedSet<String>,
    steps: usize,
}

impl Collector for Dramatiq {
    fn name(&self) -> &'static str {
        PLUGIN.name
    }

    fn begin(&mut self, reading: &mut Reading<'_>) -> Result<(), CollectError> {
        *self = Dramatiq::default();
        self.scan(b"0", reading);
        Ok(())
    }

    fn reply(&mut self, ticket: u32, reply: Reply, reading: &mut Reading<'_>) -> Result<(), CollectError> {
        let mut error = CollectError::default();
        match reply {
            Reply::Redis(Ok(replies)) if ticket == SCAN_TICKET => {
                self.scanned(replies.first(), reading, &mut error);
            }
            Reply::Redis(Ok(replies)) => self.measured(&replies, &mut reading.gauges, &mut error),
            Reply::Redis(Err(reason)) => error.add("redis", reason),
            Reply::Http(_) | Reply::Line(_) | Reply::Ended(_) => {}
        }
        error.into_result()
    }
}

impl Dramatiq {
    fn scan(&mut self, cursor: &[u8], reading: &mut Reading<'_>) {
        self.steps += 1;
        let mut request = Request::new();
        request.push(cmd("SCAN").arg(cursor).arg("MATCH").arg(PATTERN).arg("COUNT").arg(SCAN_COUNT));
        reading.ask(SCAN_TICKET, Question::Redis(request));
    }

    /// Takes a step's keys and goes on: to the next step, or to the sizes of what was found.
    fn scanned(&mut self, step: Option<&Value>, reading: &mut Reading<'_>, error: &mut CollectError) {
        let (cursor, keys) = match step {
            Some(Value::Array(step)) => match step.as_slice() {
                [Value::BulkString(cursor), Value::Array(keys)] => (cursor, keys),
                _ => return error.add("SCAN", "not a cursor and a list"),
            },
            Some(Value::ServerError(refusal)) => return error.add("SCAN", refusal),
            _ => return error.add("SCAN", "not a cursor and a list"),
        };
        for name in keys.iter().filter_map(queue_name) {
            if self.queues.len() == QUEUES_MAX && !self.queues.contains(&name) {
                error.add("SCAN", format_args!("only {QUEUES_MAX} queues are read"));
                return self.measure(reading);
            }
            self.queues.insert(name);
        }
        if cursor == b"0" {
            return self.measure(reading);
        }
        if self.steps == SCAN_STEPS_MAX {
            error.add("SCAN", format_args!("not at the end after {SCAN_STEPS_MAX} steps: too many keys"));
            return self.measure(reading);
        }
        self.scan(cursor, reading);
    }

    fn measure(&self, reading: &mut Reading<'_>) {
        if self.queues.is_empty() {
            return;
        }
        let mut request = Request::new();
        for name in self.queues.iter() {
            request.push(cmd("HLEN").arg(format!("{KEY_PREFIX}{name}{KEY_SUFFIX}")));
        }
        reading.ask(SIZES_TICKET, Question::Redis(request));
    }

    fn measured(&self, replies: &[Value], out: &mut Vec<Gauge>, error: &mut CollectError) {
        for (queue, reply) in self.queues.iter().zip(replies) {
            match reply {
                Value::Int(size) => out.push(Gauge {
                    name: QUEUE_SIZE,
                    tags: Tags::from_strings(&[format!("queue:{queue}")]),
                    value: Number::Int(i128::from(*size)),
                }),
                // Not a hash, so not Dramatiq's.
                Value::ServerError(refusal) if refusal.code() == "WRONGTYPE" => {}
                Value::ServerError(refusal) => error.add("HLEN", refusal),
                _ => error.add("HLEN", "not a number"),
            }
        }
    }
}

/// The queue whose messages a key holds. A name that is no text cannot be a tag, nor can Dramatiq make one.
fn queue_name(key: &Value) -> Option<String> {
    let Value::BulkString(key) = key else {
        return None;
    };
    let name = std::str::from_utf8(key).ok()?.strip_prefix(KEY_PREFIX)?.strip_suffix(KEY_SUFFIX)?;
    (1..=NAME_BYTES_MAX).contains(&name.len()).then(|| name.to_owned())
}
