//! What a configuration sends: every series with its pace, and from that the points and bytes of a day.
//!
//! A [`Plan`] is made of readings as they were taken just now, of the agent's own metrics as they occur while all
//! goes well, and of what applications have left in Redis ([`queued`]). Rules, tags and host are those of the
//! configuration. [`day`] writes the bodies of the releases to come with the agent's own writer and measures them;
//! [`table`] tells a person or a program.
//!
//! Not counted: logs, and DogStatsD's distributions, events and service checks.

pub mod day;
pub mod json;
pub mod queued;
pub mod table;
#[cfg(test)]
mod tests;

use crate::agent::Settings;
use crate::collect::{Gauge, MetricDoc, Plugin};
use crate::metric::{Number, Point, Series, SeriesKind, Tags};
use crate::telemetry;

/// The source of what the agent tells of itself.
pub const AGENT: &str = "agent";
/// The source of what applications have measured.
pub const APPLICATION: &str = "application";

/// The group of metrics that the plugin `board` reads once an hour.
const HOURLY_GROUP: &str = "wear";
const HOUR_S: u32 = 3_600;

/// When a series gets a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// With each reading of the plugins.
    Capture,
    /// Once an hour, with a reading.
    Hour,
    /// With each aggregation.
    Flush,
    /// With each release.
    Release,
    /// With the first aggregation after each release.
    Delivery,
    /// With the first aggregation after each reading.
    Told,
    /// Not while all goes well.
    Never,
}

impl Pace {
    /// Seconds between two points; none where there are none.
    pub fn every_s(self, settings: &Settings) -> Option<u64> {
        let flush_s = settings.aggregate_interval_s;
        let every_s = match self {
            Pace::Capture => settings.capture_interval_s,
            Pace::Hour => settings.capture_interval_s.max(HOUR_S),
            Pace::Flush => flush_s,
            Pace::Release => settings.release_interval_s,
            Pace::Delivery => settings.release_interval_s.max(flush_s),
            Pace::Told => settings.capture_interval_s.max(flush_s),
            Pace::Never => return None,
        };
        Some(u64::from(every_s.max(1)))
    }
}

/// A series that is sent.
#[derive(Debug, Clone)]
pub struct Flow {
    /// The plugin, or [`AGENT`] or [`APPLICATION`].
    pub source: &'static str,
    /// The series as it stands in the queue, with the value that was seen first.
    pub series: Series,
    /// The value that was seen last.
    pub latest: Number,
    /// When it gets points.
    pub pace: Pace,
    /// What the plugin's table has of it.
    pub doc: Option<&'static MetricDoc>,
}

/// A metric that is not sent now, and why.
#[derive(Debug)]
pub struct Absent {
    /// As in [`Flow::source`].
    pub source: &'static str,
    /// Its name, as it would be sent.
    pub name: String,
    /// Its type.
    pub kind: SeriesKind,
    /// Keys of its tags.
    pub tags: &'static [&'static str],
    /// What one is.
    pub unit: &'static str,
    /// Why, in a few words.
    pub reason: &'static str,
}

/// Everything that is sent, or not.
#[derive(Debug, Default)]
pub struct Plan {
    /// What is sent, by source and name.
    pub flows: Vec<Flow>,
    /// What is not.
    pub absent: Vec<Absent>,
    /// What else a person has to know, a line each.
    pub notes: Vec<String>,
    /// The sources in the order they are shown.
    pub sources: Vec<&'static str>,
}

