//! The command line: `chouette-iot [run] [--once [--dry-run]] [--env-file PATH] | --help | --version`.
//!
//! Settings are variables, not options (see [`crate::config`]); options only say what to do once. Nothing is
//! read or printed here: arguments go in, a [`Command`] or texts come out.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use crate::config::help::{HELP_COLUMNS, entry, variables_text, wrapped};
use crate::config::near;

/// Exit code: all went well.
pub const EXIT_OK: u8 = 0;
/// Exit code: something was not delivered (`run --once`), or the agent failed while it ran.
pub const EXIT_FAILURE: u8 = 1;
/// Exit code: a mistake in the command line or the configuration; nothing was done.
pub const EXIT_USAGE: u8 = 2;

const OPTIONS: &[&str] = &["--once", "--dry-run", "--env-file", "--help", "--version"];

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Run the agent.
    Run {
        /// Aggregate, collect and release once, and end.
        once: bool,
        /// Print what would be sent, and keep it.
        dry_run: bool,
        /// A file of variables.
        env_file: Option<PathBuf>,
    },
    /// Print [`help_text`].
    Help,
    /// Print [`version_text`].
    Version,
}

/// Why the command line cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageError {
    /// An option that is not known, and one that may have been meant.
    UnknownOption(String, Option<&'static str>),
    /// An argument that is no command.
    UnknownCommand(String),
    /// An option without its value.
    MissingValue(String),
    /// A value for an option that takes none.
    UnexpectedValue(String),
    /// An option given twice.
    Repeated(&'static str),
    /// `--dry-run` without `--once`: all of it would be printed again and again.
    DryRunForEver,
}

/// Understands the arguments that follow the name of the program.
///
/// # Errors
/// See [`UsageError`]; the program ends with [`EXIT_USAGE`].
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, UsageError> {
    let args: Vec<OsString> = args.into_iter().collect();
    let mut parser = lexopt::Parser::from_args(args);
    let (mut run, mut once, mut dry_run, mut env_file) = (false, false, false, None);
    while let Some(arg) = parser.next().map_err(usage_error)? {
        match arg {
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return Ok(Command::Help),
            lexopt::Arg::Short('V') | lexopt::Arg::Long("version") => return Ok(Command::Version),
            lexopt::Arg::Long("once") => once = true,
            lexopt::Arg::Long("dry-run") => dry_run = true,
            lexopt::Arg::Long("env-file") => {
                let path = parser.value().map_err(usage_error)?;
                if path.is_empty() {
                    return Err(UsageError::MissingValue("--env-file".to_owned()));
                }
                if env_file.replace(PathBuf::from(path)).is_some() {
                    return Err(UsageError::Repeated("--env-file"));
                }
            }
            lexopt::Arg::Value(word) if word == "run" && !run => run = true,
            other => return Err(usage_error(other.unexpected())),
        }
    }
    if dry_run && !once {
        return Err(UsageError::DryRunForEver);
    }
    Ok(Command::Run { once, dry_run, env_file })
}

/// Name and version.
pub fn version_text() -> String {
    format!("chouette-iot {}\n", env!("CARGO_PKG_VERSION"))
}

/// All that the program can be told, with every variable of the configuration.
pub fn help_text() -> String {
    let mut out = version_text();
    let paragraph = |text: &str, out: &mut String| {
        for line in wrapped(text, HELP_COLUMNS) {
            out.push_str(&line);
            out.push('\n');
        }
    };
    paragraph(ABOUT, &mut out);
    out.push_str("\nUsage:\n  chouette-iot [run] [--once [--dry-run]] [--env-file PATH]\n");
    out.push_str("  chouette-iot --help | --version\n");
    for (heading, entries) in
        [("Options:", OPTION_HELP), ("Signals:", SIGNAL_HELP), ("Exit codes:", EXIT_HELP)]
    {
        out.push_str(&format!("\n{heading}\n"));
        for (name, description) in entries {
            entry(name, description, &mut out);
        }
    }
    out.push_str("\nConfiguration\n\n");
    paragraph(CONVENTIONS, &mut out);
    out.push_str(&variables_text());
    out
}

const ABOUT: &str = "Metrics agent for small boards: takes the metrics that applications leave in Redis, \
    aggregates them, adds readings of the board, and releases them to Datadog.";

const OPTION_HELP: &[(&str, &str)] = &[
    (
        "--once",
        "Aggregate, collect and release once, then end. The exit code tells whether all was delivered.",
    ),
    (
        "--dry-run",
        "With --once: aggregate and collect as usual, but print each body that would be sent, one JSON line each, on \
         standard output. At most one of each kind; all stays in Redis. Needs no API_KEY.",
    ),
    (
        "--env-file PATH",
        "Take variables from a file too: NAME=value, one a line, # for comments. What the environment sets wins.",
    ),
    ("-h, --help", "Print this text."),
    ("-V, --version", "Print name and version."),
];

const SIGNAL_HELP: &[(&str, &str)] = &[
    ("SIGTERM, SIGINT", "Finish what is half done, then end. Whatever is not sent yet stays in Redis."),
    (
        "SIGHUP",
        "Read all files again (--env-file, secrets, rules) and go on with the new values; if they are wrong, with the old ones.",
    ),
    ("SIGUSR1", "Release now, without waiting for the interval or for a back-off to end."),
];

const EXIT_HELP: &[(&str, &str)] = &[
    ("0", "All went well."),
    ("1", "Not all was delivered (--once), or the agent failed while it ran."),
    ("2", "A mistake in the command line or in the configuration. Nothing was done."),
];

const CONVENTIONS: &str = "Variables of the environment or of --env-file. Names count in any case, blanks around a \
    value do not count, and an empty value is as good as none. A list is written as JSON, [\"a\",\"b\"], or with \
    commas, a,b. If values are wrong, the agent lists all of them and ends before it does anything.";

fn usage_error(error: lexopt::Error) -> UsageError {
    match error {
        lexopt::Error::MissingValue { option } => UsageError::MissingValue(option.unwrap_or_default()),
        lexopt::Error::UnexpectedOption(option) => {
            let meant = similar(&option);
            UsageError::UnknownOption(option, meant)
        }
        lexopt::Error::UnexpectedArgument(word) => {
            UsageError::UnknownCommand(word.to_string_lossy().into_owned())
        }
        lexopt::Error::UnexpectedValue { option, .. } => UsageError::UnexpectedValue(option),
        other => UsageError::UnknownOption(other.to_string(), None),
    }
}

fn similar(option: &str) -> Option<&'static str> {
    const SLIPS_MAX: usize = 2;
    let option = option.to_ascii_lowercase().replace('_', "-");
    let ranked = OPTIONS.iter().map(|o| (near::distance(&option, o), *o));
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
            UsageError::UnknownCommand(word) => {
                write!(f, "command {word:?} is not known; the only one is run")
            }
            UsageError::MissingValue(option) => write!(f, "option {option} needs a value"),
            UsageError::UnexpectedValue(option) => write!(f, "option {option} takes no value"),
            UsageError::Repeated(option) => write!(f, "option {option} is given twice"),
            UsageError::DryRunForEver => write!(f, "option --dry-run works only together with --once"),
        }?;
        f.write_str(" (see chouette-iot --help)")
    }
}

