//! An [`Estimate`]: a plan reckoned up, as text for a person. For a program: [`super::json`].
//!
//! ```text
//! SOURCE  METRIC                       TYPE   UNIT            SERIES  POINTS/DAY  TAGS
//! host    Chouette.host.fs.free        gauge  byte                 2        5760  device:*
//! agent   chouette.dropped             count                       0           0  reason:* (when something is dropped)
//! ```

use std::fmt::Write as _;

use super::day::{Case, Day, NEW_CONNECTION_BYTES};
use super::{AGENT, Flow, Plan};
use crate::agent::Settings;

/// A metric of a source.
pub(super) struct Row<'a> {
    /// The first of its series.
    pub flow: &'a Flow,
    /// How many there are.
    pub series: f64,
    pub points: f64,
    /// `key:value` where all series have the same, else `key:*`.
    pub tags: Vec<String>,
}

/// A plan reckoned up.
pub struct Estimate<'a> {
    pub(super) now: Case<'a>,
    /// Each source, its series, and what a day would lack without it.
    pub(super) shares: Vec<(&'static str, f64, Day)>,
    pub(super) total: Day,
    /// Settings, and a day with them.
    pub(super) savings: Vec<(&'static str, Day)>,
}

const LONG_RELEASE_S: u32 = 300;
const FEW_DIGITS: u8 = 6;
/// What saves a smaller part is not worth a line.
const SAVING_MIN: f64 = 0.03;
const DAY_S: f64 = 86_400.0;

impl<'a> Estimate<'a> {
    /// Reckons up a plan. `now_s` is Unix seconds.
    #[inline(never)]
    pub fn new(plan: &'a Plan, settings: &'a Settings, now_s: u64) -> Estimate<'a> {
        let now = Case::new(plan, settings, now_s);
        let total = now.day();
        let mut shares = Vec::new();
        for source in &plan.sources {
            let mut day = Case { without: source, ..now }.day();
            day.points = total.points - day.points;
            day.body_bytes = (total.body_bytes - day.body_bytes).max(0.0);
            let series = plan.flows.iter().filter(|flow| flow.source == *source).count();
            shares.push((*source, series as f64, day));
        }
        let own = if settings.send_self_metrics { AGENT } else { "" };
        let few_digits = now.value_digits.unwrap_or(u8::MAX).min(FEW_DIGITS);
        let mut savings = Vec::new();
        for (setting, case) in [
            ("RELEASE_INTERVAL=300", Case { release_s: now.release_s.max(LONG_RELEASE_S), ..now }),
            ("VALUE_DIGITS=6", Case { value_digits: Some(few_digits), ..now }),
            ("SEND_SELF_METRICS=false", Case { without: own, ..now }),
        ] {
            let day = case.day();
            if day.wire_bytes < total.wire_bytes * (1.0 - SAVING_MIN) {
                savings.push((setting, day));
            }
        }
        Estimate { now, shares, total, savings }
    }

    /// The whole day.
    pub fn total(&self) -> Day {
        self.total
    }

    /// The text, with a line break at its end.
    #[inline(never)]
    pub fn text(&self) -> String {
        let Case { plan, settings, .. } = self.now;
        let mut out = String::new();
        fill(
            "A reading every # s, an aggregation every # s, a release every # s.\n",
            &[
                settings.capture_interval_s.into(),
                settings.aggregate_interval_s.into(),
                settings.release_interval_s.into(),
            ],
            &mut out,
        );
        let common = self.common();
        if !common.is_empty() {
            out.push_str("On every series: ");
            push_cell(&common.join(", "), &mut out);
            out.push('\n');
        }
        out.push('\n');

        let mut cells = "SOURCE\tMETRIC\tTYPE\tUNIT\tSERIES\tPOINTS/DAY\tTAGS\n".to_owned();
        self.rows(&mut |Row { flow, series, points, tags }| {
            for text in [flow.source, &flow.series.name, flow.series.kind.as_str(), flow.unit] {
                push_cell(text, &mut cells);
                cells.push('\t');
            }
            fill("#\t#\t", &[*series, *points], &mut cells);
            for tag in tags {
                push_cell(tag, &mut cells);
                cells.push(' ');
            }
            if !flow.note.is_empty() {
                cells.extend(["(", flow.note, ")"]);
            }
            cells.push('\n');
        });
        align(&cells, 4..6, &mut out);
        out.push('\n');

        let total = &self.total;
        let mut cells = "SOURCE\tSERIES\tPOINTS/DAY\tCOMPRESSED/DAY\n".to_owned();
        let mut shared_bytes = total.body_bytes;
        for (source, series, day) in &self.shares {
            cells.push_str(source);
            fill("\t#\t#\t~\n", &[*series, day.points, day.body_bytes], &mut cells);
            shared_bytes -= day.body_bytes;
        }
        let all = [shared_bytes.max(0.0), plan.flows.len() as f64, total.points, total.body_bytes];
        fill("common to several\t\t\t~\nall\t#\t#\t~\n", &all, &mut cells);
        align(&cells, 1..4, &mut out);

        let Day { requests, body_bytes, wire_bytes, .. } = *total;
        fill(
            "\nOn the link: about ~ a day, ~ in 30 days, for # requests: ~ of compressed bodies, and ~ for\n\
             heads, answers, TLS and TCP over a connection that is kept. Where the intake closes it in between, each\n\
             request costs ~ more.\n",
            &[
                wire_bytes,
                wire_bytes * 30.0,
                requests,
                body_bytes,
                wire_bytes - body_bytes,
                NEW_CONNECTION_BYTES,
            ],
            &mut out,
        );
        for (setting, day) in &self.savings {
            let saved = wire_bytes - day.wire_bytes;
            out.push_str(setting);
            fill(" would save ~ of it (# %).\n", &[saved, 100.0 * saved / wire_bytes], &mut out);
        }
        let mut gap = "\n";
        for note in &plan.notes {
            out.extend([gap, note, "\n"]);
            gap = "";
        }
        out
    }

    /// Tags of every series, and its host.
    pub(super) fn common(&self) -> Vec<String> {
        let mut tags = self.now.settings.global_tags.clone();
        if let Some(host) = &self.now.settings.host {
            tags.insert(0, ["host:", host].concat());
        }
        tags
    }

    /// Hands over the metrics, source by source: what is sent, then what is not.
    pub(super) fn rows(&self, take: &mut dyn FnMut(&Row<'_>)) {
        let Case { plan, settings, release_s, .. } = self.now;
        for source in &plan.sources {
            let mut rest = &plan.flows[..];
            while let [flow, ..] = rest {
                let is_same = |other: &&Flow| {
                    other.source == flow.source
                        && other.series.name == flow.series.name
                        && other.series.kind == flow.series.kind
                };
                let (group, after) = rest.split_at(rest.iter().take_while(is_same).count());
                rest = after;
                if flow.source == *source {
                    let mut points = 0.0;
                    for every_s in group.iter().filter_map(|flow| flow.pace.every_s(settings, release_s)) {
                        points += DAY_S / every_s as f64;
                    }
                    take(&Row { flow, series: group.len() as f64, points, tags: tags(group) });
                }
            }
            for flow in plan.absent.iter().filter(|flow| flow.source == *source) {
                take(&Row { flow, series: 0.0, points: 0.0, tags: tags(std::slice::from_ref(flow)) });
            }
        }
    }
}

/// The tags of some series: with their values where all have the same.
fn tags(group: &[Flow]) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for flow in group {
        for tag in flow.series.tags.iter() {
            let key = tag.split(':').next().unwrap_or_default();
            let any = [key, ":*"].concat();
            if seen.iter().any(|known| *known == tag || *known == any) {
                continue;
            }
            let has_it = |flow: &Flow| flow.series.tags.iter().any(|other| other == tag);
            seen.push(if group.iter().all(has_it) { tag.into_owned() } else { any });
        }
    }
    seen
}

