//! The directory of the spool.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use nix::fcntl::FlockArg;

use super::number;

/// Nobody else is to read what is measured here.
const MODE: u32 = 0o700;

/// A directory that is locked for this agent.
#[derive(Debug)]
pub struct Directory {
    pub(super) handle: File,
    files: Vec<(u32, u64)>,
}

impl Directory {
    /// Makes it where there is none, locks it and lists it. It waits for the disk, so it is for the start.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::WouldBlock`] where another agent has it, or a child of one that was killed.
    pub fn open(path: &Path) -> io::Result<Directory> {
        DirBuilder::new().recursive(true).mode(MODE).create(path)?;
        if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(path, Permissions::from_mode(MODE))?;
        }
        Directory::look(path)
    }

    /// The same with a directory that is there, and is left as it is but for the lock.
    ///
    /// # Errors
    /// As [`Directory::open`].
    pub fn look(path: &Path) -> io::Result<Directory> {
        let handle = File::open(path)?;
        lock(&handle)?;
        let mut files = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if let Some(number) = entry.file_name().to_str().and_then(number) {
                files.push((number, entry.metadata().map_or(0, |metadata| metadata.len())));
            }
        }
        files.sort_unstable();
        Ok(Directory { handle, files })
    }

    /// The files that were there, by number and length.
    pub fn files(&self) -> &[(u32, u64)] {
        &self.files
    }
}

/// Its successor in `nix` gives the lock back when it is dropped, even while the child has it too.
#[allow(deprecated)]
fn lock(handle: &File) -> io::Result<()> {
    Ok(nix::fcntl::flock(handle.as_raw_fd(), FlockArg::LockExclusiveNonblock)?)
}
