//! The configuration: environment variables, and a file of such.
//!
//! Everything about a variable stands in its row of [`table::VARIABLES`]: names, default, bounds, help and what
//! it sets. The help text and the table in CONFIGURATION.md are made from the rows, and a default is the text of the
//! row put through the same check as anybody's value. A new variable is a field of [`Config`] and a row.
//!
//! Example: `API_KEY=… AGGREGATE_INTERVAL=10 GLOBAL_TAGS='["room:shed"]'`. Names count in any case (the spelling
//! in capitals wins), blanks around a value do not count, and an empty value is as good as none.
//!
//! Wrong values are reported all at once ([`ConfigErrors`]), secrets masked. What it does not do: read the
//! environment or a file itself (secrets and rules in files come through [`file::ReadFile`]), or look whether a host exists.

pub mod draft;
pub mod env_file;
pub mod error;
pub mod file;
pub mod help;
pub mod kubelet;
pub mod near;
pub mod proxy;
pub mod redis;
mod resolve;
pub mod rules;
pub mod secret;
pub mod table;
pub mod value;
pub mod variable;

use core::net::IpAddr;
use std::ffi::OsString;

use log::LevelFilter;

pub use self::error::{ConfigErrors, Mistake, ValueError};
pub use self::kubelet::Kubelet;
pub use self::proxy::{NoProxy, ProxyTarget};
pub use self::redis::{RedisAddress, RedisTarget};
pub use self::secret::{Exposure, Secret};
use crate::aggregate::HistogramAggregate;
use crate::aggregate::rules::Rule;
use crate::collect::board;
use crate::collect::k8s;
use crate::collect::tegrastats;
use crate::protocol::url::Url;

/// What the agent is to do, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Datadog's key, fit to stand in a header; empty where a dry run was given none.
    pub api_key: Secret,
    /// `key:value` tags put on every series and log.
    pub global_tags: Vec<String>,
    /// Host name put on every series and log.
    pub host: Option<String>,
    /// Names of the plugins to run, each once.
    pub collector_plugins: Vec<String>,
    /// Length of an aggregation interval, seconds.
    pub aggregate_interval_s: u32,
    /// Seconds between two readings of a plugin.
    pub capture_interval_s: u32,
    /// Seconds between two releases.
    pub release_interval_s: u32,
    /// Metrics go to `/v1/series` below it.
    pub datadog_url: Url,
    /// Logs go to `/v1/input` below it, or to itself where it ends in `/api/v2/logs`.
    pub datadog_logs_url: Url,
    /// The least severe lines that are printed.
    pub log_level: LevelFilter,
    /// Age at which a log is dropped, seconds.
    pub log_ttl_s: u32,
    /// Age at which a point is dropped, seconds.
    pub metric_ttl_s: u32,
    /// Most points taken per release.
    pub metrics_bulk_size: usize,
    /// Significant digits of a fraction that is released; all where there is none.
    pub value_digits: Option<u8>,
    /// How samples become series: a name of [`crate::aggregate::WRAPPERS`].
    pub wrapper: &'static str,
    /// Summaries made of a histogram, each once.
    pub histogram_aggregates: Vec<HistogramAggregate>,
    /// Percentiles made of a histogram, as shares from 0 to 1.
    pub histogram_percentiles: Vec<f64>,
    /// What one's own rules make of metrics; the first that matches counts.
    pub rules: Vec<Rule>,
    /// Whether the agent reports on itself.
    pub send_self_metrics: bool,
    /// Where records are kept.
    pub storage: Storage,
    /// How to reach Redis.
    pub redis: RedisTarget,
    /// How DogStatsD is received.
    pub dogstatsd: Dogstatsd,
    /// What the embedded queue keeps, and where.
    pub spool: Spool,
    /// The proxy; ask [`Config::proxy_for`].
    pub proxy: Option<ProxyTarget>,
    /// The hosts reached without the proxy; ask [`Config::proxy_for`].
    pub no_proxy: NoProxy,
    /// Path of a PEM file with more trust roots.
    pub ssl_cert_file: Option<String>,
    /// What the host plugin reads: `cpu`, `fs`, `la`, `ram`, `network`.
    pub host_metrics: Vec<String>,
    /// What the board plugin reads.
    pub board_groups: Vec<board::Group>,
    /// Where the board's `/proc`, `/sys` and mounts are found; ends with a slash only as `/`.
    pub host_root: String,
    /// The kubelet that the k8s plugin reads; there is one wherever the plugin runs.
    pub kubelet: Option<Kubelet>,
    /// What the k8s plugin sends.
    pub k8s_groups: k8s::Groups,
    /// Path of the socket that the docker plugin asks.
    pub docker_socket: String,
    /// What the tegrastats plugin reads.
    pub tegrastats_groups: Vec<tegrastats::Group>,
    /// The program it keeps running.
    pub tegrastats_path: String,
    /// Path of the socket that tells how it goes, if any.
    pub status_socket: Option<String>,
    /// What is probably not meant as it was written: one line each.
    pub warnings: Vec<String>,
}

