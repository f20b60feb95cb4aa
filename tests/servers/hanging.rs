//! Peers that take a question and say nothing, for ever: nothing else may notice.

use crate::docker::{LIST, engine};
use crate::kubelet::{Pki, variables};
use crate::script::{Manner, Server, ok};
use crate::support::agent::Agent;
use crate::support::queues::{RAW, raw_record};
use crate::support::temp::TempDir;
use crate::support::{PATIENT, SOON, unix_now, wait_until};
use crate::{Bench, failures};
use std::os::unix::fs::PermissionsExt as _;

const ROUNDS: usize = 8;

/// What a timer may be late, on a machine that runs other tests meanwhile.
const LATENESS_MS_MAX: u64 = 50;

fn rounds(bench: &Bench, metric: &str) -> usize {
    bench.store().series(metric).iter().map(|(_, held)| held.points.len()).max().unwrap_or_default()
}

#[test]
fn everything_else_goes_on() {
    let Some(bench) = Bench::new() else {
        return;
    };
    let dir = TempDir::new();
    let socket = dir.join("docker.sock");
    let engine = engine(20, Manner::Hang);
    let docker = Server::unix(&socket, engine);
    let pki = Pki::new();
    let kubelet = Server::tls(pki.asking(), |_| ok("").in_manner(Manner::Hang));
    let own = variables(&kubelet, &pki);
    let mut own: Vec<(&str, &str)> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let socket = socket.to_string_lossy();
    own.push(("DOCKER_SOCKET_PATH", &socket));
    // A program that says nothing either.
    let silent = dir.join("tegrastats");
    std::fs::write(&silent, "#!/bin/sh\nexec sleep 600\n").unwrap();
    std::fs::set_permissions(&silent, std::fs::Permissions::from_mode(0o755)).unwrap();
    let silent = silent.to_string_lossy();
    own.push(("TEGRASTATS_PATH", &silent));
    own.push(("LOG_LEVEL", "DEBUG"));
    let mut redis = bench.redis.client();
    redis.run::<()>(&["HSET", "dramatiq:mail.msgs", "1", "message"]);
    let agent = Agent::run(&bench.env("docker,k8s,dramatiq,tegrastats,host", &own));

    // Samples go in all the time, and everything comes out.
    let mut pushed = 0;
    let goes_on = wait_until(PATIENT, || {
        let record = raw_record("app.events", "count", "1", unix_now() as f64, &[]);
        redis.push(RAW, &format!("sample-{pushed}"), Some(unix_now() as f64), Some(record.as_bytes()));
        pushed += 1;
        rounds(&bench, "Chouette.host.la") >= ROUNDS
            && rounds(&bench, "Chouette.dramatiq.queue_size") >= ROUNDS
            && rounds(&bench, "app.events") >= ROUNDS
    });
    assert!(goes_on, "{}", agent.stderr());
    for plugin in ["docker", "k8s"] {
        let told = bench.intake.wait_for(SOON, |requests| failures(requests, plugin) >= 3.0);
        assert!(told, "{plugin}: {}", agent.stderr());
    }
    for plugin in ["host", "dramatiq"] {
        assert_eq!(failures(&bench.intake.requests(), plugin), 0.0, "{}", agent.stderr());
    }
    const SKIPPED: &str = "docker: the reading before has not finished; this turn is skipped\n";
    assert!(agent.stderr().contains(SKIPPED), "{}", agent.stderr());
    // One question each, whatever number of turns has passed.
    assert_eq!((docker.most_open(), kubelet.most_open()), (1, 1));

    // Silence ends, and so does its effect: the engine answers the list, then hangs at each container.
    let hanging = crate::docker::engine(20, Manner::Hang);
    let listing = crate::docker::engine(20, Manner::Whole);
    docker.behave(move |request| if request.path == LIST { listing(request) } else { hanging(request) });
    let asked = || docker.requests().iter().filter(|request| request.path != LIST).count();
    assert!(wait_until(PATIENT, || asked() >= 4), "{}", agent.stderr());
    let before = rounds(&bench, "Chouette.host.la");
    assert!(wait_until(SOON, || rounds(&bench, "Chouette.host.la") >= before + 3));
    assert_eq!((asked(), docker.most_open()), (4, 4));
    assert!(worst_lateness_ms(&agent.stderr()) <= LATENESS_MS_MAX, "{}", agent.stderr());
}

/// `… timer Flush is 7 ms late`; shorter ones are not told of.
fn worst_lateness_ms(log: &str) -> u64 {
    let late = log.lines().filter_map(|line| line.split_once(" is ")?.1.strip_suffix(" ms late"));
    let worst = late.map(|ms| ms.parse::<u64>().unwrap()).max().unwrap_or_default();
    println!("the latest timer: {worst} ms");
    worst
}
