//! New names for metrics: `requests.$2`, where `$2` is what the second star of the pattern stood for.

use std::fmt;

use crate::limits::{NAME_BYTES_MAX, RENAME_BYTES_MAX, RULE_STARS_MAX};

/// A name with places for what stars stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// Counted from zero.
    Star(usize),
}

/// Why a text is no new name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenameError {
    /// There is nothing.
    Empty,
    /// Longer than a name may be.
    TooLong,
    /// A character that no name has.
    Character(char),
    /// A `$` without the number of a star, such as `$9`, or of one that the pattern does not have.
    Star {
        /// The place as it was written.
        place: String,
        /// How many stars the pattern has.
        stars: usize,
    },
}

impl fmt::Display for RenameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RenameError::Empty => f.write_str("it is empty"),
            RenameError::TooLong => write!(f, "it has more than {RENAME_BYTES_MAX} bytes"),
            RenameError::Character('*') => {
                f.write_str("* stands in match only; what it stood for there is $1 here")
            }
            RenameError::Character(c) => write!(f, "the character {c:?} cannot stand in a name"),
            RenameError::Star { place, stars: 0 } => {
                write!(f, "{place} is nothing, as match has no *")
            }
            RenameError::Star { place, stars: 1 } => {
                write!(f, "{place} is nothing: match has one *, which is $1")
            }
            RenameError::Star { place, stars } => {
                write!(f, "{place} is nothing: match has {stars} stars, $1 to ${stars}")
            }
        }
    }
}

impl std::error::Error for RenameError {}

impl Rename {
    /// Takes a new name for what a pattern with so many stars matches.
    ///
    /// # Errors
    /// See [`RenameError`].
    pub fn parse(text: &str, stars: usize) -> Result<Rename, RenameError> {
        if text.is_empty() {
            return Err(RenameError::Empty);
        }
        if text.len() > RENAME_BYTES_MAX {
            return Err(RenameError::TooLong);
        }
        if let Some(bad) = text.chars().find(|c| c.is_whitespace() || c.is_control() || *c == '*') {
            return Err(RenameError::Character(bad));
        }
        let mut parts = text.split('$');
        let mut pieces = vec![Piece::Text(parts.next().unwrap_or_default().to_owned())];
        for part in parts {
            let digit = part.chars().next();
            let star = digit.and_then(|c| c.to_digit(10)).and_then(|n| (n as usize).checked_sub(1));
            match star.filter(|star| *star < stars.min(RULE_STARS_MAX)) {
                Some(star) => pieces.push(Piece::Star(star)),
                None => {
                    let place = format!("${}", digit.map(String::from).unwrap_or_default());
                    return Err(RenameError::Star { place, stars });
                }
            }
            pieces.push(Piece::Text(part.get(1..).unwrap_or_default().to_owned()));
        }
        Ok(Rename { pieces })
    }

    /// The new name. `None` where it would be empty or longer than a name may be.
    pub fn apply(&self, captures: &[&str]) -> Option<String> {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Star(star) => captures.get(*star).copied().unwrap_or_default().to_owned(),
        };
        let name: String = self.pieces.iter().map(piece).collect();
        (1..=NAME_BYTES_MAX).contains(&name.len()).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_with_what_stars_stood_for() {
        for (template, captures, expected) in [
            ("new", &[][..], Some("new")),
            ("$1", &["a.b"][..], Some("a.b")),
            ("pi.$2.$1.$2", &["a", "b"], Some("pi.b.a.b")),
            ("$1$2x", &["a", ""], Some("ax")),
            ("$10", &["a"], Some("a0")),
            ("$1", &[""], None),
        ] {
            let rename = Rename::parse(template, captures.len()).unwrap();
            assert_eq!(rename.apply(captures).as_deref(), expected, "{template}");
        }
    }

    #[test]
    fn a_place_for_nothing_is_told_with_those_there_are() {
        for (template, stars, told) in [
            ("", 0, "empty"),
            ("a b", 0, "' '"),
            ("a.*", 1, "$1 here"),
            ("$1", 0, "no *"),
            ("a$", 1, "$ is nothing"),
            ("$x", 1, "$x is nothing"),
            ("$0", 1, "$0 is nothing"),
            ("$2", 1, "one *, which is $1"),
            ("$3", 2, "2 stars, $1 to $2"),
        ] {
            let found = Rename::parse(template, stars).unwrap_err().to_string();
            assert!(found.contains(told), "{template}: {found}");
        }
    }

    #[test]
    fn neither_a_template_nor_a_name_is_longer_than_it_may_be() {
        let longest = "a".repeat(RENAME_BYTES_MAX);
        assert_eq!(Rename::parse(&longest, 0).unwrap().apply(&[]), Some(longest.clone()));
        assert_eq!(Rename::parse(&(longest + "a"), 0), Err(RenameError::TooLong));
        let rename = Rename::parse("a$1", 1).unwrap();
        assert!(rename.apply(&[&"b".repeat(NAME_BYTES_MAX - 1)]).is_some());
        assert_eq!(rename.apply(&[&"b".repeat(NAME_BYTES_MAX)]), None);
    }
}
