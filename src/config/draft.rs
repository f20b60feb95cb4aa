//! A configuration in the making: what the rows of the table write to.

use core::net::Ipv4Addr;

use log::LevelFilter;

use super::kubelet::KubeletDraft;
use super::redis::{REDIS_PORT, RedisUrl};
use super::rules::RulesFile;
use super::{Config, Dogstatsd, Mistake, NoProxy, RedisAddress, RedisTarget, Secret, Spool, Storage};
use crate::collect::{dramatiq, k8s};
use crate::protocol::url::Url;

/// The fields as far as they are known, and the variables that become one field only together.
#[derive(Debug)]
pub struct Draft {
    /// Fields that a variable sets by itself.
    pub config: Config,
    /// Set by `API_KEY`, or `API_KEY_FILE`.
    pub api_key: Option<Secret>,
    /// Set by `REDIS_URL`.
    pub redis_url: Option<RedisUrl>,
    /// Set by `REDIS_HOST`.
    pub redis_host: String,
    /// Set by `REDIS_PORT`.
    pub redis_port: u16,
    /// Set by `REDIS_USERNAME`.
    pub redis_username: Option<String>,
    /// Set by `REDIS_PASSWORD`, or `REDIS_PASSWORD_FILE`.
    pub redis_password: Option<Secret>,
    /// Set by `REDIS_DB`.
    pub redis_db: u32,
    /// Set by the variables of the plugin k8s.
    pub kubelet: KubeletDraft,
    /// Set by `METRICS_RULES`.
    pub rules: Option<RulesFile>,
}

impl Draft {
    /// Nothing set. The defaults come from the table; what stands here only holds their place.
    pub fn blank() -> Draft {
        let nowhere = Url { tls: true, host: String::new(), port: 0, path: String::new() };
        let redis =
            RedisTarget { address: RedisAddress::Unix(String::new()), username: None, password: None, db: 0 };
        let config = Config {
            api_key: Secret::new(""),
            global_tags: Vec::new(),
            host: None,
            collector_plugins: Vec::new(),
            aggregate_interval_s: 0,
            capture_interval_s: 0,
            release_interval_s: 0,
            datadog_url: nowhere.clone(),
            datadog_logs_url: nowhere,
            log_level: LevelFilter::Off,
            log_ttl_s: 0,
            metric_ttl_s: 0,
            metrics_bulk_size: 0,
            value_digits: None,
            wrapper: "datadog",
            histogram_aggregates: Vec::new(),
            histogram_percentiles: Vec::new(),
            rules: Vec::new(),
            send_self_metrics: false,
            storage: Storage::Redis,
            redis,
            dogstatsd: Dogstatsd {
                port: None,
                host: Ipv4Addr::LOCALHOST.into(),
                socket: None,
                contexts_max: 0,
            },
            spool: Spool::default(),
            proxy: None,
            no_proxy: NoProxy::default(),
            ssl_cert_file: None,
            host_metrics: Vec::new(),
            board_groups: Vec::new(),
            host_root: String::new(),
            kubelet: None,
            k8s_groups: k8s::Groups::default(),
            docker_socket: String::new(),
            tegrastats_groups: Vec::new(),
            tegrastats_path: String::new(),
            status_socket: None,
            warnings: Vec::new(),
        };
        Draft {
            config,
            api_key: None,
            redis_url: None,
            redis_host: String::new(),
            redis_port: REDIS_PORT,
            redis_username: None,
            redis_password: None,
            redis_db: 0,
            kubelet: KubeletDraft::default(),
            rules: None,
        }
    }

