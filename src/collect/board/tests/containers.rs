//! Containers: where engines put them, and where nothing is looked for.

use super::{bad, good, read};
use crate::collect::board::Group;
use crate::collect::fake::FakeBoard;
use crate::limits::board::{CONTAINERS_MAX, DEPTH_MAX, GROUPS_MAX};

const CONTROLLERS: (&str, &str) = ("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");

fn id(number: usize) -> String {
    format!("{number:012x}{}", "f".repeat(52))
}

/// A board with these groups, each with 5 bytes and 7 µs.
fn board(groups: &[String]) -> FakeBoard {
    let mut board = FakeBoard::new(&[CONTROLLERS]);
    for group in groups {
        let file = |name| format!("sys/fs/cgroup/{group}/{name}");
        board.files.insert(file("memory.current"), "5\n".to_owned());
        board.files.insert(file("cpu.stat"), "usage_usec 7\nuser_usec 3\nsystem_usec 4\n".to_owned());
        board.files.insert(file("cgroup.procs"), String::new());
    }
    board
}

/// The ids that are found below the root.
fn found(groups: &[String]) -> Vec<String> {
    let (gauges, error) = read(Group::Containers, &board(groups));
    assert_eq!(error, "");
    let ids = |name: &str| -> Vec<String> {
        let tag = |gauge: &str| Some(gauge.strip_prefix(name)?.split([':', ']']).nth(1)?.to_owned());
        gauges.split(' ').filter_map(tag).collect()
    };
    let memory = ids("container.memory.usage[");
    assert_eq!(memory, ids("container.cpu.usage["));
    memory
}

#[test]
fn memory_and_processor_time_under_the_short_id() {
    let (gauges, error) = read(Group::Containers, &board(&[format!("system.slice/docker-{}.scope", id(10))]));
    assert_eq!(
        gauges,
        "container.memory.usage[container:00000000000a]=5 container.cpu.usage[container:00000000000a]=7"
    );
    assert_eq!(error, "");
}

#[test]
fn every_engine_puts_them_somewhere_else() {
    for place in [
        "system.slice/docker-ID.scope",
        "docker/ID",
        "system.slice/nerdctl-ID.scope",
        "machine.slice/libpod-ID.scope",
        "libpod_parent/libpod-ID",
        "user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope",
        "user.slice/user-1000.slice/user@1000.service/app.slice/docker-ID.scope",
        "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1_2.slice/cri-containerd-ID.scope",
        "kubepods.slice/kubepods-pod1_2.slice/crio-ID.scope",
        "kubepods/burstable/pod1-2/ID",
    ] {
        assert_eq!(found(&[place.replace("ID", &id(10))]), ["00000000000a"], "{place}");
    }
}

#[test]
fn what_looks_like_one_and_is_none() {
    for place in [
        format!("system.slice/libpod-conmon-{}.scope", id(1)),
        format!("system.slice/docker-{}", &id(1)[1..]),
        format!("system.slice/docker-{}0.scope", id(1)),
        format!("system.slice/docker-{}.scope", id(1).to_uppercase()),
        format!("system.slice/docker-{}.mount", id(1)),
        format!("system.slice/docker-{}é.scope", &id(1)[2..]),
        format!("system.slice/docker.service/docker-{}.scope", id(1)),
    ] {
        assert_eq!(found(std::slice::from_ref(&place)), [""; 0], "{place}");
    }
    // Nothing inside a container is looked at, and one that is met twice counts once.
    let outer = format!("docker/{}", id(1));
    let again = format!("system.slice/docker-{}.scope", id(1));
    let inner = format!("{outer}/docker/{}", id(2));
    assert_eq!(found(&[outer, inner, again]), ["000000000001"]);
}

#[test]
fn control_groups_of_version_1_have_nothing_to_be_found() {
    let id = id(1);
    let memory = format!("sys/fs/cgroup/memory/docker/{id}/memory.usage_in_bytes");
    let cpu = format!("sys/fs/cgroup/unified/docker/{id}/cpu.stat");
    assert_eq!(good(Group::Containers, &[(&memory, "5"), (&cpu, "usage_usec 7")]), "");
}

#[test]
fn what_the_kernel_keeps_no_account_of_is_missing_and_nothing_else() {
    let group = format!("sys/fs/cgroup/docker/{}", id(1));
    let (stat, memory) = (format!("{group}/cpu.stat"), format!("{group}/memory.current"));
    let cpu = "container.cpu.usage[container:000000000001]=7";
    assert_eq!(good(Group::Containers, &[CONTROLLERS, (&stat, "usage_usec 7")]), cpu);
    let odd = FakeBoard::new(&[CONTROLLERS, (&stat, "usage_usec 7"), (&memory, "max")]);
    assert_eq!(read(Group::Containers, &odd).0, cpu);
    let error = bad(Group::Containers, &[CONTROLLERS, (&stat, "nr_periods 0")]);
    assert!(error.ends_with("usage_usec is missing"), "{error}");
    // It ended while it was looked at: ENODEV.
    let mut ended = FakeBoard::new(&[CONTROLLERS, (&stat, "usage_usec 7")]);
    ended.failing.insert(stat, 19);
    assert_eq!(read(Group::Containers, &ended), Default::default());
}

#[test]
fn containers_are_bounded() {
    let groups: Vec<String> = (0..=CONTAINERS_MAX).map(|n| format!("docker/{}", id(n))).collect();
    let (gauges, error) = read(Group::Containers, &board(&groups));
    assert_eq!(gauges.split(' ').count(), 2 * CONTAINERS_MAX);
    assert_eq!(error, format!("sys/fs/cgroup: only the first {CONTAINERS_MAX} containers are read"));
    assert_eq!(found(&groups[1..]).len(), CONTAINERS_MAX);
}

#[test]
fn groups_that_are_searched_are_bounded() {
    // The root is one of them.
    let groups = |count: usize| (1..count).map(|n| format!("pod{n}")).collect::<Vec<_>>();
    assert_eq!(read(Group::Containers, &board(&groups(GROUPS_MAX))).1, "");
    let error = read(Group::Containers, &board(&groups(GROUPS_MAX + 1))).1;
    assert_eq!(error, format!("sys/fs/cgroup: only the first {GROUPS_MAX} groups are read"));
}

#[test]
fn the_depth_is_bounded() {
    let at = |depth| format!("{}{}", "pod/".repeat(depth), id(1));
    assert_eq!(found(&[at(DEPTH_MAX)]).len(), 1);
    assert_eq!(found(&[at(DEPTH_MAX + 1)]).len(), 0);
}
