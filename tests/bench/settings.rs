//! What a run of the benchmark is told.

use crate::support::agent::{Agent, Env};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

pub const USAGE: &str =
    "bench [instructions [--write]] [--quick] [--rounds N] [--minutes N] [--only WORD] BINARY FLOOR";

pub struct Settings {
    /// The agent.
    pub binary: PathBuf,
    pub floor: PathBuf,
    pub rounds: usize,
    /// How long the wire is watched.
    pub minutes: usize,
    /// Sizes of the backlogs, rising.
    pub backlogs: Vec<usize>,
    /// Samples of the one context.
    pub histogram: usize,
    /// Only what has this word in its name.
    pub only: Option<String>,
    /// Count instructions, measure nothing else.
    pub instructions: bool,
    /// Commit the counts instead of comparing them.
    pub write: bool,
}

impl Settings {
    pub fn from_arguments() -> Result<Settings, String> {
        let mut settings = Settings {
            binary: PathBuf::new(),
            floor: PathBuf::new(),
            rounds: 5,
            minutes: 3,
            backlogs: vec![10_000, 30_000, 100_000, 300_000, 1_000_000],
            histogram: 1_000_000,
            only: None,
            instructions: false,
            write: false,
        };
        let mut paths = Vec::new();
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            let number = |text: String| text.parse().map_err(|_| format!("not a number: {text}"));
            match argument.as_str() {
                "instructions" => settings.instructions = true,
                "--write" => settings.write = true,
                "--quick" => {
                    (settings.backlogs, settings.histogram) = (vec![10_000, 30_000, 100_000], 100_000)
                }
                "--rounds" => settings.rounds = number(value()?)?,
                "--minutes" => settings.minutes = number(value()?)?,
                "--only" => settings.only = Some(value()?),
                option if option.starts_with('-') => return Err(format!("option {option} is not known")),
                path => paths.push(PathBuf::from(path)),
            }
        }
        let [binary, floor] = paths.try_into().map_err(|_| "a binary and the floor program are needed")?;
        (settings.binary, settings.floor) = (binary, floor);
        Ok(settings)
    }

    /// Whether a tenth of the load is enough.
    pub fn quick(&self) -> bool {
        self.histogram < 1_000_000
    }

    /// Whether a part of the benchmark is wanted.
    pub fn wants(&self, part: &str) -> bool {
        self.only.as_ref().is_none_or(|only| part.contains(only.as_str()))
    }

    /// Starts the agent for good.
    pub fn run(&self, env: &Env) -> Agent {
        self.run_by(&[], env)
    }

    /// Starts the agent by another program: the words before it.
    pub fn run_by(&self, words: &[&OsStr], env: &Env) -> Agent {
        let all = [words, &[self.binary.as_os_str(), OsStr::new("run")]].concat();
        let mut command = Command::new(all[0]);
        command.args(&all[1..]).env_clear().envs(env.iter().map(|(name, value)| (name, value)));
        Agent::start(&mut command)
    }
}
