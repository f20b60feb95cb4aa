//! Where the agent answers, and whom.

use super::*;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use support::agent::API_KEY;
use support::behaviour::status;

/// Whoever has no rights.
const NOBODY: u32 = 65_534;

#[test]
fn only_the_owner_and_root_get_at_the_socket_and_it_goes_with_the_agent() {
    let Some(scene) = Scene::new(|_| status(202)) else { return };
    let place = scene.dir.join("new/status.sock");
    let mut agent = Agent::run(&scene.env(&[("STATUS_SOCKET", place.to_str().unwrap())]));
    assert!(wait_until(SOON, || listens(&place)), "{}", agent.stderr());
    assert_eq!(place.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(place.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o755);
    agent.signal("TERM");
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    assert!(!place.exists());
    let output = ask(place.to_str().unwrap(), &[]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
    let said = stderr(&output);
    assert!(said.contains(place.to_str().unwrap()) && said.contains("STATUS_SOCKET"), "{said}");
}

#[test]
fn a_socket_that_was_left_behind_is_replaced_and_one_in_use_is_not() {
    let Some(scene) = Scene::new(|_| status(202)) else { return };
    drop(UnixListener::bind(scene.socket()).unwrap());
    let first = scene.run(&[]);
    let answer = || ask(scene.socket().to_str().unwrap(), &["--json"]);
    assert!(wait_until(SOON, || answer().status.success()), "{}", first.stderr());
    assert_eq!(number(&scene.document(), &["pid"]), Some(f64::from(first.pid())));
    let mut second = Agent::run(&scene.env(&[]));
    let refused = "another program receives there; chouette-iot status cannot ask this agent";
    assert!(second.wait_for_line(SOON, refused), "{}", second.stderr());
    assert!(second.wait_for_line(SOON, "stands by"), "it goes on: {}", second.stderr());
    second.signal("TERM");
    assert_eq!(second.wait(SOON), Some(0));
    assert_eq!(number(&scene.document(), &["pid"]), Some(f64::from(first.pid())));
}

#[test]
fn an_abstract_socket_stands_in_where_the_path_cannot_be_made() {
    let Some(scene) = Scene::new(|_| status(202)) else { return };
    scene.dir.write("file", "no directory");
    let place = scene.dir.join("file/status.sock").display().to_string();
    let agent = Agent::run(&scene.env(&[("STATUS_SOCKET", &place)]));
    assert!(agent.wait_for_line(SOON, "stands in"), "{}", agent.stderr());
    assert!(!agent.stderr().contains("WARN"), "{}", agent.stderr());
    let output = ask(&place, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(number(&document(&output), &["pid"]), Some(f64::from(agent.pid())));
    // Anybody can connect to it, but nobody else is told anything.
    let log = agent.stderr();
    let (_, name) = log.split_once("; @").unwrap();
    let (name, _) = name.split_once(" stands in").unwrap();
    let code = "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect('\\0'+sys.argv[1])\nprint(len(s.recv(99)))";
    let heard = |user: u32| {
        // A place where everybody may look; another one may come first in the path.
        let mut command = Command::new("/usr/bin/python3");
        command.args(["-c", code, name]).current_dir("/").uid(user).output().ok()
    };
    let (Some(owner), Some(other)) = (heard(0), heard(NOBODY)) else {
        return support::skip("/usr/bin/python3 as another user, for which one has to be root");
    };
    assert_eq!((stdout(&owner).trim(), stdout(&other).trim()), ("99", "0"), "{name}: {}", stderr(&owner));
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let Some(scene) = Scene::new(|_| status(202)) else { return };
    let file = scene.dir.write("status.sock", "notes");
    let agent = Agent::run(&scene.env(&[]));
    assert!(agent.wait_for_line(SOON, "there is something that is no socket"), "{}", agent.stderr());
    assert!(wait_until(SOON, || scene.ask(&[]).status.success()), "an abstract one stands in");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "notes");
}

#[test]
fn another_user_is_told_what_to_do() {
    let Some(scene) = Scene::new(|_| status(202)) else { return };
    let _agent = scene.run(&[]);
    // Where that user gets at the program, and could get at the socket but for its mode.
    let program = scene.dir.join("chouette-iot");
    std::fs::copy(agent::binary(), &program).unwrap();
    std::fs::set_permissions(scene.dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(program);
    command.arg("status").env_clear().env("STATUS_SOCKET", scene.socket()).current_dir("/").uid(NOBODY);
    let Ok(output) = command.output() else { return support::skip("to be another user needs root") };
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("Permission denied") && said.contains("sudo chouette-iot status"), "{said}");
}

#[test]
fn an_answer_that_is_none_is_not_taken_for_one() {
    let dir = TempDir::new();
    let socket = dir.join("status.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let answers = [("", "did not answer: too many ask"), ("{\"advances\":true", "cannot be read: not JSON")];
    let serving = std::thread::spawn(move || {
        for (answer, _) in answers {
            listener.accept().unwrap().0.write_all(answer.as_bytes()).unwrap();
        }
    });
    for (_, problem) in answers {
        let output = ask(socket.to_str().unwrap(), &[]);
        let said = stdout(&output) + &stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(problem), "{said}");
    }
    serving.join().unwrap();
}

/// As in a container whose root is read-only, which is what the manifests ask for.
#[test]
fn a_read_only_run_is_no_obstacle() {
    let Some(scene) = Scene::new(|_| status(202)) else { return };
    let place = format!("/run/chouette-iot-test-{}/status.sock", std::process::id());
    let apart = |words: &[&str]| {
        let mut command = Command::new("unshare");
        let setup = "mount -t tmpfs -o ro tmpfs /run && exec \"$@\"";
        command.args(["--mount", "sh", "-c", setup, "sh"]).args(words).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command
    };
    if !apart(&["true"]).status().is_ok_and(|status| status.success()) {
        return support::skip("a mount of one's own needs root");
    }
    let binary = agent::binary();
    let program = binary.to_str().unwrap();
    let agent = Agent::start(apart(&[program, "run"]).envs(scene.env(&[("STATUS_SOCKET", &place)])));
    assert!(agent.wait_for_line(SOON, "stands in"), "{}", agent.stderr());
    assert!(agent.stderr().contains("Read-only file system") || agent.stderr().contains("No such file"));
    let output = apart(&[program, "status"]).env("STATUS_SOCKET", &place).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
}

#[test]
fn only_one_variable_counts_and_a_file_may_hold_it() {
    let Some(scene) = Scene::new(|_| status(202)) else { return };
    let _agent = scene.run(&[]);
    let socket = scene.socket().display().to_string();
    let file = scene.dir.write("agent.env", &format!("STATUS_SOCKET={socket}\nAGGREGATE_INTERVAL=soon\n"));
    let status = |env: &[(&str, &str)], arguments: &[&str]| {
        let mut command = Command::new(agent::binary());
        command.arg("status").args(arguments).env_clear().envs(env.iter().copied()).output().unwrap()
    };
    let output = status(&[("RELEASE_INTERVAL", "0")], &["--env-file", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let output = status(&[("STATUS_SOCKET", "here")], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("STATUS_SOCKET=here"), "{}", stderr(&output));
    let output = status(&[("STATUS_SOCKET", "none"), ("API_KEY", API_KEY)], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("STATUS_SOCKET=none"), "{}", stderr(&output));
}

#[test]
fn a_reload_moves_the_socket() {
    let Some(scene) = Scene::new(|_| status(202)) else { return };
    let (first, second) = (scene.dir.join("first"), scene.dir.join("second"));
    let file = |path: &std::path::Path| {
        scene.dir.write("agent.env", &format!("STATUS_SOCKET={}\n", path.display())).display().to_string()
    };
    let mut env = scene.env(&[]);
    env.retain(|(name, _)| name != "STATUS_SOCKET");
    let agent = Agent::spawn(&["run", "--env-file", &file(&first)], &env);
    assert!(wait_until(SOON, || listens(&first)), "{}", agent.stderr());
    file(&second);
    agent.signal("HUP");
    assert!(wait_until(SOON, || listens(&second) && !first.exists()), "{}", agent.stderr());
    assert_eq!(ask(second.to_str().unwrap(), &[]).status.code(), Some(0));
    scene.dir.write("agent.env", "STATUS_SOCKET=none\n");
    agent.signal("HUP");
    assert!(wait_until(SOON, || !second.exists()), "{}", agent.stderr());
}
