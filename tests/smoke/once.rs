//! One whole run: from Redis through the pipeline and TLS to the intake.

use super::support::agent::{self, Agent, Env};
use super::support::behaviour::status;
use super::support::intake::Intake;
use super::support::queues::{LOGS, RAW, log_record, raw_record};
use super::support::redis::RedisServer;
use super::support::store::Store;
use super::support::tls::Pki;
use super::support::{SOON, unix_now};

/// What stands at both ends of a run, with records waiting in Redis.
pub struct Ends {
    pub redis: RedisServer,
    pub intake: Intake,
    pub pki: Pki,
}

impl Ends {
    /// None where there is no Redis.
    pub fn new() -> Option<Ends> {
        let redis = RedisServer::start()?;
        let pki = Pki::new();
        let intake = Intake::start_tls(&pki, |_| status(202));
        let mut client = redis.client();
        let at = unix_now() as f64 - 60.0;
        for (i, (kind, value)) in [("count", "2.5"), ("count", "4"), ("gauge", "-7")].iter().enumerate() {
            let record = raw_record(&format!("smoke.{kind}"), kind, value, at, &[("board", "this")]);
            client.push(RAW, &format!("record-{i}"), Some(at), Some(record.as_bytes()));
        }
        let log = log_record("\"it runs\"", &["board:this"], "");
        client.push(LOGS, "log-0", Some(at), Some(log.as_bytes()));
        Some(Ends { redis, intake, pki })
    }

    /// The environment of the agent, which reaches both ends at `host` and trusts the CA in `ca_file`.
    pub fn env(&self, host: &str, ca_file: &str) -> Env {
        let intake = self.intake.url_of(host);
        agent::with(
            agent::env(&self.redis.url().replace("127.0.0.1", host), &self.intake),
            &[
                ("DATADOG_URL", &intake),
                ("DATADOG_LOGS_URL", intake.trim_end_matches("/api")),
                ("SSL_CERT_FILE", ca_file),
            ],
        )
    }

    /// Fails unless all that waited in Redis has arrived, and nothing waits any more.
    pub fn assert_delivered(&self, agent: &Agent) {
        let requests = self.intake.requests();
        let (logs, metrics): (Vec<_>, Vec<_>) =
            requests.into_iter().partition(|request| request.text.contains("it runs"));
        assert_eq!(logs.len(), 1, "{}", agent.stderr());
        let store = Store::acknowledged(&metrics);
        assert_eq!(
            (store.sum("smoke.count"), store.sum("smoke.gauge")),
            (6.5, -7.0),
            "{store:?}\n{}",
            agent.stderr()
        );
        let mut client = self.redis.client();
        // The queues are empty and the lease is given back; which seconds of the count were delivered is remembered.
        assert_eq!(client.run::<Vec<String>>(&["KEYS", "chouette:*"]), ["chouette:metrics:delivered"]);
    }
}

#[test]
fn it_says_its_version() {
    let mut agent = Agent::spawn(&["--version"], &Env::new());
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    assert_eq!(agent.stdout(), format!("chouette-iot {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn what_waits_in_redis_goes_out_over_tls() {
    let Some(ends) = Ends::new() else {
        return;
    };
    let ca_file = ends.pki.ca_file();
    let mut agent = Agent::run_once(&ends.env("127.0.0.1", ca_file.to_str().unwrap()));
    assert_eq!(agent.wait(SOON), Some(0), "{}", agent.stderr());
    ends.assert_delivered(&agent);
}

#[test]
fn the_roots_it_brings_do_not_know_a_private_authority() {
    let Some(ends) = Ends::new() else {
        return;
    };
    let mut env = ends.env("127.0.0.1", "");
    env.retain(|(name, _)| name != "SSL_CERT_FILE");
    let mut agent = Agent::run_once(&env);
    assert_eq!(agent.wait(SOON), Some(1), "{}", agent.stderr());
    assert!(agent.stderr().contains("certificate"), "{}", agent.stderr());
    assert_eq!(ends.intake.requests().len(), 0);
}
