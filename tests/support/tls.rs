//! A private certificate authority, and a server certificate of its for `127.0.0.1` and `localhost`.

use super::temp::TempDir;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::path::PathBuf;
use std::sync::Arc;

/// The authority's certificate and the server's, as files and as a configuration for `rustls`.
pub struct Pki {
    dir: TempDir,
    server: Arc<ServerConfig>,
}

impl Pki {
    pub fn new() -> Pki {
        let mut ca = CertificateParams::new(Vec::default()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        ca.distinguished_name = named("a private authority");
        let ca_key = KeyPair::generate().unwrap();
        let ca_certificate = ca.self_signed(&ca_key).unwrap();
        let issuer = Issuer::new(ca, ca_key);

        let mut leaf = CertificateParams::new(["127.0.0.1", "localhost"].map(String::from)).unwrap();
        leaf.distinguished_name = named("localhost");
        let leaf_key = KeyPair::generate().unwrap();
        let leaf_certificate = leaf.signed_by(&leaf_key, &issuer).unwrap();

        let dir = TempDir::new();
        dir.write("ca.pem", &ca_certificate.pem());
        dir.write("server.pem", &leaf_certificate.pem());
        dir.write("server.key", &leaf_key.serialize_pem());
        let key = PrivateKeyDer::try_from(leaf_key.serialize_der()).unwrap();
        let server = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf_certificate.der().clone()], key)
            .unwrap();
        Pki { dir, server: Arc::new(server) }
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
