//! The way to the intake, from its name to its answer.

use super::gate::Gate;
use super::scene::{FAULT, Scene};
use crate::support::behaviour::{Behaviour, answer, status};
use crate::support::bench::Bench;
use crate::support::intake::Intake;
use crate::support::namespace::{HOLE, inside};
use crate::support::redis::RedisServer;
use crate::support::tls::Pki;
use std::time::Duration;

const WELL: Duration = Duration::from_secs(5);

#[test]
fn no_fault_to_compare_with() {
    inside(|_| {
        let Some(mut scene) = Scene::start(&[]) else { return };
        scene.live(FAULT);
        scene.ends_well("no fault");
    });
}

#[test]
fn the_name_server_is_dead() {
    inside(|namespace| {
        let Some(bench) = Bench::new(|_| status(202)) else { return };
        let url = bench.intake.url_of("intake.example");
        let mut scene = Scene::with(bench, &[("DATADOG_URL", &url)]);
        scene.live(FAULT);
        scene.hears("name intake.example: no answer within 10 s");
        namespace.add_host("127.0.0.1", "intake.example");
        scene.ends_well("dead DNS");
    });
}

#[test]
fn packets_vanish() {
    inside(|namespace| {
        let Some(bench) = Bench::new(|_| status(202)) else { return };
        let gate = Gate::in_front_of(bench.intake.port(), u64::MAX);
        let url = format!("http://{HOLE}:{}/api", gate.port());
        let mut scene = Scene::with(bench, &[("DATADOG_URL", &url)]);
        scene.live(FAULT);
        scene.hears(": no answer within 10 s");
        assert_eq!(gate.connections(), 0);
        namespace.fill_hole();
        scene.ends_well("SYN black hole");
    });
}

#[test]
fn tls_gets_no_answer() {
    inside(|_| tls("TLS: no answer to the ClientHello", 0));
}

#[test]
fn tls_stops_half_way() {
    const SERVER_HELLO_BYTES: u64 = 128;
    inside(|_| tls("TLS: silence after the ServerHello", SERVER_HELLO_BYTES));
}

fn tls(fault: &str, bytes_back: u64) {
    let Some(redis) = RedisServer::start() else { return };
    let pki = Pki::new();
    let intake = Intake::start_tls(&pki, |_| status(202));
    let gate = Gate::in_front_of(intake.port(), bytes_back);
    let url = format!("https://127.0.0.1:{}/api", gate.port());
    let trust = pki.ca_file();
    let changes = [("DATADOG_URL", url.as_str()), ("SSL_CERT_FILE", &trust.to_string_lossy())];
    let mut scene = Scene::with(Bench { redis, intake }, &changes);
    scene.live(FAULT);
    scene.hears("no answer to the TLS handshake within 10 s");
    gate.open();
    scene.ends_well(fault);
}

#[test]
fn the_intake_falls_silent() {
    inside(|_| {
        let Some(mut scene) = Scene::start(&[]) else { return };
        scene.live(WELL);
        scene.bench.intake.behave(|_| Behaviour::Hang);
        scene.live(FAULT);
        scene.hears(" took longer than 20 s");
        scene.bench.intake.behave(|_| status(202));
        scene.ends_well("silent HTTP server");
    });
}

#[test]
fn the_intake_answers_a_byte_a_second() {
    inside(|_| {
        let Some(mut scene) = Scene::start(&[]) else { return };
        scene.live(WELL);
        scene.bench.intake.behave(|_| Behaviour::Trickle(answer(202), Duration::from_secs(1)));
        let before = scene.bench.intake.requests().len();
        scene.live(FAULT);
        let during = scene.bench.intake.requests().len() - before;
        assert!((1..=3).contains(&during), "{during} requests");
        scene.hears(" took longer than 20 s");
        scene.bench.intake.behave(|_| status(202));
        scene.ends_well("one byte a second");
    });
}
