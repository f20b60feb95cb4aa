//! The file of rules that `METRICS_RULES` names: from JSON to [`Rule`]s, and what is wrong with it.
//!
//! A list of objects. The fields are those of [`FIELDS`]; a rule has `match` and at least one more, and `"drop": false`
//! is for one that only keeps rules below it from what it matches. All mistakes are told at once, each with the number
//! of its rule, its pattern and what would be right. What rules do stands in [`crate::aggregate::rules`]. A file that
//! is no JSON is read up to where it stops being that.

use std::rc::Rc;

use super::error::{Mistake, ValueError};
use super::near;
use super::secret::{Exposure, shown};
use crate::aggregate::rules::{Glob, KINDS, Rename, Rule};
use crate::aggregate::{HistogramAggregate, HistogramOptions};
use crate::limits::{RULE_STARS_MAX, RULES_FILE_BYTES_MAX, RULES_MAX};
use crate::metric::json::{JsonError, Kind, Reader};

/// The variable.
const NAME: &str = "METRICS_RULES";
/// The fields of a rule, and what each of them accepts.
pub const FIELDS: [(&str, &str); 6] = [
    ("match", "the name of a metric as text, in which * is any run of characters, dots too"),
    ("type", "count, gauge, rate or histogram"),
    ("emit", "a list of max, median, avg, count, min, sum, and p1 to p99"),
    ("drop", "true or false"),
    ("drop_tags", "a list of tag names, such as [\"request_id\"]"),
    ("rename", "the new name as text, in which $1 is what the first * of match stood for"),
];
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
    /// The patterns of rules, right or wrong, by the number of their rule.
    patterns: Vec<(usize, Glob)>,
}

