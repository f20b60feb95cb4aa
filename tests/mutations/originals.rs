//! What mutations start from: the seeds of the fuzzer, the repository's fixtures, and those of a corpus beside it.

use crate::support::json::{self, Value};
use crate::support::{corpus_cases, repository};

/// Records of one case that are taken.
const RECORDS_MAX: usize = 12;
/// An original that is longer makes a slow test and no better one.
const ORIGINAL_BYTES_MAX: usize = 20_000;

/// All originals of a target, the committed ones first.
pub fn originals(target: &str) -> Vec<Vec<u8>> {
    let mut all = committed(target);
    all.extend(match target {
        "record" => cases("metrics", "", &records),
        "wrapped" => cases("metrics", "", &series),
        "kubelet" => cases("plugins", "k8s_", &kubelet),
        "docker" => cases("plugins", "docker_", &docker),
        "tegrastats" => lines(),
        _ => Vec::new(),
    });
    all.retain(|original| original.len() <= ORIGINAL_BYTES_MAX);
    all
}

/// The files in the target's directory of the fuzzer, by name.
pub fn committed(target: &str) -> Vec<Vec<u8>> {
    let directory = repository("tests/fuzz/corpus").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no seeds of {target}");
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn cases(kind: &str, prefix: &str, input: &dyn Fn(&Value) -> Vec<String>) -> Vec<Vec<u8>> {
    let all = corpus_cases(kind, prefix);
    assert!(!all.is_empty(), "fixtures are missing");
    all.values().map(|case| input(case).join("\n").into_bytes()).collect()
}

fn records(case: &Value) -> Vec<String> {
    let raw = json::items(json::get(case, "raw")).iter();
    raw.filter_map(|record| json::text(json::get(record, "value")))
        .take(RECORDS_MAX)
        .map(str::to_owned)
        .collect()
}

fn series(case: &Value) -> Vec<String> {
    json::items(json::get(case, "expected"))
        .iter()
        .take(RECORDS_MAX)
        .map(miniserde::json::to_string)
        .collect()
}

fn kubelet(case: &Value) -> Vec<String> {
    let response = json::get(case, "input").and_then(|input| json::get(input, "response"));
    response.map(miniserde::json::to_string).into_iter().collect()
}

fn docker(case: &Value) -> Vec<String> {
    let input = json::get(case, "input");
    let list = input.and_then(|input| json::get(input, "list")).map(miniserde::json::to_string);
    let mut all = vec![list.unwrap_or_default()];
    if let Some(Value::Object(stats)) = input.and_then(|input| json::get(input, "stats")) {
        all.extend(stats.values().map(miniserde::json::to_string));
    }
    all
}

/// Lines of tegrastats, each for itself.
fn lines() -> Vec<Vec<u8>> {
    let mut texts: Vec<_> = std::fs::read_dir(repository("tests/fixtures/tegrastats"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "line"))
        .collect();
    texts.sort();
    texts.push(repository("../shared/tegrastats_samples.txt"));
    let read = texts.iter().filter_map(|path| std::fs::read_to_string(path).ok());
    let lines: Vec<String> =
        read.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    lines
        .into_iter()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(String::into_bytes)
        .collect()
}
