//! DogStatsD through the real binary: datagrams on both kinds of sockets, Datadog's own client, and what the intake
//! gets of it.
#![allow(clippy::unwrap_used)]

mod client;
mod release;
mod sockets;
#[path = "../support/mod.rs"]
mod support;

use support::agent::{self, Agent, Env};
use support::intake::{Intake, Request};
use support::json::{self, Value};
use support::redis::RedisServer;
use support::temp::TempDir;
use support::{SOON, wait_until};

use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::Arc;

/// Redis, an intake, and an agent that receives on both sockets.
struct Scene {
    redis: RedisServer,
    intake: Intake,
    dir: TempDir,
    port: u16,
}

impl Scene {
    fn new(intake: Intake) -> Option<Scene> {
        let redis = RedisServer::start()?;
        Some(Scene { redis, intake, dir: TempDir::new(), port: free_udp_port() })
    }

    fn socket(&self) -> PathBuf {
        self.dir.join("dsd.socket")
    }

    fn env(&self, changes: &[(&str, &str)]) -> Env {
        let (port, socket) = (self.port.to_string(), self.socket().display().to_string());
        let env = agent::with(
            agent::env(&self.redis.url(), &self.intake),
            &[("DOGSTATSD_PORT", &port), ("DOGSTATSD_SOCKET", &socket)],
        );
        agent::with(env, changes)
    }

    /// An agent that receives.
    fn run(&self, changes: &[(&str, &str)]) -> Agent {
        let agent = Agent::run(&self.env(changes));
        assert!(agent.wait_for_line(SOON, &format!("receiving on {}", self.socket().display())));
        agent
    }

    fn send_udp(&self, datagram: &str) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.send_to(datagram.as_bytes(), (Ipv4Addr::LOCALHOST, self.port)).unwrap();
    }

    fn send_unix(&self, datagram: &str) {
        UnixDatagram::unbound().unwrap().send_to(datagram.as_bytes(), self.socket()).unwrap();
    }

    /// Requests to the end of a path that were accepted.
    fn accepted(&self, path: &str) -> Vec<Arc<Request>> {
        let all = self.intake.requests().into_iter();
        all.filter(|request| request.acknowledged && request.path.ends_with(path)).collect()
    }

    /// The sum of all points of a metric, wherever its tags differ.
    fn sum(&self, metric: &str) -> f64 {
        let requests = self.accepted("/v1/series");
        let points = requests.iter().flat_map(|request| request.series()).filter(|s| is_named(s, metric));
        points
            .flat_map(|series| json::items(json::get(series, "points")))
            .map(|point| json::number(json::items(Some(point)).get(1)).unwrap())
            .sum()
    }

    fn wait_for_sum(&self, metric: &str, sum: f64) {
        let there = wait_until(SOON, || json::close(self.sum(metric), sum));
        assert!(there, "{metric}: {} instead of {sum}", self.sum(metric));
    }
}

fn is_named(series: &Value, metric: &str) -> bool {
    json::text(json::get(series, "metric")) == Some(metric)
}

fn free_udp_port() -> u16 {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
