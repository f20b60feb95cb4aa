//! Every answer an intake, a proxy or TLS can give, and every way a connection can end.
//!
//! Each case has a Redis, an intake and an agent of its own. Records wait in the queue, the first attempts meet with
//! the trouble, and the times of the attempts show the back-off. Then the intake is well again, the agent is told to
//! release at once, and everything that was kept arrives, once. Meanwhile the log must not show the key, and the
//! memory must stay what it is in a run without trouble. Cases wait most of their time, so those of a test run side
//! by side.

mod bodies;
mod connections;
mod fleet;
mod proxy;
mod statuses;
mod tls;
mod waits;

use crate::support::agent::{API_KEY, Agent};
use crate::support::alone::Alone;
use crate::support::behaviour::{Behaviour, status, when_body_has};
use crate::support::bench::Bench;
use crate::support::figures::figure;
use crate::support::intake::{Intake, Request};
use crate::support::queues::{LOGS, WRAPPED, log_record, wrapped_record};
use crate::support::redis::Client;
use crate::support::store::Store;
use crate::support::{PATIENT, SOON, json, unix_now, wait_until};

use std::sync::Arc;
use std::time::{Duration, Instant};

/// Records left in the queue.
const RECORDS: usize = 5;
/// The first and the longest wait after a failure.
const BACKOFF_S: (f64, f64) = (2.0, 64.0);
/// What the machine may add to a wait.
const SLACK_S: f64 = 1.5;
/// What trouble may cost in memory, against a run without.
const MEMORY_KIB_MAX: u64 = 2048;

/// Which queue the records wait in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Metrics,
    Logs,
}

/// How long the agent is to wait after a failure.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Wait {
    /// Between half of a step and all of it; each step is twice the one before.
    Backoff,
    /// Seconds, at least and at most.
    Between(f64, f64),
}

impl Wait {
    /// As long as it was asked to, or up to a quarter longer.
    fn asked(seconds: f64) -> Wait {
        Wait::Between(seconds, seconds * 1.25)
    }
}

/// One kind of trouble.
struct Case {
    name: String,
    behaviour: Behaviour,
    stream: Stream,
    /// Whether they wait in the embedded queue, and not in Redis.
    is_embedded: bool,
    wait: Wait,
    /// So many attempts are seen before the intake is well again.
    attempts: usize,
    /// Seconds that an attempt takes until the agent gives it up.
    lasting_s: f64,
}

/// What was seen of a case.
struct Seen {
    what: String,
    memory_kib: u64,
    log: String,
}

impl Case {
    fn new(name: &str, behaviour: Behaviour) -> Case {
        let (stream, wait) = (Stream::Metrics, Wait::Backoff);
        let name = name.to_owned();
        Case { name, behaviour, stream, is_embedded: false, wait, attempts: 3, lasting_s: 0.0 }
    }

    fn of_status(code: u16) -> Case {
        Case::new(&code.to_string(), status(code))
    }

    fn of_logs(self) -> Case {
        Case { name: format!("{}, logs", self.name), stream: Stream::Logs, ..self }
    }

    fn embedded(self) -> Case {
        Case { name: format!("{}, embedded queue", self.name), is_embedded: true, ..self }
    }

    /// Where records wait, and whom each attempt meets with.
    fn place(&self, script: impl FnMut(&Request) -> Behaviour + Send + 'static) -> Option<Box<dyn Place>> {
        Some(if self.is_embedded { Box::new(Alone::new(script)) } else { Box::new(Bench::new(script)?) })
    }

    /// What each attempt meets with is in `behaviour`, as the intake's script.
    fn bench(&self) -> Option<Box<dyn Place>> {
        let behaviour = self.behaviour.clone();
        self.place(move |_| behaviour.clone())
    }

    /// Everything is kept while the intake misbehaves, and arrives when it is well.
    fn is_kept(&self) -> Option<Seen> {
        let bench = self.bench()?;
        let attempts = || bench.intake().requests().iter().filter_map(|request| request.at).collect();
        self.is_kept_on(&*bench, &[], attempts, || bench.intake().behave(|_| status(202)))
    }

    /// The same for trouble before the request: `attempts` tells when they were made, `mend` ends the trouble.
    fn is_kept_on(
        &self,
        bench: &dyn Place,
        changes: &[(&str, &str)],
        attempts: impl Fn() -> Vec<Instant>,
        mend: impl FnOnce(),
    ) -> Option<Seen> {
        let (mut agent, names) = bench.run(self.stream, changes);
        let failures = || agent.stderr().matches("wait, next attempt in").count();
        let limit = PATIENT + Duration::from_secs_f64(self.lasting_s * self.attempts as f64);
        assert!(wait_until(limit, || failures() >= self.attempts), "{}: {} failures", self.name, failures());
        let waits_s = self.check_waits(&attempts());
        if let Some(kept) = bench.kept(self.stream) {
            assert_eq!(kept.len(), RECORDS, "{}: {kept:?}", self.name);
        }
        assert!(
            deliveries(&bench.intake().requests(), &names).iter().all(|count| *count == 0),
            "{}",
            self.name
        );

        mend();
        agent.signal("USR1");
        let memory_kib = self.check_delivered(bench, &agent, &names);
        let log = self.end(&mut agent);
        let what = format!("kept, came once when well; {waits_s}");
        Some(Seen { what, memory_kib, log })
    }

