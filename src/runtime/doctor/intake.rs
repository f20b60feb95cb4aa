//! What the intake answers: whether it knows the key, and what time it has.

use super::{Doctor, TOKEN, limit};
use crate::doctor::{Finding, Trouble, judge};
use crate::limits::doctor::{ANSWER_BYTES_MAX, CHECK_S};
use crate::protocol::http::Response;
use crate::runtime::clock;
use crate::runtime::connection::Address;
use crate::runtime::http_client::{ExchangeLimits, HttpClient};
use crate::runtime::setup::Intake;

impl Doctor {
    /// Asks whether the key is right, and takes the time of the answer. `is_set` tells whether there is a key.
    #[inline(never)]
    pub(super) fn key(&mut self, intake: &Intake, is_set: bool, is_open: bool) {
        self.output.begin("api key", "");
        let answer = if is_open { self.ask_for_key(intake) } else { Err(String::new()) };
        let wall_s = clock::now().wall_s;
        let host = match &intake.endpoint.address {
            Address::Tcp { host, .. } => host.as_str(),
            Address::Unix(_) => "",
        };
        self.output.end(match &answer {
            _ if !is_set => Finding::bad("none is set", Trouble::KeyMissing),
            Ok(answer) => judge::key(host, answer.status, &answer.body),
            Err(_) if !is_open => Finding::skipped("no connection"),
            Err(failure) => Finding::bad(self.foreign(failure), Trouble::NoAnswer),
        });
        let found = match answer.map(|answer| answer.date) {
            // A date is that of the second that has begun.
            Ok(Some(date_s)) => judge::clock(wall_s - date_s as f64 - 0.5, host),
            Ok(None) => Finding::skipped("the answer tells no time"),
            Err(_) => Finding::skipped(if is_open { "no answer" } else { "no connection" }),
        };
        self.output.tell("clock", None, found);
    }

    fn ask_for_key(&mut self, intake: &Intake) -> Result<Response, String> {
        let limits =
            ExchangeLimits { total_s: CHECK_S, body_bytes_max: ANSWER_BYTES_MAX, ..Default::default() };
        let mut client = HttpClient::new(intake.endpoint.clone(), TOKEN);
        let mut now = clock::now().mono;
        let started = client.start(intake.key_question(), limits, self.poll.registry(), now);
        let mut answer = started.err().map(Err);
        loop {
            if let Some(answer) = answer {
                return answer.map_err(|failure| failure.to_string());
            }
            answer = client.ready(self.poll.registry(), now);
            if answer.is_none() {
                now = self.wait(client.deadline(), limit(now));
            }
        }
    }
}
