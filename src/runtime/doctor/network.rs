//! Names and connections.

use std::io::{self, ErrorKind};
use std::path::Path;

use rustls::{CertificateError, ProtocolVersion};

use super::{Doctor, TOKEN, limit};
use crate::doctor::certificate::{date, facts};
use crate::doctor::{Finding, Trouble, judge};
use crate::limits::doctor::{CERTIFICATE_DAYS, CHECK_S};
use crate::runtime::clock;
use crate::runtime::connection::{Address, Connection, ConnectionError, Endpoint, Phase, Progress, Stage};
use crate::runtime::proxy::ProxyError;
use crate::runtime::resolver::{Lookup, ResolveError, THIS_PROGRAM, literal};

/// Whom a connection is made to first: host and port.
fn first_peer(endpoint: &Endpoint) -> Option<(&str, u16)> {
    match (&endpoint.proxy, &endpoint.address) {
        (_, Address::Unix(_)) => None,
        (Some(proxy), _) => Some((&proxy.host, proxy.port)),
        (None, Address::Tcp { host, port }) => Some((host, *port)),
    }
}

fn text_of(address: &Address) -> String {
    match address {
        Address::Tcp { host, port } => format!("{host}:{port}"),
        Address::Unix(path) => path.display().to_string(),
    }
}

impl Doctor {
    /// Looks a name up, once however often it is needed; whether it has an address.
    pub(super) fn name(
        &mut self,
        what: &str,
        endpoint: &Endpoint,
        known: &mut Vec<(String, bool)>,
    ) -> io::Result<bool> {
        let Some((host, port)) = first_peer(endpoint) else { return Ok(true) };
        if literal(host).is_some() {
            return Ok(true);
        }
        if let Some((_, has_address)) = known.iter().find(|(name, _)| name == host) {
            return Ok(*has_address);
        }
        self.output.begin(&format!("name {what}"));
        let answer = self.look_up(host, port)?;
        let has_address = answer.is_ok();
        let found = match answer {
            Ok(addresses) => Finding::good(format!("{host}: {addresses}")),
            Err(error) => {
                let trouble = match &error {
                    ResolveError::Refused { what, .. } => judge::name_refusal(what),
                    ResolveError::TimedOut { .. } => Trouble::NameServer,
                    ResolveError::Child { .. } => Trouble::NoResolver,
                };
                Finding::bad(self.foreign(error), trouble)
            }
        };
        self.output.end(found);
        known.push((host.to_owned(), has_address));
        Ok(has_address)
    }

    fn look_up(&mut self, host: &str, port: u16) -> io::Result<Result<String, ResolveError>> {
        let mut now = clock::now().mono;
        let program = Path::new(THIS_PROGRAM);
        let mut lookup = match Lookup::start(host, port, program, TOKEN, self.poll.registry(), now) {
            Ok(lookup) => lookup,
            Err(error) => return Ok(Err(error)),
        };
        loop {
            if let Some(answer) = lookup.drive(now) {
                lookup.close(self.poll.registry());
                let ip = |address: &std::net::SocketAddr| address.ip().to_string();
                return Ok(answer.map(|all| all.iter().map(ip).collect::<Vec<_>>().join(", ")));
            }
            now = self.wait(None, lookup.deadline())?;
        }
    }

    /// Dials, and tells of each step: TCP, proxy, TLS. Whether the connection was opened.
    pub(super) fn reach(&mut self, what: &str, endpoint: &Endpoint, has_address: bool) -> io::Result<bool> {
        let steps = steps(endpoint);
        let name = |(_, step): &(Stage, &str)| format!("{step} {what}");
        if !has_address {
            steps.iter().for_each(|step| self.output.skip(&name(step), "no address"));
            return Ok(false);
        }
        let mut steps = steps.iter().peekable();
        if let Some(first) = steps.peek() {
            self.output.begin(&name(first));
        }
        let mut now = clock::now().mono;
        let mut connection = Connection::dial(endpoint, TOKEN, self.poll.registry(), now);
        let mut ends = limit(now);
        loop {
            let seen = connection.stage();
            let progress = connection.drive(self.poll.registry(), now);
            let error = match &progress {
                Progress::Failed(error) => Some(error),
                _ => None,
            };
            let stage = error.map_or(connection.stage(), |error| stage_of(error, endpoint, seen));
            // The name was looked up once more, which is told of elsewhere.
            if seen == Stage::Resolving {
                self.output.begin_anew();
            }
            // What lies behind us went well.
            while let Some((step, _)) = steps.next_if(|(step, _)| *step < stage) {
                let found = self.step_taken(*step, &connection, endpoint);
                self.output.end(found);
                ends = limit(now);
                if let Some(next) = steps.peek() {
                    self.output.begin(&name(next));
                }
            }
            let failed = match progress {
                Progress::Open => {
                    connection.close(self.poll.registry());
                    return Ok(true);
                }
                Progress::Failed(error) => self.failed_step(&error, stage),
                // With many addresses, one after the other would take too long.
                Progress::Waiting if now >= ends => {
                    Finding::bad(format!("no connection within {CHECK_S} s"), Trouble::NoWay)
                }
                Progress::Waiting => {
                    now = self.wait(connection.deadline(), ends)?;
                    continue;
                }
            };
            self.output.end(failed);
            steps.next();
            steps.for_each(|step| self.output.skip(&name(step), "no connection"));
            return Ok(false);
        }
    }

