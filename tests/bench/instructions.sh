#!/usr/bin/env bash
# Counts the instructions of 1,000 records aggregated and of 1,000 series released, and compares them with the file
# `instructions` beside this; fails where one is 5 % worse. Works from any directory.
#
#   tests/bench/instructions.sh [--write] [--rounds N] [BINARY]
#
# --write commits what is measured instead. Without BINARY the static x86_64 binary of this tree is built.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source-path=SCRIPTDIR source=common.sh
. tests/bench/common.sh

readonly LIMIT=${CHOUETTE_BENCH_LIMIT:-10m}

main() {
    local binary='' floor driver options=(instructions --rounds 3)
    while (($#)); do
        case $1 in
            --write) options+=("$1") ;;
            --rounds)
                options+=("$1" "${2:?"$1 needs a value"}")
                shift
                ;;
            *) binary=$(realpath "$1") ;;
        esac
        shift
    done
    need redis-server=redis-server valgrind=valgrind unshare=util-linux ip=iproute2
    build "$binary"
    timeout --kill-after=30s "$LIMIT" "$driver" "${options[@]}" "$binary" "$floor"
}

main "$@"
