//! Names, connections, proxies and certificates.

use crate::support::behaviour::{Answer, Behaviour, answer};
use crate::support::connect_proxy::{ConnectProxy, Gate};
use crate::support::free_port;
use crate::support::intake::{Front, Intake, Request};
use crate::support::namespace::{HOLE, inside};
use crate::support::tls::Pki;
use crate::support::{skip, unix_now};
use crate::{BASIC, Told, as_nobody, examine, examine_by};
use chouette_iot::doctor::Trouble;
use chouette_iot::doctor::certificate::date;
use chouette_iot::limits::doctor::{CERTIFICATE_DAYS, CHECK_S};

use std::io::Read as _;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The script of an intake that knows every key.
pub fn knowing(_: &Request) -> Behaviour {
    Behaviour::Answer(Answer { body: "{\"valid\":true}", ..answer(200) })
}

/// What is told of an intake behind TLS, with these variables more.
fn behind_tls(pki: &Pki, intake: &Intake, more: &[(&str, &str)]) -> Told {
    let (url, ca) = (intake.url(), pki.ca_file());
    let own = [("DATADOG_URL", url.as_str()), ("SSL_CERT_FILE", ca.to_str().unwrap())];
    examine(&[&own, more].concat())
}

#[test]
fn a_sound_chain_is_told_link_by_link() {
    let pki = Pki::new();
    let intake = Intake::start_tls(&pki, knowing);
    let proxy = ConnectProxy::start(Gate::Open);
    let address = format!("http://user:pr0xy-hunter2-pw@127.0.0.1:{}", proxy.port);
    let logs = intake.logs_url();
    let told = behind_tls(&pki, &intake, &[("HTTPS_PROXY", &address), ("DATADOG_LOGS_URL", &logs)]);
    told.expect("tcp metrics", "good", &format!("127.0.0.1:{}", proxy.port))
        .expect("proxy metrics", "good", &format!("lets through to 127.0.0.1:{}", intake.port()))
        .expect("tls metrics", "good", "TLS 1.3, from a private authority, until 4096-01-01")
        .expect("api key", "good", "127.0.0.1 knows it");
    assert!(!told.has("tcp logs"), "the same place is tried once");
    assert!(!told.has("name metrics"), "an address is no name");
    assert!(proxy.requests().iter().all(|(_, request)| request.header("proxy-authorization").is_some()));
}

#[test]
fn a_name_is_looked_up_once_and_its_addresses_are_shown() {
    let intake = Intake::start(knowing);
    let url = intake.url_of("localhost");
    let told = examine(&[("DATADOG_URL", &url), ("DATADOG_LOGS_URL", "http://localhost:1")]);
    told.expect("name metrics", "good", "localhost: ").expect("name metrics", "good", "127.0.0.1");
    assert!(!told.has("name logs"));
    told.expect("tcp metrics", "good", &format!("localhost:{}", intake.port()))
        .fails("tcp logs", "connection refused", Trouble::Refused)
        .expect("api key", "good", "");
}

