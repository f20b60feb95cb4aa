//! Which metrics are on: `{"pods": ["memory", "cpu"], "node": ["inodes"]}`.
//!
//! A kind that is left out sends nothing of its own. `ram` is another word for `memory` with nodes.

use std::fmt;

use super::{METRICS, NODE, POD};
use crate::collect::MetricDoc;
use crate::metric::SortedSet;
use crate::metric::json::{JsonError, Reader};

/// The groups that are switched on; by default what a pod takes and how many inodes the node has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    pods: SortedSet<&'static str>,
    node: SortedSet<&'static str>,
}

/// Why a text is no choice of groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupsError {
    /// Not a JSON object of lists of words.
    Malformed,
    /// A word that is no group of its kind, or no kind.
    Unknown(String),
}

impl fmt::Display for GroupsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GroupsError::Malformed => f.write_str("no JSON object of lists of words"),
            GroupsError::Unknown(word) => write!(f, "unknown word {word:?}"),
        }
    }
}

impl std::error::Error for GroupsError {}

impl From<JsonError> for GroupsError {
    fn from(_: JsonError) -> Self {
        GroupsError::Malformed
    }
}

impl Default for Groups {
    fn default() -> Groups {
        Groups { pods: ["memory", "cpu"].into_iter().collect(), node: ["inodes"].into_iter().collect() }
    }
}

impl Groups {
    /// Takes the text of the configuration; order, repetition and case do not matter.
    ///
    /// # Errors
    /// See [`GroupsError`].
    pub fn from_json(text: &str) -> Result<Groups, GroupsError> {
        let mut groups = Groups { pods: SortedSet::new(), node: SortedSet::new() };
        let mut reader = Reader::new(text);
        reader.enter_object()?;
        while let Some(kind) = reader.next_key()? {
            let (prefix, words) = match kind.to_ascii_lowercase().as_str() {
                "pods" => (POD, &mut groups.pods),
                "node" => (NODE, &mut groups.node),
                _ => return Err(GroupsError::Unknown(kind.into_owned())),
            };
            reader.enter_list()?;
            while reader.next_element()? {
                let word = reader.text()?;
                words.insert(known(prefix, &word).ok_or_else(|| GroupsError::Unknown(word.into_owned()))?);
            }
        }
        reader.end()?;
        Ok(groups)
    }

    /// Whether a metric of the plugin's table is sent.
    pub fn has(&self, metric: &MetricDoc) -> bool {
        metric.group == "always"
            || [POD, NODE]
                .iter()
                .any(|prefix| metric.name.starts_with(prefix) && self.contains(prefix, metric.group))
    }

    /// Whether metrics with this prefix and of this group are sent.
    pub(super) fn contains(&self, prefix: &str, group: &str) -> bool {
        let words = if prefix == POD { &self.pods } else { &self.node };
        words.contains(group)
    }
}

/// The group of a kind that a word means.
fn known(prefix: &str, word: &str) -> Option<&'static str> {
    let word = word.trim().to_ascii_lowercase();
    let word = if prefix == NODE && word == "ram" { "memory" } else { word.as_str() };
    METRICS.iter().find(|m| m.name.starts_with(prefix) && m.group == word).map(|m| m.group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_metrics() {
        let default = r#"{"pods":["memory","cpu"],"node":["inodes"]}"#;
        assert_eq!(Groups::from_json(default), Ok(Groups::default()));
        let all = r#" {"Node": ["RAM", "cpu", "network", "filesystem", "inodes"], "pods": ["cpu", "cpu"]} "#;
        let all = Groups::from_json(all).unwrap();
        for (prefix, group, is_on) in
            [(NODE, "memory", true), (NODE, "filesystem", true), (POD, "cpu", true), (POD, "memory", false)]
        {
            assert_eq!(all.contains(prefix, group), is_on, "{prefix}{group}");
        }
        let nothing = Groups::from_json("{}").unwrap();
        assert_eq!(nothing, Groups::from_json(r#"{"pods":[],"node":[]}"#).unwrap());
        assert!(!nothing.contains(POD, "cpu") && !nothing.contains(NODE, "inodes"));
    }

    #[test]
    fn anything_else_is_a_mistake() {
        for word in ["inodes", "ram", "filesystem", "disk", "always", ""] {
            let text = format!(r#"{{"pods":["{word}"]}}"#);
            assert_eq!(Groups::from_json(&text), Err(GroupsError::Unknown(word.to_owned())));
        }
        assert_eq!(Groups::from_json(r#"{"pod":[]}"#), Err(GroupsError::Unknown("pod".to_owned())));
        for text in
            ["", "[]", "cpu", r#"{"pods":"cpu"}"#, r#"{"pods":[1]}"#, r#"{"pods":[]} x"#, r#"{"pods":["#]
        {
            assert_eq!(Groups::from_json(text), Err(GroupsError::Malformed), "{text}");
        }
    }
}
