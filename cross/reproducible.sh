#!/usr/bin/env bash
# Builds a target a second time, from a copy of the sources in another directory, and compares the bytes.
#
#   cross/reproducible.sh [TARGET]     default: arm-unknown-linux-musleabihf
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

main() {
    local target=${1:-arm-unknown-linux-musleabihf} elsewhere first second
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
    export SOURCE_DATE_EPOCH
    cross/build.sh "$target"
    if [[ -z ${ZIG_PYTHON:-} && -x target/zig/bin/python ]]; then
        export ZIG_PYTHON=$PWD/target/zig/bin/python
    fi
    elsewhere=$(mktemp --directory)
    # shellcheck disable=SC2064 # the name is to be put in now
    trap "rm -rf '$elsewhere'" EXIT
    git ls-files -z --cached --others --exclude-standard |
        tar --create --null --files-from=- | tar --extract --directory="$elsewhere"
    env --unset=CARGO_TARGET_DIR "$elsewhere/cross/build.sh" "$target"

    first=${CARGO_TARGET_DIR:-target}/$target/release/chouette-iot
    second=$elsewhere/target/$target/release/chouette-iot
    if ! cmp "$first" "$second"; then
        echo "cross/reproducible.sh: $target: two builds differ" >&2
        return 1
    fi
    if grep --text --quiet --fixed-strings --regexp="$PWD/" --regexp="$elsewhere" --regexp="$HOME/" "$first"; then
        echo "cross/reproducible.sh: $target: a path of this machine stands in the binary" >&2
        return 1
    fi
    echo "$target: two builds in different directories give the same bytes"
}

main "$@"
