//! Every variable with good and bad values, and how values are chosen and mistakes told.

use super::table::VARIABLES;
use super::variable::{Kind, Preset};
use super::*;

const KEY: (&str, &str) = ("API_KEY", "0123456789abcdef0123456789abcdef");

fn config(vars: &[(&str, &str)]) -> Config {
    let vars = [&[KEY], vars].concat();
    Config::from_vars(vars.iter().copied()).unwrap_or_else(|e| panic!("{e}"))
}

fn errors(vars: &[(&str, &str)]) -> ConfigErrors {
    let vars = [&[KEY], vars].concat();
    Config::from_vars(vars.iter().copied()).expect_err(&format!("{vars:?}"))
}

fn tcp(host: &str, port: u16) -> RedisAddress {
    RedisAddress::Tcp { host: host.to_owned(), port, tls: false }
}

#[test]
fn defaults() {
    let c = config(&[]);
    assert_eq!(c.api_key.expose(), KEY.1);
    assert!(c.global_tags.is_empty() && c.collector_plugins.is_empty() && c.warnings.is_empty());
    assert_eq!(c.host, None);
    assert_eq!((c.aggregate_interval_s, c.capture_interval_s, c.release_interval_s), (10, 30, 60));
    assert_eq!(c.datadog_url.to_string(), "https://api.datadoghq.com/api");
    assert_eq!(c.datadog_logs_url.to_string(), "https://http-intake.logs.datadoghq.com");
    assert_eq!(c.log_level, LevelFilter::Info);
    assert_eq!((c.log_ttl_s, c.metric_ttl_s, c.metrics_bulk_size), (64_800, 14_400, 10_000));
    assert_eq!(c.wrapper, "datadog");
    use HistogramAggregate::*;
    assert_eq!(c.histogram_aggregates, [Max, Median, Avg, Count]);
    assert_eq!(c.histogram_percentiles, [0.95]);
    assert!(c.send_self_metrics);
    assert_eq!(c.storage, Storage::Redis);
    let (address, username, password, db) = (tcp("redis", 6379), None, None, 0);
    assert_eq!(c.redis, RedisTarget { address, username, password, db });
    assert_eq!((c.proxy, c.no_proxy, c.ssl_cert_file), (None, NoProxy::default(), None));
    assert_eq!(c.host_metrics, ["cpu", "fs", "la", "ram"]);
    assert_eq!(c.host_root, "/");
    assert_eq!((c.kubelet, c.k8s_groups), (None, crate::collect::k8s::Groups::default()));
    assert_eq!(c.docker_socket, "/var/run/docker.sock");
    let host = core::net::Ipv4Addr::LOCALHOST.into();
    assert_eq!(c.dogstatsd, Dogstatsd { port: None, host, socket: None, contexts_max: 5_000 });
}

