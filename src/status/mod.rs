//! What the agent tells of itself when it is asked: `chouette-iot status`.
//!
//! ```text
//! {"version":"0.1.0","pid":412,"time_s":1700000000,"uptime_s":93,"advances":true,"alive":true,"reason":null,…
//!  "storage":{"kind":"redis","up":true,"since_s":92,"problem":null},
//!  "flush":{"ago_s":3,"records":120,"series":14,"problem":null},
//!  "streams":{"metrics":{"queued":0,"last":{"ago_s":12,"items":140,"bytes":1204,"answer":"202"},…}},
//!  "plugins":{"host":{"ago_s":4,"series":9,"failures":0,"problem":null}},
//!  "dropped":{"expired":3},…
//!  "hour":{"released":[0,…,140],"bytes":[…],"queued":[…],"dropped":[…]}}
//! ```
//!
//! Who knows something says it: the parts of [`crate::agent`] write their members of the document ([`Document`]), and
//! [`crate::runtime::status`] sends it to whoever connects, and closes. The other side reads it ([`Object`]) and shows
//! it to a person ([`view`]). Members that are times ago (`…_s`) are whole seconds; what is not known is `null`.
//! Nothing is prepared: while nobody asks, this costs the counters and [`Hour`], 1.2 kB.

mod document;
mod hour;
mod object;
pub mod units;
pub mod view;

pub use document::Document;
pub use hour::{Hour, Minute};
pub use object::Object;

use crate::limits::STATUS_CHARS_MAX;

/// A text of whatever origin as a short line.
#[inline(never)]
pub fn one_line(text: &str) -> String {
    let mut line = String::new();
    for character in text.chars().take(STATUS_CHARS_MAX) {
        line.push(if character.is_control() { ' ' } else { character });
    }
    line
}
