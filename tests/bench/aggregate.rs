//! What aggregation costs: the agent's CPU and the time it takes, beside the floor; Redis' CPU; memory against backlog.

use crate::load::{self, Order};
use crate::process;
use crate::settings::Settings;
use crate::support::agent::{Agent, Env};
use crate::support::behaviour::{Behaviour, answer};
use crate::support::bench::Bench;
use crate::support::queues::{RAW, WRAPPED};
use crate::support::{PATIENT, SOON, json, wait_until};
use crate::table::{Samples, Table};
use std::process::Command;

/// Runs of the floor beside one run of the agent.
const FLOORS: usize = 3;

/// Series that the Python version makes of a bucket: it merges neighbours only, and a histogram has five.
fn python_series(order: Order) -> &'static str {
    if order == Order::Random { "3600" } else { "360" }
}

/// What one aggregation cost.
#[derive(Clone, Copy)]
pub struct Cost {
    pub cpu_ms: f64,
    pub wall_ms: f64,
    pub redis_ms: f64,
}

/// What the floor program told.
#[derive(Clone, Copy)]
pub struct Floor {
    pub cost: Cost,
    pub peak_mb: f64,
}

/// An agent whose release rests, since the intake asked for that. What is aggregated stays in the queue.
pub fn resting(bench: &Bench, settings: &Settings, env: Env) -> Agent {
    bench.intake.behave(|_| {
        let mut refused = answer(503);
        refused.headers.push(("Retry-After", "600".to_owned()));
        Behaviour::Answer(refused)
    });
    let before = bench.intake.requests().len();
    bench.leave_series(1);
    let agent = settings.run(&env);
    assert!(bench.intake.wait_for(SOON, |requests| requests.len() > before), "{}", agent.stderr());
    load::remove(&mut bench.redis.client(), WRAPPED);
    agent
}

/// What an agent that aggregates is told.
pub fn env(bench: &Bench) -> Env {
    bench.env_with(&[("AGGREGATE_INTERVAL", &load::BUCKET_S.to_string())])
}

/// Gives the agent the records of a queue of the store and waits until it has aggregated them.
pub fn aggregate(bench: &Bench, agent: &Agent, name: &str) -> Cost {
    let mut client = bench.redis.client();
    let told =
        || agent.stderr().matches(": aggregated ").count() + agent.stderr().matches("] aggregated ").count();
    let before = told();
    load::stage(&bench.redis, name, RAW);
    let (cpu_ms, redis_ms) = (process::cpu_ms(agent.pid()), load::redis_cpu_ms(&mut client));
    assert!(wait_until(PATIENT * 2, || told() > before), "nothing was aggregated\n{}", agent.stderr());
    let redis_ms = load::redis_cpu_ms(&mut client) - redis_ms;
    Cost { cpu_ms: settled_cpu_ms(agent.pid()) - cpu_ms, wall_ms: told_ms(&agent.stderr()), redis_ms }
}

/// CPU time of a process once it rests.
pub fn settled_cpu_ms(pid: u32) -> f64 {
    let mut last = process::cpu_ms(pid);
    wait_until(SOON, || {
        let before = std::mem::replace(&mut last, process::cpu_ms(pid));
        before == last
    });
    last
}

/// The duration in the last line `aggregated … in 812.3ms, …`.
fn told_ms(stderr: &str) -> f64 {
    let line = stderr.lines().rfind(|line| line.contains("aggregated ")).unwrap_or_default();
    let text = line.rsplit(" in ").next().and_then(|rest| rest.split(',').next()).unwrap_or_default();
    let digits = text.trim_end_matches(|c: char| c.is_alphabetic());
    let factor = match &text[digits.len()..] {
        "ns" => 1e-6,
        "µs" => 1e-3,
        "ms" => 1.0,
        _ => 1e3,
    };
    digits.parse::<f64>().map_or(f64::NAN, |value| value * factor)
}

/// Runs the floor program over a queue of the store, or over the raw queue as the Python version would.
pub fn floor(bench: &Bench, settings: &Settings, name: &str, python: Option<Order>) -> Floor {
    let mut client = bench.redis.client();
    let mut command = Command::new(&settings.floor);
    command.arg(bench.redis.port.to_string());
    if let Some(order) = python {
        load::stage(&bench.redis, name, RAW);
        command.args(["0", RAW, "python", python_series(order)]);
    } else {
        command.args(["1", name]);
    }
    let redis_ms = load::redis_cpu_ms(&mut client);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let redis_ms = load::redis_cpu_ms(&mut client) - redis_ms;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let [_, wall_ms, cpu_ms, peak_kib] = numbers[..] else { panic!("the floor said {text:?}") };
    Floor { cost: Cost { cpu_ms, wall_ms, redis_ms }, peak_mb: peak_kib * 1_024.0 / 1e6 }
}