/// Bad values of each variable. A variable that takes any text has at least one value that is no text.
const BAD: &[(&str, &[&str])] = &[
    ("API_KEY", &["a b", "ключ"]),
    ("API_KEY_FILE", &["/no/such/file", "a\nb"]),
    ("DATADOG_URL", &["datadoghq.com", "ftp://h", "https://h?x=1", "https://u:p@h", "https://h:0"]),
    ("DATADOG_LOGS_URL", &["//h", "https://", "https://[::1"]),
    ("GLOBAL_TAGS", &["{\"a\":\"b\"}", "[1]", "['a:b']", "a\u{1}b"]),
    ("HOST", &["a\nb"]),
    ("CHOUETTE_STORAGE_TYPE", &["memory"]),
    ("REDIS_URL", &["redis", "http://h", "redis://h:x", "redis://h/x", "unix://x"]),
    ("REDIS_HOST", &["redis://h", "h:6379", "a b"]),
    ("REDIS_PORT", &["0", "65536", "x", "tcp://h"]),
    ("REDIS_USERNAME", &["a\tb"]),
    ("REDIS_PASSWORD", &["a\u{7f}b"]),
    ("REDIS_PASSWORD_FILE", &["/no/such/file"]),
    ("REDIS_DB", &["-1", "x", "1.0"]),
    ("DOGSTATSD_PORT", &["65536", "-1", "8125/udp"]),
    ("DOGSTATSD_HOST", &["localhost", "127.0.0.1:8125", "127.1"]),
    ("DOGSTATSD_SOCKET", &["dsd.socket", "unix:///run/dsd.socket"]),
    ("DOGSTATSD_CONTEXTS_MAX", &["0", "20001", "many"]),
    ("SPOOL_PATH", &["spool", "\u{7}"]),
    ("SPOOL_AFTER", &["0", "5m"]),
    ("SPOOL_MEMORY_MAX", &["1M", "1000"]),
    ("SPOOL_DISK_MAX", &["16M", "0"]),
    ("AGGREGATE_INTERVAL", &["0", "-10", "10s", "1.5", "1e1"]),
    ("METRICS_WRAPPER", &["statsd", "datadog,simple"]),
    ("HISTOGRAM_AGGREGATES", &["mean", "[\"max\",\"p95\"]", "{}", "max;min"]),
    ("HISTOGRAM_PERCENTILES", &["95", "[-0.1]", "[\"0.5\"]", "NaN", "p95"]),
    ("METRICS_RULES", &["/no/such/file", "a\nb"]),
    ("SEND_SELF_METRICS", &["2", "maybe"]),
    ("COLLECTOR_PLUGINS", &["hots", "[\"host\",\"nope\"]", "[host]"]),
    ("CAPTURE_INTERVAL", &["0", "-1", "half"]),
    ("HOST_COLLECTOR_METRICS", &["gpu", "[\"cpu\",1]"]),
    ("BOARD_METRICS", &["ram", "temp psi", "[\"temp\",1]"]),
    ("TEGRASTATS_METRICS", &["la", "[\"ram\",1]"]),
    ("TEGRASTATS_PATH", &["tegrastats", "\u{7}"]),
    ("HOST_ROOT", &["host", "./host"]),
    ("K8S_STATS_SERVICE_IP", &["10.0.0.1:10250", "https://h", "10.0.0"]),
    ("HOST_IP", &[]),
    ("K8S_STATS_SERVICE_PORT", &["0", "65536", "https"]),
    ("K8S_CERT_PATH", &["a\nb"]),
    ("K8S_KEY_PATH", &["a\nb"]),
    ("K8S_CA_PATH", &["a\nb"]),
    ("K8S_TOKEN_PATH", &["a\nb"]),
    (
        "K8S_METRICS",
        &["memory", "[\"cpu\"]", "{\"pods\":[\"inodes\"]}", "{\"pod\":[]}", "{\"node\":\"cpu\"}"],
    ),
    ("DOCKER_SOCKET_PATH", &["docker.sock", "unix:///var/run/docker.sock"]),
    ("RELEASE_INTERVAL", &["0", "-60"]),
    ("METRICS_BULK_SIZE", &["0", "-1", "many"]),
    ("VALUE_DIGITS", &["0", "18", "all"]),
    ("METRIC_TTL", &["0", "-1", "4h"]),
    ("LOG_TTL", &["0", "-1", "18h"]),
    ("HTTPS_PROXY", &["https://h", "socks5://h", "http://", "http://h:x"]),
    ("NO_PROXY", &[]),
    ("SSL_CERT_FILE", &["a\nb"]),
    ("LOG_LEVEL", &["LOUD", "10"]),
    ("STATUS_SOCKET", &["status.sock", "off", "/run/\u{7}"]),
];

#[test]
fn bad_values_are_named_with_what_is_accepted() {
    for variable in VARIABLES {
        let (_, bad) = BAD.iter().find(|(name, _)| *name == variable.name).expect(variable.name);
        for value in *bad {
            let name = variable.name;
            let result = Config::from_vars(if name.starts_with(KEY.0) {
                vec![(name, *value)]
            } else {
                vec![KEY, (name, *value)]
            });
            let found = result.expect_err(&format!("{name}={value}"));
            let [mistake] = found.mistakes.as_slice() else {
                panic!("{name}={value}: {found}");
            };
            assert_eq!(mistake.variable, name);
            assert!(mistake.problem.contains(&variable.accepts()), "{found}");
            let shown = mistake.value.as_deref().unwrap();
            if variable.exposure == Exposure::Open {
                assert!(!value.is_ascii() || value.contains(char::is_control) || shown == *value, "{found}");
            }
            let lines = found.to_string();
            assert!(lines.contains(&format!("\n  {name}={shown}: ")), "{lines}");
            assert!(!lines.contains(char::from(7)) && !lines.contains('\t'));
        }
    }
    assert_eq!(BAD.len(), VARIABLES.len());
}

