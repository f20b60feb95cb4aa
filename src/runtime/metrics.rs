//! `chouette-iot metrics`: what a configuration sends, and how much that is. The plugins are read, Redis is looked at,
//! and nothing is sent or changed.

use std::error::Error;
use std::time::Duration;

use super::reading::{PluginReader, PluginReading};
use super::{clock, setup};
use crate::agent::Settings;
use crate::collect::{self, CollectError, MetricDoc, Plugin};
use crate::config::{Config, Storage};
use crate::estimate::Plan;
use crate::estimate::table::Estimate;
use crate::limits::{CHUNK_KEYS, RECORD_BYTES_MAX};
use crate::protocol::redis::{Request, Strings};
use crate::queue::{self, Queue, RAW_METRICS, WRAPPED_METRICS};

/// What the first readings are given, and those after it: what did not answer the first time is not awaited as long.
const WITHIN: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(3), Duration::from_secs(3)];

/// From the beginning of a reading to that of the next one: a share of the processor is measured between two, and values
/// are seen to change.
const BETWEEN: Duration = Duration::from_secs(1);

/// What Redis is given for an answer.
const LOOK_WITHIN: Duration = Duration::from_secs(5);

/// The answer, and whether each plugin could be read.
pub struct Told {
    /// Text or JSON.
    pub text: String,
    /// Every plugin has read something, or failed at nothing.
    pub all_read: bool,
}

/// A plugin, how much it has read in all, and what went wrong the last time.
struct Seen {
    plugin: &'static Plugin,
    gauges: usize,
    problem: Option<CollectError>,
}

/// Reads, looks and reckons. What it calls is not inlined: in one frame as large as that of all of it, each access to
/// the stack would take twice the bytes.
///
/// # Errors
/// The configuration does not fit this machine, or the kernel refuses a poll.
pub fn tell(config: &Config, seed: u64, as_json: bool) -> Result<Told, Box<dyn Error>> {
    let settings = setup::settings(config)?;
    let mut reader = setup::plugin_reader(config, seed)?;
    let plugins = config.collector_plugins.iter().filter_map(|name| collect::plugin(name));
    let mut plan = Plan::new(&plugins.map(|plugin| plugin.name).collect::<Vec<_>>());
    let mut seen = Vec::new();
    for within in WITHIN {
        let ends = clock::now().mono + BETWEEN;
        for reading in reader.read(within)? {
            take(reading, &mut seen, &mut plan, &settings);
        }
        reader.rest_until(ends)?;
    }
    let all_read = seen.iter().all(|seen| seen.gauges > 0 || seen.problem.is_none());
    for Seen { plugin, problem, .. } in seen {
        plan.note_absent(plugin, &|doc| is_on(config, plugin, doc), problem.is_some(), &settings);
        plan.notes.extend(problem.map(|problem| [plugin.name, ": ", &problem.to_string()].concat()));
    }
    plan.add_own(&settings, &|name| match name {
        name if name.contains(".dogstatsd.") => settings.dogstatsd_contexts_max.is_some(),
        name if name.contains(".spool.") => config.storage == Storage::Embedded,
        _ => true,
    });
    look(&mut reader, config, &mut plan, &settings)?;
    let estimate = Estimate::new(&plan, &settings, clock::now().wall_s as u64);
    Ok(Told { text: if as_json { estimate.json() } else { estimate.text() }, all_read })
}

fn take(reading: PluginReading, seen: &mut Vec<Seen>, plan: &mut Plan, settings: &Settings) {
    let PluginReading { plugin, gauges, problem, .. } = reading;
    let Some(plugin) = collect::plugin(plugin) else { return };
    let count = gauges.len();
    plan.add_readings(plugin, gauges, settings);
    match seen.iter_mut().find(|seen| seen.plugin.name == plugin.name) {
        Some(seen) => {
            seen.gauges += count;
            seen.problem = problem;
        }
        None => seen.push(Seen { plugin, gauges: count, problem }),
    }
}

/// Whether a metric of a plugin's table is switched on.
fn is_on(config: &Config, plugin: &Plugin, doc: &MetricDoc) -> bool {
    match plugin.name {
        "host" => config.host_metrics.iter().any(|word| word == doc.group),
        "board" => config.board_groups.iter().any(|group| group.word() == doc.group),
        "tegrastats" => config.tegrastats_groups.iter().any(|group| group.word() == doc.group),
        "k8s" => config.k8s_groups.has(doc),
        _ => doc.group == "always",
    }
}

/// Takes what applications have left in the queues.
#[inline(never)]
fn look(
    reader: &mut PluginReader,
    config: &Config,
    plan: &mut Plan,
    settings: &Settings,
) -> std::io::Result<()> {
    let problem = match config.storage {
        Storage::Embedded => Some("the agent that runs keeps them to itself".to_owned()),
        Storage::Redis => {
            let raw = first_values(reader, RAW_METRICS)?.map(|records| plan.add_raw(&records, settings));
            let wrapped = first_values(reader, WRAPPED_METRICS)?.map(|records| plan.add_wrapped(&records));
            raw.and(wrapped).err()
        }
    };
    plan.notes.push(match problem {
        Some(reason) => ["What applications send comes on top; it cannot be looked at: ", &reason].concat(),
        None => {
            "Of applications: what lies in Redis now, as if all of it came in each aggregation.".to_owned()
        }
    });
    plan.notes
        .push("Not counted: logs, and DogStatsD's distributions, events and service checks.".to_owned());
    Ok(())
}

/// The oldest records of a queue, which stay there; or why they cannot be had.
fn first_values(reader: &mut PluginReader, queue: Queue) -> std::io::Result<Result<Strings, String>> {
    let mut request = Request::new();
    queue::key_chunk(&mut request, queue, 0, CHUNK_KEYS);
    let mut replies = match reader.ask_redis_packed(request, LOOK_WITHIN)? {
        Ok(replies) => replies,
        Err(reason) => return Ok(Err(reason)),
    };
    let keys = match queue::listed(&mut replies) {
        Ok(keys) => keys,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let count = queue::fitting(keys.keys(), CHUNK_KEYS);
    if count == 0 {
        return Ok(Ok(Strings::default()));
    }
    let mut request = Request::new();
    queue::value_chunk(&mut request, queue, keys.keys().take(count), RECORD_BYTES_MAX);
    Ok(match reader.ask_redis_packed(request, LOOK_WITHIN)? {
        Ok(mut replies) => match queue::values_of(&mut replies, count) {
            Ok((values, _)) => Ok(values),
            Err(error) => Err(error.to_string()),
        },
        Err(reason) => Err(reason),
    })
}
