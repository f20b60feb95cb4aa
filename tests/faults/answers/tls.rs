//! TLS with somebody else: nothing of the request may be sent, and everything is kept.

use super::{Case, Run, Seen, side_by_side};
use crate::support::behaviour::status;
use crate::support::bench::Bench;
use crate::support::intake::{Front, Intake};
use crate::support::redis::RedisServer;
use crate::support::tls::{NAMES, Pki};

/// Seconds for the handshake.
const TLS_S: f64 = 10.0;

/// Meets with `front`, then with a server as it should be, all of one authority.
fn goes_through(case: &Case, pki: &Pki, front: Front, why: &str) -> Option<Seen> {
    let bench = Bench { redis: RedisServer::start()?, intake: Intake::start_tls(pki, |_| status(202)) };
    bench.intake.meet_with(front);
    let mend = || {
        assert!(bench.intake.requests().is_empty(), "{}: something was sent", case.name);
        bench.intake.meet_with(Front::Tls(pki.server_config()));
    };
    let trust = pki.ca_file();
    let changes = [("SSL_CERT_FILE", trust.to_str().unwrap())];
    let seen = case.is_kept_on(&bench, &changes, || bench.intake.connected_at(), mend)?;
    assert!(seen.log.contains(why), "{}: the log does not say {why}:\n{}", case.name, seen.log);
    Some(seen)
}

#[test]
fn nothing_is_sent_to_somebody_else() {
    let (pki, stranger, namesake) = (Pki::new(), Pki::of("a stranger"), Pki::new());
    let plain_400: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    let troubles = [
        ("a wrong name", Front::Tls(pki.server_for(&["intake.example.com"], 4096)), "not valid for name"),
        ("an expired certificate", Front::Tls(pki.server_for(&NAMES, 2001)), "expired"),
        ("an unknown authority", Front::Tls(stranger.server_config()), "UnknownIssuer"),
        ("another authority of the same name", Front::Tls(namesake.server_config()), "BadSignature"),
        ("no TLS but HTTP", Front::Says(plain_400), "tls: "),
        ("closed within the handshake", Front::Says(b""), "closed"),
        ("an alert", Front::Says(b"\x15\x03\x03\x00\x02\x02\x28"), "tls: "),
    ];
    let cases: Vec<(Case, Front, &str)> =
        troubles.map(|(name, front, why)| (Case::new(name, status(202)), front, why)).into();
    let silent =
        Case { lasting_s: TLS_S, attempts: 2, ..Case::new("silence instead of a handshake", status(202)) };
    let usual = Case { attempts: 0, ..Case::new("TLS as it should be, for comparison", status(202)) };
    let good = Front::Tls(pki.server_config());
    let mut runs: Vec<(&str, Run)> = Vec::new();
    runs.push((&usual.name, Box::new(|| goes_well(&usual, &pki, good))));
    runs.push((&silent.name, Box::new(|| goes_through(&silent, &pki, Front::Plain, "TLS handshake"))));
    for (case, front, why) in &cases {
        runs.push((&case.name, Box::new(|| goes_through(case, &pki, front.clone(), why))));
    }
    side_by_side("TLS", runs);
}

fn goes_well(case: &Case, pki: &Pki, front: Front) -> Option<Seen> {
    let bench = Bench { redis: RedisServer::start()?, intake: Intake::start_tls(pki, |_| status(202)) };
    bench.intake.meet_with(front);
    case.is_accepted_on(&bench, &[("SSL_CERT_FILE", pki.ca_file().to_str().unwrap())])
}
