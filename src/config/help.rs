//! The table of variables as text: for `--help`, and for CONFIGURATION.md.

use super::table::VARIABLES;
use super::variable::{Preset, Topic, Variable};

/// Widest line of the help text, in characters.
pub const HELP_COLUMNS: usize = 92;
/// Where descriptions begin.
const INDENT: usize = 26;

/// The variables under their headings, aligned and wrapped.
pub fn variables_text() -> String {
    let mut out = String::new();
    for topic in Topic::ALL {
        out.push_str(&format!("\n{}\n", heading(*topic)));
        for variable in VARIABLES.iter().filter(|v| v.topic == *topic) {
            entry(variable.name, &description(variable), &mut out);
        }
    }
    out
}

/// One entry of an aligned list: a name, and its description wrapped at [`HELP_COLUMNS`].
pub fn entry(name: &str, description: &str, out: &mut String) {
    let mut lines = wrapped(description, HELP_COLUMNS - INDENT).into_iter();
    let head = format!("  {name}");
    if head.len() + 2 <= INDENT {
        let first = lines.next().unwrap_or_default();
        out.push_str(&format!("{head:INDENT$}{first}\n"));
    } else {
        out.push_str(&format!("{head}\n"));
    }
    for line in lines {
        out.push_str(&format!("{:INDENT$}{line}\n", ""));
    }
}

/// Breaks text at blanks into lines of at most `columns` characters; a longer word has a line to itself.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            let width = line.chars().count() + 1 + word.chars().count();
            if !line.is_empty() && width > columns {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// The table of CONFIGURATION.md.
pub fn markdown_table() -> String {
    let mut out = String::from("| Variable | Default | Accepted | What it is for |\n|---|---|---|---|\n");
    for variable in VARIABLES {
        let mut name = format!("`{}`", variable.name);
        for alias in variable.aliases {
            name.push_str(&format!(" (also `{alias}`)"));
        }
        let default = match variable.default {
            Preset::Required => "**required**".to_owned(),
            Preset::Unset => "–".to_owned(),
            Preset::Text(text) => format!("`{text}`{}", variable.unit()),
        };
        let plain = |text: &str| text.replace('|', "\\|").replace('*', "\\*");
        let (accepts, help) = (plain(&variable.accepts()), plain(variable.help));
        out.push_str(&format!("| {name} | {default} | {accepts} | {help} |\n"));
    }
    out
}

/// All there is to say about a variable: one line each.
pub fn description(variable: &Variable) -> String {
    let mut text = format!("{}.\n", variable.help);
    match variable.default {
        Preset::Required => text.push_str("Required"),
        Preset::Unset => text.push_str("Not set by default"),
        Preset::Text(default) => text.push_str(&format!("Default: {default}{}", variable.unit())),
    }
    text.push_str(&format!("\nAccepted: {}", variable.accepts()));
    for alias in variable.aliases {
        text.push_str(&format!("\nAlso known as {alias}"));
    }
    text
}

/// The line above its variables.
pub fn heading(topic: Topic) -> &'static str {
    match topic {
        Topic::Datadog => "Datadog:",
        Topic::Redis => "Redis:",
        Topic::Dogstatsd => "DogStatsD (what applications send as datagrams):",
        Topic::Spool => "Embedded queue:",
        Topic::Aggregation => "Aggregation:",
        Topic::Collectors => "Collectors (what the agent reads itself):",
        Topic::Release => "Release (what is sent, and when):",
        Topic::Network => "Network:",
        Topic::Logging => "Log lines:",
        Topic::Status => "Status (what chouette-iot status asks):",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../../CONFIGURATION.md");
    const BEGIN: &str = "<!-- configuration: begin (made from src/config/table.rs; a test compares) -->\n";
    const END: &str = "<!-- configuration: end -->";

    #[test]
    fn the_table_of_the_document_is_the_table_of_the_code() {
        let (_, rest) = DOCUMENT.split_once(BEGIN).expect("begin marker");
        let (found, _) = rest.split_once(END).expect("end marker");
        let expected = format!("\n{}\n", markdown_table());
        assert!(found == expected, "put this between the markers of CONFIGURATION.md:\n{expected}");
    }

    #[test]
    fn wrapping() {
        assert_eq!(wrapped("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrapped("aaaaaaaa b", 5), ["aaaaaaaa", "b"]);
        assert_eq!(wrapped("a\nb", 5), ["a", "b"]);
        assert_eq!(wrapped("ü ü ü", 5), ["ü ü ü"]);
    }

    #[test]
    fn every_topic_has_its_variables() {
        let text = variables_text();
        for variable in VARIABLES {
            assert!(text.contains(&format!("\n  {}  ", variable.name)), "{}", variable.name);
            assert!(Topic::ALL.contains(&variable.topic));
        }
        for topic in Topic::ALL {
            assert!(VARIABLES.iter().any(|v| v.topic == *topic), "{topic:?}");
        }
        assert!(text.lines().all(|l| l.chars().count() <= HELP_COLUMNS));
    }
}
