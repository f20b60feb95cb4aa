//! Why a connection did not come about, or broke.

use std::{fmt, io};

use crate::runtime::proxy::ProxyError;
use crate::runtime::resolver::ResolveError;

/// What went wrong with a connection.
#[derive(Debug)]
pub enum ConnectionError {
    /// The name has no address.
    Resolve(ResolveError),
    /// The name cannot stand in a certificate.
    Name(String),
    /// No connection to this address, the last one tried.
    Connect {
        /// Address and port, or path.
        peer: String,
        /// The system's reason.
        error: io::Error,
    },
    /// The proxy does not let us through.
    Proxy {
        /// The proxy's host and port.
        proxy: String,
        /// Its reason.
        error: ProxyError,
    },
    /// The handshake failed, or what came later was not TLS.
    Tls(rustls::Error),
    /// A phase of dialling took too long.
    TimedOut {
        /// The phase.
        phase: Phase,
        /// Its limit.
        limit_s: u64,
    },
    /// The peer ended the connection before it was open.
    Closed,
    /// Sending or receiving failed.
    Io(io::Error),
    /// More was to be sent than is kept for later.
    QueueFull,
}

/// A phase of dialling that has a deadline of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Connecting to this address.
    Connect(String),
    /// Waiting for this proxy.
    Proxy(String),
    /// The TLS handshake.
    Tls,
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectionError::Resolve(error) => write!(f, "{error}"),
            ConnectionError::Name(name) => write!(f, "tls: not a server name: {name}"),
            ConnectionError::Connect { peer, error } => {
                write!(f, "connect {peer}: {}", reason(error))
            }
            ConnectionError::Proxy { proxy, error } => write!(f, "proxy {proxy}: {error}"),
            ConnectionError::Tls(error) => {
                write!(f, "tls: {error}")?;
                match error {
                    rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => {
                        f.write_str(" (SSL_CERT_FILE adds authorities, K8S_CA_PATH names the kubelet's)")
                    }
                    _ => Ok(()),
                }
            }
            ConnectionError::TimedOut { phase, limit_s } => write!(f, "{phase} within {limit_s} s"),
            ConnectionError::Closed => write!(f, "connection closed while it was being opened"),
            ConnectionError::Io(error) => write!(f, "connection broken: {}", reason(error)),
            ConnectionError::QueueFull => write!(f, "too many bytes wait to be sent"),
        }
    }
}

impl std::error::Error for ConnectionError {}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Phase::Connect(peer) => write!(f, "connect {peer}: no answer"),
            Phase::Proxy(proxy) => write!(f, "proxy {proxy}: no answer"),
            Phase::Tls => write!(f, "no answer to the TLS handshake"),
        }
    }
}

impl From<ResolveError> for ConnectionError {
    fn from(error: ResolveError) -> Self {
        ConnectionError::Resolve(error)
    }
}

impl From<io::Error> for ConnectionError {
    fn from(error: io::Error) -> Self {
        ConnectionError::Io(error)
    }
}

impl From<rustls::Error> for ConnectionError {
    fn from(error: rustls::Error) -> Self {
        ConnectionError::Tls(error)
    }
}

/// `Connection refused (os error 111)` → `connection refused`.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fit_into_a_log_line() {
        let refused = io::Error::from_raw_os_error(111);
        let error = ConnectionError::Connect { peer: "127.0.0.1:1".to_owned(), error: refused };
        assert_eq!(error.to_string(), "connect 127.0.0.1:1: connection refused");
        let error = ConnectionError::TimedOut { phase: Phase::Tls, limit_s: 10 };
        assert_eq!(error.to_string(), "no answer to the TLS handshake within 10 s");
        assert_eq!(reason(&io::Error::other("")), "");
    }
}
