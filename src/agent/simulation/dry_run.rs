//! A dry run against the simulated Redis: what would be sent is shown, and nothing leaves a queue.

use std::time::Duration;

use super::host::agent_in;
use super::redis::FakeRedis;
use super::{Action, Agent, Event, Mode, Now, START_S, Stream, beginning, settings};
use crate::queue::{Queue, RAW_METRICS, WRAPPED_LOGS, WRAPPED_METRICS};

/// Series of the application that are neither too old nor unreadable: more than one batch.
const FRESH: usize = 9;

/// One run, and how the world treats it.
struct Run {
    agent: Agent,
    redis: FakeRedis,
    now: Now,
    /// After how many replies the connection breaks.
    replies_left: usize,
    prints: bool,
    shown: Vec<(Stream, String)>,
    status: Option<u8>,
}

fn series(value: usize) -> String {
    format!(
        r#"{{"metric":"app","type":"count","interval":10,"tags":["n:{value}"],"points":[[{START_S},{value}]]}}"#
    )
}

impl Run {
    fn new() -> Run {
        let mut redis = FakeRedis::default();
        let mut write = |queue: Queue, key: &str, age_s: f64, json: &str| {
            redis.write_record(queue, key, START_S - age_s, json);
        };
        let ttl_s = f64::from(settings().metric_ttl_s);
        write(WRAPPED_METRICS, "old", ttl_s + 1.0, &series(1_000));
        write(WRAPPED_METRICS, "bad", 60.0, "{not json");
        (0..FRESH).for_each(|i| write(WRAPPED_METRICS, &format!("series-{i}"), 50.0 - i as f64, &series(i)));
        // More than one batch of logs that cannot be sent.
        (0..6).for_each(|i| write(WRAPPED_LOGS, &format!("bad-log-{i}"), 9.0, "[1]"));
        write(
            RAW_METRICS,
            "raw",
            30.0,
            &format!(r#"{{"metric":"app","type":"count","value":7,"timestamp":{START_S}}}"#),
        );
        Run {
            agent: agent_in(Mode::DryRun, 1),
            redis,
            now: beginning(),
            replies_left: usize::MAX,
            prints: true,
            shown: Vec::new(),
            status: None,
        }
    }

    fn tell(&mut self, event: Event) {
        let (now, mut actions) = (self.now, Vec::new());
        self.agent.handle(event, now, &mut actions);
        self.carry_out(actions);
        while self.agent.has_work() {
            let mut actions = Vec::new();
            self.agent.work(now, &mut actions);
            self.carry_out(actions);
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        let mut shown = Vec::new();
        for action in actions {
            match action {
                Action::Redis(request) => self.redis.send(0, request),
                Action::Show { stream, text, compressed_bytes } => {
                    assert!(
                        (1..text.len()).contains(&compressed_bytes),
                        "{compressed_bytes} of {}",
                        text.len()
                    );
                    self.shown.push((stream, String::from_utf8(text).unwrap()));
                    shown.push(match self.prints {
                        true => Event::Shown(stream),
                        false => Event::Answered(stream, Err("standard output: full".to_owned())),
                    });
                }
                Action::Exit(status) => self.status = Some(status),
                Action::Post(stream, _) => panic!("{} are sent", stream.name()),
                Action::Ask { .. } => panic!("there are no collectors"),
                Action::Arm(..) | Action::Disarm(_) => {}
            }
        }
        shown.into_iter().for_each(|event| self.tell(event));
    }

    /// Runs to the end; what was in the queues must be there.
    fn finish(mut self) -> Run {
        self.tell(Event::Started);
        self.tell(Event::RedisUp);
        while self.status.is_none() {
            match self.redis.execute_next(0).filter(|_| self.replies_left > 0) {
                Some(replies) => {
                    self.replies_left -= 1;
                    self.redis.now += Duration::from_millis(1);
                    self.tell(Event::Replies(replies));
                }
                None => self.tell(Event::RedisDown("gone".to_owned())),
            }
        }
        for i in 0..FRESH {
            assert!(self.redis.has_record(WRAPPED_METRICS, &format!("series-{i}")), "series-{i}");
        }
        let others = [
            (WRAPPED_METRICS, "old"),
            (WRAPPED_METRICS, "bad"),
            (WRAPPED_LOGS, "bad-log-0"),
            (RAW_METRICS, "raw"),
        ];
        for (queue, key) in others {
            assert!(self.redis.has_record(queue, key), "{key}");
        }
        self
    }
}

#[test]
fn a_dry_run_shows_the_first_batch_and_removes_nothing() {
    let run = Run::new().finish();
    assert_eq!(run.status, Some(0));
    let [(Stream::Metrics, text)] = &run.shown[..] else {
        panic!("{:?}", run.shown);
    };
    assert!(text.starts_with(r#"{"series":["#) && text.ends_with("]}"), "{text}");
    // The unreadable one is the first of seven.
    for i in 0..FRESH {
        assert_eq!(text.contains(&format!(r#""n:{i}""#)), i < 6, "{i}: {text}");
    }
    assert!(!text.contains("n:1000"), "it is too old: {text}");
    let queued = run.redis.sum_of_series(WRAPPED_METRICS, "app");
    assert_eq!(queued, (0..FRESH).sum::<usize>() as f64 + 1_000.0, "nothing was wrapped");
    assert!(run.redis.has_record(RAW_METRICS, "raw"));
}

#[test]
fn a_dry_run_that_cannot_print_ends_with_1_and_removes_nothing() {
    let run = Run { prints: false, ..Run::new() }.finish();
    assert_eq!((run.status, run.shown.len()), (Some(1), 1));
}

#[test]
fn a_dry_run_removes_nothing_wherever_redis_is_lost() {
    let mut cut = 0;
    while (Run { replies_left: cut, ..Run::new() }).finish().status != Some(0) {
        cut += 1;
    }
    assert!(cut > 5, "all of it took {cut} replies");
}
