//! What the intake answers: whether it knows the key, and what time it has.

use std::io;

use super::{Doctor, TOKEN, limit};
use crate::doctor::{Finding, Trouble, judge};
use crate::limits::doctor::{ANSWER_BYTES_MAX, CHECK_S};
use crate::runtime::clock;
use crate::runtime::connection::Address;
use crate::runtime::http_client::{ExchangeLimits, HttpClient};
use crate::runtime::setup::Intake;

impl Doctor {
    /// Asks whether the key is right, and takes the time of the answer.
    pub(super) fn key(&mut self, intake: &Intake, asked: bool, is_open: bool) -> io::Result<()> {
        if !is_open {
            match asked {
                true => self.output.skip("api key", "no connection"),
                false => self.output.tell("api key", None, judge::key(false, "", 0, b"")),
            }
            self.output.skip("clock", "no connection");
            return Ok(());
        }
        self.output.begin("api key");
        let limits =
            ExchangeLimits { total_s: CHECK_S, body_bytes_max: ANSWER_BYTES_MAX, ..Default::default() };
        let mut client = HttpClient::new(intake.endpoint.clone(), TOKEN);
        let mut now = clock::now().mono;
        let started = client.start(intake.key_question(), limits, self.poll.registry(), now);
        let answer = match started {
            Err(failure) => Err(failure),
            Ok(()) => loop {
                if let Some(answer) = client.ready(self.poll.registry(), now) {
                    break answer;
                }
                now = self.wait(client.deadline(), limit(now))?;
            },
        };
        let wall_s = clock::now().wall_s;
        let host = match &intake.endpoint.address {
            Address::Tcp { host, .. } => host.as_str(),
            Address::Unix(_) => "",
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) => {
                let found = match asked {
                    true => Finding::bad(self.foreign(failure), Trouble::NoAnswer),
                    false => judge::key(false, host, 0, b""),
                };
                self.output.end(found);
                self.output.skip("clock", "no answer");
                return Ok(());
            }
        };
        self.output.end(judge::key(asked, host, answer.status, &answer.body));
        match answer.date {
            // A date is that of the second that has begun.
            Some(date_s) => {
                self.output.tell("clock", None, judge::clock(wall_s - date_s as f64 - 0.5, host));
            }
            None => self.output.skip("clock", "the answer tells no time"),
        }
        Ok(())
    }
}
