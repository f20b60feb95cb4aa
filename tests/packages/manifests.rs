//! The manifests, against tables of the fields of their APIs, offline.

use std::path::Path;
use std::process::Command;

use chouette_iot::cli::{self, Form, Verb};
use chouette_iot::config::table::VARIABLES;

use super::support::temp::TempDir;
use super::support::{find_program, repository, skip};
use super::{package, said, tool};

/// What the checker says, and whether it found nothing wrong; none where it cannot run.
fn check(form: &str, file: &Path) -> Option<(bool, String)> {
    let python = tool("python3")?;
    let has_yaml = Command::new(python.get_program()).args(["-c", "import yaml"]).status().unwrap().success();
    if !has_yaml {
        skip("python3-yaml is not installed");
        return None;
    }
    let output = Command::new(python.get_program())
        .arg(repository("tests/packages/manifests.py"))
        .arg(form)
        .arg(repository(&format!("tests/fixtures/api/{form}.json")))
        .arg(file)
        .output()
        .unwrap();
    Some((output.status.success(), said(&output)))
}

#[test]
fn fields_types_and_variables_are_known() {
    for (form, file) in [("kubernetes", "kubernetes.yaml"), ("compose", "compose.yaml")] {
        let Some((right, said)) = check(form, &package(file)) else {
            return;
        };
        assert!(right, "{file}:\n{said}");
        let variables: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("variable ")).collect();
        assert!(variables.contains(&"API_KEY"), "{file}: {said}");
        for name in variables {
            assert!(VARIABLES.iter().any(|known| known.name == name), "{file}: {name}");
        }
    }
}

/// What asks the agent is the program of the image, with words that it knows.
#[test]
fn containers_are_looked_after_by_the_agent_itself() {
    let image = std::fs::read_to_string(repository("Dockerfile.arm")).unwrap();
    let program = image.lines().find_map(|line| line.strip_prefix("ENTRYPOINT [\"")).unwrap();
    let program = program.trim_end_matches("\"]");
    let of_image = format!("CMD [\"{program}\", \"status\"]");
    let check_line = image.lines().find(|line| line.starts_with("HEALTHCHECK ")).unwrap();
    assert!(check_line.ends_with(&of_image), "{check_line}");
    let asks = |alive| Verb::Status { form: Form::Text, watch: false, alive };
    for (form, file, checks) in [
        (
            "kubernetes",
            "kubernetes.yaml",
            &[("check readinessProbe ", asks(false)), ("check livenessProbe ", asks(true))][..],
        ),
        ("compose", "compose.yaml", &[("check healthcheck CMD ", asks(false))]),
    ] {
        let Some((_, said)) = check(form, &package(file)) else {
            return;
        };
        for (start, verb) in checks {
            let words =
                said.lines().find_map(|line| line.strip_prefix(start)).unwrap_or_else(|| panic!("{said}"));
            let words: Vec<&str> = words.split(' ').collect();
            assert_eq!(words[0], program, "{file}");
            let command = cli::parse(words[1..].iter().map(Into::into)).unwrap();
            assert_eq!((command.verb, command.env_file), (*verb, None), "{file}");
        }
    }
}

/// A pod that is not ready is still where applications leave their records.
#[test]
fn redis_is_reached_whether_or_not_the_agent_is_ready() {
    let text = std::fs::read_to_string(package("kubernetes.yaml")).unwrap();
    let service = text.split("\n---").find(|document| document.contains("\nkind: Service\n")).unwrap();
    assert!(service.contains("\n  publishNotReadyAddresses: true\n"), "{service}");
}

/// The check is able to fail.
#[test]
fn mistakes_are_found() {
    let dir = TempDir::new();
    for (form, file, right, wrong, complaint) in [
        (
            "kubernetes",
            "kubernetes.yaml",
            "readOnlyRootFilesystem",
            "readonlyRootFilesystem",
            "no such field",
        ),
        ("kubernetes", "kubernetes.yaml", "runAsNonRoot: true", "runAsNonRoot: \"true\"", "is no boolean"),
        ("kubernetes", "kubernetes.yaml", "value: /host", "value: 1", "is no string"),
        ("kubernetes", "kubernetes.yaml", "cpu: 50m", "cpu: 50mm", "is no quantity"),
        ("kubernetes", "kubernetes.yaml", "effect: NoSchedule", "effect: NoScheduling", "NoExecute"),
        (
            "kubernetes",
            "kubernetes.yaml",
            "fieldPath: status.hostIP",
            "fieldPath: status.hostAddress",
            "status.hostIP",
        ),
        ("kubernetes", "kubernetes.yaml", "kind: DaemonSet", "kind: Daemonset", "is not known"),
        ("kubernetes", "kubernetes.yaml", "    verbs: [get]", "    verbs: get", "is no [string]"),
        (
            "kubernetes",
            "kubernetes.yaml",
            "- name: queue\n          emptyDir",
            "- name: cue\n          emptyDir",
            "not there",
        ),
        ("kubernetes", "kubernetes.yaml", "cpu: 10m", "memory: 10m", "repeated"),
        ("compose", "compose.yaml", "read_only: true\n    user", "readonly: true\n    user", "no such field"),
        ("kubernetes", "kubernetes.yaml", "readinessProbe", "readyProbe", "no such field"),
        ("compose", "compose.yaml", "interval: 60s", "every: 60s", "no such field"),
        ("compose", "compose.yaml", "mem_limit: 16m", "mem_limit: [16m]", "mem_limit"),
        ("compose", "compose.yaml", "depends_on: [redis]", "depends_on: [reddis]", "not there"),
        ("compose", "compose.yaml", "type: bind", "type: bound", "type"),
    ] {
        let text = std::fs::read_to_string(package(file)).unwrap();
        assert!(text.contains(right), "{file}: {right}");
        let broken = dir.write(file, &text.replacen(right, wrong, 1));
        let Some((found_nothing, said)) = check(form, &broken) else {
            return;
        };
        assert!(!found_nothing && said.contains(complaint), "{wrong}: {said}");
    }
}

/// Where there is a client of Compose, it agrees.
#[test]
fn compose_itself_reads_the_file() {
    let plugin = find_program("docker").map(|docker| {
        let mut command = Command::new(docker);
        command.arg("compose");
        command
    });
    let candidates = [plugin, find_program("docker-compose").map(Command::new)];
    for mut client in candidates.into_iter().flatten() {
        let mut version = Command::new(client.get_program());
        if !version.args(client.get_args()).arg("version").output().unwrap().status.success() {
            continue;
        }
        client.arg("--file").arg(package("compose.yaml")).arg("config").env("API_KEY", "k3y");
        let output = client.output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        client.env_remove("API_KEY");
        assert!(!client.output().unwrap().status.success(), "a key is not asked for");
    }
}
