//! The document as a person reads it: a line for each part, with a tick, a cross, or neither.
//!
//! ```text
//! ✓ agent    version 0.1.0, process 412, up 3 h 12 min
//! ✓ redis    connected for 3 h 12 min; this agent has the lease
//! ✓ flush    3 s ago: 120 records into 14 series
//! ✗ metrics  failing for 6 min: the intake answered 503; next attempt in 12 s; 40 wait
//!   today    12 kB in 31 requests
//! ```

use super::Object;
use super::units::{bytes, count, duration, sparkline};

/// What stands before a line.
#[derive(Clone, Copy, PartialEq)]
enum Mark {
    Good,
    Bad,
    Plain,
}

/// How the text is to look.
#[derive(Clone, Copy)]
pub struct Look {
    /// With colours.
    pub is_coloured: bool,
    /// With the last hour.
    pub with_hour: bool,
}

#[derive(Default)]
struct Rows(Vec<(Mark, String, String)>);

impl Rows {
    fn good(&mut self, label: &str, text: String) {
        self.0.push((Mark::Good, label.to_owned(), text));
    }

    fn bad(&mut self, label: &str, text: String) {
        self.0.push((Mark::Bad, label.to_owned(), text));
    }

    fn plain(&mut self, label: &str, text: String) {
        self.0.push((Mark::Plain, label.to_owned(), text));
    }
}

/// The whole document as lines.
pub fn text(document: Object<'_>, look: Look) -> String {
    let mut rows = Rows::default();
    agent(document, &mut rows);
    storage(document, &mut rows);
    flush(document, &mut rows);
    for (name, stream) in document.objects("streams") {
        release(&name, stream, &mut rows);
    }
    for (name, plugin) in document.objects("plugins") {
        reading(&name, plugin, &mut rows);
    }
    figures(document, &mut rows);
    if look.with_hour {
        hour(document, &mut rows);
    }
    lines(&rows.0, look.is_coloured)
}

fn lines(rows: &[(Mark, String, String)], is_coloured: bool) -> String {
    let width = rows.iter().map(|(_, label, _)| label.chars().count()).max().unwrap_or_default();
    let mut out = String::new();
    for (mark, label, text) in rows {
        out.push_str(match (mark, is_coloured) {
            (Mark::Good, true) => "\x1b[32m✓\x1b[0m",
            (Mark::Bad, true) => "\x1b[31m✗\x1b[0m",
            (Mark::Good, false) => "✓",
            (Mark::Bad, false) => "✗",
            (Mark::Plain, _) => " ",
        });
        out.push_str(&format!(" {label:width$}  {text}\n"));
    }
    out
}

fn agent(document: Object<'_>, rows: &mut Rows) {
    let version = document.text("version").unwrap_or_default();
    let (pid, up_s) = (number(document, "pid"), number(document, "uptime_s"));
    let text = format!("version {version}, process {pid}, up {}", duration(up_s));
    match document.text("reason") {
        Some(reason) => {
            rows.bad("agent", text);
            rows.bad("", format!("does not advance: {reason}"));
        }
        None => rows.good("agent", text),
    }
    if !document.flag("clock_believed") {
        rows.bad("clock", "not believed yet: what is read waits until it has been set".to_owned());
    }
}

fn storage(document: Object<'_>, rows: &mut Rows) {
    let Some(storage) = document.object("storage") else { return };
    let kind = storage.text("kind").unwrap_or_default();
    let since = storage.number("since_s").map(duration).unwrap_or_default();
    let lease = document.object("lease");
    let holder = lease.and_then(|lease| lease.text("holder"));
    let state = lease.and_then(|lease| lease.text("state"));
    match storage.text("problem") {
        None if !storage.flag("up") => rows.plain(&kind, "not connected yet".to_owned()),
        Some(problem) => {
            let waiting = number(storage, "waiting");
            rows.bad(&kind, format!("away for {since}: {problem}; {waiting} wait in memory"));
        }
        None => rows.good(
            &kind,
            match (state.as_deref(), holder) {
                (Some("held"), _) => format!("connected for {since}; this agent has the lease"),
                (Some("standby"), Some(holder)) => {
                    format!("connected for {since}; agent {holder} works, this one stands by")
                }
                (Some("no_memory"), _) => format!("connected for {since}; it has no memory left"),
                _ => format!("connected for {since}"),
            },
        ),
    }
}

fn flush(document: Object<'_>, rows: &mut Rows) {
    let Some(flush) = document.object("flush") else { return };
    let last = flush.number("ago_s").map(|ago_s| {
        let (records, series) = (number(flush, "records"), number(flush, "series"));
        format!("{} ago: {} into {series} series", duration(ago_s), count(records, "record"))
    });
    match (flush.text("problem"), last) {
        (Some(problem), last) => {
            let last = last.map(|last| format!("; the last good one {last}")).unwrap_or_default();
            rows.bad(
                "flush",
                format!("failed: {problem}; {} wait{last}", count(number(flush, "raw"), "record")),
            );
        }
        (None, Some(last)) => rows.good("flush", last),
        (None, None) => rows.plain("flush", "none yet".to_owned()),
    }
}

