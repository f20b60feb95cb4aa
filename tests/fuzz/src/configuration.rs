//! Files of variables, the configuration made of them, and addresses.

use std::fmt::Write as _;

use chouette_iot::config::env_file::{self, Problem};
use chouette_iot::config::table::{INTERVAL_S_MAX, VARIABLES};
use chouette_iot::config::{Config, Exposure};
use chouette_iot::protocol::url::{Url, split_authority};

use super::assert_printable;

/// What the seeds have as a key and password. It must not turn up where it can be read.
const SECRET: &str = "hunter2";

/// What [`super::TARGETS`] calls `env_file`.
pub fn env_file(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let variables = match env_file::parse(&text) {
        Ok(variables) => variables,
        Err(errors) => {
            assert!(!errors.0.is_empty());
            let mut before = 0;
            for error in &errors.0 {
                assert!(error.line > before, "lines in their order, each once");
                before = error.line;
                assert_printable(error, 100 + text.len());
                let is_name = matches!(&error.problem, Problem::Repeated(name, _) if name.contains(SECRET));
                assert!(is_name || !error.to_string().contains(SECRET), "{error}");
            }
            return;
        }
    };
    let mut written = String::new();
    for (at, (name, value)) in variables.iter().enumerate() {
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !name.is_empty());
        assert!(variables.iter().position(|(other, _)| other == name) == Some(at), "{name} twice");
        assert!(!value.contains('\n'));
        let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
        writeln!(written, "{name}=\"{quoted}\"").unwrap();
    }
    assert_eq!(env_file::parse(&written), Ok(variables.clone()), "quoted, it reads as something else");
    check_config(variables);
}

fn check_config(variables: Vec<(String, String)>) {
    let is_secret = |(name, _): &&(String, String)| {
        let rows = VARIABLES.iter().filter(|row| row.exposure == Exposure::Hidden);
        let mut names = rows.flat_map(|row| std::iter::once(&row.name).chain(row.aliases));
        names.any(|hidden| name.eq_ignore_ascii_case(hidden))
    };
    let (hidden, open): (Vec<_>, Vec<_>) = variables.iter().partition(is_secret);
    let is_told = open.iter().any(|(name, value)| name.contains(SECRET) || value.contains(SECRET));
    let is_kept = |text: &str| is_told || hidden.is_empty() || !text.contains(SECRET);

    let config = Config::from_vars(variables.clone());
    let backwards = Config::from_vars(variables.iter().rev().cloned());
    assert_eq!(config, backwards, "the order of the variables matters");
    match config {
        Ok(config) => {
            assert!(is_kept(&format!("{config:?}")), "a secret can be read");
            let key = config.api_key.expose();
            assert!(
                !key.is_empty() && key.bytes().all(|b| b.is_ascii_graphic()),
                "no header carries {key:?}"
            );
            for interval_s in
                [config.aggregate_interval_s, config.capture_interval_s, config.release_interval_s]
            {
                assert!((1..=INTERVAL_S_MAX).contains(&interval_s), "{interval_s}");
            }
            assert!(config.histogram_percentiles.iter().all(|share| (0.0..=1.0).contains(share)));
            for url in [&config.datadog_url, &config.datadog_logs_url] {
                assert_eq!(Url::parse(&url.to_string()).as_ref(), Ok(url));
            }
        }
        Err(errors) => {
            assert!(!errors.mistakes.is_empty(), "refused without a reason");
            assert!(is_kept(&errors.to_string()), "a secret is told: {errors}");
            for mistake in &errors.mistakes {
                assert_printable(mistake, 100_000);
            }
        }
    }
}

/// What [`super::TARGETS`] calls `url`.
pub fn url(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match Url::parse(&text) {
        Ok(url) => {
            assert_eq!(Url::parse(&url.to_string()), Ok(url.clone()), "written, it reads as something else");
            assert!(url.port > 0 && !url.host.is_empty() && !url.path.ends_with('/'));
            assert!(url.to_string().bytes().all(|b| b.is_ascii_graphic()), "no request carries {url}");
            let (host, port) = split_authority(&url.authority()).expect("an authority");
            assert_eq!(host, url.host);
            assert!(port.is_none_or(|port| port == url.port));
        }
        Err(error) => {
            assert_printable(&error, 100 + 8 * text.len());
            // Whatever stands before an `@` may be a password.
            if let Some((_, user)) = text.rsplit_once('@').map(|(user, _)| ("", user))
                && user.contains(SECRET)
            {
                assert!(!error.to_string().contains(SECRET), "{error}");
            }
        }
    }
}
