#!/usr/bin/env bash
# Runs the binaries of cross/targets on this machine, those for other processors under qemu as the oldest one meant.
#
#   cross/smoke.sh [TARGET|all]        default: all; cross/build.sh has built them
#
# Each goes through tests/smoke (a whole run over TLS, the container's empty root, large numbers, the year 2040) and
# through the tests of the corpus and of the plugin `host`.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source-path=SCRIPTDIR source=apt.sh
. cross/apt.sh

readonly LIMIT=${CHOUETTE_SMOKE_LIMIT:-10m}

# program → Debian package
missing_packages() {
    command -v redis-server >/dev/null || echo redis-server
    command -v qemu-arm-static >/dev/null || echo qemu-user-static
    # These two move the clock: a preloaded library cannot reach the static emulator.
    command -v qemu-arm >/dev/null || echo qemu-user
    command -v faketime >/dev/null || echo faketime
}

# The emulator of a target and its arguments; nothing for this machine's own.
emulator() {
    local target=$1 cpu=$2
    case $target in
        "$(uname -m)"-*) ;;
        aarch64-*) echo "qemu-aarch64-static -cpu $cpu" ;;
        arm*) echo "qemu-arm-static -cpu $cpu" ;;
        *)
            echo "cross/smoke.sh: no emulator for $target" >&2
            return 1
            ;;
    esac
}

smoke() {
    local target=$1 cpu=$2 binary emulator
    binary=${CARGO_TARGET_DIR:-$PWD/target}/$target/release/chouette-iot
    if [[ ! -x $binary ]]; then
        echo "cross/smoke.sh: $binary is not there: cross/build.sh $target" >&2
        return 1
    fi
    emulator=$(emulator "$target" "$cpu")
    echo "== $target ${emulator:+under $emulator}"
    CHOUETTE_TEST_BINARY=$(realpath "$binary") CHOUETTE_TEST_EMULATOR=$emulator \
        timeout --kill-after=30s "$LIMIT" cargo test --locked --quiet --no-fail-fast \
        --test smoke --test corpus --test host
}

main() {
    local wanted=${1:-all} target cpu code=0 packages
    mapfile -t packages < <(missing_packages)
    if ((${#packages[@]})); then
        apt_install "${packages[@]}" || echo "could not install ${packages[*]}" >&2
    fi
    export RUST_TEST_THREADS=${RUST_TEST_THREADS:-4}
    while read -r target _ _ cpu; do
        if [[ $wanted == all || $wanted == "$target" ]]; then
            smoke "$target" "$cpu" </dev/null || code=1
        fi
    done < <(grep -v '^#' cross/targets)
    return "$code"
}

main "$@"
