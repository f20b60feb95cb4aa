//! All of it at once.

use super::plugins::{Hanging, SILENT};
use super::redis::stand_still;
use super::scene::{FAULT, Scene};
use crate::support::behaviour::status;
use crate::support::bench::Bench;
use crate::support::namespace::{HOLE, inside};
use std::time::Duration;

#[test]
fn everything_at_once() {
    inside(|namespace| {
        let Some(bench) = Bench::new(|_| status(202)) else { return };
        let hanging = Hanging::new();
        let url = bench.intake.url_of("intake.example");
        let logs = format!("https://{HOLE}:443");
        let (docker, program) = (hanging.docker_socket(), hanging.program(SILENT));
        let (port, token) = (hanging.kubelet_port(), hanging.token());
        let changes = [
            ("DATADOG_URL", url.as_str()),
            ("DATADOG_LOGS_URL", logs.as_str()),
            ("COLLECTOR_PLUGINS", "docker,dramatiq,k8s,tegrastats,host"),
            ("DOCKER_SOCKET_PATH", docker.as_str()),
            ("K8S_STATS_SERVICE_IP", "127.0.0.1"),
            ("K8S_STATS_SERVICE_PORT", port.as_str()),
            ("K8S_TOKEN_PATH", token.as_str()),
            ("TEGRASTATS_PATH", program.as_str()),
            ("SEND_SELF_METRICS", "true"),
        ];
        let record = crate::support::queues::log_record("\"text\"", &[], "");
        let now = crate::support::unix_now() as f64;
        bench.redis.client().push(crate::support::queues::LOGS, "log", Some(now), Some(record.as_bytes()));
        let mut scene = Scene::with(bench, &changes);
        scene.live(FAULT);
        stand_still(&mut scene, FAULT + Duration::from_secs(5));
        for felt in
            ["name intake.example: no answer", "no answer to the TLS handshake", "redis did not reply"]
        {
            scene.hears(felt);
        }
        namespace.add_host("127.0.0.1", "intake.example");
        scene.ends_well("everything at once");
    });
}
