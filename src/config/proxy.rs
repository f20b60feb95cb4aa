//! The proxy that Datadog is reached through, and the hosts that are reached without it.
//!
//! `HTTPS_PROXY=http://user:password@proxy:3128` (the scheme and the credentials may be left out) and
//! `NO_PROXY=.svc,10.0.0.0/8,registry.example:5000`. There is no standard; this follows what curl, Go and
//! Python have in common: <https://about.gitlab.com/blog/2021/01/27/we-need-to-talk-no-proxy/>. Not done: a proxy that
//! itself speaks TLS or SOCKS, and resolving a name to compare its address with a network.

// `core::net` holds the plain address types; nothing here opens a socket.
use core::net::IpAddr;

use super::Secret;
use super::error::ValueError;
use super::value::percent_decoded;
use crate::protocol::url::{Url, parse_port, split_authority};

/// The port of a proxy whose address names none.
pub const PROXY_PORT: u16 = 80;

/// A proxy that is asked to `CONNECT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyTarget {
    /// A name or an address; IPv6 without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// `user:password`, decoded: what `Proxy-Authorization: Basic` encodes.
    pub credentials: Option<Secret>,
}

impl ProxyTarget {
    /// Takes a `HTTPS_PROXY` apart.
    ///
    /// # Errors
    /// [`ValueError::Part`], which repeats nothing of the value.
    pub fn parse(text: &str) -> Result<ProxyTarget, ValueError> {
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err(ValueError::Part("only proxies at http:// are supported")),
            None => text,
        };
        let (userinfo, authority) = match rest.rsplit_once('@') {
            Some((userinfo, authority)) => (Some(userinfo), authority),
            None => (None, rest),
        };
        let credentials = userinfo.map(|userinfo| {
            let broken = ValueError::Part("the credentials hold a broken % escape (write % as %25)");
            let decoded = percent_decoded(userinfo).ok_or(broken)?;
            // Basic credentials always hold a colon.
            let colon = if userinfo.contains(':') { "" } else { ":" };
            Ok(Secret::new(decoded + colon))
        });
        let authority = authority.trim_end_matches('/');
        let place = split_authority(authority);
        let (host, port) = place.map_err(|_| ValueError::Part("holds no host and port"))?;
        Ok(ProxyTarget { host, port: port.unwrap_or(PROXY_PORT), credentials: credentials.transpose()? })
    }
}

/// The hosts of `NO_PROXY`. An entry that says nothing understandable matches nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoProxy {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    Everything,
    /// The domain and all below it, at one port or any.
    Domain {
        name: String,
        port: Option<u16>,
    },
    /// The addresses that share the first `bits`.
    Network {
        address: IpAddr,
        bits: u32,
        port: Option<u16>,
    },
}

impl NoProxy {
    /// Reads a list with commas or blanks between its entries.
    pub fn parse(text: &str) -> NoProxy {
        let entries = text.split(|c: char| c == ',' || c.is_whitespace());
        let rules = entries.filter_map(Rule::parse).collect();
        NoProxy { rules }
    }

    /// Whether the host of `url` is reached without the proxy.
    pub fn covers(&self, url: &Url) -> bool {
        let host = url.host.trim_end_matches('.');
        let address: Option<IpAddr> = host.parse().ok();
        self.rules.iter().any(|rule| match rule {
            Rule::Everything => true,
            Rule::Domain { name, port } => {
                address.is_none() && port.is_none_or(|p| p == url.port) && is_within(host, name)
            }
            Rule::Network { address: network, bits, port } => {
                port.is_none_or(|p| p == url.port) && address.is_some_and(|a| shares_bits(a, *network, *bits))
            }
        })
    }
}

impl Rule {
    fn parse(entry: &str) -> Option<Rule> {
        if entry == "*" {
            return Some(Rule::Everything);
        }
        if let Some((address, bits)) = entry.split_once('/') {
            let (address, bits): (IpAddr, u32) = (address.parse().ok()?, bits.parse().ok()?);
            let fits = bits <= address_bits(address).1;
            return fits.then_some(Rule::Network { address, bits, port: None });
        }
        let (host, port) = split_port(entry)?;
        if let Ok(address) = host.parse::<IpAddr>() {
            let bits = address_bits(address).1;
            return Some(Rule::Network { address, bits, port });
        }
        let name = host.strip_prefix("*.").unwrap_or(host).trim_matches('.');
        let name = name.to_ascii_lowercase();
        (!name.is_empty()).then_some(Rule::Domain { name, port })
    }
}

