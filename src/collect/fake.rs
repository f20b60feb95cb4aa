//! A board made of strings, and answers of servers, for tests.

use super::{DiskSpace, HostFiles, Reply};
use crate::protocol::http::Response;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// What a server answers to a question.
pub(crate) fn answer(status: u16, body: &[u8]) -> Reply {
    let body = body.to_vec();
    Reply::Http(Ok(Response {
        status,
        retry_after: None,
        date: None,
        location: None,
        body,
        keep_alive: true,
    }))
}

/// Files and filesystems by path. What is not there is not found.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeBoard {
    pub files: BTreeMap<String, String>,
    pub disks: BTreeMap<String, DiskSpace>,
    pub foreign: bool,
    /// Numbers of the errors with which files cannot be read.
    pub failing: BTreeMap<String, i32>,
    /// What may be wrong with the clock, in µs. A board without one does not tell.
    pub clock_error_us: Option<u64>,
    /// Every mount point that was asked for, in order.
    pub asked: RefCell<Vec<String>>,
}

impl FakeBoard {
    /// A board with these files.
    pub fn new(files: &[(&str, &str)]) -> FakeBoard {
        let owned = |(path, text): &(&str, &str)| (path.to_string(), text.to_string());
        FakeBoard { files: files.iter().map(owned).collect(), ..FakeBoard::default() }
    }

    /// The same board with one more filesystem.
    pub fn disk(mut self, point: &str, total: u64, free: u64, available: u64) -> FakeBoard {
        let space = DiskSpace { total_bytes: total, free_bytes: free, available_bytes: available };
        self.disks.insert(point.to_owned(), space);
        self
    }
}

impl HostFiles for FakeBoard {
    fn read(&self, path: &str) -> io::Result<String> {
        if let Some(number) = self.failing.get(path) {
            return Err(io::Error::from_raw_os_error(*number));
        }
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let below = |file: &String| {
            let name = file.strip_prefix(path)?.strip_prefix('/')?.split('/').next()?;
            Some(name.to_owned())
        };
        let names: BTreeSet<String> = self.files.keys().filter_map(below).collect();
        if names.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(names.into_iter().collect()) }
    }

    fn disk_space(&self, mount_point: &str) -> io::Result<DiskSpace> {
        self.asked.borrow_mut().push(mount_point.to_owned());
        self.disks.get(mount_point).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn is_foreign(&self) -> bool {
        self.foreign
    }

    fn own_file(&self, path: &str) -> io::Result<String> {
        self.read(path)
    }

    fn clock_error_us(&self) -> io::Result<u64> {
        self.clock_error_us.ok_or_else(|| io::ErrorKind::Unsupported.into())
    }
}

/// xorshift64*: the same sequence for the same seed.
pub(crate) struct Random(pub u64);

impl Random {
    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }

    /// The text with a few bytes changed, doubled, moved or cut, as a lossy reader would hand it over.
    pub fn mutate(&mut self, text: &str) -> String {
        const PIECES: [&str; 12] =
            ["18446744073709551615", "-1", "nan", "\\", "\\777", "\\040", ":", "\n", "\0", "é", "1e999", "0"];
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..=self.below(6) {
            let at = self.below(bytes.len() + 1);
            let to = (at + self.below(24)).min(bytes.len());
            match self.below(5) {
                0 => drop(bytes.drain(at..to)),
                1 => bytes.truncate(at),
                2 => drop(bytes.splice(at..at, PIECES[self.below(PIECES.len())].bytes())),
                3 => drop(bytes.splice(at..to, PIECES[self.below(PIECES.len())].bytes())),
                _ => bytes[at..to].iter_mut().for_each(|b| *b = self.below(256) as u8),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
