//! What each signal does.

use crate::support::behaviour::status;
use crate::support::queues::Sizes;
use crate::support::temp::TempDir;
use crate::support::{SOON, wait_until};
use crate::{Bench, arrives, push_gauge, run_until_ready};

use std::time::Duration;

/// An idle agent has nothing to finish; the rest is for the machine.
const IDLE_END_LIMIT: Duration = Duration::from_secs(3);

#[test]
fn sigusr1_releases_now() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let agent = run_until_ready(&bench, &["run"], &bench.env_with(&[("RELEASE_INTERVAL", "3600")]));
    let mut client = bench.redis.client();
    for metric in ["first", "second"] {
        push_gauge(&mut client, metric, 1.0);
        assert!(wait_until(SOON, || client.sizes().raw == 0 && client.sizes().wrapped > 0));
        let before = bench.intake.requests();
        assert!(
            before.iter().all(|request| !request.text.contains(metric)),
            "{metric} did not wait for the signal"
        );
        agent.signal("USR1");
        assert!(arrives(&bench.intake, metric, SOON), "{metric}");
        assert!(bench.drained(SOON));
    }
}

#[test]
fn sigterm_and_sigint_end_an_idle_agent_at_once() {
    for signal in ["TERM", "INT"] {
        let Some(bench) = Bench::new(|_| status(202)) else {
            return;
        };
        let mut agent = run_until_ready(&bench, &["run"], &bench.env());
        assert!(arrives(&bench.intake, "ready", SOON));
        agent.signal(signal);
        assert_eq!(agent.wait(IDLE_END_LIMIT), Some(0), "{signal}");
        assert_eq!(bench.redis.client().sizes(), Sizes::EMPTY);
    }
}

#[test]
fn sighup_reads_the_configuration_again() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let dir = TempDir::new();
    let file = dir.write("agent.env", "# a comment\nGLOBAL_TAGS=[\"generation:1\"]\nHOST=board-1\n");
    let arguments = ["run", "--env-file", &file.to_string_lossy()];
    let mut agent = run_until_ready(&bench, &arguments, &bench.env());
    let mut client = bench.redis.client();
    let mut arrives_with = |metric: &str, tag: &str, host: &str| {
        push_gauge(&mut client, metric, 1.0);
        assert!(arrives(&bench.intake, metric, SOON), "{metric}");
        let store = bench.store();
        let (key, _) = store.only(metric);
        assert_eq!(
            (key.tags.as_slice(), key.host.as_deref()),
            (&[tag.to_owned()][..], Some(host)),
            "{metric}"
        );
    };
    arrives_with("first", "generation:1", "board-1");

    dir.write("agent.env", "GLOBAL_TAGS=[\"generation:2\"]\nHOST=board-2\n");
    let log_before = agent.stderr().len();
    agent.signal("HUP");
    assert!(wait_until(SOON, || agent.stderr().len() > log_before), "a reload is not mentioned");
    arrives_with("second", "generation:2", "board-2");

    // The environment wins over the file, so the mistake has to be in what only the file sets.
    dir.write("agent.env", "GLOBAL_TAGS=[\"generation:3\"]\nLOG_TTL=soon\nHOST=board-3\n");
    agent.signal("HUP");
    assert!(agent.wait_for_line(SOON, "LOG_TTL"), "the log does not name what is wrong");
    assert!(agent.is_running());
    arrives_with("third", "generation:2", "board-2");

    dir.write("agent.env", "GLOBAL_TAGS=[\"generation:4\"]\nHOST=board-4\n");
    let log_before = agent.stderr().len();
    agent.signal("HUP");
    assert!(wait_until(SOON, || agent.stderr().len() > log_before));
    arrives_with("fourth", "generation:4", "board-4");
    agent.signal("TERM");
    assert_eq!(agent.wait(SOON), Some(0));
}
