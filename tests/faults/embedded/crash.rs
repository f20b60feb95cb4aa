//! The agent is ended, by a signal or as by a power cut, and started again.

use crate::support::agent::Agent;
use crate::support::alone::{Alone, Counter, Sent};
use crate::support::behaviour::{Behaviour, status};
use crate::support::figures::figure;
use crate::support::intake::Request;
use crate::support::{PATIENT, SOON, wait_until};
use chouette_iot::release::Random;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const GROUP: &str = "embedded crash";
const EVERY: Duration = Duration::from_millis(5);

/// Sleeps for a time of the seed's choice.
fn moment(random: &mut Random, least_ms: u64, most_ms: u64) {
    std::thread::sleep(Duration::from_millis(least_ms + random.below(most_ms - least_ms)));
}

/// Accepts, and loses an answer now and then.
fn well(seed: u64) -> impl FnMut(&Request) -> Behaviour + Send + 'static {
    let mut random = Random::new(seed);
    move |_| {
        std::thread::sleep(Duration::from_millis(random.below(40)));
        if random.below(8) == 0 { Behaviour::Reset } else { status(202) }
    }
}

/// Ends an agent as an operator would; how long it took.
fn end(agent: &mut Agent) -> Duration {
    let began = Instant::now();
    agent.signal("TERM");
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    began.elapsed()
}

#[test]
fn what_came_before_a_sigterm_arrives_once_to_the_unit() {
    const ROUNDS: u64 = 16;
    const SEED: u64 = 700;
    let alone = Alone::new(well(SEED));
    let mut random = Random::new(SEED ^ 1);
    let mut agent = alone.run(&[]);
    let counter = Counter::start(&alone, 1, EVERY);
    let (mut longest, mut with_files) = (Duration::ZERO, 0);
    for round in 0..ROUNDS {
        match round % 4 {
            0 | 1 => alone.intake.behave(well(SEED + round)),
            2 => alone.intake.behave(|_| status(503)),
            _ => {}
        }
        moment(&mut random, 50, 2_000);
        let sent = counter.pause();
        let took = end(&mut agent);

        longest = longest.max(took);
        with_files += usize::from(!alone.files().is_empty());
        drop(sent);
        agent = alone.run(&[]);
    }
    let sent = counter.finish();
    alone.intake.behave(|_| status(202));
    let came =
        alone.comes(&agent, PATIENT, |came| came.ones.len() >= sent.at.len() && came.all >= sent.sum());
    came.is_exactly(&sent);
    end(&mut agent);
    let value = format!(
        "{} counts sent, {} came, difference 0 (bound 0), their sum {} too; {with_files} ends left files; longest end {:.2} s",
        sent.at.len(),
        came.ones.len(),
        came.all,
        longest.as_secs_f64()
    );
    figure(GROUP, &format!("{ROUNDS} SIGTERM, in and out of outages"), &value);
    assert!(with_files as u64 >= ROUNDS / 2, "{value}");
    assert!(longest < Duration::from_secs(10), "{value}");
}

/// The answer comes while everything is being written, and what it lets go is written too.
#[test]
fn a_release_under_way_at_a_sigterm_is_finished() {
    const ANSWER_TAKES: Duration = Duration::from_secs(1);
    let under_way = Arc::new(AtomicUsize::new(0));
    let ours = Arc::clone(&under_way);
    let alone = Alone::new(move |_| {
        ours.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(ANSWER_TAKES);
        status(202)
    });
    let mut agent = alone.run(&[]);
    let counter = Counter::start(&alone, 1, EVERY);
    assert!(wait_until(SOON, || under_way.load(Ordering::SeqCst) == 2));
    let sent = counter.pause();
    let took = end(&mut agent);
    drop(sent);
    assert!(!agent.stderr().contains("stopped waiting"), "{}", agent.stderr());
    assert!((ANSWER_TAKES / 2..3 * ANSWER_TAKES).contains(&took), "{took:?}");
    let agent = alone.run(&[]);
    let sent = counter.finish();
    alone.intake.behave(|_| status(202));
    alone.comes(&agent, PATIENT, |came| came.all >= sent.sum()).is_exactly(&sent);
}

/// A kill, and the last write to the disk before it.
struct Kill {
    at: Instant,
    written: Instant,
}

