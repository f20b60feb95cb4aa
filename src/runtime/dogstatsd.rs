//! The sockets of DogStatsD: UDP and unix datagrams, many in one call.
//!
//! Nothing is allocated before the first datagram has come. What is read in one turn of the loop is bounded, in
//! datagrams and bytes; what is left is read in the next one.
//!
//! A busy socket is looked at each millisecond and wakes nobody meanwhile: waking up costs more than a datagram.
//!
//! How many datagrams of the UDP socket the kernel had no room for stands beside each datagram that it had room for
//! (`SO_RXQ_OVFL`, <https://man7.org/linux/man-pages/man7/socket.7.html>). A sender to the unix socket learns of that
//! itself: it has to wait, or is refused.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::Path;
use std::time::{Duration, Instant};

use mio::net::{UdpSocket, UnixDatagram};
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, setsockopt, sockopt,
};

use super::socket_file::{self, Kind, SocketFile};
use crate::limits::dogstatsd::{
    BUSY_DATAGRAMS, BUSY_LOOK_MS, BYTES_PER_TURN, CALLS_PER_TURN, DATAGRAM_BYTES_MAX, DATAGRAMS_PER_CALL,
    KERNEL_BYTES,
};

/// The kernel's count of what it had no room for is looked at so often.
const DROPS_EVERY: Duration = Duration::from_secs(1);

/// Everybody may send, only the owner may look: as Datadog's own agent has it.
const MODE: u32 = 0o722;

const KIND: Kind<UnixDatagram> = Kind {
    bind: |path| UnixDatagram::bind(path),
    is_open: |path| UnixDatagram::unbound().is_ok_and(|socket| socket.connect(path).is_ok()),
};

/// Where datagrams are received.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Address and port of the UDP socket, if any.
    pub udp: Option<(IpAddr, u16)>,
    /// Path of the unix socket, if any.
    pub unix: Option<String>,
}

/// A socket cannot be opened.
#[derive(Debug)]
pub struct OpenError {
    address: String,
    error: io::Error,
}

impl OpenError {
    /// What kind of failure it was.
    pub fn kind(&self) -> io::ErrorKind {
        self.error.kind()
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dogstatsd: cannot receive on {}: {}", self.address, self.error)
    }
}

impl std::error::Error for OpenError {}

/// What has come.
pub enum Received<'a> {
    /// A datagram; it was longer than this where `is_cut`.
    Datagram {
        /// As much of it as is received.
        bytes: &'a [u8],
        /// There was more.
        is_cut: bool,
    },
    /// The kernel had no room for so many.
    Dropped(u64),
}

/// The sockets that are open.
pub struct Datagrams {
    addresses: Addresses,
    udp: Option<Source<UdpSocket>>,
    unix: Option<Source<UnixDatagram>>,
    /// Removes the path of the unix socket at the end.
    _file: Option<SocketFile>,
    buffers: Option<Buffers>,
}

/// A socket.
struct Source<S> {
    socket: S,
    token: Token,
    /// It may have more, of which nobody will tell.
    has_more: bool,
    /// Datagrams since it was found empty.
    at_once: usize,
    /// It is busy: nobody is told of datagrams, it is looked at then.
    look_at: Option<Instant>,
    drops: Option<Drops>,
}

/// What the kernel has told of drops.
#[derive(Default)]
struct Drops {
    /// Since the socket is open; the kernel counts so far.
    total: u32,
    looked_at: Option<Instant>,
}

/// Where datagrams are received into.
struct Buffers {
    bytes: Vec<u8>,
    headers: MultiHeaders<SockaddrStorage>,
}

impl Datagrams {
    /// No sockets.
    pub fn none() -> Datagrams {
        Datagrams { addresses: Addresses::default(), udp: None, unix: None, _file: None, buffers: None }
    }

