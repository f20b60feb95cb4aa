//! A JSON object of a document that somebody else wrote, member by member. What is missing, or of another kind, is as
//! good as not known.

use std::borrow::Cow;

use crate::metric::json::{JsonError, Reader};

/// The text of an object, or of another value that stands where one was looked for: that one has no members.
#[derive(Clone, Copy)]
pub struct Object<'a>(&'a str);

impl<'a> Object<'a> {
    /// Of a whole document.
    ///
    /// # Errors
    /// It is no JSON, or ends too early.
    pub fn new(text: &'a str) -> Result<Object<'a>, JsonError> {
        let mut reader = Reader::new(text);
        reader.skip()?;
        reader.end()?;
        Ok(Object(text))
    }

    /// As it stands there.
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// All members, in their order.
    #[inline(never)]
    pub fn members(self) -> Vec<(Cow<'a, str>, Object<'a>)> {
        let (mut reader, mut members) = (Reader::new(self.0), Vec::new());
        // The text was checked as a whole: nothing of an object is cut off.
        if reader.enter_object().is_ok() {
            while let Ok(Some(key)) = reader.next_key()
                && let Ok(value) = reader.raw()
            {
                members.push((key, Object(value)));
            }
        }
        members
    }

    /// A member; an empty text where there is none.
    #[inline(never)]
    pub fn member(self, key: &str) -> Object<'a> {
        for (name, value) in self.members() {
            if name == key {
                return value;
            }
        }
        Object("")
    }

    /// Whether a member says anything.
    pub fn has(self, key: &str) -> bool {
        !matches!(self.member(key).0, "" | "null" | "false" | "{}")
    }

    /// Whether a member is `true`.
    pub fn flag(self, key: &str) -> bool {
        self.member(key).0 == "true"
    }

    /// A member that is a number, without its fraction.
    pub fn number(self, key: &str) -> Option<u64> {
        whole(self.member(key).0)
    }

    /// A member that is text.
    pub fn text(self, key: &str) -> Option<Cow<'a, str>> {
        Reader::new(self.member(key).0).text().ok()
    }

    /// A member that is a list of numbers.
    pub fn numbers(self, key: &str) -> Vec<u64> {
        let (mut reader, mut numbers) = (Reader::new(self.member(key).0), Vec::new());
        if reader.enter_list().is_ok() {
            while let Ok(true) = reader.next_element()
                && let Ok(value) = reader.raw()
            {
                numbers.push(whole(value).unwrap_or_default());
            }
        }
        numbers
    }
}

fn whole(number: &str) -> Option<u64> {
    number.split_once('.').map_or(number, |(whole, _)| whole).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_by_name_and_kind() {
        let object = Object::new(r#"{"a":1.9,"b":{"c":"x\n"},"d":[1,2],"e":true,"f":{},"g":null}"#).unwrap();
        assert_eq!((object.number("a"), object.number("b"), object.number("h")), (Some(1), None, None));
        assert_eq!(object.member("b").text("c").as_deref(), Some("x\n"));
        assert_eq!((object.numbers("d"), object.numbers("a")), (vec![1, 2], vec![]));
        assert_eq!((object.flag("e"), object.flag("a")), (true, false));
        assert!(object.has("b") && !object.has("f") && !object.has("g") && !object.has("h"));
        assert_eq!((object.member("b").members().len(), object.member("d").members().len()), (1, 0));
    }

    #[test]
    fn what_is_cut_off_is_no_document() {
        let whole = r#"{"a":{"b":[1]}}"#;
        assert!(Object::new(whole).is_ok());
        for end in 0..whole.len() {
            assert!(Object::new(&whole[..end]).is_err(), "{end}");
        }
    }
}
