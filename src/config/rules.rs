//! The file of rules that `METRICS_RULES` names: from JSON to [`Rule`]s, and what is wrong with it.
//!
//! A list of objects. The fields are those of [`FIELDS`]; a rule has `match` and at least one more, and `"drop": false`
//! is for one that only keeps rules below it from what it matches. All mistakes are told at once, each with the number
//! of its rule, its pattern and what would be right. What rules do stands in [`crate::aggregate::rules`]. A file that
//! is no JSON is read up to where it stops being that.

mod written;

use super::error::{Mistake, ValueError};
use super::secret::{Exposure, shown};
use crate::aggregate::rules::{Glob, Rule};
use crate::limits::{RULES_FILE_BYTES_MAX, RULES_MAX};
use crate::metric::json::{JsonError, Kind, Reader};
pub use written::FIELDS;
use written::{Written, accepts, wrong_pattern};

/// The variable.
const NAME: &str = "METRICS_RULES";
/// Mistakes that are told; further ones are only counted.
const TOLD_MAX: usize = 50;
/// What readings of collectors begin with.
const READINGS: &str = "Chouette.";

/// The file as it was read.
#[derive(Debug)]
pub struct RulesFile {
    path: String,
    text: String,
}

impl RulesFile {
    /// Takes what stands in the file at a path.
    ///
    /// # Errors
    /// [`ValueError`] where it is too large or no text.
    pub fn new(path: &str, bytes: Vec<u8>) -> Result<RulesFile, ValueError> {
        if bytes.len() > RULES_FILE_BYTES_MAX {
            return Err(ValueError::FileTooLarge { bytes_max: RULES_FILE_BYTES_MAX });
        }
        let text = String::from_utf8(bytes).map_err(|_| ValueError::Part("the file is not UTF-8"))?;
        Ok(RulesFile { path: path.to_owned(), text })
    }

    /// The rules for this wrapper. Notes what is wrong with them, and what can hardly be meant.
    pub fn finish(
        &self,
        wrapper: &str,
        mistakes: &mut Vec<Mistake>,
        warnings: &mut Vec<String>,
    ) -> Vec<Rule> {
        let mut found = Found::default();
        // Editors of Windows begin a file with a mark that is no JSON.
        let text = self.text.trim_start_matches('\u{feff}');
        if text.trim().is_empty() {
            found.problem("the file is empty; a list without rules is []".to_owned());
        } else if let Err(error) = found.read(text, wrapper) {
            found.problem(place(text, &error));
        }
        let told = found.problems.len().min(TOLD_MAX);
        if found.problems.len() > told {
            let more = format!("and {} mistakes more", found.problems.len() - told);
            found.problems.truncate(told);
            found.problem(more);
        }
        let value = Some(shown(&self.path, Exposure::Open));
        let mistake = |problem| Mistake { variable: NAME, value: value.clone(), problem };
        mistakes.extend(found.problems.into_iter().map(mistake));
        warnings.extend(found.doubts.into_iter().map(|doubt| format!("{NAME}: {doubt}")));
        found.rules
    }
}

/// What was read so far.
#[derive(Default)]
struct Found {
    rules: Vec<Rule>,
    problems: Vec<String>,
    doubts: Vec<String>,
    /// The patterns that are right and reached, with the number of their rule.
    patterns: Vec<(usize, Glob)>,
}

impl Found {
    fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }

    fn read(&mut self, text: &str, wrapper: &str) -> Result<(), JsonError> {
        let mut reader = Reader::new(text);
        if reader.kind()? != Kind::List {
            self.problem(r#"no list of rules; write [{"match": "debug.*", "drop": true}]"#.to_owned());
            return reader.skip();
        }
        reader.enter_list()?;
        let mut number = 0;
        while reader.next_element()? {
            number += 1;
            match reader.kind()? {
                _ if number > RULES_MAX => reader.skip()?,
                Kind::Object => {
                    let mut written = Written::default();
                    if let Err(error) = written.read(&mut reader) {
                        // What the rest of it would have said is not known.
                        let told = |problem| format!("rule {number}: {problem}");
                        self.problems.extend(written.problems.into_iter().map(told));
                        return Err(error);
                    }
                    self.take(number, written, wrapper);
                }
                kind => {
                    self.problem(format!(
                        "rule {number} is {kind}; a rule is an object with \"match\" in it"
                    ));
                    reader.skip()?;
                }
            }
        }
        if number > RULES_MAX {
            self.problem(format!("{number} rules, more than {RULES_MAX}"));
        }
        reader.end()
    }

    /// Checks a rule, and keeps it.
    fn take(&mut self, number: usize, mut written: Written, wrapper: &str) {
        let pattern = written.pattern.take();
        let label = match &pattern {
            Some(pattern) => format!("rule {number} (match \"{}\")", shown(pattern, Exposure::Open)),
            None => format!("rule {number}"),
        };
        let matches = Glob::new(pattern.as_deref().unwrap_or_default());
        if pattern.is_some() {
            let covering = self.patterns.iter().find(|(_, earlier)| earlier.covers(&matches));
            if let Some(wrong) = wrong_pattern(matches.as_str()) {
                written.problems.push(wrong);
            } else if let Some((earlier, glob)) = covering {
                written.problems.push(format!(
                    "never reached: the first rule that matches counts, and rule {earlier} (match \"{}\") takes all \
                     that this one could; put this one before it, or leave it out",
                    shown(glob.as_str(), Exposure::Open)
                ));
            } else {
                self.patterns.push((number, matches.clone()));
            }
        } else if !written.seen.contains(&"match") {
            written.problems.push(format!("no \"match\"; it is {}", accepts("match")));
        }
        if matches.as_str().starts_with(READINGS) && (written.kind.is_some() || written.emit.is_some()) {
            self.doubts.push(format!(
                "{label}: type and emit change nothing of the board's own readings, which are gauges and not merged"
            ));
        }
        let rule = written.into_rule(matches, wrapper, &mut self.problems, &label);
        self.rules.push(rule);
    }
}

/// Where a text stops being JSON, and what people like to write there.
fn place(text: &str, error: &JsonError) -> String {
    let at = match *error {
        JsonError::Syntax { at }
        | JsonError::NotUtf8 { at }
        | JsonError::WrongKind { at, .. }
        | JsonError::NotFinite { at } => at,
    };
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let hint = match text.get(at..).and_then(|rest| rest.chars().next()) {
        None => ": it ends too early",
        Some(']' | '}') if before.trim_end().ends_with(',') => ": there is a comma too many before it",
        Some('{' | '"') => ": a comma or a colon is missing before it",
        Some('/' | '#') => ": JSON has no comments",
        Some('\'') => ": texts stand between \" and \"",
        Some(_) => "",
    };
    format!("no JSON at line {line}, column {column}{hint}")
}

#[cfg(test)]
mod tests;
