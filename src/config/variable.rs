//! What can be said about a variable: a row of [`super::table::VARIABLES`].

use super::draft::Draft;
use super::error::ValueError;
use super::file::{self, ReadFile};
use super::secret::Exposure;
use super::value;

/// A row: all there is to say about a variable.
#[derive(Debug)]
pub struct Variable {
    /// In capitals.
    pub name: &'static str,
    /// Other names for the same.
    pub aliases: &'static [&'static str],
    /// Under which heading the help shows it.
    pub topic: Topic,
    /// What counts where it is not set.
    pub default: Preset,
    /// What it is for, in one line.
    pub help: &'static str,
    /// How much of its value a message may repeat.
    pub exposure: Exposure,
    /// What is accepted and what it sets.
    pub kind: Kind,
}

/// The headings of the help text, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Where to, and as whom.
    Datadog,
    /// Where records are kept.
    Redis,
    /// What applications send as datagrams.
    Dogstatsd,
    /// What the embedded queue keeps, and where.
    Spool,
    /// From samples to series.
    Aggregation,
    /// What the agent reads itself.
    Collectors,
    /// From the queue to Datadog.
    Release,
    /// The way there.
    Network,
    /// The agent's own log lines.
    Logging,
    /// Who asks how it goes.
    Status,
}

impl Topic {
    /// All of them, in the order of the help text.
    pub const ALL: &[Topic] = &[
        Topic::Datadog,
        Topic::Redis,
        Topic::Dogstatsd,
        Topic::Spool,
        Topic::Aggregation,
        Topic::Collectors,
        Topic::Release,
        Topic::Network,
        Topic::Logging,
        Topic::Status,
    ];
}

/// What counts where a variable is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Nothing, and that is a mistake.
    Required,
    /// Nothing.
    Unset,
    /// This text, as if somebody had set it.
    Text(&'static str),
}

/// What a variable accepts, and where it goes.
#[derive(Debug)]
pub enum Kind {
    /// A whole number within bounds.
    Number {
        /// The least.
        min: u32,
        /// The most.
        max: u32,
        /// What it counts; empty where that is plain.
        unit: &'static str,
        /// Stores it.
        set: fn(&mut Draft, u32),
    },
    /// One word of some.
    Word {
        /// The words.
        words: fn() -> Vec<&'static str>,
        /// Checks and stores it.
        set: Setter,
    },
    /// A list of such words.
    Words {
        /// The words.
        words: fn() -> Vec<&'static str>,
        /// Checks and stores them.
        set: Setter,
    },
    /// The path of a file that holds the value of another variable.
    FileOf(&'static str),
    /// The path of a file that holds more than a line.
    File {
        /// Says what stands in the file.
        accepts: &'static str,
        /// Checks and stores it.
        set: FileSetter,
    },
    /// Anything else.
    Text {
        /// Says what is accepted.
        accepts: &'static str,
        /// Checks and stores it.
        set: Setter,
    },
}

/// Checks what stands in the file at a path, and stores it.
pub type FileSetter = fn(&mut Draft, &str, Vec<u8>) -> Result<(), ValueError>;

/// Checks a value and stores it.
pub type Setter = fn(&mut Draft, &str) -> Result<(), ValueError>;

impl Variable {
    /// A row that accepts nothing yet; what else there is to say follows, the kind last.
    pub const fn new(name: &'static str, topic: Topic, default: Preset) -> Variable {
        Variable {
            name,
            aliases: &[],
            topic,
            default,
            help: "",
            exposure: Exposure::Open,
            kind: Kind::Text { accepts: "", set: |_, _| Ok(()) },
        }
    }

    /// Other names for the same variable.
    pub const fn alias(mut self, aliases: &'static [&'static str]) -> Variable {
        self.aliases = aliases;
        self
    }

    /// What it is for.
    pub const fn help(mut self, help: &'static str) -> Variable {
        self.help = help;
        self
    }

    /// How much of its value a message may repeat; all of it, unless said here.
    pub const fn exposed(mut self, exposure: Exposure) -> Variable {
        self.exposure = exposure;
        self
    }

    /// Accepts a whole number.
    pub const fn number(
        mut self,
        min: u32,
        max: u32,
        unit: &'static str,
        set: fn(&mut Draft, u32),
    ) -> Variable {
        self.kind = Kind::Number { min, max, unit, set };
        self
    }

    /// Accepts one of some words.
    pub const fn word(mut self, words: fn() -> Vec<&'static str>, set: Setter) -> Variable {
        self.kind = Kind::Word { words, set };
        self
    }

    /// Accepts a list of some words.
    pub const fn words(mut self, words: fn() -> Vec<&'static str>, set: Setter) -> Variable {
        self.kind = Kind::Words { words, set };
        self
    }

    /// Accepts the path of a file with the value of the variable called `name`.
    pub const fn file_of(mut self, name: &'static str) -> Variable {
        self.kind = Kind::FileOf(name);
        self
    }

    /// Accepts the path of a file with what `set` accepts.
    pub const fn file(mut self, accepts: &'static str, set: FileSetter) -> Variable {
        self.kind = Kind::File { accepts, set };
        self
    }

    /// Accepts anything that `set` does.
    pub const fn text(mut self, accepts: &'static str, set: Setter) -> Variable {
        self.kind = Kind::Text { accepts, set };
        self
    }

    /// The unit of a number, with a blank before it.
    pub fn unit(&self) -> String {
        match self.kind {
            Kind::Number { unit, .. } if !unit.is_empty() => format!(" {unit}"),
            _ => String::new(),
        }
    }

    /// Checks a value, which has no blanks around it, and stores it. A file is read with `read`.
    ///
    /// # Errors
    /// [`ValueError`]: why the value is not accepted.
    pub fn set(&self, draft: &mut Draft, text: &str, read: ReadFile) -> Result<(), ValueError> {
        match self.kind {
            Kind::FileOf(name) => file::set(draft, name, text, read),
            Kind::File { set, .. } => set(draft, text, file::content(text, read)?),
            Kind::Number { min, max, set, .. } => {
                set(draft, value::number(text, min, max)?);
                Ok(())
            }
            Kind::Word { set, .. } | Kind::Words { set, .. } | Kind::Text { set, .. } => set(draft, text),
        }
    }

    /// What is accepted, in words.
    pub fn accepts(&self) -> String {
        match &self.kind {
            Kind::Number { min, max, .. } => {
                format!("a whole number from {min} to {max}{}", self.unit())
            }
            Kind::Word { words, .. } => format!("{} (any case)", words().join(", ")),
            Kind::Words { words, .. } => {
                format!("a list, JSON or with commas, of: {}", words().join(", "))
            }
            Kind::FileOf(name) => format!("the path of a file that holds {name} and nothing else"),
            Kind::File { accepts, .. } | Kind::Text { accepts, .. } => (*accepts).to_owned(),
        }
    }
}
