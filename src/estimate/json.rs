//! An [`Estimate`] as JSON for a program: one object on one line.

use super::day::{AROUND_BYTES, Day, NEW_CONNECTION_BYTES};
use super::table::{Estimate, whole};
use crate::metric::json;

impl Estimate<'_> {
    /// One JSON object on one line.
    pub fn json(&self) -> String {
        let mut out = Json(String::new());
        out.open('{');
        let seconds = [
            ("aggregate_interval_s", self.settings.aggregate_interval_s),
            ("capture_interval_s", self.settings.capture_interval_s),
            ("release_interval_s", self.settings.release_interval_s),
        ];
        seconds.iter().for_each(|(key, value)| out.number(key, f64::from(*value)));
        out.texts("tags", &self.common());
        out.key("metrics");
        out.open('[');
        for row in &self.rows {
            out.open('{');
            let texts = [
                ("source", row.source),
                ("metric", row.metric),
                ("type", row.kind),
                ("unit", row.unit),
                ("note", row.note),
            ];
            texts.iter().for_each(|(key, text)| out.text(key, text));
            out.texts("tags", &row.tags);
            out.number("series", row.series as f64);
            out.number("points_a_day", row.points);
            out.close('}');
        }
        out.close(']');
        out.key("sources");
        out.open('[');
        for (source, series, day) in &self.shares {
            out.open('{');
            out.text("source", source);
            out.number("series", *series as f64);
            out.number("points_a_day", day.points);
            out.number("compressed_bytes_a_day", day.body_bytes);
            out.close('}');
        }
        out.close(']');
        out.key("all");
        out.open('{');
        out.number("series", self.plan.flows.len() as f64);
        out.day(&self.total);
        out.number("bytes_around_a_body", AROUND_BYTES);
        out.number("bytes_of_a_new_connection", NEW_CONNECTION_BYTES);
        out.close('}');
        out.key("with");
        out.open('[');
        for (setting, day) in &self.savings {
            out.open('{');
            out.text("setting", setting);
            out.day(day);
            out.close('}');
        }
        out.close(']');
        out.texts("notes", &self.plan.notes);
        out.close('}');
        out.0.push('\n');
        out.0
    }
}

/// JSON under way. Commas are set by what stands before.
struct Json(String);

impl Json {
    fn comma(&mut self) {
        if !self.0.is_empty() && !self.0.ends_with(['{', '[', ':']) {
            self.0.push(',');
        }
    }

    fn open(&mut self, bracket: char) {
        self.comma();
        self.0.push(bracket);
    }

    fn close(&mut self, bracket: char) {
        self.0.push(bracket);
    }

    fn key(&mut self, key: &str) {
        self.comma();
        json::push_string(key, &mut self.0);
        self.0.push(':');
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        json::push_string(text, &mut self.0);
    }

    fn texts(&mut self, key: &str, texts: &[String]) {
        self.key(key);
        self.open('[');
        for text in texts {
            self.comma();
            json::push_string(text, &mut self.0);
        }
        self.close(']');
    }

    fn number(&mut self, key: &str, value: f64) {
        self.key(key);
        self.0.push_str(&whole(value));
    }

    fn day(&mut self, day: &Day) {
        self.number("points_a_day", day.points);
        self.number("requests_a_day", day.requests);
        self.number("compressed_bytes_a_day", day.body_bytes);
        self.number("wire_bytes_a_day", day.wire_bytes);
    }
}
