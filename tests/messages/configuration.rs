//! Variables: each mistake is one line, `NAME=value: what is wrong; accepted: what is right`.

use super::{ONE, SECRET, refusal};

const INTAKE: &str = "accepted: an http:// or https:// address without credentials or query";
const REDIS: &str = "accepted: redis://[user:password@]host:port/db, rediss:// (TLS) or unix:///path?db=0, credentials \
                     with % escapes";
const PROXY: &str = "accepted: http://[user:password@]host:port; % escapes in credentials";
const SECONDS: &str = "accepted: a whole number from 1 to 86400 seconds";
const TAGS: &str = "accepted: a list, JSON or with commas, of key:value, each at most 200 characters";
const SHARES: &str = "accepted: a list of numbers from 0 to 1, JSON or with commas";
const PATH: &str = "accepted: a path that begins with a slash";
const GROUPS: &str = "accepted: a JSON object of lists: \"pods\" of memory, cpu, network; \"node\" of memory (or ram), \
                      cpu, network, filesystem, inodes";

/// A variable, its value, what is wrong, and what is accepted. Secrets are masked before this is compared.
const VALUES: &[(&str, &str, &str, &str)] = &[
    ("AGGREGATE_INTERVAL", "0", "no whole number within bounds", SECONDS),
    ("CAPTURE_INTERVAL", "30s", "no whole number within bounds", SECONDS),
    ("REDIS_PORT", "66000", "no whole number within bounds", "accepted: a whole number from 1 to 65535"),
    ("METRICS_WRAPPER", "fancy", "\"fancy\" is not known", "accepted: datadog, simple (any case)"),
    (
        "LOG_LEVEL",
        "loud",
        "\"loud\" is not known",
        "accepted: DEBUG, INFO, WARNING, ERROR, CRITICAL, WARN, TRACE (any case)",
    ),
    (
        "HISTOGRAM_AGGREGATES",
        "max,mean",
        "\"mean\" is not known",
        "accepted: a list, JSON or with commas, of: max, median, avg, count, min, sum",
    ),
    ("GLOBAL_TAGS", "[\"room:shed\"", "no JSON list of that kind", TAGS),
    ("GLOBAL_TAGS", "{\"room\": \"shed\"}", "no JSON list of that kind", TAGS),
    ("HISTOGRAM_PERCENTILES", "0.5,95", "\"95\" is no number from 0 to 1", SHARES),
    ("HISTOGRAM_PERCENTILES", "[1.5]", "\"1.5\" is no number from 0 to 1", SHARES),
    (
        "HOST",
        "garden\tshed",
        "the character '\\t' cannot stand there",
        "accepted: text of at most 255 characters",
    ),
    ("DOGSTATSD_HOST", "localhost", "no IP address", "accepted: an IP address"),
    ("DOGSTATSD_SOCKET", "run/dsd.sock", "does not begin with a slash", PATH),
    ("DATADOG_URL", "api.datadoghq.eu/api", "does not begin with http:// or https://", INTAKE),
    ("DATADOG_URL", "https://", "names no host", INTAKE),
    ("DATADOG_URL", "https://my host/api", "\"my host\" is no host name or address", INTAKE),
    ("DATADOG_URL", "http://10.0.0.300/api", "\"10.0.0.300\" is no host name or address", INTAKE),
    ("DATADOG_URL", "http://nas:84280/api", "port \"84280\" is no number from 1 to 65535", INTAKE),
    ("DATADOG_LOGS_URL", "https://***@nas", "holds credentials (an @), which do not belong there", INTAKE),
    ("DATADOG_LOGS_URL", "https://nas/?***", "holds a query or fragment (a ? or #)", INTAKE),
    ("DATADOG_LOGS_URL", "https://nas/häuser", "path holds the character 'ä'", INTAKE),
    (
        "REDIS_HOST",
        "redis:6379",
        "no host name or address (a port goes to REDIS_PORT, a URL to REDIS_URL)",
        "accepted: a host name or an address",
    ),
    ("REDIS_URL", "http://nas", "does not begin with redis://, rediss:// or unix://", REDIS),
    ("REDIS_URL", "redis://***@nas", "credentials are written user:password@ or :password@", REDIS),
    ("REDIS_URL", "redis://", "names no host", REDIS),
    ("REDIS_URL", "redis://nas:0", "the port is no number from 1 to 65535", REDIS),
    ("REDIS_URL", "redis://my host", "the host is no name or address", REDIS),
    ("REDIS_URL", "redis://nas/main", "the database is not a number", REDIS),
    (
        "REDIS_URL",
        "unix://run/redis",
        "the path of a unix socket begins with a slash (unix:///run/redis.sock)",
        REDIS,
    ),
    ("REDIS_URL", "redis://nas/?***", "the query knows db, username and password only", REDIS),
    ("REDIS_URL", "redis://nas:***", "the port is no number from 1 to 65535", REDIS),
    ("HTTPS_PROXY", "socks5://nas", "only proxies at http:// are supported", PROXY),
    ("HTTPS_PROXY", "http://", "holds no host and port", PROXY),
    ("K8S_METRICS", "[\"memory\"]", "no JSON object of lists of words", GROUPS),
    ("K8S_METRICS", "{\"pods\": [\"disk\"]}", "\"disk\" is not known", GROUPS),
    ("K8S_METRICS", "{\"nodes\": []}", "\"nodes\" is not known", GROUPS),
    (
        "COLLECTOR_PLUGINS",
        "host,hots",
        "\"hots\" is not known",
        "accepted: a list, JSON or with commas, of: ",
    ),
];

