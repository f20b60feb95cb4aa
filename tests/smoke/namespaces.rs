//! File systems and processes of a test's own.

use super::support::agent::{binary, emulator};
use super::support::{find_program, skip};

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

/// `unshare` with these namespaces and a user one of which we are root.
const NAMESPACES: [&str; 6] = ["--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child"];

/// A command that runs the lines of `setup` in namespaces of its own, as root of them, with `words` as `$@`. None,
/// after saying so, where the kernel gives no namespaces.
pub fn command<W: AsRef<OsStr>>(setup: &str, words: impl IntoIterator<Item = W>) -> Option<Command> {
    let possible = Command::new("unshare").args(NAMESPACES).arg("true").status();
    if !possible.is_ok_and(|status| status.success()) {
        skip("there are no user namespaces");
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(NAMESPACES).args(["sh", "-euc", setup, "sh"]).args(words).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/sbin:/usr/bin:/sbin:/bin".into()));
    Some(command)
}

/// The emulator as a file, and the processor it is to be.
pub fn emulated() -> Option<(PathBuf, String)> {
    let words = emulator();
    let name = words.first()?.to_str().unwrap().to_owned();
    let cpu = words.iter().skip_while(|word| *word != "-cpu").nth(1);
    let program = find_program(&name).unwrap_or_else(|| panic!("{name} is not installed"));
    Some((program, cpu.map_or_else(String::new, |cpu| cpu.to_str().unwrap().to_owned())))
}

/// Lines of `setup` that make the kernel run the binary under test as if it were this machine's: for the processes of
/// the namespace only, and with an emulator that need not be in their file system. Nothing where none is needed.
pub fn native_setup() -> String {
    let Some((program, _)) = emulated() else {
        return String::new();
    };
    let head = std::fs::read(binary()).unwrap();
    // The machine a program is for stands at byte 18 of its ELF header.
    let machine: String = head[18..20].iter().map(|byte| format!("\\x{byte:02x}")).collect();
    format!(
        "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc\n\
         printf %s ':board:M:18:{machine}::{}:F' >/proc/sys/fs/binfmt_misc/register\n",
        program.display()
    )
}

/// Whether [`native_setup`] works here: Linux 6.7 was the first to let a user namespace have emulators of its own.
pub fn can_be_native() -> bool {
    let words: [&str; 0] = [];
    command(&native_setup(), words)
        .is_some_and(|mut command| command.status().is_ok_and(|status| status.success()))
}
