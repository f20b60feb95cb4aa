//! The plugin `k8s` and a scripted kubelet: who may ask, whom to believe, and how much memory an answer takes.

use crate::script::{Manner, Server, ok};
use crate::support::agent::Agent;
use crate::support::temp::TempDir;
use crate::support::{SOON, wait_until};
use crate::{Bench, failures, has_arrived};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use std::fmt::Write as _;
use std::sync::Arc;

const RUNNING: &str = "Chouette.k8s.pods.running";
const SMALL: &str = r#"{"node":{"nodeName":"n1","fs":{"inodesFree":5}},
    "pods":[{"podRef":{"name":"p","namespace":"s"},"memory":{"rssBytes":1,"usageBytes":2}}]}"#;

/// An authority, a kubelet's certificate for `127.0.0.1` and an agent's.
pub struct Pki {
    dir: TempDir,
    open: Arc<ServerConfig>,
    asking: Arc<ServerConfig>,
}

impl Pki {
    pub fn new() -> Pki {
        let mut ca = CertificateParams::new(Vec::default()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        ca.distinguished_name.push(DnType::CommonName, "the cluster");
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
        let dir = TempDir::new();
        dir.write("ca.pem", &ca.pem());
        let issue = |name: &str| {
            let mut leaf = CertificateParams::new([name.to_owned()]).unwrap();
            leaf.distinguished_name.push(DnType::CommonName, name);
            let key = KeyPair::generate().unwrap();
            (leaf.signed_by(&key, &ca).unwrap(), key)
        };
        let (client, client_key) = issue("agent");
        dir.write("agent.pem", &client.pem());
        dir.write("agent.key", &client_key.serialize_pem());

        let mut roots = RootCertStore::empty();
        roots.add(ca.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .unwrap();
        let (server, server_key) = issue("127.0.0.1");
        let builder = || {
            let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
            builder.with_safe_default_protocol_versions().unwrap()
        };
        let key = || PrivateKeyDer::try_from(server_key.serialize_der()).unwrap();
        let chain = vec![server.der().clone()];
        let open = builder().with_no_client_auth().with_single_cert(chain.clone(), key()).unwrap();
        let asking = builder().with_client_cert_verifier(verifier).with_single_cert(chain, key()).unwrap();
        Pki { dir, open: Arc::new(open), asking: Arc::new(asking) }
    }

    /// A kubelet that wants a certificate.
    pub fn asking(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.asking)
    }

    /// One that does not.
    pub fn open(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.open)
    }

    fn file(&self, name: &str) -> String {
        self.dir.join(name).to_string_lossy().into_owned()
    }
}

/// What the agent needs to reach a kubelet that wants a certificate.
pub fn variables(server: &Server, pki: &Pki) -> Vec<(&'static str, String)> {
    vec![
        ("K8S_STATS_SERVICE_IP", "127.0.0.1".to_owned()),
        ("K8S_STATS_SERVICE_PORT", server.port().to_string()),
        ("K8S_CERT_PATH", pki.file("agent.pem")),
        ("K8S_KEY_PATH", pki.file("agent.key")),
        ("K8S_CA_PATH", pki.file("ca.pem")),
    ]
}

/// The agent with the plugin `k8s` and these variables but for those left out.
fn start(bench: &Bench, variables: &[(&str, String)], without: &[&str]) -> Agent {
    let kept = variables.iter().filter(|(name, _)| !without.contains(name));
    let kept: Vec<(&str, &str)> = kept.map(|(name, value)| (*name, value.as_str())).collect();
    Agent::run(&bench.env("k8s,host", &kept))
}

fn arrives(bench: &Bench, metric: &str) -> bool {
    bench.intake.wait_for(SOON, |requests| has_arrived(requests, metric))
}

