//! The unix socket and the file that names it.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use mio::net::UnixDatagram;

/// Everybody may send, only the owner may look: as Datadog's own agent has it.
const MODE: u32 = 0o722;

/// The file of a socket; it is removed on drop, unless another one stands there by then.
pub(super) struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
}

/// Opens a socket. One that nobody listens on any more is replaced.
pub(super) fn open(path: &str) -> io::Result<(UnixDatagram, SocketFile)> {
    let path = Path::new(path);
    remove_stale(path)?;
    let socket = UnixDatagram::bind(path)?;
    let metadata = fs::symlink_metadata(path)?;
    let file = SocketFile { path: path.to_owned(), inode: (metadata.dev(), metadata.ino()) };
    fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
    Ok((socket, file))
}

fn remove_stale(path: &Path) -> io::Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is something that is no socket"));
    }
    // Only a socket that somebody has open can be connected to.
    if std::os::unix::net::UnixDatagram::unbound()?.connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another program receives there"));
    }
    fs::remove_file(path)
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = |metadata: fs::Metadata| (metadata.dev(), metadata.ino()) == self.inode;
        if fs::symlink_metadata(&self.path).is_ok_and(is_ours) {
            // At the end nobody is left to be told.
            let _ = fs::remove_file(&self.path);
        }
    }
}
