//! Names and connections.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;

use rustls::pki_types::CertificateDer;
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
    #[inline(never)]
    pub(super) fn name(&mut self, what: &str, endpoint: &Endpoint, known: &mut Vec<(String, bool)>) -> bool {
        let Some((host, port)) = first_peer(endpoint) else { return true };
        if literal(host).is_some() {
            return true;
        }
        for (name, has_address) in &*known {
            if name == host {
                return *has_address;
            }
        }
        self.output.begin("name ", what);
        let answer = self.look_up(host, port);
        let has_address = answer.is_ok();
        let found = match answer {
            Ok(addresses) => {
                let mut detail = host.to_owned();
                for (at, address) in addresses.iter().enumerate() {
                    detail.push_str(if at == 0 { ": " } else { ", " });
                    detail.push_str(&address.ip().to_string());
                }
                Finding::good(detail)
            }
            Err(error) => {
                let trouble = match &error {
                    ResolveError::Refused { what, .. } => judge::name_refusal(what),
                    ResolveError::TimedOut { .. } => Trouble::NameServer,
                    ResolveError::Child { .. } => Trouble::NoResolver,
                };
                Finding::bad(self.foreign(&error), trouble)
            }
        };
        self.output.end(found);
        known.push((host.to_owned(), has_address));
        has_address
    }

    fn look_up(&mut self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
        let mut now = clock::now().mono;
        let mut lookup =
            Lookup::start(host, port, Path::new(THIS_PROGRAM), TOKEN, self.poll.registry(), now)?;
        loop {
            if let Some(answer) = lookup.drive(now) {
                lookup.close(self.poll.registry());
                return answer;
            }
            now = self.wait(None, lookup.deadline());
        }
    }

    /// Dials, and tells of each step: TCP, proxy, TLS. Whether the connection was opened.
    #[inline(never)]
    pub(super) fn reach(&mut self, what: &str, endpoint: &Endpoint, has_address: bool) -> bool {
        let mut left = steps(endpoint);
        let is_open = has_address && self.dial(what, endpoint, &mut left);
        let why = match has_address {
            true => "no connection",
            false => "no address",
        };
        for (_, step) in left {
            self.output.skip(step, what, why);
        }
        is_open
    }

    /// Takes what was tried off what is left to do; whether all of it went well.
    fn dial(&mut self, what: &str, endpoint: &Endpoint, left: &mut &[(Stage, &str)]) -> bool {
        let mut now = clock::now().mono;
        self.begin_step(what, left);
        let mut connection = Connection::dial(endpoint, TOKEN, self.poll.registry(), now);
        let mut ends = limit(now);
        loop {
            let seen = connection.stage();
            let progress = connection.drive(self.poll.registry(), now);
            let stage = match &progress {
                Progress::Failed(error) => stage_of(error, endpoint, seen),
                _ => connection.stage(),
            };
            // The name was looked up once more, which is told of elsewhere.
            if seen == Stage::Resolving {
                self.output.begin_anew();
            }
            // What lies behind us went well.
            while let [(step, _), behind @ ..] = *left
                && *step < stage
            {
                let found = self.step_taken(*step, &connection, endpoint);
                self.output.end(found);
                *left = behind;
                ends = limit(now);
                self.begin_step(what, left);
            }
            let failed = match progress {
                Progress::Open => return true,
                Progress::Failed(error) => self.failed_step(&error, stage),
                // With many addresses, one after the other would take too long.
                Progress::Waiting if now >= ends => {
                    Finding::bad(format!("no connection within {CHECK_S} s"), Trouble::NoWay)
                }
                Progress::Waiting => {
                    now = self.wait(connection.deadline(), ends);
                    continue;
                }
            };
            self.output.end(failed);
            *left = left.get(1..).unwrap_or_default();
            return false;
        }
    }

    fn begin_step(&mut self, what: &str, left: &[(Stage, &str)]) {
        if let Some((_, step)) = left.first() {
            self.output.begin(step, what);
        }
    }

    #[inline(never)]
    fn step_taken(&self, step: Stage, connection: &Connection, endpoint: &Endpoint) -> Finding {
        let address = text_of(&endpoint.address);
        match (step, connection.tls()) {
            (Stage::Handshaking, Some((version, chain))) => self.tls(version, chain),
            (Stage::Tunnelling, _) => Finding::good(["lets through to ", &address].concat()),
            _ => Finding::good(match first_peer(endpoint) {
                Some((host, port)) => format!("{host}:{port}"),
                None => address,
            }),
        }
    }

    fn tls(&self, version: ProtocolVersion, chain: &[CertificateDer<'static>]) -> Finding {
        let version = match version {
            ProtocolVersion::TLSv1_3 => "TLS 1.3",
            _ => "TLS 1.2",
        };
        let now_s = clock::now().wall_s as u64;
        let (mut first, mut until_s) = (None, u64::MAX);
        for certificate in chain {
            let Some(facts) = facts(certificate) else { continue };
            // One that has ended was not needed: without it the chain was accepted.
            if facts.not_after_s >= now_s {
                until_s = until_s.min(facts.not_after_s);
            }
            first.get_or_insert(facts);
        }
        let Some(first) = first.filter(|_| until_s < u64::MAX) else { return Finding::good(version) };
        let issuer = self.foreign(&first.issuer.as_deref().unwrap_or("?"));
        let detail = format!("{version}, from {issuer}, until {}", date(until_s));
        match until_s - now_s < CERTIFICATE_DAYS * 86_400 {
            true => Finding::warning(detail, Trouble::CertificateSoon),
            false => Finding::good(detail),
        }
    }

    #[inline(never)]
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
                return Finding::bad(self.foreign(&detail), trouble);
            }
            _ if stage == Stage::Tunnelling => Trouble::ProxySilent,
            _ => Trouble::TlsOther,
        };
        Finding::bad(self.foreign(error), trouble)
    }
}

