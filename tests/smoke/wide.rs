//! Numbers that do not fit 32 bits: the time after 2038, counters, the blocks of a large disk.

use super::namespaces::{command, emulated};
use super::support::agent::{Agent, program, with};
use super::support::behaviour::status;
use super::support::bench::Bench;
use super::support::queues::{RAW, raw_record};
use super::support::temp::TempDir;
use super::support::{SOON, find_program, skip};

use std::ffi::OsString;
use std::path::PathBuf;

/// The first of January 2040, beyond what 31 bits of seconds can tell.
const IN_2040: f64 = 2_208_988_800.0;

#[test]
fn counts_go_beyond_32_bits() {
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let mut client = bench.redis.client();
    let at = super::support::unix_now() as f64 - 60.0;
    for (i, value) in ["4294967295", "4294967297", "9007199254740000"].iter().enumerate() {
        let record = raw_record("wide", "count", value, at, &[]);
        client.push(RAW, &format!("record-{i}"), Some(at), Some(record.as_bytes()));
    }
    let mut agent = Agent::run_once(&bench.env());
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    assert_eq!(bench.store().sum("wide"), 9_007_207_844_674_592.0);
}

/// 20 TiB are more than 2³² blocks of 4 KiB.
#[test]
fn a_large_disk_is_told_in_full() {
    const BYTES: f64 = 20.0 * (1u64 << 40) as f64;
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let root = TempDir::new();
    root.write("proc/mounts", "/dev/sda1 /disk ext4 rw 0 0\n");
    root.write("proc/filesystems", "\text4\n");
    std::fs::create_dir(root.join("disk")).unwrap();
    let env = bench.env_with(&[
        ("COLLECTOR_PLUGINS", "host"),
        ("HOST_COLLECTOR_METRICS", "fs"),
        ("HOST_ROOT", root.path().to_str().unwrap()),
    ]);
    let mut words: Vec<OsString> = vec![root.join("disk").into()];
    words.extend(program());
    words.extend(["run", "--once"].map(OsString::from));
    let setup = "mount -t tmpfs -o size=20T disk \"$1\"; shift; exec \"$@\"";
    let Some(mut command) = command(setup, words) else {
        return;
    };
    command.envs(env);
    let mut agent = Agent::start(&mut command);
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    let store = bench.store();
    assert_eq!(store.sum("Chouette.host.fs.free"), BYTES, "{}", agent.stderr());
    assert_eq!(store.sum("Chouette.host.fs.used"), 0.0);
}

/// The emulator's clock is moved, which only its dynamically linked form lets us do; a native binary is of 64 bits
/// throughout.
#[test]
fn it_runs_after_2038() {
    let Some((static_emulator, cpu)) = emulated() else {
        return;
    };
    let name = static_emulator.file_name().unwrap().to_str().unwrap().trim_end_matches("-static");
    let (Some(emulator), Some(library)) = (find_program(name), faketime()) else {
        return skip("there is no clock to move: qemu-user or faketime is not installed");
    };
    let Some(bench) = Bench::new(|_| status(202)) else {
        return;
    };
    let at = IN_2040 - 60.0;
    let record = raw_record("late", "count", "3", at, &[]);
    bench.redis.client().push(RAW, "record", Some(at), Some(record.as_bytes()));
    let env = with(
        bench.env(),
        &[
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("FAKETIME", "@2040-01-01 00:00:00"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("TZ", "UTC"),
        ],
    );
    let mut command = std::process::Command::new(emulator);
    command.args(["-cpu", &cpu]).args(program().last()).args(["run", "--once"]).env_clear().envs(env);
    let mut agent = Agent::start(&mut command);
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    let store = bench.store();
    let (_, held) = store.only("late");
    assert_eq!(held.points.values().collect::<Vec<_>>(), [&3.0]);
    assert!(held.points.keys().all(|second| (*second as f64 - at).abs() <= 1.0), "{held:?}");
}

/// Debian's library that lies about the time.
fn faketime() -> Option<PathBuf> {
    let directories = std::fs::read_dir("/usr/lib").ok()?;
    directories
        .flatten()
        .map(|entry| entry.path().join("faketime/libfaketime.so.1"))
        .find(|path| path.exists())
}
