//! The card hangs: the process that writes for the embedded queue is stopped amid its work.

use super::scene::{command, tell_lateness};
use crate::support::agent::Agent;
use crate::support::alone::{Alone, Counter, writes};
use crate::support::behaviour::status;
use crate::support::processes::environment;
use crate::support::{PATIENT, SOON, wait_until};
use chouette_iot::limits::SHUTDOWN_S;
use chouette_iot::limits::spool::{OPERATION_S, SAVE_S};

use std::process::Command;
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(10);
/// With what comes before a write is asked for, and a back-off.
const SLACK_S: u64 = 10;

/// A process that does nothing, until this is dropped.
struct Stopped(u32);

impl Stopped {
    fn new(pid: u32) -> Stopped {
        signal(pid, "STOP");
        Stopped(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        signal(self.0, "CONT");
    }
}

fn signal(pid: u32, name: &str) {
    // It may be gone: that is quiet.
    let _ = Command::new("kill").args(["-s", name, &pid.to_string()]).output();
}

/// An agent amid an outage whose card hangs.
fn hanging(alone: &Alone) -> (Agent, Counter, Stopped) {
    let changes = [
        ("SPOOL_AFTER", "1"),
        ("CHOUETTE_PROBE", "1"),
        ("COLLECTOR_PLUGINS", "host"),
        ("HOST_COLLECTOR_METRICS", r#"["la"]"#),
    ];
    let agent = Agent::start(&mut command(&alone.env(&changes)));
    alone.is_received_by(&agent);
    let counter = Counter::start(alone, 1, EVERY);
    let writer = writes(&agent);
    let stopped = Stopped::new(writer);
    assert_eq!(environment(writer), "", "a child inherits no secret");
    (agent, counter, stopped)
}

#[test]
fn the_card_hangs() {
    let alone = Alone::new(|_| status(503));
    let (mut agent, counter, stopped) = hanging(&alone);
    // A write is asked for by then.
    std::thread::sleep(Duration::from_secs(3));
    let began = Instant::now();
    alone.intake.behave(|_| status(202));
    agent.signal("USR1");
    // What is amid its write is not released before it is known what became of that.
    let first = alone.intake.wait_for(PATIENT, |requests| requests.iter().any(|r| r.acknowledged));
    let sent = counter.pause().at.len();
    assert!(first, "{}", agent.stderr());
    alone.comes(&agent, PATIENT, |came| came.ones.len() >= sent);
    let went_on = began.elapsed();
    assert!(went_on < Duration::from_secs(OPERATION_S + SLACK_S), "{went_on:?}\n{}", agent.stderr());
    drop(stopped);
    // And an outage with a card that works again: it is written to.
    alone.intake.behave(|_| status(503));
    assert!(wait_until(PATIENT, || alone.file_bytes() > 0), "{}", agent.stderr());
    let sent = counter.finish();
    alone.intake.behave(|_| status(202));
    alone.comes(&agent, PATIENT, |came| came.all >= sent.sum()).is_exactly(&sent);
    agent.signal("TERM");
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    let bound_s = OPERATION_S + SLACK_S;
    let more = format!("releases go on after {:.1} s (bound {bound_s} s)", went_on.as_secs_f64());
    tell_lateness("the card hangs", &agent.stderr(), &more);
}

/// A container is given ten seconds.
#[test]
fn the_end_does_not_wait_for_a_card_that_hangs() {
    const END_MAX: Duration = Duration::from_secs(10);
    let alone = Alone::new(|_| status(503));
    let (mut agent, counter, stopped) = hanging(&alone);
    std::thread::sleep(Duration::from_secs(3));
    let sent = counter.finish();
    let began = Instant::now();
    agent.signal("TERM");
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    let took = began.elapsed();
    // Those that the queue has, or those that it could not take any more.
    assert!(agent.stderr().contains("and end with the program"), "{}", agent.stderr());
    let more = format!("ended after {:.1} s (bound {} s)", took.as_secs_f64(), END_MAX.as_secs());
    tell_lateness("the card hangs, SIGTERM", &agent.stderr(), &more);
    // What is in flight has its time, and the last word has its own.
    let longest = Duration::from_secs(SHUTDOWN_S + SAVE_S + 1);
    assert!(longest <= END_MAX && took < longest && took >= Duration::from_secs(SAVE_S), "{more}");
    drop(stopped);
    // What was on the card arrives, once.
    alone.intake.behave(|_| status(202));
    let agent = alone.run(&[]);
    let came = alone.comes(&agent, PATIENT, |came| !came.ones.is_empty() && alone.files().is_empty());
    came.is_nothing_twice();
    assert!(came.ones.len() <= sent.at.len());
}
