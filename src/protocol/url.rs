//! An `http` or `https` address of an intake, taken apart once at start.
//!
//! Example: `https://api.datadoghq.com/api` is TLS to `api.datadoghq.com` at port 443 under the path `/api`.
//!
//! Format: <https://www.rfc-editor.org/rfc/rfc3986>, of which this reads scheme, host, port and path. It does not
//! decode `%` escapes, does not translate international names (write them in their `xn--` form), and refuses
//! what an intake address has no use for: credentials, a query, a fragment. An error never repeats credentials.

// `core::net` holds the plain address types; nothing here opens a socket.
use crate::limits::{HOST_BYTES_MAX, URL_BYTES_MAX};
use core::net::{Ipv4Addr, Ipv6Addr};
use std::fmt;

/// Where an intake is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// `https`.
    pub tls: bool,
    /// A name in lower case, or an address; an IPv6 address without its brackets.
    pub host: String,
    /// The port, written or implied.
    pub port: u16,
    /// Empty, or begins with a slash; never ends with one.
    pub path: String,
}

/// Why a text is no address of an intake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UrlError {
    /// Longer than [`URL_BYTES_MAX`].
    TooLong(usize),
    /// Neither `http://` nor `https://` at the start.
    Scheme,
    /// Nothing where the host should be.
    NoHost,
    /// A host that is neither a name nor an address.
    Host(String),
    /// A port that is no number from 1 to 65535.
    Port(String),
    /// `user:password@`, which would end up in log lines.
    Credentials,
    /// A query or a fragment.
    Query,
    /// A character in the path that no request line can carry.
    Path(char),
}

impl Url {
    /// Takes an address apart.
    ///
    /// # Errors
    /// See [`UrlError`].
    pub fn parse(text: &str) -> Result<Url, UrlError> {
        if text.len() > URL_BYTES_MAX {
            return Err(UrlError::TooLong(text.len()));
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(UrlError::Scheme),
        };
        // A password may hold any of `/?#` unescaped, so the `@` counts wherever it stands.
        if rest.contains('@') {
            return Err(UrlError::Credentials);
        }
        if rest.contains(['?', '#']) {
            return Err(UrlError::Query);
        }
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        if let Some(bad) = path.chars().find(|c| !c.is_ascii_graphic()) {
            return Err(UrlError::Path(bad));
        }
        let (host, port) = split_authority(authority)?;
        Ok(Url {
            tls,
            host,
            port: port.unwrap_or(default_port(tls)),
            path: path.trim_end_matches('/').to_owned(),
        })
    }

    /// Host and port as the `Host` header has them: the default port left out, an IPv6 address in brackets.
    pub fn authority(&self) -> String {
        let host = bracketed(&self.host);
        if self.port == default_port(self.tls) { host } else { format!("{host}:{}", self.port) }
    }

    /// The path of a resource below this one; `tail` begins with a slash.
    pub fn path_and(&self, tail: &str) -> String {
        format!("{}{tail}", self.path)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UrlError::TooLong(bytes) => {
                write!(f, "{bytes} bytes, more than {URL_BYTES_MAX}")
            }
            UrlError::Scheme => f.write_str("does not begin with http:// or https://"),
            UrlError::NoHost => f.write_str("names no host"),
            UrlError::Host(host) => write!(f, "{host:?} is no host name or address"),
            UrlError::Port(port) => write!(f, "port {port:?} is no number from 1 to 65535"),
            UrlError::Credentials => f.write_str("holds credentials (an @), which do not belong there"),
            UrlError::Query => f.write_str("holds a query or fragment (a ? or #)"),
            UrlError::Path(bad) => write!(f, "path holds the character {bad:?}"),
        }
    }
}

impl std::error::Error for UrlError {}

/// Splits `host`, `host:port`, `[v6]` or `[v6]:port`. The host comes back in lower case and without brackets.
///
/// # Errors
/// [`UrlError::NoHost`], [`UrlError::Host`] or [`UrlError::Port`].
pub fn split_authority(authority: &str) -> Result<(String, Option<u16>), UrlError> {
    let (host, port) = if let Some(inner) = authority.strip_prefix('[') {
        let no_host = || UrlError::Host(authority.to_owned());
        let (address, after) = inner.split_once(']').ok_or_else(no_host)?;
        let address: Ipv6Addr = address.parse().map_err(|_| no_host())?;
        let port = match after {
            "" => None,
            _ => Some(after.strip_prefix(':').ok_or_else(no_host)?),
        };
        (address.to_string(), port)
    } else {
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        };
        (checked_name(host)?, port)
    };
    Ok((host, port.map(parse_port).transpose()?))
}

/// `host` as it stands in an authority: an IPv6 address gets its brackets back.
pub fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// A decimal port from 1 to 65535.
///
/// # Errors
/// [`UrlError::Port`].
pub fn parse_port(text: &str) -> Result<u16, UrlError> {
    // `u16::from_str` would also take a plus sign.
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err(UrlError::Port(text.to_owned())),
    }
}

fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

