//! Where DogStatsD is received, and what the service manager is told.

use super::support::SOON;
use super::support::agent::{self, Agent};
use super::support::intake::Intake;
use super::support::temp::TempDir;
use super::{said, says};

use std::net::UdpSocket;

/// The last word of an agent that cannot begin.
fn last_word(changes: &[(&str, &str)]) -> String {
    let env = agent::with(agent::env("redis://127.0.0.1:1", &Intake::accepting()), changes);
    let mut agent = Agent::run(&env);
    assert_eq!(agent.wait(SOON), Some(1), "{}", agent.stderr());
    said(&agent.stderr()).pop().unwrap()
}

#[test]
fn an_address_that_cannot_be_received_on_is_told() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let socket = UdpSocket::bind(("127.0.0.1", taken)).unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    const CANNOT: &str = "ERROR the agent cannot run: dogstatsd: cannot receive on ";
    assert_eq!(
        last_word(&[("DOGSTATSD_PORT", &port)]),
        format!("{CANNOT}127.0.0.1:{port}: Address already in use (os error 98)")
    );
    assert_eq!(
        last_word(&[("DOGSTATSD_PORT", &port), ("DOGSTATSD_HOST", "192.0.2.1")]),
        format!("{CANNOT}192.0.2.1:{port}: Cannot assign requested address (os error 99)")
    );
    let dir = TempDir::new();
    let file = dir.write("file", "mine").display().to_string();
    assert_eq!(
        last_word(&[("DOGSTATSD_SOCKET", &file)]),
        format!("{CANNOT}{file}: there is something that is no socket")
    );
    let taken = dir.join("taken");
    let _receiver = std::os::unix::net::UnixDatagram::bind(&taken).unwrap();
    let taken = taken.display().to_string();
    assert_eq!(
        last_word(&[("DOGSTATSD_SOCKET", &taken)]),
        format!("{CANNOT}{taken}: another program receives there")
    );
}

#[test]
fn a_service_manager_that_cannot_be_told_is_told_of() {
    let env = |socket: &str| {
        agent::with(agent::env("redis://127.0.0.1:1", &Intake::accepting()), &[("NOTIFY_SOCKET", socket)])
    };
    let agent = Agent::run(&env("run/notify"));
    says(&agent, "WARN NOTIFY_SOCKET run/notify: neither a path nor @ and a name");
    let agent = Agent::run(&env("/nowhere/notify"));
    says(&agent, "WARN the service manager cannot be told: No such file or directory (os error 2)");
}

#[test]
fn a_kubelet_that_is_not_checked_is_told_with_the_way_out() {
    let changes = [
        ("COLLECTOR_PLUGINS", "k8s"),
        ("K8S_STATS_SERVICE_IP", "127.0.0.1"),
        ("K8S_STATS_SERVICE_PORT", "1"),
    ];
    let agent = Agent::run(&agent::with(agent::env("redis://127.0.0.1:1", &Intake::accepting()), &changes));
    says(
        &agent,
        "WARN k8s: the kubelet's certificate is not checked, so somebody in between could pose as it; set K8S_CA_PATH",
    );
    says(&agent, "WARN k8s: 127.0.0.1:1/stats/summary: connect 127.0.0.1:1: connection refused");
}
