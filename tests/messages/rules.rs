//! The file of rules that `METRICS_RULES` names: each mistake is told with the number of its rule and the pattern.

use super::support::temp::TempDir;
use super::{ONE, SECRET, refusal};

const MATCH: &str = "the name of a metric as text, in which * is any run of characters, dots too";
const TYPE: &str = "count, gauge, rate or histogram";
const EMIT: &str = "a list of max, median, avg, count, min, sum, and p1 to p99";
const TAGS: &str = "a list of tag names, such as [\"request_id\"]";
const RENAME: &str = "the new name as text, in which $1 is what the first * of match stood for";

/// What the file says, and what is said of it. `{…}` stands for what is accepted.
fn mistakes() -> Vec<(&'static str, String)> {
    let rule = |text: &str| format!("rule 1 (match \"a.*\"): {text}");
    vec![
        ("", "the file is empty; a list without rules is []".to_owned()),
        ("{}", "no list of rules; write [{\"match\": \"debug.*\", \"drop\": true}]".to_owned()),
        ("[\n  {\"match\": \"a\", \"drop\": true},\n]", "no JSON at line 3, column 1: there is a comma too many before it".to_owned()),
        ("[{\"match\": \"a\" \"drop\": true}]", "no JSON at line 1, column 16: a comma or a colon is missing before it".to_owned()),
        ("[\n  // mine\n]", "no JSON at line 2, column 3: JSON has no comments".to_owned()),
        ("[{'match': 'a'}]", "no JSON at line 1, column 3: texts stand between \" and \"".to_owned()),
        ("[{\"match\": \"a\", \"drop\": true}", "no JSON at line 1, column 30: it ends too early".to_owned()),
        ("[\"debug.*\"]", "rule 1 is text; a rule is an object with \"match\" in it".to_owned()),
        ("[{\"drop\": true}]", format!("rule 1: no \"match\"; it is {MATCH}")),
        ("[{\"match\": \"a.*\"}]", rule("nothing to do; add type, emit, drop, drop_tags or rename. \"drop\": false is for metrics that are to be left alone by the rules below")),
        ("[{\"match\": \"a.*\", \"drp\": true}]", rule("no field is called \"drp\", did you mean \"drop\"? the fields are: match, type, emit, drop, drop_tags, rename")),
        ("[{\"match\": \"a.*\", \"drop\": \"yes\"}]", rule("text cannot stand in drop; accepted: true or false")),
        ("[{\"match\": \"a.*\", \"drop\": true, \"drop\": true}]", rule("\"drop\" stands there twice")),
        ("[{\"match\": \"a.*\", \"drop\": true, \"type\": \"count\"}]", rule("drop leaves nothing that type could change; keep one of them")),
        ("[{\"match\": \"a.*\", \"type\": \"gage\"}]", rule(&format!("no type is called \"gage\", did you mean \"gauge\"? accepted: {TYPE}"))),
        ("[{\"match\": \"a.*\", \"type\": \"set\"}]", rule(&format!("no number becomes a set, and a set stays one; accepted: {TYPE}"))),
        ("[{\"match\": \"a.*\", \"emit\": [\"mean\"]}]", rule(&format!("emit knows no \"mean\", did you mean \"avg\"? accepted: {EMIT}"))),
        ("[{\"match\": \"a.*\", \"emit\": []}]", rule(&format!("emit is an empty list; accepted: {EMIT}"))),
        ("[{\"match\": \"a.*\", \"emit\": [\"max\"], \"type\": \"count\"}]", rule("emit is for histograms, and type makes it a count; leave one of them out, or write \"type\": \"histogram\"")),
        ("[{\"match\": \"a.*\", \"drop_tags\": [\"id:7\"]}]", rule(&format!("drop_tags \"id:7\": the name of a tag is what stands before its colon; accepted: {TAGS}"))),
        ("[{\"match\": \"a.*\", \"drop_tags\": [\"id*\"]}]", rule(&format!("drop_tags \"id*\": names of tags are taken as they are, without *; accepted: {TAGS}"))),
        ("[{\"match\": \"a.*\", \"rename\": \"\"}]", rule(&format!("rename \"\": it is empty; accepted: {RENAME}"))),
        ("[{\"match\": \"a.*\", \"rename\": \"b c\"}]", rule(&format!("rename \"b c\": the character ' ' cannot stand in a name; accepted: {RENAME}"))),
        ("[{\"match\": \"a.*\", \"rename\": \"b.*\"}]", rule(&format!("rename \"b.*\": * stands in match only; what it stood for there is $1 here; accepted: {RENAME}"))),
        ("[{\"match\": \"a.*\", \"rename\": \"b.$2\"}]", rule(&format!("rename \"b.$2\": $2 is nothing: match has one *, which is $1; accepted: {RENAME}"))),
        ("[{\"match\": \"a\", \"rename\": \"b.$1\"}]", format!("rule 1 (match \"a\"): rename \"b.$1\": $1 is nothing, as match has no *; accepted: {RENAME}")),
        ("[{\"match\": \"*.*\", \"rename\": \"$x\"}]", format!("rule 1 (match \"*.*\"): rename \"$x\": $x is nothing: match has 2 stars, $1 to $2; accepted: {RENAME}")),
        ("[{\"match\": \"\", \"drop\": true}]", "rule 1 (match \"\"): match is empty and matches nothing; * matches everything".to_owned()),
        ("[{\"match\": \"app.?\", \"drop\": true}]", format!("rule 1 (match \"app.?\"): the character '?' cannot stand in match; accepted: {MATCH}")),
        ("[{\"match\": \"a.**\", \"drop\": true}]", "rule 1 (match \"a.**\"): ** in match is no more than *, which stands for dots too; write one".to_owned()),
        (
            "[{\"match\": \"a.*\", \"drop\": true}, {\"match\": \"a.b\", \"drop\": true}]",
            "rule 2 (match \"a.b\"): never reached: the first rule that matches counts, and rule 1 (match \"a.*\") takes all that this one could; put this one before it, or leave it out".to_owned(),
        ),
    ]
}