#[test]
fn a_wrong_value_is_told_with_its_variable_and_what_is_accepted() {
    for (name, shown, wrong, accepted) in VALUES {
        // What is shown masked is set with a secret there.
        let value = shown.replace("***", SECRET);
        let told = refusal(&["run"], &[("API_KEY", SECRET), (name, &value)]);
        let expected = format!("{ONE}{}={}: {wrong}; {accepted}", name, shown.replace('\t', "\\t"));
        match accepted.ends_with(": ") {
            true => assert!(told.starts_with(&expected) && told.lines().count() == 2, "{told}"),
            false => assert_eq!(told, format!("{expected}\n")),
        }
    }
}

#[test]
fn a_value_that_is_too_long_is_told_cut_and_with_the_bound() {
    let cut = |text: &str| format!("{}…", &text[..120]);
    let (host, tags, address) =
        ("x".repeat(300), "a:1,".repeat(1001), format!("http://{}", "x".repeat(3000)));
    let shares: Vec<String> = (1..102).map(|n| format!("0.{n:03}")).collect();
    let shares = shares.join(",");
    for (name, value, told) in [
        ("HOST", &host, "300 characters, more than 255; accepted: text of at most 255 characters"),
        ("GLOBAL_TAGS", &tags, &format!("1001 entries, more than 1000; {TAGS}")),
        ("HISTOGRAM_PERCENTILES", &shares, &format!("101 entries, more than 100; {SHARES}")),
        ("DATADOG_URL", &address, &format!("3007 bytes, more than 2048; {INTAKE}")),
    ] {
        let expected = format!("{ONE}{name}={}: {told}\n", cut(value));
        assert_eq!(refusal(&[], &[("API_KEY", SECRET), (name, value)]), expected);
    }
}

#[test]
fn a_secret_is_told_without_its_value() {
    let told = refusal(&[], &[("API_KEY", "s3cret-word-of-the-test with blanks")]);
    const BLANKS: &str = "API_KEY=***: holds white space or characters that are not ASCII; accepted: visible ASCII \
                          characters without blanks\n";
    assert_eq!(told, format!("{ONE}{BLANKS}"));
    let user = [("API_KEY", SECRET), ("HTTPS_PROXY", "http://me:s3cret-word-of-the-test%@nas:3128")];
    const QUERY: &str = "REDIS_URL=redis://nas?***: the query holds a broken % escape";
    let query = [("API_KEY", SECRET), ("REDIS_URL", "redis://nas?password=s3cret-word-of-the-test%")];
    assert_eq!(refusal(&[], &query), format!("{ONE}{QUERY}; {REDIS}\n"));
    const ESCAPE: &str =
        "HTTPS_PROXY=http://***@nas:3128: the credentials hold a broken % escape (write % as %25)";
    assert_eq!(refusal(&[], &user), format!("{ONE}{ESCAPE}; {PROXY}\n"));
}

