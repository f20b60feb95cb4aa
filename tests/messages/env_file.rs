//! The file that `--env-file` names: mistakes are told with the file and the line, and never with a value.

use super::support::temp::TempDir;
use super::{ONE, SECRET, refusal};

/// What stands in the file, and what is said of it behind its name.
const MISTAKES: &[(&[u8], &str)] = &[
    (b"API_KEY=s3cret-word-of-the-test\nHOST shed\n", " line 2: not of the form NAME=value"),
    (
        b"API-KEY=s3cret-word-of-the-test\n",
        " line 1: what stands before the = is no name of letters, digits and _",
    ),
    (b"API_KEY='s3cret-word-of-the-test\n", " line 1: a quote is opened and not closed in this line"),
    (
        b"API_KEY='s3cret-word-of-the-test'#old\n",
        " line 1: something follows the closing quote (a comment needs a blank before it)",
    ),
    (b"HOST=shed\n\n# or\nHOST=barn\n", " line 4: HOST was set before, in line 1"),
    (
        b"shed\nHOST=barn\nbarn\n",
        " 2 mistakes:\n  line 1: not of the form NAME=value\n  line 3: not of the form NAME=value",
    ),
    (b"API_KEY=\xff\xfe\n", " not UTF-8"),
];

#[test]
fn a_mistake_is_told_with_file_and_line() {
    let dir = TempDir::new();
    let path = dir.join("chouette.env");
    let file = path.to_str().unwrap();
    for (text, told) in MISTAKES {
        std::fs::write(&path, text).unwrap();
        let expected = format!("chouette-iot: --env-file {file}:{told}\n");
        assert_eq!(refusal(&["run", "--env-file", file], &[]), expected);
    }
    std::fs::write(&path, vec![b'#'; 1_048_577]).unwrap();
    let expected = format!("chouette-iot: --env-file {file}: the file has more than 1048576 bytes\n");
    assert_eq!(refusal(&["--env-file", file], &[]), expected);
}

#[test]
fn a_file_that_cannot_be_read_is_told_as_one() {
    for (file, why) in [
        ("/nowhere/chouette.env", "No such file or directory (os error 2)"),
        ("/", "Is a directory (os error 21)"),
    ] {
        let expected = format!("chouette-iot: --env-file {file}: {why}\n");
        assert_eq!(refusal(&["run", "--env-file", file], &[("API_KEY", SECRET)]), expected);
    }
}

#[test]
fn a_wrong_value_in_the_file_is_told_as_one_of_the_environment_is() {
    let dir = TempDir::new();
    let path = dir.write("chouette.env", "API_KEY=s3cret-word-of-the-test\nRELEASE_INTERVAL=1m\n");
    let told = refusal(&["--env-file", path.to_str().unwrap()], &[]);
    const MINUTE: &str = "RELEASE_INTERVAL=1m: no whole number within bounds; accepted: a whole number from 1 to 86400 seconds\n";
    assert_eq!(told, format!("{ONE}{MINUTE}"));
}
