//! No message without a test: what an error or a warning says to a user stands word for word in the code of some test,
//! which meets it.

use std::collections::BTreeSet;

/// Shorter pieces are no message by themselves.
const PIECE_CHARS_MIN: usize = 6;

/// Messages no test meets, and why none has to.
const UNMET: &[(&str, &str)] = &[];

/// The code of a file of `src/` before its tests, and those.
pub fn parts(text: &str) -> (&str, &str) {
    let at = ["\n#[cfg(test)]\nmod tests {", "\n#[cfg(test)]\npub(crate) mod tests {"]
        .iter()
        .filter_map(|begin| text.find(begin))
        .min();
    text.split_at(at.unwrap_or(text.len()))
}

/// What the errors and warnings of a file say: of each its longest piece between two values.
pub fn messages(code: &str) -> BTreeSet<String> {
    let errors = || {
        code.lines().filter_map(|line| line.strip_prefix("impl std::error::Error for ")?.split(' ').next())
    };
    let shown =
        errors().filter_map(|name| between(code, &format!("impl fmt::Display for {name} {{\n"), "\n}\n"));
    let logged = [
        "log::error!(",
        "log::warn!(",
        ".warn(\n",
        ".warn(\"",
        "io::Error::new(",
        "Error::other(",
        "SetupError(",
    ]
    .iter()
    .flat_map(|begin| code.match_indices(begin))
    .map(|(at, begin)| {
        let rest = &code[at + begin.trim_end_matches('"').len()..];
        &rest[..rest.find(';').unwrap_or(rest.len())]
    });
    shown.chain(logged).flat_map(literals).filter_map(|text| longest_piece(&text)).collect()
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(begin)?;
    rest.split_once(end).map(|(inside, _)| inside)
}

/// The string literals of a piece of code, as the compiler reads them.
pub fn literals(code: &str) -> Vec<String> {
    let (mut found, mut chars) = (Vec::new(), code.chars().peekable());
    while let Some(c) = chars.next() {
        if c == '\'' {
            // `'"'` begins nothing; a lifetime has no second quote near.
            let ahead: Vec<char> = chars.clone().take(3).collect();
            match ahead[..] {
                ['\\', _, '\''] => drop(chars.nth(2)),
                [_, '\'', ..] => drop(chars.nth(1)),
                _ => {}
            }
        } else if c == '/' && chars.peek() == Some(&'/') {
            chars.by_ref().find(|c| *c == '\n');
        } else if c == '"' {
            let mut literal = String::new();
            while let Some(c) = chars.next().filter(|c| *c != '"') {
                match (c, chars.peek()) {
                    ('\\', Some('\n')) => while chars.next_if(|c| c.is_whitespace()).is_some() {},
                    ('\\', Some('n')) => literal.extend(chars.next().map(|_| '\n')),
                    ('\\', _) => literal.extend(chars.next()),
                    _ => literal.push(c),
                }
            }
            found.push(literal);
        }
    }
    found
}

fn longest_piece(text: &str) -> Option<String> {
    let mut pieces = vec![String::new()];
    let mut depth = 0;
    for c in text.chars() {
        match (c, depth) {
            ('{', _) => depth += 1,
            ('}', 1..) => {
                depth -= 1;
                pieces.push(String::new());
            }
            ('\n', 0) => pieces.push(String::new()),
            (_, 0) => pieces.last_mut()?.push(c),
            _ => {}
        }
    }
    let trimmed = |piece: &String| piece.trim_matches([' ', ':', ',', ';', '.', '(', ')']).to_owned();
    let longest = pieces.iter().map(trimmed).max_by_key(|piece| piece.chars().count())?;
    (longest.chars().count() >= PIECE_CHARS_MIN).then_some(longest)
}

/// The messages of `src/` that no test meets.
pub fn check(
    sources: &[(String, String)],
    whole_tests: &BTreeSet<String>,
    tests: &[(String, String)],
) -> Vec<String> {
    let quotes = |code: &str| literals(code).concat();
    let of_sources = sources
        .iter()
        .map(|(path, text)| if whole_tests.contains(path) { quotes(text) } else { quotes(parts(text).1) });
    let met: String = of_sources.chain(tests.iter().map(|(_, text)| quotes(text))).collect();
    let mut found = Vec::new();
    let mut all = BTreeSet::new();
    for (path, text) in sources.iter().filter(|(path, _)| !whole_tests.contains(path)) {
        for message in messages(parts(text).0) {
            let is_excepted = UNMET.iter().any(|(piece, _)| *piece == message);
            match (met.contains(&message), is_excepted) {
                (false, false) => found.push(format!("{path}: no test meets {message:?}")),
                (true, true) => found.push(format!("{message:?}: a test meets it, so it needs no exception")),
                _ => {}
            }
            all.insert(message);
        }
    }
    let gone = UNMET.iter().filter(|(piece, _)| !all.contains(*piece));
    found.extend(gone.map(|(piece, _)| format!("{piece:?}: there is no such message")));
    found
}
