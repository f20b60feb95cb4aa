//! An [`Estimate`]: a plan reckoned up, as text for a person. For a program: [`super::json`].
//!
//! ```text
//! SOURCE  METRIC                       TYPE   UNIT            SERIES  POINTS/DAY  TAGS
//! host    Chouette.host.fs.free        gauge  byte                 2        5760  device:*
//! agent   chouette.dropped             count                       0           0  reason:* (when something is dropped)
//! ```

use super::day::{Day, NEW_CONNECTION_BYTES, a_day};
use super::{AGENT, APPLICATION, Flow, Plan};
use crate::agent::Settings;
use crate::metric::SortedMap;

/// A metric of a source.
pub(super) struct Row<'a> {
    pub source: &'static str,
    pub metric: &'a str,
    pub kind: &'static str,
    pub unit: &'static str,
    pub series: usize,
    pub points: f64,
    /// `key:value` where all series have the same, else `key:*`.
    pub tags: Vec<String>,
    pub note: &'a str,
}

/// A plan reckoned up.
pub struct Estimate<'a> {
    pub(super) plan: &'a Plan,
    pub(super) settings: &'a Settings,
    pub(super) rows: Vec<Row<'a>>,
    /// Each source, its series, and what a day would lack without it.
    pub(super) shares: Vec<(&'static str, usize, Day)>,
    pub(super) total: Day,
    /// Settings, and a day with them.
    pub(super) savings: Vec<(&'static str, Day)>,
}

const LONG_RELEASE_S: u32 = 300;
const FEW_DIGITS: u8 = 6;
/// What saves a smaller part is not worth a line.
const SAVING_MIN: f64 = 0.03;

impl<'a> Estimate<'a> {
    /// Reckons up a plan. `now_s` is Unix seconds.
    pub fn new(plan: &'a Plan, settings: &'a Settings, now_s: u64) -> Estimate<'a> {
        let all: Vec<&Flow> = plan.flows.iter().collect();
        let without =
            |source: &str| -> Vec<&Flow> { plan.flows.iter().filter(|flow| flow.source != source).collect() };
        let total = a_day(&all, settings, now_s);
        let share = |source: &&'static str| {
            let rest = without(source);
            let day = a_day(&rest, settings, now_s);
            let body_bytes = (total.body_bytes - day.body_bytes).max(0.0);
            (*source, all.len() - rest.len(), Day { points: total.points - day.points, body_bytes, ..day })
        };
        let shares = plan.sources.iter().map(share).collect();
        let mut savings = Vec::new();
        if settings.release_interval_s < LONG_RELEASE_S {
            let settings = Settings { release_interval_s: LONG_RELEASE_S, ..settings.clone() };
            savings.push(("RELEASE_INTERVAL=300", a_day(&all, &settings, now_s)));
        }
        if settings.value_digits.is_none_or(|digits| digits > FEW_DIGITS) {
            let settings = Settings { value_digits: Some(FEW_DIGITS), ..settings.clone() };
            savings.push(("VALUE_DIGITS=6", a_day(&all, &settings, now_s)));
        }
        if settings.send_self_metrics {
            savings.push(("SEND_SELF_METRICS=false", a_day(&without(AGENT), settings, now_s)));
        }
        savings.retain(|(_, day)| day.wire_bytes < total.wire_bytes * (1.0 - SAVING_MIN));
        Estimate { plan, settings, rows: rows(plan, settings), shares, total, savings }
    }

    /// The whole day.
    pub fn total(&self) -> Day {
        self.total
    }

    /// What is left of the bodies beyond what each source alone costs.
    fn shared_bytes(&self) -> f64 {
        let own: f64 = self.shares.iter().map(|(.., day)| day.body_bytes).sum();
        (self.total.body_bytes - own).max(0.0)
    }

    /// The text, with a line break at its end.
    pub fn text(&self) -> String {
        let Settings { aggregate_interval_s, capture_interval_s, release_interval_s, .. } = self.settings;
        let mut out = format!(
            "A reading every {capture_interval_s} s, an aggregation every {aggregate_interval_s} s, a release every {release_interval_s} s.\n"
        );
        let common = self.common();
        if !common.is_empty() {
            out.push_str(&["On every series: ", &common.join(", "), "\n"].concat());
        }
        out.push('\n');
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let mut cells = vec![words(&["SOURCE", "METRIC", "TYPE", "UNIT", "SERIES", "POINTS/DAY", "TAGS"])];
        for row in &self.rows {
            let mut last = row.tags.join(" ");
            if !row.note.is_empty() {
                let gap = if last.is_empty() { "(" } else { " (" };
                last.extend([gap, row.note, ")"]);
            }
            let mut cell = words(&[row.source, row.metric, row.kind, row.unit]);
            cell.extend([row.series.to_string(), whole(row.points), last]);
            cells.push(cell);
        }
        align(&cells, 4..6, &mut out);
        out.push('\n');

        let mut cells = vec![words(&["SOURCE", "SERIES", "POINTS/DAY", "COMPRESSED/DAY"])];
        let mut line = |source: &str, series: usize, points: f64, bytes: f64| {
            cells.push(vec![source.to_owned(), series.to_string(), whole(points), scaled(bytes)]);
        };
        for (source, series, day) in &self.shares {
            line(source, *series, day.points, day.body_bytes);
        }
        line("all", self.plan.flows.len(), self.total.points, self.total.body_bytes);
        let shared = ["common to several", "", "", &scaled(self.shared_bytes())].map(str::to_owned);
        cells.insert(cells.len() - 1, shared.to_vec());
        align(&cells, 1..4, &mut out);

        let Day { requests, body_bytes, wire_bytes, .. } = self.total;
        out.push_str(&format!(
            "\nOn the link: about {} a day, {} in 30 days, for {} requests: {} of compressed bodies, and {} for\n\
             heads, answers, TLS and TCP over a connection that is kept. Where the intake closes it in between, each\n\
             request costs {} more.\n",
            scaled(wire_bytes),
            scaled(wire_bytes * 30.0),
            whole(requests),
            scaled(body_bytes),
            scaled(wire_bytes - body_bytes),
            scaled(NEW_CONNECTION_BYTES),
        ));
        for (setting, day) in &self.savings {
            let saved = wire_bytes - day.wire_bytes;
            let share = whole(100.0 * saved / wire_bytes);
            out.push_str(&format!("{setting} would save {} of it ({share} %).\n", scaled(saved)));
        }
        if !self.plan.notes.is_empty() {
            out.push('\n');
        }
        for note in &self.plan.notes {
            out.push_str(note);
            out.push('\n');
        }
        out
    }

    /// Tags of every series, and its host.
    pub(super) fn common(&self) -> Vec<String> {
        let host = self.settings.host.iter().map(|host| ["host:", host].concat());
        host.chain(self.settings.global_tags.iter().cloned()).collect()
    }
}

