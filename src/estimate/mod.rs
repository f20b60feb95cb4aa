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
use crate::metric::{Number, Series, SeriesKind, Tags};
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
    /// Seconds between two points, where a release comes every `release_s`; none where there are no points.
    pub fn every_s(self, settings: &Settings, release_s: u32) -> Option<u64> {
        let (flush_s, capture_s) = (settings.aggregate_interval_s, settings.capture_interval_s);
        let every_s = match self {
            Pace::Capture => capture_s,
            Pace::Hour => capture_s.max(HOUR_S),
            Pace::Flush => flush_s,
            Pace::Release => release_s,
            Pace::Delivery => release_s.max(flush_s),
            Pace::Told => capture_s.max(flush_s),
            Pace::Never => return None,
        };
        Some(u64::from(every_s.max(1)))
    }
}

/// A series that is sent, or would be.
#[derive(Debug)]
pub struct Flow {
    /// The plugin, or [`AGENT`] or [`APPLICATION`].
    pub source: &'static str,
    /// The series as it stands in the queue, with the value that was seen first.
    pub series: Series,
    /// The value that was seen last.
    pub latest: Number,
    /// When it gets points.
    pub pace: Pace,
    /// What one is.
    pub unit: &'static str,
    /// Why it has another name, or is not there, in a few words.
    pub note: &'static str,
    /// What the plugin's table calls it.
    doc_name: &'static str,
}

/// Everything that is sent, or not.
#[derive(Debug, Default)]
pub struct Plan {
    /// What is sent, by source and name.
    pub flows: Vec<Flow>,
    /// What is not, and has no more than the keys of its tags: `key:*`.
    pub absent: Vec<Flow>,
    /// What else a person has to know, a line each.
    pub notes: Vec<String>,
    /// The sources in the order they are shown.
    pub sources: Vec<&'static str>,
}

/// A metric of the agent's own. Its group says when it occurs where it has no pace.
struct Own {
    doc: MetricDoc,
    kind: SeriesKind,
    pace: Pace,
}

const fn own(
    name: &'static str,
    kind: SeriesKind,
    tags: &'static [&'static str],
    pace: Pace,
    occurs: &'static str,
) -> Own {
    Own { doc: MetricDoc::new(name, tags, "", occurs), kind, pace }
}

static OWN: &[Own] = &[
    own(telemetry::QUEUED_METRICS, SeriesKind::Gauge, &[], Pace::Release, ""),
    own(telemetry::DISPATCHED_METRICS_NUMBER, SeriesKind::Count, &[], Pace::Delivery, ""),
    own(telemetry::DISPATCHED_METRICS_BYTES, SeriesKind::Count, &[], Pace::Delivery, ""),
    own(telemetry::DISPATCHED_LOGS_NUMBER, SeriesKind::Count, &[], Pace::Never, "with each release of logs"),
    own(telemetry::DISPATCHED_LOGS_BYTES, SeriesKind::Count, &[], Pace::Never, "with each release of logs"),
    own(telemetry::COLLECTOR_FAILED, SeriesKind::Count, &["plugin"], Pace::Never, "when a plugin fails"),
    own(telemetry::DROPPED, SeriesKind::Count, &["reason"], Pace::Never, "when something is dropped"),
    own(telemetry::DOGSTATSD_RECEIVED, SeriesKind::Count, &[], Pace::Never, "while messages come"),
    own(telemetry::DOGSTATSD_BAD, SeriesKind::Count, &["reason"], Pace::Never, "when messages are bad"),
    own(telemetry::DOGSTATSD_KERNEL_DROPS, SeriesKind::Count, &[], Pace::Never, "when too many come"),
    own(telemetry::SPOOL_WRITTEN_BYTES, SeriesKind::Count, &[], Pace::Never, "when it goes to the disk"),
    own(telemetry::SPOOL_RECORDS, SeriesKind::Gauge, &[], Pace::Never, "when it goes to the disk"),
];