/// Puts numbers in a text: `#` is the next one as a whole number, `~` as bytes with a unit that a person reads.
fn fill(text: &str, numbers: &[f64], out: &mut String) {
    let mut numbers = numbers.iter().copied();
    for c in text.chars() {
        match c {
            '#' => push_whole(numbers.next().unwrap_or_default(), out),
            '~' => push_scaled(numbers.next().unwrap_or_default(), out),
            _ => out.push(c),
        }
    }
}

/// A name from anywhere as a part of a line: what would break the line or the terminal becomes a question mark.
fn push_cell(text: &str, out: &mut String) {
    out.extend(text.chars().map(|c| if c.is_control() { '?' } else { c }));
}

/// Lines of cells, which tabs divide, in columns; those of `right` stand at the right.
fn align(lines: &str, right: std::ops::Range<usize>, out: &mut String) {
    const COLUMNS_MAX: usize = 7;
    const GAP: usize = 2;
    let mut widths = [0; COLUMNS_MAX];
    for line in lines.lines() {
        for (cell, width) in line.split('\t').zip(&mut widths) {
            *width = cell.chars().count().max(*width);
        }
    }
    for line in lines.lines() {
        for (column, (cell, width)) in line.split('\t').zip(widths).enumerate() {
            let room = width - cell.chars().count();
            let is_right = right.contains(&column);
            pad(if is_right { room } else { 0 }, out);
            out.push_str(cell);
            pad(if is_right { GAP } else { room + GAP }, out);
        }
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
    }
}

fn pad(count: usize, out: &mut String) {
    for _ in 0..count {
        out.push(' ');
    }
}

/// The nearest integer.
pub(super) fn push_whole(value: f64, out: &mut String) {
    // Writing into a string cannot fail.
    let _ = write!(out, "{}", value.round() as i64);
}

fn push_scaled(bytes: f64, out: &mut String) {
    let (unit_bytes, unit) = match bytes {
        ..1e3 => {
            push_whole(bytes, out);
            return out.push_str(" B");
        }
        ..1e6 => (1e3, " kB"),
        _ => (1e6, " MB"),
    };
    let tenths = (bytes / unit_bytes * 10.0).round();
    push_whole((tenths / 10.0).floor(), out);
    out.push('.');
    push_whole(tenths % 10.0, out);
    out.push_str(unit);
}
