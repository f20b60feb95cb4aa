//! Whether somebody looks at standard output, and whether in colours (<https://no-color.org>).

use std::io::{self, IsTerminal as _};

/// What standard output is.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    /// A terminal that can do more than print line after line.
    pub is_there: bool,
    /// One that is to have colours.
    pub in_colour: bool,
}

/// As it is now, and as `TERM` and `NO_COLOR` ask for.
pub fn of_standard_output() -> Terminal {
    let variable = |name| std::env::var_os(name).unwrap_or_default();
    let is_there = io::stdout().is_terminal() && variable("TERM") != "dumb";
    Terminal { is_there, in_colour: is_there && variable("NO_COLOR").is_empty() }
}
