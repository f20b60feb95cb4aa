//! As much of Rust's grammar as it takes to see which paths a file names: comments and literals are passed over,
//! `use` trees are spelled out, and every path knows the modules it stands in.

use std::collections::VecDeque;

/// A word or a mark of a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    Word(String),
    /// `::`
    PathMark,
    Mark(char),
}

/// A path as the source names it, `std::net::TcpStream` for example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub parts: Vec<String>,
    pub line: usize,
    /// The inline modules around it.
    pub modules: Vec<String>,
    /// Whether one of them is compiled for tests only.
    pub in_tests: bool,
    /// The name that `use … as` gives it.
    pub alias: Option<String>,
    /// Whether it begins with `::` or stands where only a crate can.
    pub is_import: bool,
}

/// All paths of a file.
pub fn named_paths(text: &str) -> Vec<Named> {
    Scanner { tokens: tokens(text).into(), open: Vec::new(), found: Vec::new() }.run()
}

/// The files of modules that a file declares for tests only.
pub fn test_modules(path: &str, text: &str) -> Vec<String> {
    let tokens: Vec<Token> = tokens(text).into_iter().map(|(token, _)| token).collect();
    let directory = match path.rsplit_once('/') {
        Some((directory, "lib.rs" | "main.rs" | "mod.rs")) => directory.to_owned(),
        _ => path.trim_end_matches(".rs").to_owned(),
    };
    let mut files = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let declares =
            *token == Token::Word("mod".to_owned()) && tokens.get(at + 2) == Some(&Token::Mark(';'));
        let before: Vec<&Token> = tokens[..at].iter().rev().take_while(|token| !is_end(token)).collect();
        if let (true, true, Some(Token::Word(name))) = (declares, is_for_tests(&before), tokens.get(at + 1)) {
            files.push(format!("{directory}/{name}.rs"));
        }
    }
    files
}

/// The tokens of a file's test code: those in modules for tests, or all where the file is one.
pub fn test_words(text: &str, is_whole: bool) -> Vec<Token> {
    let all: Vec<Token> = tokens(text).into_iter().map(|(token, _)| token).collect();
    if is_whole {
        return all;
    }
    let (mut found, mut depth, mut at) = (Vec::new(), 0, 0);
    while let Some(token) = all.get(at) {
        let before: Vec<&Token> = all[..at].iter().rev().take_while(|token| !is_end(token)).collect();
        match token {
            Token::Mark('{')
                if depth > 0
                    || before.iter().any(|token| **token == Token::Word("mod".to_owned()))
                        && is_for_tests(&before) =>
            {
                depth += 1
            }
            Token::Mark('}') if depth > 0 => depth -= 1,
            token if depth > 0 => found.push(token.clone()),
            _ => {}
        }
        at += 1;
    }
    found
}

/// What an item ends with, and so what stands before the attributes of the next one.
fn is_end(token: &Token) -> bool {
    matches!(token, Token::Mark(';' | '{' | '}'))
}

/// Whether the tokens before an item, the last one first, hold `cfg(test)`.
fn is_for_tests(before: &[&Token]) -> bool {
    before.windows(4).any(|window| {
        let [close, test, open, cfg] = window else {
            return false;
        };
        **cfg == Token::Word("cfg".to_owned())
            && **open == Token::Mark('(')
            && **test == Token::Word("test".to_owned())
            && **close == Token::Mark(')')
    })
}

struct Scanner {
    tokens: VecDeque<(Token, usize)>,
    /// What every open brace belongs to: a module with its name, or none; and whether it is for tests.
    open: Vec<(Option<String>, bool)>,
    found: Vec<Named>,
}

impl Scanner {
    fn run(mut self) -> Vec<Named> {
        // The tokens since the last item ended, the last one first: where an attribute would be.
        let mut since: VecDeque<Token> = VecDeque::new();
        while let Some((token, line)) = self.tokens.pop_front() {
            match &token {
                Token::Word(word) if word == "mod" => {
                    let before: Vec<&Token> = since.iter().collect();
                    self.module(is_for_tests(&before));
                    since.clear();
                    continue;
                }
                Token::Word(word) if word == "use" => self.use_tree(&[], line),
                Token::Word(word) if word == "extern" => self.extern_crate(),
                Token::Word(_) | Token::PathMark => self.path(&token, line),
                Token::Mark('{') => self.open.push((None, false)),
                Token::Mark('}') => {
                    self.open.pop();
                }
                Token::Mark(_) => {}
            }
            if is_end(&token) {
                since.clear();
            } else {
                since.push_front(token);
            }
        }
        self.found
    }

    fn module(&mut self, for_tests: bool) {
        let Some((Token::Word(name), _)) = self.tokens.pop_front() else {
            return;
        };
        if let Some((Token::Mark('{'), _)) = self.tokens.front() {
            self.tokens.pop_front();
            self.open.push((Some(name), for_tests));
        }
    }

