//! The one table of variables. What a row can say is in [`super::variable`].

use super::Storage;
use super::error::ValueError;
use super::kubelet;
use super::proxy::{NoProxy, ProxyTarget};
use super::redis::{self, RedisUrl};
use super::rules::RulesFile;
use super::secret::{Exposure, Secret};
use super::value::{self, BOOLEANS, LEVELS, TEXT_CHARS_MAX, Word};
use super::variable::Preset::{Required, Text, Unset};
use super::variable::{Topic, Variable};
use crate::aggregate::{HistogramAggregate, WRAPPERS};
use crate::collect::{PLUGINS, board, host, tegrastats};
use crate::limits::BUCKET_CONTEXTS_MAX;

/// Longest interval: a day, in seconds.
pub const INTERVAL_S_MAX: u32 = 86_400;
/// Longest time to live, in seconds: more than a century, which is for ever.
pub const TTL_S_MAX: u32 = 4_000_000_000;
/// Most points a release may be told to take.
pub const METRICS_BULK_SIZE_MAX: u32 = 100_000;
/// Most of `VALUE_DIGITS`: what a double has.
pub const VALUE_DIGITS_MAX: u32 = 17;
/// Least and most memory of the embedded queue, bytes: a few files have to fit.
pub const SPOOL_MEMORY: (u32, u32) = (256 << 10, 64 << 20);
/// Least and most bytes of its files: memory knows something of each.
pub const SPOOL_DISK: (u32, u32) = (1 << 20, 256 << 20);
/// Most characters of an API key; Datadog's have 32.
pub const API_KEY_CHARS_MAX: usize = 256;
/// Most characters of a host name, as Datadog has it.
pub const HOST_CHARS_MAX: usize = 255;

/// The plugins there are.
fn plugin_names() -> Vec<&'static str> {
    PLUGINS.iter().map(|plugin| plugin.name).collect()
}

/// What the host plugin can read.
fn host_groups() -> Vec<&'static str> {
    host::Group::ALL.iter().map(|group| group.word()).collect()
}

/// The wrappers there are.
fn wrapper_words() -> Vec<Word<&'static str>> {
    WRAPPERS.iter().map(|row| (row.name, row.name)).collect()
}

const INTAKE: &str = "an http:// or https:// address without credentials or query";
const REDIS_FORMS: &str = "redis://[user:password@]host:port/db, rediss:// (TLS) or \
                           unix:///path?db=0, credentials with % escapes";
const PEM: &str = "the path of a PEM file";
const STORAGES: &[Word<Storage>] = &[("redis", Storage::Redis), ("embedded", Storage::Embedded)];

