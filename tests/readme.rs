//! The commands of README.md, run as they stand there: by a shell, in their order, with the program that stands where a
//! reader has built or installed it.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use support::agent::{API_KEY, Agent, program};
use support::behaviour::status;
use support::intake::Intake;
use support::temp::TempDir;
use support::{SOON, find_program, free_port, json, repository, skip, wait_until};

/// A longer one is not read.
const LINES_MAX: usize = 300;

/// Run otherwise than here: by whom.
const ELSEWHERE: &[(&str, &str)] = &[
    ("cargo build --release", "tests/run.sh builds with it what the other commands run"),
    ("tests/run.sh", "runs this test, too"),
];

/// A place that looks to a command as the reader's machine does.
struct Scene {
    directory: TempDir,
    intake: Intake,
    port: u16,
}

/// What came of a command.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Scene {
    fn new() -> Scene {
        let directory = TempDir::new();
        for place in ["target/release", "bin"] {
            fs::create_dir_all(directory.join(place)).unwrap();
            std::os::unix::fs::symlink(program_of_the_reader(), directory.join(place).join("chouette-iot"))
                .unwrap();
        }
        std::os::unix::fs::symlink(repository("cross"), directory.join("cross")).unwrap();
        // Nobody becomes root for a test.
        directory.write("bin/sudo", "#!/bin/sh\nexec \"$@\"\n");
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(directory.join("bin/sudo"), executable).unwrap();
        Scene { directory, intake: Intake::start(|_| status(202)), port: free_port() }
    }

    /// Where `install.sh` puts everything.
    fn root(&self) -> PathBuf {
        self.directory.join("root")
    }

    /// The line as it is typed here: with a key, a port and places of this machine's.
    fn start(&self, line: &str) -> Agent {
        let own = self.root().join("etc/chouette-iot.env");
        let line = line
            .replace("<your key>", API_KEY)
            .replace("/etc/chouette-iot.env", own.to_str().unwrap())
            .replace("/8125", &format!("/{}", self.port));
        let path = format!("{}:{}", self.directory.join("bin").display(), std::env::var("PATH").unwrap());
        // Without a pipe or redirection the program takes the shell's place, so that signals reach it.
        let exec = if line.contains('>') { "" } else { "exec env " };
        let mut command = Command::new("bash");
        command.env_clear().env("PATH", path).env("DESTDIR", self.root());
        for (name, value) in [
            ("DATADOG_URL", self.intake.url()),
            ("DATADOG_LOGS_URL", self.intake.logs_url()),
            ("RELEASE_INTERVAL", "1".to_owned()),
            ("CAPTURE_INTERVAL", "1".to_owned()),
            ("AGGREGATE_INTERVAL", "1".to_owned()),
            ("CHOUETTE_STORAGE_TYPE", "embedded".to_owned()),
            ("COLLECTOR_PLUGINS", "host".to_owned()),
            ("DOGSTATSD_PORT", self.port.to_string()),
            ("SPOOL_PATH", self.directory.join("spool").display().to_string()),
            ("STATUS_SOCKET", self.directory.join("status.sock").display().to_string()),
        ] {
            command.env(name, value);
        }
        Agent::start(
            command.args(["-c", &format!("cd '{}' && {exec}{line}", self.directory.path().display())]),
        )
    }

    fn run(&self, line: &str) -> Ended {
        let mut agent = self.start(line);
        let code = agent.wait(SOON);
        Ended { code, stdout: agent.stdout(), stderr: agent.stderr() }
    }

    fn has_sent(&self, metric: &str) -> bool {
        self.intake.requests().iter().any(|request| request.text.contains(&format!("\"{metric}\"")))
    }
}

/// What `cargo build --release` has built, where it has; what cargo built for the tests otherwise.
fn program_of_the_reader() -> PathBuf {
    let built = repository("target/release/chouette-iot");
    if built.is_file() && support::is_ci() { built } else { PathBuf::from(program().remove(0)) }
}

