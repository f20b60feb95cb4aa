//! Outages and drains that take hours and days, at the test's own time: the agent without its loop.

use crate::support::core::{Core, START_S, settings};
use crate::support::figures::figure;
use crate::support::json;
use crate::support::queues::{WRAPPED, wrapped_record};
use crate::support::redis::{Client, RedisServer};

use chouette_iot::agent::{Event, Mode, Settings};
use std::time::Duration;

/// Sums of what payloads said.
#[derive(Default)]
struct Told {
    /// Points of what the test has left.
    delivered: usize,
    /// Expired records, as counted.
    expired: usize,
    /// Records of the agent's own.
    own: usize,
    oldest_s: f64,
}

impl Told {
    /// Takes what a payload holds, sent at a time.
    fn take(&mut self, text: &str, at_s: f64) {
        let body = json::parse(text).unwrap();
        for series in json::items(json::get(&body, "series")) {
            let name = json::text(json::get(series, "metric")).unwrap();
            for point in json::items(json::get(series, "points")) {
                let [second, value] = json::items(Some(point)) else { panic!("{text}") };
                let (second, value) =
                    (json::number(Some(second)).unwrap(), json::number(Some(value)).unwrap());
                self.oldest_s = self.oldest_s.max(at_s - second);
                match name {
                    "chouette.dropped" => self.expired += value as usize,
                    "left" => self.delivered += 1,
                    _ => self.own += 1,
                }
            }
        }
    }
}

/// Leaves one series for each of so many seconds before `end_s`.
fn leave(client: &mut Client, prefix: &str, seconds: usize, end_s: f64) {
    let record = |i: usize| {
        let at = end_s - (seconds - i) as f64;
        (at, wrapped_record("left", "count", at, 1.0, &[&format!("n:{prefix}{i}")]))
    };
    client.fill(WRAPPED, prefix, &(0..seconds).map(record).collect::<Vec<_>>());
}

/// On a link slower than time itself, records grow too old while the backlog is drained: no byte is spent on those
/// either.
#[test]
fn what_expires_during_a_slow_drain_is_not_sent() {
    const WRITTEN: usize = 1_000;
    const TTL_S: u32 = 500;
    const BULK: usize = 50;
    const ANSWER: Duration = Duration::from_secs(100);
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let mut client = redis.client();
    leave(&mut client, "left", WRITTEN, START_S);
    let settings = Settings { metric_ttl_s: TTL_S, metrics_bulk_size: BULK, ..settings() };
    let mut core = Core::start(settings, Vec::new(), Mode::Forever, START_S);
    core.connect(&redis);
    core.tell(Event::ReleaseNow);
    let mut told = Told::default();
    for _ in 0..WRITTEN {
        let sent_s = core.now.wall_s;
        if core.posts.is_empty() {
            core.pass(Duration::from_secs(10));
            if client.size(WRAPPED) == 0 && core.posts.is_empty() {
                break;
            }
            continue;
        }
        core.pass(ANSWER);
        let (_, text) = core.answer(Ok(202));
        told.take(&text, sent_s);
        if told.delivered + told.expired >= WRITTEN {
            break;
        }
    }
    let value = format!(
        "delivered {}, expired and counted {}; oldest point sent {:.0} s (TTL {TTL_S})",
        told.delivered, told.expired, told.oldest_s
    );
    figure("outage long", &format!("{WRITTEN} records, an answer takes {} s", ANSWER.as_secs()), &value);
    assert!(told.oldest_s <= f64::from(TTL_S) + 1.0, "{value}");
    assert!(told.delivered + told.expired >= WRITTEN, "{value}");
}

/// What was told of drops grows too old itself; what it said must not be forgotten with it.
#[test]
fn drops_of_a_long_outage_are_counted_to_the_last() {
    const DAYS: usize = 1;
    const PER_HOUR: usize = 60;
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let mut client = redis.client();
    let settings = Settings {
        aggregate_interval_s: 600,
        capture_interval_s: 3_600,
        release_interval_s: 600,
        ..settings()
    };
    let mut core = Core::start(settings, Vec::new(), Mode::Forever, START_S);
    core.connect(&redis);
    let mut written = 0;
    for hour in 0..DAYS * 24 {
        for _ in 0..60 {
            core.pass(Duration::from_secs(60));
            while !core.posts.is_empty() {
                core.answer(Err("no route to host"));
            }
        }
        leave(&mut client, &format!("h{hour}-"), PER_HOUR, core.now.wall_s);
        written += PER_HOUR;
    }
    let mut told = Told::default();
    core.tell(Event::ReleaseNow);
    for _ in 0..10 {
        while !core.posts.is_empty() {
            let at_s = core.now.wall_s;
            let (_, text) = core.answer(Ok(202));
            told.take(&text, at_s);
        }
        core.pass(Duration::from_secs(600));
    }
    let own = told.expired + told.delivered - written;
    let value = format!(
        "written {written}, delivered {}, expired and counted {}, {own} of those its own",
        told.delivered, told.expired
    );
    figure("outage long", &format!("{DAYS} days, TTL 4 h"), &value);
    // Sizes of the queue, one for each attempt at a release.
    assert!(own <= DAYS * 24 * 3_600 / 32, "{value}");
}