/// Every variable there is, by topic.
pub static VARIABLES: &[Variable] = &[
    Variable::new("API_KEY", Topic::Datadog, Required)
        .help("Datadog API key, unless API_KEY_FILE names a file with it; sent as a header, never part of an address")
        .exposed(Exposure::Hidden)
        .text("visible ASCII characters without blanks", |d, t| {
            put(&mut d.api_key, value::token(t, API_KEY_CHARS_MAX).map(Secret::new).map(Some))
        }),
    Variable::new("API_KEY_FILE", Topic::Datadog, Unset)
        .help("File with the key, in place of API_KEY; read again on SIGHUP")
        .file_of("API_KEY"),
    Variable::new("DATADOG_URL", Topic::Datadog, Text("https://api.datadoghq.com/api"))
        .help("Intake of metrics, sent to /v1/series below it; http is for a server of your own")
        .exposed(Exposure::Address)
        .text(INTAKE, |d, t| put(&mut d.config.datadog_url, value::url(t))),
    Variable::new("DATADOG_LOGS_URL", Topic::Datadog, Text("https://http-intake.logs.datadoghq.com"))
        .help("Intake of logs, sent to /v1/input below it, or to the address itself where it ends in /api/v2/logs")
        .exposed(Exposure::Address)
        .text(INTAKE, |d, t| put(&mut d.config.datadog_logs_url, value::url(t))),
    Variable::new("GLOBAL_TAGS", Topic::Datadog, Text("[]"))
        .help("Tags put on everything that is sent")
        .text("a list, JSON or with commas, of key:value, each at most 200 characters", |d, t| {
            put(&mut d.config.global_tags, value::tags(t))
        }),
    Variable::new("HOST", Topic::Datadog, Unset)
        .help("Host name put on everything that is sent")
        .text("text of at most 255 characters", |d, t| {
            put(&mut d.config.host, value::text(t, HOST_CHARS_MAX).map(Some))
        }),
    Variable::new("CHOUETTE_STORAGE_TYPE", Topic::Redis, Text("redis"))
        .help("Where records are kept: in Redis, where applications can put some, or by the agent itself")
        .word(|| names(STORAGES), |d, t| put(&mut d.config.storage, value::word(t, STORAGES))),
    Variable::new("REDIS_URL", Topic::Redis, Unset)
        .help("Address of Redis; wins over the single variables, which only add what it lacks")
        .exposed(Exposure::Address)
        .text(REDIS_FORMS, |d, t| put(&mut d.redis_url, RedisUrl::parse(t).map(Some))),
    Variable::new("REDIS_HOST", Topic::Redis, Text("redis"))
        .help("Host of Redis")
        .exposed(Exposure::Address)
        .text("a host name or an address", |d, t| put(&mut d.redis_host, redis::host(t))),
    Variable::new("REDIS_PORT", Topic::Redis, Text("6379"))
        .help("Port of Redis; of the tcp://address:port that Kubernetes sets, the port counts")
        .exposed(Exposure::Address)
        .text("a whole number from 1 to 65535", |d, t| put(&mut d.redis_port, redis::port(t))),
    Variable::new("REDIS_USERNAME", Topic::Redis, Unset)
        .help("User to log in to Redis as, with REDIS_PASSWORD")
        .text("text", |d, t| put(&mut d.redis_username, value::text(t, TEXT_CHARS_MAX).map(Some))),
    Variable::new("REDIS_PASSWORD", Topic::Redis, Unset)
        .help("Password of Redis")
        .exposed(Exposure::Hidden)
        .text("text", |d, t| {
            put(&mut d.redis_password, value::text(t, TEXT_CHARS_MAX).map(Secret::new).map(Some))
        }),
    Variable::new("REDIS_PASSWORD_FILE", Topic::Redis, Unset)
        .help("File with the password, in place of REDIS_PASSWORD; read again on SIGHUP")
        .file_of("REDIS_PASSWORD"),
    Variable::new("REDIS_DB", Topic::Redis, Text("0")).help("Number of the database").number(
        0,
        redis::REDIS_DB_MAX,
        "",
        |d, n| d.redis_db = n,
    ),
    Variable::new("DOGSTATSD_PORT", Topic::Dogstatsd, Unset)
        .help("UDP port that DogStatsD is received on, 8125 as a rule; 0 is none")
        .number(0, 65_535, "", |d, n| d.config.dogstatsd.port = u16::try_from(n).ok().filter(|port| *port != 0)),
    Variable::new("DOGSTATSD_HOST", Topic::Dogstatsd, Text("127.0.0.1"))
        .help("Address of that port; 0.0.0.0 takes datagrams from everywhere")
        .text("an IP address", |d, t| put(&mut d.config.dogstatsd.host, value::ip_address(t))),
    Variable::new("DOGSTATSD_SOCKET", Topic::Dogstatsd, Unset)
        .help("Unix datagram socket that DogStatsD is received on, too; made here, with mode 0722")
        .text("a path that begins with a slash", |d, t| {
            put(&mut d.config.dogstatsd.socket, value::absolute_path(t).map(Some))
        }),
    Variable::new("DOGSTATSD_CONTEXTS_MAX", Topic::Dogstatsd, Text("5000"))
        .help("Contexts (name, type and tags) of an interval; samples of further ones are dropped and counted")
        .number(1, BUCKET_CONTEXTS_MAX as u32, "", |d, n| {
            d.config.dogstatsd.contexts_max = usize::try_from(n).unwrap_or(usize::MAX)
        }),
    Variable::new("SPOOL_PATH", Topic::Spool, Text("/var/lib/chouette-iot"))
        .help("Directory that the embedded queue has for itself; nothing is written to it while releases succeed")
        .text("a path that begins with a slash", |d, t| {
            put(&mut d.config.spool.path, value::absolute_path(t))
        }),
    Variable::new("SPOOL_AFTER", Topic::Spool, Text("300"))
        .help("How long releases fail before the embedded queue goes to the disk: what a power cut costs then, at most")
        .number(1, INTERVAL_S_MAX, "seconds", |d, n| d.config.spool.after_s = n),
    Variable::new("SPOOL_MEMORY_MAX", Topic::Spool, Text("1048576"))
        .help("Memory of the embedded queue, about; near it, it goes to the disk")
        .number(SPOOL_MEMORY.0, SPOOL_MEMORY.1, "bytes", |d, n| d.config.spool.memory_bytes_max = n),
    Variable::new("SPOOL_DISK_MAX", Topic::Spool, Text("16777216"))
        .help("Files of the embedded queue; beyond it the oldest is dropped. A tenth of the disk stays free anyway")
        .number(SPOOL_DISK.0, SPOOL_DISK.1, "bytes", |d, n| d.config.spool.disk_bytes_max = n),
    Variable::new("AGGREGATE_INTERVAL", Topic::Aggregation, Text("10"))
        .help("Length of the intervals that samples are merged in")
        .number(1, INTERVAL_S_MAX, "seconds", |d, n| d.config.aggregate_interval_s = n),
    Variable::new("METRICS_WRAPPER", Topic::Aggregation, Text("datadog"))
        .help("How samples become series")
        .word(
            || names(&wrapper_words()),
            |d, t| put(&mut d.config.wrapper, value::word(t, &wrapper_words())),
        ),
    Variable::new("HISTOGRAM_AGGREGATES", Topic::Aggregation, Text(r#"["max","median","avg","count"]"#))
        .help("Summaries made of a histogram")
        .words(
            || names(&HistogramAggregate::WORDS),
            |d, t| put(&mut d.config.histogram_aggregates, value::words(t, &HistogramAggregate::WORDS)),
        ),
    Variable::new("HISTOGRAM_PERCENTILES", Topic::Aggregation, Text("[0.95]"))
        .help("Percentiles made of a histogram: 0.95 becomes NAME.95percentile")
        .text("a list of numbers from 0 to 1, JSON or with commas", |d, t| {
            put(&mut d.config.histogram_percentiles, value::shares(t))
        }),
    Variable::new("METRICS_RULES", Topic::Aggregation, Unset)
        .help("File with rules of your own: metrics to drop, rename, retag or summarise otherwise; read again on SIGHUP")
        .file("the path of a JSON file, a list of rules", |d, path, bytes| {
            put(&mut d.rules, RulesFile::new(path, bytes).map(Some))
        }),
    Variable::new("SEND_SELF_METRICS", Topic::Aggregation, Text("true"))
        .help("Whether the agent reports on itself (chouette.*)")
        .word(|| names(BOOLEANS), |d, t| put(&mut d.config.send_self_metrics, value::word(t, BOOLEANS))),
    Variable::new("COLLECTOR_PLUGINS", Topic::Collectors, Text("[]"))
        .alias(&["COLLECT_PLUGINS"])
        .help("Plugins to run")
        .words(plugin_names, |d, t| put(&mut d.config.collector_plugins, value::names(t, &plugin_names()))),
    Variable::new("CAPTURE_INTERVAL", Topic::Collectors, Text("30"))
        .help("Time between two readings of a plugin")
        .number(1, INTERVAL_S_MAX, "seconds", |d, n| d.config.capture_interval_s = n),
    Variable::new("HOST_COLLECTOR_METRICS", Topic::Collectors, Text(r#"["cpu","fs","la","ram"]"#))
        .alias(&["HOST_COLLECT_METRICS"])
        .help("What the host plugin reads")
        .words(host_groups, |d, t| put(&mut d.config.host_metrics, value::names(t, &host_groups()))),
    Variable::new("BOARD_METRICS", Topic::Collectors, Text(r#"["temp","throttled","clock","wear"]"#))
        .help("What the board plugin reads")
        .words(
            || names(&board::Group::WORDS),
            |d, t| put(&mut d.config.board_groups, value::words(t, &board::Group::WORDS)),
        ),
    Variable::new("HOST_ROOT", Topic::Collectors, Text("/"))
        .help("Where the board's /proc, /sys and mounts are found (for containers)")
        .text("a path that begins with a slash", |d, t| {
            put(&mut d.config.host_root, value::absolute_path(t))
        }),
    Variable::new("K8S_STATS_SERVICE_IP", Topic::Collectors, Unset)
        .help("Address of the node whose kubelet the k8s plugin reads; without it HOST_IP counts")
        .text("a host name or an address", |d, t| put(&mut d.kubelet.host, kubelet::host(t).map(Some))),
    Variable::new("HOST_IP", Topic::Collectors, Unset)
        .help("The same, as manifests pass it from the field status.hostIP")
        .text("a host name or an address", |d, t| put(&mut d.kubelet.host_ip, Ok(Some(t.to_owned())))),
    Variable::new("K8S_STATS_SERVICE_PORT", Topic::Collectors, Text("10250"))
        .help("Port of the kubelet")
        .text("a whole number from 1 to 65535", |d, t| put(&mut d.kubelet.port, value::port(t))),
    Variable::new("K8S_CERT_PATH", Topic::Collectors, Unset)
        .help("Certificate that the kubelet knows the agent by, with K8S_KEY_PATH")
        .text(PEM, |d, t| put(&mut d.kubelet.cert_path, path(t))),
    Variable::new("K8S_KEY_PATH", Topic::Collectors, Unset)
        .help("Key of that certificate")
        .text(PEM, |d, t| put(&mut d.kubelet.key_path, path(t))),
    Variable::new("K8S_CA_PATH", Topic::Collectors, Unset)
        .help("Authority that the kubelet's certificate must come from; without it any is accepted")
        .text(PEM, |d, t| put(&mut d.kubelet.ca_path, path(t))),
    Variable::new("K8S_TOKEN_PATH", Topic::Collectors, Unset)
        .help("File with the bearer token for the kubelet, read anew each time: it rotates")
        .text("the path of a file", |d, t| put(&mut d.kubelet.token_path, path(t))),
    Variable::new("K8S_METRICS", Topic::Collectors, Text(r#"{"pods":["memory","cpu"],"node":["inodes"]}"#))
        .help("What the k8s plugin sends")
        .text(
            "a JSON object of lists: \"pods\" of memory, cpu, network; \"node\" of memory (or ram), cpu, network, \
             filesystem, inodes",
            |d, t| put(&mut d.config.k8s_groups, value::k8s_groups(t)),
        ),
    Variable::new("DOCKER_SOCKET_PATH", Topic::Collectors, Text("/var/run/docker.sock"))
        .help("Socket that the docker plugin asks, Docker's or Podman's")
        .text("a path that begins with a slash", |d, t| {
            put(&mut d.config.docker_socket, value::absolute_path(t))
        }),
    Variable::new("TEGRASTATS_METRICS", Topic::Collectors, Text(r#"["ram","temp"]"#))
        .help("What the tegrastats plugin reads")
        .words(
            || names(&tegrastats::Group::WORDS),
            |d, t| put(&mut d.config.tegrastats_groups, value::words(t, &tegrastats::Group::WORDS)),
        ),
    Variable::new("TEGRASTATS_PATH", Topic::Collectors, Text("/usr/bin/tegrastats"))
        .help("The program that the tegrastats plugin keeps running")
        .text("a path that begins with a slash", |d, t| {
            put(&mut d.config.tegrastats_path, value::absolute_path(t))
        }),
    Variable::new("RELEASE_INTERVAL", Topic::Release, Text("60")).help("Time between two releases").number(
        1,
        INTERVAL_S_MAX,
        "seconds",
        |d, n| d.config.release_interval_s = n,
    ),
    Variable::new("METRICS_BULK_SIZE", Topic::Release, Text("10000"))
        .help("Most points taken per release")
        .number(1, METRICS_BULK_SIZE_MAX, "points", |d, n| {
            d.config.metrics_bulk_size = usize::try_from(n).unwrap_or(usize::MAX)
        }),
    Variable::new("VALUE_DIGITS", Topic::Release, Unset)
        .help("Significant digits of a fraction that is sent, all if unset: 6 save a third of the bytes of computed ones")
        .number(1, VALUE_DIGITS_MAX, "digits", |d, n| d.config.value_digits = u8::try_from(n).ok()),
    Variable::new("METRIC_TTL", Topic::Release, Text("14400"))
        .help("Age at which unsent points are dropped")
        .number(1, TTL_S_MAX, "seconds", |d, n| d.config.metric_ttl_s = n),
    Variable::new("LOG_TTL", Topic::Release, Text("64800"))
        .help("Age at which unsent logs are dropped")
        .number(1, TTL_S_MAX, "seconds", |d, n| d.config.log_ttl_s = n),
    Variable::new("HTTPS_PROXY", Topic::Network, Unset)
        .help("Proxy that an https intake is reached through")
        .exposed(Exposure::Address)
        .text("http://[user:password@]host:port; % escapes in credentials", |d, t| {
            put(&mut d.config.proxy, ProxyTarget::parse(t).map(Some))
        }),
    Variable::new("NO_PROXY", Topic::Network, Unset)
        .help("Reached without the proxy: domains, addresses, networks (10.0.0.0/8), * for all")
        .text("a list with commas", |d, t| put(&mut d.config.no_proxy, Ok(NoProxy::parse(t)))),
    Variable::new("SSL_CERT_FILE", Topic::Network, Unset)
        .help("More trust roots, next to those built in")
        .text(PEM, |d, t| put(&mut d.config.ssl_cert_file, path(t))),
    Variable::new("LOG_LEVEL", Topic::Logging, Text("INFO"))
        .help("Least severe lines to print, on standard error; CRITICAL counts as ERROR")
        .word(|| names(LEVELS), |d, t| put(&mut d.config.log_level, value::word(t, LEVELS))),
    Variable::new("STATUS_SOCKET", Topic::Status, Text("/run/chouette-iot/status.sock"))
        .help("Unix socket that the agent tells its own user and root how it goes; an abstract one stands in where it \
               cannot be made; none is none")
        .text("a path that begins with a slash, or none", |d, t| {
            put(&mut d.config.status_socket, value::absolute_path_or_none(t))
        }),
];

fn put<T>(field: &mut T, value: Result<T, ValueError>) -> Result<(), ValueError> {
    *field = value?;
    Ok(())
}

fn path(text: &str) -> Result<Option<String>, ValueError> {
    value::text(text, TEXT_CHARS_MAX).map(Some)
}

fn names<T>(words: &[Word<T>]) -> Vec<&'static str> {
    words.iter().map(|(word, _)| *word).collect()
}
