//! Who is at the other end of a unix socket, as the kernel says: an abstract socket has no mode, so that anybody could
//! connect to it, or have it in the agent's place.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

/// The user at the other end; of a socket that was connected to, the one who listened.
fn user_of(socket: &impl AsFd) -> Option<u32> {
    getsockopt(socket, PeerCredentials).ok().map(|credentials| credentials.uid())
}

/// This process' user.
pub fn own_user() -> Option<u32> {
    let (one, _other) = UnixStream::pair().ok()?;
    user_of(&one)
}

/// Whether that is this process' user, or root.
pub fn is_trusted(socket: &impl AsFd) -> bool {
    let user = user_of(socket);
    user.is_some() && (user == Some(0) || user == own_user())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_trusts_oneself() {
        use std::os::unix::fs::MetadataExt;
        let (one, _other) = UnixStream::pair().unwrap();
        assert!(is_trusted(&one));
        assert_eq!(own_user(), std::fs::metadata("/proc/self").ok().map(|own| own.uid()));
        assert!(!is_trusted(&std::fs::File::open("/dev/null").unwrap()), "no socket");
    }
}
