//! Secrets stay where they belong: in no process list, log line, error or panic, and in no child's environment.
//!
//! Every secret here holds the word [`MARK`], and nothing else does, so one search finds whatever leaks.

use crate::support::agent::{self, Agent, Env};
use crate::support::behaviour::{Answer, Behaviour, answer, status};
use crate::support::bench::{Bench, arrives, push_gauge};
use crate::support::figures::figure;
use crate::support::intake::Intake;
use crate::support::redis::{Options, RedisServer};
use crate::support::temp::TempDir;
use crate::support::tls::Pki;
use crate::support::{PATIENT, SOON, free_port, processes, skip, wait_until};

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const MARK: &str = "hunter2";
const KEY: &str = "key-hunter2-0123456789abcdef";
/// The credentials of the proxy as they travel; `MARK` cannot be seen in them.
const BASIC: &str = "dXNlcjpwcjB4eS1odW50ZXIyLXB3";
const TEGRASTATS: &str =
    "#!/bin/sh\nwhile :; do echo 'RAM 1310/3964MB (lfb 8x4MB) CPU@38.5C'; sleep 1; done\n";

/// Names and values.
type Vars<'a> = &'a [(&'a str, &'a str)];

fn assert_no_secret(what: &str, text: &str) {
    for secret in [MARK, BASIC] {
        assert!(!text.contains(secret), "{what} shows a secret:\n{text}");
    }
}

/// An answer that repeats what it should not.
fn indiscreet(code: u16) -> Behaviour {
    let body = "{\"errors\":[\"key-hunter2-0123456789abcdef is unknown\"]}";
    Behaviour::Answer(Answer { headers: vec![("X-Key", KEY.to_owned())], body, ..answer(code) })
}

/// Everything the agent knows secrets for, and everyone it meets repeats them.
#[test]
fn nothing_in_processes_logs_or_children() {
    let password = "r3dis-hunter2@pw";
    let Some(redis) = RedisServer::start_with(&Options { password: Some(password), ..Options::default() })
    else {
        return;
    };
    let pki = Pki::new();
    let kubelet = Intake::start_tls(&pki, |_| indiscreet(401));
    let kubelet_url = kubelet.url();
    let kubelet_port = kubelet_url.rsplit(':').next().unwrap().trim_end_matches("/api").to_owned();
    let intake = Intake::start(|request| match request.number % 3 {
        0 => indiscreet(403),
        1 => indiscreet(400),
        _ => indiscreet(503),
    });
    let dir = TempDir::new();
    let token = dir.write("token", "token-hunter2\n");
    let tegrastats = dir.write("tegrastats", TEGRASTATS);
    std::fs::set_permissions(&tegrastats, std::fs::Permissions::from_mode(0o755)).unwrap();
    let redis_url = format!("redis://default:r3dis-hunter2%40pw@127.0.0.1:{}/0", redis.port);
    let env = agent::with(
        agent::env(&redis_url, &intake),
        &[
            ("API_KEY", KEY),
            ("LOG_LEVEL", "TRACE"),
            ("RUST_BACKTRACE", "full"),
            ("COLLECTOR_PLUGINS", "tegrastats,k8s"),
            ("TEGRASTATS_PATH", &tegrastats.to_string_lossy()),
            ("K8S_STATS_SERVICE_IP", "127.0.0.1"),
            ("K8S_STATS_SERVICE_PORT", &kubelet_port),
            ("K8S_CA_PATH", &pki.ca_file().to_string_lossy()),
            ("K8S_TOKEN_PATH", &token.to_string_lossy()),
            ("HTTPS_PROXY", "http://user:pr0xy-hunter2-pw@127.0.0.1:1"),
        ],
    );
    let mut agent = Agent::run(&env);
    let mut client = redis.client();
    push_gauge(&mut client, "wanted", 1.0);
    let refused = |count| intake.wait_for(PATIENT, |requests| requests.len() >= count);
    assert!(refused(1));
    agent.signal("USR1");
    assert!(refused(2));
    agent.signal("USR1");
    assert!(refused(3));
    assert!(intake.requests().iter().all(|request| request.header("dd-api-key") == Some(KEY)));
    assert!(kubelet.wait_for(PATIENT, |requests| {
        requests.iter().any(|request| request.header("authorization") == Some("Bearer token-hunter2"))
    }));

    let children = || processes::children(agent.pid());
    let programs = || children().into_iter().map(processes::command_line).collect::<Vec<_>>();
    assert!(wait_until(SOON, || programs().iter().any(|line| line.contains("tegrastats"))));
    assert_no_secret("the command line", &processes::command_line(agent.pid()));
    let mut looked_at = 1;
    for child in children() {
        looked_at += 1;
        assert_no_secret("a child's command line", &processes::command_line(child));
        let environment = processes::environment(child);
        assert!(environment.is_empty(), "tegrastats is given: {environment}");
    }

    // A password that is wrong from now on.
    client.run::<()>(&["CONFIG", "SET", "requirepass", "another-hunter2"]);
    client.run::<()>(&["CLIENT", "KILL", "TYPE", "normal"]);
    assert!(agent.wait_for_line(PATIENT, "WRONGPASS"), "{}", agent.stderr());
    agent.signal("HUP");
    assert!(agent.wait_for_line(PATIENT, "connecting anew"), "{}", agent.stderr());
    agent.signal("TERM");
    assert_eq!(agent.wait(PATIENT), Some(0));
    let stderr = agent.stderr();
    assert!(stderr.contains("k8s"), "what the kubelet answered is told:\n{stderr}");
    assert_no_secret("the log", &stderr);
    let lines = stderr.lines().count();
    figure(
        "secrets",
        "log lines at TRACE, command lines; secrets in them",
        &format!("{lines}, {looked_at}; 0"),
    );
}

