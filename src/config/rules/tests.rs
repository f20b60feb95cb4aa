//! Good rules and bad ones, and how a new user is told.

use std::rc::Rc;

use super::written::{meant_summary, percent};
use super::*;
use crate::aggregate::HistogramAggregate;
use crate::aggregate::rules::Rename;
use crate::config::{Config, ConfigErrors};
use crate::limits::RULE_STARS_MAX;

const PATH: &str = "/etc/rules.json";

fn config_with(content: &[u8], more: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let vars = [&[("API_KEY", "k"), (NAME, PATH)], more].concat();
    let read = |path: &str| {
        assert_eq!(path, PATH);
        Ok(content.to_vec())
    };
    Config::from_env_and_file(vars, Vec::new(), &read)
}

fn rules(text: &str) -> Vec<Rule> {
    config_with(text.as_bytes(), &[]).unwrap_or_else(|errors| panic!("{errors}")).rules
}

/// What is said of a file, without the variable and its path.
fn problems(text: &str) -> Vec<String> {
    let errors = config_with(text.as_bytes(), &[]).expect_err(text);
    let problem = |mistake: Mistake| {
        assert_eq!((mistake.variable, mistake.value.as_deref()), (NAME, Some(PATH)));
        mistake.problem
    };
    errors.mistakes.into_iter().map(problem).collect()
}

#[track_caller]
fn assert_told(text: &str, expected: &[&str]) {
    let told = problems(text);
    assert_eq!(told.len(), expected.len(), "{text}: {told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.contains(expected), "{text}: {told}");
    }
}

#[test]
fn every_field_is_taken() {
    let found = rules(
        r#" [
        {"match": "app.*.latency", "type": "Histogram", "emit": ["max", "p99", "COUNT", "max", "p5"]},
        {"match": "debug.*", "drop": true},
        {"match": "keep.*", "drop": false},
        {"match": "*", "drop_tags": ["request_id", "user"], "rename": "my.$1"}
        ] "#,
    );
    let [latency, debug, keep, all] = &found[..] else { panic!("{found:?}") };
    use HistogramAggregate::{Count, Max};
    let summaries = latency.summaries.as_ref().unwrap();
    assert_eq!(
        (&summaries.aggregates[..], &summaries.percentiles[..]),
        (&[Max, Count][..], &[0.99, 0.05][..])
    );
    assert_eq!((latency.matches.as_str(), latency.kind), ("app.*.latency", Some("histogram")));
    assert_eq!(*debug, Rule { drops: true, ..Rule::new(Glob::new("debug.*")) });
    assert_eq!(*keep, Rule::new(Glob::new("keep.*")));
    let (drop_tags, rename) =
        (Rc::from(["request_id", "user"].map(str::to_owned)), Rename::parse("my.$1", 1).ok());
    assert_eq!(*all, Rule { drop_tags, rename, ..Rule::new(Glob::new("*")) });
    assert_eq!(rules("[]"), []);
    assert_eq!(rules("\u{feff}[{\"match\": \"a\", \"drop\": true}]\r\n").len(), 1);
}

