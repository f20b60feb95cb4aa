//! The real binary as a child process.

use super::intake::Intake;
use super::{repository, wait_until};
use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The key of every test; it must never be seen in a log line.
pub const API_KEY: &str = "k3y-0123456789abcdef-secret";

/// How long reading what an ended process wrote may take.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// Variables of the environment.
pub type Env = Vec<(String, String)>;

/// What every test sets: a key, short intervals, no self-metrics, this Redis and this intake.
pub fn env(redis_url: &str, intake: &Intake) -> Env {
    [
        ("API_KEY", API_KEY),
        ("REDIS_URL", redis_url),
        ("DATADOG_URL", &intake.url()),
        ("DATADOG_LOGS_URL", &intake.logs_url()),
        ("AGGREGATE_INTERVAL", "1"),
        ("CAPTURE_INTERVAL", "1"),
        ("RELEASE_INTERVAL", "1"),
        ("SEND_SELF_METRICS", "false"),
        // The default is one place on the whole machine.
        ("STATUS_SOCKET", "none"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// `env` with some variables set otherwise, or added.
pub fn with(mut env: Env, changes: &[(&str, &str)]) -> Env {
    for (name, value) in changes {
        env.retain(|(known, _)| known != name);
        env.push(((*name).to_owned(), (*value).to_owned()));
    }
    env
}

/// The binary under test: cargo's own, or the one that `CHOUETTE_TEST_BINARY` names. `cross/smoke.sh` sets it.
pub fn binary() -> PathBuf {
    let given = std::env::var_os("CHOUETTE_TEST_BINARY").map(PathBuf::from);
    given.unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_chouette-iot")))
}

/// What stands in for the binary's processor: the words of `CHOUETTE_TEST_EMULATOR`, none where it is this machine's.
pub fn emulator() -> Vec<OsString> {
    let words = std::env::var("CHOUETTE_TEST_EMULATOR").unwrap_or_default();
    words.split_whitespace().map(OsString::from).collect()
}

/// The words that start the binary under test, without its arguments.
pub fn program() -> Vec<OsString> {
    let mut words = emulator();
    words.push(binary().into());
    words
}

/// A child process whose standard error can be read while it runs. It is killed on drop.
pub struct Agent {
    child: Child,
    errors: Arc<Mutex<Vec<u8>>>,
    output: Arc<Mutex<Vec<u8>>>,
}

impl Agent {
    /// Starts the agent for good.
    pub fn run(env: &Env) -> Agent {
        Agent::spawn(&["run"], env)
    }

    /// Starts `run --once`.
    pub fn run_once(env: &Env) -> Agent {
        Agent::spawn(&["run", "--once"], env)
    }

    /// Starts the agent with these arguments and this environment, nothing else.
    pub fn spawn(arguments: &[&str], env: &Env) -> Agent {
        let mut words = program();
        let mut command = Command::new(words.remove(0));
        command.args(words).args(arguments).env_clear().envs(env.iter().map(|(name, value)| (name, value)));
        Agent::start(&mut command)
    }

    /// Starts any program.
    pub fn start(command: &mut Command) -> Agent {
        let mut child = command
            .current_dir(repository(""))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = collect(child.stderr.take().unwrap());
        let output = collect(child.stdout.take().unwrap());
        Agent { child, errors, output }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that the process has had so far, in KiB.
    pub fn memory_peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
    }

    /// What the process has written to standard error so far.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.errors.lock().unwrap()).into_owned()
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().unwrap()).into_owned()
    }

    /// Waits until standard error holds `text`.
    pub fn wait_for_line(&self, limit: Duration, text: &str) -> bool {
        wait_until(limit, || self.stderr().contains(text))
    }

    /// Sends a signal by name, `TERM` for example.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status().unwrap();
        assert!(status.success(), "kill -s {name} {}", self.pid());
    }

    /// Waits for the end; the exit code, or none when the process still runs or died of a signal.
    pub fn wait(&mut self, limit: Duration) -> Option<i32> {
        let mut status = None;
        wait_until(limit, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        if status.is_some() {
            self.drain();
        }
        status.and_then(|status| status.code())
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends the process as a power cut would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.drain();
    }

    /// Waits until all that an ended process had written has been read: both collectors are gone then.
    fn drain(&self) {
        wait_until(DRAIN_LIMIT, || {
            Arc::strong_count(&self.errors) == 1 && Arc::strong_count(&self.output) == 1
        });
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- standard error of process {} ---\n{}---", self.pid(), self.stderr());
        }
    }
}

/// Reads a pipe to its end in a thread.
fn collect(mut pipe: impl Read + Send + 'static) -> Arc<Mutex<Vec<u8>>> {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&bytes);
    std::thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut chunk) {
            shared.lock().unwrap().extend_from_slice(&chunk[..count]);
        }
    });
    bytes
}
