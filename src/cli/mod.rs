//! The command line: `chouette-iot [run|doctor|status|metrics] [OPTIONS] | --help | --version`.
//!
//! Settings are variables, not options (see [`crate::config`]); options only say what to do once. Nothing is
//! read or printed here: arguments go in, a [`Command`] or [`texts`] come out.

pub mod man;
pub mod texts;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use crate::config::near;
pub use texts::{help_text, version_text};

/// Exit code: all went well.
pub const EXIT_OK: u8 = 0;
/// Exit code: something was not delivered (`run --once`), or the agent failed while it ran.
pub const EXIT_FAILURE: u8 = 1;
/// Exit code: a mistake in the command line or the configuration; nothing was done.
pub const EXIT_USAGE: u8 = 2;

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What to do.
    pub verb: Verb,
    /// A file of variables.
    pub env_file: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Run the agent.
    Run(Run),
    /// Try each link of the chain.
    Doctor(Form),
    /// Ask the agent that runs.
    Status {
        /// How to tell it.
        form: Form,
        /// Again and again.
        watch: bool,
        /// Judge only what a new start would mend.
        alive: bool,
    },
    /// Tell what this configuration sends.
    Metrics(Form),
    /// Print [`help_text`].
    Help,
    /// Print [`version_text`].
    Version,
}

/// How long the agent runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// Until it is stopped.
    Forever,
    /// Aggregate, collect and release once, and end.
    Once,
    /// The same, but print what would be sent, and leave everything as it is.
    Dry,
}

/// For whom an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For a person.
    Text,
    /// For a program.
    Json,
}

/// Why the command line cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageError {
    /// An option that is not known, and one that may have been meant.
    UnknownOption(String, Option<&'static str>),
    /// An argument that is no command, and one that may have been meant.
    UnknownCommand(String, Option<&'static str>),
    /// An option without its value.
    MissingValue(String),
    /// A value for an option that takes none.
    UnexpectedValue(String),
    /// An option given twice.
    Repeated(&'static str),
    /// An option that another command has.
    NotFor(&'static str, &'static str),
}

/// Understands the arguments that follow the name of the program.
///
/// # Errors
/// See [`UsageError`]; the program ends with [`EXIT_USAGE`].
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, UsageError> {
    let args: Vec<OsString> = args.into_iter().collect();
    let mut parser = lexopt::Parser::from_args(args);
    let (mut word, mut env_file, mut given) = (None, None, Vec::new());
    while let Some(arg) = parser.next().map_err(usage_error)? {
        match arg {
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return Ok(Verb::Help.alone()),
            lexopt::Arg::Short('V') | lexopt::Arg::Long("version") => return Ok(Verb::Version.alone()),
            lexopt::Arg::Long("env-file") => {
                let path = parser.value().map_err(usage_error)?;
                if path.is_empty() {
                    return Err(UsageError::MissingValue(ENV_FILE.to_owned()));
                }
                if env_file.replace(PathBuf::from(path)).is_some() {
                    return Err(UsageError::Repeated(ENV_FILE));
                }
            }
            lexopt::Arg::Long(name) => match texts::switch(name) {
                Some(switch) => given.push(switch),
                None => return Err(usage_error(arg.unexpected())),
            },
            lexopt::Arg::Value(value) if word.is_none() => word = Some(command(&value)?),
            other => return Err(usage_error(other.unexpected())),
        }
    }
    let word = word.unwrap_or(RUN);
    let of_others = given.iter().find(|switch| !texts::takes(word, switch));
    match of_others {
        Some(switch) => Err(UsageError::NotFor(switch, word)),
        None => Ok(Command { verb: verb(word, &given), env_file }),
    }
}

/// The command that stands where none does.
const RUN: &str = "run";
const ENV_FILE: &str = "--env-file";

fn command(word: &OsStr) -> Result<&'static str, UsageError> {
    let known = texts::COMMANDS.iter().find(|row| word == row.word).map(|row| row.word);
    known.ok_or_else(|| {
        let word = word.to_string_lossy().into_owned();
        let meant = similar(&word, texts::COMMANDS.iter().map(|row| row.word));
        UsageError::UnknownCommand(word, meant)
    })
}

fn verb(word: &str, given: &[&str]) -> Verb {
    let has = |switch| given.contains(&switch);
    let form = if has("--json") { Form::Json } else { Form::Text };
    match word {
        "doctor" => Verb::Doctor(form),
        "status" => Verb::Status { form, watch: has("--watch"), alive: has("--alive") },
        "metrics" => Verb::Metrics(form),
        _ if has("--dry-run") => Verb::Run(Run::Dry),
        _ if has("--once") => Verb::Run(Run::Once),
        _ => Verb::Run(Run::Forever),
    }
}

impl Verb {
    fn alone(self) -> Command {
        Command { verb: self, env_file: None }
    }
}

fn usage_error(error: lexopt::Error) -> UsageError {
    match error {
        lexopt::Error::MissingValue { option } => UsageError::MissingValue(option.unwrap_or_default()),
        lexopt::Error::UnexpectedOption(option) => {
            let meant = similar(&option, texts::options());
            UsageError::UnknownOption(option, meant)
        }
        lexopt::Error::UnexpectedArgument(word) => {
            UsageError::UnknownCommand(word.to_string_lossy().into_owned(), None)
        }
        lexopt::Error::UnexpectedValue { option, .. } => UsageError::UnexpectedValue(option),
        other => UsageError::UnknownOption(other.to_string(), None),
    }
}

fn similar(word: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    const SLIPS_MAX: usize = 2;
    let word = word.to_ascii_lowercase().replace('_', "-");
    let ranked = known.map(|known| (near::distance(&word, known), known));
    let (far, best) = ranked.min()?;
    (far <= SLIPS_MAX).then_some(best)
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UsageError::UnknownOption(option, Some(meant)) => {
                write!(f, "option {option:?} is not known; did you mean {meant}?")
            }
            UsageError::UnknownOption(option, None) => write!(f, "option {option:?} is not known"),
            UsageError::UnknownCommand(word, Some(meant)) => {
                write!(f, "command {word:?} is not known; did you mean {meant}?")
            }
            UsageError::UnknownCommand(word, None) => {
                let words: Vec<&str> = texts::COMMANDS.iter().map(|row| row.word).collect();
                write!(f, "command {word:?} is not known; there are {}", words.join(", "))
            }
            UsageError::MissingValue(option) => write!(f, "option {option} needs a value"),
            UsageError::UnexpectedValue(option) => write!(f, "option {option} takes no value"),
            UsageError::Repeated(option) => write!(f, "option {option} is given twice"),
            UsageError::NotFor(option, word) => write!(f, "option {option} is not for {word}"),
        }?;
        f.write_str(" (see chouette-iot --help)")
    }
}

