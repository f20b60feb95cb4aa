//! The tags of a series in canonical form.

use super::json;

/// Tags as the text of a JSON list of `key:value` strings, sorted by code point, without duplicates and
/// without white space: `["a:1","b:2"]`. Two tag sets are equal exactly when their texts are, and the
/// text goes into a payload as it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tags(Box<str>);

impl Tags {
    /// No tags: `[]`.
    pub fn none() -> Tags {
        Tags("[]".into())
    }

    /// Takes text that is canonical already, as a [`super::Sample`] carries it.
    pub fn from_canonical(text: &str) -> Tags {
        Tags(text.into())
    }

    /// Sorts and renders `key:value` strings.
    pub fn from_strings<S: AsRef<str>>(tags: &[S]) -> Tags {
        let mut sorted: Vec<&str> = tags.iter().map(AsRef::as_ref).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let mut out = vec![b'['];
        for (i, tag) in sorted.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            json::write_string(tag, &mut out);
        }
        out.push(b']');
        Tags(String::from_utf8(out).unwrap_or_else(|_| "[]".to_owned()).into())
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
