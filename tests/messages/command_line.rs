//! The command line: each mistake is one line that leads to `--help`, and ends with 2.

use super::{SECRET, refusal, run};

/// Arguments, and what is wrong with them.
const MISTAKES: &[(&[&str], &str)] = &[
    (&["--onec"], "option \"--onec\" is not known; did you mean --once?"),
    (&["--verbose"], "option \"--verbose\" is not known"),
    (&["-x"], "option \"-x\" is not known"),
    (&["fly"], "command \"fly\" is not known; there are run, doctor, status, metrics"),
    (&["docter"], "command \"docter\" is not known; did you mean doctor?"),
    (&["run", "run"], "argument \"run\" is one too many"),
    (&["run", "/etc/chouette-iot.env"], "argument \"/etc/chouette-iot.env\" is one too many"),
    (&["run", "--env-file"], "option --env-file needs a value"),
    (&["run", "--env-file="], "option --env-file needs a value"),
    (&["run", "--once=yes"], "option --once takes no value"),
    (&["--env-file", "a", "--env-file", "b"], "option --env-file is given twice"),
    (&["doctor", "--watch"], "option --watch is not for doctor but for status"),
    (&["--json"], "option --json is not for run but for doctor, status, metrics"),
];

#[test]
fn a_wrong_argument_is_told_with_the_way_to_the_help() {
    for (arguments, mistake) in MISTAKES {
        let text = refusal(arguments, &[("API_KEY", SECRET)]);
        assert_eq!(text, format!("chouette-iot: {mistake} (see chouette-iot --help)\n"));
    }
    let (code, _, stderr) = run(&["--help"], &[]);
    assert_eq!((code, &*stderr), (Some(0), ""), "and there it is");
}
