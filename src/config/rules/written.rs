//! One rule of the file: its fields as they stand there, and what is wrong with them.

use std::rc::Rc;

use crate::aggregate::rules::{Glob, KINDS, Rename, Rule};
use crate::aggregate::{HistogramAggregate, HistogramOptions};
use crate::config::near;
use crate::config::secret::{Exposure, shown};
use crate::limits::RULE_STARS_MAX;
use crate::metric::json::{JsonError, Kind, Reader};

/// The fields of a rule, and what each of them accepts.
pub const FIELDS: [(&str, &str); 6] = [
    ("match", "the name of a metric as text, in which * is any run of characters, dots too"),
    ("type", "count, gauge, rate or histogram"),
    ("emit", "a list of max, median, avg, count, min, sum, and p1 to p99"),
    ("drop", "true or false"),
    ("drop_tags", "a list of tag names, such as [\"request_id\"]"),
    ("rename", "the new name as text, in which $1 is what the first * of match stood for"),
];

/// The fields of one rule as they stand there.
#[derive(Default)]
pub(super) struct Written {
    /// The fields that were there, with whatever value.
    pub seen: Vec<&'static str>,
    pub pattern: Option<String>,
    pub kind: Option<String>,
    pub emit: Option<Vec<String>>,
    drop: Option<bool>,
    drop_tags: Option<Vec<String>>,
    rename: Option<String>,
    pub problems: Vec<String>,
}

impl Written {
    /// Reads an object. What is of the wrong type is passed over.
    pub fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), JsonError> {
        reader.enter_object()?;
        while let Some(key) = reader.next_key()? {
            let Some((field, _)) = FIELDS.iter().find(|(field, _)| *field == key) else {
                let meant = near::word(&key, FIELDS.iter().map(|(name, _)| *name));
                let problem = not_known("no field is called", &key, meant, "the fields are", &fields());
                self.problems.push(problem);
                reader.skip()?;
                continue;
            };
            if self.seen.contains(field) {
                self.problems.push(format!("\"{field}\" stands there twice"));
            }
            self.seen.push(*field);
            match *field {
                "match" => self.pattern = self.text(field, reader)?,
                "type" => self.kind = self.text(field, reader)?,
                "rename" => self.rename = self.text(field, reader)?,
                "emit" => self.emit = self.texts(field, reader)?,
                "drop_tags" => self.drop_tags = self.texts(field, reader)?,
                _ if reader.kind()? == Kind::Bool => self.drop = Some(reader.bool()?),
                _ => self.wrong_kind(field, reader)?,
            }
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
        let (mut texts, mut is_empty) = (Vec::new(), true);
        reader.enter_list()?;
        while reader.next_element()? {
            is_empty = false;
            texts.extend(self.text(field, reader)?);
        }
        if is_empty {
            self.problems.push(format!("{field} is an empty list; accepted: {}", accepts(field)));
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
    pub fn into_rule(
        mut self,
        matches: Glob,
        wrapper: &str,
        problems: &mut Vec<String>,
        label: &str,
    ) -> Rule {
        let mut rule = Rule::new(matches);
        if self.seen.iter().all(|field| *field == "match") && self.problems.is_empty() {
            self.problems.push(
                "nothing to do; add type, emit, drop, drop_tags or rename. \"drop\": false is for metrics that are \
                 to be left alone by the rules below"
                    .to_owned(),
            );
        }
        rule.drops = self.drop == Some(true);
        let other = self.seen.iter().find(|field| !matches!(**field, "match" | "drop"));
        if let (true, Some(other)) = (rule.drops, other) {
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
pub(super) fn wrong_pattern(pattern: &str) -> Option<String> {
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
pub(super) fn percent(word: &str) -> Option<u8> {
    let number = word.strip_prefix('p').filter(|digits| !digits.starts_with(['0', '+']))?;
    number.parse().ok().filter(|percent| (1..=99).contains(percent))
}

/// What was meant by a word for a summary that is not known.
pub(super) fn meant_summary(word: &str) -> Option<String> {
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

pub(super) fn accepts(field: &str) -> &'static str {
    FIELDS.iter().find(|(name, _)| *name == field).map_or("", |(_, accepts)| accepts)
}

fn fields() -> String {
    FIELDS.map(|(name, _)| name).join(", ")
}