impl Plan {
    /// Nothing yet; of these plugins, of the agent and of applications there will be something.
    pub fn new(plugins: &[&'static str]) -> Plan {
        let mut sources = plugins.to_vec();
        sources.extend([AGENT, APPLICATION]);
        Plan { sources, ..Plan::default() }
    }

    /// Takes the readings of a plugin; its rules are those of the settings.
    #[inline(never)]
    pub fn add_readings(&mut self, plugin: &'static Plugin, gauges: Vec<Gauge>, settings: &Settings) {
        for gauge in gauges {
            let doc = plugin.metrics.iter().find(|doc| doc.name == gauge.name);
            let is_hourly = doc.is_some_and(|doc| doc.group == HOURLY_GROUP);
            let pace = if is_hourly { Pace::Hour } else { Pace::Capture };
            match ruled(gauge, settings) {
                Some(series) => self.add(plugin.name, series, pace, doc),
                None => self.tell_own(telemetry::DROPPED, "reason:rule", Pace::Told, settings),
            }
        }
    }

    /// Notes which metrics of a plugin's table, as far as they are switched on, are not among its readings, and
    /// whether it `failed`.
    #[inline(never)]
    pub fn note_absent(
        &mut self,
        plugin: &'static Plugin,
        is_on: &dyn Fn(&MetricDoc) -> bool,
        failed: bool,
        settings: &Settings,
    ) {
        for doc in plugin.metrics {
            if !is_on(doc) || self.flows.iter().any(|flow| flow.doc_name == doc.name) {
                continue;
            }
            let gauge = Gauge { name: doc.name, tags: Tags::none(), value: Number::Int(0) };
            let (series, note) = match ruled(gauge, settings) {
                None => (nothing(doc.name), "dropped by METRICS_RULES"),
                Some(series) if failed => (series, "could not be read, see below"),
                Some(series) => (series, "nothing there"),
            };
            self.lack(plugin.name, series, doc, note);
        }
        if failed {
            let tag = ["plugin:", plugin.name].concat();
            self.tell_own(telemetry::COLLECTOR_FAILED, &tag, Pace::Told, settings);
        }
    }

    /// Takes the agent's own metrics, as far as there are any. `has` says of what a name is about whether that is
    /// in use.
    #[inline(never)]
    pub fn add_own(&mut self, settings: &Settings, has: &dyn Fn(&str) -> bool) {
        for own in OWN {
            let name = own.doc.name;
            if own.pace != Pace::Never {
                self.tell_own(name, "", own.pace, settings);
            } else if settings.send_self_metrics
                && has(name)
                && !self.flows.iter().any(|flow| flow.series.name == name)
            {
                let series = Series { kind: own.kind, ..nothing(name) };
                self.lack(AGENT, series, &own.doc, own.doc.group);
            }
        }
    }

    fn tell_own(&mut self, name: &str, tag: &str, pace: Pace, settings: &Settings) {
        let own = OWN.iter().find(|own| own.doc.name == name);
        let Some(own) = own.filter(|_| settings.send_self_metrics) else { return };
        // What they count is about what is sent: hundreds as a rule.
        for value in [100, 900] {
            let tags = if tag.is_empty() { Tags::none() } else { Tags::from_strings(&[tag]) };
            let mut series = Series::gauge(name, tags, Number::Int(value), 0.0);
            series.kind = own.kind;
            series.interval_s = (own.kind == SeriesKind::Count).then_some(settings.aggregate_interval_s);
            self.add(AGENT, series, pace, None);
        }
    }

    /// Takes a series, in its place; one that is there already has another value now.
    pub fn add(&mut self, source: &'static str, series: Series, pace: Pace, doc: Option<&'static MetricDoc>) {
        let place = self.flows.binary_search_by(|flow| {
            let sources = self.rank(flow.source).cmp(&self.rank(source));
            sources.then_with(|| {
                let own = (&series.name, series.kind, &series.tags);
                (&flow.series.name, flow.series.kind, &flow.series.tags).cmp(&own)
            })
        });
        let latest = series.point.value;
        match place {
            Ok(at) => {
                if let Some(flow) = self.flows.get_mut(at) {
                    flow.latest = latest;
                }
            }
            Err(at) => {
                let (unit, doc_name) = doc.map_or(("", ""), |doc| (doc.unit, doc.name));
                let note = match source {
                    APPLICATION => "at most",
                    _ if !doc_name.is_empty() && doc_name != series.name => "renamed by METRICS_RULES",
                    _ => "",
                };
                self.flows.insert(at, Flow { source, latest, series, pace, unit, note, doc_name });
            }
        }
    }

    fn rank(&self, source: &str) -> Option<usize> {
        self.sources.iter().position(|known| *known == source)
    }

    /// Notes a metric that is not sent.
    fn lack(
        &mut self,
        source: &'static str,
        mut series: Series,
        doc: &'static MetricDoc,
        note: &'static str,
    ) {
        let tags: Vec<String> = doc.tags.iter().map(|key| [*key, ":*"].concat()).collect();
        series.tags = Tags::from_strings(&tags);
        let (latest, pace, unit, doc_name) = (Number::Int(0), Pace::Never, doc.unit, doc.name);
        self.absent.push(Flow { source, latest, series, pace, unit, note, doc_name });
    }
}

/// A series that has no value.
fn nothing(name: &str) -> Series {
    Series::gauge(name, Tags::none(), Number::Int(0), 0.0)
}

/// A reading as a series, unless a rule drops it.
fn ruled(gauge: Gauge, settings: &Settings) -> Option<Series> {
    let series = Series::gauge(gauge.name, gauge.tags, gauge.value, 0.0);
    match settings.wrapper.rules() {
        Some(rules) => rules.reading(series),
        None => Some(series),
    }
}
