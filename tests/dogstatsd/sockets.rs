//! The sockets: who may send what, what becomes of the file, and what the kernel has no room for.

use super::*;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};

#[test]
fn what_is_sent_to_either_socket_arrives_and_a_bad_message_costs_only_itself() {
    let Some(scene) = Scene::new(Intake::accepting()) else { return };
    let _agent = scene.run(&[("SEND_SELF_METRICS", "true")]);
    scene.send_udp("a.count:1|c\nrubbish\na.count:2|c|@0.5");
    scene.send_unix("a.count:3|c|#x\n\na.count:oops|c");
    scene.send_udp("");
    scene.wait_for_sum("a.count", 8.0);
    scene.wait_for_sum("chouette.dogstatsd.received", 5.0);
    scene.wait_for_sum("chouette.dogstatsd.bad", 2.0);
}

#[test]
fn a_datagram_that_is_too_long_loses_its_last_message() {
    let Some(scene) = Scene::new(Intake::accepting()) else { return };
    let _agent = scene.run(&[("SEND_SELF_METRICS", "true")]);
    let mut datagram = "a.count:1|c\n".repeat(700);
    assert!(datagram.len() > chouette_iot::limits::dogstatsd::DATAGRAM_BYTES_MAX);
    datagram.truncate(8_400);
    scene.send_udp(&datagram);
    let whole = chouette_iot::limits::dogstatsd::DATAGRAM_BYTES_MAX / "a.count:1|c\n".len();
    scene.wait_for_sum("a.count", whole as f64);
    scene.wait_for_sum("chouette.dogstatsd.bad", 1.0);
}

#[test]
fn all_may_write_to_the_file_of_the_socket_and_it_goes_with_the_agent() {
    let Some(scene) = Scene::new(Intake::accepting()) else { return };
    // One that a crash has left.
    drop(UnixDatagram::bind(scene.socket()).unwrap());
    let mut agent = scene.run(&[]);
    let metadata = std::fs::symlink_metadata(scene.socket()).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o722);
    scene.send_unix("a.count:1|c");
    agent.signal("TERM");
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    assert!(!scene.socket().exists());
    let kept = scene.redis.client().records("chouette:metrics:wrapped");
    let released = scene.sum("a.count");
    assert!(
        released == 1.0 || kept.iter().any(|record| record.contains("a.count")),
        "the last second is kept"
    );
}

#[test]
fn a_socket_that_is_taken_or_no_socket_stops_the_start() {
    let Some(scene) = Scene::new(Intake::accepting()) else { return };
    let taken = UnixDatagram::bind(scene.socket()).unwrap();
    let mut agent = Agent::run(&scene.env(&[]));
    assert_eq!(agent.wait(SOON), Some(1));
    assert!(agent.stderr().contains("another program receives there"), "{}", agent.stderr());
    drop(taken);
    std::fs::remove_file(scene.socket()).unwrap();
    std::fs::write(scene.socket(), "a file").unwrap();
    let mut agent = Agent::run(&scene.env(&[]));
    assert_eq!(agent.wait(SOON), Some(1));
    assert_eq!(std::fs::read_to_string(scene.socket()).unwrap(), "a file");
    std::fs::remove_file(scene.socket()).unwrap();
    let _taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, scene.port)).unwrap();
    let mut agent = Agent::run(&scene.env(&[]));
    assert_eq!(agent.wait(SOON), Some(1));
    assert!(agent.stderr().contains(&format!("cannot receive on 127.0.0.1:{}", scene.port)));
    assert!(!scene.socket().exists());
}

#[test]
fn a_reload_leaves_the_sockets_open_and_moves_them_where_they_are_to_be() {
    let Some(mut scene) = Scene::new(Intake::accepting()) else { return };
    let text = |scene: &Scene| -> String {
        scene.env(&[]).iter().map(|(name, value)| format!("{name}='{value}'\n")).collect()
    };
    let file = scene.dir.write("env", &text(&scene));
    let agent = Agent::spawn(&["run", "--env-file", file.to_str().unwrap()], &Vec::new());
    assert!(agent.wait_for_line(SOON, "receiving on"));
    scene.send_udp("before:1|c");
    agent.signal("HUP");
    scene.send_udp("before:1|c");
    scene.wait_for_sum("before", 2.0);
    assert_eq!(agent.stderr().matches("receiving on 127").count(), 1, "the socket stays");
    scene.port = free_udp_port();
    scene.dir.write("env", &text(&scene));
    agent.signal("HUP");
    assert!(agent.wait_for_line(SOON, &format!("receiving on 127.0.0.1:{}", scene.port)));
    scene.send_udp("after:1|c");
    scene.send_unix("after:1|c");
    scene.wait_for_sum("after", 2.0);
}

#[test]
fn what_the_kernel_has_no_room_for_is_counted() {
    let Some(scene) = Scene::new(Intake::accepting()) else { return };
    let agent = scene.run(&[("SEND_SELF_METRICS", "true")]);
    // Far more than any buffer holds, while nobody reads.
    const DATAGRAMS: usize = 30_000;
    agent.signal("STOP");
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    for _ in 0..DATAGRAMS {
        socket.send_to(b"a.count:1|c", (Ipv4Addr::LOCALHOST, scene.port)).unwrap();
    }
    agent.signal("CONT");
    assert!(wait_until(SOON, || scene.sum("a.count") > 0.0), "read again");
    // The count stands beside the datagrams that come after it.
    let complete = wait_until(SOON, || {
        scene.send_udp("b.count:0|c");
        scene.sum("a.count") + scene.sum("chouette.dogstatsd.kernel_drops") == DATAGRAMS as f64
    });
    let (came, dropped) = (scene.sum("a.count"), scene.sum("chouette.dogstatsd.kernel_drops"));
    assert!(complete && dropped > 0.0, "{came} came, {dropped} did not");
}