impl std::error::Error for UsageError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<Command, UsageError> {
        parse(text.split_whitespace().map(OsString::from))
    }

    fn run(how: Run, env_file: Option<&str>) -> Result<Command, UsageError> {
        Ok(Command { verb: Verb::Run(how), env_file: env_file.map(PathBuf::from) })
    }

    #[test]
    fn commands() {
        assert_eq!(line(""), run(Run::Forever, None));
        assert_eq!(line("run"), run(Run::Forever, None));
        assert_eq!(line("--once"), run(Run::Once, None));
        assert_eq!(line("run --once --env-file /etc/c.env"), run(Run::Once, Some("/etc/c.env")));
        assert_eq!(line("--env-file=c.env run"), run(Run::Forever, Some("c.env")));
        for dry_run in ["run --dry-run", "--dry-run", "run --once --dry-run", "--dry-run --once"] {
            assert_eq!(line(dry_run), run(Run::Dry, None), "{dry_run}");
        }
        let status = |form, watch, alive| Verb::Status { form, watch, alive };
        for (text, verb) in [
            ("doctor", Verb::Doctor(Form::Text)),
            ("doctor --json", Verb::Doctor(Form::Json)),
            ("status", status(Form::Text, false, false)),
            ("--watch status", status(Form::Text, true, false)),
            ("status --json --alive", status(Form::Json, false, true)),
            ("metrics --json", Verb::Metrics(Form::Json)),
            ("--help", Verb::Help),
            ("-h", Verb::Help),
            ("run --help", Verb::Help),
            ("--once -h", Verb::Help),
            ("--version", Verb::Version),
            ("-V", Verb::Version),
        ] {
            assert_eq!(line(text), Ok(verb.alone()), "{text}");
        }
    }

    #[test]
    fn mistakes() {
        let unknown = |o: &str, meant| Err(UsageError::UnknownOption(o.to_owned(), meant));
        assert_eq!(line("--onec"), unknown("--onec", Some("--once")));
        assert_eq!(line("--env_file x"), unknown("--env_file", Some("--env-file")));
        assert_eq!(line("--verbose"), unknown("--verbose", None));
        assert_eq!(line("--once --dryrun"), unknown("--dryrun", Some("--dry-run")));
        for (text, option, word) in [
            ("--watch", "--watch", "run"),
            ("doctor --once", "--once", "doctor"),
            ("status --dry-run", "--dry-run", "status"),
            ("metrics --json --alive", "--alive", "metrics"),
        ] {
            assert_eq!(line(text), Err(UsageError::NotFor(option, word)), "{text}");
        }
        assert_eq!(line("-x"), unknown("-x", None));
        let no_command = |word: &str, meant| Err(UsageError::UnknownCommand(word.to_owned(), meant));
        assert_eq!(line("fly"), no_command("fly", None));
        assert_eq!(line("Docter"), no_command("Docter", Some("doctor")));
        assert_eq!(line("run status"), no_command("status", None));
        assert_eq!(line("--env-file"), Err(UsageError::MissingValue("--env-file".into())));
        assert_eq!(line("--env-file="), Err(UsageError::MissingValue("--env-file".into())));
        assert_eq!(line("--once=1"), Err(UsageError::UnexpectedValue("--once".into())));
        assert_eq!(line("--env-file a --env-file b"), Err(UsageError::Repeated("--env-file")));
        let text = line("--onec").unwrap_err().to_string();
        assert!(text.contains("did you mean --once?") && text.contains("--help"), "{text}");
    }

    #[cfg(unix)]
    #[test]
    fn arguments_need_not_be_utf8() {
        use std::os::unix::ffi::OsStringExt as _;
        let odd = || OsString::from_vec(vec![b'x', 0xff]);
        let args = [OsString::from("--env-file"), odd()];
        let env_file = Some(PathBuf::from(odd()));
        assert_eq!(parse(args), Ok(Command { verb: Verb::Run(Run::Forever), env_file }));
        assert!(matches!(parse([odd()]), Err(UsageError::UnknownCommand(..))));
        let option = OsString::from_vec(b"--\xff".to_vec());
        assert!(matches!(parse([option]), Err(UsageError::UnknownOption(..))));
    }
}