#[test]
fn numbers_end_at_their_bounds() {
    for variable in VARIABLES {
        let Kind::Number { min, max, .. } = variable.kind else {
            continue;
        };
        for (value, ok) in [
            (i64::from(min), true),
            (i64::from(max), true),
            (i64::from(min) - 1, false),
            (i64::from(max) + 1, false),
        ] {
            let vars = [KEY, (variable.name, &value.to_string())];
            assert_eq!(Config::from_vars(vars).is_ok(), ok, "{}={value}", variable.name);
        }
    }
}

#[test]
fn the_rows_are_well_formed() {
    let mut seen = std::collections::BTreeSet::new();
    for variable in VARIABLES {
        for name in std::iter::once(&variable.name).chain(variable.aliases) {
            assert!(seen.insert(*name), "{name} stands twice");
            assert!(
                name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'),
                "{name}"
            );
        }
        assert!(!variable.help.is_empty() && !variable.help.ends_with('.'), "{}", variable.name);
        assert!(!variable.accepts().is_empty(), "{}", variable.name);
        if let Preset::Text(text) = variable.default {
            let set = variable.set(&mut draft::Draft::blank(), text, &file::no_files);
            assert_eq!(set, Ok(()), "default of {}", variable.name);
        }
    }
    let accepts = |name: &str| VARIABLES.iter().find(|v| v.name == name).unwrap().accepts();
    assert!(accepts("GLOBAL_TAGS").contains(&value::TAG_CHARS_MAX.to_string()));
    assert!(accepts("HOST").contains(&table::HOST_CHARS_MAX.to_string()));
}

#[test]
fn good_values() {
    let c = config(&[
        ("global_tags", "[\"room:shed\",\"pi\"]"),
        ("HOST", "  shed 1 "),
        ("COLLECT_PLUGINS", "host"),
        ("AGGREGATE_INTERVAL", "1"),
        ("CAPTURE_INTERVAL", " 86400\n"),
        ("RELEASE_INTERVAL", "5"),
        ("DATADOG_URL", "http://vm:8428/datadog/api/"),
        ("DATADOG_LOGS_URL", "https://logs.example/api/v2/logs"),
        ("LOG_LEVEL", "critical"),
        ("LOG_TTL", "7"),
        ("METRIC_TTL", "8"),
        ("METRICS_BULK_SIZE", "100000"),
        ("VALUE_DIGITS", "6"),
        ("METRICS_WRAPPER", "Simple"),
        ("HISTOGRAM_AGGREGATES", "sum,MIN"),
        ("HISTOGRAM_PERCENTILES", "0, 0.5,1"),
        ("SEND_SELF_METRICS", "Off"),
        ("CHOUETTE_STORAGE_TYPE", "redis"),
        ("SPOOL_PATH", "/data/spool/"),
        ("SPOOL_MEMORY_MAX", "524288"),
        ("SSL_CERT_FILE", "ca.pem"),
        ("HOST_COLLECT_METRICS", "[\"network\"]"),
        ("HOST_ROOT", "/host/"),
    ]);
    assert_eq!(c.global_tags, ["room:shed", "pi"]);
    assert_eq!(c.host.as_deref(), Some("shed 1"));
    assert_eq!(c.collector_plugins, ["host"]);
    assert_eq!((c.aggregate_interval_s, c.capture_interval_s, c.release_interval_s), (1, 86_400, 5));
    assert_eq!(c.datadog_url.path_and("/v1/series"), "/datadog/api/v1/series");
    assert_eq!(c.datadog_logs_url.path, "/api/v2/logs");
    assert_eq!(c.log_level, LevelFilter::Error);
    assert_eq!((c.log_ttl_s, c.metric_ttl_s, c.metrics_bulk_size), (7, 8, 100_000));
    assert_eq!(c.value_digits, Some(6));
    assert_eq!(c.wrapper, "simple");
    assert_eq!(c.histogram_aggregates, [HistogramAggregate::Sum, HistogramAggregate::Min]);
    assert_eq!(c.histogram_percentiles, [0.0, 0.5, 1.0]);
    assert!(!c.send_self_metrics);
    assert_eq!((&c.spool.path[..], c.spool.memory_bytes_max), ("/data/spool", 524_288));
    assert_eq!((c.spool.after_s, c.spool.disk_bytes_max), (300, 16 << 20));
    assert_eq!(c.ssl_cert_file.as_deref(), Some("ca.pem"));
    assert_eq!((c.host_metrics, c.host_root), (vec!["network".to_owned()], "/host".to_owned()));
}

