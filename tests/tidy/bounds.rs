//! No bound without a test: every constant of `src/limits.rs` is named by the code of some test, or stands in a list
//! that says why not.

use crate::scan::{Token, named_paths, test_modules, test_words};
use std::collections::BTreeSet;

/// Constants no test drives over, and why none has to.
const UNTESTED: &[(&str, &str)] = &[
    ("INTAKE_RAW_BYTES_MAX", "the compiler compares it with BATCH_BYTES_MAX, which is tested"),
    ("INTAKE_COMPRESSED_BYTES_MAX", "the compiler compares it with BATCH_BYTES_MAX, which is tested"),
    ("REDIS_READ_BYTES_PER_TURN", "a slice: what is beyond it is read on the next turn"),
    ("RECEIVE_BUDGET_BYTES", "a slice: what is beyond it is received on the next turn"),
    ("SEND_BUDGET_BYTES", "a slice: what is beyond it is sent on the next turn"),
    ("TLS_WRITE_BYTES", "a slice: what is beyond it is encrypted on the next turn"),
    ("dogstatsd::DATAGRAMS_PER_CALL", "a slice: what is beyond it is received by the next call"),
    ("dogstatsd::CALLS_PER_TURN", "a slice: what is beyond it is received on the next turn"),
    ("dogstatsd::BYTES_PER_TURN", "a slice: what is beyond it is received on the next turn"),
    ("dogstatsd::KERNEL_BYTES", "asked of the kernel, which gives what it allows"),
    ("dramatiq::SCAN_COUNT", "a slice: what is beyond it is looked at by the next step"),
    ("tegrastats::SHOWN_CHARS_MAX", "how much of a line the log shows; no reading depends on it"),
    ("TLS_SESSIONS_MAX", "kept by the TLS library, which forgets the oldest"),
    ("UNREAPED_CHILDREN_MAX", "takes killed processes that the kernel does not let die"),
];

/// The constants of a file of bounds, those in a module as `module::NAME`.
pub fn constants(text: &str) -> Vec<String> {
    let (mut found, mut module) = (Vec::new(), String::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(" {")) {
            module = name.to_owned() + "::";
        } else if line == "}" {
            module.clear();
        } else if let Some(rest) = line.trim_start().strip_prefix("pub const ") {
            let name = rest.split(':').next().unwrap_or_default();
            found.push(format!("{module}{name}"));
        }
    }
    found
}

/// What the tests name: of the sources the words of test code with the file they stand in, of `tests/` the paths into
/// `limits`, so that a test's own constant of the same name does not count.
pub struct Tested {
    words: BTreeSet<(String, String)>,
    paths: BTreeSet<Vec<String>>,
}

impl Tested {
    pub fn new(sources: &[(String, String)], tests: &[(String, String)]) -> Tested {
        let whole: BTreeSet<String> =
            sources.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
        let words = sources.iter().flat_map(|(path, text)| {
            let words = test_words(text, whole.contains(path)).into_iter();
            words.filter_map(|token| match token {
                Token::Word(word) => Some((path.clone(), word)),
                _ => None,
            })
        });
        let paths = tests.iter().flat_map(|(_, text)| named_paths(text)).map(|named| named.parts);
        Tested {
            words: words.collect(),
            paths: paths.filter(|parts| parts.iter().any(|part| part == "limits")).collect(),
        }
    }

    /// Whether a constant is named; one of a plugin only where the plugin is tested.
    fn names(&self, constant: &str) -> bool {
        let (module, name) = constant.split_once("::").unwrap_or(("", constant));
        self.words.iter().any(|(path, word)| word == name && path.contains(module))
            || self.paths.iter().any(|parts| {
                parts.last().is_some_and(|last| last == name)
                    && (module.is_empty() || parts.iter().any(|part| part == module))
            })
    }
}

/// What is wrong with the tests of the bounds.
pub fn check(limits: &str, tested: &Tested) -> Vec<String> {
    let mut found = Vec::new();
    let all = constants(limits);
    for constant in &all {
        let excepted = UNTESTED.iter().any(|(name, _)| name == constant);
        match (tested.names(constant), excepted) {
            (false, false) => found.push(format!("{constant}: no test names it")),
            (true, true) => found.push(format!("{constant}: a test names it, so it needs no exception")),
            _ => {}
        }
    }
    let gone = UNTESTED.iter().filter(|(name, _)| !all.iter().any(|constant| constant == name));
    found.extend(gone.map(|(name, _)| format!("{name}: there is no such bound")));
    found
}