    /// Opens sockets; the unix one is told of under the token after `token`.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(addresses: &Addresses, registry: &Registry, token: Token) -> Result<Datagrams, OpenError> {
        let mut datagrams = Datagrams { addresses: addresses.clone(), ..Datagrams::none() };
        if let Some((host, port)) = addresses.udp {
            let address = SocketAddr::new(host, port);
            let failed = |error| OpenError { address: address.to_string(), error };
            let mut socket = UdpSocket::bind(address).map_err(failed)?;
            enlarge(&socket);
            // Without it, only the count of drops is missing.
            let counts = setsockopt(&socket, sockopt::RxqOvfl, &1).is_ok();
            registry.register(&mut socket, token, Interest::READABLE).map_err(failed)?;
            log::info!("dogstatsd: receiving on {address}");
            datagrams.udp = Some(Source::new(socket, token, counts.then(Drops::default)));
        }
        if let Some(path) = &addresses.unix {
            let failed = |error| OpenError { address: path.clone(), error };
            let (mut socket, file) = socket_file::open(Path::new(path), MODE, &KIND).map_err(failed)?;
            enlarge(&socket);
            let token = Token(token.0 + 1);
            registry.register(&mut socket, token, Interest::READABLE).map_err(failed)?;
            log::info!("dogstatsd: receiving on {path}");
            datagrams.unix = Some(Source::new(socket, token, None));
            datagrams._file = Some(file);
        }
        Ok(datagrams)
    }

    /// Where they are.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The sockets of these tokens may have something, and so may those that are looked at by the clock.
    pub fn ready(&mut self, udp: bool, unix: bool, now: Instant) {
        self.udp.iter_mut().for_each(|source| source.has_more |= udp || source.is_due(now));
        self.unix.iter_mut().for_each(|source| source.has_more |= unix || source.is_due(now));
    }

    /// When [`Datagrams::ready`] is due at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        let udp = self.udp.as_ref().and_then(|source| source.look_at);
        let unix = self.unix.as_ref().and_then(|source| source.look_at);
        udp.into_iter().chain(unix).min()
    }

    /// Whether [`Datagrams::receive`] may find something.
    pub fn has_more(&self) -> bool {
        self.udp.as_ref().is_some_and(|source| source.has_more)
            || self.unix.as_ref().is_some_and(|source| source.has_more)
    }

    /// Gives what has come to `take`, as much as one turn has time for.
    pub fn receive(&mut self, registry: &Registry, now: Instant, take: &mut dyn FnMut(Received<'_>)) {
        if !self.has_more() {
            return;
        }
        let buffers = self.buffers.get_or_insert_with(Buffers::new);
        if let Some(udp) = self.udp.as_mut().filter(|udp| udp.has_more) {
            udp.receive(buffers, now, take);
            udp.settle(registry, now);
        }
        if let Some(unix) = self.unix.as_mut().filter(|unix| unix.has_more) {
            unix.receive(buffers, now, take);
            unix.settle(registry, now);
        }
    }
}

impl<S: AsRawFd + mio::event::Source> Source<S> {
    fn new(socket: S, token: Token, drops: Option<Drops>) -> Source<S> {
        Source { socket, token, has_more: false, at_once: 0, look_at: None, drops }
    }

    fn is_due(&self, now: Instant) -> bool {
        self.look_at.is_some_and(|at| at <= now)
    }

    /// Says how the next datagrams will be noticed, once there is none left.
    fn settle(&mut self, registry: &Registry, now: Instant) {
        if self.has_more {
            return;
        }
        let is_busy = std::mem::take(&mut self.at_once) >= BUSY_DATAGRAMS;
        let changed = match (is_busy, self.look_at.is_some()) {
            (true, false) => registry.deregister(&mut self.socket),
            // It is told of at once where there is something already.
            (false, true) => registry.register(&mut self.socket, self.token, Interest::READABLE),
            _ => Ok(()),
        };
        // Looked at by the clock, nothing is lost.
        let by_clock = is_busy || changed.is_err();
        self.look_at = by_clock.then(|| now + Duration::from_millis(BUSY_LOOK_MS));
    }

    fn receive(&mut self, buffers: &mut Buffers, now: Instant, take: &mut dyn FnMut(Received<'_>)) {
        let mut bytes = 0;
        for _ in 0..CALLS_PER_TURN {
            let is_time = self.drops.as_mut().is_some_and(|drops| drops.is_time(now));
            let drops = self.drops.as_mut().filter(|_| is_time);
            let count = buffers.receive(self.socket.as_raw_fd(), drops, &mut bytes, take);
            // An error of an earlier datagram's peer says nothing of the next one.
            self.at_once += count.unwrap_or_default();
            let may_go_on = matches!(count, Err(Errno::EINTR | Errno::ECONNREFUSED));
            if !may_go_on && count.unwrap_or_default() < DATAGRAMS_PER_CALL {
                // Drained: readiness is told of anew.
                self.has_more = false;
                return;
            }
            if bytes >= BYTES_PER_TURN {
                return;
            }
        }
    }
}

impl Buffers {
    fn new() -> Buffers {
        Buffers { bytes: vec![0; DATAGRAMS_PER_CALL * DATAGRAM_BYTES_MAX], headers: headers(false) }
    }

