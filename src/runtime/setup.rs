//! From the configuration to the parts the loop runs.

use std::fmt;
use std::path::Path;

use super::connection::Endpoint;
use super::host_root::HostRoot;
use super::plugin_io::Server;
use super::proxy::Proxy;
use super::redis_link::RedisLink;
use super::tls::{self, Identity, Trust};
use super::{clock, event_loop};
use crate::agent::Settings;
use crate::aggregate::{HistogramOptions, WRAPPERS};
use crate::collect::{self, Collector, host, k8s};
use crate::config::{Config, Kubelet, RedisAddress};
use crate::limits;
use crate::protocol::http::Request as HttpRequest;
use crate::protocol::redis::{Request, cmd};
use crate::protocol::url::Url;

/// A configuration that is right in itself does not fit this machine.
#[derive(Debug)]
pub struct SetupError(String);

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SetupError {}

/// Everything a configuration decides.
pub struct Parts {
    /// What the agent needs of it.
    pub settings: Settings,
    /// The collectors that are switched on.
    pub collectors: Vec<Box<dyn Collector>>,
    /// The servers the collectors talk to, in their order.
    pub servers: Vec<Option<Server>>,
    /// Where the board's files are.
    pub files: HostRoot,
    /// The link to Redis.
    pub redis: RedisLink,
    /// The intake of metrics.
    pub intake: Intake,
}

/// Makes the parts. `seed` gives the waits of the Redis link their jitter.
///
/// # Errors
/// See [`SetupError`].
pub fn parts(config: &Config, seed: u64) -> Result<Parts, SetupError> {
    let (endpoint, log_in) = redis(config)?;
    Ok(Parts {
        settings: settings(config)?,
        collectors: collectors(config)?,
        servers: servers(config)?,
        files: HostRoot::new(&config.host_root),
        redis: RedisLink::new(endpoint, log_in, event_loop::REDIS, clock::now().mono, seed),
        intake: Intake::metrics(config)?,
    })
}

/// What the agent needs of the configuration.
fn settings(config: &Config) -> Result<Settings, SetupError> {
    let histogram = HistogramOptions {
        aggregates: config.histogram_aggregates.clone(),
        percentiles: config.histogram_percentiles.clone(),
    };
    let wrapper = WRAPPERS
        .iter()
        .find(|row| row.name == config.wrapper)
        .ok_or_else(|| SetupError(format!("no wrapper is called {}", config.wrapper)))?;
    Ok(Settings {
        aggregate_interval_s: config.aggregate_interval_s,
        capture_interval_s: config.capture_interval_s,
        release_interval_s: config.release_interval_s,
        metric_ttl_s: config.metric_ttl_s,
        metrics_bulk_size: config.metrics_bulk_size,
        wrapper: (wrapper.build)(&histogram).into(),
        global_tags: config.global_tags.clone(),
        host: config.host.clone(),
        send_self_metrics: config.send_self_metrics,
        clock_believable_from_s: clock::build_epoch_s(),
    })
}

/// The collectors that are switched on.
fn collectors(config: &Config) -> Result<Vec<Box<dyn Collector>>, SetupError> {
    let host_groups =
        host::Groups::from_words(&config.host_metrics).map_err(|error| SetupError(error.to_string()))?;
    let k8s = k8s::Options {
        authority: config.kubelet.as_ref().map(|kubelet| kubelet.url.authority()).unwrap_or_default(),
        token_path: config.kubelet.as_ref().and_then(|kubelet| kubelet.token_path.clone()),
        groups: config.k8s_groups.clone(),
    };
    let options = collect::Options {
        host_groups,
        k8s,
        capture_interval_s: config.capture_interval_s,
        tegrastats_groups: config.tegrastats_groups.clone(),
        tegrastats_path: config.tegrastats_path.clone(),
    };
    let build = |name: &String| {
        let plugin =
            collect::plugin(name).ok_or_else(|| SetupError(format!("no plugin is called {name}")))?;
        Ok((plugin.build)(&options))
    };
    config.collector_plugins.iter().map(build).collect()
}

