//! What a Jetson tells about itself, through NVIDIA's `tegrastats`: memory, temperatures and, on request, power,
//! GPU, memory controller, swap space and cores.
//!
//! tegrastats is kept running and prints a line per capture interval:
//!
//! ```text
//! RAM 1310/3964MB (lfb 8x4MB) CPU [7%@1224,off] GR3D_FREQ 0%@76 CPU@38.5C   →   Chouette.tegrastats.ram.used …
//! ```
//!
//! [`mod@line`] has the format. Of each turn (the time between two calls of [`Collector::begin`]) the first line that
//! says something is sent; a program that prints more gets no larger share. Where there is no tegrastats, the kernel
//! of a Jetson is asked for what it tells: see [`sysfs`].
//!
//! Not done: `tegrastats --stop`, which would stop everybody's.

pub mod line;
mod metrics;
pub mod sysfs;
pub mod value;

#[cfg(test)]
mod tests;

use super::{CollectError, Collector, Plugin, Program, Question, Reading, Reply};
use crate::limits::PROGRAM_BACKOFF_S;
use crate::limits::tegrastats::{FORMS_SHOWN_MAX, RUBBISH_TURNS, SHOWN_CHARS_MAX, SILENT_TURNS_MAX};
use crate::metric::SortedSet;
use line::Line;
pub use metrics::Group;
use metrics::METRICS;

/// The row of the table of plugins.
pub const PLUGIN: Plugin = Plugin {
    name: "tegrastats",
    summary: "Jetson boards: memory, temperatures, power, GPU, through tegrastats",
    metrics: METRICS,
    build: |options| Box::new(Tegrastats::new(options)),
};

const _: () = assert!(RUBBISH_TURNS < SILENT_TURNS_MAX);
const TICKET: u32 = 0;
/// How the end of a program begins that could not be started because it is not there.
const NOT_STARTED: &str = "cannot start";
const NOT_FOUND: &str = "(os error 2)";

/// The collector.
#[derive(Debug)]
pub struct Tegrastats {
    program: Program,
    interval_s: u32,
    groups: SortedSet<Group>,
    turn: Turn,
    /// Turns in a row without a line.
    silent_turns: u32,
    /// Something else was printed since the last line.
    rubbish: bool,
    /// Why the program ended; none once it has printed again.
    ended: Option<String>,
    /// There is no program, and the kernel is asked instead.
    reads_sysfs: bool,
    /// The last turn that is over gave a reading and no error.
    is_well: bool,
    /// What was shown already of lines with a form nobody has seen.
    shown: SortedSet<String>,
}

/// What has happened since the last [`Collector::begin`].
#[derive(Debug, Default)]
struct Turn {
    /// A reading was sent: what is printed after it is passed over.
    sent: bool,
    /// An error was told: one is enough.
    told: bool,
}

impl Tegrastats {
    /// A collector whose program was not started.
    pub fn new(options: &super::Options) -> Tegrastats {
        let interval_ms = u64::from(options.capture_interval_s.max(1)) * 1000;
        let args = vec!["--interval".to_owned(), interval_ms.to_string()];
        Tegrastats {
            program: Program { path: options.tegrastats_path.clone(), args },
            interval_s: options.capture_interval_s.max(1),
            groups: options.tegrastats_groups.iter().copied().collect(),
            turn: Turn::default(),
            silent_turns: 0,
            rubbish: false,
            ended: None,
            reads_sysfs: false,
            is_well: true,
            shown: SortedSet::new(),
        }
    }
}

impl Collector for Tegrastats {
    fn name(&self) -> &'static str {
        PLUGIN.name
    }

    fn begin(&mut self, reading: &mut Reading<'_>) -> Result<(), CollectError> {
        let before = std::mem::take(&mut self.turn);
        self.is_well = before.sent && !before.told;
        reading.ask(TICKET, Question::Run(self.program.clone()));
        if self.reads_sysfs {
            return self.read_sysfs(reading);
        }
        match self.silence(reading) {
            Some(problem) if !before.told => Err(self.failure(&problem)),
            _ => Ok(()),
        }
    }

    fn reply(&mut self, _: u32, reply: Reply, reading: &mut Reading<'_>) -> Result<(), CollectError> {
        match reply {
            Reply::Line(bytes) => self.printed(&bytes, reading),
            Reply::Ended(reason) => self.ended(reason, reading),
            Reply::Http(_) | Reply::Redis(_) => Ok(()),
        }
    }

    fn is_well(&self) -> bool {
        self.is_well
    }
}

