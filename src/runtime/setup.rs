//! From the configuration to the parts the loop runs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::connection::Endpoint;
use super::dogstatsd::Addresses;
use super::host_root::HostRoot;
use super::plugin_io::Server;
use super::proxy::Proxy;
use super::reading::PluginReader;
use super::redis_link::RedisLink;
use super::spool::Place;
use super::tls::{self, Identity, Trust};
use super::{clock, tokens};
use crate::agent::{PerStream, Settings, Stream};
use crate::aggregate::rules::{Ruled, Rules};
use crate::aggregate::{HistogramOptions, WRAPPERS};
use crate::collect::{self, Collector, host, k8s};
use crate::config::{Config, Kubelet, RedisAddress, Storage};
use crate::limits::{self, LOG_ENTRIES_MAX};
use crate::protocol::http::Request as HttpRequest;
use crate::protocol::redis::{Request, cmd};
use crate::protocol::url::Url;
use crate::queue::spool::Settings as SpoolSettings;

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
    /// Where DogStatsD is received.
    pub datagrams: Addresses,
    /// Where it is told how it goes.
    pub status_socket: Option<String>,
    /// Where the queues are.
    pub queues: Queues,
    /// Where the streams go.
    pub intakes: PerStream<Intake>,
}

/// The place of the queues.
pub enum Queues {
    /// A link to Redis that has not dialled yet.
    Redis(Box<RedisLink>),
    /// Here; its directory is not opened yet.
    Embedded(Place),
}

/// Makes the parts. `seed` gives the waits of the Redis link their jitter.
///
/// # Errors
/// See [`SetupError`].
pub fn parts(config: &Config, seed: u64) -> Result<Parts, SetupError> {
    Ok(Parts {
        settings: settings(config)?,
        collectors: collectors(config, config.capture_interval_s)?,
        servers: servers(config)?,
        files: HostRoot::new(&config.host_root),
        datagrams: Addresses {
            udp: config.dogstatsd.port.map(|port| (config.dogstatsd.host, port)),
            unix: config.dogstatsd.socket.clone(),
        },
        status_socket: config.status_socket.clone(),
        queues: queues(config, seed)?,
        intakes: intakes(config)?,
    })
}

/// What reads the plugins of a configuration once or twice. A program prints its first line after an interval: the
/// interval is a second here, whatever `CAPTURE_INTERVAL` says.
///
/// # Errors
/// See [`SetupError`].
pub fn plugin_reader(config: &Config, seed: u64) -> Result<PluginReader, SetupError> {
    let redis = match config.storage {
        Storage::Redis => Some(redis_link(config, seed)?),
        Storage::Embedded => None,
    };
    let files = HostRoot::new(&config.host_root);
    let reader = PluginReader::new(collectors(config, 1)?, servers(config)?, files, redis);
    reader.map_err(|error| SetupError(error.to_string()))
}

fn redis_link(config: &Config, seed: u64) -> Result<RedisLink, SetupError> {
    let (endpoint, log_in) = redis(config)?;
    Ok(RedisLink::new(endpoint, log_in, tokens::REDIS, clock::now().mono, seed))
}

fn queues(config: &Config, seed: u64) -> Result<Queues, SetupError> {
    let spool = &config.spool;
    match config.storage {
        Storage::Redis => Ok(Queues::Redis(Box::new(redis_link(config, seed)?))),
        Storage::Embedded => Ok(Queues::Embedded(Place {
            path: Some(PathBuf::from(&spool.path)),
            settings: SpoolSettings {
                memory_bytes_max: spool.memory_bytes_max as usize,
                disk_bytes_max: u64::from(spool.disk_bytes_max),
                after: Duration::from_secs(u64::from(spool.after_s)),
            },
        })),
    }
}

/// What the agent needs of the configuration.
pub(super) fn settings(config: &Config) -> Result<Settings, SetupError> {
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
        log_ttl_s: config.log_ttl_s,
        logs_bulk_size: LOG_ENTRIES_MAX,
        wrapper: match &config.rules[..] {
            [] => (wrapper.build)(&histogram).into(),
            rules => Rc::new(Ruled::new((wrapper.build)(&histogram), Rc::new(Rules::new(rules.to_vec())))),
        },
        global_tags: config.global_tags.clone(),
        value_digits: config.value_digits,
        dogstatsd_contexts_max: (config.dogstatsd.port.is_some() || config.dogstatsd.socket.is_some())
            .then_some(config.dogstatsd.contexts_max),
        host: config.host.clone(),
        send_self_metrics: config.send_self_metrics,
        clock_believable_from_s: clock::build_epoch_s(),
    })
}

