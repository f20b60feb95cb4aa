//! The collectors' questions carried out: exchanges with a plugin's own server, and a program kept running.
//!
//! Each collector has a port of its own, so that one whose server hangs or whose program misbehaves takes
//! nothing from the others.

mod runner;

use std::collections::VecDeque;
use std::time::Instant;

use mio::{Registry, Token};

use super::connection::Endpoint;
use super::http_client::{ExchangeLimits, HttpClient};
use crate::agent::Event;
use crate::collect::{Question, Reply};
use crate::limits::PLUGIN_QUESTIONS_MAX;
use crate::protocol::http::Request;
use runner::Runner;

/// Tokens of a port: two for each connection, and the last one for the program.
const TOKENS_PER_PORT: usize = 16;
const CONNECTIONS_MAX: usize = TOKENS_PER_PORT / 2 - 1;

/// The server a plugin talks to.
#[derive(Clone)]
pub struct Server {
    /// The way to it.
    pub endpoint: Endpoint,
    /// How many exchanges may be under way at once, 1 to 7.
    pub parallel: usize,
}

/// The ports of all collectors, in the order of the collectors.
pub struct PluginIo {
    first_token: usize,
    ports: Vec<Port>,
}

struct Port {
    connections: Vec<Slot>,
    waiting: VecDeque<Exchange>,
    runner: Runner,
}

struct Slot {
    client: HttpClient,
    ticket: Option<u32>,
}

struct Exchange {
    ticket: u32,
    request: Request,
    body_bytes_max: usize,
}

impl PluginIo {
    /// Ports without anything under way. Their tokens are `first_token` and all after it.
    pub fn new(servers: Vec<Option<Server>>, first_token: Token) -> PluginIo {
        let port = |(index, server): (usize, Option<Server>)| {
            let base = first_token.0 + index * TOKENS_PER_PORT;
            let connections = server.map_or_else(Vec::new, |server| {
                let slot = |n| Slot {
                    client: HttpClient::new(server.endpoint.clone(), Token(base + 2 * n)),
                    ticket: None,
                };
                (0..server.parallel.clamp(1, CONNECTIONS_MAX)).map(slot).collect()
            });
            let runner = Runner::new(Token(base + TOKENS_PER_PORT - 1));
            Port { connections, waiting: VecDeque::new(), runner }
        };
        PluginIo { first_token: first_token.0, ports: servers.into_iter().enumerate().map(port).collect() }
    }

    /// Begins what was asked.
    pub fn ask(
        &mut self,
        collector: usize,
        ticket: u32,
        question: Question,
        now: Instant,
        events: &mut Vec<Event>,
    ) {
        let Some(port) = self.ports.get_mut(collector) else {
            return;
        };
        let mut refuse = |reason: &str| {
            let reply = Reply::Http(Err(reason.to_owned()));
            events.push(Event::Replied { collector, ticket, reply });
        };
        match question {
            Question::Http { .. } if port.connections.is_empty() => refuse("no server is configured"),
            Question::Http { .. } if port.waiting.len() >= PLUGIN_QUESTIONS_MAX => {
                refuse("too many questions")
            }
            Question::Http { request, body_bytes_max } => {
                port.waiting.push_back(Exchange { ticket, request, body_bytes_max });
            }
            Question::Run(program) => port.runner.keep(program, ticket, now),
            Question::Restart => port.runner.restart(now),
            Question::Redis(_) => {}
        }
    }

    /// Whether a token is one of these ports'.
    pub fn owns(&self, token: Token) -> bool {
        token.0 >= self.first_token
    }

    /// Goes on after readiness, a deadline, or when [`PluginIo::has_more`] says so.
    pub fn drive(&mut self, registry: &Registry, now: Instant, events: &mut Vec<Event>) {
        for (collector, port) in self.ports.iter_mut().enumerate() {
            let mut tell = |ticket, reply| events.push(Event::Replied { collector, ticket, reply });
            port.exchange(registry, now, &mut tell);
            port.runner.drive(registry, now, &mut tell);
        }
    }

    /// Whether there is something to do that no readiness will tell of.
    pub fn has_more(&self) -> bool {
        self.ports.iter().any(|port| {
            port.runner.has_more()
                || !port.waiting.is_empty() && port.connections.iter().any(|slot| slot.ticket.is_none())
        })
    }

    /// When [`PluginIo::drive`] is due at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        let exchanges =
            self.ports.iter().flat_map(|port| &port.connections).filter_map(|s| s.client.deadline());
        exchanges.chain(self.ports.iter().filter_map(|port| port.runner.deadline())).min()
    }
}

impl Port {
    fn exchange(&mut self, registry: &Registry, now: Instant, tell: &mut impl FnMut(u32, Reply)) {
        for slot in &mut self.connections {
            loop {
                if slot.ticket.is_none() {
                    let Some(next) = self.waiting.pop_front() else {
                        break;
                    };
                    let limits = ExchangeLimits { body_bytes_max: next.body_bytes_max, ..Default::default() };
                    if let Err(failure) = slot.client.start(next.request, limits, registry, now) {
                        tell(next.ticket, Reply::Http(Err(failure.to_string())));
                        continue;
                    }
                    slot.ticket = Some(next.ticket);
                }
                let Some(result) = slot.client.ready(registry, now) else {
                    break;
                };
                if let Some(ticket) = slot.ticket.take() {
                    tell(ticket, Reply::Http(result.map_err(|failure| failure.to_string())));
                }
            }
            // An idle connection notices here that its peer has closed it.
            if slot.ticket.is_none() {
                slot.client.ready(registry, now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_that_nobody_can_be_asked_is_answered_at_once() {
        let mut plugins = PluginIo::new(vec![None], Token(64));
        let mut asked = Vec::new();
        let question = Question::Http { request: Request::get("h", "/"), body_bytes_max: 1 };
        plugins.ask(0, 7, question, Instant::now(), &mut asked);
        let [Event::Replied { collector: 0, ticket: 7, reply: Reply::Http(Err(why)) }] = &asked[..] else {
            panic!("no refusal")
        };
        assert_eq!(why, "no server is configured");
    }
}
