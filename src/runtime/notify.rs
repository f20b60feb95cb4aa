//! What a service manager is told, by the protocol of `sd_notify`: a datagram of `NAME=value` lines to the unix
//! socket that `NOTIFY_SOCKET` names (`/path`, or `@name` for an abstract one).
//!
//! ```text
//! READY=1                                      the loop runs, at the start and after a reload
//! RELOADING=1\nMONOTONIC_USEC=361000123        SIGHUP has come
//! STATUS=metrics 15:04:05 UTC ok               how the last release went
//! WATCHDOG=1                                   each half of WATCHDOG_USEC, while loop and pipeline advance
//! STOPPING=1
//! ```
//!
//! What advances is said in [`super::progress`]. Without the variable nothing is sent, and nobody is woken. The variables need not be taken away from children, which inherit none.

mod status;

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use super::outlet::Outcome;
use super::progress::Progress;
use crate::agent::{Stream, Timer};
use crate::limits::{NOTIFICATION_RETRY_S, NOTIFICATIONS_MAX};
use status::Status;

const STATUS: &str = "STATUS=";

/// The way to the service manager, and what it wants to know.
pub struct Notifier {
    socket: Option<Socket>,
    /// What the socket had no room for, oldest first.
    unsent: VecDeque<String>,
    retry_at: Option<Instant>,
    watchdog: Option<Watchdog>,
    progress: Progress,
    status: Status,
    stopping: bool,
}

struct Socket {
    datagrams: UnixDatagram,
    manager: SocketAddr,
    /// A failure is told once.
    failed: bool,
}

/// When the manager wants to hear that all is well.
struct Watchdog {
    half: Duration,
    due: Instant,
}

impl Notifier {
    /// As the environment asks for.
    pub fn from_env(now: Instant) -> Notifier {
        let mut notifier = Notifier::silent(now);
        let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return notifier;
        };
        match Socket::open(&name) {
            Ok(socket) => notifier.socket = Some(socket),
            Err(error) => log::warn!("NOTIFY_SOCKET {}: {error}", name.display()),
        }
        let variable = |name| std::env::var(name).ok();
        let half = half_period(variable("WATCHDOG_USEC"), variable("WATCHDOG_PID"), std::process::id());
        if notifier.socket.is_some() {
            notifier.watchdog = half.map(|half| Watchdog { half, due: now });
        }
        notifier
    }

    /// One that has nobody to tell.
    pub fn silent(now: Instant) -> Notifier {
        Notifier {
            socket: None,
            unsent: VecDeque::new(),
            retry_at: None,
            watchdog: None,
            progress: Progress::new(now),
            status: Status::default(),
            stopping: false,
        }
    }

    /// The loop runs, with this much time between two flushes.
    pub fn ready(&mut self, aggregate_interval_s: u32, now: Instant) {
        self.progress.runs(Duration::from_secs(u64::from(aggregate_interval_s)), now);
        self.tell(format!("READY=1\n{STATUS}{}", self.status.line()), now);
    }

    /// The configuration is being read again; [`Notifier::ready`] follows.
    pub fn reloading(&mut self, now: Instant) {
        // Tells the manager that this answers its signal, and not an earlier one.
        let since_boot = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
        self.tell(format!("RELOADING=1\nMONOTONIC_USEC={}", since_boot.as_micros()), now);
    }

    /// The program ends.
    pub fn stopping(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.stopping, true) {
            self.tell("STOPPING=1".to_owned(), now);
        }
    }

    /// A timer fired.
    pub fn fired(&mut self, timer: Timer, now: Instant) {
        if timer == Timer::Flush {
            self.progress.flushed(now);
        }
        self.status.fired(timer);
    }

    /// Redis replied, or the connection to it came or went.
    pub fn redis(&mut self, up: bool, now: Instant) {
        self.progress.redis(up, now);
    }

    /// What decides whether the watchdog is fed.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// An intake answered, or did not.
    pub fn released(&mut self, stream: Stream, outcome: &Outcome, wall_s: f64, now: Instant) {
        if self.socket.is_some() && self.status.released(stream, outcome, wall_s) {
            self.tell(format!("{STATUS}{}", self.status.line()), now);
        }
    }

    /// A turn of the loop is over: feeds the watchdog where that is due and deserved.
    pub fn turned(&mut self, now: Instant) {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.send_unsent(now);
        }
        let Some(watchdog) = &mut self.watchdog else { return };
        if watchdog.due > now {
            return;
        }
        watchdog.due = now + watchdog.half;
        if self.progress.advances(now) {
            // One that does not fit is worth nothing later.
            self.try_send("WATCHDOG=1");
        }
    }

    /// When [`Notifier::turned`] is due at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        let watchdog = self.watchdog.as_ref().map(|watchdog| watchdog.due);
        [watchdog, self.retry_at].into_iter().flatten().min()
    }

    fn tell(&mut self, message: String, now: Instant) {
        if message.starts_with(STATUS) {
            // An older one is worth nothing any more.
            self.unsent.retain(|unsent| !unsent.starts_with(STATUS));
        }
        if self.socket.is_some() && self.unsent.len() < NOTIFICATIONS_MAX {
            self.unsent.push_back(message);
            self.send_unsent(now);
        }
    }

    fn send_unsent(&mut self, now: Instant) {
        self.retry_at = None;
        while let Some(message) = self.unsent.pop_front() {
            if !self.try_send(&message) {
                self.unsent.push_front(message);
                self.retry_at = Some(now + Duration::from_secs(NOTIFICATION_RETRY_S));
                return;
            }
        }
    }

    /// False where the manager has no room at the moment.
    fn try_send(&mut self, message: &str) -> bool {
        let Some(socket) = &mut self.socket else { return true };
        match socket.datagrams.send_to_addr(message.as_bytes(), &socket.manager) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) => {
                if !std::mem::replace(&mut socket.failed, true) {
                    log::warn!("the service manager cannot be told: {error}");
                }
                true
            }
            Ok(_) => {
                socket.failed = false;
                true
            }
        }
    }
}

