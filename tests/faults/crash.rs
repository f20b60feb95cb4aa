//! Kill -9 anywhere: of the agent, of Redis, of both.
//!
//! An application goes on writing numbered counts, some of them late, while something is killed at moments of a seed's
//! choice and started again. In the end the sums at the intake are those that were written, to the unit, whether or
//! not it stored the requests whose answers were lost; of one series and second the last point counts, as at Datadog.

mod outcome;
mod world;

use crate::support::application::Habits;
use crate::support::figures::figure;
use outcome::{Outcome, told};
use world::{Plan, World};

const GROUP: &str = "crashes";
/// The agent is killed so often, in so many worlds at once.
const KILLS: u64 = 200;
const WORLDS: u64 = 8;

/// Runs worlds at once; each does `rounds` of the same. None where there is no Redis.
fn worlds(plans: Vec<Plan>, rounds: u64, round: impl Fn(&mut World) + Sync) -> Option<Vec<Outcome>> {
    let live = |plan: Plan| {
        let mut world = World::start(plan)?;
        (0..rounds).for_each(|_| round(&mut world));
        Some(world.settle())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = plans.into_iter().map(|plan| scope.spawn(|| live(plan))).collect();
        // All of them, so that a failure ends with every world.
        let ended: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
        ended.into_iter().map(|outcome| outcome.expect("a world, as its thread says")).collect()
    })
}

/// `bound` is that of the difference between what the intake has and what Redis remembers.
fn tell(what: &str, bound: &str, outcomes: &[Outcome]) {
    figure(GROUP, what, &told(outcomes, bound));
}

const EXACT: &str = "0";
const LATE: &str = "0 but for late records that Redis forgot";

#[test]
fn kill_9_of_the_agent() {
    let plan = |seed| Plan {
        seed,
        lost_answer_one_in: if seed % 2 == 0 { 8 } else { 0 },
        habits: Habits { log_one_in: if seed % 4 == 0 { 5 } else { 0 }, ..Habits::default() },
        ..Plan::default()
    };
    let ended = worlds((1..=WORLDS).map(plan).collect(), KILLS / WORLDS, |world| {
        world.moment();
        world.kill_agent();
        world.start_agent();
    });
    let Some(outcomes) = ended else { return };
    tell("kill -9 of the agent", EXACT, &outcomes);
    for outcome in &outcomes {
        outcome.is_exact();
    }
}

#[test]
fn sigterm() {
    let plan = Plan { seed: 100, lost_answer_one_in: 8, ..Plan::default() };
    let ended = worlds(vec![plan], 25, |world| {
        world.moment();
        world.end_agent();
        world.start_agent();
    });
    let Some(outcomes) = ended else { return };
    tell("SIGTERM", EXACT, &outcomes);
    outcomes[0].is_exact();
}

/// A process that is killed has told the kernel of every write it said yes to, whenever the disk hears of it. Only
/// while a sync takes long, `everysec` holds writes back.
#[test]
fn kill_9_of_redis() {
    for (seed, syncs_always) in [(200, true), (201, false)] {
        let plan = |seed| Plan { seed, syncs_always, lost_answer_one_in: 8, ..Plan::default() };
        let ended = worlds(vec![plan(seed), plan(seed + 10)], 12, |world| {
            world.moment();
            world.kill_redis();
            world.goes_on();
        });
        let Some(outcomes) = ended else { return };
        tell(
            &format!("kill -9 of Redis, {}", policy(syncs_always)),
            if syncs_always { EXACT } else { LATE },
            &outcomes,
        );
        for outcome in &outcomes {
            if syncs_always {
                outcome.is_what_redis_remembers();
            } else {
                outcome.is_what_redis_remembers_or_late();
            }
        }
    }
}

/// What the disk had not been told of is gone: up to a second with `everysec`. Records as young as that are on their
/// way to the intake only if they came late; without those it has exactly what Redis remembers.
#[test]
fn the_power_of_redis_fails() {
    let punctual = Habits { late_one_in: 0, ..Habits::default() };
    let plan = |seed| Plan { seed, unsynced_ms_max: 500, habits: punctual.clone(), ..Plan::default() };
    let ended = worlds(vec![plan(300), plan(301)], 15, |world| {
        let synced = world.releases_what_is_unsynced();
        world.cut_power_of_redis(&synced);
        world.goes_on();
    });
    let Some(outcomes) = ended else { return };
    tell("power of Redis fails amid a release, everysec", EXACT, &outcomes);
    for outcome in &outcomes {
        outcome.is_what_redis_remembers();
    }
    let plan = |seed| Plan { seed, unsynced_ms_max: 700, lost_answer_one_in: 8, ..Plan::default() };
    let ended = worlds(vec![plan(310), plan(311)], 15, |world| {
        world.moment();
        let synced = world.synced();
        world.writes_on();
        world.cut_power_of_redis(&synced);
        world.goes_on();
    });
    let Some(outcomes) = ended else { return };
    tell("power of Redis fails, everysec", LATE, &outcomes);
    for outcome in &outcomes {
        outcome.is_what_redis_remembers_or_late();
    }
}

#[test]
fn kill_9_of_both() {
    let plan = Plan { seed: 400, syncs_always: true, lost_answer_one_in: 8, ..Plan::default() };
    let ended = worlds(vec![plan], 12, |world| {
        world.moment();
        world.kill_agent();
        world.kill_redis();
        world.start_agent();
    });
    let Some(outcomes) = ended else { return };
    tell("kill -9 of both, always", EXACT, &outcomes);
    outcomes[0].is_what_redis_remembers();
}

#[test]
fn the_power_of_both_fails() {
    let plan = Plan { seed: 500, unsynced_ms_max: 700, lost_answer_one_in: 8, ..Plan::default() };
    let ended = worlds(vec![plan], 12, |world| {
        world.moment();
        let synced = world.synced();
        world.writes_on();
        world.kill_agent();
        world.cut_power_of_redis(&synced);
        world.start_agent();
    });
    let Some(outcomes) = ended else { return };
    tell("power of both fails, everysec", LATE, &outcomes);
    outcomes[0].is_what_redis_remembers_or_late();
}

fn policy(syncs_always: bool) -> &'static str {
    if syncs_always { "always" } else { "everysec" }
}
