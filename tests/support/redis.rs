//! A real `redis-server` of the test's own, and a blocking client for it.

use super::queues::{CLAIMED, RAW, Sizes, WRAPPED};
use super::temp::TempDir;
use super::tls::Pki;
use super::{find_program, free_port, skip, wait_until};
use chouette_iot::queue::LEASE;
use redis::{ConnectionAddr, FromRedisValue, IntoConnectionInfo, RedisConnectionInfo, RedisResult};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Tries at a free port before giving up.
const START_TRIES: u32 = 5;
const START_LIMIT: Duration = Duration::from_secs(20);

/// How a server differs from one with nothing but memory.
#[derive(Default)]
pub struct Options<'a> {
    /// Keep every write on disk, so that a restart finds it.
    pub append_only: bool,
    pub password: Option<&'a str>,
    /// Listen with TLS as well.
    pub tls: Option<&'a Pki>,
    /// More of the command line.
    pub arguments: &'a [&'a str],
}

/// A server on a private unix socket and a port of the kernel's choice.
pub struct RedisServer {
    child: Option<Child>,
    dir: TempDir,
    /// The command line but for the addresses; what is added counts from the next launch.
    pub arguments: Vec<String>,
    with_tls: bool,
    password: Option<String>,
    pub port: u16,
    pub tls_port: u16,
}

impl RedisServer {
    /// A running server; none, after saying so, where `redis-server` is not installed.
    pub fn start() -> Option<RedisServer> {
        RedisServer::start_with(&Options::default())
    }

    pub fn start_with(options: &Options) -> Option<RedisServer> {
        let mut server = RedisServer::prepare(options)?;
        for _ in 0..START_TRIES {
            if server.try_launch() {
                return Some(server);
            }
            server.choose_ports();
        }
        panic!("redis-server does not start:\n{}", server.log());
    }

    /// A server that does not run yet but knows its address; see [`RedisServer::launch`].
    pub fn prepare(options: &Options) -> Option<RedisServer> {
        if find_program("redis-server").is_none() {
            skip("redis-server is not installed");
            return None;
        }
        let mut arguments: Vec<String> = Vec::new();
        let mut add = |name: &str, value: &str| arguments.extend([format!("--{name}"), value.to_owned()]);
        add("save", "");
        add("appendonly", if options.append_only { "yes" } else { "no" });
        add("appendfsync", "always");
        if let Some(password) = options.password {
            add("requirepass", password);
        }
        if let Some(pki) = options.tls {
            add("tls-cert-file", &pki.certificate_file().to_string_lossy());
            add("tls-key-file", &pki.key_file().to_string_lossy());
            add("tls-ca-cert-file", &pki.ca_file().to_string_lossy());
            add("tls-auth-clients", "no");
        }
        arguments.extend(options.arguments.iter().map(|&argument| argument.to_owned()));
        let mut server = RedisServer {
            child: None,
            dir: TempDir::new(),
            arguments,
            with_tls: options.tls.is_some(),
            password: options.password.map(str::to_owned),
            port: 0,
            tls_port: 0,
        };
        server.choose_ports();
        Some(server)
    }

    fn choose_ports(&mut self) {
        self.port = free_port();
        self.tls_port = if self.with_tls { free_port() } else { 0 };
    }

    /// Starts the server on the address it has.
    pub fn launch(&mut self) {
        assert!(self.try_launch(), "redis-server does not start on port {}:\n{}", self.port, self.log());
    }

    fn try_launch(&mut self) -> bool {
        assert!(self.child.is_none(), "the server runs already");
        std::fs::create_dir_all(self.data_dir()).unwrap();
        let log = File::options().create(true).append(true).open(self.dir.join("log")).unwrap();
        let mut child = Command::new(find_program("redis-server").unwrap())
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--tls-port", &self.tls_port.to_string()])
            .args([
                "--unixsocket",
                &self.socket().to_string_lossy(),
                "--dir",
                &self.data_dir().to_string_lossy(),
            ])
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let answers = wait_until(START_LIMIT, || child.try_wait().unwrap().is_some() || self.answers());
        let runs = answers && child.try_wait().unwrap().is_none();
        if runs {
            self.child = Some(child);
        } else {
            let _ = child.kill();
            let _ = child.wait();
        }
        runs
    }

    /// Whether there is any reply to PING: an error such as `-LOADING` is one too.
    fn answers(&self) -> bool {
        match self.connect(None) {
            Ok(mut client) => match client.attempt::<redis::Value>(&["PING"]) {
                Ok(_) => true,
                Err(error) => !error.is_io_error(),
            },
            Err(error) => !error.is_io_error(),
        }
    }

    /// Ends the server as a power cut would. What it kept on disk stays for the next [`RedisServer::launch`].
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends a signal by name, `STOP` for example.
    pub fn signal(&self, name: &str) {
        let pid = self.child.as_ref().expect("the server runs").id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.join("redis.sock")
    }

