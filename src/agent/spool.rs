//! What the embedded queue tells is counted.

use std::borrow::Cow;

use super::{Cx, ids};
use crate::queue::embedded::Report;
use crate::telemetry::Counters;

/// Counts what was dropped, and what the disk cost.
pub(super) fn reported(report: &Report, cx: &mut Cx<'_>) {
    let mut counts = Counters::new();
    let mut count = |reason: Cow<'static, str>, records: u64| {
        if records > 0 {
            let total = counts.entry(reason);
            *total = total.saturating_add(records);
        }
    };
    for dropped in &report.dropped {
        for key in &dropped.keys {
            // What tells of drops has not been told yet: it is told with these.
            let (reason, records) = ids::told_by(key).unwrap_or((Cow::Borrowed(dropped.reason), 1));
            count(reason, records);
        }
        count(Cow::Borrowed(dropped.reason), dropped.unnamed);
        let records = dropped.keys.len() as u64 + dropped.unnamed;
        let text = format_args!("{records} records of {} dropped: {}", dropped.queue.word(), dropped.reason);
        cx.warnings.warn("embedded queue", &text, cx.now.mono);
    }
    count(Cow::Borrowed("spool_damaged"), report.damaged);
    count(Cow::Borrowed("spool_torn"), report.torn);
    cx.telemetry.dropped_all(&counts);
    cx.telemetry.spool(report.written_bytes, report.disk_records);
    match &report.failure {
        Some(reason) => cx.warnings.warn("spool", reason, cx.now.mono),
        None => cx.warnings.recovered("spool"),
    }
}