fn release(name: &str, stream: Object<'_>, rows: &mut Rows) {
    let queued = stream.number("queued").map(|queued| format!("; {queued} wait")).unwrap_or_default();
    if let (Some(problem), Some(failing_s)) = (stream.text("problem"), stream.number("failing_s")) {
        let retry = stream.number("retry_in_s").map(|s| format!("; next attempt in {}", duration(s)));
        let delivered = match stream.number("delivered_ago_s") {
            Some(ago_s) => format!("; delivered last {} ago", duration(ago_s)),
            None => String::new(),
        };
        let (failing, retry) = (duration(failing_s), retry.unwrap_or_default());
        return rows.bad(name, format!("failing for {failing}: {problem}{retry}{queued}{delivered}"));
    }
    let Some(last) = stream.object("last") else {
        return rows.plain(name, format!("nothing released yet{queued}"));
    };
    let word = if name == "metrics" { "point" } else { "item" };
    let text = format!(
        "{} ago: {} in {}, answered {}{queued}",
        duration(number(last, "ago_s")),
        count(number(last, "items"), word),
        bytes(number(last, "bytes")),
        last.text("answer").unwrap_or_default(),
    );
    rows.good(name, text);
}

fn reading(name: &str, plugin: Object<'_>, rows: &mut Rows) {
    let read = plugin.number("ago_s").map(|ago_s| {
        let series = number(plugin, "series");
        format!("{} ago: {series} series", duration(ago_s))
    });
    let failures = match plugin.number("failures") {
        Some(failures @ 1..) => format!("; {} since the start", count(failures, "failure")),
        _ => String::new(),
    };
    match (plugin.text("problem"), read) {
        (Some(problem), read) => {
            let read = read.map(|read| format!("{read}; ")).unwrap_or_default();
            rows.bad(name, format!("{read}{problem}{failures}"));
        }
        (None, Some(read)) => rows.good(name, format!("{read}{failures}")),
        (None, None) => rows.plain(name, format!("not read yet{failures}")),
    }
}

fn figures(document: Object<'_>, rows: &mut Rows) {
    let dropped = document.object("dropped").map(counts);
    rows.plain("dropped", dropped.unwrap_or_else(|| "nothing since the start".to_owned()));
    if let Some(dogstatsd) = document.object("dogstatsd") {
        let of = |key| number(dogstatsd, key);
        let (received, kernel_drops) = (of("received"), of("kernel_drops"));
        let (open, most) = (of("contexts"), of("contexts_max"));
        let bad = dogstatsd.object("bad").map(|bad| format!(", bad: {}", counts(bad))).unwrap_or_default();
        let text =
            format!("{received} received{bad}, {kernel_drops} lost in the kernel, {open} of {most} contexts");
        rows.plain("dogstatsd", text);
    }
    if let Some(spool) = document.object("spool") {
        let of = |key| bytes(number(spool, key));
        let records = |key| count(number(spool, key), "record");
        let text = format!(
            "{} in {} of {} memory, {} in {} of {} disk",
            records("memory_records"),
            of("memory_bytes"),
            of("memory_bytes_max"),
            records("disk_records"),
            of("disk_bytes"),
            of("disk_bytes_max")
        );
        rows.plain("spool", text);
    }
    if let Some(memory) = document.object("memory") {
        let bound = memory.number("max_bytes").map(|max| format!(" of {}", bytes(max))).unwrap_or_default();
        rows.plain("memory", format!("{}{bound}", bytes(number(memory, "rss_bytes"))));
    }
    if let Some(today) = document.object("today") {
        let requests = count(number(today, "requests"), "request");
        rows.plain("today", format!("{} in {requests}, by UTC", bytes(number(today, "bytes"))));
    }
}

fn hour(document: Object<'_>, rows: &mut Rows) {
    let Some(hour) = document.object("hour") else { return };
    rows.plain("", "the last hour, minute by minute".to_owned());
    let plain: fn(u64) -> String = |number| number.to_string();
    let rows_of = [("released", "released", plain), ("bytes", "sent", bytes), ("queued", "queue", plain)];
    for (key, label, unit) in rows_of.into_iter().chain([("dropped", "dropped", plain)]) {
        let numbers = hour.numbers(key);
        let most = numbers.iter().copied().max().unwrap_or_default();
        rows.plain(label, format!("{}  {} at most", sparkline(&numbers), unit(most)));
    }
}

fn counts(object: Object<'_>) -> String {
    let texts: Vec<String> =
        object.members().iter().map(|(name, number)| format!("{number} {name}")).collect();
    texts.join(", ")
}

fn number(object: Object<'_>, key: &str) -> u64 {
    object.number(key).unwrap_or_default()
}
