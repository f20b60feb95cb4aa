//! What the embedded queue tells is counted.

use super::{Cx, ids};
use crate::queue::embedded::Report;
use crate::telemetry::Counters;

/// Counts what was dropped, and what the disk cost.
pub(super) fn reported(report: &Report, cx: &mut Cx<'_>) {
    let mut counts = Counters::new();
    for dropped in &report.dropped {
        ids::count_dropped(dropped.keys.iter().map(Vec::as_slice), dropped.reason, &mut counts);
        cx.telemetry.dropped(dropped.reason, dropped.unnamed);
        let records = dropped.keys.len() as u64 + dropped.unnamed;
        let text = format_args!("{records} records of {} dropped: {}", dropped.queue.name(), dropped.reason);
        cx.warnings.warn("embedded queue", &text, cx.now.mono);
    }
    cx.telemetry.dropped("spool_damaged", report.damaged);
    cx.telemetry.dropped("spool_torn", report.torn);
    cx.telemetry.dropped_all(&counts);
    cx.telemetry.spool(report.written_bytes, report.disk_records);
    match &report.failure {
        Some(reason) => cx.warnings.warn("spool", reason, cx.now.mono),
        None => cx.warnings.recovered("spool"),
    }
}