impl Socket {
    fn open(name: &OsStr) -> io::Result<Socket> {
        let manager = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            _ => return Err(io::Error::other("neither a path nor @ and a name")),
        };
        let datagrams = UnixDatagram::unbound()?;
        datagrams.set_nonblocking(true)?;
        Ok(Socket { datagrams, manager, failed: false })
    }
}

/// How often the watchdog is to be fed: twice in its period, if it watches this process.
fn half_period(period_us: Option<String>, pid: Option<String>, own_pid: u32) -> Option<Duration> {
    let watched = pid.is_none_or(|pid| pid.parse() == Ok(own_pid));
    let period = Duration::from_micros(period_us?.parse().ok()?);
    (watched && !period.is_zero()).then_some(period / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_is_for_one_process() {
        let half = |period: Option<&str>, pid: Option<&str>| {
            half_period(period.map(str::to_owned), pid.map(str::to_owned), 7)
        };
        let second = Some(Duration::from_secs(1));
        assert_eq!(half(Some("2000000"), None), second);
        assert_eq!(half(Some("2000000"), Some("7")), second);
        for (period, pid) in [("2000000", "8"), ("2000000", ""), ("0", "7"), ("-1", "7"), ("soon", "7")] {
            assert_eq!(half(Some(period), Some(pid)), None, "{period} {pid}");
        }
        assert_eq!(half(None, Some("7")), None);
    }

    #[test]
    fn messages_for_a_full_manager_wait_in_bounded_number() {
        let now = Instant::now();
        // Nobody reads: the queue of the socket fills, and then ours.
        let name = format!("@notify-test-{}", std::process::id());
        let manager = SocketAddr::from_abstract_name(&name[1..]).expect("a name");
        let _listens = UnixDatagram::bind_addr(&manager).expect("a socket");
        let mut notifier = Notifier::silent(now);
        notifier.socket = Socket::open(OsStr::new(&name)).ok();
        for _ in 0..1_000 {
            notifier.reloading(now);
        }
        assert_eq!(notifier.unsent.len(), NOTIFICATIONS_MAX);
        assert_eq!(notifier.deadline(), Some(now + Duration::from_secs(NOTIFICATION_RETRY_S)));
    }

    #[test]
    fn without_a_manager_nobody_is_woken() {
        let now = Instant::now();
        let mut notifier = Notifier::silent(now);
        notifier.ready(10, now);
        notifier.reloading(now);
        notifier.stopping(now);
        notifier.turned(now);
        assert_eq!((notifier.deadline(), notifier.unsent.len()), (None, 0));
        for name in ["relative", "vsock:2:1", ""] {
            assert!(Socket::open(OsStr::new(name)).is_err(), "{name}");
        }
    }
}