/// A proxy that repeats the credentials it is given, in everything it says.
#[test]
fn nothing_of_the_proxys_credentials() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if !matches!(stream.read(&mut byte), Ok(1)) {
                    break;
                }
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let given = head.lines().find(|line| line.starts_with("Proxy-Authorization")).unwrap_or("none");
            let number = counted.fetch_add(1, Ordering::SeqCst);
            let words = match number % 4 {
                0 => format!("HTTP/1.1 407 {given} pr0xy-hunter2-pw\r\nX: {given}\r\n\r\n"),
                1 => format!("HTTP/1.1 502 {given}\r\nX: {given}\r\n\r\n{given}"),
                2 => format!("{given}\r\n\r\n"),
                _ => format!("HTTP/1.1 200 {given}\r\n\r\n{given}"),
            };
            assert!(given.contains(BASIC), "{head}");
            let _ = stream.write_all(words.as_bytes());
        }
    });
    let env: Env = [
        ("API_KEY", KEY),
        ("REDIS_URL", &redis.url()),
        ("DATADOG_URL", "https://intake.test/api"),
        ("DATADOG_LOGS_URL", "https://intake.test/logs"),
        ("HTTPS_PROXY", &format!("http://user:pr0xy%2dhunter2%2dpw@127.0.0.1:{port}")),
        ("RELEASE_INTERVAL", "1"),
        ("AGGREGATE_INTERVAL", "1"),
        ("LOG_LEVEL", "TRACE"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    let agent = Agent::run(&env);
    push_gauge(&mut redis.client(), "wanted", 1.0);
    for count in 1..=4 {
        assert!(wait_until(PATIENT, || calls.load(Ordering::SeqCst) >= count), "call {count}");
        // The back-off is left out only once it has begun.
        let told = || agent.stderr().matches("intake.test").count();
        let before = told();
        wait_until(SOON, || told() > before || calls.load(Ordering::SeqCst) > count);
        agent.signal("USR1");
    }
    assert!(agent.wait_for_line(PATIENT, "407"), "{}", agent.stderr());
    assert_no_secret("the log", &agent.stderr());
}

/// Whatever is wrong with it: a value that may hold a secret is not repeated.
#[test]
fn wrong_values_and_files() {
    let dir = TempDir::new();
    let file = |name: &str, text: &str| dir.write(name, text).to_string_lossy().into_owned();
    let (lines, blank) = (file("lines", "hunter2\nhunter2"), file("blank", "a hunter2"));
    let wrong = file("wrong.env", "API_KEY=\"hunter2\nREDIS_PASSWORD hunter2\n=hunter2\n");
    let cases: &[(&[&str], Vars<'_>)] = &[
        (&["run"], &[("API_KEY", "hunter2 hunter2")]),
        (&["run"], &[("API_KEY_FILE", &lines)]),
        (&["run"], &[("API_KEY_FILE", &blank), ("REDIS_PASSWORD_FILE", &lines)]),
        (&["run"], &[("API_KEY", "hunter2"), ("API_KEY_FILE", &blank)]),
        (&["run"], &[("DD_API_KEY", "hunter2"), ("REDIS_PASS", "hunter2"), ("APIKEY", "hunter2")]),
        (
            &["run"],
            &[
                ("API_KEY", KEY),
                ("REDIS_URL", "redis://u:hunter2@h:port/0"),
                ("REDIS_PASSWORD", "hunter2\u{1}"),
                ("REDIS_PORT", "tcp://u:hunter2@h:x"),
                ("HTTPS_PROXY", "socks5://u:hunter2@h"),
                ("DATADOG_URL", "https://u:hunter2@h"),
                ("DATADOG_LOGS_URL", "https://h?api_key=hunter2"),
            ],
        ),
        (&["run", "--env-file", &wrong], &[]),
        (&["run"], &[("API_KEY", KEY), ("SSL_CERT_FILE", &lines)]),
    ];
    for (arguments, vars) in cases {
        let vars: Env = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut agent = Agent::spawn(arguments, &vars);
        assert_eq!(agent.wait(SOON), Some(2), "{vars:?}: {}", agent.stderr());
        assert!(!agent.stderr().is_empty());
        assert_no_secret("the error", &(agent.stderr() + &agent.stdout()));
    }
    let both = Agent::spawn(&["run"], &vec![("API_KEY_FILE".to_owned(), "/nonexistent/key".to_owned())]);
    assert!(both.wait_for_line(SOON, "API_KEY_FILE=/nonexistent/key: the file cannot be read: No such file"));
    figure("secrets", "wrong configurations; secrets in their errors", &format!("{}; 0", cases.len()));
}

/// The child that resolves names: caught while it reads a hosts file whose end never comes.
#[test]
fn the_resolver_is_given_a_name_and_no_secret() {
    let possible = Command::new("unshare").args(["--mount", "true"]).status();
    if !possible.is_ok_and(|status| status.success()) {
        return skip("a mount namespace of one's own needs root");
    }
    let Some(redis) = RedisServer::start_with(&Options { password: Some(MARK), ..Options::default() }) else {
        return;
    };
    let dir = TempDir::new();
    let hosts = dir.join("hosts");
    assert!(Command::new("mkfifo").arg(&hosts).status().unwrap().success());
    let env = agent::with(
        agent::env(&format!("redis://:{MARK}@127.0.0.1:{}/0", redis.port), &Intake::accepting()),
        &[
            ("API_KEY", KEY),
            ("DATADOG_URL", "http://intake.test:8125/api"),
            ("HTTPS_PROXY", "http://user:hunter2@127.0.0.1:1"),
            ("RES_OPTIONS", "attempts:1"),
            ("LOG_LEVEL", "TRACE"),
        ],
    );
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", "mount --bind \"$1\" /etc/hosts && exec \"$0\" run"])
        .arg(env!("CARGO_BIN_EXE_chouette-iot"))
        .arg(&hosts)
        .env_clear()
        .envs(env)
        .env("PATH", std::env::var_os("PATH").unwrap());
    let agent = Agent::start(&mut command);
    push_gauge(&mut redis.client(), "wanted", 1.0);
    let resolvers = || {
        let children = processes::children(agent.pid()).into_iter();
        children.filter(|child| processes::command_line(*child).contains("__resolve")).collect::<Vec<_>>()
    };
    assert!(wait_until(PATIENT, || !resolvers().is_empty()), "{}", agent.stderr());
    let child = resolvers()[0];
    assert_eq!(processes::command_line(child), "/proc/self/exe __resolve intake.test 8125");
    assert_eq!(processes::environment(child), "RES_OPTIONS=attempts:1");
    assert_no_secret("the agent's command line", &processes::command_line(agent.pid()));
    assert!(agent.wait_for_line(PATIENT, "no answer within"), "{}", agent.stderr());
    assert_no_secret("the log", &agent.stderr());
    figure("secrets", "variables that tegrastats, the resolver inherit", "0, 1 (RES_OPTIONS)");
}

