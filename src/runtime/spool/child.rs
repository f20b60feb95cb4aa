//! The child: carries out operations, one after the other, until the socket is closed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nix::sys::statvfs::statvfs;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXFSZ};

use super::name;
use crate::limits::spool::{FREE_SHARE, SEGMENT_FILE_BYTES_MAX};
use crate::queue::spool::operation::{Operation, Outcome};

/// Says that this is the child.
pub(super) const ARGUMENT: &str = "__spool";

/// To be called first in `main`: where this process is the child that writes, does so until it is not needed any
/// more and returns true, and the process is to end.
pub fn served_as_child() -> bool {
    let is_child = std::env::args_os().nth(1).is_some_and(|argument| argument == ARGUMENT);
    if is_child {
        // An agent that is gone needs no word.
        let _ = serve();
    }
    is_child
}

fn serve() -> io::Result<()> {
    // What ends the agent does not end the child: it has the last word to write. Nor does a file that is too long.
    for signal in [SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXFSZ] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    nix::unistd::fchdir(io::stdout().as_fd())?;
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let (mut received, mut buffer) = (Vec::new(), vec![0; 16 << 10]);
    loop {
        while let Some(operation) =
            Operation::decode(&mut received).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?
        {
            let outcome = carry_out(&operation).unwrap_or_else(|error| Outcome::Failed(error.to_string()));
            socket.write_all(&outcome.encode())?;
        }
        match socket.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => received.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn carry_out(operation: &Operation) -> io::Result<Outcome> {
    match operation {
        Operation::Read(segment) => {
            let mut bytes = Vec::new();
            let file = File::open(name(*segment))?;
            file.take(SEGMENT_FILE_BYTES_MAX as u64).read_to_end(&mut bytes)?;
            return Ok(Outcome::Contents(bytes));
        }
        Operation::Append { bytes, keeps_room: true, .. } if !has_room(bytes.len())? => {
            return Ok(Outcome::NoRoom);
        }
        Operation::Append { segment, at, bytes, .. } => append(&name(*segment), u64::from(*at), bytes)?,
        Operation::Truncate(segment, at) => match OpenOptions::new().write(true).open(name(*segment)) {
            Ok(file) => {
                file.set_len(u64::from(*at).min(file.metadata()?.len()))?;
                file.sync_all()?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        },
        Operation::Delete(segment) => match fs::remove_file(name(*segment)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => sync_directory()?,
        },
    }
    Ok(Outcome::Done)
}

fn append(name: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(name)?;
    let length = file.metadata()?.len();
    if length < at {
        return Err(io::Error::other(format!("{name}: {length} bytes, not {at}: somebody has changed it")));
    }
    if length > at {
        file.set_len(at)?;
    }
    if let Err(error) = file.write_all_at(bytes, at).and_then(|()| file.sync_all()) {
        // Half of it is none. Where that fails too, the queue asks for it again.
        let _ = file.set_len(at);
        return Err(error);
    }
    if at == 0 { sync_directory() } else { Ok(()) }
}

/// What was made or removed in the directory is on the disk.
fn sync_directory() -> io::Result<()> {
    File::open(".")?.sync_all()
}

/// Whether enough of the disk and of its inodes stays free.
fn has_room(bytes: usize) -> io::Result<bool> {
    let [unit, blocks, free, inodes, free_inodes] = disk(Path::new("."))?;
    let needed = (bytes as u64).div_ceil(unit.max(1));
    // A file needs one inode. Where there is no fixed number of them it is said to be 0.
    Ok(free.saturating_sub(needed) >= blocks / FREE_SHARE
        && free_inodes.saturating_sub(1) >= inodes / FREE_SHARE)
}

/// Bytes that can be added to the disk of a directory.
///
/// # Errors
/// The system's.
pub fn room_bytes(path: &Path) -> io::Result<u64> {
    let [unit, blocks, free, ..] = disk(path)?;
    Ok(free.saturating_sub(blocks / FREE_SHARE).saturating_mul(unit))
}

/// Of the disk of a directory: bytes of a block, blocks, free ones, inodes, free ones.
fn disk(path: &Path) -> io::Result<[u64; 5]> {
    let disk = statvfs(path)?;
    // Types differ from one system to the other.
    #[allow(clippy::useless_conversion)]
    let sizes = [
        u64::from(disk.fragment_size()),
        u64::from(disk.blocks()),
        u64::from(disk.blocks_available()),
        u64::from(disk.files()),
        u64::from(disk.files_available()),
    ];
    Ok(sizes)
}
