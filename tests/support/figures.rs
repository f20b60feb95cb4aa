//! What the tests measured, for a person to read: `tests/faults.sh` makes a table of these lines.

use std::io::Write as _;

/// Tells of a figure: what it belongs to, what was measured, and the value with its unit and bound.
pub fn figure(group: &str, what: &str, value: &str) {
    // Straight to the stream, like a skipped test: the harness swallows the rest of a test that passes.
    let _ = writeln!(std::io::stderr(), "figure: {group} | {what} | {value}");
}
