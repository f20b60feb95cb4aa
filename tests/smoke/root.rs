//! The container image of `Dockerfile.arm`, assembled by hand: a root that holds the binary and nothing else.

use super::namespaces::{can_be_native, command, emulated, native_setup};
use super::once::Ends;
use super::support::agent::{Agent, Env, binary, with};
use super::support::temp::TempDir;
use super::support::{SOON, repository, skip};

use std::fs;

/// What the last stage of `Dockerfile.arm` says.
struct Image {
    /// Where the binary goes, and what is started.
    program: String,
    user: String,
    group: String,
}

impl Image {
    fn read() -> Image {
        let text = fs::read_to_string(repository("Dockerfile.arm")).unwrap();
        let stage = text.split("\nFROM ").last().unwrap();
        assert_eq!(stage.lines().next(), Some("scratch"), "the image is built on nothing");
        let (mut copied, mut user, mut started, mut check) = (Vec::new(), "", "", "");
        for line in stage.lines().skip(1).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line.split_once(' ').unwrap() {
                ("COPY", files) => copied.push(files.rsplit_once(' ').unwrap().1),
                ("USER", name) => user = name,
                ("ENTRYPOINT", words) => started = words,
                ("HEALTHCHECK", line) => check = line.split_once(" CMD ").unwrap().1,
                ("CMD" | "LABEL", _) => {}
                other => panic!("{other:?} has no place in an image without a shell"),
            }
        }
        let [program, "/var/lib/chouette-iot"] = copied[..] else {
            panic!("not the program and the directory of its queue but {copied:?}");
        };
        assert_eq!(started, format!("[\"{program}\"]"));
        assert_eq!(check, format!("[\"{program}\", \"status\"]"), "no shell would run it otherwise");
        let (user, group) = user.split_once(':').expect("USER with a group");
        for id in [user, group] {
            // By number: there is no /etc/passwd to look a name up in, and Kubernetes' runAsNonRoot asks for it.
            assert!(id.parse::<u32>().is_ok_and(|id| id > 0), "{id} is no number of a user but root");
        }
        Image { program: program.to_owned(), user: user.to_owned(), group: group.to_owned() }
    }

    /// A root made from the image, with the CA of the test's intake beside it. None, after saying so, where the
    /// binary is not one of those that are put into the image.
    fn assemble(&self, ends: &Ends) -> Option<TempDir> {
        if std::env::var_os("CHOUETTE_TEST_BINARY").is_none() {
            skip("only a static binary runs alone: start cross/smoke.sh");
            return None;
        }
        let root = TempDir::new();
        fs::copy(binary(), root.join(self.program.trim_start_matches('/'))).unwrap();
        fs::copy(ends.pki.ca_file(), root.join("ca.pem")).unwrap();
        Some(root)
    }

    /// Starts `run --once` as the image's user, with `root` as all there is.
    fn run_once(&self, root: &TempDir, setup: &str, words: &[&str], env: &Env) -> Option<Agent> {
        let setup = format!(
            "root=$1; shift\n{setup}\n\
             exec unshare --user --map-user={} --map-group={} --root=\"$root\" -- \"$@\"",
            self.user, self.group
        );
        let mut all = vec![root.path().to_str().unwrap()];
        all.extend(words);
        let mut command = command(&setup, all)?;
        command.envs(env.iter().map(|(name, value)| (name, value)));
        Some(Agent::start(&mut command))
    }
}

fn assembled() -> Option<(Ends, Image, TempDir)> {
    let (ends, image) = (Ends::new()?, Image::read());
    let root = image.assemble(&ends)?;
    Some((ends, image, root))
}

/// What a container engine adds to any image: `/proc`, a few devices, the names of the network.
const ENGINE: &str = "mkdir $root/proc $root/dev $root/etc
mount -t proc proc $root/proc
: >$root/dev/null
mount --bind /dev/null $root/dev/null
echo '127.0.0.1 localhost' >$root/etc/hosts";

/// The emulator is only asked to be a certain processor in the program itself: the child of a look-up gets none of
/// our variables.
fn as_that_processor(env: Env) -> Env {
    match emulated() {
        Some((_, cpu)) => with(env, &[("QEMU_CPU", &cpu)]),
        None => env,
    }
}

#[test]
fn it_runs_with_nothing_but_itself() {
    let Some((ends, image, root)) = assembled() else {
        return;
    };
    let mut words = vec![image.program.as_str(), "run", "--once"];
    let cpu;
    if let Some((emulator, processor)) = emulated() {
        fs::copy(emulator, root.join("emulator")).unwrap();
        cpu = processor;
        words.splice(0..0, ["/emulator", "-cpu", &cpu]);
    }
    let Some(mut agent) = image.run_once(&root, "", &words, &ends.env("127.0.0.1", "/ca.pem")) else {
        return;
    };
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    ends.assert_delivered(&agent);
}

#[test]
fn names_are_looked_up_in_a_container() {
    let Some((ends, image, root)) = assembled() else {
        return;
    };
    if !can_be_native() {
        // Without the kernel's help the emulator cannot run a program that starts itself again.
        return only_the_child_of_a_look_up(&image, &root);
    }
    let env = as_that_processor(ends.env("localhost", "/ca.pem"));
    let setup = native_setup() + ENGINE;
    let Some(mut agent) = image.run_once(&root, &setup, &[&image.program, "run", "--once"], &env) else {
        return;
    };
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    ends.assert_delivered(&agent);
}

fn only_the_child_of_a_look_up(image: &Image, root: &TempDir) {
    let (emulator, cpu) = emulated().unwrap();
    fs::copy(emulator, root.join("emulator")).unwrap();
    let words = ["/emulator", "-cpu", &cpu, &image.program, "__resolve", "localhost", "80"];
    let Some(mut agent) = image.run_once(root, ENGINE, &words, &Env::new()) else {
        return;
    };
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    assert_eq!(agent.stdout(), "127.0.0.1:80\n");
}

#[test]
fn without_proc_a_look_up_says_what_is_missing() {
    let Some((ends, image, root)) = assembled() else {
        return;
    };
    // qemu knows what /proc/self/exe is without asking for it.
    if emulated().is_some() {
        return;
    }
    let env = ends.env("localhost", "/ca.pem");
    let setup = ENGINE.replace("mount -t proc", "true");
    let Some(mut agent) = image.run_once(&root, &setup, &[&image.program, "run", "--once"], &env) else {
        return;
    };
    assert_eq!(agent.wait(SOON), Some(1), "{}", agent.stderr());
    assert!(agent.stderr().contains("/proc/self/exe"), "{}", agent.stderr());
}
