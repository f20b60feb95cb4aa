//! A fleet that comes back after an outage does not come back in one instant.

use super::SLACK_S;
use crate::support::agent::{self, Agent, with};
use crate::support::behaviour::{Answer, Behaviour, answer, status};
use crate::support::figures::figure;
use crate::support::intake::{Intake, Request};
use crate::support::queues::{WRAPPED, wrapped_record};
use crate::support::redis::{Options, RedisServer};
use crate::support::{PATIENT, unix_now};

use std::sync::Arc;
use std::time::Instant;

const BOARDS: usize = 20;
/// A stampede is judged by the most boards in a window of this length.
const WINDOW_S: f64 = 0.1;
const BOARDS_PER_WINDOW_MAX: usize = BOARDS / 2;

/// What a fleet did: of each board, when it was refused and when accepted.
struct Return {
    refused: Vec<Vec<Instant>>,
    accepted: Vec<Instant>,
}

/// The board that a request is of.
fn board_of(request: &Request) -> Option<usize> {
    (0..BOARDS).find(|board| request.text.contains(&format!("\"fleet.{board}\"")))
}

/// Boards that start together meet with `trouble` until `is_over` the outage, by how often each was refused.
fn comes_back(trouble: Behaviour, is_over: fn(&[usize], usize) -> bool) -> Option<Return> {
    let databases = (BOARDS + 1).to_string();
    let redis =
        RedisServer::start_with(&Options { arguments: &["--databases", &databases], ..Options::default() })?;
    let mut refusals = vec![0; BOARDS];
    let intake = Intake::start(move |request| match board_of(request) {
        Some(board) if !is_over(&refusals, board) => {
            refusals[board] += 1;
            trouble.clone()
        }
        _ => status(202),
    });
    let agents: Vec<Agent> = (0..BOARDS).map(|board| start(board, &redis, &intake)).collect();
    let has_come = |requests: &[Arc<Request>], board| {
        requests.iter().any(|request| request.acknowledged && board_of(request) == Some(board))
    };
    let all = |requests: &[Arc<Request>]| (0..BOARDS).all(|board| has_come(requests, board));
    assert!(intake.wait_for(PATIENT, all), "not all boards came back");
    drop(agents);
    let mut seen = Return { refused: vec![Vec::new(); BOARDS], accepted: Vec::new() };
    for request in intake.requests() {
        match board_of(&request) {
            Some(_) if request.acknowledged => seen.accepted.push(request.at?),
            Some(board) => seen.refused[board].push(request.at?),
            None => {}
        }
    }
    assert_eq!(seen.accepted.len(), BOARDS, "each board's record was accepted once");
    Some(seen)
}

/// A board with one record to release, and a database of its own.
fn start(board: usize, redis: &RedisServer, intake: &Intake) -> Agent {
    let base = (unix_now() - 60) as f64;
    let db = i64::try_from(board).unwrap();
    let record = wrapped_record(&format!("fleet.{board}"), "count", base, 1.0, &[]);
    redis.client_of_db(db).fill(WRAPPED, "left", &[(base, record)]);
    let url = format!("{}/{db}", redis.url().trim_end_matches("/0"));
    Agent::run(&with(agent::env(&url, intake), &[("HOST", &format!("board-{board}"))]))
}

/// The most moments within a window.
fn crowd(moments: &[Instant]) -> usize {
    let within = |from: &Instant| {
        let after_s = moments.iter().filter_map(|at| at.checked_duration_since(*from));
        after_s.filter(|after| after.as_secs_f64() < WINDOW_S).count()
    };
    moments.iter().map(within).max().unwrap_or_default()
}

/// Tells of the return and fails if it was a stampede.
fn check_spread(what: &str, seen: &Return) {
    let (first, last) = (seen.accepted.iter().min().unwrap(), seen.accepted.iter().max().unwrap());
    let spread_s = (*last - *first).as_secs_f64();
    let crowd = crowd(&seen.accepted);
    let value =
        format!("over {spread_s:.2} s; within {WINDOW_S} s at most {crowd} (bound {BOARDS_PER_WINDOW_MAX})");
    figure("answers fleet", &format!("{BOARDS} boards back {what}"), &value);
    assert!(crowd <= BOARDS_PER_WINDOW_MAX, "{what}: a stampede: {value}");
}

#[test]
fn a_fleet_comes_back_from_an_outage_spread() {
    let twice_each = |refusals: &[usize], _| refusals.iter().all(|count| *count >= 2);
    if let Some(seen) = comes_back(status(503), twice_each) {
        check_spread("after an outage of 503", &seen);
    }
}

#[test]
fn a_fleet_that_was_told_one_time_does_not_come_back_at_it() {
    const ASKED_S: f64 = 8.0;
    let slow_down = Answer { headers: vec![("Retry-After", ASKED_S.to_string())], ..answer(429) };
    let once_each = |refusals: &[usize], board: usize| refusals[board] >= 1;
    let Some(seen) = comes_back(Behaviour::Answer(slow_down), once_each) else {
        return;
    };
    let told: Vec<Instant> = seen.refused.iter().flatten().copied().collect();
    let soonest = *seen.accepted.iter().min().unwrap() - *told.iter().min().unwrap();
    let latest = *seen.accepted.iter().max().unwrap() - *told.iter().max().unwrap();
    let value = format!(
        "{:.2} to {:.2} s (bound {ASKED_S} to {})",
        soonest.as_secs_f64(),
        latest.as_secs_f64(),
        ASKED_S * 1.25
    );
    figure("answers fleet", &format!("waits after Retry-After {ASKED_S}"), &value);
    assert!(soonest.as_secs_f64() >= ASKED_S - 0.01, "{value}");
    assert!(latest.as_secs_f64() <= ASKED_S * 1.25 + SLACK_S, "{value}");
    check_spread(&format!("after Retry-After {ASKED_S}"), &seen);
}
