//! Patterns of metric names: `app.*.latency`.
//!
//! `*` stands for any run of characters, dots and nothing at all included, as in a shell, Redis' `KEYS` and Telegraf's
//! filters: who drops `debug.*` means all below `debug`. Everything else stands for itself, in its own case.

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    text: String,
}

impl Glob {
    /// Any text is a pattern.
    pub fn new(text: &str) -> Glob {
        Glob { text: text.to_owned() }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How many stars it has.
    pub fn stars(&self) -> usize {
        self.text.matches('*').count()
    }

    /// What the stars stand for in a name, each for as little as it can, the last one for the rest. `None` where the
    /// pattern does not match.
    pub fn captures<'n>(&self, name: &'n str) -> Option<Vec<&'n str>> {
        let mut pieces = self.text.split('*');
        let mut rest = name.strip_prefix(pieces.next()?)?;
        let Some(last) = pieces.next_back() else {
            return rest.is_empty().then(Vec::new);
        };
        let mut captures = Vec::new();
        for piece in pieces {
            let (star, behind) = rest.split_once(piece)?;
            captures.push(star);
            rest = behind;
        }
        captures.push(rest.strip_suffix(last)?);
        Some(captures)
    }

    /// Whether every name that `other` matches is matched by this pattern too.
    pub fn covers(&self, other: &Glob) -> bool {
        // A star of the other can only stand where this one has a star, which takes whatever it stands for.
        self.captures(&other.text).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tries every way there is.
    fn matches_slowly(pattern: &[u8], name: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|taken| matches_slowly(rest, &name[taken..])),
            Some((byte, rest)) => name.first() == Some(byte) && matches_slowly(rest, &name[1..]),
        }
    }

    fn texts(alphabet: &[u8], length_max: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut from = 0;
        for _ in 0..length_max {
            let until = all.len();
            for at in from..until {
                let text = all[at].clone();
                all.extend(alphabet.iter().map(|byte| format!("{text}{}", char::from(*byte))));
            }
            from = until;
        }
        all
    }

    #[test]
    fn a_star_is_any_run_of_characters_and_the_last_one_takes_the_rest() {
        for (pattern, name, expected) in [
            ("a.b", "a.b", Some(vec![])),
            ("a.b", "a.b.c", None),
            ("debug.*", "debug.a.b", Some(vec!["a.b"])),
            ("debug.*", "debug.", Some(vec![""])),
            ("debug.*", "debug", None),
            ("*", "", Some(vec![""])),
            ("app.*.latency", "app.x.y.latency", Some(vec!["x.y"])),
            ("app.*.latency", "app.latency", None),
            ("*.*", "a.b.c", Some(vec!["a", "b.c"])),
            ("*-*ü", "a-bü-ü", Some(vec!["a", "bü-"])),
            ("A*", "a", None),
        ] {
            assert_eq!(Glob::new(pattern).captures(name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_name_is_matched_where_any_way_of_reading_the_pattern_matches_it() {
        let names = texts(b"ab", 6);
        for pattern in texts(b"ab*", 5) {
            let glob = Glob::new(&pattern);
            for name in &names {
                let found = glob.captures(name);
                assert_eq!(
                    found.is_some(),
                    matches_slowly(pattern.as_bytes(), name.as_bytes()),
                    "{pattern} {name}"
                );
                let Some(stars) = found else { continue };
                assert_eq!(stars.len(), glob.stars());
                let mut stars = stars.into_iter();
                let put_in = |piece: &str| format!("{piece}{}", stars.next().unwrap_or_default());
                assert_eq!(pattern.split('*').map(put_in).collect::<String>(), *name, "{pattern}");
            }
        }
    }

    #[test]
    fn a_pattern_that_covers_another_matches_all_its_names() {
        let names = texts(b"ab", 5);
        for one in texts(b"ab*", 3) {
            for other in texts(b"ab*", 3) {
                let (one, other) = (Glob::new(&one), Glob::new(&other));
                let also = |name: &String| other.captures(name).is_none() || one.captures(name).is_some();
                assert_eq!(one.covers(&other), names.iter().all(also), "{one:?} {other:?}");
            }
        }
    }
}
