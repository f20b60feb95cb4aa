//! A JSON object in the making.

use std::time::Instant;

use super::units::push_number;
use crate::metric::json::push_string;

/// The text so far. What is not known is written as `null`, so that each member is always there.
pub struct Document {
    text: String,
    /// Nothing stands before the next member.
    is_fresh: bool,
}

impl Default for Document {
    fn default() -> Document {
        Document { text: "{".to_owned(), is_fresh: true }
    }
}

impl Document {
    /// Begins a member that is an object; [`Document::end`] ends it.
    #[inline(never)]
    pub fn begin(&mut self, key: &str) {
        self.member(key, "{");
        self.is_fresh = true;
    }

    /// Ends the object begun last.
    #[inline(never)]
    pub fn end(&mut self) {
        self.text.push('}');
        self.is_fresh = false;
    }

    /// A number.
    #[inline(never)]
    pub fn number(&mut self, key: &str, number: u64) {
        self.member(key, "");
        push_number(&mut self.text, number);
    }

    /// A number, where it is known.
    #[inline(never)]
    pub fn known(&mut self, key: &str, number: Option<u64>) {
        match number {
            Some(number) => self.number(key, number),
            None => self.member(key, "null"),
        }
    }

    /// Whole seconds since a time.
    #[inline(never)]
    pub fn ago(&mut self, key: &str, at: Option<Instant>, now: Instant) {
        self.known(key, at.map(|at| now.saturating_duration_since(at).as_secs()));
    }

    /// A text.
    #[inline(never)]
    pub fn text(&mut self, key: &str, text: Option<&str>) {
        match text {
            Some(text) => {
                self.member(key, "");
                push_string(text, &mut self.text);
            }
            None => self.member(key, "null"),
        }
    }

    /// Yes or no.
    #[inline(never)]
    pub fn flag(&mut self, key: &str, flag: bool) {
        self.member(key, if flag { "true" } else { "false" });
    }

    /// A list of numbers.
    pub fn numbers(&mut self, key: &str, numbers: &[u64]) {
        self.member(key, "[");
        for (place, number) in numbers.iter().enumerate() {
            if place > 0 {
                self.text.push(',');
            }
            push_number(&mut self.text, *number);
        }
        self.text.push(']');
    }

    /// The whole object.
    pub fn finish(mut self) -> String {
        self.end();
        self.text
    }

    #[inline(never)]
    fn member(&mut self, key: &str, value: &str) {
        if !self.is_fresh {
            self.text.push(',');
        }
        self.is_fresh = false;
        push_string(key, &mut self.text);
        self.text.push(':');
        self.text.push_str(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn members_stand_in_their_order() {
        let mut document = Document::default();
        document.number("a", 1);
        document.begin("b");
        document.end();
        document.begin("c");
        document.text("d", Some("\"x\n"));
        document.text("e", None);
        document.flag("f", true);
        document.end();
        document.numbers("g", &[1, 2]);
        document.known("h", None);
        let now = Instant::now();
        document.ago("i", Some(now), now + Duration::from_millis(2_900));
        assert_eq!(
            document.finish(),
            r#"{"a":1,"b":{},"c":{"d":"\"x\n","e":null,"f":true},"g":[1,2],"h":null,"i":2}"#
        );
        assert_eq!(Document::default().finish(), "{}");
    }
}
