//! It answers when something is broken, which is when it is needed.

use super::*;
use chouette_iot::limits::status::ANSWER_S;
use std::time::{Duration, Instant};
use support::behaviour::status;
use support::bench::push_gauge;
use support::figures::figure;

const GROUP: &str = "status";
const AT_ONCE: Duration = Duration::from_millis(100);

/// The fastest of some answers: a busy machine may hold up one of them.
fn fastest(scene: &Scene) -> Duration {
    let took = |_| {
        let started = Instant::now();
        scene.ask(&["--json"]);
        started.elapsed()
    };
    (0..5).map(took).min().unwrap()
}

#[test]
fn without_a_network_it_answers_at_once_and_says_what_is_wrong() {
    let Some(mut scene) = Scene::new(|_| status(202)) else { return };
    scene.bench.intake.leave();
    push_gauge(&mut scene.bench.redis.client(), "waits", 1.0);
    let _agent = scene.run(&[]);
    let document = scene.comes(|document| {
        number(document, &["streams", "metrics", "retry_in_s"]).is_some()
            && number(document, &["streams", "metrics", "failing_s"])
                .is_some_and(|failing_s| failing_s >= 2.0)
    });
    assert!(text(&document, &["streams", "metrics", "problem"]).unwrap().contains("connect"));
    assert_eq!(number(&document, &["streams", "metrics", "queued"]), Some(1.0));
    assert_eq!(scene.ask(&[]).status.code(), Some(0), "it has not been long");
    assert_eq!(scene.ask(&["--alive"]).status.code(), Some(0));
    let took = fastest(&scene);
    assert!(took < AT_ONCE, "{took:?}");
    figure(GROUP, "answer without a network, fastest of 5", &format!("{took:.1?} (bound {AT_ONCE:?})"));
    let shown = stdout(&scene.ask(&[]));
    let line = shown.lines().find(|line| line.starts_with("✗ metrics")).unwrap_or_else(|| panic!("{shown}"));
    assert!(line.contains("failing for") && line.contains("next attempt in"), "{line}");
}

#[test]
fn without_redis_it_answers_as_well() {
    let Some(mut scene) = Scene::new(|_| status(202)) else { return };
    let _agent = scene.run(&[("COLLECTOR_PLUGINS", "host")]);
    scene.comes(|document| flag(document, &["storage", "up"]));
    scene.bench.redis.stop();
    let document = scene.comes(|document| {
        !flag(document, &["storage", "up"])
            && number(document, &["storage", "waiting"]).is_some_and(|n| n > 0.0)
    });
    assert!(text(&document, &["storage", "problem"]).is_some());
    for arguments in [&[][..], &["--alive"]] {
        assert_eq!(scene.ask(arguments).status.code(), Some(0), "it has not been long");
    }
    let shown = stdout(&scene.ask(&[]));
    assert!(shown.lines().any(|line| line.starts_with("✗ redis") && line.contains("away for")), "{shown}");
    assert!(fastest(&scene) < AT_ONCE);
}

#[test]
fn an_agent_that_hangs_is_found_out() {
    let Some(scene) = Scene::new(|_| status(202)) else { return };
    let agent = scene.run(&[]);
    scene.comes(|document| flag(document, &["alive"]));
    agent.signal("STOP");
    let started = Instant::now();
    let output = scene.ask(&["--alive"]);
    let took = started.elapsed();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&format!("within {ANSWER_S} s")), "{}", stderr(&output));
    let limit = Duration::from_secs(ANSWER_S);
    assert!((limit..limit * 2).contains(&took), "{took:?}");
    agent.signal("CONT");
    assert!(wait_until(SOON, || scene.ask(&["--alive"]).status.code() == Some(0)));
}

#[test]
fn an_agent_that_stands_by_is_well() {
    let Some(scene) = Scene::new(|_| status(202)) else { return };
    let _first = scene.run(&[]);
    scene.comes(|document| text(document, &["lease", "state"]) == Some("held"));
    let place = scene.dir.join("second").display().to_string();
    let second = Agent::run(&scene.env(&[("STATUS_SOCKET", &place)]));
    assert!(second.wait_for_line(SOON, "stands by"), "{}", second.stderr());
    let output = ask(&place, &["--json"]);
    let held_by = text(&scene.document(), &["lease", "name"]).map(str::to_owned);
    let standing_by = document(&output);
    assert_eq!(text(&standing_by, &["lease", "state"]), Some("standby"));
    assert_eq!(text(&standing_by, &["lease", "holder"]), held_by.as_deref());
    assert_eq!(output.status.code(), Some(0));
}