/// Secrets in files are in no environment at all, and change while the agent runs.
#[test]
fn secrets_in_files_are_read_again() {
    let dir = TempDir::new();
    let (key_1, key_2) = ("hunter2-first", "hunter2-second");
    let key = dir.write("key", &format!("{key_1}\n"));
    let password = dir.write("password", "hunter2-old\n");
    let options = Options { password: Some("hunter2-old"), ..Options::default() };
    let Some(redis) = RedisServer::start_with(&options) else {
        return;
    };
    let bench = Bench { redis, intake: Intake::start(|_| status(202)) };
    let mut env = bench.env_with(&[
        ("API_KEY_FILE", &key.to_string_lossy()),
        ("REDIS_PASSWORD_FILE", &password.to_string_lossy()),
    ]);
    env.retain(|(name, _)| name != "API_KEY");
    let agent = Agent::run(&env);
    let mut client = bench.redis.client();
    push_gauge(&mut client, "first", 1.0);
    assert!(arrives(&bench.intake, "first", SOON), "{}", agent.stderr());
    assert_no_secret("the environment", &processes::environment(agent.pid()));

    // A file that is being replaced badly: what was read before stays.
    dir.write("key", "");
    agent.signal("HUP");
    assert!(agent.wait_for_line(SOON, "API_KEY_FILE="), "{}", agent.stderr());
    push_gauge(&mut client, "second", 1.0);
    assert!(arrives(&bench.intake, "second", SOON), "{}", agent.stderr());

    dir.write("key", key_2);
    dir.write("password", "hunter2-new");
    client.run::<()>(&["CONFIG", "SET", "requirepass", "hunter2-new"]);
    agent.signal("HUP");
    assert!(agent.wait_for_line(SOON, "connecting anew"), "{}", agent.stderr());
    push_gauge(&mut client, "third", 1.0);
    assert!(arrives(&bench.intake, "third", SOON), "{}", agent.stderr());
    let key_of = |metric: &str| {
        let requests = bench.intake.requests();
        let request = requests.iter().find(|request| request.text.contains(metric)).unwrap();
        request.header("dd-api-key").unwrap().to_owned()
    };
    assert_eq!([key_of("first"), key_of("second"), key_of("third")], [key_1, key_1, key_2]);
    assert_no_secret("the log", &agent.stderr());
}