fn samples(costs: &[Cost], of: impl Fn(&Cost) -> f64) -> Samples {
    Samples(costs.iter().map(of).collect())
}

/// 100,000 records in both orders.
pub fn orders(settings: &Settings, table: &mut Table) {
    const RECORDS: usize = 100_000;
    for (order, what) in [(Order::Random, "random order"), (Order::Adjacent, "equal contexts adjacent")] {
        let Some(bench) = Bench::new(|_| Behaviour::Answer(answer(503))) else { return };
        load::raw(&bench.redis, "records", RECORDS, order);
        let agent = resting(&bench, settings, env(&bench));
        let mut costs = Vec::new();
        let mut floors = Vec::new();
        for _ in 0..settings.rounds {
            costs.push(aggregate(&bench, &agent, "records"));
            load::remove(&mut bench.redis.client(), WRAPPED);
            floors.push(floor(&bench, settings, "records", None).cost);
        }
        let named = |part: &str| format!("aggregate 100,000, {what}: {part}");
        table.row(&named("CPU"), samples(&costs, |cost| cost.cpu_ms), "ms", 100.0);
        let floor_cpu = samples(&floors, |cost| cost.cpu_ms);
        table.note_samples(&named("CPU of the floor"), &floor_cpu, "ms");
        let wall = samples(&costs, |cost| cost.wall_ms);
        table.row_floor(&named("wall"), &wall, "ms", &samples(&floors, |cost| cost.wall_ms), 1.5);
        let redis = samples(&costs, |cost| cost.redis_ms * 1e3 / RECORDS as f64);
        let redis_floor = samples(&floors, |cost| cost.redis_ms * 1e3 / RECORDS as f64);
        let python = Samples(
            (0..settings.rounds.min(3))
                .map(|_| {
                    let cost = floor(&bench, settings, "records", Some(order)).cost;
                    load::remove(&mut bench.redis.client(), WRAPPED);
                    cost.redis_ms * 1e3 / RECORDS as f64
                })
                .collect(),
        );
        table.note_samples(&named("Redis' CPU a record, floor"), &redis_floor, "µs");
        table.note_samples(&named("Redis' CPU a record, Python version"), &python, "µs");
        table.note_samples(&named("Redis' CPU a record"), &redis, "µs");
    }
}

/// One point of the plot.
pub struct Point {
    pub records: usize,
    pub ours: Cost,
    pub peak_mb: f64,
    pub floor: Floor,
}

/// Cost against backlog, a fresh process each.
pub fn backlogs(settings: &Settings, table: &mut Table) -> Vec<Point> {
    let mut points = Vec::new();
    for &records in &settings.backlogs {
        let Some(bench) = Bench::new(|_| Behaviour::Answer(answer(503))) else { break };
        load::raw(&bench.redis, "records", records, Order::Random);
        let agent = resting(&bench, settings, env(&bench));
        let ours = aggregate(&bench, &agent, "records");
        let peak_mb = process::memory_mb(agent.pid(), "VmHWM");
        drop(agent);
        // It is a limit: what disturbs it is not the limit.
        let floors = (0..FLOORS).map(|_| floor(&bench, settings, "records", None));
        let floor = floors.min_by(|a, b| a.cost.wall_ms.total_cmp(&b.cost.wall_ms)).unwrap();
        points.push(Point { records, ours, peak_mb, floor });
        let each = ours.cpu_ms * 1e3 / records as f64;
        table.row(&format!("backlog of {records}: CPU a record"), each, "µs", 1.0);
        let wall: Samples = ours.wall_ms.into();
        table.row_floor(&format!("backlog of {records}: wall"), &wall, "ms", &floor.cost.wall_ms.into(), 1.5);
        table.note(&format!("backlog of {records}: peak memory"), &format!("{peak_mb:.2} MB"));
        if records == settings.backlogs[settings.backlogs.len() - 1] {
            let redis = ours.redis_ms * 1e3 / records as f64;
            let python = self::floor(&bench, settings, "records", Some(Order::Random)).cost.redis_ms * 1e3
                / records as f64;
            table.note(
                &format!("backlog of {records}: Redis' CPU a record, Python version"),
                &format!("{python:.2} µs"),
            );
            table.row(&format!("backlog of {records}: Redis' CPU a record"), redis, "µs", python / 2.0);
        }
    }
    if let [first, .., last] = &points[..] {
        let what = format!("peak memory, {} ÷ {} records", last.records, first.records);
        table.row(&what, last.peak_mb / first.peak_mb, "×", 1.1);
    }
    points
}