impl Tegrastats {
    /// What to say of a turn in which no line came, and the end of a program that has been silent for too long.
    fn silence(&mut self, reading: &mut Reading<'_>) -> Option<String> {
        let silent_turns = self.silent_turns;
        self.silent_turns += 1;
        let is_too_long = silent_turns >= self.patience_turns();
        if is_too_long {
            reading.ask(TICKET, Question::Restart);
            self.silent_turns = 1;
            self.ended = None;
        }
        match &self.ended {
            Some(reason) => Some(reason.clone()),
            None if self.rubbish && silent_turns >= RUBBISH_TURNS => {
                Some("prints what is no line of tegrastats".to_owned())
            }
            None if is_too_long => Some(format!("no line for {silent_turns} intervals")),
            None => None,
        }
    }

    /// A program that has ended is started again after waits that grow; only one that must have been is silent.
    fn patience_turns(&self) -> u32 {
        let wait_turns = PROGRAM_BACKOFF_S.1 / f64::from(self.interval_s);
        SILENT_TURNS_MAX + if self.ended.is_some() { wait_turns.ceil() as u32 } else { 0 }
    }

    fn printed(&mut self, bytes: &[u8], reading: &mut Reading<'_>) -> Result<(), CollectError> {
        self.ended = None;
        if std::mem::take(&mut self.reads_sysfs) {
            log::info!("{}: prints; sysfs is not read any more", self.program.path);
        }
        if self.turn.sent {
            self.silent_turns = 0;
            return Ok(());
        }
        let text = String::from_utf8_lossy(bytes);
        let line = Line::parse(&text);
        if !line.is_known() {
            log::debug!("{}: passed over: {}", self.program.path, printable(&text));
            self.rubbish = true;
            return Ok(());
        }
        self.silent_turns = 0;
        self.rubbish = false;
        self.turn.sent = self.groups.iter().any(|group| line.seen.contains(group));
        for group in self.groups.iter() {
            metrics::push(*group, &line, &mut reading.gauges);
        }
        self.judge(&line, &text)
    }

    /// What of a line could not be read, told once in a turn; the line itself is shown once for each form.
    fn judge(&mut self, line: &Line, text: &str) -> Result<(), CollectError> {
        let mut error = CollectError::default();
        let is_wanted = |(group, _): &&(Group, String)| self.groups.contains(group);
        let mut forms: Vec<&str> = line.odd.iter().filter(is_wanted).map(|(_, form)| form.as_str()).collect();
        for form in &forms {
            error.add(form, "a form that is not known");
        }
        if !self.turn.sent && forms.is_empty() {
            let words: Vec<&str> = self.groups.iter().map(|group| group.word()).collect();
            error.add(&self.program.path, format!("a line without anything of {}", words.join(", ")));
            forms.push("");
        }
        let mut is_new = false;
        for form in forms {
            is_new |= self.shown.len() < FORMS_SHOWN_MAX && self.shown.insert(form.to_owned());
        }
        if is_new {
            log::warn!("{}: not all of this line is understood: {}", self.program.path, printable(text));
        }
        self.tell(error)
    }

    /// An error, unless there was one in this turn.
    fn tell(&mut self, error: CollectError) -> Result<(), CollectError> {
        let result = error.into_result();
        let was_told = self.turn.told;
        self.turn.told |= result.is_err();
        if was_told { Ok(()) } else { result }
    }

    fn ended(&mut self, reason: String, reading: &mut Reading<'_>) -> Result<(), CollectError> {
        self.silent_turns = 0;
        let is_missing = reason.starts_with(NOT_STARTED) && reason.ends_with(NOT_FOUND);
        if is_missing && sysfs::is_jetson(reading.files) {
            self.ended = None;
            if !std::mem::replace(&mut self.reads_sysfs, true) {
                log::info!("no {}: temperatures and the gpu are read from sysfs", self.program.path);
            }
            return if self.turn.sent || self.turn.told { Ok(()) } else { self.read_sysfs(reading) };
        }
        self.reads_sysfs = false;
        let reason = match is_missing {
            true => "there is no such program, and the board is no Jetson".to_owned(),
            false => reason,
        };
        let failure = self.failure(&reason);
        self.ended = Some(reason);
        self.tell(failure)
    }

    fn read_sysfs(&mut self, reading: &mut Reading<'_>) -> Result<(), CollectError> {
        let mut error = CollectError::default();
        let mut line = Line::default();
        let groups = [Group::Temp, Group::Gpu].into_iter().filter(|group| self.groups.contains(group));
        for group in groups {
            match group {
                Group::Temp => line.zones = sysfs::zones(reading.files, &mut error),
                _ => line.gpu = sysfs::gpu(reading.files, &mut error),
            }
            metrics::push(group, &line, &mut reading.gauges);
            self.turn.sent = true;
        }
        if !self.turn.sent {
            error.add(&self.program.path, "not found, and sysfs has only temp and gpu");
        }
        self.tell(error)
    }

    fn failure(&self, problem: &str) -> CollectError {
        let mut error = CollectError::default();
        match problem.contains(&self.program.path) {
            true => error.add("the program", problem),
            false => error.add(&self.program.path, problem),
        }
        error
    }
}

/// The text as far as a line of the log can hold it.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS_MAX).collect()
}
