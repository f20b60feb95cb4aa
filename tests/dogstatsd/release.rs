//! Distributions, events and checks on their way: kept while the intake is not well, split where it refuses, and
//! counted where they are dropped.

use super::*;
use support::behaviour::status;

#[test]
fn nothing_is_lost_while_the_intake_is_not_well() {
    let Some(scene) = Scene::new(Intake::start(|_| status(503))) else { return };
    let _agent = scene.run(&[]);
    scene.send_udp("d:1:2|d\n_e{1,1}:a|b\n_e{1,1}:c|d\n_sc|up|0\n_sc|down|2");
    let tried = |path: &str| scene.intake.requests().iter().any(|request| request.path.ends_with(path));
    let paths = ["/v1/distribution_points", "/v1/events", "/v1/check_run"];
    assert!(wait_until(SOON, || paths.iter().all(|path| tried(path))));
    scene.intake.behave(|_| status(202));
    assert!(wait_until(support::PATIENT, || paths.iter().all(|path| !scene.accepted(path).is_empty())));
    assert!(
        wait_until(SOON, || scene.accepted("/v1/events").len() == 2),
        "each event in a request of its own"
    );
    assert_eq!(scene.accepted("/v1/check_run").len(), 1);
    let [distribution] = &scene.accepted("/v1/distribution_points")[..] else { panic!("one request") };
    assert_eq!(distribution.header("content-encoding"), Some("deflate"));
    let mut client = scene.redis.client();
    let queues = ["distributions", "events", "checks"].map(|name| format!("chouette:{name}:wrapped"));
    assert!(wait_until(SOON, || queues.iter().all(|queue| client.size(queue) == 0)), "acknowledged");
}

#[test]
fn a_record_that_the_intake_refuses_goes_alone() {
    let Some(scene) =
        Scene::new(Intake::start(|request| status(if request.text.contains("poison") { 400 } else { 202 })))
    else {
        return;
    };
    let agent = scene.run(&[("SEND_SELF_METRICS", "true")]);
    scene.send_udp("d1:1|d\npoison.d:2|d\nd3:3|d\n_e{6,1}:poison|b\n_e{1,1}:c|d\n_sc|up|0\n_sc|poison|2");
    scene.wait_for_sum("chouette.dropped", 3.0);
    let requests = scene.accepted("/v1/distribution_points");
    let mut names: Vec<String> = requests
        .iter()
        .flat_map(|request| request.series().to_vec())
        .map(|series| json::text(json::get(&series, "metric")).unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["d1", "d3"]);
    assert_eq!((scene.accepted("/v1/events").len(), scene.accepted("/v1/check_run").len()), (1, 1));
    assert!(agent.stderr().contains("dropped an event that begins with"), "{}", agent.stderr());
}

#[test]
fn what_waits_survives_a_crash_and_is_nothing_where_dogstatsd_is_off() {
    let Some(scene) = Scene::new(Intake::start(|_| status(503))) else { return };
    let mut agent = scene.run(&[]);
    scene.send_unix("a.count:5|c\nd:1|d\n_sc|up|0");
    let mut client = scene.redis.client();
    let stored = wait_until(SOON, || {
        ["metrics", "distributions", "checks"]
            .iter()
            .all(|name| client.size(&format!("chouette:{name}:wrapped")) > 0)
    });
    assert!(stored);
    agent.kill();
    scene.intake.behave(|_| status(202));
    let mut agent =
        Agent::run(&agent::with(scene.env(&[]), &[("DOGSTATSD_PORT", "0"), ("DOGSTATSD_SOCKET", "")]));
    scene.wait_for_sum("a.count", 5.0);
    assert_eq!(client.size("chouette:checks:wrapped"), 1, "kept for when it is on again");
    agent.kill();
    let _agent = scene.run(&[]);
    assert!(wait_until(SOON, || !scene.accepted("/v1/check_run").is_empty()));
    assert!(wait_until(SOON, || !scene.accepted("/v1/distribution_points").is_empty()));
}
