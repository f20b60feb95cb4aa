//! Memory and processor time of containers, from control groups (version 2) alone: no engine is asked.
//!
//! ```text
//! sys/fs/cgroup/system.slice/docker-<64 digits>.scope/memory.current                                11001856
//! sys/fs/cgroup/system.slice/docker-<64 digits>.scope/cpu.stat                                      usage_usec 231319770 …
//! sys/fs/cgroup/docker/<64 digits>                                                                  Docker without systemd
//! sys/fs/cgroup/kubepods.slice/…/kubepods-besteffort-pod….slice/cri-containerd-<64 digits>.scope    Kubernetes
//! sys/fs/cgroup/kubepods/besteffort/pod…/<64 digits>                                                without systemd
//! sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-<64 digits>.scope    Podman of a user
//! ```
//!
//! A container is a group whose name ends in 64 hexadecimal digits; the tag has the first 12, as `docker ps` shows
//! them. Names and images are known to the engines only. `conmon`, which watches over a container, is none; the `pause`
//! container of a pod cannot be told from others. Nothing is searched inside a container, nor in services of the
//! system. With control groups of version 1 there is nothing to be found.
//!
//! Format: <https://docs.kernel.org/admin-guide/cgroup-v2.html>

use super::probe::Probe;
use crate::limits::board::{CONTAINERS_MAX, DEPTH_MAX, GROUPS_MAX};

/// Memory in use, caches of files too, bytes.
pub const MEMORY: &str = "Chouette.board.container.memory.usage";
/// Processor time since the container started, µs.
pub const CPU: &str = "Chouette.board.container.cpu.usage";

const ROOT: &str = "sys/fs/cgroup";
/// There is such a file in every group of version 2, and in none of version 1.
const CONTROLLERS: &str = "sys/fs/cgroup/cgroup.controllers";
const ID_DIGITS: usize = 64;
const SHORT_ID_DIGITS: usize = 12;

pub(super) fn containers(probe: &mut Probe<'_>) {
    if probe.text(CONTROLLERS).is_none() {
        return;
    }
    let mut seen: Vec<String> = Vec::new();
    let mut open = vec![(ROOT.to_owned(), 0)];
    let mut groups = 0;
    while let Some((directory, depth)) = open.pop() {
        if groups == GROUPS_MAX {
            return probe.too_many(ROOT, "groups", GROUPS_MAX);
        }
        groups += 1;
        for name in &probe.list(&directory) {
            let path = [&directory, "/", name].concat();
            if let Some(id) = container(name) {
                if seen.len() == CONTAINERS_MAX {
                    return probe.too_many(ROOT, "containers", CONTAINERS_MAX);
                }
                let tag = ["container:", id].concat();
                if !seen.contains(&tag) {
                    read(probe, &path, &tag);
                    seen.push(tag);
                }
            } else if depth < DEPTH_MAX && may_hold_containers(name) {
                open.push((path, depth + 1));
            }
        }
    }
}

/// The short id, if the group is a container's.
fn container(group: &str) -> Option<&str> {
    let name = group.strip_suffix(".scope").unwrap_or(group);
    let (engine, id) = name.rsplit_once('-').unwrap_or(("", name));
    let is_id = id.len() == ID_DIGITS && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if is_id && !engine.ends_with("conmon") { id.get(..SHORT_ID_DIGITS) } else { None }
}

/// Files of a group have a dot in their names, as services have.
fn may_hold_containers(group: &str) -> bool {
    !group.contains('.') || group.ends_with(".slice") || group.starts_with("user@")
}

fn read(probe: &mut Probe<'_>, group: &str, tag: &str) {
    if let Some(bytes) = probe.whole(&[group, "/memory.current"].concat(), 0, i64::MAX as u64) {
        probe.push_whole(MEMORY, &[tag], bytes);
    }
    if let Some(stat) = probe.text(&[group, "/cpu.stat"].concat()) {
        let usage = stat.lines().find_map(|line| line.strip_prefix("usage_usec "));
        if let Some(usec) = probe.number("usage_usec", usage.map(str::trim), 0, u64::MAX) {
            probe.push_whole(CPU, &[tag], usec);
        }
    }
}
