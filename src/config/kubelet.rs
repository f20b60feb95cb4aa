//! The kubelet that the plugin `k8s` reads: several variables that become one thing only together.
//!
//! Example: `HOST_IP=10.0.0.5 K8S_TOKEN_PATH=/var/run/secrets/kubernetes.io/serviceaccount/token`. A pod does not
//! know the address of its node unless the manifest passes it; `HOST_IP` is what manifests call it, and as
//! it may also stand for something else, nothing is said of its value unless it is needed.

use super::error::ValueError;
use super::{Exposure, Mistake, secret};
use crate::protocol::url::{Url, UrlError, bracketed, split_authority};

/// How to reach the kubelet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubelet {
    /// Its address; the path is empty.
    pub url: Url,
    /// PEM files of our certificate and its key.
    pub identity: Option<(String, String)>,
    /// PEM file of the authority that vouches for it; without one, anybody is believed.
    pub ca_path: Option<String>,
    /// File with a bearer token.
    pub token_path: Option<String>,
}

/// The variables by themselves.
#[derive(Debug, Default)]
pub struct KubeletDraft {
    /// Set by `K8S_STATS_SERVICE_IP`, checked.
    pub host: Option<String>,
    /// Set by `HOST_IP`, as it came.
    pub host_ip: Option<String>,
    /// Set by `K8S_STATS_SERVICE_PORT`.
    pub port: u16,
    /// Set by `K8S_CERT_PATH`.
    pub cert_path: Option<String>,
    /// Set by `K8S_KEY_PATH`.
    pub key_path: Option<String>,
    /// Set by `K8S_CA_PATH`.
    pub ca_path: Option<String>,
    /// Set by `K8S_TOKEN_PATH`.
    pub token_path: Option<String>,
}

/// A name or an address, IPv6 with or without brackets.
pub fn host(text: &str) -> Result<String, ValueError> {
    let authority = if text.starts_with('[') { text.to_owned() } else { bracketed(text) };
    match split_authority(&authority) {
        Ok((host, None)) => Ok(host),
        Ok((_, Some(_))) => Err(ValueError::Url(UrlError::Host(text.to_owned()))),
        Err(error) => Err(ValueError::Url(error)),
    }
}

impl KubeletDraft {
    /// Puts the parts together and notes what does not fit. `None` where no address is known, which is a
    /// mistake if one `is_wanted`.
    pub fn finish(self, is_wanted: bool, mistakes: &mut Vec<Mistake>) -> Option<Kubelet> {
        let is_wrong = |name: &str| mistakes.iter().any(|mistake| mistake.variable == name);
        let mut found = Vec::new();
        let both = [("K8S_CERT_PATH", &self.cert_path), ("K8S_KEY_PATH", &self.key_path)];
        if let [(set, Some(path)), (other, None)] | [(other, None), (set, Some(path))] = both
            && !is_wrong(other)
        {
            let problem = format!("a certificate needs its key and a key its certificate: set {other} too");
            found.push(Mistake { variable: set, value: Some(path.clone()), problem });
        }
        let host = match (self.host, self.host_ip) {
            (Some(host), _) => Some(host),
            (None, _) if !is_wanted || is_wrong("K8S_STATS_SERVICE_IP") => None,
            (None, Some(text)) => host(&text)
                .map_err(|error| {
                    let value = Some(secret::shown(&text, Exposure::Open));
                    let problem = format!("{error}; set K8S_STATS_SERVICE_IP to the address of the node");
                    found.push(Mistake { variable: "HOST_IP", value, problem });
                })
                .ok(),
            (None, None) => {
                found.push(no_address());
                None
            }
        };
        mistakes.extend(found);
        Some(Kubelet {
            url: Url { tls: true, host: host?, port: self.port, path: String::new() },
            identity: self.cert_path.zip(self.key_path),
            ca_path: self.ca_path,
            token_path: self.token_path,
        })
    }
}

fn no_address() -> Mistake {
    Mistake {
        variable: "K8S_STATS_SERVICE_IP",
        value: None,
        problem:
            "not set, and the plugin k8s needs it. It is the address of the node whose kubelet is read; in \
                  a pod, have the manifest set HOST_IP from the field status.hostIP instead"
                .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ConfigErrors, Kubelet};

    fn config(vars: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
        let key = [("API_KEY", "k"), ("COLLECTOR_PLUGINS", "k8s")];
        Config::from_vars([&key, vars].concat().iter().copied())
    }

    fn kubelet(vars: &[(&str, &str)]) -> Kubelet {
        config(vars).unwrap_or_else(|e| panic!("{e}")).kubelet.expect("an address")
    }

    #[test]
    fn the_address_is_the_variables_own_or_the_nodes() {
        for (vars, authority) in [
            (&[("K8S_STATS_SERVICE_IP", "10.0.0.5")][..], "10.0.0.5:10250"),
            (&[("HOST_IP", "10.0.0.6")], "10.0.0.6:10250"),
            (&[("K8S_STATS_SERVICE_IP", "10.0.0.5"), ("HOST_IP", "of somebody else")], "10.0.0.5:10250"),
            (&[("K8S_STATS_SERVICE_IP", "node-1"), ("K8S_STATS_SERVICE_PORT", "443")], "node-1"),
            (&[("HOST_IP", "fd00::1"), ("K8S_STATS_SERVICE_PORT", "1")], "[fd00::1]:1"),
            (&[("K8S_STATS_SERVICE_IP", "[fd00::1]")], "[fd00::1]:10250"),
        ] {
            assert_eq!(kubelet(vars).url.authority(), authority);
        }
    }

    #[test]
    fn an_address_is_missed_only_where_the_plugin_runs() {
        let text = config(&[]).unwrap_err().to_string();
        assert!(text.contains("K8S_STATS_SERVICE_IP: not set") && text.contains("HOST_IP"), "{text}");
        let text = config(&[("HOST_IP", "10.0.0.1 fd00::1")]).unwrap_err().to_string();
        assert!(text.contains("HOST_IP=10.0.0.1 fd00::1: "), "{text}");
        let found = config(&[("K8S_STATS_SERVICE_IP", "10.0.0.1:10250")]).unwrap_err();
        assert_eq!(found.mistakes.len(), 1, "{found}");

        let off = [("COLLECTOR_PLUGINS", "[]"), ("API_KEY", "k"), ("HOST_IP", "what ever")];
        assert_eq!(Config::from_vars(off).unwrap_or_else(|e| panic!("{e}")).kubelet, None);
    }

    #[test]
    fn certificate_and_key_come_together() {
        let address = ("HOST_IP", "10.0.0.1");
        let (cert, key) = (("K8S_CERT_PATH", "c.pem"), ("K8S_KEY_PATH", "k.pem"));
        assert_eq!(kubelet(&[address, cert, key]).identity, Some(("c.pem".into(), "k.pem".into())));
        assert_eq!(kubelet(&[address]).identity, None);
        for (one, other) in [(cert, key), (key, cert)] {
            let found = config(&[address, one]).unwrap_err();
            assert_eq!(found.mistakes.len(), 1, "{found}");
            assert_eq!(found.mistakes[0].variable, one.0);
            assert!(found.mistakes[0].problem.contains(other.0), "{found}");
        }
        assert_eq!(config(&[address, cert, ("K8S_KEY_PATH", "a\nb")]).unwrap_err().mistakes.len(), 1);
    }
}