#[test]
fn a_mistake_is_told_with_its_rule_and_what_is_accepted() {
    let dir = TempDir::new();
    for (text, told) in mistakes() {
        let path = dir.write("rules.json", text);
        let path = path.to_str().unwrap();
        let env = [("API_KEY", SECRET), ("METRICS_RULES", path)];
        assert_eq!(refusal(&["run"], &env), format!("{ONE}METRICS_RULES={path}: {told}\n"), "{text}");
    }
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once() {
    let dir = TempDir::new();
    let path = dir.write("rules.json", r#"[{"match": "a.*", "drp": true}, {"match": "b", "type": "gage"}]"#);
    let path = path.to_str().unwrap();
    let told = refusal(&["run"], &[("API_KEY", SECRET), ("METRICS_RULES", path)]);
    let expected = [
        "chouette-iot: 2 mistakes in the configuration:".to_owned(),
        format!(
            "  METRICS_RULES={path}: rule 1 (match \"a.*\"): no field is called \"drp\", did you mean \"drop\"? the \
             fields are: match, type, emit, drop, drop_tags, rename"
        ),
        format!(
            "  METRICS_RULES={path}: rule 2 (match \"b\"): no type is called \"gage\", did you mean \"gauge\"? \
             accepted: {TYPE}"
        ),
    ];
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn what_changes_nothing_is_told() {
    let dir = TempDir::new();
    let told = |text: &str, change: (&str, &str)| {
        let path = dir.write("rules.json", text);
        let env = [("API_KEY", SECRET), ("METRICS_RULES", path.to_str().unwrap()), change];
        refusal(&["run"], &env).replace(path.to_str().unwrap(), "PATH")
    };
    assert_eq!(
        told(r#"[{"match": "a", "emit": ["max"]}]"#, ("METRICS_WRAPPER", "simple")),
        format!(
            "{ONE}METRICS_RULES=PATH: rule 1 (match \"a\"): METRICS_WRAPPER=simple makes no histograms, which emit is \
             for\n"
        )
    );
    let reading = told(r#"[{"match": "Chouette.*", "type": "count"}]"#, ("METRIC_TTL", "0.5"));
    let note = "  note: METRICS_RULES: rule 1 (match \"Chouette.*\"): type and emit change nothing of the board's own \
                readings, which are gauges and not merged\n";
    assert!(reading.ends_with(note), "{reading}");
}

#[test]
fn what_is_too_long_is_told_with_the_bound() {
    let dir = TempDir::new();
    let told = |text: &str| {
        let path = dir.write("rules.json", text);
        let env = [("API_KEY", SECRET), ("METRICS_RULES", path.to_str().unwrap())];
        refusal(&["run"], &env).replace(path.to_str().unwrap(), "PATH")
    };
    let rename = "x".repeat(301);
    let told_of_rename = told(&format!("[{{\"match\": \"a\", \"rename\": \"{rename}\"}}]"));
    let expected = format!(
        "{ONE}METRICS_RULES=PATH: rule 1 (match \"a\"): rename \"{}…\": it has more than 200 bytes; accepted: {RENAME}\n",
        &rename[..120]
    );
    assert_eq!(told_of_rename, expected);
    let rules: Vec<String> = (0..257).map(|n| format!("{{\"match\": \"m{n}\", \"drop\": true}}")).collect();
    let expected = format!("{ONE}METRICS_RULES=PATH: 257 rules, more than 256\n");
    assert_eq!(told(&format!("[{}]", rules.join(","))), expected);
    let expected = format!(
        "{ONE}METRICS_RULES=PATH: the file has more than 65536 bytes; accepted: the path of a JSON file, a list of \
         rules\n"
    );
    assert_eq!(told(&" ".repeat(65_537)), expected);
}
