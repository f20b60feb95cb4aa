//! Where Redis is and how to log in.
//!
//! Examples: `redis://user:p%40ss@redis:6379/0`, `rediss://redis.example` (TLS), `unix:///run/redis.sock?db=1`.
//! Scheme, credentials, host, port and database are read, and of the query `db`, `username` and `password`,
//! as the Python client knows them. Format: <https://www.iana.org/assignments/uri-schemes/prov/redis>.
//!
//! Errors name the part that is wrong and never repeat it, since it may be a piece of a password.

use super::Secret;
use super::error::ValueError;
use super::value::percent_decoded;
use crate::protocol::url::{UrlError, bracketed, split_authority};
use std::fmt;

/// The port of a Redis whose address names none.
pub const REDIS_PORT: u16 = 6379;
/// Highest number of a database.
pub const REDIS_DB_MAX: u32 = 1_000_000;

/// Everything needed to reach Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisTarget {
    /// Where it listens.
    pub address: RedisAddress,
    /// The user of an access list; none is Redis' `default` user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// The number of the database.
    pub db: u32,
}

/// A socket that Redis listens at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisAddress {
    /// TCP, with TLS or without.
    Tcp {
        /// A name or an address; IPv6 without brackets.
        host: String,
        /// The port.
        port: u16,
        /// `rediss://`.
        tls: bool,
    },
    /// The path of a unix socket.
    Unix(String),
}

/// Prints the address without credentials, fit for a log line.
impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RedisAddress::Tcp { host, port, tls } => {
                let scheme = if *tls { "rediss" } else { "redis" };
                write!(f, "{scheme}://{}:{port}", bracketed(host))
            }
            RedisAddress::Unix(path) => write!(f, "unix://{path}"),
        }
    }
}

/// What a `REDIS_URL` says; what it leaves out may come from the single variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisUrl {
    /// Where Redis listens.
    pub address: RedisAddress,
    /// User, where one is named, and password.
    pub login: Option<(Option<String>, Secret)>,
    /// The database.
    pub db: Option<u32>,
}

impl RedisUrl {
    /// Takes a `REDIS_URL` apart.
    ///
    /// # Errors
    /// [`ValueError::Part`].
    pub fn parse(text: &str) -> Result<RedisUrl, ValueError> {
        let wrong = |part| Err(ValueError::Part(part));
        let Some((scheme, rest)) = text.split_once("://") else {
            return wrong("does not begin with redis://, rediss:// or unix://");
        };
        // A password may hold `?` or `/` unescaped: what stands before the last `@` is taken off first.
        let (userinfo, rest) = match rest.rsplit_once('@') {
            Some((userinfo, rest)) => (Some(userinfo), rest),
            None => (None, rest),
        };
        let (place, query) = match rest.split_once('?') {
            Some((place, query)) => (place, query),
            None => (rest, ""),
        };
        let query = Query::parse(query)?;
        let mut login = userinfo.map(parse_userinfo).transpose()?;
        if let (None, Some(password)) = (&login, query.password) {
            login = Some((query.username, password));
        }
        let (address, db) = match scheme.to_ascii_lowercase().as_str() {
            "redis" => parse_tcp(place, false)?,
            "rediss" => parse_tcp(place, true)?,
            "unix" | "redis+unix" => (parse_unix(place)?, None),
            _ => return wrong("does not begin with redis://, rediss:// or unix://"),
        };
        let db = db.or(query.db);
        Ok(RedisUrl { address, login, db })
    }
}

/// The host of `REDIS_HOST`: a name or an address, IPv6 with or without brackets.
pub fn host(text: &str) -> Result<String, ValueError> {
    let authority = match text.starts_with('[') {
        true => text.to_owned(),
        false => bracketed(text),
    };
    match split_authority(&authority) {
        Ok((host, None)) => Ok(host),
        Ok(_) | Err(_) => {
            Err(ValueError::Part("no host name or address (a port goes to REDIS_PORT, a URL to REDIS_URL)"))
        }
    }
}

/// The port of `REDIS_PORT`: a number, or what Kubernetes puts there for a service called `redis`:
/// `tcp://10.0.0.1:6379`. Of the latter the address is passed over: the service's name outlives it.
pub fn port(text: &str) -> Result<u16, ValueError> {
    let number = match text.strip_prefix("tcp://") {
        Some(authority) => split_authority(authority).ok().and_then(|(_, port)| port),
        None => crate::protocol::url::parse_port(text).ok(),
    };
    number.ok_or(ValueError::Number)
}

/// The number of a database.
pub fn db(text: &str) -> Result<u32, ValueError> {
    super::value::number(text, 0, REDIS_DB_MAX)
}

const WRONG_DB: ValueError = ValueError::Part("the database is not a number");

#[derive(Default)]
struct Query {
    db: Option<u32>,
    username: Option<String>,
    password: Option<Secret>,
}

impl Query {
    fn parse(text: &str) -> Result<Query, ValueError> {
        let mut query = Query::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(value) = percent_decoded(value) else {
                return Err(ValueError::Part("the query holds a broken % escape"));
            };
            match key {
                "db" => query.db = Some(db(&value).map_err(|_| WRONG_DB)?),
                "username" => query.username = Some(value),
                "password" => query.password = Some(Secret::new(value)),
                _ => {
                    return Err(ValueError::Part("the query knows db, username and password only"));
                }
            }
        }
        Ok(query)
    }
}