    /// The first attempt is taken for a success.
    fn is_accepted(&self) -> Option<Seen> {
        self.is_accepted_on(&*self.bench()?, &[])
    }

    fn is_accepted_on(&self, bench: &dyn Place, changes: &[(&str, &str)]) -> Option<Seen> {
        let (mut agent, names) = bench.run(self.stream, changes);
        let memory_kib = self.check_delivered(bench, &agent, &names);
        assert_eq!(bench.intake().requests().len(), 1, "{}: sent more than once", self.name);
        Some(Seen { what: "accepted, one request".to_owned(), memory_kib, log: self.end(&mut agent) })
    }

    /// The intake refuses one record: that one is dropped and counted, all others arrive.
    fn costs_the_culprit(&self) -> Option<Seen> {
        let bench = self.place(when_body_has("\"left.2\"", self.behaviour.clone()))?;
        let (mut agent, mut names) = bench.run(self.stream, &[("SEND_SELF_METRICS", "true")]);
        let counted = || {
            let mut requests = bench.intake().requests();
            requests.retain(|request| request.path.ends_with("/series"));
            let store = Store::acknowledged(&requests);
            let held = store.series("chouette.dropped");
            held.iter().map(|(key, held)| (key.tags.clone(), held.points.values().sum())).collect::<Vec<_>>()
        };
        let expected: Vec<(Vec<String>, f64)> = vec![(vec!["reason:rejected".to_owned()], 1.0)];
        assert!(wait_until(SOON, || counted() == expected), "{}: counted {:?}", self.name, counted());
        let gone = || bench.kept(self.stream).iter().flatten().all(|record| !record.contains("left."));
        assert!(wait_until(SOON, gone), "{}", self.name);
        let requests = bench.intake().requests();
        names.remove(2);
        assert_eq!(deliveries(&requests, &names), vec![1; RECORDS - 1], "{}", self.name);
        assert_eq!(deliveries(&requests, &["\"left.2\"".to_owned()]), [0], "{}", self.name);
        let refused = requests.iter().filter(|request| !request.acknowledged).count();
        let what = format!("culprit dropped and counted after {refused} refusals, {} came once", names.len());
        let memory_kib = agent.memory_peak_kib();
        Some(Seen { what, memory_kib, log: self.end(&mut agent) })
    }

    /// Everything arrives and leaves the queue, each record in exactly one request that was accepted. Gives the most
    /// memory the agent had until then.
    fn check_delivered(&self, bench: &dyn Place, agent: &Agent, names: &[String]) -> u64 {
        let is_empty = || match bench.kept(self.stream) {
            Some(kept) => kept.is_empty(),
            None => deliveries(&bench.intake().requests(), names).iter().all(|count| *count > 0),
        };
        assert!(wait_until(PATIENT, is_empty), "{}: not delivered", self.name);
        let requests = bench.intake().requests();
        assert_eq!(deliveries(&requests, names), vec![1; names.len()], "{}", self.name);
        if self.stream == Stream::Metrics {
            let store = Store::of_both(&requests);
            let is_one = |name: &String| json::close(store.sum(name.trim_matches('"')), 1.0);
            assert!(names.iter().all(is_one), "{}: {:?}", self.name, store.0);
        }
        agent.memory_peak_kib()
    }

    /// Ends the agent and looks at what it wrote.
    fn end(&self, agent: &mut Agent) -> String {
        agent.signal("TERM");
        assert_eq!(agent.wait(SOON), Some(0), "{}", self.name);
        let log = agent.stderr() + &agent.stdout();
        assert!(!log.contains(API_KEY), "{}: the key is in the log", self.name);
        assert!(!log.contains("panicked"), "{}", self.name);
        log
    }

    /// Every wait between two attempts is within its bounds; tells of them.
    fn check_waits(&self, attempts: &[Instant]) -> String {
        let mut told = Vec::new();
        for (number, pair) in attempts.windows(2).enumerate() {
            let waited_s = (pair[1] - pair[0]).as_secs_f64() - self.lasting_s;
            let (least_s, most_s) = match self.wait {
                Wait::Backoff => {
                    let step_s = (BACKOFF_S.0 * f64::from(1 << number.min(16))).min(BACKOFF_S.1);
                    (step_s / 2.0, step_s)
                }
                Wait::Between(least_s, most_s) => (least_s, most_s),
            };
            // What takes a known time may end a little early by the test's clock.
            let early_s = if self.lasting_s > 0.0 { 0.3 } else { 0.01 };
            assert!(
                (least_s - early_s..=most_s + SLACK_S).contains(&waited_s),
                "{}: wait {number} took {waited_s:.2} s, not {least_s} to {most_s} s",
                self.name
            );
            told.push(format!("{waited_s:.1} of {least_s}..{most_s}"));
        }
        if told.is_empty() { "one attempt".to_owned() } else { format!("waits {} s", told.join(", ")) }
    }
}

