//! Where the agent answers: the path of `STATUS_SOCKET`, or an abstract socket named after it and the agent's user
//! (`@chouette-iot/65532/run/chouette-iot/status.sock`), which works where nothing can be written.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::SocketAddr;

use super::peer;

/// Bytes of a path that the name has room for: its end tells more than its beginning.
const PATH_BYTES_MAX: usize = 80;

/// The name of the abstract socket that stands in for a path.
pub fn stand_in(path: &str) -> String {
    let user = peer::own_user().unwrap_or_default();
    let mut start = path.len().saturating_sub(PATH_BYTES_MAX);
    while !path.is_char_boundary(start) {
        start += 1;
    }
    format!("chouette-iot/{user}{}", path.get(start..).unwrap_or_default())
}

/// The address of an abstract socket.
pub fn abstract_address(name: &str) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_has_a_name_that_fits() {
        let own = stand_in("/run/status.sock");
        assert!(own.starts_with("chouette-iot/") && own.ends_with("/run/status.sock"), "{own}");
        assert_ne!(stand_in("/run/a"), stand_in("/run/b"));
        for path in ["/run/".to_owned() + &"x".repeat(4_000), "/run/".to_owned() + &"é".repeat(4_000)] {
            assert!(abstract_address(&stand_in(&path)).is_ok(), "{path}");
        }
    }
}
