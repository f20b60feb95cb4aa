//! Every script is what its first line says, and shellcheck has nothing against it.

use super::support::repository;
use super::{package, said, tool};

#[test]
fn shellcheck_has_nothing_to_say() {
    let Some(mut shellcheck) = tool("shellcheck") else {
        return;
    };
    let output = shellcheck
        .args(["--shell=sh", "--severity=style"])
        .args(["install.sh", "chouette-iot.init", "chouette-iot.openrc"].map(package))
        .args(["debian/postinst", "debian/prerm", "debian/postrm"].map(package))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let Some(mut shellcheck) = tool("shellcheck") else {
        return;
    };
    let cross = ["apt", "build", "costs", "package/deb", "reproducible", "smoke"];
    let tests = ["bench/common", "bench/instructions", "bench/run", "faults", "fuzz/run", "run"];
    let cross = cross.iter().map(|name| repository(&format!("cross/{name}.sh")));
    let tests = tests.iter().map(|name| repository(&format!("tests/{name}.sh")));
    // What they source is checked with them.
    shellcheck.arg("--external-sources").arg(repository(".ci/run")).args(cross).args(tests);
    let output = shellcheck.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

/// What the package's metadata names is there.
#[test]
fn the_metadata_of_the_deb_names_files_that_are_there() {
    let manifest = std::fs::read_to_string(repository("Cargo.toml")).unwrap();
    let (_, metadata) = manifest.split_once("[package.metadata.deb]").unwrap();
    let quoted = metadata.split('"').skip(1).step_by(2);
    let files: Vec<&str> =
        quoted.filter(|text| text.starts_with("cross/") || text.ends_with(".md")).collect();
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        assert!(repository(file).exists(), "{file}");
    }
}
