//! A private certificate authority, and server certificates of its: one for `127.0.0.1` and `localhost`, others as
//! they are wanted.

use super::temp::TempDir;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::path::PathBuf;
use std::sync::Arc;

/// The authority's certificate and the server's, as files and as a configuration for `rustls`.
pub struct Pki {
    dir: TempDir,
    server: Arc<ServerConfig>,
    issuer: Issuer<'static, KeyPair>,
}

/// The names of the usual server certificate.
pub const NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

impl Pki {
    pub fn new() -> Pki {
        Pki::of("a private authority")
    }

    /// An authority of this name.
    pub fn of(authority: &str) -> Pki {
        let mut ca = CertificateParams::new(Vec::default()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        ca.distinguished_name = named(authority);
        let ca_key = KeyPair::generate().unwrap();
        let ca_certificate = ca.self_signed(&ca_key).unwrap();
        let issuer = Issuer::new(ca, ca_key);

        let (leaf, leaf_key) = leaf(&issuer, &NAMES, 4096);

        let dir = TempDir::new();
        dir.write("ca.pem", &ca_certificate.pem());
        dir.write("server.pem", &leaf.pem());
        dir.write("server.key", &leaf_key.serialize_pem());
        Pki { dir, server: serving(&[&leaf], &leaf_key), issuer }
    }

    /// A server with another certificate: for these names, valid up to the beginning of a year.
    pub fn server_for(&self, names: &[&str], until_year: i32) -> Arc<ServerConfig> {
        let (leaf, key) = leaf(&self.issuer, names, until_year);
        serving(&[&leaf], &key)
    }

    /// A server with another certificate: for the usual names, valid between these days (year, month, day).
    pub fn server_between(&self, from: (i32, u8, u8), until: (i32, u8, u8)) -> Arc<ServerConfig> {
        let (leaf, key) = leaf_between(&self.issuer, &NAMES, from, until);
        serving(&[&leaf], &key)
    }

    /// A server with the usual certificate that shows another one behind it, valid up to this day.
    pub fn server_showing_more(&self, until: (i32, u8, u8)) -> Arc<ServerConfig> {
        let (leaf, key) = leaf(&self.issuer, &NAMES, 4096);
        let (more, _) = leaf_between(&self.issuer, &["more.test"], (1975, 1, 1), until);
        serving(&[&leaf, &more], &key)
    }

    /// A server that shows the certificate of an authority as its own, which it has signed itself.
    pub fn authority_as_server() -> Arc<ServerConfig> {
        let mut ca = CertificateParams::new(NAMES.map(String::from).to_vec()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        serving(&[&ca.self_signed(&key).unwrap()], &key)
    }

    /// What `SSL_CERT_FILE` names.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    pub fn certificate_file(&self) -> PathBuf {
        self.dir.join("server.pem")
    }

    pub fn key_file(&self) -> PathBuf {
        self.dir.join("server.key")
    }

    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }
}

/// OpenSSL takes a certificate whose issuer has the subject's name for one that signed itself.
fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn leaf(issuer: &Issuer<'_, KeyPair>, names: &[&str], until_year: i32) -> (Certificate, KeyPair) {
    leaf_between(issuer, names, (1975, 1, 1), (until_year, 1, 1))
}

fn leaf_between(
    issuer: &Issuer<'_, KeyPair>,
    names: &[&str],
    from: (i32, u8, u8),
    until: (i32, u8, u8),
) -> (Certificate, KeyPair) {
    let mut leaf =
        CertificateParams::new(names.iter().copied().map(String::from).collect::<Vec<_>>()).unwrap();
    leaf.distinguished_name = named("localhost");
    leaf.not_before = date_time_ymd(from.0, from.1, from.2);
    leaf.not_after = date_time_ymd(until.0, until.1, until.2);
    let key = KeyPair::generate().unwrap();
    (leaf.signed_by(&key, issuer).unwrap(), key)
}

fn serving(chain: &[&Certificate], key: &KeyPair) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.iter().map(|one| one.der().clone()).collect(), key)
        .unwrap();
    Arc::new(config)
}