#[test]
fn a_certificate_opens_the_door() {
    let Some(bench) = Bench::new() else {
        return;
    };
    let pki = Pki::new();
    let server = Server::tls(pki.asking(), |_| ok(SMALL));
    let variables = variables(&server, &pki);
    let agent = start(&bench, &variables, &[]);
    assert!(arrives(&bench, RUNNING), "{}", agent.stderr());
    let requests = server.requests();
    let host = format!("127.0.0.1:{}", server.port());
    assert_eq!((requests[0].method.as_str(), requests[0].path.as_str()), ("GET", "/stats/summary"));
    assert_eq!(
        (requests[0].header("host"), requests[0].header("authorization")),
        (Some(host.as_str()), None)
    );
    assert!(!agent.stderr().contains("WARN"), "{}", agent.stderr());
}

#[test]
fn without_the_certificate_it_stays_shut_and_the_host_goes_on() {
    let Some(bench) = Bench::new() else {
        return;
    };
    let pki = Pki::new();
    let server = Server::tls(pki.asking(), |_| ok(SMALL));
    let agent = start(&bench, &variables(&server, &pki), &["K8S_CERT_PATH", "K8S_KEY_PATH"]);
    assert!(bench.intake.wait_for(SOON, |requests| failures(requests, "k8s") >= 1.0), "{}", agent.stderr());
    assert!(arrives(&bench, "Chouette.host.la"));
    assert!(agent.stderr().contains("k8s: 127.0.0.1:"), "{}", agent.stderr());
    assert!(server.requests().is_empty());
}

#[test]
fn a_stranger_is_believed_only_without_an_authority() {
    let Some(bench) = Bench::new() else {
        return;
    };
    let (pki, other) = (Pki::new(), Pki::new());
    let server = Server::tls(pki.open(), |_| ok(SMALL));
    let variables = variables(&server, &other);
    let identity = ["K8S_CERT_PATH", "K8S_KEY_PATH"];
    {
        let agent = start(&bench, &variables, &identity);
        let has_failed = bench.intake.wait_for(SOON, |requests| failures(requests, "k8s") >= 1.0);
        assert!(has_failed && server.requests().is_empty(), "{}", agent.stderr());
    }
    let agent = start(&bench, &variables, &[&identity[..], &["K8S_CA_PATH"]].concat());
    assert!(arrives(&bench, RUNNING), "{}", agent.stderr());
    assert!(wait_until(SOON, || server.requests().len() >= 3));
    let warnings = agent.stderr().lines().filter(|line| line.contains("K8S_CA_PATH")).count();
    assert_eq!(warnings, 1, "{}", agent.stderr());
}

#[test]
fn a_token_that_changes_is_read_anew_and_never_shown() {
    let Some(bench) = Bench::new() else {
        return;
    };
    let pki = Pki::new();
    let server = Server::tls(pki.open(), |request| match request.header("authorization") {
        Some("Bearer s3cret-one" | "Bearer s3cret-two") => ok(SMALL),
        _ => ok("Unauthorized").with(401, Manner::Whole),
    });
    let dir = TempDir::new();
    let path = dir.write("token", "s3cret-wrong\n");
    let mut variables = variables(&server, &pki);
    variables.push(("K8S_TOKEN_PATH", path.to_string_lossy().into_owned()));
    let agent = start(&bench, &variables, &["K8S_CERT_PATH", "K8S_KEY_PATH"]);
    assert!(agent.wait_for_line(SOON, "answered 401"), "{}", agent.stderr());
    dir.write("token", "s3cret-one\n");
    assert!(arrives(&bench, RUNNING), "{}", agent.stderr());
    dir.write("token", "s3cret-two");
    let has_changed = || {
        let requests = server.requests();
        requests.iter().any(|r| r.header("authorization") == Some("Bearer s3cret-two"))
    };
    assert!(wait_until(SOON, has_changed));
    assert!(agent.wait_for_line(SOON, "k8s: works again"), "{}", agent.stderr());
    std::fs::remove_file(&path).unwrap();
    let missing = format!("k8s: {}: No such file", path.display());
    assert!(agent.wait_for_line(SOON, &missing), "{}", agent.stderr());
    assert!(!agent.stderr().contains("s3cret"), "{}", agent.stderr());
}