/// The server each collector talks to, in the order of [`collectors`].
fn servers(config: &Config) -> Result<Vec<Option<Server>>, SetupError> {
    let server = |name: &String| match (name.as_str(), &config.kubelet) {
        ("docker", _) => {
            let endpoint = Endpoint::unix(&config.docker_socket);
            Ok(Some(Server { endpoint, parallel: limits::docker::PARALLEL }))
        }
        ("k8s", Some(kubelet)) => self::kubelet(kubelet).map(Some),
        _ => Ok(None),
    };
    config.collector_plugins.iter().map(server).collect()
}

/// The kubelet. Its certificate is its own as a rule, which nobody vouches for.
fn kubelet(kubelet: &Kubelet) -> Result<Server, SetupError> {
    let trust = match &kubelet.ca_path {
        Some(path) => Trust::Only(Path::new(path)),
        None => {
            log::warn!(
                "k8s: the kubelet's certificate is not checked, so somebody in between could pose as it; set K8S_CA_PATH"
            );
            Trust::Anyone
        }
    };
    let identity = kubelet
        .identity
        .as_ref()
        .map(|(certificate, key)| Identity { certificate: Path::new(certificate), key: Path::new(key) });
    let mut endpoint = Endpoint::tcp(&kubelet.url.host, kubelet.url.port);
    let tls = tls::client_config(trust, identity).map_err(|error| SetupError(format!("k8s: {error}")))?;
    endpoint.tls = Some(tls);
    Ok(Server { endpoint, parallel: 1 })
}

/// The way to Redis, and what to say first: it ends with a reply that only a server which is ready gives.
fn redis(config: &Config) -> Result<(Endpoint, Request), SetupError> {
    let target = &config.redis;
    let mut endpoint = match &target.address {
        RedisAddress::Tcp { host, port, .. } => Endpoint::tcp(host, *port),
        RedisAddress::Unix(path) => Endpoint::unix(path),
    };
    if let RedisAddress::Tcp { tls: true, .. } = target.address {
        endpoint.tls = Some(client_tls(config)?);
    }
    let mut log_in = Request::new();
    if let Some(password) = &target.password {
        let mut auth = cmd("AUTH");
        target.username.iter().for_each(|user| {
            auth.arg(user);
        });
        log_in.push(auth.arg(password.expose()));
    }
    if target.db != 0 {
        log_in.push(cmd("SELECT").arg(target.db));
    }
    // PING is answered while Redis loads its data set; a command on a key is not.
    log_in.push(cmd("EXISTS").arg(crate::queue::RAW_METRICS.keys));
    Ok((endpoint, log_in))
}

/// Where metrics go and how: everything of a request but its body.
pub struct Intake {
    /// The way to it.
    pub endpoint: Endpoint,
    url: Url,
    path: String,
    api_key: String,
}

impl Intake {
    /// The intake of metrics.
    ///
    /// # Errors
    /// See [`tls::TlsError`].
    pub fn metrics(config: &Config) -> Result<Intake, SetupError> {
        let url = config.datadog_url.clone();
        let mut endpoint = Endpoint::tcp(&url.host, url.port);
        if url.tls {
            endpoint.tls = Some(client_tls(config)?);
        }
        endpoint.proxy = config.proxy_for(&url).map(|proxy| Proxy {
            host: proxy.host.clone(),
            port: proxy.port,
            credentials: proxy.credentials.as_ref().map(|secret| secret.expose().to_owned()),
        });
        let path = url.path_and("/v1/series");
        Ok(Intake { endpoint, url, path, api_key: config.api_key.expose().to_owned() })
    }

    /// A request with this zlib body.
    pub fn request(&self, body: Vec<u8>) -> HttpRequest {
        HttpRequest::post(&self.url.authority(), &self.path, body)
            .with_header("DD-API-KEY", &self.api_key)
            .with_header("Content-Type", "application/json")
            .with_header("Content-Encoding", "deflate")
    }
}

fn client_tls(config: &Config) -> Result<std::sync::Arc<rustls::ClientConfig>, SetupError> {
    let file = config.ssl_cert_file.as_deref().map(Path::new);
    tls::client_config(Trust::Public(file), None)
        .map_err(|error| SetupError(format!("SSL_CERT_FILE: {error}")))
}
