#!/usr/bin/env bash
# What a board pays for the agent, as one table. README.md beside this tells what each line is. Works from any directory.
#
#   tests/bench/run.sh [--quick] [--rounds N] [--minutes N] [--only WORD] [BINARY]
#
# BINARY is the agent to be measured, so that two builds can be compared; without it, the static x86_64 binary of this
# tree is built. --quick takes a tenth of the largest loads, --only the parts with WORD in their name: start, aggregate,
# backlogs, histogram, release, dogstatsd, minutes, peak.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source-path=SCRIPTDIR source=common.sh
. tests/bench/common.sh

readonly LIMIT=${CHOUETTE_BENCH_LIMIT:-40m}

main() {
    local binary='' floor driver options=()
    while (($#)); do
        case $1 in
            --rounds | --minutes | --only)
                options+=("$1" "${2:?"$1 needs a value"}")
                shift 2
                ;;
            -*)
                options+=("$1")
                shift
                ;;
            *)
                binary=$(realpath "$1")
                shift
                ;;
        esac
    done
    need redis-server=redis-server ip=iproute2 unshare=util-linux strace=strace python3=python3 taskset=util-linux
    need collectd=collectd-core netdata=netdata-core
    build "$binary"
    echo "$binary, $(stat -c %s "$binary") bytes, $(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg)"
    timeout --kill-after=30s "$LIMIT" "$driver" "${options[@]}" "$binary" "$floor"
}

main "$@"
