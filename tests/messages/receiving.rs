//! Where DogStatsD is received, and what the service manager is told.

use super::support::agent::{self, Agent};
use super::support::intake::Intake;
use super::support::temp::TempDir;
use super::support::{SOON, wait_until};
use super::{said, says};

use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;

/// How much of a message is shown.
const SHOWN_CHARS: usize = 100;

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
    let _receiver = UnixDatagram::bind(&taken).unwrap();
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

/// A bad message of DogStatsD, and what is wrong with it.
const BAD: &[(&str, &str)] = &[
    ("rubbish", "no name:value|type"),
    ("a:1|m", "an unknown type of metric"),
    ("a:x|c", "a value that is no number"),
    ("a:nan|g", "a value that is not finite"),
    ("a:1|c|@1.5", "a sample rate that is not above 0 and at most 1"),
    ("a:1|c|T0", "a timestamp that is no number of seconds"),
    ("a:1|h|T1656581400", "a timestamp on something else than a count or gauge"),
    ("_e{5,9}:a|b", "an event whose lengths do not fit it"),
    ("_sc|a", "a service check without name or status"),
];

#[test]
fn a_bad_message_is_told_by_an_example() {
    let dir = TempDir::new();
    let sender = UnixDatagram::unbound().unwrap();
    let mut heard = Vec::new();
    let long = format!("{}:1|c", "n".repeat(5_000));
    let cut = format!("a:1|c|#{}", "t".repeat(9_000));
    let shown = |text: &str| format!("{:?}", text.chars().take(SHOWN_CHARS).collect::<String>());
    let lines = BAD.iter().map(|(message, why)| (*message, format!("{message:?}: {why}")));
    let long_ones = [
        (&*long, format!("{}: a name or tags that are too long", shown(&long))),
        (&*cut, format!("{}: the datagram is too long", shown(&cut))),
    ];
    for (number, (message, told)) in lines.chain(long_ones).enumerate() {
        let socket = dir.join(&format!("dogstatsd-{number}"));
        let changes = [("DOGSTATSD_SOCKET", socket.to_str().unwrap())];
        let env = agent::with(agent::env("redis://127.0.0.1:1", &Intake::accepting()), &changes);
        let agent = Agent::run(&env);
        assert!(
            wait_until(SOON, || sender.send_to(message.as_bytes(), &socket).is_ok()),
            "{}",
            agent.stderr()
        );
        heard.push((agent, format!("WARN dogstatsd: bad messages are dropped, such as {told}")));
    }
    heard.iter().for_each(|(agent, line)| says(agent, line));
}

#[test]
fn contexts_beyond_the_bound_are_told_with_the_worst() {
    let dir = TempDir::new();
    let socket = dir.join("dogstatsd");
    let changes = [("DOGSTATSD_SOCKET", socket.to_str().unwrap()), ("DOGSTATSD_CONTEXTS_MAX", "1")];
    let agent = Agent::run(&agent::with(agent::env("redis://127.0.0.1:1", &Intake::accepting()), &changes));
    let samples: Vec<String> = (0..9).map(|n| format!("busy:1|c|#n:{n}\n")).collect();
    let sender = UnixDatagram::unbound().unwrap();
    assert!(wait_until(SOON, || sender.send_to(samples.concat().as_bytes(), &socket).is_ok()));
    says(
        &agent,
        "WARN dogstatsd: 8 samples of new contexts dropped, beyond DOGSTATSD_CONTEXTS_MAX=1, most of them of \"busy\"",
    );
}
