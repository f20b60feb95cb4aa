//! Two agents and one directory: one works, the other one waits for its end.

use crate::support::agent::Agent;
use crate::support::alone::{Alone, Counter};
use crate::support::behaviour::status;
use crate::support::figures::figure;
use crate::support::temp::TempDir;
use crate::support::{PATIENT, SOON, wait_until};
use chouette_iot::limits::spool::DIRECTORY_RETRY_S;

use std::time::{Duration, Instant};

/// A killed agent's process that writes ends with its last write, and then a look at the directory has to come.
const TAKE_OVER_MAX: Duration = Duration::from_secs(2 * DIRECTORY_RETRY_S);

#[test]
fn a_second_agent_stands_by_and_takes_over_what_a_killed_one_has_left() {
    const LOSS: Duration = Duration::from_secs(5);
    let alone = Alone::new(|_| status(503));
    let mut first = alone.run(&[("SPOOL_AFTER", "1")]);
    let counter = Counter::start(&alone, 1, Duration::from_millis(10));
    assert!(wait_until(SOON, || !alone.files().is_empty()), "{}", first.stderr());
    let elsewhere = TempDir::new();
    let socket = elsewhere.join("dogstatsd").display().to_string();
    let mut second = Agent::run(&alone.env(&[("DOGSTATSD_SOCKET", &socket)]));
    let held = format!("another agent has {}", alone.spool().display());
    assert!(second.wait_for_line(SOON, &held), "{}", second.stderr());
    // What it receives itself waits in its memory.
    assert!(second.wait_for_line(SOON, "receiving on"));
    let sent = counter.finish();
    let ours = std::os::unix::net::UnixDatagram::unbound().unwrap();
    ours.send_to(b"seconds:7|c", &socket).unwrap();
    std::thread::sleep(LOSS);
    let requests = alone.intake.requests().len();
    assert!(second.is_running());
    first.kill();
    let killed = Instant::now();
    alone.intake.behave(|_| status(202));
    assert!(alone.intake.wait_for(PATIENT, |all| all.len() > requests), "{}", second.stderr());
    let took = killed.elapsed();
    let came = alone.comes(&second, PATIENT, |came| came.all >= sent.sum());
    came.is_exactly(&sent);
    let arrived = || crate::support::bench::arrives(&alone.intake, "seconds", PATIENT);
    assert!(arrived(), "{}", second.stderr());
    second.signal("TERM");
    assert_eq!(second.wait(SOON), Some(0), "{}", second.stderr());
    let value = format!(
        "{} counts left by the killed one, all came once; first release after {:.1} s (bound {} s)",
        sent.at.len(),
        took.as_secs_f64(),
        TAKE_OVER_MAX.as_secs()
    );
    figure("embedded standby", "kill -9 of the first", &value);
    assert!(took <= TAKE_OVER_MAX, "{value}\n{}", second.stderr());
}

#[test]
fn who_stands_by_ends_when_told_to() {
    let alone = Alone::new(|_| status(202));
    let first = alone.run(&[]);
    let elsewhere = TempDir::new();
    let socket = elsewhere.join("dogstatsd").display().to_string();
    let mut second = Agent::run(&alone.env(&[("DOGSTATSD_SOCKET", &socket)]));
    assert!(second.wait_for_line(SOON, "another agent has"), "{}", second.stderr());
    let began = Instant::now();
    second.signal("TERM");
    assert_eq!(second.wait(SOON), Some(0), "{}", second.stderr());
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    alone.send("one:1|c|#n:0");
    alone.comes(&first, PATIENT, |came| came.ones.len() == 1).is_nothing_twice();
}
