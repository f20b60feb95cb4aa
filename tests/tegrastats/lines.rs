//! Lines through the collector, each compared with what a second, simpler reader makes of it.

use crate::support::{corpus_cases, json, repository};
use chouette_iot::collect::tegrastats::Group;
use chouette_iot::collect::{Collector, DiskSpace, HostFiles, Options, Reading, Reply, plugin};
use std::collections::BTreeMap;
use std::io;

/// `METRIC TAGS` → value.
type Found = BTreeMap<String, f64>;

struct NoFiles;

impl HostFiles for NoFiles {
    fn read(&self, _: &str) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }
    fn own_file(&self, _: &str) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn list(&self, _: &str) -> io::Result<Vec<String>> {
        Err(io::ErrorKind::NotFound.into())
    }
    fn disk_space(&self, _: &str) -> io::Result<DiskSpace> {
        Err(io::ErrorKind::NotFound.into())
    }
    fn is_foreign(&self) -> bool {
        false
    }
}

fn collector(groups: &[Group]) -> Box<dyn Collector> {
    let options = Options { tegrastats_groups: groups.to_vec(), ..Options::default() };
    (plugin("tegrastats").unwrap().build)(&options)
}

/// What the plugin makes of a line.
fn read(line: &str, groups: &[Group]) -> Found {
    let mut collector = collector(groups);
    collector.begin(&mut Reading::new(&NoFiles)).unwrap();
    let mut reading = Reading::new(&NoFiles);
    let result = collector.reply(0, Reply::Line(line.as_bytes().to_vec()), &mut reading);
    assert_eq!(result, Ok(()), "{line}");
    let count = reading.gauges.len();
    let entry =
        |g: chouette_iot::collect::Gauge| (format!("{} {}", g.name, g.tags.as_str()), g.value.as_f64());
    let found: Found = reading.gauges.into_iter().map(entry).collect();
    assert_eq!(found.len(), count, "a series twice: {line}");
    found
}

fn all_groups() -> Vec<Group> {
    Group::WORDS.iter().map(|(_, group)| *group).collect()
}

/// The numbers in a text, in order.
fn numbers(text: &str) -> Vec<f64> {
    let parts = text.split(|c: char| !c.is_ascii_digit() && c != '.' && c != '-');
    parts.filter_map(|part| part.parse().ok()).collect()
}

/// What a line must give, read by looking for the signs that mark a field.
fn expected(line: &str) -> Found {
    let mut found = Found::new();
    let mut add = |metric: &str, tag: Option<String>, value: f64| {
        let tags = tag.map_or("[]".to_owned(), |tag| format!("[\"{tag}\"]"));
        found.insert(format!("Chouette.tegrastats.{metric} {tags}"), value);
    };
    let tokens: Vec<&str> = line.split_whitespace().collect();
    let (mut gpu, mut rails) = ((-1.0f64, -1.0f64), BTreeMap::new());
    for (token, value) in tokens.iter().zip(tokens.iter().skip(1).chain(["."].iter())) {
        let is_cores = token.eq_ignore_ascii_case("cpu") && value.starts_with('[');
        if let Some((zone, celsius)) = token.split_once('@')
            && celsius.ends_with('C')
            && zone != "PMIC"
            && !celsius.starts_with("-256C")
        {
            add("temperature", Some(format!("zone:{zone}")), numbers(celsius)[0]);
        } else if let ("RAM" | "SWAP", [used, total]) = (*token, &numbers(value)[..]) {
            let name = token.to_lowercase();
            add(&format!("{name}.used"), None, used * 1024.0 * 1024.0);
            add(&format!("{name}.free"), None, (total - used) * 1024.0 * 1024.0);
        } else if token.starts_with("GR3D") {
            let (load, clocks) = value.split_once('@').unwrap_or((value, ""));
            gpu.0 = numbers(load).into_iter().fold(gpu.0, f64::max);
            gpu.1 = numbers(clocks).into_iter().fold(gpu.1, f64::max);
        } else if token.starts_with("EMC") {
            add("emc.load", None, numbers(value)[0]);
            numbers(value).get(1).iter().for_each(|mhz| add("emc.frequency", None, **mhz * 1e6));
        } else if is_cores {
            let (cores, common) = value.split_once(']').unwrap();
            for (number, core) in cores.split(',').enumerate().filter(|(_, core)| *core != "off") {
                let values = [numbers(core), numbers(common)].concat();
                add("cpu.load", Some(format!("core:{number}")), values[0]);
                add("cpu.frequency", Some(format!("core:{number}")), values[1] * 1e6);
            }
        } else if value.contains('/')
            && value.starts_with(|c: char| c.is_ascii_digit())
            && !value.contains('B')
        {
            let count = rails.entry(*token).and_modify(|n| *n += 1).or_insert(1);
            let name = if *count == 1 { (*token).to_owned() } else { format!("{token}_{count}") };
            if *token != "NC" {
                add("power", Some(format!("rail:{name}")), numbers(value)[0]);
            }
        }
    }
    if gpu.0 >= 0.0 {
        add("gpu.load", None, gpu.0);
    }
    if gpu.1 >= 0.0 {
        add("gpu.frequency", None, gpu.1 * 1e6);
    }
    found
}

fn check(line: &str) {
    let expected = expected(line);
    assert!(expected.len() >= 4, "{line}");
    assert_eq!(read(line, &all_groups()), expected, "{line}");
}

#[test]
fn every_field_of_our_own_lines_is_found() {
    let mut lines = 0;
    for entry in std::fs::read_dir(repository("tests/fixtures/tegrastats")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "line") {
            check(&std::fs::read_to_string(path).unwrap());
            lines += 1;
        }
    }
    assert!(lines >= 10, "only {lines} lines");
}

/// Lines collected from boards, where they stand beside the repository.
#[test]
fn every_field_of_real_lines_is_found() {
    let Ok(text) = std::fs::read_to_string(repository("../shared/tegrastats_samples.txt")) else {
        return;
    };
    let lines: Vec<&str> = text.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty()).collect();
    assert!(lines.len() >= 40, "only {} lines", lines.len());
    lines.into_iter().for_each(check);
}

#[test]
fn the_cases_of_the_corpus_give_their_readings() {
    let cases = corpus_cases("plugins", "tegrastats_");
    assert!(!cases.is_empty());
    for (name, case) in &cases {
        let wanted = json::get(case, "env").and_then(|env| json::text(json::get(env, "TEGRASTATS_METRICS")));
        let is_wanted = |word: &str| wanted.unwrap_or(r#"["ram","temp"]"#).contains(&format!("\"{word}\""));
        let groups: Vec<Group> =
            Group::WORDS.iter().filter(|(word, _)| is_wanted(word)).map(|(_, group)| *group).collect();
        let line = json::text(json::get(json::get(case, "input").unwrap(), "line")).unwrap();
        let series = json::items(json::get(case, "expected")).iter().map(|series| {
            let tags = json::sorted_texts(json::get(series, "tags"));
            let tags = miniserde::json::to_string(&tags);
            let metric = json::text(json::get(series, "metric")).unwrap();
            (format!("{metric} {tags}"), json::number(json::get(series, "value")).unwrap())
        });
        assert_eq!(read(line, &groups), series.collect::<Found>(), "{name}");
    }
}
