//! An [`Estimate`] as JSON for a program: one object on one line.

use super::Flow;
use super::day::{AROUND_BYTES, Day, NEW_CONNECTION_BYTES};
use super::table::{Estimate, Row, push_whole};
use crate::metric::json;

impl Estimate<'_> {
    /// One JSON object on one line.
    #[inline(never)]
    pub fn json(&self) -> String {
        let settings = self.now.settings;
        let mut out = Json(String::new());
        out.open('{');
        out.number("aggregate_interval_s", settings.aggregate_interval_s.into());
        out.number("capture_interval_s", settings.capture_interval_s.into());
        out.number("release_interval_s", settings.release_interval_s.into());
        out.texts("tags", &self.common());
        out.list("metrics");
        self.rows(&mut |Row { flow, series, points, tags }| {
            out.open('{');
            let Flow { source, unit, note, series: one, .. } = flow;
            let texts = [
                ("source", *source),
                ("metric", &one.name),
                ("type", one.kind.as_str()),
                ("unit", unit),
                ("note", note),
            ];
            for (key, text) in texts {
                out.text(key, text);
            }
            out.texts("tags", tags);
            out.number("series", *series);
            out.number("points_a_day", *points);
            out.close('}');
        });
        out.close(']');
        out.list("sources");
        for (source, series, day) in &self.shares {
            out.open('{');
            out.text("source", source);
            out.number("series", *series);
            out.number("points_a_day", day.points);
            out.number("compressed_bytes_a_day", day.body_bytes);
            out.close('}');
        }
        out.close(']');
        out.key("all");
        out.open('{');
        out.number("series", self.now.plan.flows.len() as f64);
        out.day(&self.total);
        out.number("bytes_around_a_body", AROUND_BYTES);
        out.number("bytes_of_a_new_connection", NEW_CONNECTION_BYTES);
        out.close('}');
        out.list("with");
        for (setting, day) in &self.savings {
            out.open('{');
            out.text("setting", setting);
            out.day(day);
            out.close('}');
        }
        out.close(']');
        out.texts("notes", &self.now.plan.notes);
        out.close('}');
        out.0.push('\n');
        out.0
    }
}

/// JSON under way. Commas are set by what stands before.
struct Json(String);

impl Json {
    fn comma(&mut self) {
        if !matches!(self.0.as_bytes().last(), None | Some(b'{' | b'[' | b':')) {
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

    fn list(&mut self, key: &str) {
        self.key(key);
        self.0.push('[');
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        json::push_string(text, &mut self.0);
    }

    fn texts(&mut self, key: &str, texts: &[String]) {
        self.list(key);
        for text in texts {
            self.comma();
            json::push_string(text, &mut self.0);
        }
        self.close(']');
    }

    fn number(&mut self, key: &str, value: f64) {
        self.key(key);
        push_whole(value, &mut self.0);
    }

    fn day(&mut self, day: &Day) {
        self.number("points_a_day", day.points);
        self.number("requests_a_day", day.requests);
        self.number("compressed_bytes_a_day", day.body_bytes);
        self.number("wire_bytes_a_day", day.wire_bytes);
    }
}