impl Stream {
    fn queue(self) -> &'static str {
        match self {
            Stream::Metrics => WRAPPED,
            Stream::Logs => LOGS,
        }
    }

    /// Leaves records of the last minute in the queue; gives what each is known by in a request.
    fn leave(self, client: &mut Client) -> Vec<String> {
        let base = (unix_now() - 60) as f64;
        let names: Vec<String> = (0..RECORDS).map(|i| format!("left.{i}")).collect();
        let record = |name: &String| match self {
            Stream::Metrics => (base, wrapped_record(name, "count", base, 1.0, &["from:python"])),
            Stream::Logs => (base, log_record(&json::quote(name), &[], "")),
        };
        let records: Vec<(f64, String)> = names.iter().map(record).collect();
        client.fill(self.queue(), "left", &records);
        names.iter().map(|name| json::quote(name)).collect()
    }
}

/// A queue with records, and an intake.
trait Place {
    fn intake(&self) -> &Intake;

    /// The agent, saying everything it can say, with records in its queue; and what each is known by in a request.
    fn run(&self, stream: Stream, changes: &[(&str, &str)]) -> (Agent, Vec<String>);

    /// What is in the queue; `None` where nobody can look into it.
    fn kept(&self, stream: Stream) -> Option<Vec<String>>;
}

/// Says everything.
const DEBUG: (&str, &str) = ("LOG_LEVEL", "DEBUG");

impl Place for Bench {
    fn intake(&self) -> &Intake {
        &self.intake
    }

    fn run(&self, stream: Stream, changes: &[(&str, &str)]) -> (Agent, Vec<String>) {
        let names = stream.leave(&mut self.redis.client());
        (Agent::run(&self.env_with(&[&[DEBUG], changes].concat())), names)
    }

    fn kept(&self, stream: Stream) -> Option<Vec<String>> {
        Some(self.redis.client().records(stream.queue()))
    }
}

impl Place for Alone {
    fn intake(&self) -> &Intake {
        &self.intake
    }

    /// There are no logs: nobody but Redis takes them.
    fn run(&self, _: Stream, changes: &[(&str, &str)]) -> (Agent, Vec<String>) {
        let agent = Alone::run(self, &[&[DEBUG], changes].concat());
        let names: Vec<String> = (0..RECORDS).map(|i| format!("left.{i}")).collect();
        self.send(&names.iter().map(|name| format!("{name}:1|c\n")).collect::<String>());
        (agent, names.iter().map(|name| json::quote(name)).collect())
    }

    fn kept(&self, _: Stream) -> Option<Vec<String>> {
        None
    }
}

/// In how many accepted requests each name is.
fn deliveries(requests: &[Arc<Request>], names: &[String]) -> Vec<usize> {
    let accepted: Vec<&Arc<Request>> = requests.iter().filter(|request| request.acknowledged).collect();
    names.iter().map(|name| accepted.iter().filter(|request| request.text.contains(name)).count()).collect()
}

/// What a case is run with.
type Run<'a> = Box<dyn FnOnce() -> Option<Seen> + Send + 'a>;

/// Runs cases side by side, the first of which is one without trouble: tells of each what was seen, and compares its
/// memory.
fn side_by_side<'a>(group: &str, runs: impl IntoIterator<Item = (&'a str, Run<'a>)>) -> Vec<Seen> {
    let seen: Vec<(&str, Option<Seen>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = runs.into_iter().map(|(name, run)| (name, scope.spawn(run))).collect();
        let results: Vec<_> = threads.into_iter().map(|(name, thread)| (name, thread.join())).collect();
        results
            .into_iter()
            .map(|(name, result)| {
                (name, result.unwrap_or_else(|_| panic!("{group}: {name} failed, see above")))
            })
            .collect()
    });
    let usual_kib = seen.first().and_then(|(_, seen)| seen.as_ref()).map_or(0, |seen| seen.memory_kib);
    for (name, seen) in seen.iter().filter_map(|(name, seen)| Some((name, seen.as_ref()?))) {
        let more_kib = seen.memory_kib.saturating_sub(usual_kib);
        let memory = format!("VmHWM {} KiB (+{more_kib} of {MEMORY_KIB_MAX})", seen.memory_kib);
        figure(&format!("answers {group}"), name, &format!("{}; {memory}", seen.what));
        assert!(more_kib <= MEMORY_KIB_MAX, "{group}: {name}: {memory}");
    }
    seen.into_iter().filter_map(|(_, seen)| seen).collect()
}

/// Runs cases with the same expectation side by side, after a plain 202.
fn all(group: &str, cases: &[Case], expect: fn(&Case) -> Option<Seen>) -> Vec<Seen> {
    let plain = Case::of_status(202);
    let usual: (&str, Run) = ("202, for comparison", Box::new(|| plain.is_accepted()));
    let runs = cases.iter().map(|case| (case.name.as_str(), Box::new(move || expect(case)) as Run));
    side_by_side(group, std::iter::once(usual).chain(runs))
}
