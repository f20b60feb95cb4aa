//! The tags of a series in canonical form, and the scratch space that brings them into it.

use std::borrow::Cow;

use super::json::{self, Reader, Token};

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
        let mut builder = TagsBuilder::default();
        for tag in tags {
            builder.push(tag.as_ref());
        }
        Tags::from_canonical(builder.canonical())
    }

    /// These tags and `more`.
    pub fn with<S: AsRef<str>>(&self, more: &[S]) -> Tags {
        if more.is_empty() {
            return self.clone();
        }
        let mut builder = TagsBuilder::default();
        for tag in self.iter() {
            builder.push(&tag);
        }
        for tag in more {
            builder.push(tag.as_ref());
        }
        Tags::from_canonical(builder.canonical())
    }

    /// The `key:value` strings, unescaped and in order.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let mut reader = Reader::new(&self.0);
        let mut in_list = reader.enter_list().is_ok();
        std::iter::from_fn(move || {
            in_list = in_list && reader.next_element().unwrap_or(false);
            if in_list { reader.text().ok() } else { None }
        })
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Writes canonical tags without those that have one of some keys, to `out`, which is emptied first. False where there
/// was none of them. The key of a tag is what stands before its first colon.
pub fn without(canonical: &str, keys: &[String], out: &mut String) -> bool {
    let mut reader = Reader::new(canonical);
    let mut in_list = reader.enter_list().is_ok();
    let mut left_out = false;
    out.clear();
    out.push('[');
    loop {
        in_list = in_list && reader.next_element().unwrap_or(false);
        let Some(Token::Text(tag)) = in_list.then(|| reader.value().ok()).flatten() else {
            break;
        };
        let text = tag.unescaped();
        let key = text.split(':').next().unwrap_or_default();
        if keys.iter().any(|unwanted| unwanted == key) {
            left_out = true;
            continue;
        }
        if out.len() > 1 {
            out.push(',');
        }
        out.push('"');
        out.push_str(tag.raw());
        out.push('"');
    }
    out.push(']');
    left_out
}

/// Collects the tags of one record and renders them canonically. Cleared and used again for the next
/// record, it allocates nothing.
///
/// ```
/// use chouette_iot::metric::tags::TagsBuilder;
///
/// let mut tags = TagsBuilder::default();
/// tags.push("b:2");
/// tags.open().push_str("a");
/// tags.end_key();
/// tags.open().push_str("1");
/// tags.end_tag();
/// assert_eq!(tags.canonical(), r#"["a:1","b:2"]"#);
/// ```
#[derive(Debug, Default)]
pub struct TagsBuilder {
    /// The tags one after the other as they came, then the one being written.
    text: String,
    entries: Vec<Entry>,
    open_start: usize,
    open_key_end: Option<usize>,
    canonical: String,
}

/// Where one tag stands in the text.
#[derive(Debug, Clone, Copy)]
struct Entry {
    start: usize,
    /// Behind the colon; a tag that was added whole is all key.
    key_end: usize,
    end: usize,
}

impl TagsBuilder {
    /// Forgets all tags. Memory beyond `bytes_kept` is given back.
    pub fn clear(&mut self, bytes_kept: usize) {
        self.text.clear();
        self.text.shrink_to(bytes_kept);
        self.entries.clear();
        self.entries.shrink_to(bytes_kept / size_of::<Entry>());
        self.canonical.clear();
        self.canonical.shrink_to(bytes_kept);
        self.open_start = 0;
        self.open_key_end = None;
    }

    /// Adds a whole tag.
    pub fn push(&mut self, tag: &str) {
        self.text.push_str(tag);
        self.end_tag();
    }

    /// Where the tag being written is to be appended: first its key, after [`TagsBuilder::end_key`] its value.
    pub fn open(&mut self) -> &mut String {
        &mut self.text
    }

    /// Ends the key and appends the colon. Of several tags that were written with the same key, the last wins.
    pub fn end_key(&mut self) {
        self.text.push(':');
        self.open_key_end = Some(self.text.len());
    }

    /// Ends the tag.
    pub fn end_tag(&mut self) {
        let end = self.text.len();
        self.entries.push(Entry {
            start: self.open_start,
            key_end: self.open_key_end.take().unwrap_or(end),
            end,
        });
        self.open_start = end;
    }