/// The collectors that are switched on.
fn collectors(config: &Config, capture_interval_s: u32) -> Result<Vec<Box<dyn Collector>>, SetupError> {
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
        capture_interval_s,
        board_groups: config.board_groups.clone(),
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
    let tls =
        tls::client_config(trust, identity).map_err(|error| SetupError(format!("K8S_*_PATH: {error}")))?;
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

/// Where a stream goes and how: everything of a request but its body.
pub struct Intake {
    /// The way to it.
    pub endpoint: Endpoint,
    url: Url,
    path: String,
    is_compressed: bool,
    api_key: String,
}

impl Intake {
    fn new(config: &Config, url: &Url, path: String, is_compressed: bool, tls: Option<&ClientTls>) -> Intake {
        let mut endpoint = Endpoint::tcp(&url.host, url.port);
        endpoint.tls = tls.filter(|_| url.tls).cloned();
        endpoint.proxy = config.proxy_for(url).map(|proxy| Proxy {
            host: proxy.host.clone(),
            port: proxy.port,
            credentials: proxy.credentials.as_ref().map(|secret| secret.expose().to_owned()),
        });
        Intake {
            endpoint,
            url: url.clone(),
            path,
            is_compressed,
            api_key: config.api_key.expose().to_owned(),
        }
    }

    /// Where it is, for a log line.
    pub fn address(&self) -> String {
        Url { path: self.path.clone(), ..self.url.clone() }.to_string()
    }

    /// What went wrong with it, and where.
    pub fn located(&self, problem: String) -> String {
        if problem.contains(&self.url.host) {
            return problem;
        }
        format!("{}: {problem}", self.url.authority())
    }

    /// Asks whether the key is right: `GET …/v1/validate`. Without a key, whatever is answered to that.
    pub fn key_question(&self) -> HttpRequest {
        let request = HttpRequest::get(&self.url.authority(), &self.url.path_and("/v1/validate"));
        if self.api_key.is_empty() {
            request
        } else {
            request.with_header("DD-API-KEY", self.api_key.as_str())
        }
    }

    /// A request with this body: zlib, unless the stream's form is plain.
    pub fn request(&self, body: Vec<u8>) -> HttpRequest {
        let request = HttpRequest::post(&self.url.authority(), &self.path, body)
            .with_header("DD-API-KEY", &self.api_key)
            .with_header("Content-Type", "application/json");
        if self.is_compressed { request.with_header("Content-Encoding", "deflate") } else { request }
    }
}

/// The intakes of all streams. They share the trust roots, which are most of what TLS keeps in memory.
fn intakes(config: &Config) -> Result<PerStream<Intake>, SetupError> {
    let (metrics, logs) = (&config.datadog_url, &config.datadog_logs_url);
    let tls = if metrics.tls || logs.tls { Some(client_tls(config)?) } else { None };
    Ok(PerStream::each(|stream| {
        let (url, path, is_compressed) = match stream {
            Stream::Metrics => (metrics, metrics.path_and("/v1/series"), true),
            Stream::Logs => (logs, logs_path(logs), true),
            Stream::Distributions => (metrics, metrics.path_and("/v1/distribution_points"), true),
            Stream::Events => (metrics, metrics.path_and("/v1/events"), false),
            Stream::Checks => (metrics, metrics.path_and("/v1/check_run"), false),
        };
        Intake::new(config, url, path, is_compressed, tls.as_ref())
    }))
}

/// The path that the Python version sent logs to, unless the address names that of the present API.
fn logs_path(url: &Url) -> String {
    if url.path.ends_with("/api/v2/logs") { url.path.clone() } else { url.path_and("/v1/input") }
}

type ClientTls = Arc<rustls::ClientConfig>;

fn client_tls(config: &Config) -> Result<ClientTls, SetupError> {
    let file = config.ssl_cert_file.as_deref().map(Path::new);
    tls::client_config(Trust::Public(file), None)
        .map_err(|error| SetupError(format!("SSL_CERT_FILE: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_made_by_hand_is_checked_again() {
        let mistake = |change: fn(&mut Config)| {
            let mut config = Config::from_vars([("API_KEY", "k")]).unwrap();
            assert!(parts(&config, 1).is_ok());
            change(&mut config);
            parts(&config, 1).err().unwrap().to_string()
        };
        assert_eq!(mistake(|config| config.wrapper = "fancy"), "no wrapper is called fancy");
        assert_eq!(
            mistake(|config| config.collector_plugins = vec!["hots".to_owned()]),
            "no plugin is called hots"
        );
    }

    #[test]
    fn logs_go_where_the_address_says() {
        for (address, path) in [
            ("https://http-intake.logs.datadoghq.com", "/v1/input"),
            ("http://10.0.0.1:8080/logs/", "/logs/v1/input"),
            ("https://http-intake.logs.datadoghq.eu/api/v2/logs", "/api/v2/logs"),
            ("https://proxy.example/datadog/api/v2/logs/", "/datadog/api/v2/logs"),
        ] {
            assert_eq!(logs_path(&Url::parse(address).unwrap()), path, "{address}");
        }
    }
}
