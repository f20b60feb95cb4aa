//! What rules make of samples, contexts and readings.

use super::*;
use crate::aggregate::{Bucket, HistogramAggregate, HistogramOptions, WRAPPERS};
use crate::metric::{Elements, Number, SeriesKind};

fn rule(pattern: &str) -> Rule {
    Rule::new(Glob::new(pattern))
}

fn dropping(pattern: &str) -> Rule {
    Rule { drops: true, ..rule(pattern) }
}

fn renaming(pattern: &str, to: &str) -> Rule {
    let matches = Glob::new(pattern);
    Rule { rename: Some(Rename::parse(to, matches.stars()).unwrap()), ..Rule::new(matches) }
}

fn untagging(pattern: &str, keys: &[&str]) -> Rule {
    Rule { drop_tags: keys.iter().map(|key| (*key).to_owned()).collect(), ..rule(pattern) }
}

fn typing(pattern: &str, kind: &'static str) -> Rule {
    Rule { kind: Some(kind), ..rule(pattern) }
}

fn emitting(pattern: &str, aggregates: &[HistogramAggregate], percentiles: &[f64]) -> Rule {
    let options = HistogramOptions { aggregates: aggregates.to_vec(), percentiles: percentiles.to_vec() };
    Rule { summaries: Some(Rc::new(options)), ..rule(pattern) }
}

fn ruled(rules: Vec<Rule>) -> Ruled {
    Ruled::new((WRAPPERS[0].build)(&HistogramOptions::default()), Rc::new(Rules::new(rules)))
}

