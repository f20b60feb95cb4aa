//! Files that variables name: secrets, certificates, keys.

use super::support::temp::TempDir;
use super::support::tls::Pki;
use super::{ONE, SECRET, refusal};

const ACCEPTED: &str = "accepted: the path of a file that holds API_KEY and nothing else";

#[test]
fn a_file_with_a_secret_is_told_of_without_it() {
    let dir = TempDir::new();
    let path = dir.join("api_key");
    let long = "x".repeat(9_000);
    for (content, told) in [
        (&b""[..], "the file is empty"),
        (b"\xff\xfe", "the file is not UTF-8"),
        (b"s3cret-word-of-the-test\nAPI_KEY", "the file has more than the one line there may be"),
        (
            b"s3cret-word-of-the-test #old",
            "the file holds no API_KEY: holds white space or characters that are not ASCII",
        ),
        (long.as_bytes(), "the file has more than 8192 bytes"),
    ] {
        std::fs::write(&path, content).unwrap();
        let file = path.to_str().unwrap();
        let expected = format!("{ONE}API_KEY_FILE={file}: {told}; {ACCEPTED}\n");
        assert_eq!(refusal(&["run"], &[("API_KEY_FILE", file)]), expected);
    }
    for (path, told) in
        [("/nowhere/api_key", "No such file or directory (os error 2)"), ("/dev/null", "not a regular file")]
    {
        let expected = format!("{ONE}API_KEY_FILE={path}: the file cannot be read: {told}; {ACCEPTED}\n");
        assert_eq!(refusal(&["run"], &[("API_KEY_FILE", path)]), expected);
    }
}

#[test]
fn a_file_of_certificates_is_told_of_with_its_variable() {
    let dir = TempDir::new();
    let path = |name: &str, text: &str| dir.write(name, text).display().to_string();
    let none = path("none.pem", "no certificate\n");
    let odd = path("odd.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let large = path("large.pem", &"x".repeat(2_000_000));
    for (file, told) in [
        ("/nowhere/ca.pem", "No such file or directory (os error 2)"),
        (none.as_str(), "no certificate in PEM form"),
        (odd.as_str(), "no usable certificate in PEM form"),
        (large.as_str(), "larger than 1048576 bytes"),
    ] {
        let env = [("API_KEY", SECRET), ("SSL_CERT_FILE", file)];
        assert_eq!(refusal(&["run"], &env), format!("chouette-iot: SSL_CERT_FILE: {file}: {told}\n"));
    }
}

#[test]
fn a_file_for_the_kubelet_is_told_of_with_its_variables() {
    let (pki, other) = (Pki::new(), Pki::new());
    let text = |path: std::path::PathBuf| path.display().to_string();
    let (certificate, key) = (text(pki.certificate_file()), text(pki.key_file()));
    let (foreign, authority) = (text(other.key_file()), text(pki.ca_file()));
    let told = |changes: &[(&str, &str)]| {
        let env = [
            ("API_KEY", SECRET),
            ("DATADOG_URL", "http://127.0.0.1:1"),
            ("DATADOG_LOGS_URL", "http://127.0.0.1:1"),
            ("COLLECTOR_PLUGINS", "k8s"),
            ("K8S_STATS_SERVICE_IP", "127.0.0.1"),
            ("K8S_CA_PATH", &authority),
        ];
        let changed = |name: &str| changes.iter().any(|(changed, _)| *changed == name);
        let env: Vec<(&str, &str)> =
            env.iter().filter(|(name, _)| !changed(name)).chain(changes).copied().collect();
        refusal(&["run"], &env)
    };
    assert_eq!(
        told(&[("K8S_CA_PATH", "/nowhere/ca.pem")]),
        "chouette-iot: K8S_*_PATH: /nowhere/ca.pem: No such file or directory (os error 2)\n"
    );
    assert_eq!(
        told(&[("K8S_CERT_PATH", &key), ("K8S_KEY_PATH", &key)]),
        format!("chouette-iot: K8S_*_PATH: {key}: no certificate in PEM form\n")
    );
    assert_eq!(
        told(&[("K8S_CERT_PATH", &certificate), ("K8S_KEY_PATH", &certificate)]),
        format!("chouette-iot: K8S_*_PATH: {certificate}: no private key in PEM form\n")
    );
    assert_eq!(
        told(&[("K8S_CERT_PATH", &certificate), ("K8S_KEY_PATH", &foreign)]),
        format!(
            "chouette-iot: K8S_*_PATH: {certificate}: unusable as client certificate: keys may not be consistent: \
             KeyMismatch\n"
        )
    );
}
