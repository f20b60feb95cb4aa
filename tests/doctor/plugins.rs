//! One reading of each plugin, or why not.

use crate::support::behaviour::status;
use crate::support::intake::Intake;
use crate::support::redis::RedisServer;
use crate::support::temp::TempDir;
use crate::support::tls::Pki;
use crate::{MARK, as_nobody, examine, examine_by};
use chouette_iot::doctor::Trouble;

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;

#[test]
fn a_plugin_that_reads_is_ticked_off() {
    let told = examine(&[("COLLECTOR_PLUGINS", "host")]);
    told.expect("plugin host", "good", " values");
    assert!(!examine(&[]).checks.iter().any(|check| check.name.starts_with("plugin")));
}

#[test]
fn a_board_that_is_not_there() {
    let dir = TempDir::new();
    let root = dir.path().to_str().unwrap();
    examine(&[("COLLECTOR_PLUGINS", "host"), ("HOST_ROOT", root)]).fails(
        "plugin host",
        "proc/stat",
        Trouble::PluginOther,
    );
}

#[test]
fn dockers_socket() {
    let dir = TempDir::new();
    let path = dir.join("docker.sock");
    let vars = [("COLLECTOR_PLUGINS", "docker"), ("DOCKER_SOCKET_PATH", path.to_str().unwrap())];
    examine(&vars).fails("plugin docker", "no such file", Trouble::DockerMissing);
    let Some(nobody) = as_nobody() else { return };
    let listener = UnixListener::bind(&path).unwrap();
    set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
    set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    examine_by(&nobody, &vars).fails("plugin docker", "permission denied", Trouble::DockerDenied);
    drop(listener);
    examine(&vars).fails("plugin docker", "connection refused", Trouble::DockerMissing);
}

#[test]
fn tegrastats_that_is_missing_or_prints_nothing_known() {
    let plugin = ("COLLECTOR_PLUGINS", "tegrastats");
    let missing = ("TEGRASTATS_PATH", "/nowhere/tegrastats");
    examine(&[plugin, missing]).fails("plugin tegrastats", "no such program", Trouble::TegrastatsMissing);
    let dir = TempDir::new();
    let program = |script: &str| {
        let path = dir.write("tegrastats", &format!("#!/bin/sh\n{script}\n"));
        set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let path = program("while :; do echo 'RAM 1310/3964MB (lfb 8x4MB) CPU@38.5C'; sleep 0.2; done");
    examine(&[plugin, ("TEGRASTATS_PATH", &path)]).expect("plugin tegrastats", "good", "3 values");
    let path = program("exec sleep 100");
    let silent = [plugin, ("TEGRASTATS_PATH", &path)];
    examine(&silent).fails("plugin tegrastats", "told nothing within 10 s", Trouble::TegrastatsSilent);
}

#[test]
fn a_kubelet_that_lets_nobody_in_or_is_away() {
    let pki = Pki::new();
    let kubelet = Intake::start_tls(&pki, |_| status(401));
    let port = kubelet.port().to_string();
    let dir = TempDir::new();
    let (token, ca) = (dir.write("token", MARK), pki.ca_file());
    let vars = [
        ("COLLECTOR_PLUGINS", "k8s"),
        ("K8S_STATS_SERVICE_IP", "127.0.0.1"),
        ("K8S_STATS_SERVICE_PORT", &port),
        ("K8S_CA_PATH", ca.to_str().unwrap()),
    ];
    let with_token = |path: &str| examine(&[&vars[..], &[("K8S_TOKEN_PATH", path)]].concat());
    for code in [401, 403] {
        kubelet.behave(move |_| status(code));
        let told = with_token(token.to_str().unwrap());
        told.fails("plugin k8s", &format!("answered {code}"), Trouble::KubeletDenied);
    }
    assert!(kubelet.requests().iter().all(|request| request.header("authorization").is_some()));
    with_token("/nowhere/token").fails("plugin k8s", "/nowhere/token", Trouble::KubeletToken);
    drop(kubelet);
    with_token(token.to_str().unwrap()).fails("plugin k8s", "", Trouble::KubeletAway);
}

#[test]
fn queues_of_dramatiq_that_may_not_be_read() {
    let Some(redis) = RedisServer::start() else { return };
    let mut client = redis.client();
    client.run::<()>(&["HSET", "dramatiq:mail.msgs", "1", "message"]);
    let url = redis.url();
    let vars = [("COLLECTOR_PLUGINS", "dramatiq"), ("REDIS_URL", url.as_str())];
    examine(&vars).expect("plugin dramatiq", "good", "1 value");
    client.run::<()>(&["ACL", "SETUSER", "pi", "on", ">hunter2", "~chouette:*", "+@all", "-scan"]);
    let user = [("REDIS_USERNAME", "pi"), ("REDIS_PASSWORD", MARK)];
    let told = examine(&[&vars[..], &user].concat());
    told.fails("plugin dramatiq", "no permissions", Trouble::DramatiqRights);
}