#[test]
fn all_mistakes_at_once() {
    let found = Config::from_vars([
        ("AGGREGATE_INTERVAL", "0"),
        ("HOST_COLLECT_METRICS", "gpu"),
        ("LOG_LEVEL", "LOUD"),
        ("METRICS_TTL", "5"),
    ])
    .unwrap_err();
    let names: Vec<&str> = found.mistakes.iter().map(|m| m.variable).collect();
    assert_eq!(names, ["API_KEY", "AGGREGATE_INTERVAL", "HOST_COLLECT_METRICS", "LOG_LEVEL"]);
    let text = found.to_string();
    assert!(text.starts_with("4 mistakes"), "{text}");
    assert!(text.contains("METRICS_TTL is not known; did you mean METRIC_TTL?"), "{text}");
}

#[test]
fn a_missing_key_says_where_it_goes() {
    for vars in [vec![], vec![("API_KEY", " ")]] {
        let found = Config::from_vars(vars).unwrap_err();
        let text = found.to_string();
        for part in ["API_KEY: not set", "API_KEY=<your key>", "--env-file"] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(found.mistakes.len(), 1);
    }
    let found = Config::from_vars([("DD_API_KEY", "hunter2")]).unwrap_err().to_string();
    assert!(found.contains("DD_API_KEY is not known; did you mean API_KEY?"), "{found}");
    assert!(!found.contains("hunter2"));
    assert!(config(&[("DD_API_KEY", "x")]).warnings.is_empty());
}

#[test]
fn secrets_are_never_shown() {
    let all = [
        ("API_KEY", "hunter2 hunter2"),
        ("REDIS_PASSWORD", "hunter2\u{1}"),
        ("REDIS_URL", "redis://u:hunter2@h:99999/0"),
        ("HTTPS_PROXY", "https://u:hunter2@proxy"),
        ("DATADOG_URL", "https://u:hunter2@h"),
        ("DATADOG_LOGS_URL", "https://h?api_key=hunter2"),
        ("REDIS_PORT", "tcp://u:hunter2@h:x"),
        ("APIKEY", "hunter2"),
    ];
    let found = Config::from_vars(all).unwrap_err();
    assert_eq!(found.mistakes.len(), 7);
    assert!(!format!("{found} {found:?}").contains("hunter"), "{found:?}");
    let c = config(&[
        ("API_KEY", "hunter2"),
        ("REDIS_URL", "redis://u:hunter2@h"),
        ("HTTPS_PROXY", "http://u:hunter2@proxy"),
    ]);
    assert!(!format!("{c:?}").contains("hunter"), "{c:?}");
    let found = errors(&[("api_key", "x"), ("REDIS_PASSWORD", "a"), ("HOST", "a\u{1}")]);
    assert!(!found.to_string().contains(KEY.1));
}

#[test]
fn spellings_blanks_and_empty_values() {
    assert_eq!(config(&[("Host", "a"), ("HOST", "b"), ("host", "c")]).host.as_deref(), Some("b"));
    assert_eq!(config(&[("Host", "a"), ("HOST", "  "), ("host", "c")]).host.as_deref(), Some("a"));
    assert_eq!(config(&[("HOST", "")]).host, None);
    assert_eq!(config(&[("AGGREGATE_INTERVAL", "\t")]).aggregate_interval_s, 10);
    let proxied = config(&[("https_proxy", "http://p:1")]);
    assert_eq!(proxied.proxy.map(|p| p.port), Some(1));
}

#[test]
fn an_alias_may_repeat_the_name_and_not_contradict_it() {
    let same = [("COLLECTOR_PLUGINS", "host"), ("COLLECT_PLUGINS", " host ")];
    assert_eq!(config(&same).collector_plugins, ["host"]);
    let found = errors(&[("COLLECTOR_PLUGINS", "host"), ("COLLECT_PLUGINS", "[]")]).to_string();
    assert!(found.contains("COLLECTOR_PLUGINS=host: COLLECT_PLUGINS=[] is the same"), "{found}");
}

#[cfg(unix)]
#[test]
fn values_that_are_not_utf8() {
    use std::os::unix::ffi::OsStringExt as _;
    let odd = || OsString::from_vec(vec![b'x', 0xff]);
    let vars = |name: &str| vec![(OsString::from(KEY.0), KEY.1.into()), (name.into(), odd())];
    assert!(Config::from_vars(vars("SOMETHING")).is_ok());
    let mut odd_name = vars("SOMETHING");
    odd_name.push((odd(), "1".into()));
    assert!(Config::from_vars(odd_name).is_ok());
    let found = Config::from_vars(vars("HOST")).unwrap_err().to_string();
    assert!(found.contains("not UTF-8"), "{found}");
}

