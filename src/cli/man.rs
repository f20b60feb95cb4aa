//! The manual page, from the tables that `--help` is made of. Nothing in the program prints it: it is a file of the
//! packages, `cross/package/chouette-iot.1`, and a test compares. Format: <https://man7.org/linux/man-pages/man7/man.7.html>.

use super::texts::{ABOUT, COMMANDS, CONVENTIONS, EXIT_CODES, OPTIONS, Row, SIGNALS, usage_lines};
use crate::config::help::{description, heading};
use crate::config::table::VARIABLES;
use crate::config::variable::Topic;

/// The page.
pub fn man_page() -> String {
    let mut page = Page(format!(
        ".\\\" Made from src/cli/texts.rs and src/config/table.rs; a test compares.\n\
         .TH CHOUETTE\\-IOT 1 \"\" \"chouette\\-iot {}\" \"User Commands\"\n",
        env!("CARGO_PKG_VERSION")
    ));
    page.section("NAME");
    page.text("chouette-iot - metrics agent for small boards, compatible with Datadog");
    page.section("SYNOPSIS");
    for usage in usage_lines() {
        page.text(&usage);
        page.0.push_str(".br\n");
    }
    page.section("DESCRIPTION");
    page.text(ABOUT);
    let commands: Vec<Row> = COMMANDS.iter().map(|row| (row.word, row.help)).collect();
    for (title, rows) in
        [("COMMANDS", &commands[..]), ("OPTIONS", OPTIONS), ("SIGNALS", SIGNALS), ("EXIT STATUS", EXIT_CODES)]
    {
        page.section(title);
        rows.iter().for_each(|(name, help)| page.entry(name, help));
    }
    page.section("ENVIRONMENT");
    page.text(CONVENTIONS);
    for topic in Topic::ALL {
        page.0.push_str(".SS ");
        page.text(heading(*topic).trim_end_matches(':'));
        let of_topic = VARIABLES.iter().filter(|variable| variable.topic == *topic);
        of_topic.for_each(|variable| page.entry(variable.name, &description(variable)));
    }
    page.section("FILES");
    page.entry("/etc/chouette-iot.env", "The settings, where the agent was installed as a service.");
    page.entry("/var/lib/chouette-iot", "What the embedded queue keeps while releases fail (SPOOL_PATH).");
    page.entry(
        "/run/chouette-iot/status.sock",
        "Where `chouette-iot status` asks the agent (STATUS_SOCKET).",
    );
    page.section("EXAMPLES");
    page.entry(
        "CHOUETTE_STORAGE_TYPE=embedded COLLECTOR_PLUGINS=host chouette-iot --dry-run",
        "Read this board, print what would be sent, and send nothing.",
    );
    page.entry(
        "chouette-iot doctor --env-file /etc/chouette-iot.env",
        "Find out why nothing arrives at Datadog.",
    );
    page.entry("chouette-iot status --watch", "See how the agent on this device does.");
    page.0
}

struct Page(String);

impl Page {
    fn section(&mut self, title: &str) {
        self.0.push_str(&format!(".SH {title}\n"));
    }

    fn entry(&mut self, name: &str, help: &str) {
        self.0.push_str(".TP\n.B ");
        self.text(name);
        let mut lines = help.lines();
        lines.next().into_iter().for_each(|line| self.text(line));
        for line in lines {
            self.0.push_str(".br\n");
            self.text(line);
        }
    }

    /// A line of text, in which nothing is a request.
    fn text(&mut self, line: &str) {
        let begins_request = line.starts_with(['.', '\'']) && (self.0.is_empty() || self.0.ends_with('\n'));
        self.0.push_str(if begins_request { "\\&" } else { "" });
        for c in line.chars() {
            match c {
                '\\' => self.0.push_str("\\e"),
                '-' => self.0.push_str("\\-"),
                '\'' => self.0.push_str("\\(aq"),
                '`' => self.0.push_str("\\(ga"),
                '"' => self.0.push_str("\\(dq"),
                '^' => self.0.push_str("\\(ha"),
                '~' => self.0.push_str("\\(ti"),
                c => self.0.push(c),
            }
        }
        self.0.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = include_str!("../../cross/package/chouette-iot.1");

    #[test]
    fn the_manual_page_says_what_the_help_says() {
        let expected = man_page();
        assert!(FILE == expected, "put this into cross/package/chouette-iot.1:\n{expected}");
    }

    #[test]
    fn nothing_in_a_text_is_a_request() {
        let mut page = Page(String::new());
        page.text(".TH 'a' \\n -");
        assert_eq!(page.0, "\\&.TH \\(aqa\\(aq \\en \\-\n");
    }
}