/// How a certificate is shown, what is said of it, and whose advice follows.
type Case = (Arc<rustls::ServerConfig>, &'static str, Trouble);

#[test]
fn a_certificate_that_is_refused_says_why() {
    let (pki, other) = (Pki::new(), Pki::of("somebody else"));
    let cases: [Case; 5] = [
        (
            pki.server_for(&["127.0.0.1"], 2020),
            "ended on 2020-01-01, and here it is",
            Trouble::CertificateExpired,
        ),
        (
            pki.server_between((3000, 2, 1), (4000, 1, 1)),
            "begins on 3000-02-01, and here it is",
            Trouble::CertificateNotYet,
        ),
        (other.server_config(), "an authority that is not known", Trouble::CertificateIssuer),
        (pki.server_for(&["other.test"], 4000), "other.test", Trouble::CertificateName),
        (Pki::authority_as_server(), "certificate refused", Trouble::CertificateSelf),
    ];
    let intake = Intake::start_tls(&pki, knowing);
    for (config, detail, trouble) in cases {
        intake.meet_with(Front::Tls(config));
        behind_tls(&pki, &intake, &[])
            .expect("tcp metrics", "good", "")
            .fails("tls metrics", detail, trouble)
            .expect("api key", "skipped", "no connection")
            .expect("clock", "skipped", "no connection");
    }
}

#[test]
fn a_certificate_that_ends_soon_is_told_of_in_time() {
    let pki = Pki::new();
    let intake = Intake::start_tls(&pki, knowing);
    let day = |days: u64| date(unix_now() + days * 86_400);
    let parts = |date: &str| {
        let parts: Vec<u16> = date.split('-').map(|part| part.parse().unwrap()).collect();
        (i32::from(parts[0]), u8::try_from(parts[1]).unwrap(), u8::try_from(parts[2]).unwrap())
    };
    let (soon, later) = (day(CERTIFICATE_DAYS - 1), day(CERTIFICATE_DAYS + 2));
    for (until, is_soon) in [(&soon, true), (&later, false)] {
        for config in [pki.server_between((2020, 1, 1), parts(until)), pki.server_showing_more(parts(until))]
        {
            intake.meet_with(Front::Tls(config));
            let told = behind_tls(&pki, &intake, &[]);
            match is_soon {
                true => told.warns("tls metrics", until, Trouble::CertificateSoon),
                false => told.expect("tls metrics", "good", until),
            };
            told.expect("api key", "good", "");
        }
    }
    // What has ended, and was not needed, is no reason to worry.
    intake.meet_with(Front::Tls(pki.server_showing_more((2021, 9, 30))));
    behind_tls(&pki, &intake, &[]).expect("tls metrics", "good", "until 4096-01-01");
}

#[test]
fn what_is_no_tls_is_told_from_what_says_nothing() {
    let pki = Pki::new();
    let intake = Intake::start_tls(&pki, knowing);
    intake.meet_with(Front::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    behind_tls(&pki, &intake, &[]).fails("tls metrics", "tls: ", Trouble::TlsOther);
    intake.meet_with(Front::Says(b""));
    let closed = "connection closed while it was being opened";
    behind_tls(&pki, &intake, &[]).fails("tls metrics", closed, Trouble::TlsOther);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/api", silent.local_addr().unwrap());
    let began = Instant::now();
    examine(&[("DATADOG_URL", &url)]).expect("tcp metrics", "good", "").fails(
        "tls metrics",
        "no answer to the TLS handshake within 10 s",
        Trouble::TlsOther,
    );
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
}

#[test]
fn a_proxy_that_does_not_let_through_says_why() {
    let pki = Pki::new();
    let intake = Intake::start_tls(&pki, knowing);
    let proxy = ConnectProxy::start(Gate::Open);
    let address = format!("http://user:pr0xy-hunter2-pw@127.0.0.1:{}", proxy.port);
    let said = |text: &str| Gate::Says(format!("{text}{BASIC}\r\nX: {BASIC}\r\n\r\n"));
    for (gate, detail, trouble) in [
        (said("HTTP/1.1 407 "), "status 407", Trouble::ProxyCredentials),
        (said("HTTP/1.1 403 "), "status 403", Trouble::ProxyRefuses),
        (said("SSH-2.0-"), "not HTTP", Trouble::ProxySilent),
        (Gate::Says(String::new()), "closed", Trouble::ProxySilent),
        (Gate::Silent, "no answer within 10 s", Trouble::ProxySilent),
    ] {
        proxy.set(gate);
        behind_tls(&pki, &intake, &[("HTTPS_PROXY", &address)])
            .expect("tcp metrics", "good", "")
            .fails("proxy metrics", detail, trouble)
            .expect("tls metrics", "skipped", "no connection");
    }
}

#[test]
fn a_proxy_that_breaks_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 4096]);
            socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        }
    });
    examine(&[("DATADOG_URL", "https://127.0.0.1:1/api"), ("HTTPS_PROXY", &address)])
        .expect("tcp metrics", "good", "")
        .fails("proxy metrics", "connection broken: connection reset", Trouble::ProxySilent)
        .expect("tls metrics", "skipped", "");
}

