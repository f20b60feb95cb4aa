//! A finite number as JSON and Python know it: an integer of any size we can hold, or a double.

/// A finite number. Sums of integers stay integers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// An integer, exact.
    Int(i128),
    /// A finite double.
    Float(f64),
}

impl Number {
    /// The nearest double.
    pub fn as_f64(self) -> f64 {
        match self {
            Number::Int(n) => n as f64,
            Number::Float(f) => f,
        }
    }

    /// The sum: integers add exactly (as doubles where 128 bits do not hold it), anything else as doubles.
    pub fn add(self, other: Number) -> Number {
        if let (Number::Int(a), Number::Int(b)) = (self, other)
            && let Some(sum) = a.checked_add(b)
        {
            return Number::Int(sum);
        }
        Number::Float(self.as_f64() + other.as_f64())
    }

    /// Appends the shortest JSON text that reads back as the same number.
    pub fn write_json(self, out: &mut Vec<u8>) {
        use std::io::Write as _;
        let _ = match self {
            Number::Int(n) => write!(out, "{n}"),
            Number::Float(f) => write!(out, "{f}"),
        };
    }
}
