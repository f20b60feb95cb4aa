//! The ciphers behind TLS: all that `rustls` has with `ring`, but for ChaCha20 on a PC.
//!
//! It is what [`rustls::crypto::ring::default_provider`] returns, written out: whoever calls that has all of its
//! ciphers in the binary, whatever is taken from its lists afterwards.

use ring::rand::{SecureRandom as _, SystemRandom};
use rustls::crypto::ring::{ALL_KX_GROUPS, cipher_suite as suites, sign};
use rustls::crypto::{CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom, WebPkiSupportedAlgorithms};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use rustls::{Error, SignatureScheme, SupportedCipherSuite};
use std::sync::Arc;
use webpki::ring as algorithms;

/// Everything that connections encrypt and verify with.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: CIPHER_SUITES.to_vec(),
        kx_groups: ALL_KX_GROUPS.to_vec(),
        signature_verification_algorithms: SIGNATURES,
        secure_random: &Ring,
        key_provider: &Ring,
    }
}

/// Those of TLS 1.3, then those of TLS 1.2, what is preferred first.
///
/// ChaCha20 is for processors that have no instructions for AES: those of the boards, up to the Raspberry Pi 4. A PC
/// has them, and every server that speaks TLS 1.3 speaks AES; there it would be 49 kB for nothing.
static CIPHER_SUITES: &[SupportedCipherSuite] = &[
    suites::TLS13_AES_256_GCM_SHA384,
    suites::TLS13_AES_128_GCM_SHA256,
    #[cfg(not(target_arch = "x86_64"))]
    suites::TLS13_CHACHA20_POLY1305_SHA256,
    suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    #[cfg(not(target_arch = "x86_64"))]
    suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    suites::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    #[cfg(not(target_arch = "x86_64"))]
    suites::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// Signatures of certificates, and of handshakes by the number that each has there. In TLS 1.2 that number does not
/// say which curve is meant, so two are tried.
static SIGNATURES: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        algorithms::ECDSA_P256_SHA256,
        algorithms::ECDSA_P256_SHA384,
        algorithms::ECDSA_P384_SHA256,
        algorithms::ECDSA_P384_SHA384,
        algorithms::ED25519,
        algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
        algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
        algorithms::RSA_PKCS1_2048_8192_SHA256,
        algorithms::RSA_PKCS1_2048_8192_SHA384,
        algorithms::RSA_PKCS1_2048_8192_SHA512,
        algorithms::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
        algorithms::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
        algorithms::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    ],
    mapping: &[
        (
            SignatureScheme::ECDSA_NISTP384_SHA384,
            &[algorithms::ECDSA_P384_SHA384, algorithms::ECDSA_P256_SHA384],
        ),
        (
            SignatureScheme::ECDSA_NISTP256_SHA256,
            &[algorithms::ECDSA_P256_SHA256, algorithms::ECDSA_P384_SHA256],
        ),
        (SignatureScheme::ED25519, &[algorithms::ED25519]),
        (SignatureScheme::RSA_PSS_SHA512, &[algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY]),
        (SignatureScheme::RSA_PSS_SHA384, &[algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY]),
        (SignatureScheme::RSA_PSS_SHA256, &[algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY]),
        (SignatureScheme::RSA_PKCS1_SHA512, &[algorithms::RSA_PKCS1_2048_8192_SHA512]),
        (SignatureScheme::RSA_PKCS1_SHA384, &[algorithms::RSA_PKCS1_2048_8192_SHA384]),
        (SignatureScheme::RSA_PKCS1_SHA256, &[algorithms::RSA_PKCS1_2048_8192_SHA256]),
    ],
};

/// Randomness, and keys of client certificates.
#[derive(Debug)]
struct Ring;

impl SecureRandom for Ring {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        SystemRandom::new().fill(bytes).map_err(|_| GetRandomFailed)
    }
}

impl KeyProvider for Ring {
    fn load_private_key(&self, key: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        // Without Ed25519, which no kubelet's authority gives out: it would be 9 kB.
        match sign::RsaSigningKey::new(&key) {
            Ok(key) => Ok(Arc::new(key)),
            Err(_) => sign::any_ecdsa_type(&key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::crypto::ring::default_provider;

    #[test]
    fn only_chacha20_is_missing_and_only_on_a_pc() {
        let kept = |suite: &&SupportedCipherSuite| {
            !cfg!(target_arch = "x86_64") || !format!("{suite:?}").contains("CHACHA20")
        };
        let (ours, theirs) = (provider(), default_provider());
        let theirs_kept: Vec<_> = theirs.cipher_suites.iter().filter(kept).copied().collect();
        assert_eq!(ours.cipher_suites, theirs_kept);
        assert!(ours.cipher_suites.len() >= 6);
        assert_eq!(format!("{:?}", ours.kx_groups), format!("{:?}", theirs.kx_groups));
    }

    #[test]
    fn every_signature_that_rustls_knows_with_ring_is_verified() {
        let (ours, theirs) = (SIGNATURES, default_provider().signature_verification_algorithms);
        assert_eq!(format!("{:?}", ours.all), format!("{:?}", theirs.all));
        assert_eq!(format!("{:?}", ours.mapping), format!("{:?}", theirs.mapping));
    }
}
