//! Rules of one's own for metrics, by name: the wrapper without a compiler.
//!
//! ```json
//! [
//!   {"match": "app.*.latency", "type": "histogram", "emit": ["max", "p99", "count"]},
//!   {"match": "app.*", "drop_tags": ["request_id"], "rename": "shop.$1"},
//!   {"match": "debug.*", "drop": true}
//! ]
//! ```
//!
//! The first rule that matches the name of a metric counts, and no other. What it makes of a sample is decided before
//! samples are merged: two contexts that become one under a rule are one. A renamed metric is not matched again.
//! `type` is for numbers, a set stays a set; `emit` is for histograms. Readings of collectors are gauges and no
//! samples: of them a rule drops, retags and renames, no more. What the agent says about itself passes no rule.
//!
//! What is written in the file is read by [`crate::config::rules`]; here stands what it does. A name is matched once
//! and remembered, and a context that rules leave alone is never looked at twice, see
//! [`crate::aggregate::Bucket::add`].

pub mod glob;
pub mod rename;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use foldhash::fast::RandomState;

pub use self::glob::Glob;
pub use self::rename::{Rename, RenameError};
use super::SampleError;
use super::accumulator::Accumulator;
use super::wrapper::{HistogramOptions, Wrapper};
use crate::limits::{RULED_NAME_BYTES_MAX, RULED_NAMES_MAX};
use crate::metric::{Context, Sample, Series, Tags, Value, tags};

/// The types that a rule can give to numbers.
pub const KINDS: [&str; 4] = ["count", "gauge", "rate", "histogram"];

/// What becomes of the metrics with some names.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Which names.
    pub matches: Glob,
    /// They are dropped, and nothing else counts.
    pub drops: bool,
    /// The type of [`KINDS`] that their numbers have, whatever the record says.
    pub kind: Option<&'static str>,
    /// What is sent of those that are histograms, in place of what is sent of others.
    pub summaries: Option<Rc<HistogramOptions>>,
    /// The tags they lose: keys, without a value.
    pub drop_tags: Rc<[String]>,
    /// Their new name.
    pub rename: Option<Rename>,
}

impl Rule {
    /// A rule that leaves alone what it matches.
    pub fn new(matches: Glob) -> Rule {
        let drop_tags = Rc::from([]);
        Rule { matches, drops: false, kind: None, summaries: None, drop_tags, rename: None }
    }

    /// What it makes of a name. A new name that cannot be, as nothing or too long, is not taken.
    fn ruling(&self, captures: &[&str]) -> Ruling {
        Ruling {
            drops: self.drops,
            name: self.rename.as_ref().and_then(|rename| rename.apply(captures)),
            kind: self.kind,
            summaries: self.summaries.clone(),
            drop_tags: Rc::clone(&self.drop_tags),
        }
    }
}

/// What the rules make of metrics with one name.
#[derive(Debug, PartialEq)]
pub struct Ruling {
    drops: bool,
    name: Option<String>,
    kind: Option<&'static str>,
    /// As in [`Rule::summaries`].
    pub summaries: Option<Rc<HistogramOptions>>,
    drop_tags: Rc<[String]>,
}

impl Ruling {
    /// The sample as it is to be merged. `scratch` holds its tags where they change.
    ///
    /// # Errors
    /// [`SampleError::Ruled`]: it is dropped.
    pub fn apply<'a>(
        &'a self,
        sample: &Sample<'a>,
        scratch: &'a mut String,
    ) -> Result<Sample<'a>, SampleError> {
        if self.drops {
            return Err(SampleError::Ruled);
        }
        let mut ruled = *sample;
        if let Some(name) = &self.name {
            ruled.name = name;
        }
        if let (Some(kind), Value::Number(_)) = (self.kind, sample.value) {
            ruled.kind = kind;
        }
        if !self.drop_tags.is_empty() && tags::without(sample.tags, &self.drop_tags, scratch) {
            ruled.tags = scratch;
        }
        Ok(ruled)
    }

    fn is_nothing(&self) -> bool {
        !self.drops
            && self.name.is_none()
            && self.kind.is_none()
            && self.summaries.is_none()
            && self.drop_tags.is_empty()
    }
}

/// Rules in their order, and what they made of names so far.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    known: RefCell<HashMap<Box<str>, Option<Rc<Ruling>>, RandomState>>,
}

impl Rules {
    /// The first one that matches counts.
    pub fn new(rules: Vec<Rule>) -> Rules {
        Rules { rules, known: RefCell::default() }
    }

    /// What is to be done with metrics of this name; `None` where they are left alone.
    pub fn ruling(&self, name: &str) -> Option<Rc<Ruling>> {
        if let Some(known) = self.known.borrow().get(name) {
            return known.clone();
        }
        let first = self.rules.iter().find_map(|rule| Some((rule, rule.matches.captures(name)?)));
        let ruling = first.map(|(rule, captures)| Rc::new(rule.ruling(&captures)));
        let ruling = ruling.filter(|ruling| !ruling.is_nothing());
        let new_name = ruling.as_ref().and_then(|ruling| ruling.name.as_deref()).unwrap_or_default();
        if name.len() + new_name.len() <= RULED_NAME_BYTES_MAX {
            let mut known = self.known.borrow_mut();
            if known.len() >= RULED_NAMES_MAX {
                known.clear();
            }
            known.insert(name.into(), ruling.clone());
        }
        ruling
    }

    /// A reading as it is to be sent; `None` where it is dropped.
    pub fn reading(&self, mut series: Series) -> Option<Series> {
        let Some(ruling) = self.ruling(&series.name) else {
            return Some(series);
        };
        if ruling.drops {
            return None;
        }
        if let Some(name) = &ruling.name {
            series.name.clone_from(name);
        }
        let mut scratch = String::new();
        if tags::without(series.tags.as_str(), &ruling.drop_tags, &mut scratch) {
            series.tags = Tags::from_canonical(&scratch);
        }
        Some(series)
    }
}

/// A wrapper whose samples pass rules first.
pub struct Ruled {
    wrapper: Box<dyn Wrapper>,
    rules: Rc<Rules>,
}

impl Ruled {
    /// `wrapper`, behind `rules`.
    pub fn new(wrapper: Box<dyn Wrapper>, rules: Rc<Rules>) -> Ruled {
        Ruled { wrapper, rules }
    }
}

impl Wrapper for Ruled {
    fn accumulator(&self, kind: &str) -> Option<Accumulator> {
        self.wrapper.accumulator(kind)
    }

    fn wrap(
        &self,
        context: &Context,
        accumulator: Accumulator,
        interval_s: u32,
        emit: &mut dyn FnMut(Series),
    ) {
        self.wrapper.wrap(context, accumulator, interval_s, emit);
    }

    fn rules(&self) -> Option<&Rc<Rules>> {
        Some(&self.rules)
    }
}

#[cfg(test)]
mod tests;
