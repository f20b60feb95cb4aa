//! The file of settings is made from the program's table.

use std::fmt::Write as _;

use chouette_iot::config::help::wrapped;
use chouette_iot::config::table::VARIABLES;
use chouette_iot::config::variable::{Preset, Topic};
use chouette_iot::config::{Config, env_file};

use super::package;

const COLUMNS: usize = 110;
const HEAD: &str = "\
# Settings of chouette-iot, one NAME=value a line. A line that begins with # counts for nothing: what stands in it is
# the default, or nothing. Changes count from the next start or reload; under systemd, from the next restart.
#
# The file holds a key, so it is for root and the agent only. A value that has blanks or a # goes between single quotes;
# lists are best written without blanks. systemd reads this file too, and takes a backslash outside quotes away.
";
/// What an application and the agent on one device need.
const SET: &[(&str, &str)] = &[("REDIS_HOST", "localhost"), ("COLLECTOR_PLUGINS", r#"["host"]"#)];

fn expected() -> String {
    let mut out = HEAD.to_owned();
    for topic in Topic::ALL {
        let _ = writeln!(out, "\n#\n# {topic:?}\n#");
        for variable in VARIABLES.iter().filter(|variable| variable.topic == *topic) {
            let required = if variable.default == Preset::Required { " Required." } else { "" };
            let text = format!("{}.{required}\nAccepted: {}", variable.help, variable.accepts());
            out.push('\n');
            for line in wrapped(&text, COLUMNS - 2) {
                let _ = writeln!(out, "# {line}");
            }
            let default = match variable.default {
                Preset::Text(text) => text,
                Preset::Required | Preset::Unset => "",
            };
            let _ = match SET.iter().find(|(name, _)| *name == variable.name) {
                Some((name, value)) => writeln!(out, "{name}={value}"),
                None => writeln!(out, "#{}={default}", variable.name),
            };
        }
    }
    out
}

fn shipped() -> String {
    std::fs::read_to_string(package("chouette-iot.env")).unwrap_or_default()
}

#[test]
fn every_variable_is_there_with_its_default() {
    let expected = expected();
    let fresh = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("chouette-iot.env");
    if shipped() != expected {
        std::fs::write(&fresh, &expected).unwrap();
        panic!("the table of variables has changed: put {} into cross/package", fresh.display());
    }
}

#[test]
fn the_help_lists_the_same_variables() {
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_chouette-iot")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let (_, help) = help.split_once("\nConfiguration\n").unwrap();
    let is_name =
        |word: &&str| word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let listed: Vec<&str> = help
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(is_name)
        .collect();
    let shipped = shipped();
    let named: Vec<&str> = shipped
        .lines()
        .filter(|line| !line.starts_with("# "))
        .filter_map(|line| line.trim_start_matches('#').split_once('='))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(named, listed);
}

#[test]
fn the_program_takes_it_as_it_is_and_with_every_line_switched_on() {
    let everything: String = shipped()
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if setting.split_once('=').is_some_and(|(name, _)| !name.contains(' ')) => setting,
            _ => line,
        })
        // A secret stands in one place: its variable, or the file that another one names.
        .filter(|line| !line.starts_with("API_KEY") && !line.starts_with("REDIS_PASSWORD_FILE="))
        .fold(String::new(), |text, line| text + line + "\n");
    for text in [shipped(), everything] {
        let mut variables = env_file::parse(&text).unwrap_or_else(|errors| panic!("{errors}"));
        variables.push(("API_KEY".to_owned(), "k3y".to_owned()));
        let config = Config::from_env_and_file(std::iter::empty::<(String, String)>(), variables, &no_file)
            .unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(config.warnings.len(), 0, "{:?}", config.warnings);
        assert_eq!(config.collector_plugins, ["host"]);
    }
}

fn no_file(path: &str) -> std::io::Result<Vec<u8>> {
    panic!("{path} is named by nothing that is switched on");
}
