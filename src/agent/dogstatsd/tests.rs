//! DogStatsD through the agent: what comes in, and what the outbox has for Redis.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::agent::cx::Shared;
use crate::agent::simulation;
use crate::agent::{Action, Now, Settings, Stream};
use crate::limits::dogstatsd::{VALUES_PER_RECORD, WEIGHT_MAX};
use crate::limits::{BUCKET_BYTES_MAX, OUTBOX_BYTES_MAX, OUTBOX_SERIES_MAX};
use crate::release::Random;

const START_S: f64 = 1_700_000_000.0;

struct World {
    dogstatsd: Dogstatsd,
    outbox: Outbox,
    shared: Shared,
    start: Instant,
    now: Now,
}

impl World {
    fn new(settings: Settings) -> World {
        let start = Instant::now();
        World {
            dogstatsd: Dogstatsd::default(),
            outbox: Outbox::default(),
            shared: Shared::new("me".to_owned(), settings, Random::new(1), false),
            start,
            now: Now { mono: start, wall_s: START_S },
        }
    }

    /// The intervals of ten seconds begin with the clock.
    fn with_contexts(dogstatsd_contexts_max: usize) -> World {
        World::new(Settings {
            dogstatsd_contexts_max: Some(dogstatsd_contexts_max),
            ..simulation::settings()
        })
    }

    fn at(&mut self, seconds: f64) -> &mut World {
        let mono = self.start + Duration::from_secs_f64(seconds);
        self.now = Now { mono, wall_s: START_S + seconds };
        self
    }

    fn receive(&mut self, datagram: &str) -> &mut World {
        let mut actions: Vec<Action> = Vec::new();
        let cx = &mut self.shared.cx(self.now, &mut actions);
        self.dogstatsd.receive(datagram.as_bytes(), false, &mut self.outbox, cx);
        assert!(actions.is_empty());
        self
    }

    fn close(&mut self) -> &mut World {
        self.dogstatsd.close(&mut self.outbox, &mut self.shared.cx(self.now, &mut Vec::new()));
        self
    }

    /// What waits for Redis, once everything closed has become series.
    fn stored(&mut self) -> Vec<String> {
        self.stored_of(Stream::Metrics)
    }

    fn stored_of(&mut self, stream: Stream) -> Vec<String> {
        let mut actions = Vec::new();
        while self.dogstatsd.has_work(&self.outbox) {
            self.dogstatsd.work(&mut self.outbox, &mut self.shared.cx(self.now, &mut actions));
        }
        self.outbox
            .waiting(stream)
            .iter()
            .map(|entry| String::from_utf8_lossy(&entry.json).into_owned())
            .collect()
    }

    fn flushed(&mut self) -> Vec<String> {
        self.close().stored()
    }

    fn counted(&mut self) -> BTreeMap<String, u64> {
        let series = self.shared.telemetry.take(10, 0.0);
        let value = |series: &Series| series.point.value.as_f64() as u64;
        series
            .iter()
            .map(|series| (format!("{}{}", series.name, series.tags.as_str()), value(series)))
            .collect()
    }
}