/// A metric of the agent's own, its tags, its pace, and when it occurs where that is never.
type Own = (&'static str, SeriesKind, &'static [&'static str], Pace, &'static str);

const OWN: &[Own] = &[
    (telemetry::QUEUED_METRICS, SeriesKind::Gauge, &[], Pace::Release, ""),
    (telemetry::DISPATCHED_METRICS_NUMBER, SeriesKind::Count, &[], Pace::Delivery, ""),
    (telemetry::DISPATCHED_METRICS_BYTES, SeriesKind::Count, &[], Pace::Delivery, ""),
    (telemetry::DISPATCHED_LOGS_NUMBER, SeriesKind::Count, &[], Pace::Never, "with each release of logs"),
    (telemetry::DISPATCHED_LOGS_BYTES, SeriesKind::Count, &[], Pace::Never, "with each release of logs"),
    (telemetry::COLLECTOR_FAILED, SeriesKind::Count, &["plugin"], Pace::Never, "when a plugin fails"),
    (telemetry::DROPPED, SeriesKind::Count, &["reason"], Pace::Never, "when something is dropped"),
    (telemetry::DOGSTATSD_RECEIVED, SeriesKind::Count, &[], Pace::Never, "while messages come"),
    (telemetry::DOGSTATSD_BAD, SeriesKind::Count, &["reason"], Pace::Never, "when messages are bad"),
    (telemetry::DOGSTATSD_KERNEL_DROPS, SeriesKind::Count, &[], Pace::Never, "when too many come"),
    (telemetry::SPOOL_WRITTEN_BYTES, SeriesKind::Count, &[], Pace::Never, "when it goes to the disk"),
    (telemetry::SPOOL_RECORDS, SeriesKind::Gauge, &[], Pace::Never, "when it goes to the disk"),
];

impl Plan {
    /// Nothing yet; of these plugins, of the agent and of applications there will be something.
    pub fn new(plugins: impl Iterator<Item = &'static str>) -> Plan {
        Plan { sources: plugins.chain([AGENT, APPLICATION]).collect(), ..Plan::default() }
    }

    /// Takes the readings of a plugin; its rules are those of the settings.
    pub fn add_readings(&mut self, plugin: &'static Plugin, gauges: Vec<Gauge>, settings: &Settings) {
        let rules = settings.wrapper.rules();
        for gauge in gauges {
            let doc = plugin.metrics.iter().find(|doc| doc.name == gauge.name);
            let series = Series::gauge(gauge.name, gauge.tags, gauge.value, 0.0);
            let ruled = match rules {
                Some(rules) => rules.reading(series),
                None => Some(series),
            };
            let is_hourly = doc.is_some_and(|doc| doc.group == HOURLY_GROUP);
            let pace = if is_hourly { Pace::Hour } else { Pace::Capture };
            match ruled {
                Some(series) => self.add(plugin.name, series, pace, doc),
                None => self.tell_own(telemetry::DROPPED, "reason:rule", Pace::Told, settings),
            }
        }
    }

    /// Notes which metrics of a plugin's table, as far as they are switched on, are not among its readings, and
    /// whether it `failed`.
    pub fn note_absent(
        &mut self,
        plugin: &'static Plugin,
        is_on: &dyn Fn(&MetricDoc) -> bool,
        failed: bool,
        settings: &Settings,
    ) {
        for doc in plugin.metrics.iter().filter(|doc| is_on(doc)) {
            if self.flows.iter().any(|flow| flow.doc.is_some_and(|read| read.name == doc.name)) {
                continue;
            }
            let series = Series::gauge(doc.name, Tags::none(), Number::Int(0), 0.0);
            let ruled = match settings.wrapper.rules() {
                Some(rules) => rules.reading(series),
                None => Some(series),
            };
            let (name, reason) = match ruled {
                None => (doc.name.to_owned(), "dropped by METRICS_RULES"),
                Some(series) if failed => (series.name, "could not be read, see below"),
                Some(series) => (series.name, "nothing there"),
            };
            let MetricDoc { tags, unit, .. } = *doc;
            let kind = SeriesKind::Gauge;
            self.absent.push(Absent { source: plugin.name, name, kind, tags, unit, reason });
        }
        if failed {
            let tag = ["plugin:", plugin.name].concat();
            self.tell_own(telemetry::COLLECTOR_FAILED, &tag, Pace::Told, settings);
        }
    }

    /// Takes the agent's own metrics, as far as there are any. `has` says of what a name is about whether that is
    /// in use.
    pub fn add_own(&mut self, settings: &Settings, has: &dyn Fn(&str) -> bool) {
        if !settings.send_self_metrics {
            return;
        }
        for &(name, kind, tags, pace, reason) in OWN {
            if pace != Pace::Never {
                self.tell_own(name, "", pace, settings);
            } else if has(name) && !self.flows.iter().any(|flow| flow.series.name == name) {
                let (source, name, unit) = (AGENT, name.to_owned(), "");
                self.absent.push(Absent { source, name, kind, tags, unit, reason });
            }
        }
    }

    fn tell_own(&mut self, name: &str, tag: &str, pace: Pace, settings: &Settings) {
        let Some((_, kind, ..)) = OWN.iter().find(|own| own.0 == name) else { return };
        if !settings.send_self_metrics {
            return;
        }
        // What they count is about what is sent: hundreds as a rule.
        let tags = Tags::from_strings(Some(tag).filter(|tag| !tag.is_empty()).as_slice());
        let interval_s = (*kind == SeriesKind::Count).then_some(settings.aggregate_interval_s);
        for value in [100, 900] {
            let point = Point { timestamp: 0.0, value: Number::Int(value) };
            let series = Series { name: name.to_owned(), kind: *kind, tags: tags.clone(), interval_s, point };
            self.add(AGENT, series, pace, None);
        }
    }

    /// Takes a series, in its place; one that is there already has another value now.
    pub fn add(&mut self, source: &'static str, series: Series, pace: Pace, doc: Option<&'static MetricDoc>) {
        let rank = |source: &str| self.sources.iter().position(|known| *known == source);
        let own = (rank(source), &series.name, series.kind, &series.tags);
        let place = self.flows.binary_search_by(|flow| {
            let Series { name, kind, tags, .. } = &flow.series;
            (rank(flow.source), name, *kind, tags).cmp(&own)
        });
        let latest = series.point.value;
        match place {
            Ok(at) => self.flows.iter_mut().skip(at).take(1).for_each(|flow| flow.latest = latest),
            Err(at) => self.flows.insert(at, Flow { source, latest, series, pace, doc }),
        }
    }
}
