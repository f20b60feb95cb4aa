//! The file that `--env-file` names: variables, one a line.
//!
//! ```text
//! # from here to the end of the line
//! API_KEY=0123456789abcdef
//! export HOST='garden shed'
//! GLOBAL_TAGS=["room:shed"]   # a comment needs a blank before it
//! REDIS_PASSWORD="with \"quotes\" and \\"
//! ```
//!
//! Blanks around names and values count for nothing; between single quotes everything stands for itself, between
//! double quotes `\"` and `\\` are escapes. What it does not do: replace `$NAME`, or values over several lines.

use std::fmt;

/// Most bytes of the file.
pub const ENV_FILE_BYTES_MAX: usize = 1024 * 1024;

/// What is wrong with the file: every line that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvFileErrors(pub Vec<LineError>);

/// What is wrong with a line. The value is never repeated: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError {
    /// Counted from 1; 0 is the file as a whole.
    pub line: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What can be wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The file is larger than [`ENV_FILE_BYTES_MAX`].
    TooLarge(usize),
    /// No `=`.
    NoEquals,
    /// What stands before the `=` is no name.
    NoName,
    /// A quote is opened and not closed.
    OpenQuote,
    /// Something other than a comment follows the closing quote.
    AfterQuote,
    /// A name that was set before, in the line given.
    Repeated(String, usize),
}

/// Reads the text of a file into names and values, in the order of the file.
///
/// # Errors
/// [`EnvFileErrors`], with all lines that are wrong.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, EnvFileErrors> {
    if text.len() > ENV_FILE_BYTES_MAX {
        let problem = Problem::TooLarge(text.len());
        return Err(EnvFileErrors(vec![LineError { line: 0, problem }]));
    }
    let mut lines_by_name = crate::metric::SortedMap::new();
    let mut variables = Vec::new();
    let mut errors = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, content) in text.lines().enumerate() {
        let line = index + 1;
        match parse_line(content.trim()) {
            Ok(None) => {}
            Ok(Some((name, value))) => match lines_by_name.insert(name.clone(), line) {
                None => variables.push((name, value)),
                Some(first) => errors.push(LineError { line, problem: Problem::Repeated(name, first) }),
            },
            Err(problem) => errors.push(LineError { line, problem }),
        }
    }
    if errors.is_empty() { Ok(variables) } else { Err(EnvFileErrors(errors)) }
}

fn parse_line(line: &str) -> Result<Option<(String, String)>, Problem> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (name, value) = line.split_once('=').ok_or(Problem::NoEquals)?;
    let name = match name.split_once(char::is_whitespace) {
        Some(("export", name)) => name.trim(),
        _ => name.trim(),
    };
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(Problem::NoName);
    }
    let value = parse_value(value.trim())?;
    Ok(Some((name.to_owned(), value)))
}

fn parse_value(text: &str) -> Result<String, Problem> {
    let Some(quote) = text.chars().next().filter(|c| matches!(c, '\'' | '"')) else {
        return Ok(without_comment(text).to_owned());
    };
    let mut value = String::new();
    let mut rest = text.chars();
    rest.next();
    loop {
        match rest.next().ok_or(Problem::OpenQuote)? {
            c if c == quote => break,
            '\\' if quote == '"' => match rest.next().ok_or(Problem::OpenQuote)? {
                escaped @ ('"' | '\\') => value.push(escaped),
                other => value.extend(['\\', other]),
            },
            c => value.push(c),
        }
    }
    let after = rest.as_str();
    if after.is_empty() || after.starts_with(char::is_whitespace) && without_comment(after).is_empty() {
        Ok(value)
    } else {
        Err(Problem::AfterQuote)
    }
}

/// `text` up to the first `#` that begins it or follows a blank.
fn without_comment(text: &str) -> &str {
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        if c == '#' && before.is_whitespace() {
            return text.get(..at).unwrap_or_default().trim();
        }
        before = c;
    }
    text.trim()
}

