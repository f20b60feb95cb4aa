//! The document as a person reads it: a line for each part, with a tick, a cross, or neither.
//!
//! ```text
//! ✓ agent       version 0.1.0, process 412, up 3 h 12 min
//! ✓ redis       connected for 3 h 12 min; this agent has the lease
//! ✓ flush       3 s ago: 120 records into 14 series
//! ✗ metrics     failing for 6 min: the intake answered 503; next attempt in 12 s; 40 wait
//!   today       12 kB in 31 requests
//! ```

use super::Object;
use super::units::{push_bars, push_bytes, push_count, push_duration, push_number};

/// What stands before a line.
#[derive(Clone, Copy)]
enum Mark {
    Good,
    Bad,
    Plain,
}

/// The column of labels: the longest of them, and two blanks.
const LABEL_CHARS: usize = 12;

/// How the text is to look.
#[derive(Clone, Copy)]
pub struct Look {
    /// With colours.
    pub is_coloured: bool,
    /// With the last hour.
    pub with_hour: bool,
}

/// What is said of a part of the agent, in pieces with `|` between them. In braces stand members of its object, with
/// the unit they are in (see [`Rows::fill`]); a piece is left out where one of them is not known.
struct Part {
    /// Tells whether it has worked.
    sign: &'static str,
    /// While it works, of the last time.
    good: &'static str,
    /// While it does not.
    bad: &'static str,
    /// Before its first time.
    fresh: &'static str,
}

const STORAGE: Part = Part {
    sign: "up",
    good: "connected for {since_s:time}",
    bad: "away for {since_s:time}: |{problem}|; {waiting} wait in memory",
    fresh: "not connected yet",
};

const FLUSH: Part = Part {
    sign: "ago_s",
    good: "{ago_s:time} ago: {records:record} into {series} series",
    bad: "failed: {problem}|; {raw:record} wait\
        |; the last good one {ago_s:time} ago: {records:record} into {series} series",
    fresh: "none yet",
};

const STREAM: Part = Part {
    sign: "last",
    good: "{last.ago_s:time} ago: {last.items:item} in {last.bytes:bytes}, answered {last.answer}|; {queued} wait",
    bad: "failing for {failing_s:time}: |{problem}|; next attempt in {retry_in_s:time}|; {queued} wait\
        |; delivered last {delivered_ago_s:time} ago",
    fresh: "nothing released yet|; {queued} wait",
};

const METRICS: Part = Part {
    good: "{last.ago_s:time} ago: {last.items:point} in {last.bytes:bytes}, answered {last.answer}|; {queued} wait",
    ..STREAM
};

const PLUGIN: Part = Part {
    sign: "ago_s",
    good: "{ago_s:time} ago: {series} series",
    bad: "{ago_s:time} ago: {series} series; |{problem}",
    fresh: "not read yet",
};

/// What is neither good nor bad, of the whole document.
const FIGURES: [(&str, &str); 5] = [
    ("dropped", "{dropped:counts}"),
    (
        "dogstatsd",
        "{dogstatsd.received} received|, bad: {dogstatsd.bad:counts}|, {dogstatsd.kernel_drops} lost in the kernel\
            |, {dogstatsd.contexts} of {dogstatsd.contexts_max} contexts",
    ),
    (
        "spool",
        "{spool.memory_records:record} in {spool.memory_bytes:bytes} of {spool.memory_bytes_max:bytes} memory\
            |, {spool.disk_records:record} in {spool.disk_bytes:bytes} of {spool.disk_bytes_max:bytes} disk",
    ),
    ("memory", "{memory.rss_bytes:bytes}| of {memory.max_bytes:bytes}"),
    ("today", "{today.bytes:bytes} in {today.requests:request}, by UTC"),
];

