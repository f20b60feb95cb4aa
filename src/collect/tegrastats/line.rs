//! A line of tegrastats, field by field.
//!
//! ```text
//! 02-14-2025 07:31:06 RAM 2210/7620MB (lfb 9x4MB) SWAP 12/3810MB (cached 0MB) CPU [3%@1190,off]
//!   EMC_FREQ 2%@2133 GR3D_FREQ 18%@[611] NVDEC off APE 200 cpu@49.5C tj@50.25C VDD_IN 5120mW/5044mW
//! ```
//!
//! The fields come in any order and any number; which ones depends on the board, on the release and on whether
//! tegrastats runs as root. Formats: <https://docs.nvidia.com/jetson/archives/r36.4/DeveloperGuide/AT/JetsonLinuxDevelopmentTools/TegrastatsUtility.html>
//!
//! Whatever has a name nobody knows is passed over. What has a known name and a form nobody has seen is listed in
//! `odd`. Not read: the largest free block, the cache of the swap space, IRAM, and the engines for video,
//! images and inference.

#[cfg(test)]
mod tests;

use super::Group;
use super::value::{self, Engine, Memory};
use crate::limits::tegrastats::{FORM_CHARS_MAX, ITEMS_MAX, NAME_CHARS_MAX};
use crate::metric::{Number, SortedSet};

/// Names that power rails begin with. Others are known by their values.
const RAIL_PREFIXES: [&str; 4] = ["VDD", "VIN", "POM_", "SYS5V"];
/// A rail that is not connected.
const NO_RAIL: &str = "NC";
const OFF: &str = "off";

/// What a line says.
#[derive(Debug, Default, PartialEq)]
pub struct Line {
    /// `RAM`
    pub ram: Option<Memory>,
    /// `SWAP`
    pub swap: Option<Memory>,
    /// Temperature zones in °C, each name once.
    pub zones: Named<Number>,
    /// Power rails in mW, each name once.
    pub rails: Named<u64>,
    /// The graphics processor, all of its units.
    pub gpu: Engine,
    /// The memory controller.
    pub emc: Engine,
    /// Cores that are on, by number.
    pub cores: Vec<(usize, Engine)>,
    /// Fields of a known name and an unknown form, with that form, every number in it being 0.
    pub odd: Vec<(Group, String)>,
    /// What was there, whether it had a value or not.
    pub seen: SortedSet<Group>,
}

/// Values by name.
#[derive(Debug, PartialEq)]
pub struct Named<T> {
    /// In the order in which they were found.
    pub items: Vec<(String, T)>,
    names: SortedSet<String>,
}

impl<T> Default for Named<T> {
    fn default() -> Named<T> {
        Named { items: Vec::new(), names: SortedSet::new() }
    }
}

impl<T> Named<T> {
    /// Adds one; a name that is taken gets a number. False where there are too many.
    pub fn add(&mut self, name: &str, item: T) -> bool {
        if self.items.len() >= ITEMS_MAX {
            return false;
        }
        let numbered = (2..).map(|n| format!("{name}_{n}"));
        let mut candidates = std::iter::once(name.to_owned()).chain(numbered);
        let Some(free) = candidates.find(|name| !self.names.contains(name)) else {
            return false;
        };
        self.names.insert(free.clone());
        self.items.push((free, item));
        true
    }
}

impl Line {
    /// Reads a line. Any text is one, though most say nothing.
    pub fn parse(text: &str) -> Line {
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut line = Line::default();
        let mut rest = words.as_slice();
        while let [name, after @ ..] = rest {
            let used = line.field(name, after);
            rest = after.get(used..).unwrap_or_default();
        }
        line
    }

    /// Whether this is a line of tegrastats at all.
    pub fn is_known(&self) -> bool {
        !self.seen.is_empty() || !self.odd.is_empty()
    }

    /// Takes the field of this name; gives the number of words that belong to it beside the name.
    fn field(&mut self, name: &str, after: &[&str]) -> usize {
        match name {
            "RAM" => self.memory(Group::Ram, name, after),
            "SWAP" => self.memory(Group::Swap, name, after),
            "CPU" | "cpu" if after.first().is_some_and(|next| next.starts_with('[')) => self.cores(after),
            "GR3D_FREQ" | "GR3D2_FREQ" | "GR3D" => self.engine(Group::Gpu, name, after),
            "EMC_FREQ" | "EMC" => self.engine(Group::Emc, name, after),
            _ if name.contains('@') => self.zone(name),
            _ => self.rail(name, after),
        }
    }

    fn memory(&mut self, group: Group, name: &str, after: &[&str]) -> usize {
        let Some(memory) = after.first().and_then(|text| value::memory(text)) else {
            return self.odd(group, name, after);
        };
        let slot = if group == Group::Swap { &mut self.swap } else { &mut self.ram };
        *slot = Some(memory);
        self.seen.insert(group);
        1
    }

