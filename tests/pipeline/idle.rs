//! An agent with nothing to do keeps quiet.

use crate::support::behaviour::status;
use crate::support::{PATIENT, SOON, wait_until};
use crate::{Bench, arrives, push_gauge, run_until_ready};

/// Commands that Redis has carried out for others than this client.
fn commands(client: &mut crate::support::redis::Client) -> u64 {
    let statistics: String = client.run(&["INFO", "stats"]);
    let count = statistics
        .lines()
        .find_map(|line| line.strip_prefix("total_commands_processed:"))
        .unwrap();
    count.trim().parse().unwrap()
}

#[test]
fn nothing_is_logged_and_nothing_is_sent_while_there_is_nothing_to_do() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let agent = run_until_ready(&bench, &["run"], &bench.env_with(&[("LOG_LEVEL", "INFO")]));
    assert!(arrives(&bench.intake, "ready", SOON));
    assert!(bench.drained(SOON));
    let mut client = bench.redis.client();
    // What was said about the last release may still be on its way; then the log must stand still.
    let mut log = agent.stderr();
    let mut rounds = 0;
    let mut last = commands(&mut client);
    let quiet_rounds = wait_until(PATIENT, || {
        let now = commands(&mut client);
        // Each look costs one command itself; more than that is the agent asking for work.
        if now > last + 1 {
            rounds += 1;
            if rounds == 2 {
                log = agent.stderr();
            }
        }
        last = now;
        rounds >= 6
    });
    assert!(quiet_rounds, "the agent has stopped looking for work");
    assert_eq!(agent.stderr(), log, "an idle agent writes to its log");
    assert_eq!(
        bench.intake.requests().len(),
        1,
        "an idle agent sends requests"
    );
}

#[test]
fn a_round_with_work_is_one_line_each() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let agent = run_until_ready(&bench, &["run"], &bench.env_with(&[("LOG_LEVEL", "INFO")]));
    assert!(arrives(&bench.intake, "ready", SOON));
    assert!(bench.drained(SOON));
    let lines_before = agent.stderr().lines().count();
    push_gauge(&mut bench.redis.client(), "one", 1.0);
    assert!(arrives(&bench.intake, "one", SOON));
    assert!(bench.drained(SOON));
    assert!(wait_until(SOON, || agent.stderr().lines().count() >= lines_before + 2));
    assert_eq!(
        agent.stderr().lines().count(),
        lines_before + 2,
        "{}",
        agent.stderr()
    );
}