/// The fields of one rule as they stand there.
#[derive(Default)]
struct Written {
    seen: Vec<String>,
    pattern: Option<String>,
    kind: Option<String>,
    emit: Option<Vec<String>>,
    drop: Option<bool>,
    drop_tags: Option<Vec<String>>,
    rename: Option<String>,
    problems: Vec<String>,
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
            written.problems.extend(wrong_pattern(matches.as_str()));
            let covering = self.patterns.iter().find(|(_, earlier)| earlier.covers(&matches));
            if let Some((earlier, glob)) = covering {
                written.problems.push(format!(
                    "never reached: the first rule that matches counts, and rule {earlier} (match \"{}\") takes all \
                     that this one could; put this one before it, or leave it out",
                    shown(glob.as_str(), Exposure::Open)
                ));
            }
            self.patterns.push((number, matches.clone()));
        } else if !written.seen.iter().any(|field| field == "match") {
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

impl Written {
    /// Reads an object. What is of the wrong type is passed over.
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), JsonError> {
        reader.enter_object()?;
        while let Some(key) = reader.next_key()? {
            if self.seen.iter().any(|seen| *seen == key) {
                self.problems.push(format!("\"{key}\" stands there twice"));
            }
            match &*key {
                "match" => self.pattern = self.text("match", reader)?,
                "type" => self.kind = self.text("type", reader)?,
                "rename" => self.rename = self.text("rename", reader)?,
                "emit" => self.emit = self.texts("emit", reader)?,
                "drop_tags" => self.drop_tags = self.texts("drop_tags", reader)?,
                "drop" if reader.kind()? == Kind::Bool => self.drop = Some(reader.bool()?),
                "drop" => self.wrong_kind("drop", reader)?,
                unknown => {
                    let meant = near::word(unknown, FIELDS.iter().map(|(name, _)| *name));
                    self.problems.push(not_known(
                        "no field is called",
                        unknown,
                        meant,
                        "the fields are",
                        &fields(),
                    ));
                    reader.skip()?;
                }
            }
            self.seen.push(key.into_owned());
        }
        Ok(())
    }

    fn text(&mut self, field: &str, reader: &mut Reader<'_>) -> Result<Option<String>, JsonError> {
        if reader.kind()? == Kind::Text {
            return Ok(Some(reader.text()?.into_owned()));
        }
        self.wrong_kind(field, reader).map(|()| None)
    }

    fn texts(&mut self, field: &str, reader: &mut Reader<'_>) -> Result<Option<Vec<String>>, JsonError> {
        if reader.kind()? != Kind::List {
            return self.wrong_kind(field, reader).map(|()| None);
        }
        let mut texts = Vec::new();
        reader.enter_list()?;
        while reader.next_element()? {
            texts.extend(self.text(field, reader)?);
        }
        Ok(Some(texts))
    }

    fn wrong_kind(&mut self, field: &str, reader: &mut Reader<'_>) -> Result<(), JsonError> {
        self.problems.push(format!(
            "{} cannot stand in {field}; accepted: {}",
            reader.kind()?,
            accepts(field)
        ));
        reader.skip()
    }

    /// The rule, as far as it is one; what is wrong goes to `problems` with `label` before it.
    fn into_rule(mut self, matches: Glob, wrapper: &str, problems: &mut Vec<String>, label: &str) -> Rule {
        let mut rule = Rule::new(matches);
        let does = ["type", "emit", "drop", "drop_tags", "rename"];
        if !self.seen.iter().any(|field| does.contains(&field.as_str())) && self.problems.is_empty() {
            self.problems.push(
                "nothing to do; add type, emit, drop, drop_tags or rename. \"drop\": false is for metrics that are \
                 to be left alone by the rules below"
                    .to_owned(),
            );
        }
        rule.drops = self.drop == Some(true);
        if let (true, Some(other)) =
            (rule.drops, self.seen.iter().find(|f| does.contains(&f.as_str()) && *f != "drop"))
        {
            self.problems.push(format!("drop leaves nothing that {other} could change; keep one of them"));
        }
        rule.kind = self.checked_kind();
        rule.summaries = self.checked_emit(rule.kind, wrapper);
        rule.drop_tags = self.checked_drop_tags();
        let stars = rule.matches.stars();
        if let Some(text) = &self.rename {
            match Rename::parse(text, stars) {
                Ok(rename) => rule.rename = Some(rename),
                Err(error) => self.problems.push(format!(
                    "rename \"{}\": {error}; accepted: {}",
                    shown(text, Exposure::Open),
                    accepts("rename")
                )),
            }
        }
        problems.extend(self.problems.into_iter().map(|problem| format!("{label}: {problem}")));
        rule
    }

    fn checked_kind(&mut self) -> Option<&'static str> {
        let text = self.kind.as_deref()?.trim();
        let known = KINDS.iter().find(|kind| kind.eq_ignore_ascii_case(text));
        if known.is_none() {
            let mut problem =
                not_known("no type is called", text, near::word(text, KINDS), "accepted", accepts("type"));
            if text.eq_ignore_ascii_case("set") {
                problem =
                    format!("no number becomes a set, and a set stays one; accepted: {}", accepts("type"));
            }
            self.problems.push(problem);
        }
        known.copied()
    }

    fn checked_emit(&mut self, kind: Option<&str>, wrapper: &str) -> Option<Rc<HistogramOptions>> {
        let words = self.emit.take()?;
        let mut options = HistogramOptions { aggregates: Vec::new(), percentiles: Vec::new() };
        let mut percents = Vec::new();
        for text in &words {
            let word = text.trim().to_ascii_lowercase();
            let aggregate = HistogramAggregate::WORDS.iter().find(|(known, _)| *known == word);
            match (aggregate, percent(&word)) {
                (Some((_, aggregate)), _) if !options.aggregates.contains(aggregate) => {
                    options.aggregates.push(*aggregate);
                }
                (None, Some(percent)) if !percents.contains(&percent) => percents.push(percent),
                (None, None) => {
                    let meant = meant_summary(&word);
                    let problem =
                        not_known("emit knows no", text, meant.as_deref(), "accepted", accepts("emit"));
                    self.problems.push(problem);
                }
                _ => {}
            }
        }
        if words.is_empty() {
            self.problems
                .push("emit is an empty list, so nothing would be sent; write \"drop\": true".to_owned());
        }
        if let Some(kind) = kind.filter(|kind| *kind != "histogram") {
            self.problems.push(format!(
                "emit is for histograms, and type makes it a {kind}; leave one of them out, or write \"type\": \"histogram\""
            ));
        } else if wrapper != "datadog" {
            self.problems.push(format!("METRICS_WRAPPER={wrapper} makes no histograms, which emit is for"));
        }
        options.percentiles = percents.into_iter().map(|percent| f64::from(percent) / 100.0).collect();
        Some(Rc::new(options))
    }

    fn checked_drop_tags(&mut self) -> Rc<[String]> {
        let tags = self.drop_tags.take().unwrap_or_default();
        for tag in &tags {
            let why = match tag {
                tag if tag.is_empty() => "it is empty",
                tag if tag.contains(':') => "the name of a tag is what stands before its colon",
                tag if tag.contains('*') => "names of tags are taken as they are, without *",
                _ => continue,
            };
            let tag = shown(tag, Exposure::Open);
            self.problems.push(format!("drop_tags \"{tag}\": {why}; accepted: {}", accepts("drop_tags")));
        }
        tags.into()
    }
}

