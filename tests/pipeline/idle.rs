//! An agent with nothing to do keeps quiet.

use crate::support::agent::Agent;
use crate::support::behaviour::status;
use crate::support::redis::Client;
use crate::support::{PATIENT, SOON, wait_until};
use crate::{Bench, arrives, push_gauge, run_until_ready};

/// Commands that Redis has carried out for others than this client.
fn commands(client: &mut Client) -> u64 {
    let statistics: String = client.run(&["INFO", "stats"]);
    let count = statistics.lines().find_map(|line| line.strip_prefix("total_commands_processed:")).unwrap();
    count.trim().parse().unwrap()
}

/// Waits until the agent has looked for work so many times.
fn rounds_pass(client: &mut Client, wanted: usize) -> bool {
    let (mut rounds, mut last) = (0, commands(client));
    wait_until(PATIENT, || {
        let now = commands(client);
        // Each look costs one command itself; more than that is the agent's.
        rounds += usize::from(now > last + 1);
        last = now;
        rounds >= wanted
    })
}

/// An agent that has delivered something, has said so, and has nothing left to do.
fn idle_agent(bench: &Bench) -> Agent {
    let agent = run_until_ready(bench, &["run"], &bench.env_with(&[("LOG_LEVEL", "INFO")]));
    assert!(arrives(&bench.intake, "ready", SOON));
    assert!(bench.drained(SOON));
    assert!(rounds_pass(&mut bench.redis.client(), 3));
    agent
}

#[test]
fn nothing_is_logged_and_nothing_is_sent_while_there_is_nothing_to_do() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let agent = idle_agent(&bench);
    let log = agent.stderr();
    assert!(rounds_pass(&mut bench.redis.client(), 6), "the agent has stopped looking for work");
    assert_eq!(agent.stderr(), log, "an idle agent writes to its log");
    assert_eq!(bench.intake.requests().len(), 1, "an idle agent sends requests");
}

#[test]
fn a_round_with_work_is_one_line_each() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let agent = idle_agent(&bench);
    let lines_before = agent.stderr().lines().count();
    let mut client = bench.redis.client();
    push_gauge(&mut client, "one", 1.0);
    assert!(arrives(&bench.intake, "one", SOON));
    assert!(bench.drained(SOON));
    assert!(rounds_pass(&mut client, 3));
    assert_eq!(agent.stderr().lines().count(), lines_before + 2, "{}", agent.stderr());
}
