//! What the intake answers: the key, and its clock.

use crate::network::knowing;
use crate::support::behaviour::{Answer, Behaviour, Flow, answer, status};
use crate::support::intake::Intake;
use crate::support::unix_now;
use crate::{KEY, MARK, examine};
use chouette_iot::doctor::Trouble;
use chouette_iot::limits::doctor::ANSWER_BYTES_MAX;

use std::time::{Duration, Instant};

fn with_body(code: u16, body: &'static str) -> Behaviour {
    // The key comes back wherever it can.
    let headers = vec![("X-Key", KEY.to_owned()), ("Location", format!("http://{KEY}.test/"))];
    Behaviour::Answer(Answer { headers, body, ..answer(code) })
}

#[test]
fn the_key_is_asked_for_and_the_answer_judged() {
    let intake = Intake::accepting();
    let url = intake.url();
    for (code, body, state, trouble) in [
        (200, "{\"valid\":true}", "good", None),
        (200, "{\"valid\":false}", "bad", Some(Trouble::KeyRefused)),
        (403, "{\"errors\":[\"key-hunter2-0123456789abcdef\"]}", "bad", Some(Trouble::KeyRefused)),
        (404, "no such page: key-hunter2-0123456789abcdef", "good", None),
        (405, "", "good", None),
        (301, "", "warning", Some(Trouble::Redirected)),
        (503, "", "warning", Some(Trouble::ServerTrouble)),
    ] {
        intake.behave(move |_| with_body(code, body));
        let told = examine(&[("DATADOG_URL", &url)]);
        told.expect("api key", state, "127.0.0.1");
        if let Some(trouble) = trouble {
            told.advises("api key", trouble);
        }
    }
    for request in intake.requests() {
        assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/api/v1/validate"));
        assert_eq!(request.header("dd-api-key"), Some(KEY));
        assert!(!request.path.contains(MARK));
    }
}

#[test]
fn what_does_not_answer_as_a_web_server_does() {
    let intake = Intake::accepting();
    let url = intake.url();
    let endless = "HTTP/1.1 200 OK\r\n\r\n".to_owned() + &"x".repeat(ANSWER_BYTES_MAX + 1);
    let closing = Flow { closes: true, ..Flow::of(endless) };
    for (behaviour, detail) in [
        (Behaviour::CloseBeforeHead, "connection closed before the answer"),
        (Behaviour::CloseAfterHead, "connection closed after "),
        (Behaviour::Flow(closing), "body of the answer is larger than "),
        (Behaviour::Flow(Flow::of(format!("{KEY} is no HTTP\r\n\r\n"))), "answer is not HTTP/1.1"),
        (Behaviour::Hang, "waiting for the answer took longer than 10 s"),
    ] {
        intake.behave(move |_| behaviour.clone());
        let began = Instant::now();
        let told = examine(&[("DATADOG_URL", &url)]);
        told.fails("api key", detail, Trouble::NoAnswer).expect("clock", "skipped", "no answer");
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }
}

#[test]
fn without_a_key_the_rest_is_tried_all_the_same() {
    let intake = Intake::start(knowing);
    let url = intake.url();
    let told = examine(&[("DATADOG_URL", &url), ("API_KEY", "")]);
    told.expect("configuration", "good", "").expect("tcp metrics", "good", "").fails(
        "api key",
        "none is set",
        Trouble::KeyMissing,
    );
    assert!(told.has("socket redis") && told.has("open files"));
    assert!(intake.requests().iter().all(|request| request.header("dd-api-key").is_none()));
    examine(&[("API_KEY", "")]).fails("api key", "none is set", Trouble::KeyMissing);
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, of which the weekday is not read.
fn http_date(unix_s: u64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let date = chouette_iot::doctor::certificate::date(unix_s);
    let parts: Vec<&str> = date.split('-').collect();
    let (s, month) = (unix_s % 86_400, MONTHS[parts[1].parse::<usize>().unwrap() - 1]);
    format!("Sun, {} {month} {} {:02}:{:02}:{:02} GMT", parts[2], parts[0], s / 3_600, s / 60 % 60, s % 60)
}

#[test]
fn the_clock_is_compared_with_the_servers() {
    let intake = Intake::accepting();
    let url = intake.url();
    for (ahead_s, state, detail, trouble) in [
        (0_i64, "good", "as that of 127.0.0.1", None),
        (30, "warning", "ahead of 127.0.0.1", Some(Trouble::ClockOff)),
        (-1_800, "warning", "30 min behind 127.0.0.1", Some(Trouble::ClockOff)),
        (900, "bad", "15 min ahead of", Some(Trouble::ClockWrong)),
        (-90_000, "bad", "25 h behind", Some(Trouble::ClockWrong)),
    ] {
        intake.behave(move |_| {
            // What is just at the edge of a minute may fall to either side.
            let date = http_date(unix_now().checked_add_signed(-ahead_s - ahead_s.signum() * 5).unwrap());
            Behaviour::Answer(Answer { headers: vec![("Date", date)], ..answer(404) })
        });
        let told = examine(&[("DATADOG_URL", &url)]);
        told.expect("clock", state, detail);
        if let Some(trouble) = trouble {
            told.advises("clock", trouble);
        }
    }
    intake.behave(|_| status(404));
    examine(&[("DATADOG_URL", &url)]).expect("clock", "skipped", "tells no time");
}
