//! A JSON object of a document that somebody else wrote, member by member. What is missing, or of another kind, is as
//! good as not known.

use std::borrow::Cow;

use crate::metric::json::{JsonError, Reader};

/// The text of an object.
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

    /// All members, in their order, their values as they stand there.
    pub fn members(self) -> Vec<(Cow<'a, str>, &'a str)> {
        let mut members = Vec::new();
        // The text was checked as a whole: an error ends nothing but something that is no object.
        let _ = self.walk(&mut members);
        members
    }

    fn walk(self, members: &mut Vec<(Cow<'a, str>, &'a str)>) -> Result<(), JsonError> {
        let mut reader = Reader::new(self.0);
        reader.enter_object()?;
        while let Some(key) = reader.next_key()? {
            members.push((key, reader.raw()?));
        }
        Ok(())
    }

    fn member(self, key: &str) -> Option<&'a str> {
        self.members().into_iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// A member that is an object; none where it is not, or is empty.
    pub fn object(self, key: &str) -> Option<Object<'a>> {
        self.member(key).map(Object).filter(|object| !object.members().is_empty())
    }

    /// The members that are objects.
    pub fn objects(self, key: &str) -> Vec<(Cow<'a, str>, Object<'a>)> {
        let members = self.object(key).map(Object::members).unwrap_or_default();
        members.into_iter().map(|(name, value)| (name, Object(value))).collect()
    }

    /// A member that is a number, without its fraction.
    pub fn number(self, key: &str) -> Option<u64> {
        let number = Reader::new(self.member(key)?).number_or_skip().ok()??;
        Some(number.as_f64() as u64)
    }

    /// A member that is text.
    pub fn text(self, key: &str) -> Option<Cow<'a, str>> {
        Reader::new(self.member(key)?).text_or_skip().ok()?
    }

    /// Whether a member is `true`.
    pub fn flag(self, key: &str) -> bool {
        self.member(key) == Some("true")
    }

    /// A member that is a list of numbers.
    pub fn numbers(self, key: &str) -> Vec<u64> {
        let mut numbers = Vec::new();
        let _ = self.member(key).map_or(Ok(()), |list| collect(list, &mut numbers));
        numbers
    }
}

fn collect(list: &str, numbers: &mut Vec<u64>) -> Result<(), JsonError> {
    let mut reader = Reader::new(list);
    reader.enter_list()?;
    while reader.next_element()? {
        numbers.push(reader.number_or_skip()?.map_or(0, |number| number.as_f64() as u64));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_by_name_and_kind() {
        let object = Object::new(r#"{"a":1.9,"b":{"c":"x\n"},"d":[1,2],"e":true,"f":{},"g":null}"#).unwrap();
        assert_eq!((object.number("a"), object.number("b"), object.number("h")), (Some(1), None, None));
        assert_eq!(object.object("b").and_then(|b| b.text("c")).as_deref(), Some("x\n"));
        assert_eq!((object.numbers("d"), object.numbers("a")), (vec![1, 2], vec![]));
        assert_eq!((object.flag("e"), object.flag("a")), (true, false));
        assert!(object.object("f").is_none() && object.object("g").is_none() && object.object("d").is_none());
        assert_eq!(object.objects("b").len(), 1);
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