    /// Puts together what belongs together. `mistakes` are those of single values, `warnings` what was noticed.
    ///
    /// # Errors
    /// All mistakes, with those that only show now.
    pub fn finish(
        self,
        mut mistakes: Vec<Mistake>,
        mut warnings: Vec<String>,
    ) -> Result<Config, (Vec<Mistake>, Vec<String>)> {
        let is_wrong = |names: &[&str]| mistakes.iter().any(|m: &Mistake| names.contains(&m.variable));
        let password_is_wrong = is_wrong(&["REDIS_PASSWORD", "REDIS_PASSWORD_FILE", "REDIS_URL"]);
        if self.api_key.is_none() && !is_wrong(&["API_KEY", "API_KEY_FILE"]) {
            mistakes.insert(0, missing_key());
        }
        let redis = self.redis();
        if redis.username.is_some() && redis.password.is_none() && !password_is_wrong {
            mistakes.push(Mistake {
                variable: "REDIS_USERNAME",
                value: redis.username.clone(),
                problem: "a user needs a password: set REDIS_PASSWORD too".to_owned(),
            });
        }
        let reads_redis = |name: &&String| **name == dramatiq::PLUGIN.name;
        if self.config.storage == Storage::Embedded
            && let Some(plugin) = self.config.collector_plugins.iter().find(reads_redis)
        {
            mistakes.push(Mistake {
                variable: "COLLECTOR_PLUGINS",
                value: Some(plugin.clone()),
                problem:
                    "reads Redis, which CHOUETTE_STORAGE_TYPE=embedded does without; leave out one of them"
                        .to_owned(),
            });
        }
        let is_wanted = self.config.collector_plugins.iter().any(|name| name == k8s::PLUGIN.name);
        let kubelet = self.kubelet.finish(is_wanted, &mut mistakes);
        warnings.extend(doubts(&self.config));
        let rules = self.rules.map(|file| file.finish(self.config.wrapper, &mut mistakes, &mut warnings));
        let (Some(api_key), true) = (self.api_key, mistakes.is_empty()) else {
            return Err((mistakes, warnings));
        };
        Ok(Config { api_key, redis, kubelet, rules: rules.unwrap_or_default(), warnings, ..self.config })
    }

    /// `REDIS_URL` wins; what it does not say about log-in and database, the single variables say.
    fn redis(&self) -> RedisTarget {
        let (address, login, db) = match &self.redis_url {
            Some(url) => (url.address.clone(), url.login.clone(), url.db),
            None => {
                let (host, port) = (self.redis_host.clone(), self.redis_port);
                (RedisAddress::Tcp { host, port, tls: false }, None, None)
            }
        };
        let (username, password) = match login {
            Some((username, password)) => (username, Some(password)),
            None => (self.redis_username.clone(), self.redis_password.clone()),
        };
        RedisTarget { address, username, password, db: db.unwrap_or(self.redis_db) }
    }
}

fn missing_key() -> Mistake {
    Mistake {
        variable: "API_KEY",
        value: None,
        problem: "not set. It is the API key of your Datadog organisation (Organization Settings, API Keys; \
                  any word will do for a server of your own that asks for none). Set it in the environment, \
                  `API_KEY=<your key> chouette-iot`, or put the line `API_KEY=<your key>` in a file and name \
                  that with `--env-file PATH`; a file with nothing but the key is named by `API_KEY_FILE=PATH`"
            .to_owned(),
    }
}

/// What is allowed, and yet can hardly be meant.
fn doubts(config: &Config) -> Vec<String> {
    let mut doubts = Vec::new();
    let (ttl_s, release_s) = (config.metric_ttl_s, config.release_interval_s);
    if ttl_s != 0 && ttl_s <= release_s {
        doubts.push(format!(
            "METRIC_TTL={ttl_s} is not longer than RELEASE_INTERVAL={release_s}: points expire before they are sent"
        ));
    }
    let suffixes = config.histogram_percentiles.iter().map(|p| (p * 100.0).round());
    let mut suffixes: Vec<f64> = suffixes.collect();
    suffixes.sort_unstable_by(f64::total_cmp);
    for pair in suffixes.windows(2) {
        if let [a, b] = pair
            && a == b
        {
            doubts.push(format!("HISTOGRAM_PERCENTILES holds two entries that are both named {a}percentile"));
        }
    }
    doubts
}