/// The lines of all blocks of shell.
fn commands(document: &str) -> Vec<String> {
    let blocks = document.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.flat_map(str::lines).filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

#[test]
fn every_command_of_the_readme_does_what_the_readme_says() {
    if find_program("bash").is_none() {
        return skip("no bash");
    }
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    let scene = Scene::new();
    let mut running: Option<Agent> = None;
    let lines = commands(&readme);
    assert!(lines.len() >= 8, "{lines:?}");
    for line in &lines {
        if ELSEWHERE.iter().any(|(known, _)| known == line) {
            continue;
        }
        if line.contains("--dry-run") {
            let ended = scene.run(line);
            assert_eq!(ended.code, Some(0), "{line}: {}", ended.stderr);
            let body = json::parse(ended.stdout.lines().next().unwrap()).unwrap();
            let series = json::items(json::get(&body, "series"));
            assert!(series.len() > 3, "{line}: {}", ended.stdout);
            assert_eq!(scene.intake.connection_count(), 0, "{line}: nothing is sent");
        } else if line.starts_with("API_KEY=") {
            let agent = scene.start(line);
            assert!(wait_until(SOON, || scene.has_sent("Chouette.host.la")), "{line}: {}", agent.stderr());
            running = Some(agent);
        } else if line.contains("install.sh") {
            let ended = scene.run(line);
            assert_eq!(ended.code, Some(0), "{line}: {}", ended.stderr);
            let settings = scene.root().join("etc/chouette-iot.env");
            let text = fs::read_to_string(&settings).unwrap();
            assert!(ended.stdout.contains("put your API_KEY there"), "{}", ended.stdout);
            fs::write(settings, format!("{text}\nAPI_KEY={API_KEY}\n")).unwrap();
        } else if line.starts_with("printf") {
            let ended = scene.run(line);
            assert_eq!(ended.code, Some(0), "{line}: {}", ended.stderr);
            assert!(wait_until(SOON, || scene.has_sent("door.opened")), "{line}");
        } else if line.starts_with("chouette-iot --env-file") {
            // The one before it has the queue and the port.
            let mut before = running.take().unwrap();
            before.signal("TERM");
            assert_eq!(before.wait(SOON), Some(0), "{}", before.stderr());
            let had = scene.intake.requests().len();
            let mut agent = scene.start(line);
            assert!(wait_until(SOON, || scene.intake.requests().len() > had), "{line}: {}", agent.stderr());
            agent.signal("TERM");
            assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
        } else {
            let ended = scene.run(line);
            assert_eq!(ended.code, Some(0), "{line}: {}{}", ended.stdout, ended.stderr);
            let expected = match line.trim_start_matches("sudo ").split(' ').nth(1) {
                Some("status") => "version",
                Some("metrics") => "Chouette.host.memory.used",
                Some("doctor") => "configuration",
                _ => panic!("nobody has said what is expected of {line}"),
            };
            assert!(ended.stdout.contains(expected), "{line}: {}", ended.stdout);
            assert!(!ended.stdout.contains(API_KEY) && !ended.stderr.contains(API_KEY), "{line}");
        }
    }
    for (known, _) in ELSEWHERE {
        assert!(lines.iter().any(|line| line == known), "{known} is not in the README any more");
    }
}

#[test]
fn the_readme_is_short_and_its_links_lead_somewhere() {
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    assert!(readme.lines().count() < LINES_MAX);
    for target in readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        let path = repository(if file.is_empty() { "README.md" } else { file });
        assert!(path.exists(), "{target}");
        let has_anchor = || headings(&fs::read_to_string(&path).unwrap()).any(|heading| heading == anchor);
        assert!(anchor.is_empty() || has_anchor(), "{target}");
    }
}

/// The anchors of a document.
fn headings(document: &str) -> impl Iterator<Item = String> {
    let titles = document.lines().filter(|line| line.starts_with('#'));
    titles.map(|line| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"))
}

/// What a reader looks a metric up by.
#[test]
fn every_metric_that_the_agent_sends_by_itself_stands_in_the_readme() {
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    let (_, tables) = readme.split_once("\n## What the agent sends by itself\n").unwrap();
    for metric in chouette_iot::collect::PLUGINS.iter().flat_map(|plugin| plugin.metrics) {
        // `Chouette.host.fs.used` may stand as `.used` in the row of `Chouette.host.fs.free`.
        let (stem, last) = metric.name.rsplit_once('.').unwrap();
        let is_row = |line: &str| {
            line.contains(&format!("`{}`", metric.name))
                || line.contains(&format!("`{stem}.")) && line.contains(&format!("`.{last}`"))
        };
        assert!(tables.lines().any(is_row), "{}", metric.name);
    }
}
