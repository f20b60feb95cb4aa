//! The rules themselves.

use crate::scan::{Named, named_paths};
use std::collections::BTreeSet;

/// A file of this many lines is too long.
const LINES_MAX: usize = 400;
/// A file longer than this is worth a look.
const LINES_LONG: usize = 300;

/// What only `runtime/` and `main.rs` may name: paths that begin like this.
const OUTSIDE: &[&[&str]] = &[
    &["mio"],
    &["nix"],
    &["signal_hook"],
    &["std", "net"],
    &["std", "fs"],
    &["std", "process"],
    &["std", "env"],
    &["std", "os", "unix", "net"],
];

/// Types whose `now` asks what time it is.
const CLOCKS: &[&str] = &["Instant", "SystemTime"];

/// Each module and the others that it may import. `main.rs` may import all of them, `lib.rs` only declares them.
const LAYERS: &[(&str, &[&str])] = &[
    ("metric", &[]),
    ("protocol", &["limits"]),
    ("limits", &[]),
    ("telemetry", &["metric", "limits", "status"]),
    ("status", &["metric", "limits"]),
    ("ingest", STAGE_IMPORTS),
    ("aggregate", STAGE_IMPORTS),
    ("collect", STAGE_IMPORTS),
    ("queue", STAGE_IMPORTS),
    ("release", STAGE_IMPORTS),
    (
        "config",
        &["ingest", "aggregate", "collect", "queue", "release", "protocol", "metric", "limits", "telemetry"],
    ),
    ("cli", &["config", "limits"]),
    ("doctor", &["config", "queue", "protocol", "metric", "limits"]),
    (
        "agent",
        &[
            "config",
            "ingest",
            "aggregate",
            "collect",
            "queue",
            "release",
            "protocol",
            "metric",
            "limits",
            "telemetry",
            "status",
        ],
    ),
    (
        "estimate",
        &[
            "agent",
            "ingest",
            "aggregate",
            "collect",
            "queue",
            "release",
            "protocol",
            "metric",
            "limits",
            "telemetry",
        ],
    ),
    (
        "runtime",
        &[
            "agent",
            "estimate",
            "config",
            "doctor",
            "ingest",
            "aggregate",
            "collect",
            "queue",
            "release",
            "protocol",
            "metric",
            "limits",
            "telemetry",
            "status",
        ],
    ),
];

/// Stages never import each other: what passes between them is a type of `metric`.
const STAGE_IMPORTS: &[&str] = &["protocol", "metric", "limits", "telemetry"];

/// The breaches in a file of `src/`. `for_tests`: the whole file is compiled for tests only.
pub fn check_source(path: &str, text: &str, for_tests: bool) -> Vec<String> {
    let module = module_of(path);
    let named = named_paths(text);
    let mut found = Vec::new();
    if !matches!(path, "src/main.rs" | "src/lib.rs") && layer(&module).is_none() {
        found.push(format!("{path}: the module has no place in the layers of tests/tidy/checks.rs"));
        return found;
    }
    let clocks = clock_names(&named);
    for named in &named {
        let at = format!("{path}:{}: {}", named.line, named.parts.join("::"));
        let in_tests = for_tests || named.in_tests;
        let may_touch = path == "src/main.rs" || path.starts_with("src/runtime/") || path == "src/runtime.rs";
        if begins_with(&named.parts, &["std", "thread"]) && !in_tests {
            found.push(format!("{at}: there is one thread"));
        } else if !may_touch && is_outside(named) {
            found.push(format!("{at}: only runtime/ and main.rs may name it"));
        } else if !may_touch && !in_tests && asks_the_time(named, &clocks) {
            found.push(format!("{at}: only runtime/ and main.rs may ask what time it is"));
        } else if let Some(imported) = import_of(named, &module)
            && let Some((own, allowed)) = layer(&module)
            && imported != own
            && !allowed.contains(&imported.as_str())
        {
            found.push(format!("{at}: {own} may not import {imported}"));
        }
    }
    found
}

/// The modules of a file's path, from the crate's root.
fn module_of(path: &str) -> Vec<String> {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    match inside {
        "lib" | "main" => Vec::new(),
        inside => inside.split('/').map(str::to_owned).collect(),
    }
}

fn layer(module: &[String]) -> Option<(&'static str, &'static [&'static str])> {
    let top = module.first()?;
    LAYERS.iter().find(|(name, _)| name == top).copied()
}

fn begins_with(parts: &[String], prefix: &[&str]) -> bool {
    parts.len() >= prefix.len() && parts.iter().zip(prefix).all(|(part, wanted)| part == wanted)
}

/// Whether a path is, or could hide, one of the outside world.
fn is_outside(named: &Named) -> bool {
    let renames_all = named.is_import
        && (named.parts == ["std"] && named.alias.as_deref() != Some("_") || named.parts == ["std", "*"]);
    renames_all || OUTSIDE.iter().any(|prefix| begins_with(&named.parts, prefix))
}

/// What the clocks are called in this file.
fn clock_names(named: &[Named]) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = CLOCKS.iter().map(|&name| name.to_owned()).collect();
    for import in named.iter().filter(|named| named.is_import) {
        if let (Some(last), Some(alias)) = (import.parts.last(), &import.alias)
            && CLOCKS.contains(&last.as_str())
        {
            names.insert(alias.clone());
        }
    }
    names
}

fn asks_the_time(named: &Named, clocks: &BTreeSet<String>) -> bool {
    named.parts.windows(2).any(|pair| clocks.contains(&pair[0]) && pair[1] == "now")
}

/// The module at the crate's root that a path leads into; `*` for all of them.
fn import_of(named: &Named, module: &[String]) -> Option<String> {
    let mut parts = named.parts.iter().map(String::as_str).peekable();
    let mut base: Vec<&str> = module.iter().chain(&named.modules).map(String::as_str).collect();
    match parts.peek() {
        Some(&"crate") => {
            parts.next();
            base.clear();
        }
        Some(&("self" | "super")) => {
            while let Some(&step @ ("self" | "super")) = parts.peek() {
                parts.next();
                if step == "super" {
                    base.pop();
                }
            }
        }
        _ => return None,
    }
    base.extend(parts);
    base.first().map(|&top| top.to_owned())
}

/// Whether a file is long enough to be worth a look.
pub fn is_long(text: &str) -> bool {
    text.lines().count() > LINES_LONG
}

/// What is wrong with a file as a text.
pub fn check_length_and_docs(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lines = text.lines().count();
    if lines >= LINES_MAX {
        found.push(format!("{path}: {lines} lines"));
    }
    let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("#!["));
    let says_something = |line: &str| line.strip_prefix("//!").is_some_and(|words| !words.trim().is_empty());
    if !first.is_some_and(says_something) {
        found.push(format!("{path}: no module docs in its first line"));
    }
    found
}
