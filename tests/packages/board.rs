//! A bare device: a root file system with nothing but BusyBox in it, and a shell there.

use std::fs::Permissions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::support::temp::TempDir;
use super::support::{find_program, repository, skip};
use super::tool;

/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(60);
const END: &str = "--- end ";

/// A device that runs. All its processes end with it.
pub struct Board {
    shell: Child,
    input: ChildStdin,
    output: Receiver<String>,
    root: TempDir,
}

impl Board {
    /// One with the agent's installer in `/install`; none where the test cannot run.
    pub fn boot() -> Option<Board> {
        let busybox = find_program("busybox");
        let is_static = busybox.as_ref().is_some_and(|busybox| libraries(busybox).is_empty());
        let Some(busybox) = busybox.filter(|_| is_static) else {
            skip("busybox-static is not installed");
            return None;
        };
        tool("unshare")?;
        if !Command::new("unshare").args(["--mount", "--pid", "--fork", "true"]).status().unwrap().success() {
            skip("a device of one's own needs root");
            return None;
        }
        let root = TempDir::new();
        for directory in
            ["bin", "sbin", "usr/bin", "usr/sbin", "etc/init.d", "proc", "tmp", "var/log", "var/run", "dev"]
        {
            std::fs::create_dir_all(root.join(directory)).unwrap();
        }
        copy(&busybox, &root.join("bin/busybox"));
        let list = Command::new(&busybox).arg("--list").output().unwrap();
        for applet in String::from_utf8(list.stdout).unwrap().lines().filter(|applet| *applet != "busybox") {
            symlink("/bin/busybox", root.join("bin").join(applet)).unwrap();
        }
        // This BusyBox has no adduser.
        root.write("etc/passwd", "root:x:0:0:root:/:/bin/sh\nchouette-iot:x:200:200::/:/bin/false\n");
        root.write("etc/group", "root:x:0:\nchouette-iot:x:200:\n");
        root.write("dev/null", "");
        std::fs::set_permissions(root.join("dev/null"), Permissions::from_mode(0o666)).unwrap();
        // The user of the agent must get through to its settings.
        std::fs::set_permissions(root.path(), Permissions::from_mode(0o755)).unwrap();
        for file in [
            "install.sh",
            "chouette-iot.init",
            "chouette-iot.openrc",
            "chouette-iot.service",
            "chouette-iot.env",
        ] {
            let to = root.join("install").join(file);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            copy(&repository("cross/package").join(file), &to);
        }
        let program = Path::new(env!("CARGO_BIN_EXE_chouette-iot"));
        copy(program, &root.join("install/chouette-iot"));
        bring_libraries(program, &root);
        Some(Board::start(root))
    }

    fn start(root: TempDir) -> Board {
        const SETUP: &str = "mount -t proc proc \"$0/proc\" && exec chroot \"$0\" /bin/sh";
        let mut shell = Command::new("unshare")
            .args(["--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-c", SETUP])
            .arg(root.path())
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let (lines, output) = channel();
        let pipe = BufReader::new(shell.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in pipe.lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        Board { input: shell.stdin.take().unwrap(), output, shell, root }
    }

    /// A file of the device.
    pub fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Puts one more program there.
    pub fn add_program(&self, program: &Path, place: &str) {
        let to = self.file(place);
        let _ = std::fs::remove_file(&to);
        copy(program, &to);
        bring_libraries(program, &self.root);
    }

    /// Appends to a file.
    pub fn append(&self, name: &str, text: &str) {
        let mut file = std::fs::File::options().append(true).open(self.file(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Runs a command; its exit code, and what it said.
    pub fn run(&mut self, command: &str) -> (i32, String) {
        writeln!(self.input, "{{ {command}; }} </dev/null 2>&1; code=$?; echo; echo \"{END}$code\"").unwrap();
        let mut said = String::new();
        loop {
            let line =
                self.output.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("{command} does not end: {said}"));
            if let Some(code) = line.strip_prefix(END) {
                return (code.parse().unwrap(), said.trim().to_owned());
            }
            said.push_str(&line);
            said.push('\n');
        }
    }

    /// Runs a command that must end with this code; what it said.
    pub fn expect(&mut self, code: i32, command: &str) -> String {
        let (found, said) = self.run(command);
        let log = std::fs::read_to_string(self.file("var/log/chouette-iot.log")).unwrap_or_default();
        assert_eq!(found, code, "{command}: {said}\n--- log ---\n{log}");
        said
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        // The end of the first process of the namespace ends all others.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap_or_else(|error| panic!("{} to {}: {error}", from.display(), to.display()));
}

/// The shared libraries of a program, the loader among them; none of a static one.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace()
        .filter(|word| word.starts_with('/') && !word.ends_with(':'))
        .map(PathBuf::from)
        .collect()
}

fn bring_libraries(program: &Path, root: &TempDir) {
    for library in libraries(program) {
        let to = root.path().join(library.strip_prefix("/").unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        copy(&library, &to);
    }
}
