//! The command line as a person meets it: texts and exit codes. What is said of mistakes is in `tests/messages`.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::process::{Command, Output};

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
