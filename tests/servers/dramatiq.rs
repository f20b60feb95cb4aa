//! The plugin `dramatiq` and a real Redis.

use crate::support::agent::Agent;
use crate::support::{SOON, json, wait_until};
use crate::{Bench, failures};

use std::collections::BTreeSet;

const QUEUE_SIZE: &str = "Chouette.dramatiq.queue_size";

#[test]
fn queues_are_found_among_many_keys_and_redis_is_never_held_up() {
    const QUEUES: usize = 120;
    let Some(bench) = Bench::new() else {
        return;
    };
    let mut redis = bench.redis.client();
    let fill = "for i = 1, 5000 do redis.call('SET', 'noise:' .. i, i) end
        for i = 1, tonumber(ARGV[1]) do
            for j = 1, i do redis.call('HSET', 'dramatiq:q' .. i .. '.msgs', j, 'message') end
        end";
    redis.run::<()>(&["EVAL", fill, "0", &QUEUES.to_string()]);
    redis.run::<()>(&["SET", "dramatiq:text.msgs", "no hash"]);
    redis.run::<()>(&["CONFIG", "RESETSTAT"]);
    let mut agent = Agent::run_once(&bench.env("dramatiq", &[]));
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());

    let store = bench.store();
    let mut queues = BTreeSet::new();
    for (key, held) in store.series(QUEUE_SIZE) {
        let n: usize = key.tags[0].strip_prefix("queue:q").unwrap().parse().unwrap();
        assert!(held.points.values().all(|size| json::close(*size, n as f64)), "{key:?} {held:?}");
        queues.insert(n);
    }
    assert_eq!(queues, (1..=QUEUES).collect());
    assert_eq!(failures(&bench.intake.requests(), "dramatiq"), 0.0);
    let commands: String = redis.run(&["INFO", "commandstats"]);
    assert!(commands.contains("cmdstat_scan") && !commands.contains("cmdstat_keys"), "{commands}");
    assert!(!agent.stderr().contains("WARN"), "{}", agent.stderr());
}

#[test]
fn readings_come_back_with_redis() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let hash = ["HSET", "dramatiq:mail.msgs", "1", "message"];
    bench.redis.client().run::<()>(&hash);
    let agent = Agent::run(&bench.env("dramatiq", &[]));
    let points = |bench: &Bench| {
        bench.store().series(QUEUE_SIZE).iter().map(|(_, held)| held.points.len()).sum::<usize>()
    };
    assert!(wait_until(SOON, || points(&bench) >= 1));
    bench.redis.stop();
    assert!(agent.wait_for_line(SOON, "dramatiq: redis: no connection"), "{}", agent.stderr());
    bench.redis.launch();
    let before = points(&bench);
    bench.redis.client().run::<()>(&hash);
    assert!(wait_until(SOON, || points(&bench) > before), "{}", agent.stderr());
    assert!(agent.wait_for_line(SOON, "dramatiq: works again"), "{}", agent.stderr());
}
