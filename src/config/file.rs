//! Files that variables name: secrets in files of their own, as container platforms hand them out, and rules.
//!
//! Example: `API_KEY_FILE=/run/secrets/api_key`. The file holds the value of `API_KEY` and nothing else; blanks
//! and line ends around it count for nothing. What is read through is the caller's: this module knows no files.

use std::io;

use super::draft::Draft;
use super::error::ValueError;
use super::table::VARIABLES;
use super::value::{self, TEXT_CHARS_MAX};

/// Most bytes of the file: twice of what the longest secret takes.
pub const SECRET_FILE_BYTES_MAX: usize = 2 * TEXT_CHARS_MAX;

/// Reads the file at a path, and of a file that is too large at least one byte too many.
pub type ReadFile<'a> = &'a dyn Fn(&str) -> io::Result<Vec<u8>>;

/// What is read where there are no files.
///
/// # Errors
/// Always.
pub fn no_files(_: &str) -> io::Result<Vec<u8>> {
    Err(io::ErrorKind::NotFound.into())
}

/// The content of the file at `path`.
///
/// # Errors
/// [`ValueError`] where there is no such file or path.
pub fn content(path: &str, read: ReadFile) -> Result<Vec<u8>, ValueError> {
    let path = value::text(path, TEXT_CHARS_MAX)?;
    read(&path).map_err(|error| ValueError::Unreadable(error.to_string()))
}

/// Sets the variable called `name` to the content of the file at `path`.
///
/// # Errors
/// [`ValueError`], which repeats nothing of the content.
pub fn set(draft: &mut Draft, name: &'static str, path: &str, read: ReadFile) -> Result<(), ValueError> {
    let content = line(content(path, read)?)?;
    let Some(variable) = VARIABLES.iter().find(|variable| variable.name == name) else {
        return Ok(());
    };
    let wrong = |error| ValueError::Content { variable: name, error: Box::new(error) };
    variable.set(draft, &content, &no_files).map_err(wrong)
}

