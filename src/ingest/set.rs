//! The elements of a set, brought into a form in which equal bytes mean what Python's `==` means.
//!
//! | element | bytes |
//! |---|---|
//! | a number that some double equals (`1`, `1.0`, `true`, `0.1`) | `f` and the eight bytes of that double |
//! | any other integer (2^53 + 1) | `i` and its decimal digits |
//! | text | `s` and the text |
//! | `null` | `z` |
//!
//! So an element takes at most nine bytes, or one more than its own text.

use super::error::RecordError;
use crate::limits::SCRATCH_BYTES_KEPT;
use crate::metric::json::{Reader, Token};
use crate::metric::{Elements, Number};

/// Doubles below this are less than what 128 bits with a sign hold.
const I128_BELOW: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;

/// Collects the elements of one list after the other in the same memory.
#[derive(Debug, Default)]
pub(super) struct SetBuilder {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl SetBuilder {
    /// Replaces what was collected by the elements of `list`, which is JSON.
    pub(super) fn read(&mut self, list: &str) -> Result<Elements<'_>, RecordError> {
        self.bytes.clear();
        self.bytes.shrink_to(SCRATCH_BYTES_KEPT);
        self.ends.clear();
        self.ends.shrink_to(SCRATCH_BYTES_KEPT / size_of::<u32>());
        let mut reader = Reader::new(list);
        reader.enter_list()?;
        while reader.next_element()? {
            self.push(reader.value()?)?;
        }
        Ok(Elements::new(&self.bytes, &self.ends))
    }

    fn push(&mut self, element: Token<'_>) -> Result<(), RecordError> {
        match element {
            Token::Text(text) => {
                self.bytes.push(b's');
                self.bytes.extend_from_slice(text.unescaped().as_bytes());
            }
            Token::Number(digits) => self.push_number(digits)?,
            Token::Bool(truth) => self.push_double(f64::from(u8::from(truth))),
            Token::Null => self.bytes.push(b'z'),
            // Python cannot hash them, so no set of them was ever counted.
            Token::List(_) | Token::Object(_) => {
                return Err(RecordError::WrongType {
                    field: "an element of value",
                    found: element.kind(),
                    expected: "a number, text or null",
                });
            }
        }
        let end = u32::try_from(self.bytes.len())
            .map_err(|_| RecordError::TooLarge { what: "bytes in value", max: u32::MAX as usize })?;
        self.ends.push(end);
        Ok(())
    }

    fn push_number(&mut self, token: &str) -> Result<(), RecordError> {
        let is_integer = !token.contains(['.', 'e', 'E', 'N', 'I']);
        match Number::from_json(token) {
            Some(Number::Int(n)) => {
                let double = n as f64;
                if double < I128_BELOW && double as i128 == n {
                    self.push_double(double);
                } else {
                    self.push_integer(token);
                }
            }
            // An integer beyond 128 bits. Without a fraction and with this precision, std prints every digit.
            Some(Number::Float(double)) if is_integer && format!("{double:.0}") != token => {
                self.push_integer(token);
            }
            Some(Number::Float(double)) => self.push_double(double),
            // Beyond all doubles, but Python's integers have no end.
            None if is_integer => self.push_integer(token),
            None => {
                return Err(RecordError::NotFinite { field: "an element of value" });
            }
        }
        Ok(())
    }

    fn push_double(&mut self, double: f64) {
        // Both zeros are equal, but not their bytes.
        let bits = if double == 0.0 { 0 } else { double.to_bits() };
        self.bytes.push(b'f');
        self.bytes.extend_from_slice(&bits.to_be_bytes());
    }

    /// JSON has no leading zeros and the only zero with a sign equals a double, so digits are canonical.
    fn push_integer(&mut self, digits: &str) {
        self.bytes.push(b'i');
        self.bytes.extend_from_slice(digits.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The elements of a JSON list as numbers: equal elements have equal numbers.
    fn classes(list: &str) -> Vec<usize> {
        let mut set = SetBuilder::default();
        let elements: Vec<_> = set.read(list).unwrap().iter().collect();
        let first = |element| elements.iter().position(|other| *other == element);
        elements.iter().filter_map(|e| first(*e)).collect()
    }

    #[test]
    fn equality_is_that_of_python() {
        // Each of these was tried with `==` in Python.
        for (list, expected) in [
            ("[]", vec![]),
            (r#"[1, 1.0, true, "1", 1e0, 10e-1]"#, vec![0, 0, 0, 3, 0, 0]),
            ("[0, -0, 0.0, -0.0, false, null]", vec![0, 0, 0, 0, 0, 5]),
            (r#"["", null, "null", "z", "\u007a"]"#, vec![0, 1, 2, 3, 3]),
            ("[0.1, 1e-1, 0.10000000000000001, 0.2]", vec![0, 0, 0, 3]),
            ("[9007199254740993, 9007199254740992, 9007199254740992.0]", vec![0, 1, 1]),
            ("[9007199254740993.0, 9007199254740993]", vec![0, 1]),
            ("[1e23, 100000000000000000000000, 99999999999999991611392]", vec![0, 1, 0]),
        ] {
            assert_eq!(classes(list), expected, "{list}");
        }
    }

    #[test]
    fn integers_without_end_are_compared_exactly() {
        let exact = "340282366920938463463374607431768211456"; // 2^128
        let other = "340282366920938463463374607431768211457";
        let list = format!(
            "[{exact}, {other}, 3.402823669209384634634e38, -{exact}, -3.40282366920938463463374607431768211456e38]"
        );
        assert_eq!(classes(&list), [0, 1, 0, 3, 3]);
        let edge = "[170141183460469231731687303715884105727, 170141183460469231731687303715884105728, 1.7014118346046923e38]";
        assert_eq!(classes(edge), [0, 1, 1]);
        let huge = "9".repeat(400);
        assert_eq!(classes(&format!("[{huge}, {huge}, {huge}9]")), [0, 0, 2]);
    }

    #[test]
    fn what_python_cannot_hash_or_count_is_refused() {
        for (list, reason) in [
            ("[[]]", "wrong_type"),
            ("[{}]", "wrong_type"),
            ("[NaN]", "not_finite"),
            ("[-Infinity]", "not_finite"),
            ("[1e999]", "not_finite"),
        ] {
            let error = SetBuilder::default().read(list).map(drop).unwrap_err();
            assert_eq!(error.reason(), reason, "{list}");
        }
    }

    #[test]
    fn what_a_large_set_needed_is_given_back() {
        let mut set = SetBuilder::default();
        let large = format!("[0{}]", ",1".repeat(100_000));
        assert_eq!(set.read(&large).map(|elements| elements.iter().count()), Ok(100_001));
        assert!(set.bytes.capacity() > SCRATCH_BYTES_KEPT);
        assert_eq!(set.read("[1]").map(|elements| elements.iter().count()), Ok(1));
        assert!(set.bytes.capacity() <= SCRATCH_BYTES_KEPT);
        assert!(set.ends.capacity() * size_of::<u32>() <= SCRATCH_BYTES_KEPT);
    }
}
