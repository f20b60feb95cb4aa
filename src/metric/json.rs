//! JSON text, read and written without a tree.

/// Appends `text` as a JSON string with the fewest escapes.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    use std::io::Write as _;
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0..0x20 => {
                let _ = write!(out, "\\u{byte:04x}");
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}