/// Ends that nobody plans: no memory, no descriptors, each with a full backtrace.
#[test]
fn nothing_in_a_violent_end() {
    let vars: Env = [
        ("API_KEY", KEY),
        ("REDIS_URL", &format!("redis://:{MARK}@127.0.0.1:{}/0", free_port())),
        ("HTTPS_PROXY", "http://user:hunter2@127.0.0.1:1"),
        ("COLLECTOR_PLUGINS", "host"),
        ("LOG_LEVEL", "TRACE"),
        ("RUST_BACKTRACE", "full"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    let mut said = String::new();
    let mut ends = 0;
    let memory = (0..24).map(|step| format!("-v {}", 4_000 + step * 500));
    for limit in memory.chain((0..12).map(|files| format!("-n {files}"))) {
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("ulimit {limit} && exec \"$0\" run"), env!("CARGO_BIN_EXE_chouette-iot")])
            .env_clear()
            .envs(vars.iter().map(|(name, value)| (name, value)));
        let mut agent = Agent::start(&mut command);
        // It ends by itself, or it has come as far as the first line that tells of Redis.
        let settled = wait_until(SOON, || !agent.is_running() || agent.stderr().contains("WARN"));
        assert!(settled, "ulimit {limit}: {}", agent.stderr());
        ends += usize::from(!agent.is_running());
        agent.kill();
        said += &agent.stderr();
    }
    assert_no_secret("an end", &said);
    assert!(ends > 0 && !said.is_empty(), "no limit was tight enough");
    figure("secrets", "ends without memory or descriptors; secrets in their words", &format!("{ends}; 0"));
}
