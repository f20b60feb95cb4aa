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
    // Kind, 20 digits, the end of the line: from the last byte on.
    let mut header = [0; 23];
    let mut rest = number;
    let mut bytes = 0;
    for place in header.iter_mut().rev() {
        *place = match bytes {
            0 => b'\n',
            1 => b'\r',
            _ if bytes > 2 && rest == 0 => kind,
            _ => {
                let digit = b'0' + (rest % 10) as u8;
                rest /= 10;
                digit
            }
        };
        bytes += 1;
        if *place == kind {
            break;
        }
    }
    out.extend_from_slice(header.get(header.len() - bytes..).unwrap_or_default());
}

/// Appends a bulk string.
pub(super) fn write_string(text: &[u8], out: &mut Vec<u8>) {
    write_header(b'$', text.len(), out);
    out.reserve(text.len() + 2);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_written_as_they_are_read() {
        for number in [0, 1, 9, 10, 99, 100, 12_345, 9_999_999, usize::MAX] {
            let mut header = Vec::new();
            write_header(b'$', number, &mut header);
            assert_eq!(String::from_utf8_lossy(&header), format!("${number}\r\n"));
            assert_eq!(header_of(&header).unwrap(), (b'$', Some(number)));
        }
    }

    #[test]
    fn only_a_whole_string_is_taken_at_once() {
        for text in [&b""[..], b"a", b"\r\n", &[b'x'; 1_000]] {
            let mut bytes = Vec::new();
            write_string(text, &mut bytes);
            for cut in 0..bytes.len() {
                assert_eq!(whole_string(&bytes[..cut]), None);
            }
            assert_eq!(whole_string(&[&bytes[..], b"more"].concat()), Some((text, bytes.len())));
        }
        for other in [
            &b"$-1\r\n"[..],
            b"$\r\n\r\n",
            b"$1\r\nabc",
            b"$12345678\r\n",
            b"*1\r\na\r\n",
            b":1\r\n",
            b"$1\na\r\n",
        ] {
            assert_eq!(whole_string(other), None, "{}", String::from_utf8_lossy(other));
        }
    }
}