/// How DogStatsD is received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dogstatsd {
    /// UDP port, if any.
    pub port: Option<u16>,
    /// The address it is opened at.
    pub host: IpAddr,
    /// Path of the unix socket, if any.
    pub socket: Option<String>,
    /// Most contexts of an interval.
    pub contexts_max: usize,
}

/// The places records can be kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// Redis.
    Redis,
    /// The agent's own queue.
    Embedded,
}

/// What the embedded queue keeps, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spool {
    /// Its directory.
    pub path: String,
    /// How long releases fail before it goes to the disk, seconds.
    pub after_s: u32,
    /// Bytes of memory, about.
    pub memory_bytes_max: u32,
    /// Bytes of files.
    pub disk_bytes_max: u32,
}

impl Config {
    /// Reads the configuration from variables, in whatever order they come, as if there were no files.
    ///
    /// # Errors
    /// [`ConfigErrors`] with every mistake there is.
    pub fn from_vars<K, V>(vars: impl IntoIterator<Item = (K, V)>) -> Result<Config, ConfigErrors>
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        resolve::resolve(&[resolve::Layer::new(vars)], None, &file::no_files)
    }

    /// As [`Config::from_vars`], with the variables of a file for what the environment does not set, and with
    /// `read` for files that hold a secret.
    ///
    /// # Errors
    /// [`ConfigErrors`] with every mistake there is.
    pub fn from_env_and_file<K, V>(
        env: impl IntoIterator<Item = (K, V)>,
        file: Vec<(String, String)>,
        read: file::ReadFile,
    ) -> Result<Config, ConfigErrors>
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        resolve::resolve(&[resolve::Layer::new(env), resolve::Layer::new(file)], None, read)
    }

    /// As [`Config::from_env_and_file`], where nothing is sent: no key is needed.
    ///
    /// # Errors
    /// [`ConfigErrors`] with every mistake there is.
    pub fn for_dry_run<K, V>(
        env: impl IntoIterator<Item = (K, V)>,
        file: Vec<(String, String)>,
        read: file::ReadFile,
    ) -> Result<Config, ConfigErrors>
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let layers = [resolve::Layer::new(env), resolve::Layer::new(file)];
        resolve::resolve(&layers, Some(Secret::new("")), read)
    }

    /// The one variable that `chouette-iot status` needs, whatever the others are.
    ///
    /// # Errors
    /// [`ConfigErrors`] with what is wrong with it.
    pub fn status_socket<K, V>(
        env: impl IntoIterator<Item = (K, V)>,
        file: Vec<(String, String)>,
    ) -> Result<Option<String>, ConfigErrors>
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let layers = [resolve::Layer::new(env), resolve::Layer::new(file)];
        resolve::single("STATUS_SOCKET", &layers).map(|draft| draft.config.status_socket)
    }

    /// The proxy to reach `url` through. As everywhere, `HTTPS_PROXY` is for `https` only.
    pub fn proxy_for(&self, url: &Url) -> Option<&ProxyTarget> {
        let proxy = self.proxy.as_ref()?;
        (url.tls && !self.no_proxy.covers(url)).then_some(proxy)
    }
}

#[cfg(test)]
mod tests;
