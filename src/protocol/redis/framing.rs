//! How elements of a reply are framed: lines, headers with a length, strings with an end.

use super::{CodecError, Strings};

/// Most bytes of the header of a bulk string or array.
pub(super) const HEADER_BYTES_MAX: usize = 32;

/// Takes bytes of a string of which, with its end of line, so many are left.
pub(super) fn pack(list: &mut Strings, came: &[u8], left: usize) -> Result<(), CodecError> {
    const END: &[u8] = b"\r\n";
    let (text, end) = came.split_at(came.len().min(left.saturating_sub(END.len())));
    list.extend_last(text);
    let end_left = left - text.len();
    let expected = END.get(END.len().saturating_sub(end_left)..).unwrap_or_default();
    if !expected.starts_with(end) {
        return Err(CodecError("a string longer than its length".to_owned()));
    }
    if end.len() == end_left {
        list.end_last();
    }
    Ok(())
}

pub(super) fn bad_length() -> CodecError {
    CodecError("a length that is no number".to_owned())
}

/// The length of the first line, its end included.
pub(super) fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1)
}

/// The string at the beginning of `bytes`, if that is one and has come whole, and how many bytes it takes.
pub(super) fn whole_string(bytes: &[u8]) -> Option<(&[u8], usize)> {
    const DIGITS_MAX: usize = 7;
    let (b'$', mut rest) = bytes.split_first().map(|(kind, rest)| (*kind, rest))? else {
        return None;
    };
    let mut length = 0;
    let mut header = 1;
    while let [digit @ b'0'..=b'9', after @ ..] = rest {
        length = length * 10 + usize::from(digit - b'0');
        header += 1;
        rest = after;
        if header > 1 + DIGITS_MAX {
            return None;
        }
    }
    let rest = rest.strip_prefix(b"\r\n")?;
    let (text, after) = rest.split_at_checked(length)?;
    let is_whole = header > 1 && after.starts_with(b"\r\n");
    is_whole.then_some((text, header + 2 + length + 2))
}

/// `$12\r\n` → `$` and 12; `$-1\r\n`, or any number below zero, → `$` and none.
pub(super) fn header_of(header: &[u8]) -> Result<(u8, Option<usize>), CodecError> {
    let [kind, digits @ .., b'\r', b'\n'] = header else {
        return Err(bad_length());
    };
    let (is_negative, digits) = match digits {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return Err(bad_length());
    }
    let mut number = 0_usize;
    for digit in digits {
        let value = digit.wrapping_sub(b'0');
        let grown = number.checked_mul(10).and_then(|number| number.checked_add(usize::from(value)));
        number = grown.filter(|_| value < 10).ok_or_else(bad_length)?;
    }
    Ok((*kind, (!is_negative).then_some(number)))
}

/// Appends a header: `*3\r\n`.
pub(super) fn write_header(kind: u8, number: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    let mut rest = number;
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        first = at;
        if rest == 0 {
            break;
        }
    }
    out.push(kind);
    out.extend_from_slice(digits.get(first..).unwrap_or_default());
    out.extend_from_slice(b"\r\n");
}

/// Appends a bulk string.
pub(super) fn write_string(text: &[u8], out: &mut Vec<u8>) {
    write_header(b'$', text.len(), out);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}
