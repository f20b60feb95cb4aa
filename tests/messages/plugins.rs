//! Plugins that find nothing to read, or may not.

use super::says;
use super::support::agent::{self, Agent, Env};
use super::support::intake::Intake;
use super::support::temp::TempDir;
use super::support::{find_program, skip};

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::process::Command;

/// An agent that reads, and has nowhere to put it.
fn env(changes: &[(&str, &str)]) -> Env {
    agent::with(agent::env("redis://127.0.0.1:1", &Intake::accepting()), changes)
}

#[test]
fn what_is_not_there_is_told_with_its_path() {
    let dir = TempDir::new();
    let (board, nothing) = (dir.path().to_str().unwrap(), dir.join("nothing"));
    let nothing = nothing.to_str().unwrap();
    let agent = Agent::run(&env(&[
        ("COLLECTOR_PLUGINS", "host,docker,tegrastats"),
        ("HOST_COLLECTOR_METRICS", "la,ram"),
        ("HOST_ROOT", board),
        ("DOCKER_SOCKET_PATH", nothing),
        ("TEGRASTATS_PATH", nothing),
    ]));
    const NONE: &str = "No such file or directory (os error 2)";
    says(&agent, &format!("WARN host: proc/loadavg: {NONE}; proc/meminfo: {NONE}"));
    says(&agent, &format!("WARN docker: /containers/json: connect {nothing}: no such file or directory"));
    says(
        &agent,
        &format!("WARN tegrastats: {nothing}: there is no such program, and the board is no Jetson"),
    );
}

#[test]
fn a_socket_of_the_engine_that_is_not_for_the_agent_is_told_with_the_way_out() {
    let Some(setpriv) = find_program("setpriv") else { return skip("setpriv is not installed") };
    let dir = TempDir::new();
    let socket = dir.join("docker.sock");
    let _engine = UnixListener::bind(&socket).unwrap();
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o000)).unwrap();
    let socket = socket.to_str().unwrap();
    let changes = [("COLLECTOR_PLUGINS", "docker"), ("DOCKER_SOCKET_PATH", socket)];
    let mut command = Command::new(setpriv);
    // Root may everything, unless it is told not to.
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.arg("--bounding-set=-dac_override");
    }
    command.arg(agent::binary()).arg("run");
    let agent = Agent::start(command.env_clear().envs(env(&changes)));
    let line = format!(
        "WARN docker: /containers/json: connect {socket}: permission denied; the agent's user has to be in the group \
         of that socket"
    );
    says(&agent, &line);
}

#[test]
fn a_kubelet_that_is_not_checked_is_told_with_the_way_out() {
    let changes = [
        ("COLLECTOR_PLUGINS", "k8s"),
        ("K8S_STATS_SERVICE_IP", "127.0.0.1"),
        ("K8S_STATS_SERVICE_PORT", "1"),
    ];
    let agent = Agent::run(&env(&changes));
    says(
        &agent,
        "WARN k8s: the kubelet's certificate is not checked, so somebody in between could pose as it; set K8S_CA_PATH",
    );
    says(&agent, "WARN k8s: 127.0.0.1:1/stats/summary: connect 127.0.0.1:1: connection refused");
}
