//! TLS settings: whom to trust, and who we are.
//!
//! Trust is Mozilla's roots, which are part of the program, plus the PEM file that `SSL_CERT_FILE` names: a private
//! CA or a proxy that looks inside. A kubelet gets its own CA, or no check where the user says so, and a client
//! certificate. Sessions are remembered, so that a second handshake costs a fraction of the first. TLS 1.2 is left
//! in for proxies and servers of one's own. No ALPN is offered: HTTP/1.1 is what a server speaks then.
//!
//! The files are read when the settings are made, at the start; nothing here runs in the loop.

mod provider;

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::limits::{PEM_BYTES_MAX, TLS_SESSIONS_MAX};
use provider::provider;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// Whose certificates are accepted.
#[derive(Debug, Clone, Copy)]
pub enum Trust<'a> {
    /// Mozilla's roots and, where there is one, those of a PEM file.
    Public(Option<&'a Path>),
    /// Only the roots of this PEM file.
    Only(&'a Path),
    /// Anyone's: encrypts, but proves nothing.
    Anyone,
}

/// Our own certificate.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// PEM file of the certificate and the chain behind it.
    pub certificate: &'a Path,
    /// PEM file of its key.
    pub key: &'a Path,
}

/// Why there are no TLS settings.
#[derive(Debug)]
pub enum TlsError {
    /// The file cannot be read.
    Read(PathBuf, std::io::Error),
    /// The file is larger than [`PEM_BYTES_MAX`].
    TooLarge(PathBuf),
    /// The file holds nothing usable of this kind.
    Nothing(PathBuf, &'static str),
    /// Certificate and key do not work together.
    Identity(PathBuf, rustls::Error),
    /// The settings contradict themselves.
    Settings(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::Read(path, error) => write!(f, "{}: {error}", path.display()),
            TlsError::TooLarge(path) => {
                write!(f, "{}: larger than {PEM_BYTES_MAX} bytes", path.display())
            }
            TlsError::Nothing(path, what) => write!(f, "{}: no {what} in PEM form", path.display()),
            TlsError::Identity(path, error) => {
                write!(f, "{}: unusable as client certificate: {error}", path.display())
            }
            TlsError::Settings(error) => write!(f, "tls settings: {error}"),
        }
    }
}

impl std::error::Error for TlsError {}

/// Settings for connections that are to share remembered sessions.
pub fn client_config(
    trust: Trust<'_>,
    identity: Option<Identity<'_>>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Settings)?;
    let builder = match trust {
        Trust::Public(extra) => builder.with_root_certificates(public_roots(extra)?),
        Trust::Only(path) => {
            let mut roots = RootCertStore::empty();
            add_roots(&mut roots, path)?;
            builder.with_root_certificates(roots)
        }
        Trust::Anyone => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptsAnyone { provider }))
        }
    };
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let key = PrivateKeyDer::from_pem_slice(&read(identity.key)?)
                .map_err(|_| TlsError::Nothing(identity.key.to_owned(), "private key"))?;
            builder
                .with_client_auth_cert(certificates(identity.certificate)?, key)
                .map_err(|error| TlsError::Identity(identity.certificate.to_owned(), error))?
        }
    };
    config.resumption = Resumption::in_memory_sessions(TLS_SESSIONS_MAX);
    Ok(Arc::new(config))
}

fn public_roots(extra: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = extra {
        add_roots(&mut roots, path)?;
    }
    Ok(roots)
}

/// A bundle may hold certificates that are of no use here; one that is will do.
fn add_roots(roots: &mut RootCertStore, path: &Path) -> Result<(), TlsError> {
    match roots.add_parsable_certificates(certificates(path)?) {
        (0, _) => Err(TlsError::Nothing(path.to_owned(), "usable certificate")),
        _ => Ok(()),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let nothing = || TlsError::Nothing(path.to_owned(), "certificate");
    let text = read(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    certificates.ok().filter(|found| !found.is_empty()).ok_or_else(nothing)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |error| TlsError::Read(path.to_owned(), error);
    let mut text = Vec::new();
    let file = File::open(path).map_err(failed)?;
    let count = file.take(PEM_BYTES_MAX + 1).read_to_end(&mut text).map_err(failed)?;
    if u64::try_from(count).is_ok_and(|count| count <= PEM_BYTES_MAX) {
        Ok(text)
    } else {
        Err(TlsError::TooLarge(path.to_owned()))
    }
}

/// Accepts any certificate, for a kubelet that made its own and whose CA nobody has. The handshake's signatures are
/// still checked, so the peer holds the key of what it shows; who it is remains unknown, and whoever sits between
/// can read along. Used only where the configuration asks for it by name.
#[derive(Debug)]
struct AcceptsAnyone {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AcceptsAnyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_trust_needs_no_file() {
        assert!(client_config(Trust::Public(None), None).is_ok());
        assert!(client_config(Trust::Anyone, None).is_ok());
    }

    #[test]
    fn errors_name_the_file() {
        let missing = Path::new("/nonexistent/ca.pem");
        let empty = Path::new("/dev/null");
        let endless = Path::new("/dev/zero");
        let too_large = "larger than ".to_owned() + &PEM_BYTES_MAX.to_string();
        for (trust, words) in [
            (Trust::Public(Some(missing)), ["/nonexistent/ca.pem", "No such file"]),
            (Trust::Only(empty), ["/dev/null", "no certificate"]),
            (Trust::Public(Some(endless)), ["/dev/zero", &too_large]),
        ] {
            let text = client_config(trust, None).unwrap_err().to_string();
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        }
        let identity = Identity { certificate: empty, key: empty };
        let text = client_config(Trust::Anyone, Some(identity)).unwrap_err().to_string();
        assert_eq!(text, "/dev/null: no private key in PEM form");
    }
}