/// A summary of so many pods, each of some 10 kB, as the kubelet prints them.
fn summary(pods: usize) -> String {
    let mut text = String::from(r#"{"node":{"nodeName":"big","fs":{"inodesFree":5}},"pods":["#);
    let usage = r#""time":"2024-03-02T10:00:00Z","availableBytes":167346176,"usageBytes":48947200,"workingSetBytes":10911744,"rssBytes":9383936,"pageFaults":0,"majorPageFaults":0"#;
    for pod in 0..pods {
        let comma = if pod == 0 { "" } else { "," };
        let _ = write!(
            text,
            "{comma}\n {{\n  \"podRef\": {{\"name\": \"web-7d4b9c-{pod:05}\", \"namespace\": \"shop\"}},\n  \"containers\": ["
        );
        for container in 0..48 {
            let comma = if container == 0 { "" } else { "," };
            let _ = write!(
                text,
                "{comma}\n   {{\n    \"name\": \"c{container}\",\n    \"memory\": {{{usage}}}\n   }}"
            );
        }
        let _ = write!(text, "],\n  \"cpu\": {{\"usageNanoCores\": {pod}}},\n  \"memory\": {{{usage}}}\n }}");
    }
    text + "]}"
}

/// The most memory a process ever had, in kB.
fn peak_kb(agent: &Agent) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn two_megabytes_are_read_in_ten() {
    const PODS: usize = 200;
    const PEAK_KB_MAX: u64 = 10 * 1024;
    // The optimised program is below 4 MB before it reads anything; the one under test is mostly unused code.
    const GROWTH_KB_MAX: u64 = 6 * 1024;
    let (Some(small), Some(bench)) = (Bench::new(), Bench::new()) else {
        return;
    };
    let body = summary(PODS);
    assert!((1_900_000..2_400_000).contains(&body.len()), "{} bytes", body.len());
    let pki = Pki::new();
    let before_kb = {
        let server = Server::tls(pki.asking(), |_| ok(SMALL));
        let agent = start(&small, &variables(&server, &pki), &[]);
        assert!(arrives(&small, RUNNING), "{}", agent.stderr());
        peak_kb(&agent)
    };
    let server = Server::tls(pki.asking(), move |_| ok(body.as_str()).in_manner(Manner::Chunked));
    let agent = start(&bench, &variables(&server, &pki), &[]);
    let all = || {
        let store = bench.store();
        store.series("Chouette.k8s.pod.memory.rssBytes").len() == PODS
            && store.series("Chouette.k8s.pod.cpu.usageNanoCores").len() == PODS
            && store.only(RUNNING).1.points.len() >= 3
    };
    assert!(arrives(&bench, RUNNING) && wait_until(SOON, all), "{}", agent.stderr());
    let peak_kb = peak_kb(&agent);
    eprintln!("peak: {peak_kb} kB, of which {before_kb} kB without the document");
    assert!(peak_kb.saturating_sub(before_kb) <= GROWTH_KB_MAX, "{before_kb} kB, then {peak_kb} kB");
    assert!(cfg!(debug_assertions) || peak_kb <= PEAK_KB_MAX, "{peak_kb} kB");
    assert_eq!(failures(&bench.intake.requests(), "k8s"), 0.0);
}

#[test]
fn more_than_eight_megabytes_are_refused() {
    const PODS: usize = 900;
    for manner in [Manner::Whole, Manner::Chunked] {
        let Some(bench) = Bench::new() else {
            return;
        };
        let body = summary(PODS);
        assert!(body.len() > 8 << 20, "{} bytes", body.len());
        let pki = Pki::new();
        let server = Server::tls(pki.asking(), move |_| ok(body.as_str()).in_manner(manner));
        let agent = start(&bench, &variables(&server, &pki), &[]);
        let warning = "/stats/summary: body of the answer is larger than 8388608 bytes";
        assert!(agent.wait_for_line(SOON, warning), "{}", agent.stderr());
        assert!(arrives(&bench, "Chouette.host.la"));
        assert!(!has_arrived(&bench.intake.requests(), RUNNING));
        eprintln!("{manner:?}, peak: {} kB", peak_kb(&agent));
    }
}