/// What is wrong with a pattern. Characters that no metric's name has were meant to do something.
fn wrong_pattern(pattern: &str) -> Option<String> {
    let no_wildcard = |c: char| c.is_whitespace() || c.is_control() || "?[]{}()|^$\\+".contains(c);
    if pattern.is_empty() {
        Some("match is empty and matches nothing; * matches everything".to_owned())
    } else if let Some(c) = pattern.chars().find(|c| no_wildcard(*c)) {
        Some(format!("the character {c:?} cannot stand in match; accepted: {}", accepts("match")))
    } else if pattern.contains("**") {
        Some("** in match is no more than *, which stands for dots too; write one".to_owned())
    } else {
        let stars = pattern.matches('*').count();
        (stars > RULE_STARS_MAX).then(|| format!("match has {stars} stars, more than {RULE_STARS_MAX}"))
    }
}

/// The number in `p95`.
fn percent(word: &str) -> Option<u8> {
    let number = word.strip_prefix('p').filter(|digits| !digits.starts_with(['0', '+']))?;
    number.parse().ok().filter(|percent| (1..=99).contains(percent))
}

/// What was meant by a word for a summary that is not known.
fn meant_summary(word: &str) -> Option<String> {
    if matches!(word, "mean" | "average") {
        return Some("avg".to_owned());
    }
    let digits = word.trim_start_matches('p').trim_end_matches("percentile").trim_end_matches("th");
    if let Ok(number) = digits.parse::<f64>() {
        let percent = if number < 1.0 { number * 100.0 } else { number };
        let whole = percent.round();
        let fits = (1.0..=99.0).contains(&whole) && (percent - whole).abs() < 1e-9;
        return fits.then(|| format!("p{whole}"));
    }
    near::word(word, HistogramAggregate::WORDS.iter().map(|(known, _)| *known)).map(str::to_owned)
}

fn not_known(what: &str, word: &str, meant: Option<&str>, all: &str, accepted: &str) -> String {
    let word = shown(word, Exposure::Open);
    let meant = meant.map(|meant| format!(", did you mean \"{meant}\"?")).unwrap_or_else(|| ";".to_owned());
    format!("{what} \"{word}\"{meant} {all}: {accepted}")
}

fn accepts(field: &str) -> &'static str {
    FIELDS.iter().find(|(name, _)| *name == field).map_or("", |(_, accepts)| accepts)
}

fn fields() -> String {
    FIELDS.map(|(name, _)| name).join(", ")
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
