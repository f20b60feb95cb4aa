//! Lines on standard output, each as soon as its check has ended; or one JSON object at the end.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use crate::doctor::{self, Check, Finding, Verdict};
use crate::runtime::clock;
use crate::runtime::terminal::{self, Terminal};

/// What was told, and what is being tried.
pub struct Output {
    checks: Vec<Check>,
    as_json: bool,
    /// Somebody looks on: what is tried is shown while it is, and signs have colours.
    is_terminal: bool,
    in_colour: bool,
    trying: Option<(String, Instant)>,
}

impl Output {
    /// Nothing told yet.
    pub fn new(as_json: bool) -> Output {
        let Terminal { is_there, in_colour } = terminal::of_standard_output();
        Output { checks: Vec::new(), as_json, is_terminal: is_there && !as_json, in_colour, trying: None }
    }

    /// A check begins: what is done, and to whom.
    #[inline(never)]
    pub fn begin(&mut self, what: &str, whom: &str) {
        let name = [what, whom].concat();
        if self.is_terminal {
            print(&["… ", &name].concat());
        }
        self.trying = Some((name, clock::now().mono));
    }

    /// Only now it begins in earnest.
    pub fn begin_anew(&mut self) {
        if let Some((_, began)) = &mut self.trying {
            *began = clock::now().mono;
        }
    }

    /// It has ended.
    #[inline(never)]
    pub fn end(&mut self, found: Finding) {
        if let Some((name, began)) = self.give_up() {
            let took = clock::now().mono.saturating_duration_since(began);
            self.add(name, Some(took), found);
        }
    }

    /// It has no line of its own.
    #[inline(never)]
    pub fn give_up(&mut self) -> Option<(String, Instant)> {
        if self.is_terminal && self.trying.is_some() {
            print("\r\x1b[K");
        }
        self.trying.take()
    }

    /// It cannot be tried.
    #[inline(never)]
    pub fn skip(&mut self, what: &str, whom: &str, why: &str) {
        self.add([what, whom].concat(), None, Finding::skipped(why));
    }

    /// One that took so long has ended.
    #[inline(never)]
    pub fn tell(&mut self, name: &str, took: Option<Duration>, found: Finding) {
        self.add(name.to_owned(), took, found);
    }

    #[inline(never)]
    fn add(&mut self, name: String, took: Option<Duration>, found: Finding) {
        let Finding { verdict, detail, advice } = found;
        let took = took.filter(|_| verdict != Verdict::Skipped);
        let check = Check { name, verdict, took, detail, advice };
        if !self.as_json {
            // What was said of one is not said again of the next.
            let is_new = self.checks.iter().all(|other| other.advice != check.advice);
            print(&check.lines(self.in_colour, is_new));
        }
        self.checks.push(check);
    }

    /// The last word; whether nothing is broken.
    pub fn finish(&self) -> bool {
        match self.as_json {
            true => print(&doctor::json(&self.checks)),
            false => print(&doctor::summary(&self.checks)),
        }
        doctor::is_well(&self.checks)
    }
}

/// A reader that has seen enough, as `head`, is no failure.
fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