impl Kill {
    /// Ends an agent as a power cut would.
    fn now(agent: &mut Agent, alone: &Alone) -> Kill {
        agent.kill();
        // Not before: what came until then may have come to the one that is gone.
        let at = Instant::now();
        let changed = |file: &PathBuf| file.metadata().and_then(|metadata| metadata.modified()).unwrap();
        let last = alone.files().iter().map(changed).max();
        let age = last.and_then(|last| last.elapsed().ok()).unwrap_or(Duration::ZERO);
        Kill { at, written: Instant::now().checked_sub(age).unwrap_or(at) }
    }
}

/// What is missing, and how long before its kill and before the last write the oldest of it was sent, in seconds.
fn missing(alone: &Alone, sent: &Sent, kills: &[Kill]) -> (usize, f64, f64) {
    let came = alone.came();
    came.is_nothing_twice();
    let missing = came.missing(sent);
    let (mut before_kill_s, mut before_write_s) = (0.0_f64, 0.0_f64);
    for number in &missing {
        let at = sent.at[*number];
        let kill = kills.iter().find(|kill| kill.at >= at).expect("what came after the last kill arrives");
        before_kill_s = before_kill_s.max((kill.at - at).as_secs_f64());
        before_write_s = before_write_s.max(kill.written.saturating_duration_since(at).as_secs_f64());
    }
    (missing.len(), before_kill_s, before_write_s)
}

/// What is lost is what memory alone had: of what came before the last write, an interval that was being collected and
/// the second until it is over. How long ago the last write is, is `SPOOL_AFTER` and what the disk takes.
#[test]
fn kill_9_amid_an_outage_loses_only_what_came_since_the_last_write() {
    const KILLS: u64 = 7;
    const KILLS_DRAINING: u64 = 12;
    const SEED: u64 = 710;
    /// An interval, a second, `SPOOL_AFTER`, each 1 s; and what a busy machine adds.
    const SETTLED: Duration = Duration::from_secs(5);
    /// An interval and a second, each 1 s; and what a busy machine adds.
    const LOSS_S_MAX: f64 = 2.0 + 2.0;
    let alone = Alone::new(|_| status(503));
    let mut random = Random::new(SEED);
    // Small batches, so that a drain is long enough to be cut off.
    let changes = [("SPOOL_AFTER", "1"), ("METRICS_BULK_SIZE", "50")];
    let mut agent = alone.run(&changes);
    let counter = Counter::start(&alone, 1, EVERY);
    let mut kills = Vec::new();
    for _ in 0..KILLS {
        moment(&mut random, 2_000, 7_000);
        kills.push(Kill::now(&mut agent, &alone));
        agent = alone.run(&changes);
    }
    // What is sent from now on is on the disk before the next kill.
    moment(&mut random, 1_000, 2_000);
    let sent = counter.finish();
    std::thread::sleep(SETTLED);
    alone.intake.behave(well(SEED));
    let mut amid = 0;
    for _ in 0..KILLS_DRAINING {
        moment(&mut random, 20, 500);
        agent.kill();
        let came = alone.intake.requests().iter().filter(|request| request.acknowledged).count();
        agent = alone.run(&changes);
        agent.signal("USR1");
        amid += usize::from(came > 0);
    }
    alone.intake.behave(|_| status(202));
    let drained = |agent: &Agent| {
        let settled = alone.comes(agent, PATIENT, |_| alone.files().is_empty());
        settled.ones.len()
    };
    let came = drained(&agent);
    let (lost, before_kill_s, before_write_s) = missing(&alone, &sent, &kills);
    let value = format!(
        "{} counts sent, {came} came, none twice; {lost} lost, the oldest {before_kill_s:.1} s before its kill and \
         {before_write_s:.1} s before the last write (bound {LOSS_S_MAX} s); \
         {amid} kills amid the drain cost nothing",
        sent.at.len()
    );
    figure(GROUP, &format!("{KILLS} kills amid outages, {KILLS_DRAINING} draining, SPOOL_AFTER 1 s"), &value);
    assert_eq!(came + lost, sent.at.len());
    assert!(came > sent.at.len() / 5, "the card had something: {value}");
    assert!(before_write_s <= LOSS_S_MAX, "{value}");
    assert!(alone.came().all <= sent.sum());
    end(&mut agent);
}