/// What has to be done one after the other: the stage it is done in, and what it is called.
fn steps(endpoint: &Endpoint) -> &'static [(Stage, &'static str)] {
    const SOCKET: (Stage, &str) = (Stage::Connecting, "socket ");
    const TCP: (Stage, &str) = (Stage::Connecting, "tcp ");
    const PROXY: (Stage, &str) = (Stage::Tunnelling, "proxy ");
    const TLS: (Stage, &str) = (Stage::Handshaking, "tls ");
    match (&endpoint.address, endpoint.proxy.is_some(), endpoint.tls.is_some()) {
        (Address::Unix(_), ..) => &[SOCKET],
        (_, true, true) => &[TCP, PROXY, TLS],
        (_, true, false) => &[TCP, PROXY],
        (_, false, true) => &[TCP, TLS],
        (_, false, false) => &[TCP],
    }
}

/// Where an error belongs; `seen` is the stage before.
#[inline(never)]
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
    let (words, at, trouble) = match error {
        CertificateError::ExpiredContext { not_after, .. } => {
            ("ended on ", not_after, Trouble::CertificateExpired)
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            ("begins on ", not_before, Trouble::CertificateNotYet)
        }
        CertificateError::UnknownIssuer => {
            return (
                "certificate from an authority that is not known".to_owned(),
                Trouble::CertificateIssuer,
            );
        }
        CertificateError::NotValidForNameContext { .. } => {
            return (error.to_string(), Trouble::CertificateName);
        }
        CertificateError::Other(_) => {
            return (format!("certificate refused: {error}"), Trouble::CertificateSelf);
        }
        _ => return (format!("certificate refused: {error}"), Trouble::CertificateIssuer),
    };
    let here = date(clock::now().wall_s as u64);
    (["certificate ", words, &date(at.as_secs()), ", and here it is ", &here].concat(), trouble)
}
