//! What is sent: the metrics, the groups that switch them on, and the gauges that a line becomes.

use super::line::{Line, Named};
use super::value::{Engine, Memory};
use crate::collect::{Gauge, MetricDoc};
use crate::metric::{Number, Tags};

const RAM_USED: &str = "Chouette.tegrastats.ram.used";
const RAM_FREE: &str = "Chouette.tegrastats.ram.free";
const TEMPERATURE: &str = "Chouette.tegrastats.temperature";
const POWER: &str = "Chouette.tegrastats.power";
const GPU_LOAD: &str = "Chouette.tegrastats.gpu.load";
const GPU_FREQUENCY: &str = "Chouette.tegrastats.gpu.frequency";
const EMC_LOAD: &str = "Chouette.tegrastats.emc.load";
const EMC_FREQUENCY: &str = "Chouette.tegrastats.emc.frequency";
const SWAP_USED: &str = "Chouette.tegrastats.swap.used";
const SWAP_FREE: &str = "Chouette.tegrastats.swap.free";
const CPU_LOAD: &str = "Chouette.tegrastats.cpu.load";
const CPU_FREQUENCY: &str = "Chouette.tegrastats.cpu.frequency";

/// Every metric of the plugin.
pub(super) const METRICS: &[MetricDoc] = &[
    MetricDoc::new(RAM_USED, &[], "byte", Group::Ram.word()),
    MetricDoc::new(RAM_FREE, &[], "byte", Group::Ram.word()),
    MetricDoc::new(TEMPERATURE, &["zone"], "degree Celsius", Group::Temp.word()),
    MetricDoc::new(POWER, &["rail"], "milliwatt", Group::Power.word()),
    MetricDoc::new(GPU_LOAD, &[], "percent", Group::Gpu.word()),
    MetricDoc::new(GPU_FREQUENCY, &[], "hertz", Group::Gpu.word()),
    MetricDoc::new(EMC_LOAD, &[], "percent", Group::Emc.word()),
    MetricDoc::new(EMC_FREQUENCY, &[], "hertz", Group::Emc.word()),
    MetricDoc::new(SWAP_USED, &[], "byte", Group::Swap.word()),
    MetricDoc::new(SWAP_FREE, &[], "byte", Group::Swap.word()),
    MetricDoc::new(CPU_LOAD, &["core"], "percent", Group::Cpu.word()),
    MetricDoc::new(CPU_FREQUENCY, &["core"], "hertz", Group::Cpu.word()),
];

/// A part of the readings that can be switched on by its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// `ram`
    Ram,
    /// `temp`
    Temp,
    /// `power`
    Power,
    /// `gpu`
    Gpu,
    /// `emc`
    Emc,
    /// `swap`
    Swap,
    /// `cpu`
    Cpu,
}

impl Group {
    /// All of them and their words in `TEGRASTATS_METRICS`.
    pub const WORDS: [(&'static str, Group); 7] = [
        ("ram", Group::Ram),
        ("temp", Group::Temp),
        ("power", Group::Power),
        ("gpu", Group::Gpu),
        ("emc", Group::Emc),
        ("swap", Group::Swap),
        ("cpu", Group::Cpu),
    ];

    /// The word in `TEGRASTATS_METRICS`.
    pub const fn word(self) -> &'static str {
        match self {
            Group::Ram => "ram",
            Group::Temp => "temp",
            Group::Power => "power",
            Group::Gpu => "gpu",
            Group::Emc => "emc",
            Group::Swap => "swap",
            Group::Cpu => "cpu",
        }
    }
}

/// Appends what a line says of a group.
pub(super) fn push(group: Group, line: &Line, out: &mut Vec<Gauge>) {
    match group {
        Group::Ram => push_memory([RAM_USED, RAM_FREE], line.ram, out),
        Group::Swap => push_memory([SWAP_USED, SWAP_FREE], line.swap, out),
        Group::Temp => push_named(TEMPERATURE, "zone", &line.zones, |celsius| *celsius, out),
        Group::Power => push_named(POWER, "rail", &line.rails, |mw| Number::Int((*mw).into()), out),
        Group::Gpu => push_engine([GPU_LOAD, GPU_FREQUENCY], &Tags::none(), &line.gpu, out),
        Group::Emc => push_engine([EMC_LOAD, EMC_FREQUENCY], &Tags::none(), &line.emc, out),
        Group::Cpu => {
            for (number, core) in &line.cores {
                let tags = Tags::from_strings(&[format!("core:{number}")]);
                push_engine([CPU_LOAD, CPU_FREQUENCY], &tags, core, out);
            }
        }
    }
}

fn push_memory([used, free]: [&'static str; 2], memory: Option<Memory>, out: &mut Vec<Gauge>) {
    if let Some(memory) = memory {
        for (name, bytes) in [(used, memory.used_bytes), (free, memory.free_bytes)] {
            out.push(Gauge { name, tags: Tags::none(), value: Number::Int(bytes.into()) });
        }
    }
}

fn push_engine([load, frequency]: [&'static str; 2], tags: &Tags, engine: &Engine, out: &mut Vec<Gauge>) {
    let hertz = engine.frequency_hz.map(|hz| Number::Int(hz.into()));
    for (name, value) in [(load, engine.load_percent), (frequency, hertz)] {
        out.extend(value.map(|value| Gauge { name, tags: tags.clone(), value }));
    }
}

fn push_named<T>(
    name: &'static str,
    key: &str,
    named: &Named<T>,
    value: impl Fn(&T) -> Number,
    out: &mut Vec<Gauge>,
) {
    for (item, item_value) in &named.items {
        let tags = Tags::from_strings(&[format!("{key}:{item}")]);
        out.push(Gauge { name, tags, value: value(item_value) });
    }
}
