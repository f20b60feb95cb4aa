//! The file that names a unix socket: made with its mode, in place of one that nobody listens to any more, and removed
//! at the end.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, umask};

/// The file of a socket; it is removed on drop, unless another one stands there by then.
pub struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
}

/// What of a kind of socket the file needs to know.
pub struct Kind<S> {
    /// Makes a socket there.
    pub bind: fn(&Path) -> io::Result<S>,
    /// Whether somebody has the one open that is there.
    pub is_open: fn(&Path) -> bool,
}

/// Opens a socket with this mode. One that nobody has open any more is replaced.
///
/// # Errors
/// [`io::ErrorKind::AddrInUse`] where another program has it; what the kernel says, otherwise.
pub fn open<S>(path: &Path, mode: u32, kind: &Kind<S>) -> io::Result<(S, SocketFile)> {
    remove_stale(path, kind.is_open)?;
    // The mode counts from the first moment on, and there is no other thread that could make a file meanwhile.
    let before = umask(Mode::from_bits_truncate(!mode & 0o777));
    let socket = (kind.bind)(path);
    umask(before);
    Ok((socket?, file_at(path)?))
}

#[inline(never)]
fn file_at(path: &Path) -> io::Result<SocketFile> {
    let metadata = fs::symlink_metadata(path)?;
    Ok(SocketFile { path: path.to_owned(), inode: (metadata.dev(), metadata.ino()) })
}

#[inline(never)]
fn remove_stale(path: &Path, is_open: fn(&Path) -> bool) -> io::Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is something that is no socket"));
    }
    // Only a socket that somebody has open can be connected to.
    if is_open(path) {
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
