//! The containers of Docker or Podman: what each takes of memory and processor.
//!
//! Asked over the unix socket: `GET /containers/json` for the list, then for each container
//! `GET /containers/ID/stats?stream=false&one-shot=true`, some at a time:
//!
//! ```json
//! {"name": "/redis", "memory_stats": {"usage": 11001856}, "cpu_stats": {"cpu_usage": {"total_usage": 231319770843}}}
//! ```
//!
//! The format is [the Engine API's](https://docs.docker.com/reference/api/engine/), which Podman serves too.
//! Not done: containers that do not run, networks, disks, and the daemon's own state.

mod answer;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use super::{CollectError, Collector, Gauge, MetricDoc, Plugin, Question, Reading, Reply};
use crate::limits::docker::{
    CONTAINERS_MAX, LIST_BYTES_MAX, NAME_CHARS_MAX, PARALLEL, SILENCES_MAX, STATS_BYTES_MAX,
};
use crate::metric::{Number, Tags};
use crate::protocol::http::{Request, Response};
use answer::{Container, Stats};

/// The row of the table of plugins.
pub const PLUGIN: Plugin = Plugin {
    name: "docker",
    summary: "the containers of Docker or Podman: memory and processor",
    metrics: METRICS,
    build: |_| Box::new(Docker::default()),
};

const MEMORY: &str = "Chouette.docker.memory.usage";
const CPU: &str = "Chouette.docker.cpu.usage";

const METRICS: &[MetricDoc] = &[
    MetricDoc { name: MEMORY, tags: &["container"], unit: "byte", group: "always" },
    MetricDoc { name: CPU, tags: &["container"], unit: "nanosecond", group: "always" },
];

/// What a socket has no name for.
const AUTHORITY: &str = "docker";
const LIST_PATH: &str = "/containers/json";
const LIST_TICKET: u32 = 0;

/// The collector.
#[derive(Debug, Default)]
pub struct Docker {
    /// Containers still to be asked for.
    waiting: VecDeque<Container>,
    /// Those asked for, with their tickets.
    asked: Vec<(u32, Container)>,
    last_ticket: u32,
    silences: usize,
}

impl Collector for Docker {
    fn name(&self) -> &'static str {
        PLUGIN.name
    }

    fn begin(&mut self, reading: &mut Reading<'_>) -> Result<(), CollectError> {
        *self = Docker::default();
        reading.ask(LIST_TICKET, question(LIST_PATH.to_owned(), LIST_BYTES_MAX));
        Ok(())
    }

    fn reply(&mut self, ticket: u32, reply: Reply, reading: &mut Reading<'_>) -> Result<(), CollectError> {
        let Reply::Http(answer) = reply else {
            return Ok(());
        };
        let mut error = CollectError::default();
        if ticket == LIST_TICKET {
            self.listed(answer, &mut error);
        } else if let Some(at) = self.asked.iter().position(|(asked, _)| *asked == ticket) {
            let (_, container) = self.asked.swap_remove(at);
            self.told(&container, answer, reading, &mut error);
        }
        self.ask_more(reading, &mut error);
        error.into_result()
    }
}

impl Docker {
    fn listed(&mut self, answer: Result<Response, String>, error: &mut CollectError) {
        let found = match answer {
            Ok(response) if response.status == 200 => answer::containers(&response.body),
            Ok(response) => return error.add(LIST_PATH, refusal(&response)),
            Err(reason) if reason.ends_with("permission denied") => {
                return error
                    .add(LIST_PATH, reason + "; the agent's user has to be in the group of that socket");
            }
            Err(reason) => return error.add(LIST_PATH, reason),
        };
        let Some(found) = error.keep(LIST_PATH, found) else {
            return;
        };
        if found.nameless > 0 {
            error.add(LIST_PATH, format_args!("{} without a usable Id", found.nameless));
        }
        if found.left_out > 0 {
            error.add(LIST_PATH, format_args!("only the first {CONTAINERS_MAX} containers are read"));
        }
        self.waiting = found.containers.into();
    }

    fn told(
        &mut self,
        container: &Container,
        answer: Result<Response, String>,
        reading: &mut Reading<'_>,
        error: &mut CollectError,
    ) {
        let place = format!("container {}", container.name.as_deref().unwrap_or(&container.id));
        let response = match answer {
            Ok(response) => response,
            Err(reason) => {
                self.silences += 1;
                return error.add(&place, reason);
            }
        };
        if response.status == 200 {
            if let Some(stats) = error.keep(&place, answer::stats(&response.body)) {
                push(container, stats, &mut reading.gauges);
            }
        } else if !is_gone(&response) {
            error.add(&place, refusal(&response));
        }
    }

    /// Keeps some exchanges under way, as long as there are answers.
    fn ask_more(&mut self, reading: &mut Reading<'_>, error: &mut CollectError) {
        if self.silences >= SILENCES_MAX && !self.waiting.is_empty() {
            self.waiting.clear();
            error.add("containers", "the rest is not asked for after so many failures");
        }
        while self.asked.len() < PARALLEL
            && let Some(container) = self.waiting.pop_front()
        {
            self.last_ticket += 1;
            let path = format!("/containers/{}/stats?stream=false&one-shot=true", container.id);
            reading.ask(self.last_ticket, question(path, STATS_BYTES_MAX));
            self.asked.push((self.last_ticket, container));
        }
    }
}

fn question(path: String, body_bytes_max: usize) -> Question {
    Question::Http { request: Request::get(AUTHORITY, &path), body_bytes_max }
}

/// The container ended between the list and the question. Podman says 409 of one that still exists.
fn is_gone(response: &Response) -> bool {
    let says_so = || {
        answer::message(&response.body).is_some_and(|m| m.to_ascii_lowercase().contains("no such container"))
    };
    matches!(response.status, 404 | 409) || says_so()
}

fn refusal(response: &Response) -> String {
    match answer::message(&response.body) {
        Some(message) => format!("answered {}: {message}", response.status),
        None => format!("answered {}", response.status),
    }
}

/// Appends what a container takes. One that has just stopped has no memory and a processor time of zero, which
/// are not readings; without the kernel's memory accounting, a running one has its processor time alone.
fn push(container: &Container, stats: Stats, out: &mut Vec<Gauge>) {
    let is_stopped = stats.memory_bytes.is_none() && stats.cpu_ns.is_none_or(|ns| ns == Number::Int(0));
    let name = stats.name.as_ref().or(container.name.as_ref()).unwrap_or(&container.id);
    if is_stopped {
        return;
    }
    let tags = Tags::from_strings(&[format!("container:{name}")]);
    for (name, value) in [(MEMORY, stats.memory_bytes), (CPU, stats.cpu_ns)] {
        out.extend(value.map(|value| Gauge { name, tags: tags.clone(), value }));
    }
}