impl std::error::Error for UsageError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::table::VARIABLES;

    fn line(text: &str) -> Result<Command, UsageError> {
        parse(text.split_whitespace().map(OsString::from))
    }

    fn run(once: bool, env_file: Option<&str>) -> Result<Command, UsageError> {
        let env_file = env_file.map(PathBuf::from);
        Ok(Command::Run { once, dry_run: false, env_file })
    }

    #[test]
    fn commands() {
        assert_eq!(line(""), run(false, None));
        assert_eq!(line("run"), run(false, None));
        assert_eq!(line("--once"), run(true, None));
        assert_eq!(line("run --once --env-file /etc/c.env"), run(true, Some("/etc/c.env")));
        assert_eq!(line("--env-file=c.env run"), run(false, Some("c.env")));
        for dry_run in ["run --once --dry-run", "--dry-run --once"] {
            let expected = Command::Run { once: true, dry_run: true, env_file: None };
            assert_eq!(line(dry_run), Ok(expected), "{dry_run}");
        }
        for help in ["--help", "-h", "run --help", "--once -h"] {
            assert_eq!(line(help), Ok(Command::Help), "{help}");
        }
        for version in ["--version", "-V"] {
            assert_eq!(line(version), Ok(Command::Version), "{version}");
        }
    }

    #[test]
    fn mistakes() {
        let unknown = |o: &str, meant| Err(UsageError::UnknownOption(o.to_owned(), meant));
        assert_eq!(line("--onec"), unknown("--onec", Some("--once")));
        assert_eq!(line("--env_file x"), unknown("--env_file", Some("--env-file")));
        assert_eq!(line("--verbose"), unknown("--verbose", None));
        assert_eq!(line("--once --dryrun"), unknown("--dryrun", Some("--dry-run")));
        assert_eq!(line("run --dry-run"), Err(UsageError::DryRunForEver));
        assert_eq!(line("-x"), unknown("-x", None));
        assert_eq!(line("start"), Err(UsageError::UnknownCommand("start".into())));
        assert_eq!(line("run run"), Err(UsageError::UnknownCommand("run".into())));
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
        assert_eq!(parse(args), Ok(Command::Run { once: false, dry_run: false, env_file }));
        assert!(matches!(parse([odd()]), Err(UsageError::UnknownCommand(_))));
        let option = OsString::from_vec(b"--\xff".to_vec());
        assert!(matches!(parse([option]), Err(UsageError::UnknownOption(..))));
    }

    #[test]
    fn the_help_is_complete_and_fits_a_terminal() {
        let help = help_text();
        for variable in VARIABLES {
            assert!(help.contains(&format!("\n  {}  ", variable.name)), "{}", variable.name);
            for alias in variable.aliases {
                assert!(help.contains(alias), "{alias}");
            }
        }
        for word in OPTIONS.iter().chain(&["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "Exit codes"]) {
            assert!(help.contains(word), "{word}");
        }
        for line in help.lines() {
            assert!(line.chars().count() <= HELP_COLUMNS, "{line}");
            assert_eq!(line.trim_end(), line);
        }
    }
}
