//! Reads the sources and checks the rules that no compiler knows: who may touch the outside world, which way
//! dependencies point, how long a file may get, that every module says what it is for.
#![allow(clippy::unwrap_used)]

mod bounds;
mod checks;
mod messages;
mod scan;

use checks::{check_length_and_docs, check_source, is_long};
use scan::test_modules;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// All Rust files below a directory, with `/` between the parts of their paths, sorted.
fn rust_files(directory: &str) -> Vec<(String, String)> {
    fn walk(directory: &Path, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    walk(&root.join(directory), &mut files);
    files.sort();
    files
        .into_iter()
        .map(|path| {
            (
                path.strip_prefix(root).unwrap().to_string_lossy().into_owned(),
                std::fs::read_to_string(&path).unwrap(),
            )
        })
        .collect()
}

#[test]
fn the_outside_world_is_the_runtimes_and_dependencies_point_one_way() {
    let files = rust_files("src");
    assert!(files.iter().any(|(path, _)| path == "src/lib.rs"), "these are not the sources");
    let for_tests: BTreeSet<String> =
        files.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
    let found: Vec<String> =
        files.iter().flat_map(|(path, text)| check_source(path, text, for_tests.contains(path))).collect();
    assert!(found.is_empty(), "{} breaches:\n{}", found.len(), found.join("\n"));
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let files: Vec<(String, String)> = [rust_files("src"), rust_files("tests")].concat();
    for (path, text) in files.iter().filter(|(_, text)| is_long(text)) {
        // Straight to the stream: the test harness swallows what `println!` writes in a test that passes.
        let _ = writeln!(std::io::stderr(), "long: {path} has {} lines", text.lines().count());
    }
    let found: Vec<String> =
        files.iter().flat_map(|(path, text)| check_length_and_docs(path, text)).collect();
    assert!(found.is_empty(), "{} breaches:\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_bound_has_its_test() {
    let mut limits = String::new();
    for (path, text) in rust_files("src") {
        match path.strip_prefix("src/limits").and_then(|rest| rest.strip_suffix(".rs")) {
            Some("") => limits.push_str(&text),
            Some(module) => limits += &format!("pub mod {} {{\n{text}\n}}\n", module.trim_start_matches('/')),
            None => {}
        }
    }
    assert!(bounds::constants(&limits).len() > 80, "these are not the bounds");
    let found = bounds::check(&limits, &bounds::Tested::new(&rust_files("src"), &rust_files("tests")));
    assert!(found.is_empty(), "{} breaches:\n{}", found.len(), found.join("\n"));
}

#[test]
fn a_bound_without_a_test_is_found() {
    let file = |path: &str, text: &str| vec![(path.to_owned(), text.to_owned())];
    let limits = "pub const A_MAX: usize = 1;\npub mod docker {\n    pub const B_MAX: usize = 2;\n}\n";
    assert_eq!(bounds::constants(limits), ["A_MAX", "docker::B_MAX"]);
    let missing = |sources: &str, tests: &str| {
        let tested = bounds::Tested::new(&file("src/collect/docker.rs", sources), &file("tests/t.rs", tests));
        let found = bounds::check(limits, &tested);
        found.into_iter().filter(|breach| breach.ends_with("no test names it")).collect::<Vec<_>>().len()
    };
    assert_eq!(missing("fn f() { A_MAX; B_MAX }", "// limits::A_MAX\nconst B_MAX: u8 = 1;"), 2);
    assert_eq!(missing("#[cfg(test)]\nmod tests { fn f() { if A_MAX { B_MAX } } }\nfn g() {}", ""), 0);
    assert_eq!(missing("", "use x::limits::{A_MAX, docker::B_MAX};"), 0);
    assert_eq!(missing("", "use x::limits::{A_MAX, k8s::B_MAX};"), 1);
}

#[test]
fn every_message_is_met_by_a_test() {
    let sources = rust_files("src");
    let whole: BTreeSet<String> = sources.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
    let found = messages::check(&sources, &whole, &rust_files("tests"));
    assert!(found.is_empty(), "{} breaches:\n{}", found.len(), found.join("\n"));
}

#[test]
fn a_message_without_a_test_is_found() {
    let code = r#"
impl std::error::Error for Broken {}
impl fmt::Display for Broken {
    fn fmt(&self) {
        match self {
            Broken::By(what) => write!(f, "broken by {what}, sadly"), // "not this one"
            Broken::Quote => f.write_str("a \"quote\" and '{'"),
        }
    }
}
fn f(c: char) {
    log::warn!("{c}: it is \
                late");
    let _ = ('"', "not a message of anybody");
}
"#;
    let found: Vec<String> = messages::messages(code).into_iter().collect();
    assert_eq!(found, ["a \"quote\" and '", "broken by", "it is late"]);
    let file = |path: &str, text: &str| vec![(path.to_owned(), text.to_owned())];
    let tests =
        |text: &str| messages::check(&file("src/a.rs", code), &BTreeSet::new(), &file("tests/t.rs", text));
    assert_eq!(tests("// broken by, it is late").len(), 3);
    assert_eq!(
        tests(r#"fn f() { x("it was broken by me"); y("it is late"); z("a \"quote\" and '") }"#).len(),
        0
    );
}

/// The breaches of a file in `src/`, without their places.
fn breaches(path: &str, text: &str) -> Vec<String> {
    check_source(path, text, false)
}

#[test]
fn the_outside_world_is_seen_however_it_is_written() {
    let bad = [
        "use mio::Poll;",
        "use std::net::TcpStream;",
        "use std::{fmt, net::{TcpStream, UdpSocket}, io};",
        "use std::{self as s, fs};",
        "use std as everything;",
        "use ::std::process::Command;",
        "extern crate mio;",
        "fn f() { std::fs::read(\"x\"); }",
        "fn f() { let _ = std :: env :: var(\"X\"); }",
        "fn f() { Instant::now(); }",
        "fn f() { std::time::SystemTime::now(); }",
        "use std::time::{Instant as Clock, SystemTime}; fn f() { Clock::now(); }",
        "fn f() -> Instant { <Instant>::now() }",
        "fn f(later: Option<Instant>) { later.unwrap_or_else(Instant::now); }",
        "use signal_hook::consts::SIGTERM;",
        "fn f() { nix::sys::statvfs::statvfs(\"/\"); }",
        "use std::os::unix::net::UnixStream;",
        "use std::thread; fn f() {}",
        "use std::*;",
    ];
    for text in bad {
        assert!(!breaches("src/queue/claim.rs", text).is_empty(), "{text}");
        // A second thread is nobody's.
        let thread = text.contains("thread");
        assert_eq!(breaches("src/runtime/claim.rs", text).is_empty(), !thread, "{text}");
        assert_eq!(breaches("src/main.rs", text).is_empty(), !thread, "{text}");
    }
}

#[test]
fn what_only_looks_like_the_outside_world_is_not() {
    let good = [
        "// use std::fs;\n/* std::net /* nested */ mio:: */",
        "fn f() { let _ = \"std::fs::read\"; let _ = r#\"mio::\" Instant::now()\"#; let _ = b\"std::net\"; }",
        "fn f<'a>(x: &'a str) -> char { 'x' } // '",
        "fn f() { let _ = ('\"', '\\'', \"std::fs\"); }",
        "use std::{fmt, time::{Duration, Instant}};",
        "fn f(now: Instant) { now.duration_since(now); }",
        "use std::io::Write as _;",
        "fn f() { let _ = env!(\"CARGO_PKG_VERSION\"); }",
        "use super::net;",
        "fn f() { let fs = 1; process(fs); }",
    ];
    for text in good {
        assert_eq!(breaches("src/queue/claim.rs", text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn tests_may_ask_for_the_time_and_nothing_else() {
    let with_tests = |body: &str| {
        format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n use super::*;\n fn g() {{ {body} }}\n}}\n")
    };
    assert_eq!(breaches("src/agent.rs", &with_tests("Instant::now();")), Vec::<String>::new());
    assert_eq!(breaches("src/agent.rs", &with_tests("std::fs::read(\"x\");")).len(), 1);
    assert_eq!(breaches("src/agent.rs", &with_tests("crate::runtime::run();")).len(), 1);
    let after = format!("{}fn h() {{ Instant::now(); }}", with_tests(""));
    assert_eq!(breaches("src/agent.rs", &after).len(), 1, "the exemption ends with the module");
    assert_eq!(check_source("src/collect/fake.rs", "fn f() { Instant::now(); }", true), Vec::<String>::new());
}

#[test]
fn modules_in_files_of_their_own_are_known_to_be_tests() {
    let text = "#[cfg(test)]\nmod tests;\nmod real;\n#[cfg(test)]\npub(crate) mod fake;\n#[cfg(test)]\nmod inline { fn f() {} }";
    assert_eq!(test_modules("src/collect/mod.rs", text), ["src/collect/tests.rs", "src/collect/fake.rs"]);
    assert_eq!(test_modules("src/agent.rs", text), ["src/agent/tests.rs", "src/agent/fake.rs"]);
    assert_eq!(test_modules("src/lib.rs", text), ["src/tests.rs", "src/fake.rs"]);
}

#[test]
fn dependencies_point_one_way() {
    let bad = [
        ("src/metric/tags.rs", "use crate::limits::TAGS_MAX;"),
        ("src/metric/mod.rs", "use super::telemetry;"),
        ("src/metric/tags.rs", "use super::super::protocol::http;"),
        ("src/protocol/http.rs", "use crate::metric::Tags;"),
        ("src/ingest/record.rs", "use crate::{aggregate::Bucket, metric::Sample};"),
        ("src/aggregate/wrapper/mod.rs", "use super::super::queue::Claim;"),
        ("src/queue/mod.rs", "fn f() { crate::release::go(); }"),
        ("src/collect/host/cpu.rs", "use crate::config::Config;"),
        ("src/release/payload.rs", "use crate::agent::Event;"),
        ("src/agent.rs", "use crate::runtime::Poll;"),
        ("src/config/table.rs", "use crate::agent::Agent;"),
        ("src/limits.rs", "use crate::queue::CHUNK;"),
        ("src/telemetry.rs", "use crate::release::Outcome;"),
        ("src/runtime/child.rs", "use crate::cli::Command;"),
        ("src/release/payload.rs", "mod inner { use super::super::super::queue::Claim; }"),
        ("src/release/payload.rs", "use crate::*;"),
        ("src/release/payload.rs", "use crate::newcomer::X;"),
        ("src/newcomer.rs", "fn f() {}"),
    ];
    for (path, text) in bad {
        assert_eq!(breaches(path, text).len(), 1, "{path}: {text}");
    }
    let good = [
        ("src/metric/tags.rs", "use super::{json, number::Number};"),
        ("src/ingest/record.rs", "use crate::{limits, metric::Sample, telemetry::DROPPED};"),
        (
            "src/aggregate/bucket.rs",
            "use super::wrapper::Wrapper; use crate::aggregate::accumulator; use crate::protocol::redis;",
        ),
        (
            "src/agent.rs",
            "use crate::{ingest, aggregate, collect, queue, release, protocol, metric, limits, telemetry, config};",
        ),
        (
            "src/runtime/event_loop.rs",
            "use crate::agent::Agent; use super::clock; use crate::config::Config; use crate::protocol::http;",
        ),
        ("src/config/mod.rs", "use crate::{collect::PLUGINS, limits, metric::Tags, aggregate::wrapper};"),
        ("src/cli.rs", "use crate::config::help;"),
        ("src/main.rs", "use chouette_iot::{cli, config, runtime};"),
        ("src/lib.rs", "pub mod agent;\npub mod config;"),
        (
            "src/release/payload.rs",
            "mod inner { use super::super::outcome; } #[cfg(test)] mod tests { use super::*; }",
        ),
    ];
    for (path, text) in good {
        assert_eq!(breaches(path, text), Vec::<String>::new(), "{path}: {text}");
    }
}

#[test]
fn long_files_and_files_without_a_word_are_found() {
    let lines = |count: usize| format!("//! What it is for.\n{}", "\n".repeat(count - 1));
    assert_eq!(check_length_and_docs("a.rs", &lines(399)), Vec::<String>::new());
    assert_eq!(check_length_and_docs("a.rs", &lines(400)).len(), 1);
    assert!(is_long(&lines(301)) && !is_long(&lines(300)));
    assert_eq!(check_length_and_docs("a.rs", "use std::fmt;\n").len(), 1);
    assert_eq!(check_length_and_docs("a.rs", "//!\nuse std::fmt;\n").len(), 1, "an empty word");
    assert_eq!(check_length_and_docs("a.rs", "#![allow(x)]\n\n//! For something.\n"), Vec::<String>::new());
}