fn count(name: &str, seconds: u64, value: u64) -> String {
    let at = 1_700_000_000 + seconds;
    format!(r#"{{"metric":"{name}","tags":[],"points":[[{at},{value}]],"type":"count","interval":10}}"#)
}

#[test]
fn samples_of_an_interval_become_its_series_when_it_is_over() {
    let mut world = World::with_contexts(100);
    world.at(1.0).receive("a:1|c\na:2|c|@0.5\nt:4:5|g|#x");
    world.at(9.0).receive("a:3|c\nrubbish");
    world.at(10.5).receive("a:7|c");
    assert!(world.at(10.6).flushed().is_empty(), "the last second has its second");
    let gauge = r#"{"metric":"t","tags":["x"],"points":[[1700000001,5]],"type":"gauge"}"#;
    assert_eq!(world.at(11.0).flushed(), [count("a", 1, 8), gauge.to_owned()]);
    assert_eq!(world.at(21.0).flushed()[2..], [count("a", 10, 7).replace("10,7", "10.5,7")]);
    let counted = world.counted();
    assert_eq!(counted["chouette.dogstatsd.received[]"], 6);
    assert_eq!(counted["chouette.dogstatsd.bad[\"reason:malformed\"]"], 1);
}

#[test]
fn a_timestamped_point_goes_by_as_it_is() {
    let mut world = World::with_contexts(100);
    world.at(1.0).receive("a:1:2|c|T1699999000|@0.5\ng:3|g|T1699999001");
    let point = |name: &str, at: u64, value: u64, rest: &str| {
        format!(r#"{{"metric":"{name}","tags":[],"points":[[{at},{value}]],"type":{rest}}}"#)
    };
    let counts = r#""count","interval":10"#;
    let expected = [
        point("a", 1_699_999_000, 2, counts),
        point("a", 1_699_999_000, 4, counts),
        point("g", 1_699_999_001, 3, r#""gauge""#),
    ];
    assert_eq!(world.stored(), expected);
    let scores: Vec<f64> = world.outbox.waiting(Stream::Metrics).iter().map(|entry| entry.score_s).collect();
    assert_eq!(scores, [START_S + 1.0; 3], "it grows old from now on");
    let many = format!("a{}|c|T1699999000", ":1".repeat(POINTS_WAITING_MAX));
    assert_eq!(world.receive(&many).stored().len(), POINTS_WAITING_MAX);
    assert_eq!(world.counted()["chouette.dropped[\"reason:outbox_full\"]"], 3);
}

#[test]
fn contexts_beyond_the_bound_are_dropped_and_known_ones_are_not() {
    let mut world = World::with_contexts(2);
    world.at(1.0).receive("a:1|c\nb:1|d\nc:1|c\nc:1|c|#x\na:1|c\nb:5|d");
    world.at(10.2).receive("c:9|c");
    assert_eq!(world.dogstatsd.open.iter().map(Open::contexts).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(world.at(11.0).flushed()[..1], [count("a", 1, 2)]);
    assert_eq!(world.counted()["chouette.dropped[\"reason:dogstatsd_contexts\"]"], 2);
    assert!(world.dogstatsd.beyond.report(2, world.now.mono).is_none(), "told with the flush");
}

#[test]
fn what_comes_before_the_clock_is_set_is_stamped_when_it_is() {
    let mut world = World::new(Settings {
        clock_believable_from_s: START_S,
        dogstatsd_contexts_max: Some(100),
        ..simulation::settings()
    });
    let boot = |world: &mut World, seconds: f64| {
        world.at(seconds);
        world.now.wall_s = seconds;
    };
    boot(&mut world, 3.0);
    world.receive("a:1|c");
    boot(&mut world, 14.0);
    world.receive("a:2|c");
    assert!(world.flushed().is_empty());
    assert_eq!(world.at(20.0).flushed(), [count("a", 3, 1), count("a", 14, 2)]);
    boot(&mut world, 30.0);
    for interval in 0..UNSTAMPED_INTERVALS_MAX + 5 {
        boot(&mut world, 30.0 + interval as f64 * 10.0);
        world.receive("a:1|c\nb:1|g").close();
    }
    assert_eq!(world.counted()["chouette.dropped[\"reason:clock\"]"], 10);
}

#[test]
fn a_step_of_the_clock_or_the_end_closes_everything() {
    let mut world = World::with_contexts(100);
    world.at(1.0).receive("a:1|c");
    world.dogstatsd.close_all(&mut world.shared.cx(world.now, &mut Vec::new()));
    assert!(!world.dogstatsd.is_drained());
    assert_eq!(world.stored(), [count("a", 1, 1)]);
    assert!(world.dogstatsd.is_drained());
}

#[test]
fn a_bucket_that_is_full_is_closed_early() {
    let mut world = World::with_contexts(100);
    world.at(1.0);
    let datagram = format!("h{}|h", ":1".repeat(4_000));
    for _ in 0..BUCKET_BYTES_MAX / (4_000 * size_of::<f64>()) + 1 {
        world.receive(&datagram);
    }
    assert!(!world.dogstatsd.is_drained(), "before the flush");
}

#[test]
fn memory_is_bounded_while_redis_is_away() {
    let mut world = World::with_contexts(OUTBOX_SERIES_MAX);
    world.at(1.0);
    for i in 0..OUTBOX_SERIES_MAX {
        world.receive(&format!("m{i}:1|c"));
    }
    world.at(11.0).receive("late:1|c").close();
    assert_eq!(world.stored().len(), OUTBOX_SERIES_MAX);
    let last = world.at(21.0).flushed().pop();
    assert_eq!(last, Some(count("late", 11, 1)));
    assert_eq!(world.counted()["chouette.dropped[\"reason:outbox_full\"]"], 1);
}

#[test]
fn series_are_made_slice_by_slice() {
    let mut world = World::with_contexts(5_000);
    world.at(1.0);
    for i in 0..CONTEXTS_PER_SLICE + 1 {
        world.receive(&format!("m{i}:1|c"));
    }
    world.at(11.0).close();
    world.dogstatsd.work(&mut world.outbox, &mut world.shared.cx(world.now, &mut Vec::new()));
    assert_eq!(world.outbox.len(), CONTEXTS_PER_SLICE);
    const { assert!(CONTEXTS_PER_SLICE < SERIES_WAITING) };
    assert_eq!(shown(&[b'x'; 1_000]).len(), SHOWN_BYTES_MAX);
}

#[test]
fn values_of_a_distribution_go_as_they_are() {
    let mut world = World::with_contexts(100);
    world.at(1.5).receive("d:1:2.5|d|#k:v\nd:7|d|#k:v|@0.5\ne:1|d|@0.0001");
    world.at(11.0).close();
    let found = world.stored_of(Stream::Distributions);
    let head = |name: &str, tags: &str| {
        format!(r#"{{"metric":"{name}","type":"distribution","tags":{tags},"points":"#)
    };
    assert_eq!(found[0], head("d", r#"["k:v"]"#) + "[[1700000001,[1,2.5,7,7]]]}");
    let thousand = vec!["1"; WEIGHT_MAX as usize].join(",");
    assert_eq!(found[1], head("e", "[]") + &format!("[[1700000001,[{thousand}]]]}}"));
    assert_eq!(world.counted()["chouette.dropped[\"reason:dogstatsd_weight\"]"], 9_000);
    let mut world = World::with_contexts(100);
    world.at(1.0).receive(&format!("d{}|d", ":1".repeat(VALUES_PER_RECORD + 1)));
    world.at(11.0).close();
    let found = world.stored_of(Stream::Distributions);
    let values = |record: &String| record.matches(['1']).count() - record.matches("1700000001").count() * 2;
    assert_eq!(found.iter().map(values).collect::<Vec<_>>(), [VALUES_PER_RECORD, 1]);
}

#[test]
fn events_and_checks_are_the_objects_of_the_api() {
    let mut world = World::with_contexts(100);
    world.at(1.5).receive(concat!(
        "_e{4,6}:a\\nb|c\\nd \"|k:key|p:low|s:src|t:error|h:pi|#b:2,a:1\n",
        "_sc|door.up|2|h:pi|#a:1|m:stuck\n",
        "_e{1,1}:x|y|d:1600000000\n_sc|c|0|d:1600000000"
    ));
    let events = world.stored_of(Stream::Events);
    let first = r#"{"title":"a\nb","text":"c\nd \"","priority":"low","alert_type":"error","host":"pi","aggregation_key":"key","source_type_name":"src","tags":["a:1","b:2"],"date_happened":1700000001}"#;
    let second = r#"{"title":"x","text":"y","priority":"normal","alert_type":"info","tags":[],"date_happened":1600000000}"#;
    assert_eq!(events, [first, second]);
    let checks = world.stored_of(Stream::Checks);
    let first = r#"{"check":"door.up","status":2,"host_name":"pi","message":"stuck","tags":["a:1"],"timestamp":1700000001}"#;
    assert_eq!(checks, [first, r#"{"check":"c","status":0,"tags":[],"timestamp":1600000000}"#]);
    let scores: Vec<f64> = world.outbox.waiting(Stream::Events).iter().map(|entry| entry.score_s).collect();
    assert_eq!(scores, [START_S + 1.0, 1_600_000_000.0]);
}

#[test]
fn events_wait_for_the_clock_and_for_redis_in_bounded_number() {
    let mut world = World::new(Settings {
        clock_believable_from_s: START_S,
        dogstatsd_contexts_max: Some(100),
        ..simulation::settings()
    });
    world.at(2.0).now.wall_s = 2.0;
    for _ in 0..RECORDS_UNSTAMPED_MAX + 2 {
        world.receive("_e{1,1}:x|y");
    }
    assert!(world.stored_of(Stream::Events).is_empty());
    assert_eq!(world.counted()["chouette.dropped[\"reason:clock\"]"], 2);
    world.at(5.0).close();
    let found = world.stored_of(Stream::Events);
    assert_eq!(found.len(), RECORDS_UNSTAMPED_MAX);
    assert!(found.iter().all(|event| event.ends_with(r#""date_happened":1700000002}"#)));
    let large = format!("_e{{1,4000}}:x|{}", "y".repeat(4_000));
    for _ in 0..OUTBOX_BYTES_MAX / 4_000 + 10 {
        world.receive(&large);
    }
    let bytes: usize = world.stored_of(Stream::Events).iter().map(String::len).sum();
    assert!((OUTBOX_BYTES_MAX - 5_000..=OUTBOX_BYTES_MAX).contains(&bytes), "{bytes}");
    assert!(world.counted()["chouette.dropped[\"reason:outbox_full\"]"] > RECORDS_UNSTAMPED_MAX as u64);
}
