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

/// What a fleet did: when each board was refused, and when accepted.
struct Return {
    refused: Vec<Vec<Instant>>,
    /// Board and time.
    accepted: Vec<(usize, Instant)>,
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
            Some(board) if request.acknowledged => seen.accepted.push((board, request.at?)),
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

impl Return {
    /// Of each board, the seconds between its last refusal and its acceptance.
    fn waits_s(&self) -> Vec<f64> {
        let last = |board: usize| *self.refused[board].last().unwrap();
        self.accepted.iter().map(|(board, at)| (*at - last(*board)).as_secs_f64()).collect()
    }

    /// When each board was accepted, in seconds after some moment.
    fn moments_s(&self) -> Vec<f64> {
        let first = self.accepted[0].1;
        self.accepted.iter().map(|(_, at)| (*at - first).as_secs_f64()).collect()
    }
}

/// Fails if most boards did something at once; tells of it.
fn check_spread(what: &str, seconds: &[f64]) {
    let within = |from: f64| seconds.iter().filter(|at| (from..from + WINDOW_S).contains(*at)).count();
    let crowd = seconds.iter().map(|from| within(*from)).max().unwrap_or_default();
    let first = seconds.iter().copied().fold(f64::INFINITY, f64::min);
    let last = seconds.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let value = format!(
        "{first:.2} to {last:.2} s; at most {crowd} within {WINDOW_S} s (bound {BOARDS_PER_WINDOW_MAX})"
    );
    figure("answers fleet", &format!("{BOARDS} boards, {what}"), &value);
    assert!(crowd <= BOARDS_PER_WINDOW_MAX, "{what}: a stampede: {value}");
}

#[test]
fn a_fleet_comes_back_from_an_outage_spread() {
    let twice_each = |refusals: &[usize], _| refusals.iter().all(|count| *count >= 2);
    if let Some(seen) = comes_back(status(503), twice_each) {
        check_spread("accepted after an outage", &seen.moments_s());
    }
}

/// Boards refused in one instant would come back as far apart as their waits differ.
#[test]
fn a_fleet_that_was_told_one_time_does_not_come_back_at_it() {
    const ASKED_S: f64 = 8.0;
    let slow_down = Answer { headers: vec![("Retry-After", ASKED_S.to_string())], ..answer(429) };
    let once_each = |refusals: &[usize], board: usize| refusals[board] >= 1;
    if let Some(seen) = comes_back(Behaviour::Answer(slow_down), once_each) {
        let waits_s = seen.waits_s();
        let most_s = ASKED_S * 1.25 + SLACK_S;
        assert!(waits_s.iter().all(|wait_s| (ASKED_S - 0.01..=most_s).contains(wait_s)), "{waits_s:?}");
        check_spread(&format!("waits after Retry-After {ASKED_S}"), &waits_s);
    }
}
