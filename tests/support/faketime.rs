//! A wall clock of the test's own for a child process, with `libfaketime`; the monotonic clock stays true.

use super::agent::Env;
use super::temp::TempDir;
use super::{skip, unix_now_f64};
use std::path::PathBuf;
use std::sync::Mutex;

/// A clock that is ahead of the true one, or behind it, by what the test says at any time.
pub struct FakeClock {
    library: PathBuf,
    dir: TempDir,
    ahead_s: Mutex<f64>,
}

impl FakeClock {
    /// None, after saying so, where the library is not installed.
    pub fn new(ahead_s: f64) -> Option<FakeClock> {
        let Some(library) = find_library() else {
            skip("faketime is not installed");
            return None;
        };
        let clock = FakeClock { library, dir: TempDir::new(), ahead_s: Mutex::new(ahead_s) };
        clock.set(ahead_s);
        Some(clock)
    }

    /// What shows this clock to a program that is linked dynamically.
    pub fn env(&self) -> Env {
        let library = self.library.to_string_lossy().into_owned();
        let file = self.dir.join("ahead").to_string_lossy().into_owned();
        [
            ("LD_PRELOAD", library.as_str()),
            ("FAKETIME_TIMESTAMP_FILE", file.as_str()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            // What the same is called in versions before 0.9.9.
            ("DONT_FAKE_MONOTONIC", "1"),
            ("NO_FAKE_STAT", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// Removes what the library leaves behind where its process is killed.
    pub fn clean_up_after(pid: u32) {
        for name in [format!("faketime_shm_{pid}"), format!("sem.faketime_sem_{pid}")] {
            let _ = std::fs::remove_file(PathBuf::from("/dev/shm").join(name));
        }
    }

    /// Sets the clock.
    pub fn set(&self, ahead_s: f64) {
        self.dir.write("ahead", &format!("{ahead_s:+.3}\n"));
        *self.ahead_s.lock().unwrap() = ahead_s;
    }

    /// What the clock shows.
    pub fn now_s(&self) -> f64 {
        unix_now_f64() + *self.ahead_s.lock().unwrap()
    }
}

fn find_library() -> Option<PathBuf> {
    let directories = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
    directories.map(|directory| directory.join("faketime/libfaketime.so.1")).find(|file| file.is_file())
}