/// The only line there is.
fn line(bytes: Vec<u8>) -> Result<String, ValueError> {
    if bytes.len() > SECRET_FILE_BYTES_MAX {
        return Err(ValueError::FileTooLarge { bytes_max: SECRET_FILE_BYTES_MAX });
    }
    let text = String::from_utf8(bytes).map_err(|_| ValueError::Part("the file is not UTF-8"))?;
    match text.trim() {
        "" => Err(ValueError::Part("the file is empty")),
        line if line.contains(['\n', '\r']) => {
            Err(ValueError::Part("the file has more than the one line there may be"))
        }
        line => Ok(line.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, ConfigErrors};

    const KEY: (&str, &str) = ("API_KEY", "0123456789abcdef");

    /// A machine whose only files are these.
    fn config(vars: &[(&str, &str)], files: &[(&str, &[u8])]) -> Result<Config, ConfigErrors> {
        let read = |path: &str| match files.iter().find(|(known, _)| *known == path) {
            Some((_, content)) => Ok(content.to_vec()),
            None => no_files(path),
        };
        Config::from_env_and_file(vars.iter().copied(), Vec::new(), &read)
    }

    #[test]
    fn the_content_is_the_secret() {
        let files: [(&str, &[u8]); 2] = [("/run/key", b" abc \r\n\n"), ("redis", "pass wörd".as_bytes())];
        let vars =
            [("api_key_file", "/run/key"), ("REDIS_PASSWORD_FILE", " redis "), ("REDIS_USERNAME", "u")];
        let config = config(&vars, &files).unwrap();
        assert_eq!(config.api_key.expose(), "abc");
        assert_eq!(config.redis.password.unwrap().expose(), "pass wörd");
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    }

    #[test]
    fn what_is_wrong_with_a_file_names_variable_and_path_and_nothing_inside() {
        let large = vec![b'x'; SECRET_FILE_BYTES_MAX + 1];
        let largest = [vec![b' '; SECRET_FILE_BYTES_MAX - 3], b"abc".to_vec()].concat();
        for (content, problem) in [
            (None, "cannot be read: entity not found"),
            (Some(&b""[..]), "empty"),
            (Some(b" \n"), "empty"),
            (Some(b"hunter2\nhunter3"), "more than the one line"),
            (Some(b"hunter2\rhunter3\n"), "more than the one line"),
            (Some(b"hunter2\xff"), "not UTF-8"),
            (Some(b"hunter 2"), "no API_KEY: holds white space"),
            (Some(&large), "more than 8192 bytes"),
        ] {
            let files: Vec<(&str, &[u8])> =
                content.map(|content| ("/run/key", content)).into_iter().collect();
            let vars = [("API_KEY_FILE", "/run/key"), ("LOG_LEVEL", "LOUD")];
            let found = config(&vars, &files).unwrap_err();
            assert_eq!(found.mistakes.len(), 2, "all of them at once, and the key is not missed: {found}");
            let text = found.to_string();
            assert!(text.contains("\n  API_KEY_FILE=/run/key: ") && text.contains(problem), "{text}");
            assert!(!format!("{text}{found:?}").contains("hunter"), "{text}");
        }
        assert!(config(&[("API_KEY_FILE", "/run/key")], &[("/run/key", &largest)]).is_ok());
    }

    #[test]
    fn a_password_that_cannot_be_read_is_one_mistake() {
        let vars = [KEY, ("REDIS_USERNAME", "u"), ("REDIS_PASSWORD_FILE", "/run/password")];
        let found = config(&vars, &[]).unwrap_err();
        let names: Vec<&str> = found.mistakes.iter().map(|mistake| mistake.variable).collect();
        assert_eq!(names, ["REDIS_PASSWORD_FILE"]);
    }

    #[test]
    fn a_secret_stands_in_one_place() {
        let files: [(&str, &[u8]); 1] = [("/run/secret", b"abc")];
        for (variable, file) in
            [KEY.0, "REDIS_PASSWORD"].into_iter().zip(["API_KEY_FILE", "REDIS_PASSWORD_FILE"])
        {
            let mut vars = vec![(variable, "hunter2"), (file, "/run/secret")];
            if variable != KEY.0 {
                vars.push(KEY);
            }
            let found = config(&vars, &files).unwrap_err();
            let [mistake] = &found.mistakes[..] else { panic!("{found}") };
            assert_eq!(mistake.variable, file);
            assert_eq!(mistake.problem, format!("{variable} is set too; set one of them"));
            assert!(!found.to_string().contains("hunter"), "{found}");

            // One in the environment, the other in the file of variables: still two answers to one question.
            let from_file = vec![(file.to_owned(), "/run/secret".to_owned())];
            let read = |_: &str| Ok(b"abc".to_vec());
            let env = [KEY, ("REDIS_PASSWORD", "hunter2")];
            let found = Config::from_env_and_file(env, from_file, &read).unwrap_err();
            assert!(found.to_string().contains(&format!("{variable} is set too")), "{found}");
        }
    }

    #[test]
    fn a_missing_key_may_be_in_a_file() {
        let found = config(&[], &[]).unwrap_err().to_string();
        assert!(found.contains("API_KEY_FILE"), "{found}");
        let with_datadogs = [("API_KEY_FILE", "/run/key"), ("DD_API_KEY", "x")];
        assert!(config(&with_datadogs, &[("/run/key", b"k")]).unwrap().warnings.is_empty());
    }

    #[test]
    fn a_dry_run_needs_no_key_but_all_else_to_be_right() {
        let read = |_: &str| Ok(KEY.1.into());
        let dry_run = |vars: &[(&str, &str)]| Config::for_dry_run(vars.iter().copied(), Vec::new(), &read);
        assert_eq!(dry_run(&[]).unwrap().api_key.expose(), "");
        for vars in [KEY, ("API_KEY_FILE", "/run/key")] {
            assert_eq!(dry_run(&[vars]), config(&[KEY], &[]), "with a key, nothing differs");
        }
        for wrong in [("API_KEY", "a b"), ("AGGREGATE_INTERVAL", "0"), ("REDIS_USERNAME", "u")] {
            let found = dry_run(&[wrong]).unwrap_err();
            let names: Vec<&str> = found.mistakes.iter().map(|mistake| mistake.variable).collect();
            assert_eq!(names, [wrong.0]);
        }
    }
}