impl fmt::Display for EnvFileErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (count, error) in self.0.iter().enumerate() {
            let separator = if count == 0 { "" } else { "\n" };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for EnvFileErrors {}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.problem),
            line => write!(f, "line {line}: {}", self.problem),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::TooLarge(bytes) => {
                write!(f, "{bytes} bytes, more than {ENV_FILE_BYTES_MAX}")
            }
            Problem::NoEquals => f.write_str("not of the form NAME=value"),
            Problem::NoName => f.write_str("what stands before the = is no name of a variable"),
            Problem::OpenQuote => f.write_str("a quote is opened and not closed"),
            Problem::AfterQuote => f.write_str("something follows the closing quote"),
            Problem::Repeated(name, line) => write!(f, "{name} was set before, in line {line}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Result<String, Problem> {
        parse(line).map(|mut v| v.remove(0).1).map_err(|mut e| e.0.remove(0).problem)
    }

    #[test]
    fn a_whole_file() {
        let text = "\u{feff}# comment\r\n\r\nAPI_KEY=abc\r\n  export HOST = shed \n\texport\tA_1=\n_b=\"x\"  # y\nexport=1";
        let expected = [("API_KEY", "abc"), ("HOST", "shed"), ("A_1", ""), ("_b", "x"), ("export", "1")];
        let expected = expected.map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(parse(text), Ok(expected.to_vec()));
        assert_eq!(parse(""), Ok(vec![]));
    }

    #[test]
    fn values() {
        for (line, value) in [
            (r#"A=["a:b", "c:d"]"#, r#"["a:b", "c:d"]"#),
            ("A=a=b", "a=b"),
            ("A=a#b", "a#b"),
            ("A=a #b", "a"),
            ("A=#b", ""),
            ("A=$HOME", "$HOME"),
            (r"A=a\nb", r"a\nb"),
            ("A=it's", "it's"),
            (r#"A='a "b" #c \" '"#, r#"a "b" #c \" "#),
            (r#"A="a \"b\" \\ \n 'c' #d""#, r#"a "b" \ \n 'c' #d"#),
            ("A=''", ""),
            ("A='x'\t# y", "x"),
        ] {
            assert_eq!(one(line).as_deref(), Ok(value), "{line}");
        }
    }

    #[test]
    fn mistakes() {
        for (line, problem) in [
            ("API_KEY", Problem::NoEquals),
            ("export API_KEY", Problem::NoEquals),
            ("=x", Problem::NoName),
            ("1A=x", Problem::NoName),
            ("A B=x", Problem::NoName),
            ("A-B=x", Problem::NoName),
            ("Ü=x", Problem::NoName),
            ("A='x", Problem::OpenQuote),
            (r#"A="x\""#, Problem::OpenQuote),
            (r#"A="x\"#, Problem::OpenQuote),
            (r#"A="x","y""#, Problem::AfterQuote),
            ("A='x'#y", Problem::AfterQuote),
        ] {
            assert_eq!(one(line), Err(problem), "{line}");
        }
    }

    #[test]
    fn all_lines_at_once_and_no_values() {
        let errors = parse("A=1\nhunter2\n\nB='hunter2\nA=hunter2").unwrap_err();
        let lines: Vec<usize> = errors.0.iter().map(|e| e.line).collect();
        assert_eq!(lines, [2, 4, 5]);
        let text = errors.to_string();
        assert!(text.contains("line 5: A was set before, in line 1"), "{text}");
        assert!(!text.contains("hunter"), "{text}");
    }

    #[test]
    fn the_size_is_bounded() {
        let fits = format!("A={}", "x".repeat(ENV_FILE_BYTES_MAX - 2));
        assert!(parse(&fits).is_ok());
        let problem = Problem::TooLarge(ENV_FILE_BYTES_MAX + 1);
        assert_eq!(one(&format!("{fits}x")), Err(problem));
    }
}
