//! From variables to a [`Config`]: which value counts, and what to say about the rest.

use std::ffi::OsString;

use super::draft::Draft;
use super::error::ValueError;
use super::file::{ReadFile, no_files};
use super::secret::{Secret, shown};
use super::table::VARIABLES;
use super::variable::{Kind, Preset, Variable};
use super::{Config, ConfigErrors, Mistake, near};

/// Names that Datadog's own programs give to the key; pointed out where ours is missing.
const DATADOG_KEY_NAMES: &[&str] = &["DD_API_KEY", "DATADOG_API_KEY"];
/// A prefix that was plainly meant for this program.
const OWN_PREFIX: &str = "CHOUETTE_";

/// Variables of one source: by name in capitals, the value that counts.
pub struct Layer {
    /// Sorted.
    values: Vec<(String, OsString)>,
}

impl Layer {
    /// Of several spellings of a name the one first in byte order counts, so capitals win.
    pub fn new<K, V>(vars: impl IntoIterator<Item = (K, V)>) -> Layer
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let mut by_spelling = Vec::new();
        for (name, value) in vars {
            let value: OsString = value.into();
            let empty = value.to_str().is_some_and(|v| v.trim().is_empty());
            // No name of ours is anything but ASCII.
            if let (Ok(name), false) = (name.into().into_string(), empty) {
                by_spelling.push((name.to_ascii_uppercase(), name, value));
            }
        }
        by_spelling.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        by_spelling.dedup_by(|a, b| a.0 == b.0);
        Layer { values: by_spelling.into_iter().map(|(name, _, value)| (name, value)).collect() }
    }

    fn get(&self, name: &str) -> Option<&OsString> {
        let place = self.values.binary_search_by(|(other, _)| other.as_str().cmp(name)).ok()?;
        self.values.get(place).map(|(_, value)| value)
    }
}

/// Reads the configuration from sources, the first of which counts most, and from the files they name. A key that
/// none of them sets is `key`.
pub fn resolve(layers: &[Layer], key: Option<Secret>, read: ReadFile) -> Result<Config, ConfigErrors> {
    let mut draft = Draft { api_key: key, ..Draft::blank() };
    let mut mistakes = Vec::new();
    for variable in VARIABLES {
        mistakes.extend(take(variable, layers, &mut draft, read).err());
    }
    let finished = draft.finish(mistakes, near_misses(layers));
    finished.map_err(|(mistakes, warnings)| ConfigErrors { mistakes, warnings })
}

/// Reads one variable, as if there were no others.
pub fn single(name: &str, layers: &[Layer]) -> Result<Draft, ConfigErrors> {
    let mut draft = Draft::blank();
    let variables = VARIABLES.iter().filter(|variable| variable.name == name);
    let mistakes: Vec<Mistake> =
        variables.filter_map(|variable| take(variable, layers, &mut draft, &no_files).err()).collect();
    if mistakes.is_empty() { Ok(draft) } else { Err(ConfigErrors { mistakes, warnings: Vec::new() }) }
}

/// Sets what a variable says, or its default.
fn take(
    variable: &'static Variable,
    layers: &[Layer],
    draft: &mut Draft,
    read: ReadFile,
) -> Result<(), Mistake> {
    match find(variable, layers)? {
        Some((name, value)) => match also_set(variable, layers) {
            None => apply(variable, name, draft, value, read),
            Some(problem) => Err(mistake(variable, name, Some(value), problem)),
        },
        None => match variable.default {
            Preset::Text(text) => variable.set(draft, text, &no_files).map_err(|e| e.to_string()),
            Preset::Unset | Preset::Required => Ok(()),
        }
        .map_err(|problem| mistake(variable, variable.name, None, problem)),
    }
}

/// A value, and which name of its variable it was set by.
type Found<'a> = (&'static str, &'a OsString);