#[test]
fn the_environment_wins_over_the_file() {
    let vars = |vars: &[(&str, &str)]| vars.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
    let env = [("host", "env"), ("COLLECT_PLUGINS", "host"), ("LOG_LEVEL", "")];
    let from_file = vars(&[KEY, ("HOST", "file"), ("COLLECTOR_PLUGINS", "[]"), ("LOG_LEVEL", "DEBUG")]);
    let c = Config::from_env_and_file(env, from_file, &file::no_files).unwrap();
    assert_eq!(c.host.as_deref(), Some("env"));
    assert_eq!(c.collector_plugins, ["host"]);
    assert_eq!(c.log_level, LevelFilter::Debug);
    assert!(Config::from_env_and_file(env, vars(&[("METRICS_TTL", "1")]), &file::no_files).is_err());
}

#[test]
fn slips_are_pointed_out_and_nothing_else() {
    let c = config(&[
        ("metrics_ttl", "1"),
        ("CHOUETTE_LOG_LEVEL", "x"),
        ("PATH", "/bin"),
        ("HTTP_PROXY", "http://p"),
        ("REDIS_SERVICE_HOST", "10.0.0.1"),
        ("REDIS_PORT_6379_TCP", "tcp://10.0.0.1:6379"),
    ]);
    let expected = [
        "CHOUETTE_LOG_LEVEL is not known; did you mean LOG_LEVEL?",
        "METRICS_TTL is not known; did you mean METRIC_TTL?",
    ];
    assert_eq!(c.warnings, expected);
}

#[test]
fn doubtful_values_are_pointed_out() {
    let c = config(&[("METRIC_TTL", "60"), ("HISTOGRAM_PERCENTILES", "0.95,0.5,0.951")]);
    assert!(c.warnings[0].contains("RELEASE_INTERVAL=60"), "{:?}", c.warnings);
    assert!(c.warnings[1].contains("95percentile"), "{:?}", c.warnings);
    assert_eq!(c.warnings.len(), 2);
}

#[test]
fn redis_from_a_url_or_from_single_variables() {
    let single = [("REDIS_HOST", "::1"), ("REDIS_PORT", "1"), ("REDIS_DB", "2"), ("REDIS_PASSWORD", "p w")];
    let redis = config(&single).redis;
    assert_eq!((redis.address, redis.db), (tcp("::1", 1), 2));
    assert_eq!((redis.username, redis.password), (None, Some(Secret::new("p w"))));

    let with_url =
        |url| config(&[&single[..], &[("REDIS_USERNAME", "u"), ("REDIS_URL", url)]].concat()).redis;
    let redis = with_url("redis://:x@h/0");
    assert_eq!((redis.address, redis.db), (tcp("h", 6379), 0));
    assert_eq!((redis.username, redis.password), (None, Some(Secret::new("x"))));
    let redis = with_url("unix:///r");
    assert_eq!((redis.address, redis.db), (RedisAddress::Unix("/r".into()), 2));
    assert_eq!((redis.username, redis.password), (Some("u".into()), Some(Secret::new("p w"))));

    let injected = config(&[("REDIS_PORT", "tcp://10.0.0.1:6380")]).redis;
    assert_eq!(injected.address, tcp("redis", 6380));
    let found = errors(&[("REDIS_USERNAME", "u")]);
    assert!(found.mistakes[0].problem.contains("REDIS_PASSWORD"), "{found}");
}

#[test]
fn the_proxy_is_for_https_and_minds_the_exceptions() {
    let c = config(&[("HTTPS_PROXY", "http://p:3128"), ("no_proxy", ".local,10.0.0.0/8")]);
    for (url, proxied) in [
        ("https://api.datadoghq.com/api", true),
        ("http://api.datadoghq.com/api", false),
        ("https://vm.local", false),
        ("https://10.1.2.3", false),
    ] {
        let url = Url::parse(url).unwrap();
        assert_eq!(c.proxy_for(&url).is_some(), proxied, "{url}");
    }
    assert_eq!(config(&[]).proxy_for(&Url::parse("https://h").unwrap()), None);
}