/// The whole document as lines.
pub fn text(document: Object<'_>, look: Look) -> String {
    let mut rows = Rows { out: String::new(), is_coloured: look.is_coloured };
    let is_stuck = document.has("reason");
    rows.add(if is_stuck { Mark::Bad } else { Mark::Good }, "agent");
    rows.fill(document, "version {version}, process {pid}, up {uptime_s:time}");
    if is_stuck {
        rows.add(Mark::Bad, "");
        rows.fill(document, "does not advance: {reason}");
    }
    if !document.flag("clock_believed") {
        rows.add(Mark::Bad, "clock");
        rows.fill(document, "not believed yet: what is read waits until it has been set");
    }
    let storage = document.member("storage");
    rows.part(&storage.text("kind").unwrap_or_default(), storage, &STORAGE);
    if storage.flag("up") {
        let lease = document.member("lease");
        rows.fill(
            lease,
            match lease.text("state").as_deref() {
                Some("held") => "; this agent has the lease",
                Some("standby") => "; agent {holder} works, this one stands by",
                Some("no_memory") => "; it has no memory left",
                _ => "",
            },
        );
    }
    rows.part("flush", document.member("flush"), &FLUSH);
    for (name, stream) in document.member("streams").members() {
        rows.part(&name, stream, if name == "metrics" { &METRICS } else { &STREAM });
    }
    for (name, plugin) in document.member("plugins").members() {
        rows.part(&name, plugin, &PLUGIN);
        if plugin.number("failures") > Some(0) {
            rows.fill(plugin, "; {failures:failure} since the start");
        }
    }
    for &(label, pieces) in &FIGURES {
        let end = rows.out.len();
        rows.add(Mark::Plain, label);
        if rows.fill(document, pieces) {
            continue;
        }
        if label == "dropped" {
            rows.fill(document, "nothing since the start");
        } else {
            rows.out.truncate(end);
        }
    }
    if look.with_hour {
        rows.hour(document.member("hour"));
    }
    rows.out.push('\n');
    rows.out
}

struct Rows {
    out: String,
    is_coloured: bool,
}

impl Rows {
    /// Begins a row, still without its text.
    #[inline(never)]
    fn add(&mut self, mark: Mark, label: &str) {
        let out = &mut self.out;
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(match (mark, self.is_coloured) {
            (Mark::Good, true) => "\x1b[32m✓\x1b[0m ",
            (Mark::Bad, true) => "\x1b[31m✗\x1b[0m ",
            (Mark::Good, false) => "✓ ",
            (Mark::Bad, false) => "✗ ",
            (Mark::Plain, _) => "  ",
        });
        out.push_str(label);
        for _ in label.len()..LABEL_CHARS {
            out.push(' ');
        }
    }

    /// A part as it is now.
    #[inline(never)]
    fn part(&mut self, label: &str, object: Object<'_>, part: &Part) {
        let (mark, pieces) = if object.has("problem") {
            (Mark::Bad, part.bad)
        } else if object.has(part.sign) {
            (Mark::Good, part.good)
        } else {
            (Mark::Plain, part.fresh)
        };
        self.add(mark, label);
        self.fill(object, pieces);
    }

    /// Adds pieces to the text of the row, see [`Part`]; tells whether there was one that could be. Units are
    /// `time`, of seconds, `bytes`, `counts`, which is an object of numbers, and what it is that is counted, `record`.
    #[inline(never)]
    fn fill(&mut self, object: Object<'_>, pieces: &str) -> bool {
        let out = &mut self.out;
        let begin = out.len();
        for piece in pieces.split('|') {
            let end = out.len();
            // Words and members take turns.
            for (place, part) in piece.split(['{', '}']).enumerate() {
                if place % 2 == 0 {
                    out.push_str(part);
                } else if push_member(out, object, part).is_none() {
                    out.truncate(end);
                    break;
                }
            }
        }
        out.len() > begin
    }

    fn hour(&mut self, hour: Object<'_>) {
        self.add(Mark::Plain, "");
        self.out.push_str("the last hour, minute by minute");
        for &(key, label) in
            &[("released", "released"), ("bytes", "sent"), ("queued", "queue"), ("dropped", "dropped")]
        {
            let numbers = hour.numbers(key);
            let mut most = 0;
            for number in &numbers {
                most = most.max(*number);
            }
            self.add(Mark::Plain, label);
            push_bars(&mut self.out, &numbers, most);
            self.out.push_str("  ");
            if key == "bytes" {
                push_bytes(&mut self.out, most)
            } else {
                push_number(&mut self.out, most)
            }
            self.out.push_str(" at most");
        }
    }
}

/// Appends a member, named by its key and, after a colon, its unit.
fn push_member(out: &mut String, object: Object<'_>, name: &str) -> Option<()> {
    let (path, unit) = name.split_once(':').unwrap_or((name, ""));
    let (object, key) = match path.split_once('.') {
        Some((outer, key)) => (object.member(outer), key),
        None => (object, path),
    };
    match (unit, object.number(key)) {
        ("", None) => out.push_str(&object.text(key)?),
        ("counts", None) => {
            let start = out.len();
            for (reason, number) in object.member(key).members() {
                out.push_str(if out.len() > start { ", " } else { "" });
                out.push_str(number.as_str());
                out.push(' ');
                out.push_str(&reason);
            }
            return (out.len() > start).then_some(());
        }
        ("", Some(number)) => push_number(out, number),
        ("time", Some(seconds)) => push_duration(out, seconds),
        ("bytes", Some(bytes)) => push_bytes(out, bytes),
        (word, number) => push_count(out, number?, word),
    }
    Some(())
}