fn rows<'a>(plan: &'a Plan, settings: &Settings) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    for source in &plan.sources {
        let own: Vec<&Flow> = plan.flows.iter().filter(|flow| flow.source == *source).collect();
        let is_same = |a: &&Flow, b: &&Flow| a.series.name == b.series.name && a.series.kind == b.series.kind;
        for group in own.chunk_by(is_same) {
            let Some(Flow { series, doc, source, .. }) = group.first() else { continue };
            let day_s = 86_400.0;
            let pace =
                |flow: &&Flow| flow.pace.every_s(settings).map_or(0.0, |every_s| day_s / every_s as f64);
            let unit = doc.map_or("", |doc| doc.unit);
            let note = match doc {
                Some(doc) if doc.name != series.name => "renamed by METRICS_RULES",
                _ if *source == APPLICATION => "at most",
                _ => "",
            };
            let (metric, kind) = (series.name.as_str(), series.kind.as_str());
            let points = group.iter().map(pace).sum();
            rows.push(Row {
                source,
                metric,
                kind,
                unit,
                series: group.len(),
                points,
                tags: tags(group),
                note,
            });
        }
        for absent in plan.absent.iter().filter(|absent| absent.source == *source) {
            rows.push(Row {
                source,
                metric: &absent.name,
                kind: absent.kind.as_str(),
                unit: absent.unit,
                series: 0,
                points: 0.0,
                tags: absent.tags.iter().map(|key| [*key, ":*"].concat()).collect(),
                note: absent.reason,
            });
        }
    }
    rows
}

/// The tags of some series: with their values where all have the same.
fn tags(group: &[&Flow]) -> Vec<String> {
    let mut seen: SortedMap<String, (usize, String)> = SortedMap::new();
    for tag in group.iter().flat_map(|flow| flow.series.tags.iter()) {
        let (key, value) = tag.split_once(':').unwrap_or((&tag, ""));
        let (count, first) = seen.entry(key.to_owned());
        if *count == 0 {
            value.clone_into(first);
        }
        *count += usize::from(first == value);
    }
    let text = |(key, (count, first)): &(String, (usize, String))| match *count == group.len() {
        true => [key, ":", first].concat(),
        false => [key, ":*"].concat(),
    };
    seen.iter().map(text).collect()
}

/// Lines of cells in columns; those of `right` stand at the right.
fn align(lines: &[Vec<String>], right: std::ops::Range<usize>, out: &mut String) {
    const GAP: usize = 2;
    let columns = lines.first().map_or(0, Vec::len);
    let length = |line: &Vec<String>, column: usize| line.get(column).map_or(0, |cell| cell.chars().count());
    let widths: Vec<usize> = (0..columns)
        .map(|column| lines.iter().map(|line| length(line, column)).max().unwrap_or_default())
        .collect();
    for line in lines {
        let mut text = String::new();
        for (column, cell) in line.iter().enumerate() {
            let room = widths.get(column).map_or(0, |width| width - length(line, column));
            let (before, after) = if right.contains(&column) { (room, GAP) } else { (0, room + GAP) };
            text.extend(std::iter::repeat_n(' ', before));
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', after));
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
}

/// The nearest integer.
pub(super) fn whole(value: f64) -> String {
    (value.round() as i64).to_string()
}

/// Bytes with a unit that a person reads.
fn scaled(bytes: f64) -> String {
    let (value, unit) = match bytes {
        ..1e3 => return whole(bytes) + " B",
        ..1e6 => (bytes / 1e3, " kB"),
        _ => (bytes / 1e6, " MB"),
    };
    let tenths = (value * 10.0).round() as i64;
    let (point, fraction) = (".", (tenths % 10).to_string());
    [&(tenths / 10).to_string(), point, &fraction, unit].concat()
}
