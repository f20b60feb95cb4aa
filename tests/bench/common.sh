# shellcheck shell=bash
# Sourced by run.sh and instructions.sh: installs and builds what both need. Sets `driver`, `binary` and `floor`.

# shellcheck source-path=SCRIPTDIR source=../../cross/apt.sh
. cross/apt.sh

readonly TARGET=x86_64-unknown-linux-musl

# need PROGRAM=PACKAGE…
need() {
    local pair packages=()
    for pair in "$@"; do
        command -v "${pair%=*}" >/dev/null || packages+=("${pair#*=}")
    done
    ((${#packages[@]})) || return 0
    apt_install "${packages[@]}"
}

# Builds the driver, the floor and, where no binary was given, the agent as it is shipped.
build() {
    local target_dir=${CARGO_TARGET_DIR:-target}
    binary=$1
    if [[ -z $binary ]]; then
        cross/build.sh "$TARGET" >&2
        binary=$target_dir/$TARGET/release/chouette-iot
    elif [[ ! -x $binary ]]; then
        echo "$binary is no program" >&2
        return 1
    fi
    floor=$target_dir/bench-floor
    rustc -O --edition 2024 -o "$floor" tests/bench/floor.rs
    # The last line names the program.
    driver=$(cargo test --locked --quiet --no-run --test bench --message-format=json |
        sed -n 's/.*"name":"bench".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
    [[ -x $driver ]]
}
