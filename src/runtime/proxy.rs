//! `CONNECT` through an HTTP proxy ([RFC 9110, 9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6)), as
//! `HTTPS_PROXY` asks for it; that and `NO_PROXY` are read in [`crate::config::proxy`].
//!
//! ```text
//! CONNECT api.datadoghq.com:443 HTTP/1.1        HTTP/1.1 200 Connection established
//! Host: api.datadoghq.com:443
//! ```
//!
//! Of the answer only the status is read. Not done here: proxies that are spoken to over TLS, SOCKS, and any
//! authentication but `Basic`.

use crate::limits::PROXY_ANSWER_BYTES_MAX;
use std::fmt;

/// A proxy. Its `Debug` does not show the credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `user:password`.
    pub credentials: Option<String>,
}

/// What is wrong with a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyError {
    /// It wants credentials, or others.
    Unauthorized,
    /// It answered with this status.
    Status(u16),
    /// What it answered is not HTTP, too long, or goes on after its end.
    Answer(&'static str),
    /// It closed the connection.
    Closed,
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProxyError::Unauthorized => write!(f, "credentials refused or missing (status 407)"),
            ProxyError::Status(status) => write!(f, "status {status}"),
            ProxyError::Answer(what) => write!(f, "{what}"),
            ProxyError::Closed => write!(f, "connection closed before an answer"),
        }
    }
}

impl std::error::Error for ProxyError {}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let credentials = if self.credentials.is_some() { "…" } else { "none" };
        write!(f, "Proxy({}:{}, credentials {credentials})", self.host, self.port)
    }
}

impl Proxy {
    /// The request that asks for a tunnel to `host:port`.
    pub fn request(&self, host: &str, port: u16) -> Vec<u8> {
        let target = if host.contains(':') && !host.starts_with('[') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
        if let Some(credentials) = &self.credentials {
            request.push_str("Proxy-Authorization: Basic ");
            request.push_str(&base64(credentials.as_bytes()));
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        request.into_bytes()
    }
}

/// Reads a proxy's answer as far as it has come: true once the tunnel stands.
pub fn tunnel_stands(answer: &[u8]) -> Result<bool, ProxyError> {
    let head_bytes = answer.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
    let Some(head_bytes) = head_bytes else {
        return match answer.len() {
            0..PROXY_ANSWER_BYTES_MAX => Ok(false),
            _ => Err(ProxyError::Answer("answer is too long")),
        };
    };
    match status(answer) {
        Some(200..=299) if answer.len() > head_bytes => {
            Err(ProxyError::Answer("the proxy says more than it was asked"))
        }
        Some(200..=299) => Ok(true),
        Some(407) => Err(ProxyError::Unauthorized),
        Some(status) => Err(ProxyError::Status(status)),
        None => Err(ProxyError::Answer("answer is not HTTP")),
    }
}

/// `HTTP/1.1 200 Connection established` → 200.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.strip_prefix(b"HTTP/1.")?.get(1..)?.strip_prefix(b" ")?;
    std::str::from_utf8(line.get(..3)?).ok().filter(|digits| !digits.contains('+'))?.parse().ok()
}

/// Base64, as credentials travel.
pub(super) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, i| bits << 8 | usize::from(group.get(i).copied().unwrap_or(0)));
        for i in 0..4 {
            let sextet = bits >> (18 - 6 * i) & 63;
            let letter = ALPHABET.get(sextet).copied().map_or('=', char::from);
            text.push(if i <= group.len() { letter } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy() -> Proxy {
        Proxy { host: "proxy".to_owned(), port: 80, credentials: None }
    }

    #[test]
    fn secrets_stay_in() {
        let mut proxy = proxy();
        proxy.credentials = Some("user:hunter2".to_owned());
        assert!(!format!("{proxy:?}").contains("hunter2"));
    }

    #[test]
    fn requests() {
        let mut proxy = proxy();
        assert_eq!(proxy.request("a.b", 443), b"CONNECT a.b:443 HTTP/1.1\r\nHost: a.b:443\r\n\r\n");
        assert!(proxy.request("::1", 443).starts_with(b"CONNECT [::1]:443 "));
        for (credentials, encoded) in
            [("", ""), ("a", "YQ=="), ("a:", "YTo="), ("a:b", "YTpi"), ("ü:??>", "w7w6Pz8+")]
        {
            proxy.credentials = Some(credentials.to_owned());
            let request = String::from_utf8(proxy.request("h", 1)).unwrap();
            assert!(request.ends_with(&format!("Proxy-Authorization: Basic {encoded}\r\n\r\n")), "{request}");
        }
    }

    #[test]
    fn answers() {
        assert_eq!(tunnel_stands(b""), Ok(false));
        assert_eq!(tunnel_stands(b"HTTP/1.1 200 OK\r\nVia: x\r\n"), Ok(false));
        assert_eq!(tunnel_stands(b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\n"), Ok(true));
        assert_eq!(tunnel_stands(b"HTTP/1.0 200\r\n\r\n"), Ok(true));
        assert_eq!(
            tunnel_stands(b"HTTP/1.1 407 Who\r\nContent-Length: 3\r\n\r\nabc"),
            Err(ProxyError::Unauthorized)
        );
        assert_eq!(tunnel_stands(b"HTTP/1.1 403 No\r\n\r\n"), Err(ProxyError::Status(403)));
        for bad in [
            &b"HTTP/1.1 200 OK\r\n\r\nx"[..],
            b"SSH-2.0\r\n\r\n",
            b"HTTP/1.1 +20 \r\n\r\n",
            b"HTTP/1.1\r\n\r\n",
        ] {
            assert!(matches!(tunnel_stands(bad), Err(ProxyError::Answer(_))), "{bad:?}");
        }
        assert!(tunnel_stands(&[b'x'; PROXY_ANSWER_BYTES_MAX]).is_err());
        assert_eq!(tunnel_stands(&[b'x'; PROXY_ANSWER_BYTES_MAX - 1]), Ok(false));
    }
}