#[test]
fn all_mistakes_are_told_at_once_each_with_its_rule_and_what_would_be_right() {
    let text = r#"[
        {"match": "debug.*", "drp": true},
        {"math": "a", "drop": "yes"},
        {"match": "b.*", "type": "histgram", "emit": ["p99", "mean", "p99.9"]},
        {"match": "c", "drop": true, "rename": "d e"},
        7
    ]"#;
    let errors = config_with(text.as_bytes(), &[("LOG_LEVEL", "LOUD")]).unwrap_err().to_string();
    let told: Vec<&str> = errors.lines().collect();
    let accepted = "accepted: a list of max, median, avg, count, min, sum, and p1 to p99";
    let fields = "the fields are: match, type, emit, drop, drop_tags, rename";
    assert_eq!(told[0], "11 mistakes in the configuration:");
    assert!(told[1].starts_with("  LOG_LEVEL=LOUD: "), "{errors}");
    let of_rules = [
        format!(r#"rule 1 (match "debug.*"): no field is called "drp", did you mean "drop"? {fields}"#),
        format!(r#"rule 2: no field is called "math", did you mean "match"? {fields}"#),
        "rule 2: text cannot stand in drop; accepted: true or false".to_owned(),
        format!("rule 2: no \"match\"; it is {}", accepts("match")),
        "rule 3 (match \"b.*\"): no type is called \"histgram\", did you mean \"histogram\"? accepted: count, gauge, \
         rate or histogram"
            .to_owned(),
        format!(r#"rule 3 (match "b.*"): emit knows no "mean", did you mean "avg"? {accepted}"#),
        format!(r#"rule 3 (match "b.*"): emit knows no "p99.9"; {accepted}"#),
        "rule 4 (match \"c\"): drop leaves nothing that rename could change; keep one of them".to_owned(),
        format!(
            "rule 4 (match \"c\"): rename \"d e\": the character ' ' cannot stand in a name; accepted: {}",
            accepts("rename")
        ),
        "rule 5 is a number; a rule is an object with \"match\" in it".to_owned(),
    ];
    let expected: Vec<String> =
        of_rules.iter().map(|problem| format!("  METRICS_RULES={PATH}: {problem}")).collect();
    assert_eq!(told[2..], expected);
}

#[test]
fn what_makes_no_sense_together_is_told() {
    assert_told(r#"[{"match": "a"}]"#, &["nothing to do; add type"]);
    assert_told(r#"[{"match": "a", "emit": []}]"#, &["emit is an empty list; accepted: a list of max"]);
    assert_told(r#"[{"match": "a", "type": "count", "emit": ["max"]}]"#, &["type makes it a count"]);
    assert_told(r#"[{"match": "a", "drop": true, "emit": ["max"]}]"#, &["drop leaves nothing that emit"]);
    assert_told(r#"[{"match": "a", "type": "set"}]"#, &["no number becomes a set"]);
    assert_told(r#"[{"match": "a", "drop_tags": []}]"#, &["drop_tags is an empty list"]);
    assert_told(r#"[{"match": "a", "rename": "b.$1"}]"#, &["$1 is nothing, as match has no *"]);
    assert_told(r#"[{"match": "a", "drop": true, "drop": true}]"#, &["\"drop\" stands there twice"]);
    let text = r#"[{"match": "a", "emit": ["max"]}]"#.as_bytes();
    let told = config_with(text, &[("METRICS_WRAPPER", "simple")]).unwrap_err().to_string();
    assert!(told.contains("METRICS_WRAPPER=simple makes no histograms"), "{told}");
}

#[test]
fn a_rule_that_is_never_reached_is_told_with_the_one_in_its_way() {
    let rule = |pattern: &str| format!(r#"{{"match": "{pattern}", "drop": true}}"#);
    let list =
        |patterns: &[&str]| format!("[{}]", patterns.iter().map(|p| rule(p)).collect::<Vec<_>>().join(","));
    for (patterns, told) in [
        (
            &["*", "a"][..],
            "rule 2 (match \"a\"): never reached: the first rule that matches counts, and rule 1 (match \"*\")",
        ),
        (&["x", "a.*", "a.*.c"], "rule 3 (match \"a.*.c\"): never reached: "),
        (&["a", "b", "a"], "rule 3 (match \"a\"): never reached: "),
    ] {
        assert_told(&list(patterns), &[told]);
    }
    assert_eq!(rules(&list(&["a", "a.*.c", "a.*", "*.c", "*"])).len(), 5);
}

#[test]
fn patterns_and_tags_that_were_meant_otherwise_are_told() {
    for (pattern, told) in [
        ("", "match is empty"),
        ("app.?", "'?' cannot stand in match"),
        ("^app", "'^' cannot"),
        ("app.[ab]", "'[' cannot"),
        ("a b", "' ' cannot"),
        ("app.**", "** in match is no more than *"),
        ("*.*.*.*.*.*.*.*.*.*", "match has 10 stars, more than 9"),
    ] {
        assert_told(&format!(r#"[{{"match": "{pattern}", "drop": true}}]"#), &[told]);
    }
    assert_eq!(RULE_STARS_MAX, 9, "a star has one digit");
    rules(r#"[{"match": "*.*.*.*.*.*.*.*.*", "rename": "$9"}]"#);
    for (tag, told) in [("", "empty"), ("id:7", "before its colon"), ("id*", "without *")] {
        assert_told(&format!(r#"[{{"match": "a", "drop_tags": ["{tag}"]}}]"#), &[told]);
    }
    assert_told(
        r#"[{"match": "a", "drop_tags": "id"}]"#,
        &["text cannot stand in drop_tags; accepted: a list"],
    );
    let two = ["a number cannot stand in drop_tags", "before its colon"];
    assert_told(r#"[{"match": "a", "drop_tags": [1, "b:"]}]"#, &two);
    assert_told(r#"[{"match": ["a"], "drop": true}]"#, &["rule 1: a list cannot stand in match"]);
}

#[test]
fn percentiles_are_whole_and_slips_are_seen() {
    for good in 1..=99 {
        assert_eq!(percent(&format!("p{good}")), Some(good));
    }
    for (bad, meant) in [
        ("p0", None),
        ("p100", None),
        ("p99.9", None),
        ("p095", Some("p95")),
        ("95", Some("p95")),
        ("0.95", Some("p95")),
        ("95percentile", Some("p95")),
        ("99th", Some("p99")),
        ("p+5", Some("p5")),
        ("med", None),
        ("mediam", Some("median")),
        ("average", Some("avg")),
    ] {
        assert_eq!(percent(bad), None, "{bad}");
        assert_eq!(meant_summary(bad).as_deref(), meant, "{bad}");
    }
}

#[test]
fn a_file_that_is_no_json_says_where() {
    for (text, told) in [
        ("", "the file is empty"),
        (" \n", "the file is empty"),
        ("{}", "no list of rules"),
        ("[\n  {\"match\": \"a\", \"drop\": true},\n]", "line 3, column 1: there is a comma too many"),
        ("[{\"match\": \"ä\", \"drop\": true,}]", "line 1, column 30: there is a comma too many"),
        ("[{\"match\": \"a\" \"drop\": true}]", "column 16: a comma or a colon is missing"),
        ("[\n// no\n]", "line 2, column 1: JSON has no comments"),
        ("[{'match': 'a'}]", "column 3: texts stand between"),
        ("[{\"match\": \"a\", \"drop\": true}", "it ends too early"),
        ("[] x", "line 1, column 4"),
        ("hello", "no JSON at line 1, column 1"),
    ] {
        assert_told(text, &[told]);
    }
    // What stands before that is told as well.
    assert_told(
        "[{\"match\": \"a\", \"drop\": 1},\n}",
        &["rule 1 (match \"a\"): a number", "line 2, column 1"],
    );
}

#[test]
fn bounds_of_the_file_hold() {
    let rule = |n: usize| format!(r#"{{"match": "m{n}", "drop": true}}"#);
    let list = |rules: usize| format!("[{}]", (0..rules).map(rule).collect::<Vec<_>>().join(","));
    assert_eq!(rules(&list(RULES_MAX)).len(), RULES_MAX);
    assert_told(&list(RULES_MAX + 1), &["257 rules, more than 256"]);

    let padded = |bytes: usize| format!("{}[]", " ".repeat(bytes - 2));
    assert_eq!(rules(&padded(RULES_FILE_BYTES_MAX)), []);
    assert_told(
        &padded(RULES_FILE_BYTES_MAX + 1),
        &["more than 65536 bytes; accepted: the path of a JSON file"],
    );
    let errors = config_with(b"[\xff]", &[]).unwrap_err().to_string();
    assert!(errors.contains("not UTF-8"), "{errors}");

    let many = format!("[{{{}\"match\": \"a\", \"drop\": true}}]", "\"x\": 1, ".repeat(200));
    let told = problems(&many);
    assert_eq!((told.len(), told.last().map(String::as_str)), (TOLD_MAX + 1, Some("and 150 mistakes more")));
    let nested = format!("[{{\"match\": \"a\", \"x\": {}", "[".repeat(RULES_FILE_BYTES_MAX - 30));
    assert_eq!(problems(&nested).len(), 2, "neither the stack nor the time runs out");
}

#[test]
fn what_changes_nothing_of_a_reading_is_pointed_out() {
    let text = r#"[{"match": "Chouette.host.*", "type": "count"}, {"match": "*", "emit": ["max"]}]"#;
    let config = config_with(text.as_bytes(), &[]).unwrap();
    let [warning] = &config.warnings[..] else { panic!("{:?}", config.warnings) };
    assert!(
        warning.starts_with("METRICS_RULES: rule 1 (match \"Chouette.host.*\"): type and emit"),
        "{warning}"
    );
}
