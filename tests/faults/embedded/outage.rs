//! The intake is gone for hours, made of seconds: the queue goes through the disk, and out again at the speed of the
//! link.

use crate::support::agent::Agent;
use crate::support::alone::{Alone, Came, Counter, Sent};
use crate::support::behaviour::status;
use crate::support::figures::figure;
use crate::support::{PATIENT, SOON, wait_until};

use std::time::{Duration, Instant};

const GROUP: &str = "embedded outage";
/// The least there is.
const MEMORY_MAX: u64 = 256 << 10;
/// What the queue may cost in all, against an agent that has seen no outage, in a debug build.
const PEAK_KIB_MAX: u64 = 4 << 10;
/// Numbers in a datagram, and how often one is sent: 500 a second.
const RATE: (usize, Duration) = (10, Duration::from_millis(20));
/// Records of the agent's own in a second, about: they grow old like all others, and are dropped like them.
const OWN_PER_S: f64 = 8.0;
/// An interval, the second after it, and what a busy machine adds.
const LATE_S: f64 = 4.0;

/// An outage that lasts so long, of an agent with these variables; until all that is left has come.
fn outage(alone: &mut Alone, changes: &[(&str, &str)], lasting: Duration) -> Seen {
    let own = [
        ("SPOOL_AFTER", "1"),
        ("SPOOL_MEMORY_MAX", "262144"),
        ("METRICS_BULK_SIZE", "200"),
        ("SEND_SELF_METRICS", "true"),
    ];
    let agent = alone.run(&[&own, changes].concat());
    let counter = Counter::start(alone, RATE.0, RATE.1);
    assert!(alone.intake.wait_for(SOON, |requests| requests.len() > 2), "{}", agent.stderr());
    let usual_kib = agent.memory_peak_kib();
    alone.intake.leave();
    let end = Instant::now() + lasting;
    let mut disk_bytes_max = 0;
    while Instant::now() < end {
        disk_bytes_max = disk_bytes_max.max(alone.file_bytes());
        std::thread::sleep(Duration::from_millis(20));
    }
    let before = alone.intake.requests().len();
    alone.intake.come_back();
    let (back, sent_before) = (Instant::now(), counter.pause().at.len());
    agent.signal("USR1");
    // The card is empty again, but for what tells of what was delivered.
    let drained = wait_until(PATIENT, || alone.file_bytes() == 0);
    assert!(drained, "{:?}\n{}", alone.files(), agent.stderr());
    let drain_s = back.elapsed().as_secs_f64();
    let batches = alone.intake.requests().len() - before;
    let sent = counter.finish();
    let last = sent.at.len() - 1;
    let came = alone.comes(&agent, PATIENT, |came| came.ones.contains_key(&last));
    came.is_nothing_twice();
    let more_kib = agent.memory_peak_kib().saturating_sub(usual_kib);
    Seen { agent, back, sent_before, sent, came, disk_bytes_max, drain_s, batches, more_kib }
}

struct Seen {
    agent: Agent,
    /// When the intake was back, and how much had been sent until then.
    back: Instant,
    sent_before: usize,
    sent: Sent,
    came: Came,
    disk_bytes_max: u64,
    drain_s: f64,
    batches: usize,
    more_kib: u64,
}

impl Seen {
    /// So many are missing, the oldest in a row, and so many of its own may be; all of them are counted for this reason.
    fn tells(&self, alone: &Alone, reason: &str, what: &str, lasting: Duration) -> Vec<usize> {
        let missing = self.came.missing(&self.sent);
        let own_max = (OWN_PER_S * (lasting.as_secs_f64() + 10.0)) as u64;
        let range = missing.len() as u64..=missing.len() as u64 + own_max;
        let is_told = wait_until(SOON, || range.contains(&alone.told(reason)));
        let value = format!(
            "sent {}, came {}, dropped {} and counted {} (its own among them, {own_max} at most); {} bytes on the card at \
             most; {} batches in {:.1} s; VmHWM +{} KiB (bound {PEAK_KIB_MAX})",
            self.sent.at.len(),
            self.came.ones.len(),
            missing.len(),
            alone.told(reason),
            self.disk_bytes_max,
            self.batches,
            self.drain_s,
            self.more_kib,
        );
        figure(GROUP, what, &value);
        assert!(is_told, "{value}\n{}", self.agent.stderr());
        assert!(self.more_kib <= PEAK_KIB_MAX, "{value}");
        assert!(self.drain_s < self.batches as f64 / 4.0, "not one batch an interval of 1 s: {value}");
        missing
    }
}

#[test]
fn what_is_young_enough_goes_through_the_card_and_arrives() {
    const OUTAGE: Duration = Duration::from_secs(22);
    const TTL_S: f64 = 10.0;
    let mut alone = Alone::new(|_| status(202));
    let seen = outage(&mut alone, &[("METRIC_TTL", "10")], OUTAGE);
    let missing = seen.tells(&alone, "expired", "22 s, TTL 10 s, SPOOL_MEMORY_MAX 256 KiB", OUTAGE);
    let age_s = |number: &usize| (seen.back - seen.sent.at[*number]).as_secs_f64();
    let youngest_s = missing.iter().map(age_s).fold(f64::INFINITY, f64::min);
    assert!(youngest_s >= TTL_S - LATE_S - seen.drain_s, "{youngest_s:.1} s old, and expired");
    let is_old = |number: &usize| *number < seen.sent_before && age_s(number) > TTL_S + LATE_S;
    let came_too_old = seen.came.ones.keys().filter(|number| is_old(number)).count();
    let before_the_outage =
        seen.came.ones.keys().filter(|number| age_s(number) > OUTAGE.as_secs_f64() - 0.5).count();
    assert_eq!(came_too_old, before_the_outage, "nothing older than the TTL is sent");
    assert!(missing.len() > 2_000, "{}", missing.len());
    assert!(seen.disk_bytes_max > 2 * MEMORY_MAX, "more than memory holds: {}", seen.disk_bytes_max);
}

#[test]
fn of_a_full_card_the_oldest_goes_and_is_counted() {
    const OUTAGE: Duration = Duration::from_secs(24);
    let mut alone = Alone::new(|_| status(202));
    let seen = outage(&mut alone, &[("SPOOL_DISK_MAX", "1048576")], OUTAGE);
    let missing = seen.tells(&alone, "spool_disk_full", "24 s, SPOOL_DISK_MAX 1 MiB", OUTAGE);
    assert!(seen.disk_bytes_max <= 1 << 20, "{}", seen.disk_bytes_max);
    // Oldest first: of an interval, which one comes first is nobody's promise.
    let (oldest, youngest) = (missing[0], missing[missing.len() - 1]);
    let before = |number: usize| seen.sent.at[number];
    let span_s = (before(youngest) - before(oldest)).as_secs_f64();
    let per_s = RATE.0 as f64 / RATE.1.as_secs_f64();
    assert!(missing.len() as f64 >= (span_s - LATE_S) * per_s * 0.5, "{} of {span_s:.1} s", missing.len());
    assert!(missing.len() > 500, "{}", missing.len());
}