#[test]
fn a_network_that_swallows_packets_costs_ten_seconds_a_link() {
    inside(|namespace| {
        // Each has its time; all of them have not.
        (1..9).for_each(|host| namespace.add_host(&format!("192.0.2.{host}"), "many.test"));
        let began = Instant::now();
        examine(&[("DATADOG_URL", "http://many.test/api")])
            .expect("name metrics", "good", "192.0.2.8")
            .fails("tcp metrics", &format!("no connection within {CHECK_S} s"), Trouble::NoWay);
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        let hole = format!("http://{HOLE}/api");
        let began = Instant::now();
        examine(&[("DATADOG_URL", &hole)]).fails("tcp metrics", "no answer within 10 s", Trouble::NoWay);
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        // The name server is in the same place.
        let told = examine(&[("DATADOG_URL", "http://intake.test/api")]);
        told.fails("name metrics", "intake.test", Trouble::NameServer).expect(
            "tcp metrics",
            "skipped",
            "no address",
        );
    });
}

#[test]
fn a_name_that_no_server_knows() {
    inside(|_| {
        let is_here = Command::new("ip").args(["address", "add", "192.0.2.53", "dev", "lo"]).status();
        assert!(is_here.unwrap().success());
        let server = UdpSocket::bind("192.0.2.53:53").unwrap();
        std::thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((bytes, peer)) = server.recv_from(&mut question) {
                // An answer with the code 3, 'no such name'.
                question[2] = 0x81;
                question[3] = 0x83;
                let _ = server.send_to(&question[..bytes], peer);
            }
        });
        let redis = ("REDIS_URL", "redis://redis.test");
        let told = examine(&[("DATADOG_URL", "http://intake.test/api"), redis]);
        told.fails("name metrics", "intake.test", Trouble::NameUnknown)
            .fails("name redis", "redis.test", Trouble::NameUnknown)
            .expect("tcp redis", "skipped", "no address")
            .expect("redis", "skipped", "no connection")
            .expect("redis rights", "skipped", "no connection");
    });
}

#[test]
fn a_resolver_that_cannot_be_started() {
    let hidden = "mount -t tmpfs none /proc && exec \"$0\" \"$@\"";
    let possible = Command::new("unshare").args(["--mount", "sh", "-c", hidden, "true"]).status();
    if !possible.is_ok_and(|status| status.success()) {
        return skip("a mount namespace of one's own needs root");
    }
    let told = examine_by(
        &["unshare", "--mount", "sh", "-c", hidden],
        &[("DATADOG_URL", "http://localhost:1/api"), ("DATADOG_LOGS_URL", "http://localhost:1")],
    );
    told.fails("name metrics", "/proc/self/exe", Trouble::NoResolver);
}

#[test]
fn a_socket_that_is_not_there_or_not_for_everybody() {
    examine(&[]).fails("socket redis", "/nowhere/redis.sock", Trouble::SocketMissing);
    let dir = crate::support::temp::TempDir::new();
    let path = dir.join("redis.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let Some(nobody) = as_nobody() else { return };
    let url = format!("unix://{}", path.display());
    examine_by(&nobody, &[("REDIS_URL", &url)]).fails(
        "socket redis",
        "permission denied",
        Trouble::SocketDenied,
    );
    let refused = format!("redis://127.0.0.1:{}", free_port());
    examine(&[("REDIS_URL", &refused)]).fails("tcp redis", "connection refused", Trouble::Refused);
}