/// Peak memory over the largest backlog with 200,000 series queued and releases of 10,000.
pub fn peak(settings: &Settings, table: &mut Table) {
    const QUEUED: usize = 200_000;
    let Some(bench) = Bench::new(|_| crate::support::behaviour::status(202)) else { return };
    let records = settings.backlogs[settings.backlogs.len() - 1];
    load::raw(&bench.redis, "records", records, Order::Random);
    load::wrapped(&bench.redis, "queued", QUEUED / 50, 50);
    load::stage(&bench.redis, "queued", WRAPPED);
    load::stage(&bench.redis, "records", RAW);
    let agent = settings.run(&env(&bench));
    assert!(agent.wait_for_line(PATIENT * 2, "aggregated "), "{}", agent.stderr());
    assert!(bench.intake.wait_for(PATIENT, |requests| requests.len() >= 3), "{}", agent.stderr());
    let what = format!("peak memory: {records} records, 200,000 series queued, releases of 10,000");
    table.row(&what, process::memory_mb(agent.pid(), "VmHWM"), "MB", 6.0);
}

/// One context with many samples in one bucket.
pub fn histogram(settings: &Settings, table: &mut Table) {
    let mut each_us = Vec::new();
    let samples_max = settings.histogram;
    for count in [samples_max / 10, samples_max] {
        let Some(bench) = Bench::new(|_| Behaviour::Answer(answer(503))) else { return };
        let mut random = load::Random::new();
        let texts: Vec<String> =
            (0..count).map(|_| format!("{}.{:03}", random.below(500), random.below(1_000))).collect();
        load::histogram(&bench.redis, "samples", &texts);
        let all = "[\"avg\",\"sum\",\"min\",\"max\",\"median\",\"count\"]";
        let env = crate::support::agent::with(env(&bench), &[("HISTOGRAM_AGGREGATES", all)]);
        let agent = resting(&bench, settings, env);
        let cost = aggregate(&bench, &agent, "samples");
        each_us.push(cost.cpu_ms * 1e3 / count as f64);
        if count < samples_max {
            continue;
        }
        let named = |part: &str| format!("one context, {count} histogram samples in a bucket: {part}");
        table.note(&named("results"), &compare(&bench, &texts));
        table.row(&named("peak memory"), process::memory_mb(agent.pid(), "VmHWM"), "MB", 16.0);
        table.note(&named("CPU, wall"), &format!("{:.0} ms, {:.0} ms", cost.cpu_ms, cost.wall_ms));
        table.row(&named("CPU a sample ÷ that of a tenth"), each_us[1] / each_us[0], "×", 1.5);
    }
}

/// Compares what was stored with what the samples give: `exact`, or what differs.
fn compare(bench: &Bench, texts: &[String]) -> String {
    let mut values: Vec<f64> = texts.iter().map(|text| text.parse().unwrap()).collect();
    values.sort_by(f64::total_cmp);
    let sum: f64 = values.iter().sum();
    let percentile = |p: f64| {
        let at = (values.len() - 1) as f64 * p;
        let (low, part) = (values[at as usize], at.fract());
        low + (values[(at as usize + 1).min(values.len() - 1)] - low) * part
    };
    let count = values.len() as f64;
    let expected = [
        ("app.one.avg", sum / count),
        ("app.one.sum", sum),
        ("app.one.min", values[0]),
        ("app.one.max", values[values.len() - 1]),
        ("app.one.median", percentile(0.5)),
        ("app.one.95percentile", percentile(0.95)),
        ("app.one.count", count / load::BUCKET_S as f64),
    ];
    let mut stored = Vec::new();
    for record in bench.redis.client().records(WRAPPED) {
        let record = json::parse(&record).unwrap();
        let point = json::items(json::items(json::get(&record, "points")).first());
        let name = json::text(json::get(&record, "metric")).unwrap_or_default().to_owned();
        stored.push((name, json::number(point.get(1)).unwrap_or(f64::NAN)));
    }
    let missing: Vec<String> = expected
        .iter()
        .filter(|(name, value)| !stored.iter().any(|(known, got)| known == name && json::close(*got, *value)))
        .map(|(name, value)| format!("{name} is not {value}"))
        .collect();
    if missing.is_empty() && stored.len() == expected.len() {
        return "exact".to_owned();
    }
    format!("WRONG: {} series, {}", stored.len(), missing.join(", "))
}
