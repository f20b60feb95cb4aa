//! What the collectors ask keeps silent, or talks without end.

use super::scene::{FAULT, Scene};
use crate::support::namespace::inside;
use crate::support::temp::TempDir;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;

/// A server that is connected to and never answers: the kernel takes what it is sent.
pub struct Hanging {
    dir: TempDir,
    _docker: UnixListener,
    kubelet: TcpListener,
}

impl Hanging {
    pub fn new() -> Hanging {
        let dir = TempDir::new();
        let docker = UnixListener::bind(dir.join("docker.sock")).unwrap();
        Hanging { dir, _docker: docker, kubelet: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap() }
    }

    /// A program with this script.
    pub fn program(&self, script: &str) -> String {
        let path = self.dir.write("program", &format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.to_string_lossy().into_owned()
    }

    pub fn docker_socket(&self) -> String {
        self.dir.join("docker.sock").to_string_lossy().into_owned()
    }

    pub fn kubelet_port(&self) -> String {
        self.kubelet.local_addr().unwrap().port().to_string()
    }

    pub fn token(&self) -> String {
        self.dir.write("token", "t0ken").to_string_lossy().into_owned()
    }
}

pub const SILENT: &str = "exec sleep 1000";
/// As fast as a pipe takes it.
const FLOOD: &str = "exec yes 'RAM 1024/3964MB (lfb 4x4MB) CPU [10%@1479,off,off,5%@1479]'";
const FLOOD_WITHOUT_LINES: &str = "exec cat /dev/zero";

fn fault(name: &str, plugin: &str, changes: &[(&str, &str)], felt: &str) {
    let plugins = format!("{plugin},host");
    let changes = [changes, &[("COLLECTOR_PLUGINS", &plugins)]].concat();
    let Some(mut scene) = Scene::start(&changes) else { return };
    scene.live(FAULT);
    scene.hears(felt);
    scene.ends_well(name);
}

#[test]
fn docker_hangs() {
    inside(|_| {
        let hanging = Hanging::new();
        let changes = [("DOCKER_SOCKET_PATH", hanging.docker_socket())];
        fault("Docker hangs", "docker", &changes.each_ref().map(|(n, v)| (*n, v.as_str())), "docker: ");
    });
}

#[test]
fn the_kubelet_hangs() {
    inside(|_| {
        let hanging = Hanging::new();
        let (port, token) = (hanging.kubelet_port(), hanging.token());
        let changes = [
            ("K8S_STATS_SERVICE_IP", "127.0.0.1"),
            ("K8S_STATS_SERVICE_PORT", port.as_str()),
            ("K8S_TOKEN_PATH", token.as_str()),
        ];
        fault("the kubelet hangs", "k8s", &changes, "no answer to the TLS handshake");
    });
}

fn tegrastats(name: &str, script: &str, felt: &str) {
    let hanging = Hanging::new();
    let program = hanging.program(script);
    fault(name, "tegrastats", &[("TEGRASTATS_PATH", &program)], felt);
}

#[test]
fn tegrastats_is_silent() {
    inside(|_| tegrastats("tegrastats is silent", SILENT, "tegrastats"));
}

#[test]
fn tegrastats_floods() {
    inside(|_| tegrastats("tegrastats floods", FLOOD, "it prints without end"));
}

#[test]
fn tegrastats_floods_without_lines() {
    inside(|_| tegrastats("tegrastats floods, no line", FLOOD_WITHOUT_LINES, "it prints without end"));
}
