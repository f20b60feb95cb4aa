//! The command line and the configuration as a person meets them: texts, exit codes, and no secret anywhere.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::process::{Command, Output};

const SECRET: &str = "s3cret-word-of-the-test";

fn agent(arguments: &[&str], env: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chouette-iot"))
        .args(arguments)
        .env_clear()
        .envs(env.iter().copied())
        .output()
        .unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn file(name: &str, text: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("chouette-cli-{}-{name}", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn help_and_version_go_to_standard_output() {
    for (argument, expected) in
        [("--help", "DATADOG_URL"), ("-h", "SIGUSR1"), ("--version", env!("CARGO_PKG_VERSION"))]
    {
        let output = agent(&[argument], &[]);
        assert_eq!(output.status.code(), Some(0), "{argument}");
        assert!(String::from_utf8(output.stdout.clone()).unwrap().contains(expected), "{argument}");
        assert_eq!(errors(&output), "", "{argument}");
    }
}

#[test]
fn a_first_start_says_what_to_set() {
    let output = agent(&[], &[]);
    assert_eq!(output.status.code(), Some(2));
    let text = errors(&output);
    assert!(text.contains("API_KEY=<your key>") && text.contains("--env-file"), "{text}");
}

#[test]
fn all_mistakes_are_told_at_once_and_no_secret() {
    let output = agent(
        &["run"],
        &[
            ("API_KEY", SECRET),
            ("AGGREGATE_INTERVAL", "0"),
            ("RELEASE_INTERVAL", "soon"),
            ("COLLECTOR_PLUGINS", "host,hots"),
            ("METRICS_WRAPPER", "fancy"),
            ("REDIS_URL", "redis://user:s3cret-word-of-the-test@:0/x"),
        ],
    );
    assert_eq!(output.status.code(), Some(2));
    let text = errors(&output);
    for expected in ["AGGREGATE_INTERVAL", "RELEASE_INTERVAL", "soon", "hots", "fancy", "REDIS_URL"] {
        assert!(text.contains(expected), "{expected} is not in: {text}");
    }
    assert!(!text.contains(SECRET), "{text}");
}

#[test]
fn a_wrong_argument_is_a_usage_error() {
    for arguments in
        [&["--onec"][..], &["fly"], &["run", "--env-file"], &["run", "--once=yes"], &["doctor", "--watch"]]
    {
        let output = agent(arguments, &[("API_KEY", SECRET)]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(errors(&output).starts_with("chouette-iot: "), "{arguments:?}");
    }
    assert!(errors(&agent(&["--onec"], &[])).contains("--once"), "a hint for a near miss");
}

#[test]
fn a_dry_run_starts_without_a_key() {
    let dry_run = ["run", "--dry-run"];
    // No Redis is there, so it ends with 1.
    let output = agent(&dry_run, &[("REDIS_URL", "unix:///nowhere/redis.sock")]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{}", errors(&output));
    let output = agent(&dry_run, &[("AGGREGATE_INTERVAL", "0")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!errors(&output).contains("API_KEY"), "{}", errors(&output));
}

#[test]
fn the_environment_wins_over_the_file() {
    let path = file("wins", "# a comment\nexport API_KEY=from-the-file\nAGGREGATE_INTERVAL='0'\n");
    let name = path.to_str().unwrap();
    let output = agent(&["run", "--env-file", name], &[]);
    assert_eq!(output.status.code(), Some(2), "the interval of the file is wrong");
    assert!(errors(&output).contains("AGGREGATE_INTERVAL"));
    // The environment mends it; no Redis is there, so one run ends with 1.
    let env = [("AGGREGATE_INTERVAL", "1"), ("REDIS_URL", "unix:///nowhere/redis.sock")];
    let output = agent(&["run", "--once", "--env-file", name], &env);
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    std::fs::remove_file(path).unwrap();
}

#[test]
fn wrong_rules_stop_the_start_each_told_with_its_number_and_pattern() {
    let rules = r#"[{"match": "a.*", "drp": true}, {"match": "b", "type": "gage", "emit": ["mean"]}]"#;
    let path = file("rules", rules);
    let output = agent(&["run"], &[("API_KEY", SECRET), ("METRICS_RULES", path.to_str().unwrap())]);
    assert_eq!(output.status.code(), Some(2));
    let text = errors(&output);
    for told in [
        "3 mistakes in the configuration:",
        &format!("\n  METRICS_RULES={}: rule 1 (match \"a.*\"): ", path.display()),
        "did you mean \"drop\"?",
        "did you mean \"gauge\"?",
        "did you mean \"avg\"?",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let path = file("bad", "API_KEY=x\nthis is no assignment\n");
    for name in [path.to_str().unwrap(), "/nowhere/chouette.env"] {
        let output = agent(&["run", "--env-file", name], &[]);
        assert_eq!(output.status.code(), Some(2));
        assert!(errors(&output).contains(name), "{}", errors(&output));
    }
    std::fs::remove_file(path).unwrap();
}