/// The value of a variable in the first source that has one.
fn find<'a>(variable: &'static Variable, layers: &'a [Layer]) -> Result<Option<Found<'a>>, Mistake> {
    for layer in layers {
        let get = |name: &&'static str| Some((*name, layer.get(name)?));
        let names = std::iter::once(&variable.name).chain(variable.aliases);
        let mut found = names.filter_map(get);
        let Some((name, value)) = found.next() else {
            continue;
        };
        let trimmed = |v: &OsString| v.to_str().map(|v| v.trim().to_owned());
        if let Some((alias, other)) = found.find(|(_, other)| trimmed(other) != trimmed(value)) {
            let other = shown(&other.to_string_lossy(), variable.exposure);
            let problem = format!("{alias}={other} is the same variable with another value; set one of them");
            return Err(mistake(variable, name, Some(value), problem));
        }
        return Ok(Some((name, value)));
    }
    Ok(None)
}

/// What is wrong where a secret stands in a file and in a variable as well.
fn also_set(variable: &Variable, layers: &[Layer]) -> Option<String> {
    let Kind::FileOf(name) = variable.kind else {
        return None;
    };
    let is_set = layers.iter().any(|layer| layer.get(name).is_some());
    is_set.then(|| format!("{name} is set too; set one of them"))
}

fn apply(
    variable: &'static Variable,
    name: &'static str,
    draft: &mut Draft,
    value: &OsString,
    read: ReadFile,
) -> Result<(), Mistake> {
    let outcome = match value.to_str() {
        Some(text) => variable.set(draft, text.trim(), read),
        None => Err(ValueError::NotUtf8),
    };
    outcome.map_err(|error| {
        let problem = format!("{error}; accepted: {}", variable.accepts());
        mistake(variable, name, Some(value), problem)
    })
}

fn mistake(
    variable: &'static Variable,
    name: &'static str,
    value: Option<&OsString>,
    problem: String,
) -> Mistake {
    Mistake {
        variable: name,
        value: value.map(|v| shown(v.to_string_lossy().trim(), variable.exposure)),
        problem,
    }
}

/// A line for each variable that is not known and nearly is.
fn near_misses(layers: &[Layer]) -> Vec<String> {
    let known = || VARIABLES.iter().flat_map(|v| std::iter::once(&v.name).chain(v.aliases));
    let is_set = |name: &str| layers.iter().any(|layer| layer.get(name).is_some());
    let has_key = is_set("API_KEY") || is_set("API_KEY_FILE");
    let meant = |name: &str| {
        if known().any(|k| *k == name) {
            return None;
        }
        if !has_key && DATADOG_KEY_NAMES.contains(&name) {
            return Some("API_KEY");
        }
        if let Some(rest) = name.strip_prefix(OWN_PREFIX)
            && let Some(exact) = known().find(|k| **k == rest)
        {
            return Some(*exact);
        }
        near::meant(name, known().copied())
    };
    let mut names: Vec<&String> =
        layers.iter().flat_map(|layer| layer.values.iter().map(|(name, _)| name)).collect();
    names.sort_unstable();
    names.dedup();
    let line = |name: &String| Some(format!("{name} is not known; did you mean {}?", meant(name)?));
    names.into_iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_status_socket_is_read_whatever_else_is_wrong() {
        let read = |env: &[(&str, &str)], file: &[(&str, &str)]| {
            Config::status_socket(vars(env), vars(file)).map_err(|errors| errors.to_string())
        };
        let default = Some("/run/chouette-iot/status.sock".to_owned());
        assert_eq!(read(&[("AGGREGATE_INTERVAL", "soon")], &[]), Ok(default), "not even a key");
        assert_eq!(read(&[], &[("STATUS_SOCKET", "/a")]), Ok(Some("/a".to_owned())));
        assert_eq!(read(&[("status_socket", "/b/")], &[("STATUS_SOCKET", "/a")]), Ok(Some("/b".to_owned())));
        assert_eq!(read(&[("STATUS_SOCKET", "None")], &[("STATUS_SOCKET", "/a")]), Ok(None));
        let wrong = read(&[("STATUS_SOCKET", "a")], &[]).unwrap_err();
        assert!(wrong.contains("STATUS_SOCKET=a") && !wrong.contains("API_KEY"), "{wrong}");
    }
}
