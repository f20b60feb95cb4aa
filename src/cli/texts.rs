//! What the command line can be told, as tables: `--help` and the man page are made from them.

use crate::config::help::{HELP_COLUMNS, entry, variables_text, wrapped};

/// A command.
#[derive(Debug)]
pub struct CommandRow {
    /// What is written.
    pub word: &'static str,
    /// The switches it takes, next to `--env-file`.
    pub switches: &'static [&'static str],
    /// What it does.
    pub help: &'static str,
}

/// Every command there is. The first one counts where none is written.
pub const COMMANDS: &[CommandRow] = &[
    CommandRow {
        word: "run",
        switches: &["--once", "--dry-run"],
        help: "Run the agent. This is what happens without a command, too.",
    },
    CommandRow {
        word: "doctor",
        switches: &["--json"],
        help: "Try each link of the chain: configuration, names, TCP, TLS, API key, clock, Redis, plugins, disk; one \
               line each, with what to do where one fails.",
    },
    CommandRow {
        word: "status",
        switches: &["--json", "--watch", "--alive"],
        help: "Ask the agent that runs here how it goes. Ends with 1 where its pipeline does not advance: the health \
               check of a container.",
    },
    CommandRow {
        word: "metrics",
        switches: &["--json"],
        help: "Tell what this configuration sends, and about how many points and bytes a day. Sends nothing.",
    },
];

/// What an option does: its name, with its value, and its description.
pub type Row = (&'static str, &'static str);

/// Every option there is.
pub const OPTIONS: &[Row] = &[
    (
        "--once",
        "Aggregate, collect and release once, then end. The exit code tells whether all was delivered.",
    ),
    (
        "--dry-run",
        "The same without sending: print each body that would go, one JSON line each, on standard output. Redis stays \
         as it is. Needs no API_KEY.",
    ),
    ("--json", "Answer with JSON."),
    ("--watch", "Show the status again every two seconds, with the last hour, until you stop it."),
    (
        "--alive",
        "End with 1 only where a new start of the agent would help, not where Redis or the network is away.",
    ),
    (
        "--env-file PATH",
        "Take variables from a file too: NAME=value, one a line, # for comments. What the environment sets wins.",
    ),
    ("-h, --help", "Print this text."),
    ("-V, --version", "Print name and version."),
];

/// What a signal does.
pub const SIGNALS: &[Row] = &[
    ("SIGTERM, SIGINT", "Finish what is half done, then end. Whatever is not sent yet stays in Redis."),
    (
        "SIGHUP",
        "Read all files again (--env-file, secrets, rules) and go on with the new values; if they are wrong, with the old ones.",
    ),
    ("SIGUSR1", "Release now, without waiting for the interval or for a back-off to end."),
];

/// What an exit code says.
pub const EXIT_CODES: &[Row] = &[
    ("0", "All went well."),
    (
        "1",
        "Not all was delivered (--once), a link is broken (doctor), the pipeline does not advance (status), a plugin \
         could not be read (metrics), or the agent failed while it ran.",
    ),
    ("2", "A mistake in the command line or in the configuration. Nothing was done."),
];

/// What the program is.
pub const ABOUT: &str = "Metrics agent for small boards: takes the metrics that applications leave in Redis, \
    aggregates them, adds readings of the board, and releases them to Datadog.";

/// How values are written.
pub const CONVENTIONS: &str = "Variables of the environment or of --env-file. Names count in any case, blanks around a \
    value do not count, and an empty value is as good as none. A list is written as JSON, [\"a\",\"b\"], or with \
    commas, a,b. If values are wrong, the agent lists all of them and ends before it does anything.";

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
    out.push_str("\nUsage:\n");
    for usage in usage_lines() {
        out.push_str(&format!("  {usage}\n"));
    }
    let commands: Vec<Row> = COMMANDS.iter().map(|row| (row.word, row.help)).collect();
    for (heading, rows) in [
        ("Commands:", &commands[..]),
        ("Options:", OPTIONS),
        ("Signals:", SIGNALS),
        ("Exit codes:", EXIT_CODES),
    ] {
        out.push_str(&format!("\n{heading}\n"));
        for (name, description) in rows {
            entry(name, description, &mut out);
        }
    }
    out.push_str("\nConfiguration\n\n");
    paragraph(CONVENTIONS, &mut out);
    out.push_str(&variables_text());
    out
}

/// One line for each command.
pub(super) fn usage_lines() -> Vec<String> {
    let command = |row: &CommandRow| {
        let word = if row.word == super::RUN { format!("[{}]", row.word) } else { row.word.to_owned() };
        let switches: String = row.switches.iter().map(|switch| format!(" [{switch}]")).collect();
        format!("chouette-iot {word}{switches} [--env-file PATH]")
    };
    let mut lines: Vec<String> = COMMANDS.iter().map(command).collect();
    lines.push("chouette-iot --help | --version".to_owned());
    lines
}

/// The names of all options, as they are written.
pub(super) fn options() -> impl Iterator<Item = &'static str> {
    let long = |(name, _): &Row| name.split([' ', ',']).find(|word| word.starts_with("--"));
    OPTIONS.iter().filter_map(long)
}

/// The switch of this name, which comes without its dashes.
pub(super) fn switch(name: &str) -> Option<&'static str> {
    let mut all = COMMANDS.iter().flat_map(|row| row.switches.iter().copied());
    all.find(|switch| switch.strip_prefix("--") == Some(name))
}

/// Whether a command takes a switch.
pub(super) fn takes(word: &str, switch: &str) -> bool {
    COMMANDS.iter().any(|row| row.word == word && row.switches.contains(&switch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::table::VARIABLES;

    #[test]
    fn each_switch_of_a_command_is_told() {
        let told: Vec<_> = options().collect();
        for switch in COMMANDS.iter().flat_map(|row| row.switches) {
            assert!(told.contains(switch), "{switch}");
        }
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
        let words = ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "Exit codes"];
        for word in options().chain(words).chain(COMMANDS.iter().map(|row| row.word)) {
            assert!(help.contains(word), "{word}");
        }
        for line in help.lines() {
            assert!(line.chars().count() <= HELP_COLUMNS, "{line}");
            assert_eq!(line.trim_end(), line);
        }
    }
}