type Written<'a> = (&'a str, &'a str, &'a [&'a str], i128);

/// Adds the samples in their order, and wraps the bucket.
fn merged(rules: Vec<Rule>, samples: &[Written<'_>]) -> Vec<(String, SeriesKind, String, f64)> {
    let wrapper = ruled(rules);
    let mut bucket = Bucket::default();
    for (name, kind, tags, value) in samples {
        let tags = Tags::from_strings(tags);
        let value = Value::Number(Number::Int(*value));
        let sample = Sample { name, kind, tags: tags.as_str(), value, timestamp: 5.0 };
        match bucket.add(&sample, &wrapper) {
            Ok(()) => {}
            Err(error) => assert_eq!(error.to_string(), "a metric that a rule drops", "{name}"),
        }
    }
    let (mut out, mut contexts) = (Vec::new(), bucket.take_contexts());
    let mut emit = |s: Series| out.push((s.name, s.kind, s.tags.as_str().to_owned(), s.point.value.as_f64()));
    while contexts.wrap_next(&wrapper, 10, &mut emit).is_some() {}
    out.sort_by(|a, b| a.partial_cmp(b).unwrap());
    out
}

fn count(name: &str, tags: &str, value: f64) -> (String, SeriesKind, String, f64) {
    (name.to_owned(), SeriesKind::Count, tags.to_owned(), value)
}

#[test]
fn the_first_rule_that_matches_counts_and_no_other() {
    let rules = vec![rule("debug.kept"), dropping("debug.*"), renaming("a", "b"), renaming("b", "c")];
    let names = ["debug.kept", "debug.x", "a", "b", "other"];
    let samples = names.map(|name| (name, "count", &[][..], 1));
    let twice = [samples, samples].concat();
    let expected = ["b", "c", "debug.kept", "other"].map(|name| count(name, "[]", 2.0));
    assert_eq!(merged(rules, &twice), expected, "a renamed metric is not matched again");
}

/// `b` is the new name of `a`, and what is called `b` itself is called `c`; in whatever order they come.
#[test]
fn a_context_that_came_to_be_under_a_rule_takes_no_sample_that_only_bears_its_name() {
    let own = [("a", "count", &[][..], 1), ("b", "count", &[], 10), ("c", "count", &[], 100)];
    for turn in 0..own.len() {
        let mut samples = [own, own].concat();
        samples.rotate_left(turn);
        let moved = merged(vec![renaming("a", "b"), renaming("b", "c")], &samples);
        assert_eq!(moved, [count("b", "[]", 2.0), count("c", "[]", 220.0)], "{turn}");
        let dropped = merged(vec![renaming("a", "b"), dropping("b")], &samples);
        assert_eq!(dropped, [count("b", "[]", 2.0), count("c", "[]", 200.0)], "{turn}");
        let together = merged(vec![renaming("a", "b")], &samples);
        assert_eq!(together, [count("b", "[]", 22.0), count("c", "[]", 200.0)], "{turn}");
    }
}

#[test]
fn contexts_that_differ_in_dropped_tags_are_one() {
    let samples = [
        ("hits", "count", &["path:/", "request_id:1"][..], 1),
        ("hits", "count", &["path:/", "request_id:2"], 2),
        ("hits", "count", &["path:/"], 4),
        ("hits", "count", &["path:/x", "request_id:3"], 8),
        ("other", "count", &["request_id:3"], 16),
    ];
    let rules = vec![untagging("hits", &["request_id"])];
    assert_eq!(
        merged(rules, &samples),
        [
            count("hits", r#"["path:/"]"#, 7.0),
            count("hits", r#"["path:/x"]"#, 8.0),
            count("other", r#"["request_id:3"]"#, 16.0)
        ]
    );
}

#[test]
fn a_tag_of_high_cardinality_that_is_dropped_costs_no_contexts() {
    let wrapper = ruled(vec![untagging("*", &["request_id"])]);
    let mut bucket = Bucket::default();
    for id in 0..crate::limits::BUCKET_CONTEXTS_MAX * 2 {
        let tags = format!(r#"["request_id:{id}"]"#);
        let value = Value::Number(Number::Int(1));
        let sample = Sample { name: "hits", kind: "count", tags: &tags, value, timestamp: 5.0 };
        bucket.add(&sample, &wrapper).unwrap();
    }
    assert_eq!((bucket.len(), bucket.is_full()), (1, false));
}

#[test]
fn a_rule_gives_numbers_another_type_and_histograms_other_summaries() {
    use HistogramAggregate::{Count, Max};
    let histogram = Rule { kind: Some("histogram"), ..emitting("app.*.latency", &[Max, Count], &[0.75]) };
    let samples = [
        ("app.x.latency", "gauge", &[][..], 1),
        ("app.x.latency", "timer", &[], 3),
        ("app.x.size", "histogram", &[], 5),
    ];
    let names = |rules| merged(rules, &samples).into_iter().map(|(name, kind, _, value)| (name, kind, value));
    let found: Vec<_> = names(vec![histogram, emitting("*.size", &[Max], &[])]).collect();
    let expected = [
        ("app.x.latency.75percentile", SeriesKind::Gauge, 2.5),
        ("app.x.latency.count", SeriesKind::Rate, 0.2),
        ("app.x.latency.max", SeriesKind::Gauge, 3.0),
        ("app.x.size.max", SeriesKind::Gauge, 5.0),
    ];
    assert_eq!(found, expected.map(|(name, kind, value)| (name.to_owned(), kind, value)));
    assert_eq!(merged(vec![typing("*", "count")], &samples).len(), 2);
}

#[test]
fn every_type_of_a_rule_is_one_that_the_wrappers_know() {
    for row in WRAPPERS {
        let wrapper = (row.build)(&HistogramOptions::default());
        assert!(KINDS.iter().all(|kind| wrapper.accumulator(kind).is_some()), "{}", row.name);
    }
}

#[test]
fn a_set_stays_a_set() {
    let wrapper = ruled(vec![Rule { kind: Some("count"), ..renaming("*", "my.$1") }]);
    let list = Value::Set(Elements::new(b"ab", &[1, 2]));
    let mut bucket = Bucket::default();
    let sample = Sample { name: "users", kind: "set", tags: "[]", value: list, timestamp: 5.0 };
    assert_eq!(bucket.add(&sample, &wrapper), Ok(()));
    let mut names = Vec::new();
    bucket.take_contexts().wrap_next(&wrapper, 10, &mut |s| names.push((s.name, s.point.value)));
    assert_eq!(names, [("my.users".to_owned(), Number::Int(2))]);
}

#[test]
fn readings_are_dropped_retagged_and_renamed_and_stay_gauges() {
    let rules = Rules::new(vec![
        dropping("Chouette.host.la"),
        Rule { drop_tags: Rc::from(["device".to_owned()]), ..renaming("Chouette.host.*", "board.$1") },
        Rule { kind: Some("count"), ..emitting("*", &[HistogramAggregate::Max], &[]) },
    ]);
    let reading = |name| {
        let tags = Tags::from_strings(&["device:sda", "x:1"]);
        rules.reading(Series::gauge(name, tags, Number::Int(7), 5.0))
    };
    assert_eq!(reading("Chouette.host.la"), None);
    let free = reading("Chouette.host.fs.free").unwrap();
    assert_eq!((free.name.as_str(), free.tags.as_str()), ("board.fs.free", r#"["x:1"]"#));
    let other = reading("Chouette.dramatiq.queue_size").unwrap();
    let expected = Series::gauge("Chouette.dramatiq.queue_size", other.tags.clone(), Number::Int(7), 5.0);
    assert_eq!(other, expected);
}

#[test]
fn a_new_name_that_cannot_be_is_not_taken() {
    let rules = Rules::new(vec![renaming("statsd.*", "$1")]);
    let name_of = |name: &str| rules.ruling(name).and_then(|ruling| ruling.name.clone());
    assert_eq!(name_of("statsd.a").as_deref(), Some("a"));
    assert_eq!(name_of("statsd."), None, "nothing is no name");
}

#[test]
fn what_is_remembered_is_bounded_and_changes_nothing() {
    let rules = Rules::new(vec![renaming("a.*", "b.$1"), dropping("c.*")]);
    for turn in 0..2 {
        for n in 0..RULED_NAMES_MAX + 10 {
            let found = rules.ruling(&format!("a.{n}")).and_then(|ruling| ruling.name.clone());
            assert_eq!(found, Some(format!("b.{n}")), "{turn}");
            assert!(rules.ruling(&format!("c.{n}")).is_some_and(|ruling| ruling.drops), "{turn}");
            assert_eq!(rules.ruling(&format!("d.{n}")), None, "{turn}");
            assert!(rules.known.borrow().len() <= RULED_NAMES_MAX);
        }
    }
    let long = format!("a.{}", "x".repeat(RULED_NAME_BYTES_MAX / 2));
    assert!(rules.ruling(&long).is_some_and(|ruling| ruling.name.is_some()));
    assert!(!rules.known.borrow().contains_key(long.as_str()), "a long name is not remembered");
}
