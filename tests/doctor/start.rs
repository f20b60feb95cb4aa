//! The command itself: configuration, exit codes, and how it is shown.

use crate::support::temp::TempDir;
use crate::support::{find_program, skip};
use crate::{KEY, MARK, Told, doctor, errors, examine, run, set};
use chouette_iot::doctor::Trouble;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn mistakes_are_told_as_the_agent_tells_them() {
    let told =
        examine(&[("AGGREGATE_INTERVAL", "0"), ("REDIS_URL", "redis://u:hunter2@h:port/0"), ("API_KEY", "")]);
    assert_eq!((told.code, told.ok, told.checks.len()), (Some(1), false, 2), "{}", told.text);
    told.expect("configuration", "bad", "the environment").expect(
        "everything else",
        "skipped",
        "configuration",
    );
    let advice = &told.check("configuration").advice;
    for words in
        ["3 mistakes in the configuration:", "\n  API_KEY: not set", "AGGREGATE_INTERVAL=0", "redis://***@h"]
    {
        assert!(advice.contains(words), "{words}: {advice}");
    }
    let told = examine(&[("SSL_CERT_FILE", "/nowhere/ca.pem"), ("DATADOG_URL", "https://127.0.0.1:1/api")]);
    told.expect("configuration", "bad", "");
    assert!(told.check("configuration").advice.contains("SSL_CERT_FILE: /nowhere/ca.pem"), "{}", told.text);
}

#[test]
fn the_file_is_named_and_what_is_doubtful_is_told() {
    let dir = TempDir::new();
    let file = dir.write("agent.env", "API_KEY=hunter2\nAGREGATE_INTERVAL=5\n");
    let examined = |name: &str| {
        let mut command = doctor(&["--json", "--env-file", name]);
        set(&mut command, &[("API_KEY", "")]);
        Told::of(&run(&mut command))
    };
    let name = file.to_str().unwrap();
    let told = examined(name);
    told.expect("configuration", "warning", &format!("the environment and {name}"));
    assert!(told.check("configuration").advice.contains("AGREGATE_INTERVAL is not known; did you mean"));
    told.fails("tcp metrics", "", Trouble::Refused).expect("api key", "skipped", "");
    let told = examined("/nowhere/agent.env");
    assert!(told.check("configuration").advice.contains("/nowhere/agent.env: No such file"), "{}", told.text);
}

#[test]
fn exit_codes_follow_the_crosses_alone() {
    let dir = TempDir::new();
    let path = dir.path().to_str().unwrap();
    let intake = crate::support::intake::Intake::start(crate::network::knowing);
    let (url, logs) = (intake.url(), intake.logs_url());
    let sound = [
        ("DATADOG_URL", url.as_str()),
        ("DATADOG_LOGS_URL", &logs),
        ("CHOUETTE_STORAGE_TYPE", "embedded"),
        ("SPOOL_PATH", path),
        // Only a warning.
        ("METRIC_TTL", "1"),
    ];
    let told = examine(&sound);
    assert_eq!((told.code, told.ok), (Some(0), true), "{}", told.text);
    told.expect("configuration", "warning", "");
    let mut command = doctor(&[]);
    set(&mut command, &sound);
    let output = run(&mut command);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!((output.status.code(), errors(&output)), (Some(0), String::new()));
    assert!(text.contains("\n✓ api key ") && text.ends_with("\nnothing is broken, 1 warning\n"), "{text}");
    assert!(!text.contains('\x1b') && !text.contains('\r'), "no terminal, no colour: {text:?}");
    // Advice that two checks share is given once.
    let mut command = doctor(&[]);
    set(&mut command, &[("DATADOG_LOGS_URL", "http://127.0.0.1:2")]);
    let text = String::from_utf8(run(&mut command).stdout).unwrap();
    assert_eq!(text.matches("Nothing listens at that port").count(), 1, "{text}");
    assert!(text.ends_with("3 checks failed\n"), "{text}");
    let mut command = doctor(&["--watch"]);
    set(&mut command, &[("API_KEY", MARK)]);
    assert_eq!(run(&mut command).status.code(), Some(2));
}

/// What is shown on a terminal.
fn on_terminal(vars: &[(&str, &str)]) -> Option<String> {
    if find_program("script").is_none() {
        skip("there is no program `script` (util-linux)");
        return None;
    }
    let line =
        crate::agent::program().into_iter().map(|word| word.into_string().unwrap()).collect::<Vec<_>>();
    let mut command = Command::new("script");
    command.args(["-qec", &format!("{} doctor", line.join(" ")), "/dev/null"]).stdin(Stdio::null());
    set(&mut command, vars);
    command.env("PATH", "/usr/bin:/bin").env("SHELL", "/bin/sh");
    Some(String::from_utf8(run(&mut command).stdout).unwrap())
}

#[test]
fn a_terminal_has_colours_and_shows_what_is_tried() {
    let Some(text) = on_terminal(&[("TERM", "xterm")]) else { return };
    assert!(text.contains("\x1b[31m✗\x1b[0m tcp metrics"), "{text:?}");
    assert!(text.contains("… tcp metrics\r\x1b[K"), "{text:?}");
    let text = on_terminal(&[("TERM", "xterm"), ("NO_COLOR", "1")]).unwrap();
    assert!(text.contains("✗ tcp metrics") && !text.contains("\x1b[3"), "{text:?}");
    let text = on_terminal(&[("TERM", "dumb")]).unwrap();
    assert!(text.contains("✗ tcp metrics") && !text.contains('\x1b'), "{text:?}");
}

#[test]
fn each_line_is_told_as_soon_as_it_is_known() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/api", silent.local_addr().unwrap());
    let mut command = doctor(&[]);
    set(&mut command, &[("API_KEY", KEY), ("DATADOG_URL", &url)]);
    let began = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.by_ref().any(|line| line.starts_with("✓ tcp metrics")));
    // The handshake has not been given up yet.
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    child.kill().unwrap();
    child.wait().unwrap();
}