    /// How many tags were added.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// No tag was added.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The canonical text of all tags added.
    pub fn canonical(&mut self) -> &str {
        let text = self.text.as_str();
        let key = |entry: &Entry| text.get(entry.start..entry.key_end).unwrap_or_default();
        let tag = |entry: &Entry| text.get(entry.start..entry.end).unwrap_or_default();
        if self.entries.len() > 1 {
            // The sort is stable: within a key, the order stays that of writing.
            self.entries.sort_by(|a, b| key(a).cmp(key(b)));
            self.entries.dedup_by(|later, kept| {
                let same = key(later) == key(kept);
                if same {
                    *kept = *later;
                }
                same
            });
            // Not always the order of the keys: `a:b` with value `c` comes before `a` with value `z`.
            self.entries.sort_unstable_by(|a, b| tag(a).cmp(tag(b)));
            self.entries.dedup_by(|a, b| tag(a) == tag(b));
        }
        self.canonical.clear();
        self.canonical.push('[');
        for (i, entry) in self.entries.iter().enumerate() {
            if i > 0 {
                self.canonical.push(',');
            }
            json::push_string(tag(entry), &mut self.canonical);
        }
        self.canonical.push(']');
        &self.canonical
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tag_set_has_one_text() {
        let tags = Tags::from_strings(&["b:2", "a:1", "b:2", "é:ü", "z:\"\\\n"]);
        assert_eq!(tags.as_str(), r#"["a:1","b:2","z:\"\\\n","é:ü"]"#);
        let again: Vec<_> = tags.iter().collect();
        assert_eq!(again, ["a:1", "b:2", "z:\"\\\n", "é:ü"]);
        assert_eq!(Tags::from_strings(&again), tags);
        assert_eq!(Tags::from_strings::<&str>(&[]), Tags::none());
        assert_eq!(Tags::none().iter().count(), 0);
    }

    #[test]
    fn order_is_that_of_code_points() {
        // In UTF-16 the last two would stand the other way round.
        let tags = Tags::from_strings(&["\u{1f600}", "\u{ff5e}", "Z", "a", " "]);
        assert_eq!(tags.iter().collect::<Vec<_>>(), [" ", "Z", "a", "\u{ff5e}", "\u{1f600}"]);
    }

    #[test]
    fn merged_tags_are_canonical_again() {
        let tags = Tags::from_strings(&["k:v", "host:\"x\""]);
        let more = ["env:prod".to_owned(), "k:v".to_owned()];
        assert_eq!(tags.with(&more).as_str(), r#"["env:prod","host:\"x\"","k:v"]"#);
        assert_eq!(tags.with::<String>(&[]), tags);
        assert_eq!(Tags::none().with(&more).as_str(), r#"["env:prod","k:v"]"#);
    }

    #[test]
    fn tags_are_left_out_by_their_keys_and_the_rest_stays_canonical() {
        let tags = Tags::from_strings(&["a:1", "a:b:2", "ab:3", "b", "q\"\\:4", "é:5"]);
        let mut out = "what was there".to_owned();
        for (keys, expected) in [
            (&["a"][..], Some(r#"["ab:3","b","q\"\\:4","é:5"]"#)),
            (&["b", "é", "none"], Some(r#"["a:1","a:b:2","ab:3","q\"\\:4"]"#)),
            (&["q\"\\"], Some(r#"["a:1","a:b:2","ab:3","b","é:5"]"#)),
            (&["a", "ab", "b", "q\"\\", "é"], Some("[]")),
            (&["A", "a:1", ""], None),
            (&[], None),
        ] {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            let changed = without(tags.as_str(), &keys, &mut out);
            assert_eq!(changed.then_some(out.as_str()), expected, "{keys:?}");
        }
        assert!(!without("no list", &["a".to_owned()], &mut out));
    }

    #[test]
    fn the_last_of_a_key_wins_and_colons_in_keys_are_no_keys() {
        let mut builder = TagsBuilder::default();
        for (key, value) in [("a", "9"), ("a b", "0"), ("a:b", "c"), ("a", "b:c"), ("a", "b:c")] {
            builder.open().push_str(key);
            builder.end_key();
            builder.open().push_str(value);
            builder.end_tag();
        }
        assert_eq!(builder.len(), 5);
        assert_eq!(builder.canonical(), r#"["a b:0","a:b:c"]"#);
        builder.clear(0);
        assert!(builder.is_empty());
        assert_eq!(builder.canonical(), "[]");
    }

    #[test]
    fn text_that_is_no_list_has_no_tags() {
        for text in ["", "{}", "[1]", "[\"a\"", "[\"a\" \"b\"]"] {
            assert!(Tags::from_canonical(text).iter().count() <= 1, "{text}");
        }
    }
}
