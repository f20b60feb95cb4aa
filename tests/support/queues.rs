//! The queues in Redis as applications and the agent see them.

use super::json;

pub const RAW: &str = "chouette:metrics:raw";
pub const CLAIMED: &str = "chouette:metrics:claimed";
pub const WRAPPED: &str = "chouette:metrics:wrapped";
pub const LOGS: &str = "chouette:logs:wrapped";

/// A raw metric as an application writes it. `value` is JSON.
pub fn raw_record(metric: &str, kind: &str, value: &str, timestamp: f64, tags: &[(&str, &str)]) -> String {
    let tags: Vec<String> =
        tags.iter().map(|(name, value)| format!("{}: {}", json::quote(name), json::quote(value))).collect();
    format!(
        "{{\"metric\": {}, \"type\": {}, \"value\": {value}, \"timestamp\": {timestamp}, \"tags\": {{{}}}}}",
        json::quote(metric),
        json::quote(kind),
        tags.join(", ")
    )
}

/// A wrapped metric as the Python version leaves it behind.
pub fn wrapped_record(metric: &str, kind: &str, timestamp: f64, value: f64, tags: &[&str]) -> String {
    let tags: Vec<String> = tags.iter().map(|tag| json::quote(tag)).collect();
    let interval = if kind == "gauge" { "" } else { ", \"interval\": 10" };
    format!(
        "{{\"metric\": {}, \"tags\": [{}], \"points\": [[{timestamp}, {value}]], \"type\": {}{interval}}}",
        json::quote(metric),
        tags.join(", "),
        json::quote(kind)
    )
}

/// A log as the Python log handler writes it. `message` and `extras` are JSON; extras begin with a comma.
pub fn log_record(message: &str, tags: &[&str], extras: &str) -> String {
    let tags: Vec<String> = tags.iter().map(|tag| json::quote(tag)).collect();
    format!(
        "{{\"date\": \"2023-11-14T22:13:20.500000\", \"ddsource\": \"python\", \"ddtags\": [{}], \"level\": \"INFO\", \
         \"message\": {message}, \"service\": \"door\"{extras}}}",
        tags.join(", ")
    )
}

/// How many records each queue of metrics holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    pub raw: usize,
    pub claimed: usize,
    pub wrapped: usize,
}

impl Sizes {
    pub const EMPTY: Sizes = Sizes { raw: 0, claimed: 0, wrapped: 0 };
}