fn parse_userinfo(text: &str) -> Result<(Option<String>, Secret), ValueError> {
    let Some((user, password)) = text.split_once(':') else {
        return Err(ValueError::Part("credentials are written user:password@ or :password@"));
    };
    let (Some(user), Some(password)) = (percent_decoded(user), percent_decoded(password)) else {
        return Err(ValueError::Part("the credentials hold a broken % escape (write % as %25)"));
    };
    Ok(((!user.is_empty()).then_some(user), Secret::new(password)))
}

fn parse_tcp(place: &str, tls: bool) -> Result<(RedisAddress, Option<u32>), ValueError> {
    let (authority, path) = place.split_once('/').unwrap_or((place, ""));
    let (host, port) = split_authority(authority).map_err(|error| {
        ValueError::Part(match error {
            UrlError::NoHost => "names no host",
            UrlError::Port(_) => "the port is no number from 1 to 65535",
            _ => "the host is no name or address",
        })
    })?;
    let number = match path.trim_end_matches('/') {
        "" => None,
        number => Some(db(number).map_err(|_| WRONG_DB)?),
    };
    let port = port.unwrap_or(REDIS_PORT);
    Ok((RedisAddress::Tcp { host, port, tls }, number))
}

fn parse_unix(place: &str) -> Result<RedisAddress, ValueError> {
    match percent_decoded(place) {
        Some(path) if path.starts_with('/') => Ok(RedisAddress::Unix(path)),
        _ => Err(ValueError::Part("the path of a unix socket begins with a slash (unix:///run/redis.sock)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16, tls: bool) -> RedisAddress {
        let host = host.to_owned();
        RedisAddress::Tcp { host, port, tls }
    }

    #[test]
    fn every_form() {
        let login =
            |user: Option<&str>, password: &str| Some((user.map(str::to_owned), Secret::new(password)));
        let socket = || RedisAddress::Unix("/run/r.sock".into());
        for (text, address, login, db) in [
            ("redis://h", tcp("h", 6379, false), None, None),
            ("redis://h/", tcp("h", 6379, false), None, None),
            ("REDIS://h:1/3", tcp("h", 1, false), None, Some(3)),
            ("rediss://h:6380/0", tcp("h", 6380, true), None, Some(0)),
            ("redis://:pw@h", tcp("h", 6379, false), login(None, "pw"), None),
            ("redis://u:p%40%2Fw@h/1", tcp("h", 6379, false), login(Some("u"), "p@/w"), Some(1)),
            ("redis://u:p@/w?@h/1", tcp("h", 6379, false), login(Some("u"), "p@/w?"), Some(1)),
            ("redis://u:a:b@[::1]:7", tcp("::1", 7, false), login(Some("u"), "a:b"), None),
            ("redis://h?db=2&password=x", tcp("h", 6379, false), login(None, "x"), Some(2)),
            ("unix:///run/r.sock?db=4", socket(), None, Some(4)),
            ("redis+unix:///run/r.sock", socket(), None, None),
            ("unix://u:p@/run/r.sock", socket(), login(Some("u"), "p"), None),
        ] {
            assert_eq!(RedisUrl::parse(text), Ok(RedisUrl { address, login, db }), "{text}");
        }
    }

    #[test]
    fn mistakes_name_the_part_and_no_secret() {
        for (text, part) in [
            ("h:6379", "begin with"),
            ("http://:hunter2@h", "begin with"),
            ("redis://", "no host"),
            ("redis://:hunter2", "no host"),
            ("redis://u:hunter2", "port"),
            ("redis://u:hunter2@h:0", "port"),
            ("redis://u:hunter2@h/hunter2", "database"),
            ("redis://u:hunter2@h?db=-1", "database"),
            ("redis://hunter2@h", "user:password@"),
            ("redis://:hunter2%@h", "%25"),
            ("redis://hunter 2/0", "host"),
            ("redis://h?hunter2=hunter2", "query"),
            ("unix://run/r.sock", "slash"),
            ("unix://", "slash"),
        ] {
            let error = RedisUrl::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
            assert!(!error.contains("hunter"), "{text}: {error}");
        }
    }

    #[test]
    fn hosts_and_ports() {
        assert_eq!(host("Redis.local"), Ok("redis.local".into()));
        assert_eq!(host("[::1]"), Ok("::1".into()));
        assert_eq!(host("fe80::1"), Ok("fe80::1".into()));
        for bad in ["h:6379", "redis://h", "/run/r.sock", "a b", "[h]", "u:p@h"] {
            assert!(host(bad).is_err(), "{bad}");
        }
        assert_eq!(port("6380"), Ok(6380));
        assert_eq!(port("tcp://10.0.0.1:6379"), Ok(6379));
        assert_eq!(port("tcp://[fd00::1]:6381"), Ok(6381));
        for bad in ["0", "65536", "-1", "x", "tcp://10.0.0.1", "udp://10.0.0.1:1", "+1"] {
            assert_eq!(port(bad), Err(ValueError::Number), "{bad}");
        }
    }

    #[test]
    fn addresses_print_without_credentials() {
        assert_eq!(tcp("::1", 1, true).to_string(), "rediss://[::1]:1");
        assert_eq!(RedisAddress::Unix("/r".into()).to_string(), "unix:///r");
    }
}