/// Variables that do not go together, and what is said of them.
const TOGETHER: &[(&[(&str, &str)], &str)] = &[
    (
        &[("COLLECT_PLUGINS", "host"), ("COLLECTOR_PLUGINS", "docker")],
        "COLLECTOR_PLUGINS=docker: COLLECT_PLUGINS=host is the same variable with another value; set one of them",
    ),
    (
        &[("CHOUETTE_STORAGE_TYPE", "embedded"), ("COLLECTOR_PLUGINS", "host,dramatiq")],
        "COLLECTOR_PLUGINS=dramatiq: reads Redis, which CHOUETTE_STORAGE_TYPE=embedded does without; leave out one of \
         them",
    ),
    (&[("REDIS_USERNAME", "me")], "REDIS_USERNAME=me: a user needs a password: set REDIS_PASSWORD too"),
    (
        &[("K8S_CERT_PATH", "/etc/k8s.pem")],
        "K8S_CERT_PATH=/etc/k8s.pem: a certificate needs its key and a key its certificate: set K8S_KEY_PATH too",
    ),
    (
        &[("COLLECTOR_PLUGINS", "k8s")],
        "K8S_STATS_SERVICE_IP: not set, and the plugin k8s needs it. It is the address of the node whose kubelet is \
         read; in a pod, have the manifest set HOST_IP from the field status.hostIP instead",
    ),
    (
        &[("COLLECTOR_PLUGINS", "k8s"), ("HOST_IP", "my node")],
        "HOST_IP=my node: \"my node\" is no host name or address; set K8S_STATS_SERVICE_IP to the address of the node",
    ),
    (
        &[("API_KEY_FILE", "/run/secrets/api_key")],
        "API_KEY_FILE=/run/secrets/api_key: API_KEY is set too; set one of them",
    ),
    (
        &[("AGGREGATE_INTERVAL", "0"), ("AGREGATE_INTERVAL", "5")],
        "AGGREGATE_INTERVAL=0: no whole number within bounds; accepted: a whole number from 1 to 86400 seconds\n  \
         note: AGREGATE_INTERVAL is not known; did you mean AGGREGATE_INTERVAL?",
    ),
    (
        &[("HOST", "a\tb"), ("METRIC_TTL", "5")],
        "HOST=a\\tb: the character '\\t' cannot stand there; accepted: text of at most 255 characters\n  \
         note: METRIC_TTL=5 is not longer than RELEASE_INTERVAL=60: points expire before they are sent",
    ),
    (
        &[("HOST", "a\tb"), ("HISTOGRAM_PERCENTILES", "0.95,0.951")],
        "HOST=a\\tb: the character '\\t' cannot stand there; accepted: text of at most 255 characters\n  \
         note: HISTOGRAM_PERCENTILES holds two entries that are both named 95percentile",
    ),
];

#[test]
fn variables_that_do_not_go_together_are_told_with_the_way_out() {
    for (variables, told) in TOGETHER {
        let env: Vec<(&str, &str)> = [("API_KEY", SECRET)].iter().chain(*variables).copied().collect();
        assert_eq!(refusal(&["run"], &env), format!("{ONE}{told}\n"));
    }
}

/// What a first start says.
const MISSING_KEY: &str = "API_KEY: not set. It is the API key of your Datadog organisation (Organization Settings, \
                           API Keys; any word will do for a server of your own that asks for none). Set it in the \
                           environment, `API_KEY=<your key> chouette-iot`, or put the line `API_KEY=<your key>` in a \
                           file and name that with `--env-file PATH`; a file with nothing but the key is named by \
                           `API_KEY_FILE=PATH`\n";

#[test]
fn a_first_start_says_what_to_set() {
    assert_eq!(refusal(&[], &[]), format!("{ONE}{MISSING_KEY}"));
    const MEANT: &str = "  note: DD_API_KEY is not known; did you mean API_KEY?\n";
    assert_eq!(refusal(&[], &[("DD_API_KEY", SECRET)]), format!("{ONE}{MISSING_KEY}{MEANT}"));
}

#[test]
fn all_mistakes_are_told_at_once() {
    let env = [
        ("API_KEY", SECRET),
        ("AGGREGATE_INTERVAL", "0"),
        ("REDIS_URL", "redis://user:s3cret-word-of-the-test@:0/x"),
        ("METRICS_WRAPPER", "fancy"),
    ];
    let expected = format!(
        "chouette-iot: 3 mistakes in the configuration:\n  \
         REDIS_URL=redis://***@:***/x: names no host; {REDIS}\n  \
         AGGREGATE_INTERVAL=0: no whole number within bounds; {SECONDS}\n  \
         METRICS_WRAPPER=fancy: \"fancy\" is not known; accepted: datadog, simple (any case)\n"
    );
    assert_eq!(refusal(&["run"], &env), expected);
}

#[test]
fn a_value_that_is_no_text_is_told() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let output = std::process::Command::new(super::support::agent::binary())
        .env_clear()
        .env("API_KEY", SECRET)
        .env("HOST", OsStr::from_bytes(b"shed \xff"))
        .output()
        .unwrap();
    let expected = format!("{ONE}HOST=shed \u{fffd}: not UTF-8; accepted: text of at most 255 characters\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
}