    fn engine(&mut self, group: Group, name: &str, after: &[&str]) -> usize {
        let (text, used) = bracketed(after);
        if text == OFF {
            self.seen.insert(group);
            return used;
        }
        let Some(engine) = value::engine(&text) else {
            return self.odd(group, name, after);
        };
        let slot = if group == Group::Emc { &mut self.emc } else { &mut self.gpu };
        slot.merge(engine);
        self.seen.insert(group);
        used
    }

    /// `[2%@345,off,1%@345]`, or `[2%,5%]@1734` where one clock drives all. Of a list that was cut the last core
    /// may be cut too.
    fn cores(&mut self, after: &[&str]) -> usize {
        let (text, used) = bracketed(after);
        let inner = text.strip_prefix('[').unwrap_or(&text);
        let cut = inner.rsplit_once(',').map_or("", |(whole, _)| whole);
        let (list, clock) = inner.rsplit_once(']').unwrap_or((cut, OFF));
        let common = clock.strip_prefix('@').and_then(value::highest);
        if !clock.is_empty() && common.is_none() {
            self.odd(Group::Cpu, "CPU", after);
        }
        self.cores.clear();
        for (number, core) in list.split(',').enumerate() {
            match value::engine(core) {
                _ if core == OFF => {
                    self.seen.insert(Group::Cpu);
                }
                _ if number >= ITEMS_MAX => {
                    self.note(Group::Cpu, format!("more than {ITEMS_MAX} cores"));
                    break;
                }
                Some(mut engine) => {
                    engine.frequency_hz = engine.frequency_hz.or(common);
                    self.cores.push((number, engine));
                    self.seen.insert(Group::Cpu);
                }
                None => {
                    self.odd(Group::Cpu, "core", &[core]);
                }
            }
        }
        used
    }

    /// `GPU@36.5C`. Of other words with such a sign only those that seem to tell a temperature are odd.
    fn zone(&mut self, word: &str) -> usize {
        let Some((name, text)) = word.split_once('@').filter(|(name, _)| is_name(name)) else {
            return 0;
        };
        match value::celsius(text) {
            Some(celsius) => {
                self.seen.insert(Group::Temp);
                if value::is_measured(name, celsius) && !self.zones.add(name, celsius) {
                    self.note(Group::Temp, format!("more than {ITEMS_MAX} zones"));
                }
            }
            None if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) || text.ends_with('C') => {
                self.note(Group::Temp, format!("{name}@{}", form(text)));
            }
            None => {}
        }
        0
    }

    /// `VDD_IN 2532/2698`. Names of rails are many: one in capitals before such a pair is taken for one.
    fn rail(&mut self, name: &str, after: &[&str]) -> usize {
        let Some(text) = after.first().filter(|_| is_name(name)) else {
            return 0;
        };
        let is_capital = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        let (is_in_capitals, has_unit) = (name.bytes().all(is_capital), text.contains("mW"));
        let Some(power_mw) = value::power_mw(text).filter(|_| is_in_capitals || has_unit) else {
            let is_rail = RAIL_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
            return if is_rail || has_unit { self.odd(Group::Power, name, after) } else { 0 };
        };
        self.seen.insert(Group::Power);
        if name != NO_RAIL && !self.rails.add(name, power_mw) {
            self.note(Group::Power, format!("more than {ITEMS_MAX} rails"));
        }
        1
    }

    /// Notes a form. The value is not used up: the next field may stand in its place.
    fn odd(&mut self, group: Group, name: &str, after: &[&str]) -> usize {
        let value = after.first().map_or_else(String::new, |value| format!(" {}", form(value)));
        self.note(group, format!("{name}{value}"));
        0
    }

    fn note(&mut self, group: Group, what: String) {
        let entry = (group, what);
        if self.odd.len() < ITEMS_MAX && !self.odd.contains(&entry) {
            self.odd.push(entry);
        }
    }
}

/// The text with every number in it made 0, so that two values of one form are the same.
pub fn form(text: &str) -> String {
    let mut out = String::new();
    let mut before = ' ';
    for c in text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }) {
        if c == '0' && before == '0' {
            continue;
        }
        before = c;
        out.push(if c.is_control() { '?' } else { c });
        if out.len() >= FORM_CHARS_MAX {
            break;
        }
    }
    out
}

/// The next value, which may have blanks between its brackets, and the number of words it takes.
fn bracketed(words: &[&str]) -> (String, usize) {
    let mut text = String::new();
    let mut used = 0;
    for word in words {
        let belongs = |c: char| c.is_ascii_digit() || matches!(c, ',' | ']' | '@');
        if used > 0 && !word.starts_with(belongs) && !word.starts_with(OFF) {
            break;
        }
        text.push_str(word);
        used += 1;
        if !text.contains('[') || text.contains(']') {
            break;
        }
    }
    (text, used)
}

/// Whether this can be the name of a zone or rail.
fn is_name(text: &str) -> bool {
    let is_part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    text.len() <= NAME_CHARS_MAX
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(is_part)
}