    fn step_taken(&self, step: Stage, connection: &Connection, endpoint: &Endpoint) -> Finding {
        match (step, connection.tls()) {
            (Stage::Handshaking, Some((version, chain))) => {
                let facts: Vec<_> = chain.iter().filter_map(|certificate| facts(certificate)).collect();
                let version = match version {
                    ProtocolVersion::TLSv1_3 => "TLS 1.3",
                    _ => "TLS 1.2",
                };
                let issuer = facts.first().and_then(|facts| facts.issuer.as_deref()).unwrap_or("?");
                let now_s = clock::now().wall_s as u64;
                // One that has ended was not needed: without it the chain was accepted.
                let ends = facts.iter().map(|facts| facts.not_after_s).filter(|end_s| *end_s >= now_s);
                let Some(until_s) = ends.min() else { return Finding::good(version) };
                let detail = format!("{version}, from {}, until {}", self.foreign(issuer), date(until_s));
                match until_s - now_s < CERTIFICATE_DAYS * 86_400 {
                    true => Finding::warning(detail, Trouble::CertificateSoon),
                    false => Finding::good(detail),
                }
            }
            (Stage::Tunnelling, _) => {
                Finding::good(format!("lets through to {}", text_of(&endpoint.address)))
            }
            _ => Finding::good(match first_peer(endpoint) {
                Some((host, port)) => format!("{host}:{port}"),
                None => text_of(&endpoint.address),
            }),
        }
    }

    fn failed_step(&self, error: &ConnectionError, stage: Stage) -> Finding {
        let trouble = match error {
            ConnectionError::Resolve(_) => Trouble::NameUnknown,
            ConnectionError::Connect { error, .. } => match error.kind() {
                ErrorKind::ConnectionRefused => Trouble::Refused,
                ErrorKind::NotFound => Trouble::SocketMissing,
                ErrorKind::PermissionDenied => Trouble::SocketDenied,
                _ => Trouble::NoWay,
            },
            ConnectionError::Proxy { error, .. } => match error {
                ProxyError::Unauthorized => Trouble::ProxyCredentials,
                ProxyError::Status(_) => Trouble::ProxyRefuses,
                ProxyError::Answer(_) | ProxyError::Closed => Trouble::ProxySilent,
            },
            ConnectionError::TimedOut { phase, .. } => match phase {
                Phase::Connect(_) => Trouble::NoWay,
                Phase::Proxy(_) => Trouble::ProxySilent,
                Phase::Tls => Trouble::TlsOther,
            },
            ConnectionError::Tls(rustls::Error::InvalidCertificate(error)) => {
                let (detail, trouble) = distrust(error);
                return Finding::bad(self.foreign(detail), trouble);
            }
            _ if stage == Stage::Tunnelling => Trouble::ProxySilent,
            _ => Trouble::TlsOther,
        };
        Finding::bad(self.foreign(error), trouble)
    }
}

/// What has to be done one after the other, and the stage it is done in.
fn steps(endpoint: &Endpoint) -> Vec<(Stage, &'static str)> {
    if let Address::Unix(_) = endpoint.address {
        return vec![(Stage::Handshaking, "socket")];
    }
    let mut steps = vec![(Stage::Connecting, "tcp")];
    steps.extend(endpoint.proxy.is_some().then_some((Stage::Tunnelling, "proxy")));
    steps.extend(endpoint.tls.is_some().then_some((Stage::Handshaking, "tls")));
    steps
}

/// Where an error belongs; `seen` is the stage before.
fn stage_of(error: &ConnectionError, endpoint: &Endpoint, seen: Stage) -> Stage {
    match error {
        ConnectionError::Resolve(_) => Stage::Resolving,
        ConnectionError::Proxy { .. } | ConnectionError::TimedOut { phase: Phase::Proxy(_), .. } => {
            Stage::Tunnelling
        }
        ConnectionError::Tls(_) | ConnectionError::Name(_) => Stage::Handshaking,
        ConnectionError::TimedOut { phase: Phase::Tls, .. } => Stage::Handshaking,
        // There was a connection. It broke in what comes then.
        ConnectionError::Closed | ConnectionError::Io(_) => match (&endpoint.proxy, &endpoint.tls) {
            (Some(_), _) if seen < Stage::Handshaking => Stage::Tunnelling,
            (_, Some(_)) => Stage::Handshaking,
            _ => Stage::Connecting,
        },
        _ => Stage::Connecting,
    }
}

/// Why a certificate is not accepted.
fn distrust(error: &CertificateError) -> (String, Trouble) {
    let here = || date(clock::now().wall_s as u64);
    match error {
        CertificateError::ExpiredContext { not_after, .. } => {
            let text =
                format!("certificate ended on {}, and here it is {}", date(not_after.as_secs()), here());
            (text, Trouble::CertificateExpired)
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            let begins = date(not_before.as_secs());
            (format!("certificate begins on {begins}, and here it is {}", here()), Trouble::CertificateNotYet)
        }
        CertificateError::UnknownIssuer => {
            ("certificate from an authority that is not known".to_owned(), Trouble::CertificateIssuer)
        }
        CertificateError::NotValidForNameContext { .. } => (error.to_string(), Trouble::CertificateName),
        CertificateError::Other(_) => (format!("certificate refused: {error}"), Trouble::CertificateSelf),
        _ => (format!("certificate refused: {error}"), Trouble::CertificateIssuer),
    }
}