    /// Where it keeps what it writes to disk; it works in this directory.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// What the server wrote, for the message of a failing test.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// A client of database 0.
    pub fn client(&self) -> Client {
        self.client_of_db(0)
    }

    pub fn client_of_db(&self, db: i64) -> Client {
        let mut client = self.connect(self.password.as_deref()).unwrap();
        client.run::<()>(&["SELECT", &db.to_string()]);
        client
    }

    fn connect(&self, password: Option<&str>) -> RedisResult<Client> {
        let mut settings = RedisConnectionInfo::default().set_skip_set_lib_name();
        if let Some(password) = password {
            settings = settings.set_password(password);
        }
        Client::connect(&self.socket(), settings)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A blocking client.
pub struct Client(redis::Connection);

impl Client {
    /// A client of the server that listens on a unix socket, database 0, without a password.
    pub fn open(socket: &Path) -> RedisResult<Client> {
        Client::connect(socket, RedisConnectionInfo::default().set_skip_set_lib_name())
    }

    fn connect(socket: &Path, settings: RedisConnectionInfo) -> RedisResult<Client> {
        let info = ConnectionAddr::Unix(socket.to_owned()).into_connection_info()?;
        Ok(Client(redis::Client::open(info.set_redis_settings(settings))?.get_connection()?))
    }

    /// Carries out commands in one transaction; true when Redis said that it did.
    pub fn transaction(&mut self, commands: &[&[&str]]) -> bool {
        let mut pipe = redis::pipe();
        pipe.atomic();
        for command in commands {
            pipe.cmd(command[0]).arg(&command[1..]).ignore();
        }
        pipe.query::<()>(&mut self.0).is_ok()
    }

    /// The reply to a command that must succeed.
    pub fn run<T: FromRedisValue>(&mut self, command: &[&str]) -> T {
        self.attempt(command).unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    pub fn attempt<T: FromRedisValue>(&mut self, command: &[&str]) -> RedisResult<T> {
        let mut cmd = redis::cmd(command[0]);
        cmd.arg(&command[1..]);
        cmd.query(&mut self.0)
    }

    /// Writes one record as the Python client does. Without a score it is a value that no key names.
    pub fn push(&mut self, queue: &str, key: &str, score: Option<f64>, value: Option<&[u8]>) {
        let mut pipe = redis::pipe();
        pipe.atomic();
        if let Some(score) = score {
            pipe.cmd("ZADD").arg(format!("{queue}.keys")).arg(score).arg(key).ignore();
        }
        if let Some(value) = value {
            pipe.cmd("HSET").arg(format!("{queue}.values")).arg(key).arg(value).ignore();
        }
        pipe.query::<()>(&mut self.0).unwrap();
    }

    /// Writes many records at once, each with its score; the keys are `PREFIX-0`, `PREFIX-1` and so on.
    pub fn fill(&mut self, queue: &str, prefix: &str, records: &[(f64, String)]) {
        let mut pipe = redis::pipe();
        pipe.atomic();
        for (i, (score, value)) in records.iter().enumerate() {
            let key = format!("{prefix}-{i}");
            pipe.cmd("ZADD").arg(format!("{queue}.keys")).arg(score).arg(&key).ignore();
            pipe.cmd("HSET").arg(format!("{queue}.values")).arg(&key).arg(value).ignore();
        }
        pipe.query::<()>(&mut self.0).unwrap();
    }

    /// How many records a queue holds, those of which only the key or the value is there among them.
    pub fn size(&mut self, queue: &str) -> usize {
        let keys: usize = self.run(&["ZCARD", &format!("{queue}.keys")]);
        let values: usize = self.run(&["HLEN", &format!("{queue}.values")]);
        keys.max(values)
    }

    /// The agent that holds the lease.
    pub fn holder(&mut self) -> Option<String> {
        self.run(&["GET", LEASE])
    }

    pub fn sizes(&mut self) -> Sizes {
        Sizes { raw: self.size(RAW), claimed: self.size(CLAIMED), wrapped: self.size(WRAPPED) }
    }

    /// The records of a queue in its order. Keys without a value and values without a key fail the test.
    pub fn records(&mut self, queue: &str) -> Vec<String> {
        // In one step: the agent may be removing records meanwhile.
        const SCRIPT: &str = "local out = {}
            for i, key in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
                out[i] = redis.call('HGET', KEYS[2], key) or 'missing'
            end
            out[#out + 1] = tostring(redis.call('HLEN', KEYS[2]))
            return out";
        let (keys, values) = (format!("{queue}.keys"), format!("{queue}.values"));
        let mut records: Vec<String> = self.run(&["EVAL", SCRIPT, "2", &keys, &values]);
        let values = records.pop();
        assert!(!records.contains(&"missing".to_owned()), "{queue}: a key has no value");
        assert_eq!(values, Some(records.len().to_string()), "{queue}: as many values as keys");
        records
    }
}
