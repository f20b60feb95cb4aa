//! One reading of an application, as it stood in a raw record.

use super::Number;

/// One reading. It borrows from the record (or from the parser's scratch space), so that
/// aggregating a million of them allocates nothing per sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a> {
    /// Metric name, unescaped.
    pub name: &'a str,
    /// Type as the application wrote it: `count`, `gauge`, `rate`, `set`, `histogram` or another word.
    pub kind: &'a str,
    /// Canonical tags: the text of a [`super::Tags`].
    pub tags: &'a str,
    /// What was measured.
    pub value: Value<'a>,
    /// Unix seconds, finite.
    pub timestamp: f64,
}

/// The value of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// One finite number.
    Number(Number),
    /// The elements of a `set`.
    Set(Elements<'a>),
}

/// The elements of one list, each as a byte string that is equal for two elements exactly when Python's
/// `==` calls them equal (`1`, `1.0` and `True` are one element, `"1"` is another).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Elements<'a> {
    bytes: &'a [u8],
    ends: &'a [u32],
}

impl<'a> Elements<'a> {
    /// `bytes` holds the elements one after the other, `ends` where each one ends, ascending.
    pub fn new(bytes: &'a [u8], ends: &'a [u32]) -> Self {
        Elements { bytes, ends }
    }

    /// The elements in the order of the list; duplicates stand as often as they were written.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        let bytes = self.bytes;
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let element = bytes.get(start..*end as usize).unwrap_or_default();
            start = *end as usize;
            element
        })
    }
}