    /// Receives once; the number of datagrams.
    fn receive(
        &mut self,
        socket: RawFd,
        mut drops: Option<&mut Drops>,
        bytes: &mut usize,
        take: &mut dyn FnMut(Received<'_>),
    ) -> Result<usize, Errno> {
        // The kernel leaves the room for what stands beside a datagram as small as it was needed: it is made anew.
        let mut with_room = drops.is_some().then(|| headers(true));
        let headers = with_room.as_mut().unwrap_or(&mut self.headers);
        let mut chunks = self.bytes.chunks_mut(DATAGRAM_BYTES_MAX);
        let mut slices: [[IoSliceMut<'_>; 1]; DATAGRAMS_PER_CALL] =
            std::array::from_fn(|_| [IoSliceMut::new(chunks.next().unwrap_or_default())]);
        let mut count = 0;
        for message in recvmmsg(socket, headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)? {
            count += 1;
            let datagram = message.iovs().next().unwrap_or_default();
            *bytes += datagram.len();
            if let Some(drops) = drops.as_deref_mut() {
                for control in message.cmsgs().into_iter().flatten() {
                    if let ControlMessageOwned::RxqOvfl(total) = control {
                        take(Received::Dropped(drops.new_total(total)));
                    }
                }
            }
            take(Received::Datagram { bytes: datagram, is_cut: message.flags.contains(MsgFlags::MSG_TRUNC) });
        }
        Ok(count)
    }
}

fn headers(with_room: bool) -> MultiHeaders<SockaddrStorage> {
    MultiHeaders::preallocate(DATAGRAMS_PER_CALL, with_room.then(|| nix::cmsg_space!(u32)))
}

impl Drops {
    fn is_time(&mut self, now: Instant) -> bool {
        let is_time = self.looked_at.is_none_or(|at| now.saturating_duration_since(at) >= DROPS_EVERY);
        if is_time {
            self.looked_at = Some(now);
        }
        is_time
    }

    fn new_total(&mut self, total: u32) -> u64 {
        u64::from(total.wrapping_sub(std::mem::replace(&mut self.total, total)))
    }
}

/// Asks for room in the kernel; it gives what it allows.
fn enlarge(socket: &impl AsFd) {
    if let Err(error) = setsockopt(socket, sockopt::RcvBuf, &KERNEL_BYTES) {
        log::debug!("dogstatsd: SO_RCVBUF: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_socket_is_looked_at_by_the_clock_until_it_is_quiet_again() {
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut poll = mio::Poll::new().unwrap();
        let addresses = Addresses { udp: Some((free.ip(), free.port())), unix: None };
        let mut datagrams = Datagrams::open(&addresses, poll.registry(), Token(7)).unwrap();
        let send = |count: usize| (0..count).for_each(|_| assert!(sender.send_to(b"a:1|c", free).is_ok()));
        let registry = poll.registry().try_clone().unwrap();
        let mut is_told = || {
            let mut events = mio::Events::with_capacity(8);
            poll.poll(&mut events, Some(Duration::from_millis(20))).unwrap();
            !events.is_empty()
        };
        let receive = |datagrams: &mut Datagrams, now| {
            let mut count = 0;
            datagrams.receive(&registry, now, &mut |_| count += 1);
            count
        };
        let now = Instant::now();
        send(BUSY_DATAGRAMS);
        assert!(is_told());
        datagrams.ready(true, false, now);
        assert_eq!(receive(&mut datagrams, now), BUSY_DATAGRAMS);
        let later = now + Duration::from_millis(BUSY_LOOK_MS);
        assert_eq!(datagrams.deadline(), Some(later));
        send(1);
        assert!(!is_told());
        datagrams.ready(false, false, now);
        assert!(!datagrams.has_more());
        datagrams.ready(false, false, later);
        assert_eq!(receive(&mut datagrams, later), 1);
        assert_eq!(datagrams.deadline(), None, "quiet");
        send(1);
        assert!(is_told());
    }
}
