//! Connections that end before, within and after an answer.

use super::{Case, all};
use crate::support::behaviour::{Behaviour, Flow, answer};

fn cut(name: &str, text: &str) -> Case {
    Case::new(name, Behaviour::Flow(Flow { closes: true, ..Flow::of(text) }))
}

#[test]
fn an_answer_cut_short_is_none() {
    let cases = [
        Case::new("closed before the head", Behaviour::CloseBeforeHead),
        Case::new("closed before the head", Behaviour::CloseBeforeHead).of_logs(),
        Case::new("closed before the head", Behaviour::CloseBeforeHead).embedded(),
        Case::new("reset before the head", Behaviour::Reset),
        cut("closed within the status line", "HTTP/1.1 20"),
        cut("closed within the head", "HTTP/1.1 202 Accepted\r\nContent-Length: 15\r\n"),
        Case::new("closed after the head", Behaviour::CloseAfterHead),
        cut("closed within the body", "HTTP/1.1 202 Accepted\r\nContent-Length: 15\r\n\r\n{\"status"),
        cut(
            "closed within a body in chunks",
            "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{\"status\r\n",
        ),
    ];
    all("closed", &cases, Case::is_kept);
}

#[test]
fn an_answer_that_is_whole_counts_however_the_connection_ends() {
    let whole = |name: &str, text: &str| {
        Case::new(name, Behaviour::Flow(Flow { closes: true, accepts: true, ..Flow::of(text) }))
    };
    let cases = [
        Case::new("closed after the body", Behaviour::AnswerThenClose(answer(202))),
        whole("a body that the close ends", "HTTP/1.1 202 Accepted\r\n\r\n{\"status\":\"ok\"}"),
        whole("an HTTP/1.0 server", "HTTP/1.0 202 Accepted\r\n\r\n{\"status\":\"ok\"}"),
    ];
    all("closed", &cases, Case::is_accepted);
}