    fn extern_crate(&mut self) {
        if self.tokens.front().is_some_and(|(token, _)| *token == Token::Word("crate".to_owned())) {
            self.tokens.pop_front();
            if let Some((Token::Word(name), line)) = self.tokens.pop_front() {
                self.name(vec![name], line, None, true);
            }
        }
    }

    /// A path in an expression or a type. `<Instant>::now` counts as `Instant::now`.
    fn path(&mut self, first: &Token, line: usize) {
        let mut parts: Vec<String> = match first {
            Token::Word(word) => vec![word.clone()],
            _ => Vec::new(),
        };
        loop {
            let marked = matches!(self.tokens.front(), Some((Token::PathMark, _)));
            let qualified = matches!(self.tokens.front(), Some((Token::Mark('>'), _)))
                && matches!(self.tokens.get(1), Some((Token::PathMark, _)));
            let at = if marked { 1 } else { 2 };
            match self.tokens.get(at) {
                _ if parts.is_empty() => {
                    let Some((Token::Word(word), _)) = self.tokens.front() else {
                        return;
                    };
                    parts.push(word.clone());
                    self.tokens.pop_front();
                }
                Some((Token::Word(word), _)) if marked || qualified => {
                    parts.push(word.clone());
                    self.tokens.drain(..=at);
                }
                _ => break,
            }
        }
        if parts.len() > 1 {
            self.name(parts, line, None, false);
        }
    }

    /// One tree of a `use`, after what stands before it.
    fn use_tree(&mut self, prefix: &[String], line: usize) {
        let mut parts = prefix.to_vec();
        while let Some((token, _)) = self.tokens.front().cloned() {
            match token {
                Token::PathMark => {}
                Token::Mark('*') => parts.push("*".to_owned()),
                Token::Mark('{') => {
                    self.tokens.pop_front();
                    while !matches!(self.tokens.front(), None | Some((Token::Mark('}'), _))) {
                        self.use_tree(&parts, line);
                        if matches!(self.tokens.front(), Some((Token::Mark(','), _))) {
                            self.tokens.pop_front();
                        }
                    }
                    self.tokens.pop_front();
                    return;
                }
                Token::Word(word) if word == "as" => {
                    self.tokens.pop_front();
                    let alias = match self.tokens.pop_front() {
                        Some((Token::Word(alias), _)) => Some(alias),
                        _ => None,
                    };
                    self.name(parts, line, alias, true);
                    return;
                }
                // `self` within braces is what stands before them.
                Token::Word(word) if word == "self" && !parts.is_empty() => {}
                Token::Word(word) => parts.push(word),
                Token::Mark(_) => break,
            }
            self.tokens.pop_front();
        }
        self.name(parts, line, None, true);
    }

    fn name(&mut self, parts: Vec<String>, line: usize, alias: Option<String>, is_import: bool) {
        let modules = self.open.iter().filter_map(|(name, _)| name.clone()).collect();
        let in_tests = self.open.iter().any(|(_, for_tests)| *for_tests);
        self.found.push(Named { parts, line, modules, in_tests, alias, is_import });
    }
}

/// Words and marks with the lines they stand on.
fn tokens(text: &str) -> Vec<(Token, usize)> {
    let (mut found, mut rest, mut line) = (Vec::new(), text, 1);
    while let Some(first) = rest.chars().next() {
        let length = if let Some(length) = skipped(rest) {
            length
        } else if first.is_alphanumeric() || first == '_' {
            let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            found.push((Token::Word(rest[..length].to_owned()), line));
            length
        } else if rest.starts_with("::") {
            found.push((Token::PathMark, line));
            2
        } else {
            found.push((Token::Mark(first), line));
            first.len_utf8()
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    found
}

/// How long the white space, comment or literal is that a text begins with; none when it begins with code.
fn skipped(rest: &str) -> Option<usize> {
    let first = rest.chars().next()?;
    if first.is_whitespace() {
        return Some(first.len_utf8());
    }
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    let after_prefix = rest.trim_start_matches(['b', 'c', 'r']);
    let prefix = rest.len() - after_prefix.len();
    if prefix <= 2 && rest[..prefix].contains('r') {
        let fence = after_prefix.len() - after_prefix.trim_start_matches('#').len();
        if after_prefix[fence..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(fence));
            let start = prefix + fence + 1;
            return Some(rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len()));
        }
    }
    if prefix <= 1 && after_prefix.starts_with('"') {
        return Some(prefix + quoted(after_prefix, '"'));
    }
    if prefix <= 1
        && after_prefix.starts_with('\'')
        && (after_prefix.starts_with("'\\") || after_prefix.chars().nth(2) == Some('\''))
    {
        return Some(prefix + quoted(after_prefix, '\''));
    }
    None
}

/// The length of a literal in quotes, with its escapes.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a comment with those inside it.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}