/// A DNS name (underscores occur in container networks) or an IPv4 address.
fn checked_name(host: &str) -> Result<String, UrlError> {
    if host.is_empty() {
        return Err(UrlError::NoHost);
    }
    let error = || UrlError::Host(host.to_owned());
    let name = host.strip_suffix('.').unwrap_or(host);
    let characters = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let label = |l: &str| (1..=63).contains(&l.len()) && l.bytes().all(characters);
    if host.len() > HOST_BYTES_MAX || !name.split('.').all(label) {
        return Err(error());
    }
    // Digits and dots alone are meant as an address, so `10.0.0` and `1.2.3.999` are slips.
    let numeric = name.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if numeric && name.parse::<Ipv4Addr>().is_err() {
        return Err(error());
    }
    Ok(host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(tls: bool, host: &str, port: u16, path: &str) -> Url {
        let (host, path) = (host.to_owned(), path.to_owned());
        Url { tls, host, port, path }
    }

    #[test]
    fn takes_addresses_apart() {
        for (text, expected) in [
            ("https://api.datadoghq.com/api", url(true, "api.datadoghq.com", 443, "/api")),
            ("http://vm:8428/datadog/api/", url(false, "vm", 8428, "/datadog/api")),
            ("HTTPS://API.Example.COM", url(true, "api.example.com", 443, "")),
            ("http://10.0.0.1/", url(false, "10.0.0.1", 80, "")),
            ("https://[::1]", url(true, "::1", 443, "")),
            ("http://[2001:DB8::1]:8080/a//", url(false, "2001:db8::1", 8080, "/a")),
            ("http://my_vm.svc.cluster.local.", url(false, "my_vm.svc.cluster.local.", 80, "")),
            ("http://h:443", url(false, "h", 443, "")),
        ] {
            assert_eq!(Url::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_intake() {
        use UrlError::*;
        let host = |text: &str| Host(text.to_owned());
        let port = |text: &str| Port(text.to_owned());
        for (text, expected) in [
            ("", Scheme),
            ("api.datadoghq.com", Scheme),
            ("ftp://h", Scheme),
            ("https:/h", Scheme),
            ("https://", NoHost),
            ("https:///api", NoHost),
            ("https://:443", NoHost),
            ("https://a b", host("a b")),
            ("https://a..b", host("a..b")),
            ("https://bücher.example", host("bücher.example")),
            ("https://1.2.3.999", host("1.2.3.999")),
            ("https://[::1", host("[::1")),
            ("https://[::1]x", host("[::1]x")),
            ("https://[fe80::1%25eth0]", host("[fe80::1%25eth0]")),
            ("https://::1", NoHost),
            ("https://fe80::1", port(":1")),
            ("https://h:", port("")),
            ("https://h:0", port("0")),
            ("https://h:+80", port("+80")),
            ("https://h:65536", port("65536")),
            ("https://h:80:80", port("80:80")),
            ("https://h/a?api_key=x", Query),
            ("https://h#a", Query),
            ("https://h/a b", Path(' ')),
            ("https://h/ü", Path('ü')),
            ("https://h/a\r\nX: y", Path('\r')),
        ] {
            assert_eq!(Url::parse(text), Err(expected), "{text}");
        }
        let long = format!("https://h/{}", "a".repeat(URL_BYTES_MAX));
        assert_eq!(Url::parse(&long), Err(TooLong(long.len())));
        let label = format!("https://{}", "a".repeat(64));
        assert!(matches!(Url::parse(&label), Err(Host(_))));
    }

    #[test]
    fn credentials_are_refused_and_not_repeated() {
        for text in [
            "https://user:hunter2@h/api",
            "https://hunter2@h",
            "https://user:hun/ter2@h",
            "https://user:hunter2?x@h",
        ] {
            let error = Url::parse(text).unwrap_err();
            assert_eq!(error, UrlError::Credentials, "{text}");
            assert!(!error.to_string().contains("hun"), "{error}");
        }
    }

    #[test]
    fn writes_itself_and_the_host_header() {
        for (text, authority) in [
            ("https://h", "h"),
            ("https://h:8443/a", "h:8443"),
            ("http://h:443", "h:443"),
            ("https://[::1]/a", "[::1]"),
            ("http://[::1]:8080", "[::1]:8080"),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!(url.authority(), authority);
            assert_eq!(url.to_string(), text);
        }
        assert_eq!(Url::parse("http://h:80/").unwrap().to_string(), "http://h");
    }

    #[test]
    fn paths_below() {
        let base = Url::parse("https://h/api/").unwrap();
        assert_eq!(base.path_and("/v1/series"), "/api/v1/series");
        assert_eq!(Url::parse("https://h").unwrap().path_and("/v1"), "/v1");
    }

    /// Whatever the text, parsing ends, and what is accepted reads back as itself.
    #[test]
    fn seeded_noise() {
        let seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut state = seed;
        let alphabet: Vec<char> = "htps:/[].@?#%0129aZ-_ü \u{0}".chars().collect();
        for round in 0..20_000 {
            let mut text = String::from(if round % 2 == 0 { "http://" } else { "" });
            for _ in 0..round % 24 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                text.push(alphabet[(state % alphabet.len() as u64) as usize]);
            }
            if let Ok(url) = Url::parse(&text) {
                assert_eq!(Url::parse(&url.to_string()), Ok(url), "seed {seed:#x}, {text:?}");
            }
        }
    }

    #[test]
    fn a_host_is_no_longer_than_dns_has_it() {
        let host = |bytes: usize| format!("{}{}", "a.".repeat((bytes - 1) / 2), "a".repeat(2 - bytes % 2));
        assert_eq!(host(HOST_BYTES_MAX).len(), HOST_BYTES_MAX);
        assert!(Url::parse(&format!("https://{}", host(HOST_BYTES_MAX))).is_ok());
        assert!(Url::parse(&format!("https://{}", host(HOST_BYTES_MAX + 1))).is_err());
    }
}