/// `host`, `host:port`, `v6`, `[v6]` or `[v6]:port`.
fn split_port(entry: &str) -> Option<(&str, Option<u16>)> {
    if let Some(inner) = entry.strip_prefix('[') {
        let (address, after) = inner.split_once(']')?;
        return match after.strip_prefix(':') {
            Some(port) => Some((address, Some(parse_port(port).ok()?))),
            None => after.is_empty().then_some((address, None)),
        };
    }
    if entry.parse::<IpAddr>().is_ok() {
        return Some((entry, None));
    }
    match entry.split_once(':') {
        Some((host, port)) => Some((host, Some(parse_port(port).ok()?))),
        None => Some((entry, None)),
    }
}

fn is_within(host: &str, domain: &str) -> bool {
    match host.strip_suffix(domain) {
        Some(rest) => rest.is_empty() || rest.ends_with('.'),
        None => false,
    }
}

/// The address as a number whose highest bit is the first of the address, and how many bits it has.
fn address_bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    }
}

fn shares_bits(a: IpAddr, b: IpAddr, bits: u32) -> bool {
    let ((a, width_a), (b, width_b)) = (address_bits(a), address_bits(b));
    // A shift by all 128 bits has no result; no bits are shared by all addresses.
    width_a == width_b && (a ^ b).checked_shr(128 - bits.min(128)).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies() {
        for (text, host, port, credentials) in [
            ("http://proxy:3128", "proxy", 3128, None),
            ("HTTP://proxy:3128/", "proxy", 3128, None),
            ("proxy:3128", "proxy", 3128, None),
            ("http://proxy", "proxy", 80, None),
            ("http://u:p%40w@[::1]:8080", "::1", 8080, Some("u:p@w")),
            ("http://u@proxy", "proxy", 80, Some("u:")),
            ("http://u:p@w/x@proxy", "proxy", 80, Some("u:p@w/x")),
        ] {
            let proxy = ProxyTarget::parse(text).unwrap();
            assert_eq!((proxy.host.as_str(), proxy.port), (host, port), "{text}");
            assert_eq!(proxy.credentials.as_ref().map(Secret::expose), credentials, "{text}");
        }
    }

    #[test]
    fn mistakes_repeat_nothing() {
        for text in [
            "https://u:hunter2@proxy",
            "socks5://proxy",
            "http://",
            "http://u:hunter2@",
            "http://u:hunter2",
            "http://u:hunter2%@proxy",
            "http://u:x@proxy/hunter2",
            "http://proxy:0",
        ] {
            let error = ProxyTarget::parse(text).unwrap_err().to_string();
            assert!(!error.contains("hunter"), "{text}: {error}");
        }
    }

    #[test]
    fn what_no_proxy_covers() {
        for (list, url, covered) in [
            ("", "https://h", false),
            ("*", "https://h", true),
            ("example.com", "https://example.com", true),
            ("example.com", "https://a.b.EXAMPLE.com", true),
            ("example.com", "https://badexample.com", false),
            ("example.com", "https://example.com.evil.org", false),
            (".example.com", "https://a.example.com", true),
            (".example.com", "https://example.com", true),
            ("*.example.com", "https://a.example.com", true),
            ("Example.COM.", "https://a.example.com.", true),
            ("a.org, example.com", "https://example.com", true),
            ("a.org example.com", "https://example.com", true),
            ("example.com:8443", "https://example.com:8443", true),
            ("example.com:8443", "https://example.com", false),
            ("10.0.0.1", "https://10.0.0.1", true),
            ("10.0.0.1:443", "https://10.0.0.1", true),
            ("0.0.1", "https://10.0.0.1", false),
            ("10.0.0.0/8", "https://10.200.3.4", true),
            ("10.0.0.0/8", "https://11.0.0.1", false),
            ("10.0.0.0/33", "https://10.0.0.1", false),
            ("0.0.0.0/0", "https://1.2.3.4", true),
            ("0.0.0.0/0", "https://[::1]", false),
            ("::/0", "https://[fe80::1]", true),
            ("fd00::/8", "https://[fd12::1]", true),
            ("[::1]", "https://[::1]", true),
            ("[::1]:80", "https://[::1]", false),
            (",., ,:,[,/,a/b", "https://h", false),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(NoProxy::parse(list).covers(&url), covered, "{list} {url}");
        }
    }
}
